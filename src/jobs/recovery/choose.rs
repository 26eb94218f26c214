//! Which checkpoint, and the hold that keeps it.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{AGAIN, Ground, LastRun, RunInput, Whose, checkpoint_of, hold_tag};
use crate::domain::checkpoint::{Checkpoint, CheckpointKind};
use crate::domain::dataset::{Dataset, Owner, Snapshot};
use crate::domain::job::{Failure, Level};
use crate::domain::recovery_run::{CheckpointWish, Recovered, RecoveryRun, RunPlan};
use crate::domain::recovery_state::Event;
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::create_dr_shell::intended;
use crate::jobs::failure::{not_kept, recorded};
use crate::jobs::recovery_record::tell;
use crate::jobs::replica_key::root_to_open;

pub(in crate::jobs) struct ChooseCheckpoint(pub(in crate::jobs) Arc<Ground>);

/// Which one. `last`: the one that the last run of a planned failover brought, and no other.
fn choose(
    plan: &RunPlan,
    last: Option<&LastRun>,
    replica: &Dataset,
    known: &[Checkpoint],
) -> Result<Recovered, Failure> {
    let group = Owner::Zerfaux(plan.group_id.to_string());
    let quality = |one: &Snapshot| known.iter().find(|known| known.guid == one.guid).map(|known| known.kind);
    // The last one is the newest.
    let mut own = replica.snapshots.iter().rev().filter(|one| one.owner == group);
    let (found, what) = match (last, &plan.checkpoint) {
        (Some(last), _) => (
            own.find(|one| one.guid == last.guid && one.tag == last.snapshot),
            format!("no checkpoint {} of the last run", last.snapshot),
        ),
        (None, CheckpointWish::Newest) => (own.next(), "no checkpoint of this group yet".to_owned()),
        (None, CheckpointWish::NewestQuiesced) => (
            own.find(|one| quality(one) == Some(CheckpointKind::Quiesced)),
            "no checkpoint whose guests all were at rest".to_owned(),
        ),
        (None, CheckpointWish::This { snapshot }) => {
            (own.find(|one| one.tag == *snapshot), format!("no checkpoint {snapshot} of this group"))
        }
    };
    let found = found.ok_or_else(|| {
        Failure::permanent(format!("{} has {what}.", replica.name))
            .advise("Look at the checkpoints of the group, and choose one that is there.")
    })?;
    Ok(Recovered {
        snapshot: found.tag.clone(),
        guid: found.guid,
        taken_at: found.created_at,
        quality: quality(found),
    })
}

#[async_trait]
impl Step for ChooseCheckpoint {
    fn name(&self) -> &'static str {
        "choose_checkpoint"
    }

    fn percent(&self) -> (u8, u8) {
        self.0.percent((0, 3))
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let RunInput { plan, .. } = cx.input()?;
        let last: Option<LastRun> = cx.output::<Option<LastRun>>("last_run")?.flatten();
        let store = self.0.vcenters.store();
        let run = store.recovery_run(plan.run_id).await.map_err(not_kept)?;
        if let Some(chosen) = run.and_then(|run| run.checkpoint) {
            return recorded(chosen);
        }
        let zfs = self.0.zfs(&plan).await?;
        let seen = zfs.datasets(std::slice::from_ref(&plan.replica), false).await?;
        let replica = seen.into_iter().find(|one| one.name == plan.replica).ok_or_else(|| {
            Failure::permanent(format!("The replica {} is not on the DR appliance.", plan.replica))
                .advise("Replicate the group once, then try again.")
        })?;
        // Said before anything is held, let alone made.
        root_to_open(&self.0.targets, plan.group_id, &replica).await?;
        let known = store.checkpoints(plan.group_id, false).await.map_err(not_kept)?;
        recorded(choose(&plan, last.as_ref(), &replica, &known)?)
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let RunInput { plan, only } = cx.input()?;
        let chosen: Recovered = intended(intent)?;
        let store = self.0.vcenters.store();
        let job = cx.job();
        let run = RecoveryRun::new(plan.clone(), job.id, job.created_by.clone(), job.created_at);
        store.ensure_recovery_run(&run).await.map_err(not_kept)?;
        store.note_recovered(plan.run_id, &chosen).await.map_err(not_kept)?;
        if only.is_empty() {
            tell(cx, store, plan.group_id, Event::Started(plan.kind.verb(), job.id)).await?;
        }
        let checkpoint = checkpoint_of(&plan, &chosen)?;
        let held = async {
            let zfs = self.0.zfs(&plan).await?;
            let tag = hold_tag(&plan)?;
            zfs.hold(&tag, std::slice::from_ref(&checkpoint)).await?;
            Ok(((), format!("{checkpoint}, taken at {}, is held as {tag}", chosen.taken_at)))
        };
        self.0.record(cx, &plan).step(self.name(), held).await?;
        cx.console(Level::Success, format!("{checkpoint} is recovered, and held for {}.", plan.kind.verb()));
        recorded(chosen)
    }

    fn undo_kind(&self) -> UndoKind {
        match self.0.whose {
            Whose::Test => self.0.taken_back(),
            Whose::Failover => UndoKind::Undoes,
        }
    }

    /// Of a failover of which nothing is cloned yet: the checkpoint is let go.
    async fn undo(&self, cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        let RunInput { plan, only } = cx.input()?;
        if !only.is_empty() {
            return Ok(());
        }
        let chosen: Recovered = intended(intent)?;
        let (checkpoint, tag) = (checkpoint_of(&plan, &chosen)?, hold_tag(&plan)?);
        let released = async {
            let zfs = self.0.zfs(&plan).await?;
            Ok::<_, Failure>(zfs.release(&tag, std::slice::from_ref(&checkpoint)).await?)
        };
        if let Err(failure) = released.await {
            // Bringing the source back comes next, and must not wait for the appliance of the other site.
            cx.warn(format!(
                "{checkpoint} could not be let go: {} It stays held as {tag}; release it on the appliance with \
                 zfs release {tag} {checkpoint}.",
                failure.message
            ));
        }
        self.0.vcenters.store().forget_recovered(plan.run_id).await.map_err(not_kept)
    }
}
