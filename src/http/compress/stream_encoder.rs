//! The encoder of a stream of unknown length, which compresses it piece by piece.

use std::io;

use super::encoder::{self, Encoder};
use crate::{
    budget::{Account, Held},
    http::coding::{AcceptedCodings, Coding},
};

pub(in crate::http) struct StreamEncoder {
    encoder: Encoder,
    coding: Coding,
    _memory: Held,
}

impl StreamEncoder {
    /// Returns the encoder of the coding that the client prefers, which holds its memory. `None` if the client prefers no coding,
    /// or there is no memory.
    pub(in crate::http) fn new(accepted: &AcceptedCodings, memory: &Account) -> io::Result<Option<Self>> {
        let Some(coding) = accepted.preferred() else { return Ok(None) };
        let Some(held) = memory.try_hold(encoder::memory(coding)) else { return Ok(None) };
        Ok(Some(Self { encoder: Encoder::new(coding, None)?, coding, _memory: held }))
    }

    pub(in crate::http) fn coding(&self) -> Coding {
        self.coding
    }

    /// Compresses a piece, and returns what can be sent, which may be nothing.
    pub(in crate::http) fn write(&mut self, text: &[u8]) -> io::Result<Vec<u8>> {
        self.encoder.write(text)?;
        Ok(self.encoder.take())
    }

    /// Returns the rest.
    pub(in crate::http) fn finish(self) -> io::Result<Vec<u8>> {
        self.encoder.finish()
    }
}
