//! Opens the file as a stream of text: decompressed, without a byte order mark, and with a counter of the bytes read.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Chain, Cursor, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::bufread::MultiGzDecoder;

use crate::commands::members_file::Packing;

const BUFFER: usize = 128 << 10;

/// No file needs more bytes to be recognized.
const LONGEST_SIGNATURE: usize = 16;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file to be read once, from its begin to its end. Its buffer first holds enough of it to recognize what it is.
pub(super) type Source = BufReader<Chain<Cursor<Vec<u8>>, Box<dyn Read + Send>>>;

/// Opens a file, or stdin by the name `-`. Also returns its size, if it has one; `read` counts its bytes as they are
/// on the disk.
pub(super) fn open(file: &Path, packing: Packing, read: Arc<AtomicU64>) -> io::Result<(Source, Option<u64>)> {
    let (input, size): (Box<dyn Read + Send>, _) = if file == Path::new("-") {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(file)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        (Box::new(file), metadata.is_file().then_some(metadata.len()))
    };
    Ok((unpacked(Counted { input, read }, packing)?, size))
}

fn unpacked(input: impl Read + Send + 'static, packing: Packing) -> io::Result<Source> {
    let mut input = BufReader::with_capacity(BUFFER, input);
    if packing != Packing::None && input.fill_buf()?.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is empty, as no packed file is"));
    }
    let mut text: Box<dyn Read + Send> = match packing {
        Packing::None => Box::new(input),
        Packing::Gzip => Box::new(MultiGzDecoder::new(input)),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(input)?),
    };
    let mut begin = begin(&mut text)?;
    if begin.starts_with(BYTE_ORDER_MARK) {
        begin.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(BufReader::with_capacity(BUFFER, Cursor::new(begin).chain(text)))
}

/// Reads enough to recognize the file, and no more than there is: stdin may be somebody who types.
fn begin(text: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut begin = vec![0; BUFFER];
    let mut length = 0;
    while length < LONGEST_SIGNATURE && !begin[..length].contains(&b'\n') {
        match text.read(&mut begin[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    begin.truncate(length);
    Ok(begin)
}

/// Counts the bytes.
struct Counted<R> {
    input: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn text(packed: Vec<u8>, packing: Packing) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        unpacked(Cursor::new(packed), packing)?.read_to_end(&mut text)?;
        Ok(text)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("in memory");
        encoder.finish().expect("in memory")
    }

    #[test]
    fn files_of_several_parts_are_read_whole() {
        let parts = [gzip(b"ann\n"), gzip(b"ben\n")].concat();
        assert_eq!(text(parts, Packing::Gzip).expect("whole"), b"ann\nben\n");
        let part = |text: &[u8]| zstd::encode_all(text, 0).expect("in memory");
        let parts = [part(b"ann\n"), part(b"ben\n")].concat();
        assert_eq!(text(parts, Packing::Zstd).expect("whole"), b"ann\nben\n");
    }

    #[test]
    fn a_packed_file_that_is_cut_is_no_file_wherever_it_is_cut() {
        let lines: String = (0..1000).map(|number| format!("ref-{number}\n")).collect();
        let zstd = zstd::encode_all(lines.as_bytes(), 0).expect("in memory");
        for (packed, packing) in [(gzip(lines.as_bytes()), Packing::Gzip), (zstd, Packing::Zstd)] {
            for length in 0..packed.len() {
                text(packed[..length].to_vec(), packing).expect_err("cut");
            }
            assert_eq!(text(packed, packing).expect("whole"), lines.as_bytes());
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_text() {
        assert_eq!(text(b"\xef\xbb\xbfref\n".to_vec(), Packing::None).expect("whole"), b"ref\n");
        for other in ["", "a", "ab", "\u{feff}"] {
            assert_eq!(text(other.into(), Packing::None).expect("whole").len(), other.trim_matches('\u{feff}').len());
        }
    }
}
