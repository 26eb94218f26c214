//! Failing a group over: the plan of a failover, and the job that does it.

use std::str::FromStr;

use serde_json::json;

use super::job_start::written;
use super::recovery_grounds::{clone_of, datastore_of, reason_of, refused};
use super::recovery_states::{Offer, RecoveryView};
use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::checkpoint::{Checkpoint, UnknownWord};
use crate::domain::ids::{GroupId, JobId, RecoveryRunId};
use crate::domain::job::JobState;
use crate::domain::protection_group::ProtectionGroup;
use crate::domain::recovery_run::{CheckpointWish, RecoveryRun, RunKind, RunPlan, SourceSide};
use crate::jobs::failover::{KIND, RunInput};
use crate::plan::failover::{Sides, failover};
pub use crate::plan::test_failover::{Planned, TestWish as RecoveryWish};
use crate::store::RecoveryStart;

/// Fewest, usual and most seconds that a guest is given to shut down.
const SHUTDOWN_SECONDS: (u32, u32, u32) = (10, 300, 3600);

/// Whether the source goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailoverMode {
    /// Its guests are shut down first, and nothing is lost.
    Planned,
    /// It is not waited for.
    Disaster,
}

impl FailoverMode {
    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Disaster => "disaster",
        }
    }

    /// What a run of it is.
    pub fn kind(self) -> RunKind {
        match self {
            Self::Planned => RunKind::PlannedFailover,
            Self::Disaster => RunKind::DisasterFailover,
        }
    }
}

impl FromStr for FailoverMode {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let all = [Self::Planned, Self::Disaster];
        all.into_iter().find(|one| one.as_str() == text).ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// A failover that somebody wants.
#[derive(Debug, Clone)]
pub struct FailoverRequest {
    /// Whether the source goes along.
    pub mode: FailoverMode,
    /// Of a disaster failover, which checkpoint: `newest` (as none), `newest_quiesced`, a snapshot's name or its GUID.
    pub checkpoint: Option<String>,
    /// Networks.
    pub wish: RecoveryWish,
    /// Why.
    pub reason: Option<String>,
    /// Of a planned one: how many seconds a guest is given to shut down.
    pub shutdown_seconds: Option<u32>,
    /// Of a planned one: whether a guest that has not is powered off then.
    pub then_power_off: Option<bool>,
    /// The group's name, typed.
    pub confirm: String,
}

impl FailoverRequest {
    /// One of which nothing but the mode is said.
    pub fn new(mode: FailoverMode) -> Self {
        Self {
            mode,
            checkpoint: None,
            wish: RecoveryWish::default(),
            reason: None,
            shutdown_seconds: None,
            then_power_off: None,
            confirm: String::new(),
        }
    }
}

/// The plan of a failover.
#[derive(Debug, Clone)]
pub struct FailoverPreview {
    /// The group.
    pub group: ProtectionGroup,
    /// The checkpoint; in a planned failover the newest as yet, which the last run replaces.
    pub checkpoint: Checkpoint,
    /// What is to be recovered.
    pub planned: Planned,
}

/// The offer of the verb.
pub fn offer_of(view: &RecoveryView, mode: FailoverMode) -> Option<&Offer> {
    view.offers.iter().find(|offer| offer.verb == mode.kind().verb())
}

/// Of two failovers of a group there is one.
fn unfinished(group: &str, run: RecoveryRunId) -> AppError {
    AppError::Conflict(format!(
        "{group} has a failover already, at /recovery-runs/{run}. Nothing else was begun. Look at it there: what failed of it is \
         tried again, or all of it rolled back."
    ))
}

/// The seconds and whether power is cut then, or what is wrong with them.
fn shutdown(request: &FailoverRequest, fields: &mut Vec<FieldError>) -> (u32, bool) {
    let (least, usual, most) = SHUTDOWN_SECONDS;
    let seconds = request.shutdown_seconds.unwrap_or(usual);
    if request.mode == FailoverMode::Disaster {
        let said = [
            ("shutdown_seconds", request.shutdown_seconds.is_some()),
            ("then_power_off", request.then_power_off.is_some()),
        ];
        for (field, _) in said.into_iter().filter(|(_, said)| *said) {
            let message =
                "A disaster failover does not touch the source: nothing is shut down there.".to_owned();
            fields.push(FieldError { field, message });
        }
    } else if !(least..=most).contains(&seconds) {
        let message = format!("This is {least} to {most} seconds.");
        fields.push(FieldError { field: "shutdown_seconds", message });
    }
    (seconds, request.then_power_off.unwrap_or(true))
}

impl App {
    /// What a failover would do. Nothing is changed.
    ///
    /// # Errors
    /// If there is no such group or checkpoint; [`AppError::Invalid`] if a planned one names a checkpoint;
    /// [`AppError::Conflict`] if the checkpoint's virtual machines are not known.
    pub async fn failover_plan(
        &self,
        id: GroupId,
        request: &FailoverRequest,
        run: RecoveryRunId,
    ) -> Result<FailoverPreview, AppError> {
        let group = self.protection_group(id).await?;
        let planned = request.mode == FailoverMode::Planned;
        let named = request.checkpoint.as_deref().map(str::trim).filter(|text| !text.is_empty());
        if planned && named.is_some_and(|text| text != "newest") {
            return Err(AppError::invalid(
                "checkpoint",
                "A planned failover takes the checkpoint of its own last run, so that nothing is lost. Leave this out, or choose \
                 a disaster failover to go back to an older one.",
            ));
        }
        let (checkpoint, manifest) = self.checkpoint_to_recover(&group, named).await?;
        let grounds = self.recovery_grounds(&group, manifest, "").await?;
        let sides = Sides {
            planned,
            same_vcenter: group.source.vcenter == group.dr.vcenter,
            members: &grounds.sides,
        };
        let datastore = datastore_of(request.mode.kind(), run);
        let planned = failover(&request.wish, &grounds.facts(&datastore), &sides);
        Ok(FailoverPreview { group, checkpoint, planned })
    }

    /// The failover that stands in the way of another one of this mode. A planned one that stopped before it recovered anything
    /// gives way to one after a disaster, for which it may have stopped.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn failover_there(
        &self,
        id: GroupId,
        mode: FailoverMode,
    ) -> Result<Option<RecoveryRun>, AppError> {
        let Some(run) = self.run_there(id, true).await? else { return Ok(None) };
        let is_untouched = run.checkpoint.is_none() && run.cleanup_job.is_none();
        if mode == FailoverMode::Disaster && run.plan.kind == RunKind::PlannedFailover && is_untouched {
            let job = self.store.job(run.job).await?;
            let works = |state| matches!(state, JobState::Queued | JobState::Running | JobState::Cancelling);
            return Ok(Some(run).filter(|_| job.is_some_and(|job| works(job.state))));
        }
        Ok(Some(run))
    }

    /// Starts a failover, if nothing stands in its way.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with everything that stands in the way; [`AppError::Conflict`] if it may not be begun as the group
    /// stands; or as [`Self::failover_plan`].
    pub async fn start_failover(
        &self,
        who: &Principal,
        id: GroupId,
        request: &FailoverRequest,
    ) -> Result<(RecoveryRunId, JobId), AppError> {
        let view = self.recovery_state(id).await?;
        let (run, kind, mut fields) = (RecoveryRunId::new(), request.mode.kind(), Vec::new());
        if let Some(there) = self.failover_there(id, request.mode).await? {
            return Err(unfinished(&view.group.name, there.id()));
        }
        if let Some(why) = offer_of(&view, request.mode).and_then(|offer| offer.why_not.as_ref()) {
            return Err(AppError::Conflict(why.clone()));
        }
        if request.confirm.trim() != view.group.name {
            let message =
                format!("This is not the group's name. Type {} exactly as it stands here.", view.group.name);
            fields.push(FieldError { field: "confirm", message });
        }
        let reason = reason_of(request.reason.as_deref(), &mut fields);
        if reason.is_none() && request.mode == FailoverMode::Disaster {
            let message = "A disaster failover needs a reason: it stands in the report and in the audit log."
                .to_owned();
            fields.push(FieldError { field: "reason", message });
        }
        let (shutdown_seconds, then_power_off) = shutdown(request, &mut fields);
        if !fields.is_empty() {
            return Err(AppError::Invalid { fields });
        }
        let FailoverPreview { group, checkpoint, planned } = self.failover_plan(id, request, run).await?;
        refused(planned.obstacles)?;
        let (obstacles, _) =
            self.room_on(group.dr.vcenter, "the clone of the checkpoint", &planned.hosts).await?;
        if let Some(why) = obstacles.first() {
            return Err(AppError::Conflict(why.clone()));
        }
        let target = self.target(group.dr.target).await?;
        let now = self.clock.now();
        let is_planned = request.mode == FailoverMode::Planned;
        let plan = RunPlan {
            run_id: run,
            kind,
            group_id: group.id,
            group_name: group.name.clone(),
            source: is_planned.then(|| SourceSide {
                vcenter_id: group.source.vcenter,
                target_id: group.source.target,
                dataset: group.source.dataset.clone(),
                shutdown_seconds,
                then_power_off,
            }),
            dr_vcenter_id: group.dr.vcenter,
            dr_target_id: group.dr.target,
            checkpoint: match is_planned {
                true => CheckpointWish::Newest,
                false => CheckpointWish::This { snapshot: checkpoint.snapshot.clone() },
            },
            clone: clone_of(kind, &group, now)?,
            datastore: datastore_of(kind, run),
            nfs_clients: target.nfs_networks,
            hosts: planned.hosts,
            tiers: planned.tiers,
            vms: planned.vms,
            left_out: planned.left_out,
            power_ons: self.store.installation_settings().await?.power_ons_per_vcenter,
            reason: reason.map(str::to_owned),
            cleanup_minutes: None,
            replica: group.dr.dataset,
        };
        let names: Vec<&str> = plan.vms.iter().map(|vm| vm.name.as_str()).collect();
        let details = json!({
            "run": run, "mode": request.mode.as_str(), "virtual_machines": names, "reason": plan.reason,
            "checkpoint": (!is_planned).then_some(&checkpoint.snapshot),
            "shutdown_seconds": plan.source.as_ref().map(|side| side.shutdown_seconds),
            "then_power_off": plan.source.as_ref().map(|side| side.then_power_off),
        });
        let entry = self.entry(who, "protection_group.failover", &group.name, Outcome::Done, details);
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

    /// Begins to roll back the failover of a group, or goes on with a rollback that stopped short.
    ///
    /// # Errors
    /// [`AppError::Conflict`] if the group has no failover that is not ended; or as [`Self::roll_back`].
    pub async fn roll_back_group(
        &self,
        who: &Principal,
        id: GroupId,
        confirm: &str,
    ) -> Result<(RecoveryRunId, JobId), AppError> {
        let group = self.protection_group(id).await?;
        let Some(run) = self.run_there(id, true).await? else {
            return Err(AppError::Conflict(format!(
                "{} is not failed over: there is nothing to roll back, and nothing was done.",
                group.name
            )));
        };
        Ok((run.id(), self.roll_back(who, run.id(), confirm).await?))
    }
}
