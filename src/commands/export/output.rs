//! The output of an export: stdout, or a file that appears under its name when it is complete.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};

use crate::{members_file::Packing, types::private_file};

/// An output stream, compressed or not.
pub(super) struct Output {
    encoder: Encoder,
    /// Temporary and final path of the file.
    paths: Option<(PathBuf, PathBuf)>,
}

enum Encoder {
    None(Sink),
    Gzip(GzEncoder<Sink>),
    Zstd(zstd::stream::write::Encoder<'static, Sink>),
}

type Sink = BufWriter<Box<dyn Write>>;

impl Output {
    /// Opens a file, or stdout.
    pub(super) fn open(file: Option<&Path>, packing: Packing) -> io::Result<Self> {
        let (output, paths): (Box<dyn Write>, _) = match file {
            None => (Box::new(io::stdout()), None),
            // A pipe or a device can't be replaced by renaming.
            Some(file) if file.metadata().is_ok_and(|metadata| !metadata.is_file()) => {
                (Box::new(File::options().write(true).open(file)?), None)
            }
            Some(file) => {
                let mut part = file.as_os_str().to_owned();
                part.push(".part");
                let part = PathBuf::from(part);
                // A run that was killed may have left this file, perhaps with another mode.
                match fs::remove_file(&part) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
                (Box::new(private_file().create_new(true).open(&part)?), Some((part, file.to_owned())))
            }
        };
        let sink = BufWriter::with_capacity(128 << 10, output);
        let encoder = match packing {
            Packing::None => Encoder::None(sink),
            Packing::Gzip => Encoder::Gzip(GzEncoder::new(sink, Compression::default())),
            Packing::Zstd => Encoder::Zstd(zstd::stream::write::Encoder::new(sink, zstd::DEFAULT_COMPRESSION_LEVEL)?),
        };
        Ok(Self { encoder, paths })
    }

    /// Returns true if nothing of an output that is dropped remains.
    pub(super) fn is_temporary(&self) -> bool {
        self.paths.is_some()
    }

    /// Completes the file and renames it to its final path.
    pub(super) fn finish(mut self) -> io::Result<()> {
        match &mut self.encoder {
            Encoder::None(sink) => sink.flush()?,
            Encoder::Gzip(encoder) => {
                encoder.try_finish()?;
                encoder.get_mut().flush()?;
            }
            Encoder::Zstd(encoder) => {
                encoder.do_finish()?;
                encoder.get_mut().flush()?;
            }
        }
        match self.paths.take() {
            Some((part, file)) => fs::rename(part, file),
            None => Ok(()),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.encoder {
            Encoder::None(sink) => sink.write(bytes),
            Encoder::Gzip(encoder) => encoder.write(bytes),
            Encoder::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.encoder {
            Encoder::None(sink) => sink.flush(),
            Encoder::Gzip(encoder) => encoder.flush(),
            Encoder::Zstd(encoder) => encoder.flush(),
        }
    }
}

/// Deletes the temporary file of an output that was not finished.
impl Drop for Output {
    fn drop(&mut self) {
        if let Some((part, _)) = &self.paths {
            let _ = fs::remove_file(part);
        }
    }
}
