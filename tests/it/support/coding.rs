//! Content codings, by name.

use std::io::{Read, Write};

use brotli::{CompressorWriter, Decompressor};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

pub const CODINGS: [&str; 3] = ["zstd", "br", "gzip"];

/// Compresses with a fast level.
pub fn compressed(coding: &str, text: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        "br" => {
            let mut encoder = CompressorWriter::new(Vec::new(), 4096, 1, 22);
            encoder.write_all(text).unwrap();
            encoder.into_inner()
        }
        "zstd" => zstd::encode_all(text, 1).unwrap(),
        _ => text.to_vec(),
    }
}

/// Reverses [`compressed`].
pub fn expanded(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    match coding {
        "gzip" => MultiGzDecoder::new(bytes).read_to_end(&mut text).unwrap(),
        "br" => Decompressor::new(bytes, 4096).read_to_end(&mut text).unwrap(),
        "zstd" => return zstd::decode_all(bytes).unwrap(),
        _ => return bytes.to_vec(),
    };
    text
}
