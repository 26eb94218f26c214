//! The simulator's own send stream: checked records between a beginning and an end, so that a truncated stream is
//! known for one.
//!
//! ```text
//! magic (16 bytes), then records: tag (1), length (4, little endian), payload, checksum (8)
//!   B  beginning of one snapshot, as JSON      N  its names, as JSON
//!   W  object (8), block (8), bytes            E  end of the snapshot
//! ```

use std::collections::BTreeMap;
use std::io::{self, Read};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::model::object::{Kind, Meta};

const MAGIC: &[u8; 16] = b"zerfaux-sim-zfs1";
/// No honest record is longer: names of very many files fit.
const MOST: u32 = 64 << 20;
/// Tag, length and checksum.
const FRAME: u64 = 13;

/// What a snapshot in a stream is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Begin {
    pub(crate) to_guid: u64,
    /// `pool/dataset@tag` at the source.
    pub(crate) to_name: String,
    pub(crate) from_guid: Option<u64>,
    /// Where it belongs below the dataset that is received into: empty, or `/child`.
    pub(crate) below: String,
    pub(crate) creation: i64,
    pub(crate) volsize: Option<u64>,
    pub(crate) block_size: u64,
    /// Of a raw stream: the wrapped key and its check.
    pub(crate) raw: Option<(u64, u64)>,
    pub(crate) ivset: u64,
    pub(crate) from_ivset: u64,
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) large: bool,
    pub(crate) embedded: bool,
    pub(crate) compressed: bool,
    /// The last block that the receiver has.
    pub(crate) resume: Option<(u64, u64)>,
    /// Another snapshot follows in this stream.
    pub(crate) more: bool,
}

/// A name in a snapshot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Name {
    pub(crate) path: String,
    pub(crate) number: u64,
    pub(crate) kind: Kind,
    pub(crate) length: u64,
    pub(crate) meta: Meta,
}

#[derive(Debug)]
pub(crate) enum Record {
    Begin(Box<Begin>),
    Names(Vec<Name>),
    Write { number: u64, index: u64, bytes: Bytes },
    End,
}

/// Why a stream cannot be read on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It is none.
    NotAStream,
    /// It ends too early, or a record is not what was sent.
    Incomplete,
}

/// How many bytes the frame of a record with this payload adds up to.
pub(crate) fn length_of(record: &Record) -> u64 {
    FRAME
        + match record {
            Record::Write { bytes, .. } => 16 + bytes.len() as u64,
            other => encode(other).1.len() as u64,
        }
}

pub(crate) const MAGIC_LENGTH: u64 = MAGIC.len() as u64;

pub(crate) fn write_magic(sink: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    sink(MAGIC)
}

/// Writes one record in one piece.
pub(crate) fn write(record: &Record, sink: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let (tag, payload) = encode(record);
    let mut framed = Vec::with_capacity(payload.len() + 13);
    framed.push(tag);
    // A payload is a block or a list of names: far below 4 GiB.
    framed.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    framed.extend_from_slice(&payload);
    framed.extend_from_slice(&checksum(&payload).to_le_bytes());
    sink(&framed)
}

fn encode(record: &Record) -> (u8, Vec<u8>) {
    // Numbers and texts always become JSON.
    match record {
        Record::Begin(begin) => (b'B', serde_json::to_vec(begin).unwrap_or_default()),
        Record::Names(names) => (b'N', serde_json::to_vec(names).unwrap_or_default()),
        Record::Write { number, index, bytes } => {
            let mut payload = Vec::with_capacity(16 + bytes.len());
            payload.extend_from_slice(&number.to_le_bytes());
            payload.extend_from_slice(&index.to_le_bytes());
            payload.extend_from_slice(bytes);
            (b'W', payload)
        }
        Record::End => (b'E', Vec::new()),
    }
}

pub(crate) fn read_magic(source: &mut dyn Read) -> Result<(), Broken> {
    let mut magic = [0; 16];
    source.read_exact(&mut magic).map_err(|_| Broken::NotAStream)?;
    if &magic == MAGIC { Ok(()) } else { Err(Broken::NotAStream) }
}

/// The next record.
pub(crate) fn read(source: &mut dyn Read) -> Result<Record, Broken> {
    let mut head = [0; 5];
    let mut tail = [0; 8];
    source.read_exact(&mut head).map_err(|_| Broken::Incomplete)?;
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    if length > MOST {
        return Err(Broken::Incomplete);
    }
    let mut payload = vec![0; length as usize];
    source.read_exact(&mut payload).map_err(|_| Broken::Incomplete)?;
    source.read_exact(&mut tail).map_err(|_| Broken::Incomplete)?;
    if u64::from_le_bytes(tail) != checksum(&payload) {
        return Err(Broken::Incomplete);
    }
    decode(head[0], payload).ok_or(Broken::Incomplete)
}

fn decode(tag: u8, payload: Vec<u8>) -> Option<Record> {
    Some(match tag {
        b'B' => Record::Begin(serde_json::from_slice(&payload).ok()?),
        b'N' => Record::Names(serde_json::from_slice(&payload).ok()?),
        b'W' => {
            let number = u64::from_le_bytes(payload.get(..8)?.try_into().ok()?);
            let index = u64::from_le_bytes(payload.get(8..16)?.try_into().ok()?);
            Record::Write { number, index, bytes: Bytes::from(payload).slice(16..) }
        }
        b'E' => Record::End,
        _ => return None,
    })
}

/// A sum that notices changed, lost and swapped bytes (after Fletcher).
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    let (mut a, mut b) = (bytes.len() as u64, 0u64);
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        a = a.wrapping_add(u64::from_le_bytes(word));
        b = b.wrapping_mul(31).wrapping_add(a);
    }
    a ^ b.rotate_left(29)
}

/// Reads from a closure, for streams that are not `Read` themselves.
pub(crate) struct Source<F>(pub(crate) F);

impl<F: FnMut(&mut [u8]) -> io::Result<usize>> Read for Source<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (self.0)(buffer)
    }
}
