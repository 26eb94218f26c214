//! Testing a group: the plan of a test, and the job that makes it.

use serde_json::json;

use super::job_start::written;
pub use super::recovery_grounds::NamedNetworks;
use super::recovery_grounds::{clone_of, datastore_of, reason_of, refused};
use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::checkpoint::Checkpoint;
use crate::domain::ids::{GroupId, JobId, RecoveryRunId};
use crate::domain::protection_group::ProtectionGroup;
use crate::domain::recovery_run::{CheckpointWish, RecoveryRun, RunKind, RunPlan};
use crate::jobs::test_failover::{KIND, RunInput};
pub use crate::plan::test_failover::{Planned, TestWish};
use crate::plan::test_failover::{SUFFIX, test_failover};
use crate::store::RecoveryStart;

/// Fewest and most minutes until a test is cleaned up by itself: a month.
const CLEANUP_MINUTES: (u32, u32) = (1, 30 * 24 * 60);

/// A test that somebody wants.
#[derive(Debug, Clone, Default)]
pub struct TestRequest {
    /// Which checkpoint: `newest` (as none), `newest_quiesced`, a snapshot's name or its GUID.
    pub checkpoint: Option<String>,
    /// Networks and virtual machines.
    pub wish: TestWish,
    /// Minutes after which it is cleaned up by itself.
    pub cleanup_minutes: Option<u32>,
    /// Why.
    pub reason: Option<String>,
}

/// The plan of a test.
#[derive(Debug, Clone)]
pub struct TestPreview {
    /// The group.
    pub group: ProtectionGroup,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// What is to be tested.
    pub planned: Planned,
}

/// Of two tests of a group the second one waits.
fn unfinished(group: &str, run: RecoveryRunId) -> AppError {
    AppError::Conflict(format!("{group} has a test that is not cleaned up ({run}). Clean it up first."))
}

impl App {
    /// What a test would do. Nothing is changed.
    ///
    /// # Errors
    /// If there is no such group or checkpoint; [`AppError::Conflict`] if the checkpoint's virtual machines are not known.
    pub async fn test_failover_plan(
        &self,
        id: GroupId,
        request: &TestRequest,
        run: RecoveryRunId,
    ) -> Result<TestPreview, AppError> {
        let group = self.protection_group(id).await?;
        let (checkpoint, manifest) =
            self.checkpoint_to_recover(&group, request.checkpoint.as_deref()).await?;
        let grounds = self.recovery_grounds(&group, manifest, SUFFIX).await?;
        let datastore = datastore_of(RunKind::Test, run);
        let planned = test_failover(&request.wish, &grounds.facts(&datastore));
        Ok(TestPreview { group, checkpoint, planned })
    }

    /// Starts a test, if nothing stands in its way.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with everything that stands in the way; [`AppError::Conflict`] while something of another run of
    /// the group is there; or as [`Self::test_failover_plan`].
    pub async fn start_test_failover(
        &self,
        who: &Principal,
        id: GroupId,
        request: &TestRequest,
    ) -> Result<(RecoveryRunId, JobId), AppError> {
        let run = RecoveryRunId::new();
        let mut fields = Vec::new();
        if let Some(minutes) = request.cleanup_minutes {
            let (least, most) = CLEANUP_MINUTES;
            if !(least..=most).contains(&minutes) {
                let message = format!("This is {least} to {most} minutes.");
                fields.push(FieldError { field: "scheduled_cleanup_minutes", message });
            }
        }
        let reason = reason_of(request.reason.as_deref(), &mut fields);
        if !fields.is_empty() {
            return Err(AppError::Invalid { fields });
        }
        if let Some(there) = self.run_there(id, false).await? {
            let name = self.protection_group(id).await?.name;
            return Err(unfinished(&name, there.id()));
        }
        let TestPreview { group, checkpoint, planned } = self.test_failover_plan(id, request, run).await?;
        refused(planned.obstacles)?;
        let (obstacles, _) =
            self.room_on(group.dr.vcenter, "the clone of the checkpoint", &planned.hosts).await?;
        if let Some(why) = obstacles.first() {
            return Err(AppError::Conflict(why.clone()));
        }
        let target = self.target(group.dr.target).await?;
        let now = self.clock.now();
        let plan = RunPlan {
            run_id: run,
            kind: RunKind::Test,
            source: None,
            group_id: group.id,
            group_name: group.name.clone(),
            dr_vcenter_id: group.dr.vcenter,
            dr_target_id: group.dr.target,
            checkpoint: CheckpointWish::This { snapshot: checkpoint.snapshot.clone() },
            clone: clone_of(RunKind::Test, &group, now)?,
            datastore: datastore_of(RunKind::Test, run),
            nfs_clients: target.nfs_networks,
            hosts: planned.hosts,
            tiers: planned.tiers,
            vms: planned.vms,
            left_out: planned.left_out,
            power_ons: self.store.installation_settings().await?.power_ons_per_vcenter,
            reason: reason.map(str::to_owned),
            cleanup_minutes: request.cleanup_minutes,
            replica: group.dr.dataset,
        };
        let names: Vec<&str> = plan.vms.iter().map(|vm| vm.name.as_str()).collect();
        let details = json!({
            "run": run, "checkpoint": checkpoint.snapshot, "virtual_machines": names, "reason": plan.reason,
            "cleanup_minutes": plan.cleanup_minutes,
        });
        let entry = self.entry(who, "protection_group.test_failover", &group.name, Outcome::Done, details);
        let input = written(&RunInput { plan: plan.clone(), only: Vec::new() })?;
        let job = self.engine.draft(KIND, input, &who.actor())?;
        let new = RecoveryRun::new(plan, job.id, who.actor(), now);
        match self.store.start_recovery_run(&new, &job, entry).await? {
            RecoveryStart::Queued => {
                self.engine.queued(&job);
                Ok((run, job.id))
            }
            RecoveryStart::Unfinished(other) => Err(unfinished(&group.name, other)),
            RecoveryStart::NotNow(misfit) => Err(AppError::Conflict(misfit.to_string())),
        }
    }
}
