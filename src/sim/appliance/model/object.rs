//! What a file is beside its blocks: its kind, who owns it, when it was changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// One block. Never changed once it is written, as on a copy-on-write disk.
#[derive(Debug)]
pub(crate) struct Block {
    /// As it lies on the disk: of an encrypted dataset, encrypted.
    pub(crate) bytes: Bytes,
    /// The transaction group in which it was written.
    pub(crate) birth: u64,
}

/// What stands under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    File,
    Directory,
    /// A symbolic link, with what it says.
    Link(String),
}

/// Owner, mode, times, extended attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meta {
    /// The permission bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds since 1970, and nanoseconds.
    pub(crate) modified: (i64, u32),
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) xattrs: BTreeMap<String, Vec<u8>>,
}

impl Meta {
    /// Of something made now, by root.
    pub(crate) fn new(mode: u32) -> Self {
        Self { mode, uid: 0, gid: 0, modified: this_moment(), xattrs: BTreeMap::new() }
    }
}

/// Seconds since 1970 and nanoseconds, now.
pub(crate) fn this_moment() -> (i64, u32) {
    let now = jiff::Timestamp::now();
    (now.as_second(), u32::try_from(now.subsec_nanosecond()).unwrap_or(0))
}

/// A file, a directory, a link; of a volume, the volume itself.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) kind: Kind,
    pub(crate) length: u64,
    pub(crate) meta: Meta,
    /// By position, in units of the block size; what is not there is zeros.
    pub(crate) blocks: BTreeMap<u64, Arc<Block>>,
}

impl Object {
    pub(crate) fn file() -> Self {
        Self { kind: Kind::File, length: 0, meta: Meta::new(0o644), blocks: BTreeMap::new() }
    }

    pub(crate) fn directory() -> Self {
        Self { kind: Kind::Directory, meta: Meta::new(0o755), ..Self::file() }
    }

    pub(crate) fn link(target: &str) -> Self {
        let length = target.len() as u64;
        Self { kind: Kind::Link(target.to_owned()), length, meta: Meta::new(0o777), ..Self::file() }
    }

    pub(crate) fn is_file(&self) -> bool {
        self.kind == Kind::File
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }

    /// Bytes that its blocks take.
    pub(crate) fn allocated(&self) -> u64 {
        self.blocks.values().map(|block| block.bytes.len() as u64).sum()
    }
}
