//! A body that arrives in pieces, as something that a parser on another thread can read.

use std::io::{self, BufRead, Read};

use bytes::Bytes;
use tokio::sync::mpsc;

/// The pieces of a body. Reading blocks until the next one has come, so it belongs on a thread of its own.
pub(crate) struct Chunks {
    current: Bytes,
    rest: mpsc::Receiver<io::Result<Bytes>>,
}

impl Chunks {
    /// `first`, and then what comes through `rest` until that is closed.
    pub(crate) fn new(first: Bytes, rest: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self { current: first, rest }
    }
}

impl Read for Chunks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let taken = there.len().min(out.len());
        out[..taken].copy_from_slice(&there[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() {
            match self.rest.blocking_recv() {
                Some(next) => self.current = next?,
                None => break,
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, amount: usize) {
        let _ = self.current.split_to(amount.min(self.current.len()));
    }
}
