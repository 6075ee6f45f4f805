//! Expands compressed request bodies, a small piece at a time, so that a few bytes that stand for gigabytes are expanded
//! no further than to their limit.

use std::{
    io::{self, Write},
    mem,
};

use brotli::{BrotliDecompressStream, BrotliResult, BrotliState, enc::StandardAlloc};
use flate2::write::MultiGzDecoder;
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

use super::coding::Coding;

/// Size of a piece. gzip exceeds it by up to as much.
const PIECE_BYTES: usize = 32 << 10;

/// The largest window of a zstd stream, 8 MiB, which every client keeps to (RFC 9659). The library's own limit is 128 MiB.
const MAX_ZSTD_WINDOW_LOG: u32 = 23;

/// Expands one body.
pub(super) struct Expander {
    decoder: Decoder,
    piece: Vec<u8>,
    /// True at the end of a zstd frame, or of a Brotli stream.
    has_ended: bool,
}

enum Decoder {
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
    Zstd(ZstdDecoder<'static>),
}

impl Expander {
    pub(super) fn new(coding: Coding) -> io::Result<Self> {
        let decoder = match coding {
            Coding::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            Coding::Brotli => {
                let [first, second, third] = [(); 3].map(|()| StandardAlloc::default());
                // Strict: windows of at most 16 MiB (RFC 7932), without the extension to 1 GiB.
                Decoder::Brotli(Box::new(BrotliState::new_strict(first, second, third)))
            }
            Coding::Zstd => {
                let mut decoder = ZstdDecoder::new()?;
                decoder.set_parameter(DParameter::WindowLogMax(MAX_ZSTD_WINDOW_LOG))?;
                Decoder::Zstd(decoder)
            }
        };
        Ok(Self { decoder, piece: Vec::new(), has_ended: false })
    }

    /// Expands the next piece of the input, which then starts with what is left. Returns `None` if more input is needed. A
    /// body may consist of several gzip members or zstd frames (RFC 1952, RFC 8878), but not of several Brotli streams.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> io::Result<Option<&[u8]>> {
        let is_full = self.piece.len() >= PIECE_BYTES;
        self.piece.clear();
        // After a full piece there may be more of the same input. An ended decoder would begin the next frame.
        if input.is_empty() && (!is_full || self.has_ended) {
            return Ok(None);
        }
        match &mut self.decoder {
            Decoder::Gzip(decoder) => {
                let read = decoder.write(input)?;
                mem::swap(decoder.get_mut(), &mut self.piece);
                *input = &input[read..];
            }
            Decoder::Brotli(state) => {
                if self.has_ended {
                    return Err(io::Error::other("there is data after its end"));
                }
                self.piece.resize(PIECE_BYTES, 0);
                let (mut read, mut written) = (0, 0);
                let result = BrotliDecompressStream(
                    &mut input.len(),
                    &mut read,
                    input,
                    &mut self.piece.len(),
                    &mut written,
                    &mut self.piece,
                    &mut 0,
                    state,
                );
                self.piece.truncate(written);
                *input = &input[read..];
                self.has_ended = match result {
                    BrotliResult::ResultSuccess => true,
                    BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => false,
                    BrotliResult::ResultFailure => return Err(io::Error::other("corrupt stream")),
                };
            }
            Decoder::Zstd(decoder) => {
                self.piece.reserve_exact(PIECE_BYTES);
                let mut source = InBuffer::around(input);
                let missing = decoder.run(&mut source, &mut OutBuffer::around(&mut self.piece))?;
                let read = source.pos();
                *input = &input[read..];
                self.has_ended = missing == 0;
            }
        }
        Ok(Some(&self.piece))
    }

    /// Returns the last piece. Fails if the body is incomplete.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self.decoder {
            Decoder::Gzip(decoder) => decoder.finish(),
            Decoder::Brotli(_) | Decoder::Zstd(_) if self.has_ended => Ok(Vec::new()),
            Decoder::Brotli(_) | Decoder::Zstd(_) => Err(io::Error::other("it is incomplete")),
        }
    }
}
