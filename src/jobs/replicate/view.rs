//! What was seen of both trees, and what of that our own changes make of it.

use std::collections::BTreeSet;

use super::run::Pair;
use crate::domain::dataset::{Bookmark, Encryption, Owner, Snapshot};
use crate::domain::ids::GroupId;
use crate::domain::names::{DatasetName, SnapshotName};
use crate::plan::replication::{Stream, arriving};
use crate::zfs::Signs;

/// Both trees at one moment, parents first.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) group: GroupId,
    pub(super) pairs: Vec<Pair>,
    /// What this run has put the group's hold on.
    pub(super) held: Held,
    /// Source datasets of which a stream has arrived since the destination was looked at.
    pub(super) sent: BTreeSet<DatasetName>,
    /// What the source showed of itself right before it was listed, in a run that takes no snapshot.
    pub(super) signs: Option<Signs>,
}

/// Snapshots that bear the group's hold, because this run has just put it on them.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    pub(super) source: BTreeSet<SnapshotName>,
    pub(super) destination: BTreeSet<SnapshotName>,
}

impl View {
    /// The pair of that source dataset.
    pub(super) fn pair(&self, source: &DatasetName) -> Option<&Pair> {
        self.pairs.iter().find(|pair| &pair.source.name == source)
    }

    fn pair_mut(&mut self, source: &DatasetName) -> Option<&mut Pair> {
        self.pairs.iter_mut().find(|pair| &pair.source.name == source)
    }

    /// A snapshot was taken at the source.
    pub(super) fn taken(&mut self, dataset: &DatasetName, snapshot: Snapshot) {
        let Some(pair) = self.pair_mut(dataset) else { return };
        pair.source.snapshots.retain(|other| other.guid != snapshot.guid);
        pair.source.snapshots.push(snapshot);
        pair.source.snapshots.sort_by_key(|snapshot| (snapshot.createtxg, snapshot.created_at));
        pair.source.written = 0;
    }

    /// A snapshot of the source was bookmarked under its own name.
    pub(super) fn bookmarked(&mut self, name: &SnapshotName) {
        let Some(pair) = self.pair_mut(name.dataset()) else { return };
        let source = &mut pair.source;
        let Some(snapshot) = source.snapshot_by_tag(name.tag()) else { return };
        let Snapshot { tag, guid, createtxg, created_at, .. } = snapshot.clone();
        source.bookmarks.retain(|other| other.tag != tag);
        source.bookmarks.push(Bookmark { tag, guid, createtxg, created_at });
        source.bookmarks.sort_by_key(|bookmark| (bookmark.createtxg, bookmark.created_at));
    }

    /// One hold each was taken off these, at the source and at the destination.
    pub(super) fn released(&mut self, here: &[SnapshotName], there: &[SnapshotName]) {
        for pair in &mut self.pairs {
            for (dataset, names) in [(Some(&mut pair.source), here), (pair.destination.as_mut(), there)] {
                let Some(dataset) = dataset else { continue };
                for name in names.iter().filter(|name| name.dataset() == &dataset.name) {
                    let held = dataset.snapshots.iter_mut().find(|snapshot| &snapshot.tag == name.tag());
                    if let Some(snapshot) = held {
                        snapshot.holds = snapshot.holds.saturating_sub(1);
                    }
                }
            }
        }
    }

    /// A stream was received whole. False if what it brought has to be looked at: then nothing is changed here.
    pub(super) fn arrived(&mut self, source: &DatasetName, stream: &Stream) -> bool {
        self.sent.insert(source.clone());
        let Some(pair) = self.pair_mut(source) else { return false };
        let Some(there) = &mut pair.destination else { return false };
        let Some(brought) = arriving(&pair.source, stream) else { return false };
        let newest = there.newest().map_or(0, |snapshot| snapshot.createtxg);
        for (createtxg, snapshot) in (newest + 1..).zip(brought) {
            let (owner, holds, clones) = (Owner::Foreign, 0, Vec::new());
            there.snapshots.push(Snapshot { createtxg, owner, holds, clones, ..snapshot });
        }
        (there.partial, there.written) = (None, 0);
        pair.written_since_base = None;
        true
    }

    /// Something new stands at the destination: what is received below it is encrypted as it is.
    pub(super) fn reckon_above(&mut self) {
        let standing: Vec<(DatasetName, Encryption)> = self
            .pairs
            .iter()
            .filter_map(|pair| Some((pair.place.clone(), pair.destination.as_ref()?.encryption.clone())))
            .collect();
        for pair in &mut self.pairs {
            let nearest = standing
                .iter()
                .filter(|(place, _)| pair.place.below(place).is_some())
                .max_by_key(|(place, _)| place.as_str().len());
            if let Some((_, encryption)) = nearest {
                pair.above = Some(encryption.clone());
            }
        }
    }
}
