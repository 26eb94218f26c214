//! Turns the datasets of a group round, as `plan/direction.rs` has it: the clone becomes the live dataset, the dataset at the
//! site that was left becomes a replica again. Each part is done only if it is not done yet, so that what was killed in
//! between goes on; datasets are found by their GUIDs, under the old name or the new one.

use super::exported::property;
use crate::domain::dataset::{Dataset, KEEP_HOLD_PREFIX, PROPERTY_GROUP, PROPERTY_ROLE, PROPERTY_RUN, Role};
use crate::domain::epoch::PROPERTY_EPOCH;
use crate::domain::job::Failure;
use crate::domain::names::{DatasetName, SnapTag};
use crate::plan::direction::{Commit, Moved, Rest, Return};
use crate::zfs::{HoldTag, Property, PropertyName, Zfs};

async fn listed(zfs: &Zfs, name: &DatasetName) -> Result<Option<Dataset>, Failure> {
    let name = std::slice::from_ref(name);
    if zfs.existing(name).await?.is_empty() {
        return Ok(None);
    }
    Ok(zfs.datasets(name, false).await?.into_iter().find(|found| found.name == name[0]))
}

/// Where it is now.
async fn found(zfs: &Zfs, moved: &Moved) -> Result<Dataset, Failure> {
    for name in [&moved.to, &moved.from] {
        if let Some(dataset) = listed(zfs, name).await?.filter(|one| one.guid == moved.guid) {
            return Ok(dataset);
        }
    }
    Err(Failure::permanent(format!(
        "The dataset with the GUID {} is neither at {} nor at {}.",
        moved.guid, moved.from, moved.to
    ))
    .advise("Somebody renamed or destroyed it. Nothing more is done; look at the appliance."))
}

async fn moved(zfs: &Zfs, what: &Moved) -> Result<(), Failure> {
    zfs.create_parents(&what.to).await?;
    Ok(zfs.rename(&what.from, &what.to, what.guid).await?)
}

fn marks(group: &str, role: Role) -> Result<Vec<Property>, Failure> {
    Ok(vec![property(PROPERTY_GROUP, group)?, property(PROPERTY_ROLE, role.as_str())?])
}

/// Properties of what is received into: the group's, read-only, never mounted, not shared.
///
/// # Errors
/// If one of them is not valid.
pub(super) fn of_replica(group: &str) -> Result<Vec<Property>, Failure> {
    let mut all = marks(group, Role::Replica)?;
    for (name, value) in [("readonly", "on"), ("canmount", "noauto"), ("sharenfs", "off"), ("atime", "off")] {
        all.push(property(name, value)?);
    }
    Ok(all)
}

/// Commits: drops what a receive had begun, promotes the clone, puts the old replica aside or destroys it if it is empty, and
/// gives the clone its place.
///
/// # Errors
/// If a dataset is not where it was, or ZFS refuses; what was done stays, and doing it again goes on.
pub async fn commit(zfs: &Zfs, plan: &Commit, group: &str) -> Result<(), Failure> {
    let (old, guid) = match &plan.rest {
        Rest::Nothing(name, guid) => (name, *guid),
        Rest::Kept { replica, .. } => (&replica.from, replica.guid),
    };
    if listed(zfs, old).await?.is_some_and(|found| found.guid == guid && found.partial.is_some()) {
        zfs.abort_receive(old).await?;
    }
    let clone = found(zfs, &plan.live).await?;
    if clone.origin.is_some() {
        zfs.promote(&clone.name).await?;
    }
    let clone = found(zfs, &plan.live).await?;
    if clone.snapshot_by_guid(plan.base_guid).is_none() {
        return Err(Failure::permanent(format!(
            "{} was to have the checkpoint {} after it was promoted, and has it not.",
            clone.name, plan.base
        )));
    }
    match &plan.rest {
        // Without -r: ZFS refuses should it have a snapshot by now.
        Rest::Nothing(name, guid) => zfs.destroy_empty(name, *guid).await?,
        Rest::Kept { replica, .. } => {
            moved(zfs, replica).await?;
            zfs.set(&replica.to, &marks(group, Role::Keep)?).await?;
        }
    }
    moved(zfs, &plan.live).await?;
    let mut properties = marks(group, Role::Live)?;
    properties.push(property(PROPERTY_EPOCH, &plan.epoch.to_string())?);
    zfs.set(&plan.live.to, &properties).await?;
    let run: PropertyName = PROPERTY_RUN.parse().map_err(|error| Failure::permanent(format!("{error}.")))?;
    Ok(zfs.inherit(&plan.live.to, &run).await?)
}

/// Makes a replica again of what the group lived on before, keeping aside what only that has.
///
/// # Errors
/// If a dataset is not where it was, or ZFS refuses; what was done stays, and doing it again goes on.
pub async fn comes_back(zfs: &Zfs, plan: &Return, group: &str) -> Result<(), Failure> {
    match plan {
        Return::AsItIs { replica, .. } => {
            let now = found(zfs, replica).await?;
            let mut properties = of_replica(group)?;
            properties.push(property("mountpoint", "none")?);
            zfs.set(&now.name, &properties).await?;
            moved(zfs, replica).await
        }
        Return::Aside { base, kept, diverged, replica, .. } => {
            put_aside(zfs, kept, diverged, group).await?;
            zfs.create_parents(replica).await?;
            go_on_from(zfs, (&kept.to, base), replica, &of_replica(group)?).await
        }
        Return::Anew { kept, diverged, .. } => put_aside(zfs, kept, diverged, group).await,
    }
}

async fn put_aside(zfs: &Zfs, kept: &Moved, diverged: &SnapTag, group: &str) -> Result<(), Failure> {
    let now = found(zfs, kept).await?;
    let name = |dataset: &DatasetName| {
        dataset.snapshot(diverged).map_err(|error| Failure::permanent(format!("{error}.")))
    };
    // Its last state has a name of its own before anything else happens to it.
    let last = name(&now.name)?;
    zfs.ensure_snapshots(group, std::slice::from_ref(&last), &[]).await?;
    let tag: HoldTag = format!("{KEEP_HOLD_PREFIX}{group}")
        .parse()
        .map_err(|error| Failure::permanent(format!("The hold cannot be named: {error}.")))?;
    zfs.hold(&tag, std::slice::from_ref(&last)).await?;
    let mut properties = marks(group, Role::Keep)?;
    for (name, value) in [("readonly", "on"), ("canmount", "noauto"), ("sharenfs", "off")] {
        properties.push(property(name, value)?);
    }
    zfs.set(&now.name, &properties).await?;
    moved(zfs, kept).await
}

/// Makes `place` go on from a snapshot of what was put aside: a clone of it, promoted, so that the history up to there
/// belongs to it.
///
/// # Errors
/// If something else is at `place`, or ZFS refuses.
pub async fn go_on_from(
    zfs: &Zfs,
    (kept, base): (&DatasetName, &SnapTag),
    place: &DatasetName,
    properties: &[Property],
) -> Result<(), Failure> {
    if listed(zfs, place).await?.is_none() {
        let base = kept.snapshot(base).map_err(|error| Failure::permanent(format!("{error}.")))?;
        zfs.clone_snapshot(&base, place, properties).await?;
    }
    // Once promoted, the clone has no origin, and its old self has one.
    if listed(zfs, place).await?.is_some_and(|now| now.origin.is_some()) {
        zfs.promote(place).await?;
    }
    Ok(())
}
