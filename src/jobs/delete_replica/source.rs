//! What the group put on the live dataset at the source: its hold, its bookmarks, its marks, and, if that was asked for, its
//! snapshots. The data, and everything of others, stays.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::look::{named, pool_is_there};
use super::{AGAIN, DeleteInput};
use crate::domain::dataset::{Dataset, Owner, PROPERTY_GROUP, PROPERTY_ROLE, Snapshot};
use crate::domain::epoch::PROPERTY_EPOCH;
use crate::domain::job::{Failure, Level};
use crate::domain::names::{BookmarkName, SnapshotName};
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;
use crate::jobs::replicate::{hold_tag, prefix};
use crate::jobs::targets::Targets;
use crate::zfs::{Outcome, PropertyName, Zfs};

/// The snapshots that are to go, by the look right before.
#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    snapshots: Vec<Snapshot>,
}

pub(super) struct LetGoAtSource(pub(super) Arc<Targets>);

impl LetGoAtSource {
    async fn seen(&self, input: &DeleteInput) -> Result<(Zfs, Option<Dataset>), Failure> {
        let zfs = self.0.zfs(input.source_target_id).await.map_err(|failure| {
            let why = failure.advice.clone().unwrap_or_default();
            failure.advise(format!(
                "{why} The replica is gone; what is left is the group's hold and its bookmarks at the source. Retry when the \
                 source appliance answers. If it never will, delete the group without its replica."
            ))
        })?;
        let found = zfs.datasets(std::slice::from_ref(&input.source_dataset), false).await?;
        let found = found.into_iter().find(|one| one.name == input.source_dataset);
        if found.is_none() {
            pool_is_there(&zfs, &input.source_dataset).await?;
        }
        Ok((zfs, found))
    }
}

#[async_trait]
impl Step for LetGoAtSource {
    fn name(&self) -> &'static str {
        "let_go_at_source"
    }

    fn percent(&self) -> (u8, u8) {
        (85, 97)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let input: DeleteInput = cx.input()?;
        let mut snapshots = Vec::new();
        if input.source_snapshots
            && let (_, Some(dataset)) = self.seen(&input).await?
        {
            let own = Owner::Zerfaux(input.group_id.to_string());
            snapshots.extend(dataset.snapshots.into_iter().filter(|one| one.owner == own));
        }
        recorded(Intent { snapshots })
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let input: DeleteInput = cx.input()?;
        let Intent { snapshots } = Intent::deserialize(intent).map_err(|error| {
            Failure::permanent(format!("The recorded list of snapshots could not be read: {error}."))
        })?;
        let (zfs, found) = self.seen(&input).await?;
        let Some(dataset) = found else {
            cx.warn(format!(
                "{} is not there any more, so nothing is let go of there.",
                input.source_dataset
            ));
            return Ok(json!({ "source_snapshots": 0 }));
        };
        let held = dataset.snapshots.iter().filter(|one| one.holds > 0);
        let held: Vec<SnapshotName> =
            held.map(|one| named(&dataset.name, &one.tag)).collect::<Result<_, _>>()?;
        let tag = hold_tag(&input.group_id)?;
        let holds = if held.is_empty() { Vec::new() } else { zfs.holds(&held).await? };
        let own: Vec<SnapshotName> =
            holds.into_iter().filter(|one| one.tag == tag.as_str()).map(|one| one.snapshot).collect();
        zfs.release(&tag, &own).await?;
        let prefix = prefix(&input.group_id);
        let ours = dataset.bookmarks.iter().filter(|one| one.tag.as_str().starts_with(&prefix));
        let ours: Vec<BookmarkName> = ours.filter_map(|one| dataset.name.bookmark(&one.tag).ok()).collect();
        zfs.destroy_bookmarks(&ours).await?;
        cx.info(format!("{} is held by this group no more, and has no bookmark of it.", dataset.name));
        let mut gone = 0;
        let list: Vec<&Snapshot> = snapshots.iter().collect();
        for one in zfs.destroy_snapshots(&dataset.name, &input.group_id.to_string(), &list).await? {
            match &one.outcome {
                Outcome::Kept(why) => cx.warn(format!("{}@{} stays: {why}.", dataset.name, one.tag)),
                Outcome::Destroyed | Outcome::Gone => gone += 1,
            }
        }
        if !snapshots.is_empty() {
            cx.info(format!("Destroyed {gone} of the group's snapshots of {}.", dataset.name));
        }
        // Last: while it says so, it is known what this job has still to let go of.
        if dataset.group.as_deref() == Some(&*input.group_id.to_string()) {
            for property in [PROPERTY_ROLE, PROPERTY_EPOCH, PROPERTY_GROUP] {
                let name: PropertyName =
                    property.parse().map_err(|error| Failure::permanent(format!("{error}.")))?;
                zfs.inherit(&dataset.name, &name).await?;
            }
        }
        cx.console(
            Level::Success,
            format!("{} and the virtual machines on it are as they were.", dataset.name),
        );
        Ok(json!({ "source_snapshots": gone }))
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Cannot("without the replica there is nothing to hold for")
    }
}
