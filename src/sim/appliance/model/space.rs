//! How much room things take.

use std::collections::HashSet;
use std::sync::Arc;

use super::{State, Tree, pool_of};
use crate::sim::appliance::model::dataset::{Dataset, Snapshot};

/// What a file system takes beside its blocks, and a volume.
const FILESYSTEM: u64 = 24 << 10;
const VOLUME: u64 = 12 << 10;
/// What a change takes beside its blocks: the tree above them is written anew.
const CHANGE: u64 = 8 << 10;
/// What a pool keeps back.
const SLOP: u64 = 32;

impl State {
    fn overhead(dataset: &Dataset) -> u64 {
        if dataset.is_volume() { VOLUME } else { FILESYSTEM }
    }

    /// Bytes that a tree of this dataset refers to.
    pub(crate) fn referenced(dataset: &Dataset, tree: &Tree) -> u64 {
        Self::overhead(dataset) + tree.size()
    }

    /// Bytes that only this dataset and its snapshots hold.
    fn own(&self, dataset: &Dataset) -> u64 {
        let origin = dataset
            .origin
            .and_then(|id| self.snapshot_by_id(id))
            .map_or(0, |(_, snapshot)| snapshot.createtxg);
        let mut seen = HashSet::new();
        let partial = dataset.partial.iter().map(|partial| &partial.tree);
        let trees =
            dataset.snapshots.iter().map(|snapshot| &*snapshot.tree).chain([&*dataset.head]).chain(partial);
        let mut sum = if dataset.origin.is_some() { 0 } else { Self::overhead(dataset) };
        for tree in trees {
            for (_, _, block) in tree.blocks() {
                if block.birth > origin && seen.insert(Arc::as_ptr(block)) {
                    sum += block.bytes.len() as u64;
                }
            }
        }
        sum
    }

    /// Bytes of a dataset and all below it.
    pub(crate) fn used(&self, name: &str) -> u64 {
        self.tree_of(name)
            .iter()
            .filter_map(|name| self.datasets.get(name))
            .map(|dataset| self.own(dataset))
            .sum()
    }

    /// Bytes that would be free if this snapshot were destroyed.
    pub(crate) fn snapshot_used(dataset: &Dataset, snapshot: &Snapshot) -> u64 {
        let at = dataset.snapshots.iter().position(|other| other.id == snapshot.id).unwrap_or(0);
        let before = at.checked_sub(1).and_then(|at| dataset.snapshots.get(at)).map(|other| &other.tree);
        let after = dataset.snapshots.get(at + 1).map_or(&dataset.head, |other| &other.tree);
        if Arc::ptr_eq(after, &snapshot.tree) {
            return 0;
        }
        let elsewhere: HashSet<_> = after
            .blocks()
            .chain(before.into_iter().flat_map(|tree| tree.blocks()))
            .map(|(_, _, block)| Arc::as_ptr(block))
            .collect();
        let own = |block: &Arc<super::tree::Block>| !elsewhere.contains(&Arc::as_ptr(block));
        snapshot
            .tree
            .blocks()
            .filter(|(_, _, block)| own(block))
            .map(|(_, _, block)| block.bytes.len() as u64)
            .sum()
    }

    /// Bytes written to `tree` after the transaction group `since`.
    pub(crate) fn written(tree: &Tree, since: u64, changed: bool) -> u64 {
        let blocks: u64 = tree
            .blocks()
            .filter(|(_, _, block)| block.birth > since)
            .map(|(_, _, block)| block.bytes.len() as u64)
            .sum();
        if changed { blocks + CHANGE } else { blocks }
    }

    pub(crate) fn pool_size(&self, pool: &str) -> u64 {
        self.pools.get(pool).map_or(0, |pool| pool.size)
    }

    pub(crate) fn allocated(&self, pool: &str) -> u64 {
        self.used(pool)
    }

    /// Room for more in a dataset: what the pool and every quota above allow.
    pub(crate) fn available(&self, name: &str) -> u64 {
        self.room(name).0
    }

    /// The room, and whether a quota is what bounds it.
    pub(crate) fn room(&self, name: &str) -> (u64, bool) {
        let pool = pool_of(name);
        let size = self.pool_size(pool);
        let mut reserved = 0;
        for (other, dataset) in &self.datasets {
            let below = pool_of(other) == pool && !name.starts_with(other.as_str());
            if let Some(value) = dataset.properties.get("reservation").filter(|_| below) {
                let wanted = super::properties::bytes(&value.text).unwrap_or(0);
                reserved += wanted.saturating_sub(self.used(other));
            }
        }
        let used = self.used(pool) + reserved;
        let mut room = (size - size / SLOP).saturating_sub(used);
        let (mut at, mut bounded) = (Some(name), false);
        while let Some(dataset) = at {
            for property in ["quota", "refquota"] {
                let value = self.datasets.get(dataset).and_then(|found| found.properties.get(property));
                if let Some(quota) =
                    value.and_then(|value| super::properties::bytes(&value.text)).filter(|q| *q > 0)
                {
                    let left = quota.saturating_sub(self.used(dataset));
                    if left < room {
                        (room, bounded) = (left, true);
                    }
                }
            }
            at = super::parent(dataset);
        }
        (room, bounded)
    }
}
