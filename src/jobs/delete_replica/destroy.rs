//! The replica itself: first its snapshots, one by one, then the empty dataset.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::look::{is_off, look, named, refused};
use super::{AGAIN, DeleteInput};
use crate::domain::dataset::Snapshot;
use crate::domain::job::{Failure, Level};
use crate::domain::names::SnapshotName;
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::delete_replica::Standing;
use crate::jobs::replicate::hold_tag;
use crate::jobs::targets::Targets;
use crate::plan::replica::Removal;
use crate::zfs::{Outcome, Zfs};

/// So many snapshots go before it is asked whether to stop.
const AT_A_TIME: usize = 20;

const FOR_GOOD: UndoKind = UndoKind::Cannot("what is destroyed does not come back");

/// What is left of what was written down; none: it is gone.
async fn left(
    cx: &StepContext,
    (targets, zfs): (&Targets, &Zfs),
    wanted: &Removal,
) -> Result<Option<Removal>, Failure> {
    let input: DeleteInput = cx.input()?;
    is_off(targets, &input).await?;
    let now = match look(zfs, input.group_id, &input.replica).await? {
        Standing::Gone => return Ok(None),
        Standing::MayNot(obstacles) => return Err(refused(cx, &input.replica, &obstacles)),
        Standing::May(now) => now,
    };
    if now.guid != wanted.guid {
        return Err(Failure::refused(format!(
            "{} is another dataset now (GUID {}, and {} was looked at), so it stays.",
            now.dataset, now.guid, wanted.guid
        ))
        .advise("Find out who made it. If it has to go too, start the deletion anew."));
    }
    let known =
        |one: &Snapshot| wanted.snapshots.iter().any(|old| old.guid == one.guid && old.tag == one.tag);
    if let Some(new) = now.snapshots.iter().find(|one| !known(one)) {
        return Err(Failure::refused(format!(
            "{}@{} came after the replica was looked at, so it and everything else that is left stays.",
            now.dataset, new.tag
        ))
        .advise("Find out where it came from. If it has to go too, start the deletion anew."));
    }
    Ok(Some(now))
}

pub(super) struct DestroySnapshots(pub(super) Arc<Targets>);

#[async_trait]
impl Step for DestroySnapshots {
    fn name(&self) -> &'static str {
        "destroy_snapshots"
    }

    fn percent(&self) -> (u8, u8) {
        (10, 75)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: DeleteInput = cx.input()?;
        let Some(wanted) = cx.need::<Option<Removal>>("look")? else { return Ok(json!({ "snapshots": 0 })) };
        let done = json!({ "snapshots": wanted.snapshots.len() });
        let zfs = self.0.zfs(input.dr_target_id).await?;
        let Some(now) = left(cx, (&self.0, &zfs), &wanted).await? else { return Ok(done) };
        if now.partial {
            // Not before: an increment that was received in part keeps the snapshot that it builds on.
            zfs.abort_receive(&now.dataset).await?;
            cx.info("Thrown away: what was received in part.");
        }
        let held: Vec<SnapshotName> =
            now.held.iter().map(|tag| named(&now.dataset, tag)).collect::<Result<_, _>>()?;
        if !held.is_empty() {
            zfs.release(&hold_tag(&input.group_id)?, &held).await?;
        }
        let (mut gone, group) = (0, input.group_id.to_string());
        for piece in now.snapshots.chunks(AT_A_TIME) {
            if cx.cancelled().is_cancelled() {
                return Err(Failure::cancelled(format!(
                    "{} of {} snapshots of {} are destroyed; the newer ones are left.",
                    gone,
                    now.snapshots.len(),
                    now.dataset
                )));
            }
            let piece: Vec<&Snapshot> = piece.iter().collect();
            for one in zfs.destroy_snapshots(&now.dataset, &group, &piece).await? {
                if let Outcome::Kept(why) = &one.outcome {
                    return Err(Failure::refused(format!(
                        "{}@{} is not destroyed: {why}. It and everything newer stays.",
                        now.dataset, one.tag
                    ))
                    .advise(
                        "Look at it on the appliance (zfs holds, zfs get clones). When it is free, retry.",
                    ));
                }
                gone += 1;
            }
            #[allow(clippy::cast_precision_loss)]
            cx.progress(gone as f64 / now.snapshots.len() as f64);
        }
        cx.info(format!("Destroyed {gone} snapshots of {}.", now.dataset));
        Ok(done)
    }

    fn undo_kind(&self) -> UndoKind {
        FOR_GOOD
    }
}

pub(super) struct DestroyDataset(pub(super) Arc<Targets>);

#[async_trait]
impl Step for DestroyDataset {
    fn name(&self) -> &'static str {
        "destroy_dataset"
    }

    fn percent(&self) -> (u8, u8) {
        (75, 85)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: DeleteInput = cx.input()?;
        let Some(wanted) = cx.need::<Option<Removal>>("look")? else { return Ok(Value::Null) };
        let zfs = self.0.zfs(input.dr_target_id).await?;
        let Some(now) = left(cx, (&self.0, &zfs), &wanted).await? else { return Ok(Value::Null) };
        if let Some(one) = now.snapshots.first() {
            return Err(Failure::refused(format!(
                "{}@{} is there again, so {} stays.",
                now.dataset, one.tag, now.dataset
            ))
            .advise("Somebody brought it back. If it has to go too, start the deletion anew."));
        }
        // `zfs` itself refuses one that has anything in it.
        zfs.destroy_empty(&now.dataset, now.guid).await?;
        match look(&zfs, input.group_id, &input.replica).await? {
            Standing::Gone => {
                cx.console(Level::Success, format!("{} is gone.", now.dataset));
                Ok(Value::Null)
            }
            _ => Err(Failure::transient(format!("{} is still there after it was destroyed.", now.dataset))),
        }
    }

    fn undo_kind(&self) -> UndoKind {
        FOR_GOOD
    }
}
