//! Opens the file as a stream of text: decompressed, in UTF-8, without a byte order mark.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};
use flate2::bufread::MultiGzDecoder;

use super::Packing;

const BUFFER: usize = 128 << 10;

/// The first bytes of packed files.
pub(crate) const GZIP: &[u8] = b"\x1f\x8b";
pub(crate) const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

const MAX_SIGNATURE_BYTES: u64 = 4;

/// The largest window of a received file that is packed with zstd, 8 MiB: that of all levels without `--ultra` and `--long`. It
/// is allocated as soon as the file declares it.
const MAX_WINDOW_LOG: u32 = 23;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file to be read once, from its begin to its end. Its buffer first holds enough of it to recognize what it is.
pub(crate) type Source = BufReader<Chain<Cursor<Vec<u8>>, Box<dyn Read + Send>>>;

/// Opens a file that is received. Its first bytes say how it is packed.
pub(crate) fn receive(input: impl Read + Send + 'static, encoding: Option<&'static Encoding>) -> io::Result<Source> {
    decoded(receive_unpacked(input)?, encoding)
}

/// Opens a text.
pub(crate) fn of_text(text: &str) -> Source {
    let rest: Box<dyn Read + Send> = Box::new(io::empty());
    BufReader::with_capacity(BUFFER, Cursor::new(text.as_bytes().to_vec()).chain(rest))
}

/// Reads the beginning of a text, at most `max_bytes`. Returns it, and the whole text.
pub(crate) fn look_ahead(mut source: Source, max_bytes: usize) -> io::Result<(Vec<u8>, Source)> {
    let mut begin = Vec::new();
    source.by_ref().take(max_bytes as u64).read_to_end(&mut begin)?;
    let rest: Box<dyn Read + Send> = Box::new(source);
    Ok((begin.clone(), BufReader::with_capacity(BUFFER, Cursor::new(begin).chain(rest))))
}

/// Unpacks a file that is received, without decoding its text.
pub(crate) fn receive_unpacked(mut input: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut begin = Vec::new();
    input.by_ref().take(MAX_SIGNATURE_BYTES).read_to_end(&mut begin)?;
    let packing = if begin.starts_with(GZIP) {
        Packing::Gzip
    } else if begin.starts_with(ZSTD) {
        Packing::Zstd
    } else {
        Packing::None
    };
    unpacked(Cursor::new(begin).chain(input), packing)
}

fn unpacked(input: impl Read + Send + 'static, packing: Packing) -> io::Result<Box<dyn Read + Send>> {
    let mut input = BufReader::with_capacity(BUFFER, input);
    if packing != Packing::None && input.fill_buf()?.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is empty, as no packed file is"));
    }
    Ok(match packing {
        Packing::None => Box::new(input),
        Packing::Gzip => Box::new(MultiGzDecoder::new(input)),
        Packing::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
            decoder.window_log_max(MAX_WINDOW_LOG)?;
            Box::new(decoder)
        }
    })
}

fn decoded(mut text: Box<dyn Read + Send>, encoding: Option<&'static Encoding>) -> io::Result<Source> {
    let mut begin = first_line(&mut text)?;
    let encoding = encoding.or_else(|| Encoding::for_bom(&begin).map(|(encoding, _)| encoding));
    if let Some(encoding) = encoding.filter(|encoding| *encoding != UTF_8) {
        let input: Box<dyn Read + Send> = Box::new(Cursor::new(begin).chain(text));
        text = Box::new(Decoded::new(input, encoding));
        begin = first_line(&mut text)?;
    }
    if begin.starts_with(BYTE_ORDER_MARK) {
        begin.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(BufReader::with_capacity(BUFFER, Cursor::new(begin).chain(text)))
}

/// Reads the first line, by which the file is recognized, and what comes with it, but no more: stdin may be somebody who
/// types. Within quotes a line does not end, so that the header of a CSV file is whole.
fn first_line(text: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut begin = vec![0; BUFFER];
    let (mut length, mut is_quoted, mut is_whole) = (0, false, false);
    while length < begin.len() && !is_whole {
        match text.read(&mut begin[length..]) {
            Ok(0) => break,
            Ok(count) => {
                for byte in &begin[length..length + count] {
                    is_quoted ^= *byte == b'"';
                    is_whole |= *byte == b'\n' && !is_quoted;
                }
                length += count;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    begin.truncate(length);
    Ok(begin)
}

/// A text in UTF-8 that is stored in another encoding. What the encoding does not allow is an error.
struct Decoded<R> {
    input: BufReader<R>,
    decoder: Decoder,
    /// Text that was decoded and not read, from `at` on.
    text: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<R: Read> Decoded<R> {
    fn new(input: R, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_with_bom_removal();
        let input = BufReader::with_capacity(BUFFER, input);
        Self { input, decoder, text: Vec::new(), at: 0, ended: false }
    }

    /// Decodes the next piece.
    fn decode(&mut self) -> io::Result<()> {
        self.text.resize(BUFFER, 0);
        let input = self.input.fill_buf()?;
        let last = input.is_empty();
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(input, &mut self.text, last);
        self.input.consume(read);
        (self.at, self.ended) = (0, last && result == DecoderResult::InputEmpty);
        self.text.truncate(written);
        match result {
            DecoderResult::Malformed(..) => {
                let message = format!("it is not in {}", self.decoder.encoding().name());
                Err(io::Error::new(io::ErrorKind::InvalidData, message))
            }
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
        }
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() && !self.ended {
            self.decode()?;
        }
        let count = (self.text.len() - self.at).min(buffer.len());
        buffer[..count].copy_from_slice(&self.text[self.at..self.at + count]);
        self.at += count;
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
        decoded(unpacked(Cursor::new(packed), packing)?, None)?.read_to_end(&mut text)?;
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

    fn text_in(bytes: &[u8], encoding: Option<&'static Encoding>) -> Result<String, String> {
        let mut text = String::new();
        let read = decoded(Box::new(Cursor::new(bytes.to_vec())), encoding);
        match read.and_then(|mut source| source.read_to_string(&mut text)) {
            Ok(_) => Ok(text),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn utf_16_with_a_byte_order_mark_is_read() {
        let lines: String = (0..100_000).map(|number| format!("r\u{e9}f-{number}-\u{1f600}\n")).collect();
        for (mark, bytes) in [([0xff, 0xfe], u16::to_le_bytes as fn(u16) -> [u8; 2]), ([0xfe, 0xff], u16::to_be_bytes)]
        {
            let mut text = mark.to_vec();
            text.extend(lines.encode_utf16().flat_map(bytes));
            assert!(text_in(&text, None).expect("UTF-16") == lines);
            text.pop();
            assert!(text_in(&text, None).expect_err("cut").starts_with("it is not in UTF-16"));
        }
    }

    #[test]
    fn an_encoding_that_is_given_is_used() {
        let windows = Encoding::for_label(b"windows-1252");
        assert_eq!(text_in(b"ref\nJ\xf6rg \x80\n", windows).expect("text"), "ref\nJ\u{f6}rg \u{20ac}\n");
        assert_eq!(text_in("a\u{e9}".as_bytes(), Some(UTF_8)).expect("text"), "a\u{e9}");
        let utf_16 = Encoding::for_label(b"utf-16le");
        assert_eq!(text_in(b"a\0b\0", utf_16).expect("text"), "ab");
    }

    #[test]
    fn received_file_can_not_declare_a_large_window() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("an encoder");
        encoder.long_distance_matching(true).expect("an option");
        encoder.window_log(27).expect("an option");
        encoder.write_all(&vec![b'x'; 1 << 20]).expect("in memory");
        let packed = encoder.finish().expect("in memory");
        let received = receive(Cursor::new(packed), None).and_then(|mut source| source.read_to_end(&mut Vec::new()));
        assert!(received.expect_err("too large").to_string().contains("memory"));
    }

    /// Gives out its text byte by byte.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(1);
            self.0.read(&mut buffer[..count])
        }
    }

    #[test]
    fn the_first_line_is_read_whole_and_nothing_after_it() {
        for (text, expected) in [
            ("ref;plan\nann;a\n", "ref;plan\n"),
            ("ref;\"the\nplan\"\nann;a\n", "ref;\"the\nplan\"\n"),
            ("ref", "ref"),
            ("", ""),
        ] {
            assert_eq!(first_line(&mut Trickle(text.as_bytes())).expect("text"), expected.as_bytes(), "{text:?}");
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
