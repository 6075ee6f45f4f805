//! Where members are written to: stdout, or a file that is there once all of it is written.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};

use crate::{commands::members_file::Packing, types::private_file};

/// Something to write to, which may be packed.
pub(super) struct Output {
    packed: Packed,
    /// Under which name the file is written, and under which it is kept.
    names: Option<(PathBuf, PathBuf)>,
}

enum Packed {
    None(Sink),
    Gzip(GzEncoder<Sink>),
    Zstd(zstd::stream::write::Encoder<'static, Sink>),
}

type Sink = BufWriter<Box<dyn Write>>;

impl Output {
    /// Opens a file, or stdout.
    pub(super) fn open(file: Option<&Path>, packing: Packing) -> io::Result<Self> {
        let (output, names): (Box<dyn Write>, _) = match file {
            None => (Box::new(io::stdout()), None),
            // A pipe or a device is written to as it is.
            Some(file) if file.metadata().is_ok_and(|metadata| !metadata.is_file()) => {
                (Box::new(File::options().write(true).open(file)?), None)
            }
            Some(file) => {
                let mut part = file.as_os_str().to_owned();
                part.push(".part");
                let part = PathBuf::from(part);
                // A run that was killed left this file, perhaps with another mode.
                match fs::remove_file(&part) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
                (Box::new(private_file().create_new(true).open(&part)?), Some((part, file.to_owned())))
            }
        };
        let sink = BufWriter::with_capacity(128 << 10, output);
        let packed = match packing {
            Packing::None => Packed::None(sink),
            Packing::Gzip => Packed::Gzip(GzEncoder::new(sink, Compression::default())),
            Packing::Zstd => Packed::Zstd(zstd::stream::write::Encoder::new(sink, zstd::DEFAULT_COMPRESSION_LEVEL)?),
        };
        Ok(Self { packed, names })
    }

    /// Ends the file, and gives it its name.
    pub(super) fn finish(mut self) -> io::Result<()> {
        match &mut self.packed {
            Packed::None(sink) => sink.flush()?,
            Packed::Gzip(encoder) => {
                encoder.try_finish()?;
                encoder.get_mut().flush()?;
            }
            Packed::Zstd(encoder) => {
                encoder.do_finish()?;
                encoder.get_mut().flush()?;
            }
        }
        match self.names.take() {
            Some((part, file)) => fs::rename(part, file),
            None => Ok(()),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.packed {
            Packed::None(sink) => sink.write(bytes),
            Packed::Gzip(encoder) => encoder.write(bytes),
            Packed::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.packed {
            Packed::None(sink) => sink.flush(),
            Packed::Gzip(encoder) => encoder.flush(),
            Packed::Zstd(encoder) => encoder.flush(),
        }
    }
}

/// What was not finished is no file of members.
impl Drop for Output {
    fn drop(&mut self) {
        if let Some((part, _)) = &self.names {
            let _ = fs::remove_file(part);
        }
    }
}
