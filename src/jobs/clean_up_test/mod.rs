//! `clean_up_test`: takes away everything of a test, whatever has become of it.
//!
//! power_off → remove_vms → unmount → unexport → destroy_clone → release → close. Each on positive evidence of what came
//! before: a machine is destroyed only if it says that the run made it, after every disk was taken off it and its configuration
//! was read back; the clone only once no host has it mounted and nothing exports it. What cannot be done ends the job with the
//! reason, and the cleanup is pending: `recovery_watch` tries it again. The group's replication is not touched by any of it.

pub(super) mod ground;
pub(super) mod machines;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::recovery::{Ground, Whose, locks_of, standing};
use super::shell_view::StandingView;
use super::targets::Targets;
use super::vcenters::Vcenters;
use crate::domain::job::Failure;
use crate::domain::recovery_run::{Recovered, RunPlan};
use crate::engine::{Definition, LockName, Retry, UndoKind};
use crate::jobs::failure::not_kept;

/// The name of this kind of job.
pub const KIND: &str = "clean_up_test";

pub(super) const AGAIN: Retry = Retry { attempts: 2, pause: Duration::from_secs(5) };
/// Why no step is taken back.
pub(super) const ANEW: UndoKind =
    UndoKind::Cannot("what is taken away belongs to a run that goes; another run is made anew");

/// What the job is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanupInput {
    /// The run: a test that is cleaned up, or a failover that is rolled back.
    #[serde(flatten)]
    pub plan: RunPlan,
}

/// The definition of the job.
pub fn definition(targets: Targets, vcenters: Vcenters) -> Definition {
    let ground = Arc::new(Ground::new(Whose::Test, targets, vcenters));
    let ground = || Arc::clone(&ground);
    Definition::new(
        KIND,
        vec![
            Box::new(machines::PowerOff(ground())),
            Box::new(machines::RemoveVms(ground())),
            Box::new(ground::Unmount(ground())),
            Box::new(ground::Unexport(ground())),
            Box::new(ground::DestroyClone(ground())),
            Box::new(ground::Release(ground())),
            Box::new(ground::Close(ground())),
        ],
    )
    .with_locks(locks_of_input)
}

/// The locks of a job with this input: those of the run itself.
pub(super) fn locks_of_input(input: &Value) -> Result<Vec<LockName>, Failure> {
    let input = CleanupInput::deserialize(input)
        .map_err(|error| Failure::permanent(format!("The input could not be read: {error}.")))?;
    locks_of(&input.plan)
}

/// What a cleanup has to know beside what the test itself does.
impl Ground {
    /// The checkpoint that was chosen; none: nothing was cloned of any.
    async fn chosen(&self, plan: &RunPlan) -> Result<Option<Recovered>, Failure> {
        let run = self.vcenters.store().recovery_run(plan.run_id).await.map_err(not_kept)?;
        Ok(run.and_then(|run| run.checkpoint))
    }

    /// The clone; none: none was made.
    async fn standing(&self, plan: &RunPlan) -> Result<Option<StandingView>, Failure> {
        self.chosen(plan).await?.map(|chosen| standing(plan, &chosen)).transpose()
    }

    /// What hosts dial.
    async fn server(&self, plan: &RunPlan) -> Result<String, Failure> {
        let (target, _) = self.targets.host_ref(plan.dr_target_id).await?;
        Ok(target.nfs_address().to_owned())
    }
}
