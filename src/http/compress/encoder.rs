//! The encoders of the content codings, with one interface.
//!
//! All use level 1. On 8 MiB of members as JSON it gives 20% (zstd), 22% (Brotli) and 27% (gzip) of the size at 410, 155 and
//! 167 MB/s; the usual levels 3, 4 and 6 give 22%, 21% and 24% at 173, 41 and 28 MB/s.

use std::{
    io::{self, Write},
    mem,
};

use brotli::{CompressorWriter, enc::BrotliEncoderParams};
use flate2::{Compression, write::GzEncoder};
use zstd::stream::write::Encoder as ZstdEncoder;

use crate::http::coding::Coding;

/// The window of Brotli, 256 KiB. A larger one takes more memory and time.
const BROTLI_WINDOW_LOG: i32 = 18;

/// Size of Brotli's output buffer.
const BROTLI_BUFFER_BYTES: usize = 4 << 10;

/// Compresses one text into memory.
pub(super) enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
}

/// Returns the memory that an encoder takes for a long text.
pub(super) fn memory(coding: Coding) -> usize {
    match coding {
        Coding::Gzip | Coding::Brotli => 512 << 10,
        Coding::Zstd => 2 << 20,
    }
}

impl Encoder {
    /// Creates the encoder of a text of this length, if it is known.
    pub(super) fn new(coding: Coding, length: Option<usize>) -> io::Result<Self> {
        let output = Vec::new();
        Ok(match coding {
            Coding::Gzip => Self::Gzip(GzEncoder::new(output, Compression::fast())),
            Coding::Brotli => {
                let parameters = BrotliEncoderParams {
                    quality: 1,
                    lgwin: BROTLI_WINDOW_LOG,
                    size_hint: length.unwrap_or_default(),
                    ..BrotliEncoderParams::default()
                };
                Self::Brotli(Box::new(CompressorWriter::with_params(output, BROTLI_BUFFER_BYTES, &parameters)))
            }
            Coding::Zstd => {
                let mut encoder = ZstdEncoder::new(output, 1)?;
                // Tables for a short text are small.
                encoder.set_pledged_src_size(length.and_then(|length| u64::try_from(length).ok()))?;
                Self::Zstd(encoder)
            }
        })
    }

    pub(super) fn write(&mut self, text: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(text),
            Self::Brotli(encoder) => encoder.write_all(text),
            Self::Zstd(encoder) => encoder.write_all(text),
        }
    }

    /// Returns the number of compressed bytes that can be taken.
    pub(super) fn written(&self) -> usize {
        match self {
            Self::Gzip(encoder) => encoder.get_ref().len(),
            Self::Brotli(encoder) => encoder.get_ref().len(),
            Self::Zstd(encoder) => encoder.get_ref().len(),
        }
    }

    /// Takes the bytes that have been compressed so far.
    pub(super) fn take(&mut self) -> Vec<u8> {
        mem::take(match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        })
    }

    /// Returns the rest of the compressed bytes.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget;

    #[test]
    fn encoder_takes_no_more_than_its_memory() {
        let text: Vec<u8> = (0..2_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for coding in Coding::ALL {
            let (_encoder, allocated) = budget::allocated_by(|| {
                let mut encoder = Encoder::new(coding, Some(text.len())).expect("an encoder");
                for slice in text.chunks(64 << 10) {
                    encoder.write(slice).expect("compressed");
                    drop(encoder.take());
                }
                encoder
            });
            let limit = i64::try_from(memory(coding)).expect("small");
            assert!(allocated > limit / 2 && allocated <= limit, "{coding:?}: {allocated} bytes");
        }
    }
}
