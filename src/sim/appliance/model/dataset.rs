//! Datasets, snapshots, bookmarks, and what an interrupted receive leaves.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::tree::{Key, Tree};
use crate::sim::appliance::stream::Begin;

/// Where a property's value comes from, when it is kept with the dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Local,
    Received,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) text: String,
    pub(crate) source: Source,
}

pub(crate) type Properties = BTreeMap<String, Value>;

/// The encryption of a dataset.
#[derive(Debug, Clone)]
pub(crate) struct Encryption {
    /// The dataset whose passphrase opens it.
    pub(crate) root: String,
    /// The master key, hidden under the passphrase.
    pub(crate) wrapped: u64,
    /// What shows whether the right passphrase was given.
    pub(crate) check: u64,
    /// The master key while it is loaded.
    pub(crate) loaded: Key,
}

#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// The same under every name it ever has.
    pub(crate) id: u64,
    pub(crate) guid: u64,
    pub(crate) tag: String,
    pub(crate) createtxg: u64,
    pub(crate) creation: i64,
    pub(crate) tree: Arc<Tree>,
    pub(crate) properties: Properties,
    pub(crate) holds: BTreeMap<String, i64>,
    /// Ties raw increments together.
    pub(crate) ivset: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Bookmark {
    pub(crate) guid: u64,
    pub(crate) createtxg: u64,
    pub(crate) creation: i64,
    pub(crate) referenced: u64,
    pub(crate) ivset: u64,
}

/// What `receive -s` keeps of a stream that broke off.
#[derive(Debug, Clone)]
pub(crate) struct Partial {
    pub(crate) begin: Begin,
    pub(crate) tree: Tree,
    /// The last block that arrived: object and offset in it.
    pub(crate) reached: (u64, u64),
    pub(crate) bytes: u64,
    /// The snapshot it builds on; none for a first receive.
    pub(crate) base: Option<u64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Dataset {
    pub(crate) guid: u64,
    pub(crate) createtxg: u64,
    pub(crate) creation: i64,
    /// The size of a volume; none: it is a file system.
    pub(crate) volsize: Option<u64>,
    pub(crate) properties: Properties,
    pub(crate) head: Arc<Tree>,
    /// When something in it was written last.
    pub(crate) changed: u64,
    /// Oldest first.
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) bookmarks: BTreeMap<String, Bookmark>,
    /// The snapshot it was cloned from.
    pub(crate) origin: Option<u64>,
    pub(crate) mounted: bool,
    /// Taken out of the exports by `zfs unshare`, whatever its properties say.
    pub(crate) unshared: bool,
    pub(crate) encryption: Option<Encryption>,
    pub(crate) partial: Option<Partial>,
    /// A receive is at work on it.
    pub(crate) receiving: bool,
}

impl Dataset {
    pub(crate) fn is_volume(&self) -> bool {
        self.volsize.is_some()
    }

    /// The key with which its blocks are read; none where it is not encrypted.
    pub(crate) fn key(&self) -> Key {
        self.encryption.as_ref().and_then(|encryption| encryption.loaded)
    }

    /// Whether it is encrypted and its key is not loaded.
    pub(crate) fn is_locked(&self) -> bool {
        self.encryption.as_ref().is_some_and(|encryption| encryption.loaded.is_none())
    }

    pub(crate) fn snapshot(&self, tag: &str) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| snapshot.tag == tag)
    }

    pub(crate) fn snapshot_mut(&mut self, tag: &str) -> Option<&mut Snapshot> {
        self.snapshots.iter_mut().find(|snapshot| snapshot.tag == tag)
    }

    /// Whether something was written after the snapshot of that transaction group.
    pub(crate) fn changed_since(&self, createtxg: u64) -> bool {
        self.changed > createtxg
    }

    /// Whether it stands only for a first receive that has not finished.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.snapshots.is_empty() && self.partial.as_ref().is_some_and(|partial| partial.base.is_none())
    }
}
