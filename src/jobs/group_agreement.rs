//! What a group has on one of its appliances, compared with what is known of it: what is missing is set again at once, what
//! contradicts is kept for a person, and holds the group meanwhile.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::failure::not_kept;
use super::manifests::{as_properties, read_manifests};
use super::targets::Targets;
use crate::domain::agreement::Finding;
use crate::domain::checkpoint::Checkpoint;
use crate::domain::dataset::{Dataset, Guid, HOLD_PREFIX, Owner, Role, Snapshot};
use crate::domain::ids::GroupId;
use crate::domain::job::Failure;
use crate::domain::names::{BookmarkName, SnapshotName};
use crate::domain::protection_group::ProtectionGroup;
use crate::plan::agreement::{Known, contradictions, missing};
use crate::zfs::{Deed, HoldTag, Zfs};

/// Snapshots of replicas whose manifests were seen to be whole there and here. Kept in memory: a new process looks once.
#[derive(Default)]
pub(super) struct Whole(Mutex<HashSet<(GroupId, Guid)>>);

impl Whole {
    fn has(&self, group: GroupId, guid: Guid) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(group, guid))
    }

    fn note(&self, group: GroupId, guid: Guid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((group, guid));
    }
}

/// Compares one side. `may_mend`: no run of the group is under way, and no clock will be surprised.
///
/// # Errors
/// If the appliance or the database does not answer.
pub(super) async fn compare(
    targets: &Targets,
    zfs: &Zfs,
    group: &ProtectionGroup,
    (role, dataset): (Role, &Dataset),
    may_mend: bool,
    now: Timestamp,
) -> Result<(), Failure> {
    let store = targets.store();
    let Some(counter) = store.group_epoch(group.id).await.map_err(not_kept)? else { return Ok(()) };
    let kept = store.checkpoints(group.id, true).await.map_err(not_kept)?;
    let checkpoints: Vec<Guid> = kept.iter().map(|one| one.guid).collect();
    let deleted = store.deleted_groups().await.map_err(not_kept)?;
    let known = Known { group: group.id, counter, checkpoints: &checkpoints, deleted: &deleted };
    let found: Vec<Finding> = contradictions(&known, role, dataset)
        .into_iter()
        .map(|one| Finding { object: one.object, why: one.why, advice: one.advice, found_at: now })
        .collect();
    let agrees = found.is_empty();
    for one in &found {
        tracing::warn!(group = group.name, object = one.object, why = one.why, "a protection group is held");
    }
    store.settle_findings(group.id, role.as_str(), found).await.map_err(not_kept)?;
    if agrees && may_mend { mend(zfs, group, (role, dataset), &known).await } else { Ok(()) }
}

async fn mend(
    zfs: &Zfs,
    group: &ProtectionGroup,
    (role, dataset): (Role, &Dataset),
    known: &Known<'_>,
) -> Result<(), Failure> {
    let wanted = missing(known, role, dataset);
    let id = group.id.to_string();
    let marks = wanted.marks.iter().map(|one| named(dataset, one)).collect::<Result<Vec<_>, _>>()?;
    let held = wanted.hold.iter().map(|one| named(dataset, one)).collect::<Result<Vec<_>, _>>()?;
    let mut bookmarks: Vec<(SnapshotName, BookmarkName)> = Vec::new();
    if let Some(snapshot) = &wanted.bookmark {
        let name = named(dataset, snapshot)?;
        let bookmark = dataset.name.bookmark(&snapshot.tag);
        let bookmark =
            bookmark.map_err(|error| Failure::permanent(format!("No bookmark can be made: {error}.")))?;
        bookmarks.push((name, bookmark));
    }
    if marks.is_empty() && held.is_empty() && bookmarks.is_empty() {
        return Ok(());
    }
    let tag: HoldTag = format!("{HOLD_PREFIX}{id}")
        .parse()
        .map_err(|error| Failure::permanent(format!("The group's hold tag is not valid: {error}.")))?;
    let deeds = [Deed::Mark(&id, &marks), Deed::Hold(&tag, &held), Deed::Bookmark(&bookmarks)];
    zfs.carry_out(&deeds).await?;
    tracing::warn!(
        group = group.name,
        dataset = %dataset.name,
        marks = marks.len(),
        holds = held.len(),
        bookmarks = bookmarks.len(),
        "what somebody had taken off a protection group's snapshots was set again"
    );
    Ok(())
}

/// Takes in the manifests that checkpoints of a replica carry and we do not have, and puts those back that they lost.
///
/// # Errors
/// If the appliance or the database does not answer.
pub(super) async fn manifests(
    targets: &Targets,
    zfs: &Zfs,
    group: &ProtectionGroup,
    replica: &Dataset,
    (known, whole, may_mend): (&[Guid], &Whole, bool),
) -> Result<(), Failure> {
    let mut names: BTreeMap<SnapshotName, Guid> = BTreeMap::new();
    for snapshot in ours(group, replica, known) {
        if !whole.has(group.id, snapshot.guid) {
            names.insert(named(replica, snapshot)?, snapshot.guid);
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    let store = targets.store();
    let wanted: Vec<SnapshotName> = names.keys().cloned().collect();
    let mut found = read_manifests(zfs, &wanted).await?;
    for (name, guid) in names {
        let ours = store.manifest(group.id, guid).await.map_err(not_kept)?;
        match (found.remove(&name), ours) {
            (Some(Ok(manifest)), None) if manifest.group == group.id => {
                store.put_manifest(guid, &manifest).await.map_err(not_kept)?;
            }
            (Some(Ok(_)), _) => {}
            (lost, Some(ours)) => {
                if !may_mend {
                    continue;
                }
                if let Some(Err(error)) = lost {
                    tracing::warn!(snapshot = %name, %error, "the manifest of a checkpoint is put back");
                }
                if let Ok(packed) = ours.properties() {
                    zfs.carry_out(&[Deed::SetOn(&name, &as_properties(&packed)?)]).await?;
                }
            }
            (Some(Err(error)), None) => {
                tracing::warn!(snapshot = %name, %error, "the manifest of a checkpoint cannot be read");
            }
            // Taken before there were manifests.
            (None, None) => {}
        }
        whole.note(group.id, guid);
    }
    Ok(())
}

fn named(dataset: &Dataset, snapshot: &Snapshot) -> Result<SnapshotName, Failure> {
    let name = dataset.name.snapshot(&snapshot.tag);
    name.map_err(|error| {
        Failure::permanent(format!("A snapshot of {} cannot be named: {error}.", dataset.name))
    })
}

/// The group's own snapshots of its replica, and those that are known to be so although somebody took the mark off: the
/// same GUID holds the same data.
fn ours<'a>(
    group: &ProtectionGroup,
    replica: &'a Dataset,
    known: &'a [Guid],
) -> impl Iterator<Item = &'a Snapshot> {
    let own = Owner::Zerfaux(group.id.to_string());
    let unmarked = |one: &Snapshot| one.owner == Owner::Foreign && known.contains(&one.guid);
    replica.snapshots.iter().filter(move |one| one.owner == own || unmarked(one))
}

/// The checkpoints that a replica has. One that is on its way is not listed by ZFS before it is whole.
pub(super) fn checkpoints(
    group: &ProtectionGroup,
    replica: &Dataset,
    known: &[Guid],
    looked: Timestamp,
) -> Vec<Checkpoint> {
    ours(group, replica, known)
        .map(|snapshot| Checkpoint {
            group: group.id,
            guid: snapshot.guid,
            snapshot: snapshot.tag.clone(),
            taken_at: snapshot.created_at,
            complete_at: looked,
            bytes: snapshot.written,
            // What its manifest says counts, where there is one.
            kind: crate::domain::checkpoint::CheckpointKind::CrashConsistent,
            job: None,
            gone_at: None,
        })
        .collect()
}
