//! The change of direction of a group, as far as its datasets go: what a commit does to the clone and the old replica, and
//! what becomes of the dataset at the site that was left, so that only the difference has to travel back.
//!
//! Pure: from what both sides list to what is done. `jobs/direction.rs` does it. Nothing that somebody wrote is destroyed by
//! any of it: what is in the way is put aside under a dated name.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::dataset::{Dataset, Guid};
use crate::domain::epoch::Epoch;
use crate::domain::names::{DatasetName, NameError, SnapTag, SnapshotName};

/// Where the datasets of a group lie on an appliance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Below which everything of Zerfaux lies: `<pool>/zerfaux`.
    pub root: DatasetName,
    /// The group's id.
    pub group: String,
}

impl Layout {
    fn name(&self, place: &str, end: &str) -> Result<DatasetName, NameError> {
        format!("{}/{place}/{}{end}", self.root, self.group).parse()
    }

    /// Where virtual machines run after a commit.
    ///
    /// # Errors
    /// If the name would be too long.
    pub fn live(&self) -> Result<DatasetName, NameError> {
        self.name("live", "")
    }

    /// What is received into after a change of direction.
    ///
    /// # Errors
    /// If the name would be too long.
    pub fn replica(&self) -> Result<DatasetName, NameError> {
        self.name("replica", "")
    }

    /// What is put aside at that moment.
    ///
    /// # Errors
    /// If the name would be too long.
    pub fn keep(&self, at: Timestamp) -> Result<DatasetName, NameError> {
        self.name("keep", &at.strftime("-%Y%m%dT%H%M%SZ").to_string())
    }
}

/// A dataset that is moved: found by its GUID, which stays the same under every name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Its own GUID.
    pub guid: Guid,
    /// Its name before.
    pub from: DatasetName,
    /// Its name afterwards.
    pub to: DatasetName,
}

/// What is left of the old replica once the clone has taken the history up to its origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// Nothing: it is destroyed, which ZFS refuses should it have a snapshot or a child by then.
    Nothing(DatasetName, Guid),
    /// Checkpoints that are newer than the one that was recovered: kept aside.
    Kept {
        /// The old replica.
        replica: Moved,
        /// They, oldest first.
        newer: Vec<SnapTag>,
    },
}

/// What a commit does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The checkpoint that was recovered: the clone's origin.
    pub base: SnapTag,
    /// Its GUID.
    pub base_guid: Guid,
    /// The clone, which becomes the live dataset.
    pub live: Moved,
    /// The old replica.
    pub rest: Rest,
    /// The direction from now on.
    pub epoch: Epoch,
}

/// Why the direction cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Why {
    /// The clone is none of this replica.
    #[error("{clone} is not a clone of {replica}; its origin is {origin}")]
    NoClone {
        /// The one that runs.
        clone: DatasetName,
        /// The replica.
        replica: DatasetName,
        /// What it is a clone of.
        origin: String,
    },
    /// Both have a snapshot of this name, and one dataset cannot have both.
    #[error(
        "{clone} and {replica} both have a snapshot {tag}, so one cannot take over the history of the other"
    )]
    SameName {
        /// The one that runs.
        clone: DatasetName,
        /// The replica.
        replica: DatasetName,
        /// The name.
        tag: SnapTag,
    },
    /// It is mounted, so somebody may write into it at any moment.
    #[error("{0} is still mounted; what is written into it now would not be seen")]
    Mounted(DatasetName),
    /// There is something below it, which would go along with it.
    #[error("{0} is not a file system that can be turned round")]
    Shape(DatasetName),
    /// A name would be too long.
    #[error("a dataset cannot be named: {0}")]
    Name(#[from] NameError),
}

/// What a commit does: `clone` becomes the live dataset with the history of `replica` up to its origin.
///
/// # Errors
/// If `clone` is none of `replica`, or their snapshots' names clash (zfs-promote(8)).
pub fn commit(
    replica: &Dataset,
    clone: &Dataset,
    layout: &Layout,
    counter: u32,
    at: Timestamp,
) -> Result<Commit, Why> {
    let origin = clone.origin.clone().unwrap_or_else(|| "nothing".to_owned());
    let found = origin.parse::<SnapshotName>().ok().filter(|origin| *origin.dataset() == replica.name);
    let base = found.and_then(|origin| replica.snapshot_by_tag(origin.tag()).cloned());
    let Some(base) = base else {
        return Err(Why::NoClone { clone: clone.name.clone(), replica: replica.name.clone(), origin });
    };
    let goes = |one: &&crate::domain::dataset::Snapshot| one.createtxg <= base.createtxg;
    let clash = replica.snapshots.iter().filter(goes).find(|one| clone.snapshot_by_tag(&one.tag).is_some());
    if let Some(clash) = clash {
        let (clone, replica) = (clone.name.clone(), replica.name.clone());
        return Err(Why::SameName { clone, replica, tag: clash.tag.clone() });
    }
    let newer: Vec<SnapTag> =
        replica.snapshots.iter().filter(|one| !goes(one)).map(|one| one.tag.clone()).collect();
    let rest = match newer.is_empty() {
        true => Rest::Nothing(replica.name.clone(), replica.guid),
        false => {
            let (guid, from) = (replica.guid, replica.name.clone());
            Rest::Kept { replica: Moved { guid, from, to: layout.keep(at)? }, newer }
        }
    };
    Ok(Commit {
        base: base.tag,
        base_guid: base.guid,
        live: Moved { guid: clone.guid, from: clone.name.clone(), to: layout.live()? },
        rest,
        epoch: Epoch { counter: counter.saturating_add(1), live: clone.guid },
    })
}

/// What becomes of the dataset at the site that was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum Return {
    /// Nothing was written into it since the base: it becomes the replica as it is.
    AsItIs {
        /// The newest snapshot of both sides.
        base: SnapTag,
        /// It.
        replica: Moved,
    },
    /// It has what the other side never got: it is kept aside as it is, and a clone of the base becomes the replica.
    Aside {
        /// The newest snapshot of both sides.
        base: SnapTag,
        /// The base's GUID.
        base_guid: Guid,
        /// It.
        kept: Moved,
        /// The snapshot that keeps what it has now.
        diverged: SnapTag,
        /// What becomes the replica.
        replica: DatasetName,
    },
    /// Both sides have no snapshot in common: it is kept aside as it is, and everything has to travel.
    Anew {
        /// It.
        kept: Moved,
        /// The snapshot that keeps what it has now.
        diverged: SnapTag,
        /// What everything is received into.
        replica: DatasetName,
        /// How much that is, in bytes.
        bytes: u64,
    },
}

/// What becomes of `old`, on which the group lived before, now that it lives on `live`. The base is a snapshot on both
/// sides: a clone cannot be made of a bookmark.
///
/// # Errors
/// If `old` is still mounted.
pub fn comes_back(old: &Dataset, live: &Dataset, layout: &Layout, at: Timestamp) -> Result<Return, Why> {
    if old.mounted {
        return Err(Why::Mounted(old.name.clone()));
    }
    let moved = |to: DatasetName| Moved { guid: old.guid, from: old.name.clone(), to };
    let base = old.snapshots.iter().rev().find(|one| live.snapshot_by_guid(one.guid).is_some());
    let diverged = || -> Result<SnapTag, NameError> {
        format!("zx-{}-{}-diverged", layout.group, at.strftime("%Y%m%dT%H%M%SZ")).parse()
    };
    let Some(base) = base else {
        return Ok(Return::Anew {
            kept: moved(layout.keep(at)?),
            diverged: diverged()?,
            replica: layout.replica()?,
            bytes: live.used,
        });
    };
    let is_newest = old.newest().is_some_and(|newest| newest.guid == base.guid);
    if is_newest && old.written == 0 {
        return Ok(Return::AsItIs { base: base.tag.clone(), replica: moved(layout.replica()?) });
    }
    Ok(Return::Aside {
        base: base.tag.clone(),
        base_guid: base.guid,
        kept: moved(layout.keep(at)?),
        diverged: diverged()?,
        replica: layout.replica()?,
    })
}

#[cfg(test)]
#[path = "direction_tests.rs"]
mod tests;
