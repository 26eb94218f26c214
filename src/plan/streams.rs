//! The streams that lead from what the destination has to the snapshot that it should have.
//!
//! In: where to begin, and which history is wished for. Out: streams in their order, each of which begins
//! where the one before it ended. Whether they may be sent is decided in `replication.rs`.

use super::conflict::tags;
use super::replication::{History, Stream};
use crate::domain::dataset::{Base, Bookmark, Dataset, Snapshot};
use crate::domain::names::SnapTag;

fn between(source: &Dataset, after_txg: u64, target: &Snapshot) -> Vec<SnapTag> {
    let inside =
        |snapshot: &&Snapshot| snapshot.createtxg > after_txg && snapshot.createtxg < target.createtxg;
    tags(source.snapshots.iter().filter(inside))
}

pub(super) fn from_nothing(source: &Dataset, target: &Snapshot, history: History) -> Vec<Stream> {
    match source.snapshots.first() {
        Some(oldest) if history == History::All && oldest.guid != target.guid => {
            let mut streams = vec![Stream::Full { to: oldest.tag.clone() }];
            streams.extend(from_snapshot(source, oldest, target, history));
            streams
        }
        _ => vec![Stream::Full { to: target.tag.clone() }],
    }
}

pub(super) fn from_snapshot(
    source: &Dataset,
    base: &Snapshot,
    target: &Snapshot,
    history: History,
) -> Vec<Stream> {
    if base.guid == target.guid || base.createtxg >= target.createtxg {
        return Vec::new();
    }
    let intermediates = history == History::All && !between(source, base.createtxg, target).is_empty();
    let from = Base::Snapshot(base.tag.clone());
    vec![Stream::Incremental { from, to: target.tag.clone(), intermediates }]
}

pub(super) fn from_bookmark(
    source: &Dataset,
    base: &Bookmark,
    target: &Snapshot,
    history: History,
) -> Vec<Stream> {
    let from = Base::Bookmark(base.tag.clone());
    let first = match history {
        History::All => source.snapshots.iter().find(|snapshot| snapshot.createtxg > base.createtxg),
        History::NewestOnly => None,
    };
    let first = first.unwrap_or(target);
    let mut streams = vec![Stream::Incremental { from, to: first.tag.clone(), intermediates: false }];
    streams.extend(from_snapshot(source, first, target, history));
    streams
}

/// The snapshots of the source that `stream` brings along, oldest first; none if it goes on with one that began
/// elsewhere, or if what it names is not there.
pub fn arriving(source: &Dataset, stream: &Stream) -> Option<Vec<Snapshot>> {
    let Stream::Incremental { from, to, intermediates } = stream else { return None };
    let target = source.snapshot_by_tag(to)?;
    let after = txg_of(source, from)?;
    let inside = |snapshot: &&Snapshot| match intermediates {
        true => snapshot.createtxg > after && snapshot.createtxg <= target.createtxg,
        false => snapshot.guid == target.guid,
    };
    Some(source.snapshots.iter().filter(inside).cloned().collect())
}

fn txg_of(source: &Dataset, base: &Base) -> Option<u64> {
    match base {
        Base::Snapshot(tag) => source.snapshot_by_tag(tag).map(|snapshot| snapshot.createtxg),
        Base::Bookmark(tag) => {
            source.bookmarks.iter().find(|bookmark| &bookmark.tag == tag).map(|bookmark| bookmark.createtxg)
        }
    }
}

/// About how many bytes an incremental stream will have, from what the listing says was written between its ends; none
/// for other streams, of which only `zfs send -n` knows. For showing progress, not for deciding.
pub fn reckoned_bytes(source: &Dataset, stream: &Stream) -> Option<u64> {
    let Stream::Incremental { from, to, .. } = stream else { return None };
    let target = source.snapshot_by_tag(to)?;
    let after = txg_of(source, from)?;
    let between = |snapshot: &&Snapshot| snapshot.createtxg > after && snapshot.createtxg <= target.createtxg;
    Some(source.snapshots.iter().filter(between).map(|snapshot| snapshot.written).sum())
}

/// Names that would arrive and are taken at the destination by a snapshot with other contents.
pub(super) fn taken_tags(
    source: &Dataset,
    destination: &Dataset,
    after_txg: u64,
    target: &Snapshot,
    history: History,
) -> Vec<SnapTag> {
    let mut arriving = match history {
        History::All => between(source, after_txg, target),
        History::NewestOnly => Vec::new(),
    };
    arriving.push(target.tag.clone());
    arriving.retain(|tag| destination.snapshot_by_tag(tag).is_some());
    arriving
}
