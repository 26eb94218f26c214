//! How one dataset gets from what the destination has to what the source has.
//!
//! In: what both ends say ([`Dataset`]), and a wish. Out: resume · incremental from the newest common
//! snapshot or bookmark · full · nothing to do · a conflict. Nothing here destroys, forces or guesses:
//! what cannot be continued by appending is a [`Conflict`].

use serde::{Deserialize, Serialize};

use super::conflict::{Conflict, tags};
pub use super::partial::DeadPartial;
use super::partial::{judge_partial, somebody_elses, token_of};
pub use super::streams::{arriving, reckoned_bytes};
use super::streams::{from_bookmark, from_nothing, from_snapshot, taken_tags};
use crate::domain::dataset::{Base, Bookmark, Dataset, DatasetKind, Encryption, Role, Snapshot};
use crate::domain::names::{DatasetName, SnapTag};

/// Which snapshots are to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// The newest one, and every one between it and what the destination has.
    #[default]
    All,
    /// The newest one alone.
    NewestOnly,
}

/// What both ends say about one dataset.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The dataset that is sent.
    pub source: &'a Dataset,
    /// The dataset that is received into, if it is there.
    pub destination: Option<&'a Dataset>,
    /// Where it belongs, whether there is something or not.
    pub place: &'a DatasetName,
    /// The group on whose behalf this is done.
    pub group: &'a str,
    /// Bytes that the destination says were written since the snapshot that [`unsure_since`] asked for
    /// (property `written@…`), where it had to be asked.
    pub written_since_base: Option<u64>,
    /// How the dataset is encrypted in which a destination that is not there would be created.
    pub above: Option<&'a Encryption>,
}

/// What to do about one dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// A partly received stream that cannot be resumed has to be dropped first.
    pub discard: Option<DeadPartial>,
    /// Then this.
    pub action: Action,
    /// Worth telling, though it does not stop anything.
    pub notes: Vec<String>,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// The source has no snapshot, so there is nothing that could be sent.
    NoSnapshot,
    /// The destination has the source's newest snapshot, or one that is newer still and of which the
    /// source has only the bookmark left.
    UpToDate {
        /// Its tag at the source.
        at: SnapTag,
    },
    /// These streams, one after the other.
    Send {
        /// Never empty.
        streams: Vec<Stream>,
    },
    /// A person has to choose.
    Conflict(Conflict),
}

/// One `zfs send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stream", rename_all = "snake_case")]
pub enum Stream {
    /// The rest of an interrupted stream.
    Resume {
        /// The token that the destination gave.
        token: String,
        /// The snapshot that will then be complete.
        to: SnapTag,
        /// Bytes that are there already.
        received: u64,
    },
    /// Everything up to one snapshot.
    Full {
        /// The snapshot.
        to: SnapTag,
    },
    /// The difference between a base that both have and a later snapshot.
    Incremental {
        /// The base.
        from: Base,
        /// The snapshot.
        to: SnapTag,
        /// With every snapshot between the two (`-I`).
        intermediates: bool,
    },
}

impl Stream {
    /// The snapshot that is complete when the stream has arrived.
    pub fn to(&self) -> &SnapTag {
        match self {
            Self::Resume { to, .. } | Self::Full { to } | Self::Incremental { to, .. } => to,
        }
    }
}

/// The destination's snapshot of which has to be asked how much was written since (`written@TAG`)
/// before [`plan`] can decide: there are newer snapshots than the common base, which is harmless only
/// as long as they hold no change.
pub fn unsure_since(source: &Dataset, destination: &Dataset) -> Option<SnapTag> {
    let base = common_base(source, destination)?;
    let newest = destination.newest()?;
    (base.there.guid != newest.guid).then(|| base.there.tag.clone())
}

/// Decides what to do about one dataset.
pub fn plan(facts: &Facts<'_>, history: History) -> Plan {
    let Some(target) = facts.source.newest() else {
        return Plan { discard: None, action: Action::NoSnapshot, notes: Vec::new() };
    };
    let Some(destination) = facts.destination else {
        if let (Encryption::Off, Some(Encryption::On { root, key_loaded: false })) =
            (&facts.source.encryption, facts.above)
        {
            let (destination, root) = (facts.place.clone(), root.clone());
            let conflict = Conflict::DestinationKeyNotLoaded { destination, root };
            return Plan { discard: None, action: Action::Conflict(conflict), notes: Vec::new() };
        }
        let streams = from_nothing(facts.source, target, history);
        return Plan { discard: None, action: Action::Send { streams }, notes: Vec::new() };
    };
    if let Some(conflict) = unfit(facts, destination) {
        return Plan { discard: None, action: Action::Conflict(conflict), notes: Vec::new() };
    }
    let mut notes = Vec::new();
    if destination.mounted && destination.kind == DatasetKind::Filesystem {
        notes.push(format!("{} is mounted; a replica is best left unmounted", destination.name));
    }
    let (discard, resumable) = match &destination.partial {
        None => (None, None),
        Some(partial) => match judge_partial(facts.source, destination, partial) {
            Ok(resumable) => (None, Some(resumable)),
            Err(dead) => (Some(dead), None),
        },
    };
    let action = match resumable {
        Some((to, received)) => {
            let mut streams =
                vec![Stream::Resume { token: token_of(destination), to: to.tag.clone(), received }];
            streams.extend(from_snapshot(facts.source, to, target, history));
            Action::Send { streams }
        }
        None => without_partial(facts, destination, target, history, discard.is_some()),
    };
    Plan { discard, action, notes }
}

/// Reasons to keep away from this destination whatever snapshots it has.
fn unfit(facts: &Facts<'_>, destination: &Dataset) -> Option<Conflict> {
    let name = || destination.name.clone();
    let source = facts.source;
    if source.guid == destination.guid && source.name == destination.name {
        return Some(Conflict::SameDataset { destination: name() });
    }
    if source.kind != destination.kind {
        return Some(Conflict::KindDiffers { destination: name(), source: source.kind });
    }
    if let Some(role) = destination.role.filter(|role| *role != Role::Replica) {
        return Some(Conflict::InUse { destination: name(), role: role.as_str().to_owned() });
    }
    if let Some(group) = destination.group.as_deref().filter(|group| *group != facts.group) {
        return Some(Conflict::OtherGroup { destination: name(), group: group.to_owned() });
    }
    match (&source.encryption, &destination.encryption) {
        (Encryption::On { .. }, Encryption::Off) if !destination.snapshots.is_empty() => {
            Some(Conflict::ReplicaNotEncrypted { destination: name() })
        }
        (Encryption::Off, Encryption::On { root, key_loaded: false }) => {
            Some(Conflict::DestinationKeyNotLoaded { destination: name(), root: root.clone() })
        }
        _ => None,
    }
}

/// What to do if there is no partly received stream, or once it is dropped.
fn without_partial(
    facts: &Facts<'_>,
    destination: &Dataset,
    target: &Snapshot,
    history: History,
    discarding: bool,
) -> Action {
    let source = facts.source;
    let name = || destination.name.clone();
    if destination.snapshots.is_empty() {
        // A first receive that was interrupted leaves a dataset without a snapshot; dropping its
        // partial state takes the dataset away as well, and then everything is sent. That is what a run
        // into the wrong dataset must not do to somebody else's first stream.
        if let Some(from) = somebody_elses(source, destination) {
            return Action::Conflict(Conflict::OthersPartial { destination: name(), from });
        }
        if discarding {
            return Action::Send { streams: from_nothing(source, target, history) };
        }
        return Action::Conflict(Conflict::DestinationNotAReplica {
            destination: name(),
            used: destination.used,
        });
    }
    let Some(base) = common_base(source, destination) else {
        let newest = destination.newest().map_or_else(|| target.tag.clone(), |snapshot| snapshot.tag.clone());
        let snapshots = destination.snapshots.len();
        return Action::Conflict(Conflict::NoCommonBase {
            destination: name(),
            snapshots,
            newest,
            used: destination.used,
        });
    };
    if let Some(conflict) = diverged(facts, destination, &base) {
        return Action::Conflict(conflict);
    }
    // A bookmark can remember a newer snapshot than the source still has: the destination is ahead.
    if base.here.createtxg() >= target.createtxg {
        return Action::UpToDate { at: target.tag.clone() };
    }
    let streams = match &base.here {
        Here::Snapshot(snapshot) => from_snapshot(source, snapshot, target, history),
        Here::Bookmark(bookmark) => from_bookmark(source, bookmark, target, history),
    };
    let taken = taken_tags(source, destination, base.here.createtxg(), target, history);
    if !taken.is_empty() {
        return Action::Conflict(Conflict::TagTaken { destination: name(), tags: taken });
    }
    Action::Send { streams }
}

/// The newest point that both sides have.
struct CommonBase<'a> {
    here: Here<'a>,
    there: &'a Snapshot,
}

enum Here<'a> {
    Snapshot(&'a Snapshot),
    Bookmark(&'a Bookmark),
}

impl Here<'_> {
    fn createtxg(&self) -> u64 {
        match self {
            Self::Snapshot(snapshot) => snapshot.createtxg,
            Self::Bookmark(bookmark) => bookmark.createtxg,
        }
    }
}

/// The newest source snapshot or bookmark whose GUID the destination has as a snapshot; where both a
/// snapshot and a bookmark would do, the snapshot, because only it allows intermediates.
fn common_base<'a>(source: &'a Dataset, destination: &'a Dataset) -> Option<CommonBase<'a>> {
    let snapshots = source.snapshots.iter().filter_map(|snapshot| {
        let there = destination.snapshot_by_guid(snapshot.guid)?;
        Some((snapshot.createtxg, true, CommonBase { here: Here::Snapshot(snapshot), there }))
    });
    let bookmarks = source.bookmarks.iter().filter_map(|bookmark| {
        let there = destination.snapshot_by_guid(bookmark.guid)?;
        Some((bookmark.createtxg, false, CommonBase { here: Here::Bookmark(bookmark), there }))
    });
    let newest = snapshots.chain(bookmarks).max_by_key(|(txg, snapshot, _)| (*txg, *snapshot));
    newest.map(|(_, _, base)| base)
}

/// Whether the destination has gone its own way since the base.
fn diverged(facts: &Facts<'_>, destination: &Dataset, base: &CommonBase<'_>) -> Option<Conflict> {
    let newer: Vec<&Snapshot> =
        destination.snapshots.iter().filter(|snapshot| snapshot.createtxg > base.there.createtxg).collect();
    let written = if newer.is_empty() { Some(destination.written) } else { facts.written_since_base };
    if written == Some(0) {
        // Snapshots somebody took of an unchanged replica do no harm, and zfs receive agrees.
        return None;
    }
    Some(Conflict::DestinationModified {
        destination: destination.name.clone(),
        base: base.there.tag.clone(),
        written,
        newer: tags(newer),
    })
}

/// Where a dataset of the source's tree belongs at the destination: the same path below its root.
///
/// # Errors
/// If the name there would be longer than OpenZFS allows.
pub fn counterpart(
    dataset: &DatasetName,
    source_root: &DatasetName,
    destination_root: &DatasetName,
) -> Result<DatasetName, crate::domain::names::NameError> {
    match dataset.below(source_root) {
        None | Some("") => Ok(destination_root.clone()),
        Some(path) => destination_root.child(path),
    }
}

/// The newest snapshot that both sides have as a snapshot: what the next run will build on.
pub fn newest_common_snapshot<'a>(source: &'a Dataset, destination: &Dataset) -> Option<&'a Snapshot> {
    source.snapshots.iter().rev().find(|snapshot| destination.snapshot_by_guid(snapshot.guid).is_some())
}

#[cfg(test)]
#[path = "replication_model.rs"]
mod model;
#[cfg(test)]
#[path = "replication_tests.rs"]
mod tests;
