//! What the machines of a run stood on: unmounted on every host, no longer exported, the clone destroyed, the checkpoint let go.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{AGAIN, ANEW, CleanupInput, Ground};
use crate::domain::job::{Failure, Level};
use crate::domain::recovery_run::{RunOutcome, RunPlan, RunStep};
use crate::domain::recovery_state::Event;
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::exported::{seen_by, unshare_by};
use crate::jobs::failure::not_kept;
use crate::jobs::recovery::{checkpoint_of, hold_tag};
use crate::jobs::recovery_record::tell;
use crate::jobs::replica_key::close_unused;
use crate::zfs::Zfs;

const NONE_MADE: &str = "no clone was made";

pub(in crate::jobs) struct Unmount(pub(in crate::jobs) Arc<Ground>);

#[async_trait]
impl Step for Unmount {
    fn name(&self) -> &'static str {
        "unmount"
    }

    fn percent(&self) -> (u8, u8) {
        (60, 75)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let CleanupInput { plan } = cx.input()?;
        let unmounted = async {
            let Some(standing) = self.0.standing(&plan).await? else { return Ok(((), NONE_MADE.to_owned())) };
            let (client, server) = (self.0.client(&plan).await?, self.0.server(&plan).await?);
            standing.unmount(cx, &client, &server).await?;
            Ok(((), format!("no host of the DR vCenter has {:?} mounted", plan.datastore)))
        };
        self.0.record(cx, &plan).step(self.name(), unmounted).await?;
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        ANEW
    }
}

pub(in crate::jobs) struct Unexport(pub(in crate::jobs) Arc<Ground>);

#[async_trait]
impl Step for Unexport {
    fn name(&self) -> &'static str {
        "unexport"
    }

    fn percent(&self) -> (u8, u8) {
        (75, 82)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let CleanupInput { plan } = cx.input()?;
        let unshared = async {
            let zfs = self.0.zfs(&plan).await?;
            unshare_by(cx, &zfs, plan.maker(), (&plan.clone, &plan.path())).await?;
            Ok(((), format!("the NFS server does not export {}", plan.path())))
        };
        self.0.record(cx, &plan).step(self.name(), unshared).await?;
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        ANEW
    }
}

pub(in crate::jobs) struct DestroyClone(pub(in crate::jobs) Arc<Ground>);

impl DestroyClone {
    /// A key that was loaded for a clone which was then not made is unloaded.
    async fn close_unused(&self, cx: &StepContext, plan: &RunPlan, zfs: &Zfs) -> Result<(), Failure> {
        let steps = self.0.vcenters.store().run_steps(plan.run_id).await.map_err(not_kept)?;
        let begun = |one: &RunStep| one.source_uuid.is_none() && one.step == "clone" && one.ok != Some(true);
        match steps.iter().any(begun) {
            true => close_unused(cx, (&self.0.targets, zfs), plan.group_id, &plan.replica).await,
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Step for DestroyClone {
    fn name(&self) -> &'static str {
        "destroy_clone"
    }

    fn percent(&self) -> (u8, u8) {
        (82, 92)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let CleanupInput { plan } = cx.input()?;
        let destroyed = async {
            let zfs = self.0.zfs(&plan).await?;
            if let Some(standing) = self.0.standing(&plan).await? {
                standing.destroy(cx, &zfs).await?;
            }
            match seen_by(&zfs, &plan.clone, plan.maker()).await? {
                None => {
                    self.close_unused(cx, &plan, &zfs).await?;
                    Ok(((), format!("{} is not there", plan.clone)))
                }
                // Somebody else's was there before, and stays.
                Some((_, false)) => Ok(((), format!("{} is there, and is not this run's", plan.clone))),
                Some((_, true)) => Err(Failure::refused(format!(
                    "{} is there, and it is not known of which checkpoint it was made.",
                    plan.clone
                ))
                .advise("Look at it on the appliance, and destroy it there if nothing uses it.")),
            }
        };
        self.0.record(cx, &plan).step(self.name(), destroyed).await?;
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        ANEW
    }
}

pub(in crate::jobs) struct Release(pub(in crate::jobs) Arc<Ground>);

#[async_trait]
impl Step for Release {
    fn name(&self) -> &'static str {
        "release"
    }

    fn percent(&self) -> (u8, u8) {
        (92, 95)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let CleanupInput { plan } = cx.input()?;
        let released = async {
            let Some(chosen) = self.0.chosen(&plan).await? else {
                return Ok(((), "no checkpoint was held".to_owned()));
            };
            let (checkpoint, tag) = (checkpoint_of(&plan, &chosen)?, hold_tag(&plan)?);
            let zfs = self.0.zfs(&plan).await?;
            let one = std::slice::from_ref(&checkpoint);
            zfs.release(&tag, one).await?;
            match zfs.holds(one).await?.iter().any(|hold| hold.tag == tag.as_str()) {
                false => Ok(((), format!("{checkpoint} is not held as {tag}"))),
                true => Err(Failure::transient(format!("{checkpoint} is still held as {tag}."))),
            }
        };
        self.0.record(cx, &plan).step(self.name(), released).await?;
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        ANEW
    }
}

pub(in crate::jobs) struct Close(pub(in crate::jobs) Arc<Ground>);

#[async_trait]
impl Step for Close {
    fn name(&self) -> &'static str {
        "close"
    }

    fn percent(&self) -> (u8, u8) {
        (98, 100)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let CleanupInput { plan } = cx.input()?;
        let store = self.0.vcenters.store();
        let (outcome, told) = match plan.kind.is_failover() {
            false => {
                (RunOutcome::CleanedUp, "Everything of the test is gone, and each of it was looked for.")
            }
            true => {
                (RunOutcome::RolledBack, "Both sides are as before the failover, and each was looked at.")
            }
        };
        store.note_recovery_ended(plan.run_id, outcome, cx.now()).await.map_err(not_kept)?;
        let done = Event::Done(plan.kind.taken_back_by(), cx.job().id);
        tell(cx, store, plan.group_id, done).await?;
        cx.console(Level::Success, told);
        Ok(json!({ "run_id": plan.run_id }))
    }

    fn undo_kind(&self) -> UndoKind {
        ANEW
    }
}
