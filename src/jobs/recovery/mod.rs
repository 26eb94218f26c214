//! What a test and a failover of a group have in common: their steps, and what these work with.
//!
//! Which of the two a run is its plan says ([`RunPlan::kind`]). The checkpoint is held under the run's own tag; the replica
//! itself is never mounted, exported or attached. What goes wrong with one virtual machine is kept with it and stops none of
//! the others. The locks of hosts' mounts are not taken: boot checks may last for hours, and a host takes mounts of several
//! exports side by side.

pub(in crate::jobs) mod checks;
pub(super) mod choose;
pub(super) mod connect;
pub(super) mod ground;
mod guest;
pub(super) mod locks;
pub(super) mod make;
mod prompts;
mod questions;
mod shell;
pub(super) mod start;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::recovery_record::Record;
use super::shell_view::StandingView;
use super::targets::Targets;
use super::vcenters::Vcenters;
use crate::domain::dataset::{Guid, RUN_HOLD_PREFIX};
use crate::domain::ids::JobId;
use crate::domain::job::Failure;
use crate::domain::names::{SnapTag, SnapshotName};
use crate::domain::recovery_run::{Recovered, RunPlan, RunVmPlan};
use crate::engine::{LockName, Retry, StepContext, UndoKind};
use crate::vsphere::Client;
use crate::vsphere::verbs::NasMount;
use crate::zfs::{HoldTag, Zfs};

/// Percent of the progress of a failover that its own steps have.
const BEFORE: u8 = 25;

pub(super) const AGAIN: Retry = Retry { attempts: 3, pause: Duration::from_secs(5) };
/// Whose steps they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// A test's, or those that take one away.
    Test,
    /// A failover's, or those that take one back.
    Failover,
}

/// What the job is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInput {
    /// The test.
    #[serde(flatten)]
    pub plan: RunPlan,
    /// Only these virtual machines, by the instance UUIDs of the protected ones, in a run that is there; empty: all.
    #[serde(default)]
    pub only: Vec<String>,
}

impl RunInput {
    /// The virtual machines that are worked on.
    pub(super) fn vms(&self) -> impl Iterator<Item = &RunVmPlan> {
        self.plan.vms.iter().filter(|vm| self.only.is_empty() || self.only.contains(&vm.source_uuid))
    }
}

/// What the last run of a planned failover brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastRun {
    /// Its job.
    pub(super) job: JobId,
    /// The checkpoint's name after the `@`.
    pub(super) snapshot: SnapTag,
    /// Its GUID.
    pub(super) guid: Guid,
    /// When it was taken, by the source's clock.
    pub(super) taken_at: Timestamp,
}

/// The locks of a job with this input.
pub(super) fn locks_of_input(input: &Value) -> Result<Vec<LockName>, Failure> {
    let input = RunInput::deserialize(input)
        .map_err(|error| Failure::permanent(format!("The input could not be read: {error}.")))?;
    locks_of(&input.plan)
}

/// What is touched by a run, and by what takes it away again.
pub(super) fn locks_of(plan: &RunPlan) -> Result<Vec<LockName>, Failure> {
    let mut locks = vec![match plan.kind.is_failover() {
        true => LockName::recovery(&plan.group_id),
        false => LockName::test(&plan.group_id),
    }];
    locks.extend(plan.vms.iter().map(|vm| LockName::new_vm(&plan.dr_vcenter_id, &vm.spec.name)));
    Ok(locks)
}

/// What the steps of a run and of what takes it away work with.
pub(in crate::jobs) struct Ground {
    pub(super) whose: Whose,
    pub(super) targets: Targets,
    pub(super) vcenters: Vcenters,
}

impl Ground {
    pub(super) fn new(whose: Whose, targets: Targets, vcenters: Vcenters) -> Self {
        Self { whose, targets, vcenters }
    }

    /// Whether what stands on the clone can be taken back by the job itself. It cannot.
    fn taken_back(&self) -> UndoKind {
        UndoKind::Cannot(match self.whose {
            Whose::Test => "a test is taken away by its own cleanup, which proves that each thing is gone",
            Whose::Failover => {
                "a failover is taken back by its own rollback, which proves that each thing is gone"
            }
        })
    }

    /// A part of the progress, of the steps that both have: a failover has done others before.
    fn percent(&self, (from, to): (u8, u8)) -> (u8, u8) {
        match self.whose {
            Whose::Test => (from, to),
            Whose::Failover => (BEFORE + from - from / 4, BEFORE + to - to / 4),
        }
    }

    pub(super) fn record<'a>(&'a self, cx: &'a StepContext, plan: &RunPlan) -> Record<'a> {
        Record { cx, store: self.vcenters.store(), run: plan.run_id, source: None }
    }

    pub(super) async fn client(&self, plan: &RunPlan) -> Result<Client, Failure> {
        self.vcenters.client(plan.dr_vcenter_id).await
    }

    pub(super) async fn zfs(&self, plan: &RunPlan) -> Result<Zfs, Failure> {
        self.targets.zfs(plan.dr_target_id).await
    }

    /// What hosts mount.
    async fn mount(&self, plan: &RunPlan) -> Result<NasMount, Failure> {
        let (target, _) = self.targets.host_ref(plan.dr_target_id).await?;
        Ok(super::datastore_mounts::nfs3(target.nfs_address(), &plan.path(), &plan.datastore))
    }
}

/// The tag of the hold on a run's checkpoint.
pub(super) fn hold_tag(plan: &RunPlan) -> Result<HoldTag, Failure> {
    format!("{RUN_HOLD_PREFIX}{}", plan.run_id)
        .parse()
        .map_err(|error| Failure::permanent(format!("The hold cannot be named: {error}.")))
}

/// The checkpoint by its full name.
pub(super) fn checkpoint_of(plan: &RunPlan, chosen: &Recovered) -> Result<SnapshotName, Failure> {
    plan.replica.snapshot(&chosen.snapshot).map_err(|error| Failure::permanent(format!("{error}.")))
}

/// The clone once it is made.
pub(super) fn standing(plan: &RunPlan, chosen: &Recovered) -> Result<StandingView, Failure> {
    Ok(StandingView {
        maker: plan.maker(),
        dataset: plan.clone.clone(),
        checkpoint: checkpoint_of(plan, chosen)?,
        path: plan.path(),
        datastore: plan.datastore.clone(),
    })
}
