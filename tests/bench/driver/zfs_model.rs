//! What a host of the benchmark's own `zfs` has, in one file of JSON.
//!
//! Streams have real bytes: block `n` of a snapshot follows from its seed, so anybody can tell what must arrive.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// Bytes come and are kept in blocks, like the records of a stream.
pub const BLOCK: u64 = 64 << 10;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Model {
    pub datasets: BTreeMap<String, Dataset>,
    pub txg: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Dataset {
    pub guid: u64,
    pub txg: u64,
    pub creation: u64,
    pub properties: BTreeMap<String, String>,
    pub snapshots: Vec<Snapshot>,
    pub bookmarks: Vec<Bookmark>,
    pub partial: Option<Partial>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot {
    pub tag: String,
    pub guid: u64,
    pub txg: u64,
    pub creation: u64,
    pub size: u64,
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    #[serde(default)]
    pub holds: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bookmark {
    pub tag: String,
    pub guid: u64,
    pub txg: u64,
    pub creation: u64,
}

/// A receive under way, or one that broke off.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Partial {
    pub head: Head,
    pub file: PathBuf,
}

/// What a stream says of itself before its bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Head {
    pub snapshot: Snapshot,
    pub to_name: String,
    pub from: Option<u64>,
    pub offset: u64,
}

/// Looks at a host's model, or changes it; one process at a time.
pub fn with<T>(home: &Path, work: impl FnOnce(&mut Model) -> T) -> T {
    let lock = File::options().create(true).append(true).open(home.join("lock")).unwrap();
    lock.lock().unwrap();
    let file = home.join("state.json");
    let before = fs::read(&file).unwrap_or_default();
    let mut model =
        if before.is_empty() { Model::default() } else { serde_json::from_slice(&before).unwrap() };
    let done = work(&mut model);
    let after = serde_json::to_vec(&model).unwrap();
    if after != before {
        let next = home.join("state.new");
        fs::write(&next, after).unwrap();
        fs::rename(next, file).unwrap();
    }
    done
}

/// A pool with `data` in it at the source, nothing but the pool at the destination.
pub fn prepare(home: &Path, with_data: bool, size: u64) {
    fs::write(home.join("size"), size.to_string()).unwrap();
    with(home, |model| {
        model.add("tank");
        if with_data {
            model.add("tank/data");
        }
    });
}

/// How large the next snapshots will be.
pub fn next_size(home: &Path) -> u64 {
    fs::read_to_string(home.join("size")).ok().and_then(|text| text.parse().ok()).unwrap_or(1 << 20)
}

impl Model {
    pub fn add(&mut self, name: &str) -> &mut Dataset {
        self.txg += 1;
        let new = Dataset { guid: new_guid(), txg: self.txg, creation: now(), ..Dataset::default() };
        self.datasets.entry(name.to_owned()).or_insert(new)
    }

    pub fn snapshot(&mut self, full: &str) -> Option<&mut Snapshot> {
        let (dataset, tag) = full.split_once('@')?;
        self.datasets.get_mut(dataset)?.snapshots.iter_mut().find(|snapshot| snapshot.tag == tag)
    }
}

impl Partial {
    /// Whole blocks that are there.
    pub fn bytes(&self) -> u64 {
        fs::metadata(&self.file).map_or(0, |file| file.len() / BLOCK * BLOCK)
    }

    /// Four hexadecimal numbers, as real ones have; the last one says it all.
    pub fn token(&self) -> String {
        let mut head = self.head.clone();
        head.offset = self.bytes();
        let text = serde_json::to_vec(&head).unwrap();
        let hex: String = text.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("1-{:x}-{:x}-{hex}", head.snapshot.guid & 0xffff_ffff, text.len())
    }
}

pub fn read_token(token: &str) -> Option<Head> {
    let hex = token.rsplit('-').next()?;
    let bytes: Option<Vec<u8>> =
        (0..hex.len() / 2).map(|at| u8::from_str_radix(hex.get(at * 2..at * 2 + 2)?, 16).ok()).collect();
    serde_json::from_slice(&bytes?).ok()
}

/// The bytes of a snapshot, block by block.
pub struct Payload {
    block: Vec<u8>,
    size: u64,
    at: u64,
}

impl Payload {
    pub fn of(snapshot: &Snapshot, from: u64) -> Self {
        Self { block: Random(snapshot.guid).bytes(BLOCK as usize), size: snapshot.size, at: from }
    }

    pub fn next(&mut self) -> Option<&[u8]> {
        let left = self.size.checked_sub(self.at).filter(|left| *left > 0)?;
        self.block[..8].copy_from_slice(&self.at.to_le_bytes());
        let count = left.min(BLOCK);
        self.at += count;
        Some(&self.block[..count as usize])
    }
}

pub fn new_guid() -> u64 {
    let nanos = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    Random(nanos ^ (u64::from(std::process::id()) << 40)).next() >> 1
}

pub fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}
