//! What is at the replica's place, judged.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::DeleteInput;
use crate::domain::ids::{GroupId, TargetId};
use crate::domain::job::{Failure, Level};
use crate::domain::names::{DatasetName, SnapTag, SnapshotName};
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::failure::{not_kept, recorded};
use crate::jobs::targets::Targets;
use crate::plan::obstacles::Obstacle;
use crate::plan::replica::{Facts, Removal, removal};
use crate::zfs::Zfs;
use crate::zfs::verbs::Depth;

/// What is at the replica's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing, in a pool that is there.
    Gone,
    /// A replica that may go whole.
    May(Removal),
    /// What forbids it.
    MayNot(Vec<Obstacle>),
}

/// Looks at the replica of a group. Changes nothing.
///
/// # Errors
/// If the appliance cannot be used or reached, or its pool is not there.
pub async fn standing(
    targets: &Targets,
    target: TargetId,
    group: GroupId,
    replica: &DatasetName,
) -> Result<Standing, Failure> {
    look(&targets.zfs(target).await?, group, replica).await
}

pub(super) async fn look(zfs: &Zfs, group: GroupId, replica: &DatasetName) -> Result<Standing, Failure> {
    let listing = zfs.survey(std::slice::from_ref(replica), Depth::One).await?;
    let Some(dataset) = listing.datasets.iter().find(|one| one.name == *replica) else {
        pool_is_there(zfs, replica).await?;
        return Ok(Standing::Gone);
    };
    let held = dataset.snapshots.iter().filter(|one| one.holds > 0);
    let held: Vec<SnapshotName> = held.map(|one| named(replica, &one.tag)).collect::<Result<_, _>>()?;
    let holds = if held.is_empty() { Vec::new() } else { zfs.holds(&held).await? };
    let holds: Vec<(SnapTag, String)> =
        holds.into_iter().map(|hold| (hold.snapshot.tag().clone(), hold.tag)).collect();
    let exports = exported(zfs, replica).await;
    let facts = Facts {
        group,
        replica: dataset,
        children: listing.children.get(replica).map(Vec::as_slice).unwrap_or_default(),
        unreadable: &listing.unreadable_names,
        holds: &holds,
        exports: &exports,
    };
    Ok(match removal(&facts) {
        Ok(removal) => Standing::May(removal),
        Err(obstacles) => Standing::MayNot(obstacles),
    })
}

/// That a dataset is not listed says nothing while its pool is not imported.
pub(super) async fn pool_is_there(zfs: &Zfs, dataset: &DatasetName) -> Result<(), Failure> {
    let pool: DatasetName =
        dataset.pool().parse().map_err(|error| Failure::permanent(format!("{error}.")))?;
    if zfs.exists(&pool).await? {
        return Ok(());
    }
    Err(Failure::transient(format!("The pool {pool} is not there, so nothing can be said of {dataset}."))
        .advise("Import it on the appliance (zpool import), then retry."))
}

/// The paths of the dataset that are exported. Where there is no NFS server, nothing is.
async fn exported(zfs: &Zfs, replica: &DatasetName) -> Vec<String> {
    let browsed = zfs.browse(replica).await.unwrap_or_default();
    let path = browsed.into_iter().find(|one| one.name == *replica).and_then(|one| one.mountpoint);
    let Some(path) = path.filter(|path| path.starts_with('/')) else { return Vec::new() };
    let mut all: Vec<String> =
        zfs.exports().await.unwrap_or_default().into_iter().map(|one| one.path).collect();
    all.retain(|one| *one == path);
    all.dedup();
    all
}

pub(super) fn named(dataset: &DatasetName, tag: &SnapTag) -> Result<SnapshotName, Failure> {
    let name = dataset.snapshot(tag);
    name.map_err(|error| Failure::permanent(format!("A snapshot of {dataset} cannot be named: {error}.")))
}

/// That the group is off since this was asked for. A job that failed may be run again long afterwards: by then the group may be
/// on again, and its replica wanted.
pub(super) async fn is_off(targets: &Targets, input: &DeleteInput) -> Result<(), Failure> {
    let group = targets.store().protection_group(input.group_id).await.map_err(not_kept)?;
    if group.is_none_or(|group| !group.enabled) {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "The group {:?} was switched on again, so {} stays.",
        input.name, input.replica
    ))
    .advise("If both have to go, delete the group with its replica anew, from its page."))
}

/// All that forbids it, in one failure.
pub(super) fn refused(cx: &StepContext, replica: &DatasetName, obstacles: &[Obstacle]) -> Failure {
    for one in obstacles {
        cx.console(Level::Warn, format!("{}: {} {}", one.object, one.why, one.advice));
    }
    let Some(first) = obstacles.first() else { return Failure::permanent("Nothing forbids it.".to_owned()) };
    let more = match obstacles.len() {
        1 => String::new(),
        count => format!(" {} more stand in the way: they are on the console.", count - 1),
    };
    Failure::refused(format!("{replica} is not destroyed. {}: {}{more}", first.object, first.why))
        .advise(format!("{} Then retry. Everything that is there now stays until you do.", first.advice))
}

pub(super) struct Look(pub(super) Arc<Targets>);

#[async_trait]
impl Step for Look {
    fn name(&self) -> &'static str {
        "look"
    }

    fn percent(&self) -> (u8, u8) {
        (0, 10)
    }

    fn retry(&self) -> crate::engine::Retry {
        super::AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: DeleteInput = cx.input()?;
        is_off(&self.0, &input).await?;
        match standing(&self.0, input.dr_target_id, input.group_id, &input.replica).await? {
            Standing::Gone => {
                cx.info(format!("{} is not there any more.", input.replica));
                Ok(Value::Null)
            }
            Standing::MayNot(obstacles) => Err(refused(cx, &input.replica, &obstacles)),
            Standing::May(removal) => {
                cx.info(format!(
                    "{} (GUID {}) is the replica of this group and goes, with {} snapshots and {} bytes. Nobody else holds \
                     it, nothing was cloned from it, it has no datasets below, is not mounted and not exported.",
                    removal.dataset,
                    removal.guid,
                    removal.snapshots.len(),
                    removal.bytes
                ));
                for one in &removal.snapshots {
                    let held = if removal.held.contains(&one.tag) { ", held by this group" } else { "" };
                    cx.info(format!("Goes: {}@{} (GUID {}{held})", removal.dataset, one.tag, one.guid));
                }
                if removal.partial {
                    cx.info("Goes: what was received in part.");
                }
                recorded(removal)
            }
        }
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("it only looks")
    }
}
