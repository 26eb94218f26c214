//! The pools of an appliance, in memory.

pub(crate) mod dataset;
pub(crate) mod disk;
pub(crate) mod names;
pub(crate) mod object;
pub(crate) mod paths;
pub(crate) mod properties;
pub(crate) mod space;
pub(crate) mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use dataset::{Dataset, Properties, Snapshot, Source, Value};
use disk::{Content, Disk};
pub(crate) use tree::Tree;

/// The block size of file systems and of volumes where nothing else is said.
pub(crate) const RECORD: u64 = 128 << 10;
const VOLUME_BLOCK: u64 = 16 << 10;

/// One pool.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) size: u64,
    pub(crate) guid: u64,
    pub(crate) health: &'static str,
    pub(crate) properties: BTreeMap<String, String>,
    /// As they were named when it was made.
    pub(crate) devices: Vec<String>,
    /// When the last scrub ended, in seconds since 1970.
    pub(crate) scrubbed: Option<i64>,
}

/// Everything on one appliance.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) pools: BTreeMap<String, Pool>,
    pub(crate) datasets: BTreeMap<String, Dataset>,
    /// What lies in no dataset.
    pub(crate) own: Tree,
    pub(crate) disks: Vec<Disk>,
    txg: u64,
    ids: u64,
}

impl Default for State {
    /// A machine with its system on its first disk, and no pool.
    fn default() -> Self {
        let mut own = Tree::new(RECORD);
        let usual =
            ["root", "home", "tmp", "etc", "mnt", "opt", "srv", "var/lib", "var/tmp", "usr/bin", "run"];
        usual.iter().for_each(|path| own.make_directory(path));
        let (pools, datasets) = (BTreeMap::new(), BTreeMap::new());
        let mut state = Self { pools, datasets, own, disks: Vec::new(), txg: 0, ids: 0 };
        state.add_disk("", 16 << 30, Content::System);
        state
    }
}

/// What a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    Dataset(&'a str),
    Snapshot(&'a str, &'a str),
    Bookmark(&'a str, &'a str),
}

impl<'a> Target<'a> {
    pub(crate) fn parse(name: &'a str) -> Self {
        match (name.split_once('@'), name.split_once('#')) {
            (Some((dataset, tag)), _) => Self::Snapshot(dataset, tag),
            (_, Some((dataset, tag))) => Self::Bookmark(dataset, tag),
            _ => Self::Dataset(name),
        }
    }

    pub(crate) fn dataset(self) -> &'a str {
        match self {
            Self::Dataset(name) | Self::Snapshot(name, _) | Self::Bookmark(name, _) => name,
        }
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

pub(crate) fn parent(name: &str) -> Option<&str> {
    name.rsplit_once('/').map(|(above, _)| above)
}

pub(crate) fn pool_of(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

impl State {
    /// A new transaction group.
    pub(crate) fn next_txg(&mut self) -> u64 {
        self.txg += 1;
        self.txg
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// A pool of that size on a disk of its own.
    pub(crate) fn add_pool_with_disk(&mut self, name: &str, size: u64) {
        let serial = format!("6000c29{:025x}", u128::from(guid()) << 36 | u128::from(guid() >> 28));
        let disk = self.add_disk(&serial, size, Content::Blank);
        self.add_pool(name, size, &format!("/dev/{disk}"));
        let guid = self.pools.get(name).map_or(0, |pool| pool.guid);
        if let Some(disk) = self.disk_mut(&disk) {
            disk.content = Content::Pool { name: name.to_owned(), guid };
        }
    }

    pub(crate) fn add_pool(&mut self, name: &str, size: u64, device: &str) {
        let pool = Pool {
            size,
            guid: guid(),
            health: "ONLINE",
            properties: BTreeMap::new(),
            devices: vec![device.to_owned()],
            scrubbed: None,
        };
        self.pools.insert(name.to_owned(), pool);
        let root = self.new_dataset(None, None);
        self.datasets.insert(name.to_owned(), Dataset { mounted: true, ..root });
    }

    /// A dataset that is not in the list yet.
    pub(crate) fn new_dataset(&mut self, volsize: Option<u64>, block_size: Option<u64>) -> Dataset {
        let txg = self.next_txg();
        let default = if volsize.is_some() { VOLUME_BLOCK } else { RECORD };
        let mut tree = Tree::new(block_size.unwrap_or(default));
        if let Some(size) = volsize {
            tree.place_volume(size);
        }
        Dataset {
            guid: guid(),
            createtxg: txg,
            creation: now(),
            volsize,
            properties: Properties::new(),
            head: Arc::new(tree),
            changed: txg,
            snapshots: Vec::new(),
            bookmarks: BTreeMap::new(),
            origin: None,
            mounted: false,
            unshared: false,
            encryption: None,
            partial: None,
            receiving: false,
        }
    }

    /// Whether there is a dataset, snapshot or bookmark of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        let target = Target::parse(name);
        self.datasets.get(target.dataset()).is_some_and(|dataset| match target {
            Target::Dataset(_) => true,
            Target::Snapshot(_, tag) => dataset.snapshot(tag).is_some(),
            Target::Bookmark(_, tag) => dataset.bookmarks.contains_key(tag),
        })
    }

    /// The direct children of a dataset, in order.
    pub(crate) fn children(&self, name: &str) -> Vec<String> {
        let below = format!("{name}/");
        let is_child = |other: &&String| other.strip_prefix(&below).is_some_and(|rest| !rest.contains('/'));
        self.datasets.keys().filter(is_child).cloned().collect()
    }

    /// A dataset and everything below it, each before what is below it.
    pub(crate) fn tree_of(&self, name: &str) -> Vec<String> {
        let mut all = vec![name.to_owned()];
        for child in self.children(name) {
            all.extend(self.tree_of(&child));
        }
        all
    }

    /// The snapshot with that id, and the dataset it is in.
    pub(crate) fn snapshot_by_id(&self, id: u64) -> Option<(&str, &Snapshot)> {
        self.datasets.iter().find_map(|(name, dataset)| {
            let found = dataset.snapshots.iter().find(|snapshot| snapshot.id == id)?;
            Some((name.as_str(), found))
        })
    }

    /// The datasets cloned from a snapshot, and the hidden one of a receive that builds on it.
    pub(crate) fn clones(&self, id: u64) -> Vec<String> {
        let mut clones = Vec::new();
        for (name, dataset) in &self.datasets {
            if dataset.origin == Some(id) {
                clones.push(name.clone());
            }
            if dataset.partial.as_ref().is_some_and(|partial| partial.base == Some(id)) {
                clones.push(format!("{name}/%recv"));
            }
        }
        clones
    }

    /// Takes a snapshot in this transaction group.
    pub(crate) fn snapshot_in(&mut self, dataset: &str, tag: &str, txg: u64, properties: Properties) {
        let id = self.next_id();
        if let Some(dataset) = self.datasets.get_mut(dataset) {
            let (tree, guid, ivset) = (Arc::clone(&dataset.head), guid(), guid());
            let (tag, holds) = (tag.to_owned(), BTreeMap::new());
            let creation = now();
            let snapshot =
                Snapshot { id, guid, tag, createtxg: txg, creation, tree, properties, holds, ivset };
            dataset.snapshots.push(snapshot);
        }
    }
}

/// A new GUID, never 0.
pub(crate) fn guid() -> u64 {
    rand::random::<u64>().max(1)
}
