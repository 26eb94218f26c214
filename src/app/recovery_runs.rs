//! Recoveries: how each stands, a person's verdict, and taking a test away again.

use std::collections::HashMap;

use serde_json::json;

use super::{App, AppError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::dataset::Guid;
use crate::domain::ids::{GroupId, JobId, RecoveryRunId};
use crate::domain::job::{Failure, Job, JobState};
pub use crate::domain::recovery_run::{
    Judged, LeftOut, PromptAnswer, Recovered, RecoveryRun, RunOutcome, RunPlan, RunStep, RunVm, RunVmState,
    Verdict,
};
use crate::jobs::failover;
use crate::jobs::recovery_watch::{self, start};
use crate::jobs::test_failover::{KIND, RunInput};
pub use crate::store::Tested;

use super::job_start::Beside;

/// The longest remarks.
const MOST_REMARKS: usize = 4000;

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunPhase {
    /// It is being made.
    Starting,
    /// It could not be made.
    Failed,
    /// It runs, and a person is to say what it is worth.
    AwaitingVerdict,
    /// It runs, and a person has said so.
    Judged,
    /// It is being taken away.
    CleaningUp,
    /// It could not be taken away yet.
    CleanupPending,
    /// Nothing of it is there any more.
    CleanedUp,
}

impl RunPhase {
    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Failed => "failed",
            Self::AwaitingVerdict => "awaiting_verdict",
            Self::Judged => "judged",
            Self::CleaningUp => "cleaning_up",
            Self::CleanupPending => "cleanup_pending",
            Self::CleanedUp => "cleaned_up",
        }
    }
}

/// A run with everything that a report needs.
#[derive(Debug, Clone)]
pub struct RunView {
    /// It.
    pub run: RecoveryRun,
    /// Its virtual machines.
    pub vms: Vec<RunVm>,
    /// What was done.
    pub steps: Vec<RunStep>,
    /// What people confirmed in it.
    pub answers: Vec<PromptAnswer>,
    /// The job that makes it, if it is still known.
    pub job: Option<Job>,
    /// The job that takes it away.
    pub cleanup: Option<Job>,
}

impl RunView {
    /// How it stands.
    pub fn phase(&self) -> RunPhase {
        if self.run.cleaned_at.is_some() {
            return RunPhase::CleanedUp;
        }
        if self.run.cleanup_job.is_some() {
            let goes_on = self.cleanup.as_ref().is_some_and(|job| !job.state.is_final());
            return if goes_on { RunPhase::CleaningUp } else { RunPhase::CleanupPending };
        }
        let goes_on = self.job.as_ref().is_some_and(|job| !job.state.is_final());
        match (goes_on, self.run.up_at, &self.run.verdict) {
            (true, None, _) => RunPhase::Starting,
            (_, Some(_), None) => RunPhase::AwaitingVerdict,
            (_, Some(_), Some(_)) => RunPhase::Judged,
            (false, None, _) => RunPhase::Failed,
        }
    }

    /// The word in the API: that of its phase, but that a failover is rolled back, or committed.
    pub fn phase_word(&self) -> &'static str {
        let phase = self.phase();
        if !self.run.plan.kind.is_failover() {
            return phase.as_str();
        }
        match phase {
            RunPhase::CleaningUp => "rolling_back",
            RunPhase::CleanupPending => "rollback_stopped",
            RunPhase::CleanedUp => self.run.outcome.map_or("rolled_back", |outcome| outcome.as_str()),
            other => other.as_str(),
        }
    }

    /// Why it failed, or why its cleanup is pending.
    pub fn failure(&self) -> Option<&Failure> {
        match self.phase() {
            RunPhase::Failed => self.job.as_ref()?.failure.as_ref(),
            RunPhase::CleanupPending => self.cleanup.as_ref()?.failure.as_ref(),
            // A failover that gave up and took back by itself what it had begun.
            RunPhase::CleanedUp if self.run.cleanup_job.is_none() => self.job.as_ref()?.failure.as_ref(),
            _ => None,
        }
    }
}

impl App {
    /// A run with everything that a report needs.
    ///
    /// # Errors
    /// If there is none with this id.
    pub async fn recovery_run(&self, id: RecoveryRunId) -> Result<RunView, AppError> {
        let run = self.store.recovery_run(id).await?;
        let run = run.ok_or_else(|| AppError::NotFound(format!("there is no recovery run {id}")))?;
        self.run_view(run).await
    }

    async fn run_view(&self, run: RecoveryRun) -> Result<RunView, AppError> {
        let cleanup = match run.cleanup_job {
            Some(job) => self.store.job(job).await?,
            None => None,
        };
        Ok(RunView {
            vms: self.store.run_vms(run.id()).await?,
            steps: self.store.run_steps(run.id()).await?,
            answers: self.store.prompt_answers(run.id()).await?,
            job: self.store.job(run.job).await?,
            cleanup,
            run,
        })
    }

    /// The runs, of one group or of all, newest first.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn recovery_runs(&self, group: Option<GroupId>) -> Result<Vec<RunView>, AppError> {
        let mut all = Vec::new();
        for run in self.store.recovery_runs(group).await? {
            all.push(self.run_view(run).await?);
        }
        Ok(all)
    }

    /// Which checkpoints of a group were tested, by their GUIDs.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn tested_checkpoints(&self, group: GroupId) -> Result<HashMap<Guid, Tested>, AppError> {
        Ok(self.store.tested_checkpoints(group).await?)
    }

    /// Keeps what a person says of a test, also after it was taken away.
    ///
    /// # Errors
    /// If there is no such run; [`AppError::Conflict`] before it ran; [`AppError::Invalid`] if the remarks are too long.
    pub async fn judge_recovery(
        &self,
        who: &Principal,
        id: RecoveryRunId,
        verdict: Verdict,
        remarks: Option<&str>,
    ) -> Result<RunView, AppError> {
        let view = self.recovery_run(id).await?;
        if view.phase() == RunPhase::Starting {
            return Err(AppError::Conflict("It is still being started. Judge it when it runs.".to_owned()));
        }
        let remarks = remarks.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        if remarks.as_ref().is_some_and(|text| text.chars().count() > MOST_REMARKS) {
            return Err(AppError::invalid(
                "remarks",
                format!("These are {MOST_REMARKS} characters at most."),
            ));
        }
        let details = json!({
            "group": view.run.plan.group_name, "verdict": verdict.as_str(), "remarks": remarks,
        });
        let entry = self.entry(who, "recovery_run.judge", id.to_string(), Outcome::Done, details);
        let judged = Judged { verdict, remarks, by: who.actor(), at: self.clock.now() };
        self.store.judge_recovery(id, &judged, entry).await?;
        self.recovery_run(id).await
    }

    /// Begins to take a test away, or tries again at once what could not be done. A test that is still being started is asked to
    /// stop first.
    ///
    /// # Errors
    /// If there is no such run; [`AppError::Conflict`] if nothing of it is left.
    pub async fn clean_up_recovery(&self, who: &Principal, id: RecoveryRunId) -> Result<JobId, AppError> {
        let view = self.recovery_run(id).await?;
        if view.run.plan.kind.is_failover() {
            return Err(AppError::Conflict(format!(
                "This is a failover, whose machines are the group's own: it is rolled back, at /protection-groups/{}/rollback.",
                view.run.plan.group_id
            )));
        }
        let gone = || AppError::Conflict("Everything of this test is gone already.".to_owned());
        if view.phase() == RunPhase::CleanedUp {
            return Err(gone());
        }
        let details = json!({ "group": view.run.plan.group_name, "phase": view.phase().as_str() });
        let entry = self.entry(who, "recovery_run.clean_up", id.to_string(), Outcome::Done, details);
        if view.run.cleanup_job.is_none() {
            for job in self.test_jobs(id).await? {
                // One that has just ended need not be stopped.
                if let Err(error) = self.engine.cancel(job.id).await {
                    tracing::debug!(%error, "a test that is cleaned up was not stopped");
                }
            }
            let audit = Some(entry.clone());
            if start(&self.store, &self.engine, &view.run, &who.actor(), audit).await? {
                let begun = self.recovery_run(id).await?;
                return begun.run.cleanup_job.ok_or_else(gone);
            }
        }
        // It has one: what failed is tried again now.
        let view = self.recovery_run(id).await?;
        let job = view.run.cleanup_job.ok_or_else(gone)?;
        let state = view.cleanup.as_ref().map(|job| job.state);
        if matches!(state, Some(JobState::Failed | JobState::Cancelled | JobState::Interrupted)) {
            self.store.append_audit(entry).await?;
            self.store.note_cleanup_pending(id, view.run.cleanup_tries, None).await?;
            self.engine.retry(job).await?;
        }
        self.reconcilers.wake(recovery_watch::NAME);
        Ok(job)
    }

    /// The unfinished jobs that make a run or mend one of its virtual machines.
    async fn test_jobs(&self, id: RecoveryRunId) -> Result<Vec<Job>, AppError> {
        let id = id.to_string();
        let all = self.store.unfinished_of(KIND).await?;
        Ok(all.into_iter().filter(|job| job.input["run_id"] == *id).collect())
    }

    /// Tries a virtual machine of a run again that failed, by the instance UUID of the protected one.
    ///
    /// # Errors
    /// If there is no such run or machine; [`AppError::Conflict`] if the run is not there, or the machine did not fail.
    pub async fn retry_recovery_vm(
        &self,
        who: &Principal,
        id: RecoveryRunId,
        source_uuid: &str,
    ) -> Result<JobId, AppError> {
        let view = self.recovery_run(id).await?;
        let vm = view.vms.iter().find(|one| one.source_uuid == source_uuid);
        let vm =
            vm.ok_or_else(|| AppError::NotFound(format!("the run has no virtual machine {source_uuid}")))?;
        if !matches!(view.phase(), RunPhase::AwaitingVerdict | RunPhase::Judged) {
            return Err(AppError::Conflict(
                "It does not run, so nothing of it can be tried again.".to_owned(),
            ));
        }
        if vm.state != RunVmState::Failed {
            return Err(AppError::Conflict(format!("{} did not fail.", vm.name)));
        }
        let details = json!({ "group": view.run.plan.group_name, "virtual_machine": vm.name });
        let entry = self.entry(who, "recovery_run.retry_vm", id.to_string(), Outcome::Done, details);
        let input = RunInput { plan: view.run.plan.clone(), only: vec![source_uuid.to_owned()] };
        let (run, source) = (id.to_string(), source_uuid.to_owned());
        let beside = move |other: &serde_json::Value| match other["run_id"] == *run
            && other["only"] == json!([source])
        {
            true => Beside::Same,
            false => Beside::Other,
        };
        let kind = if view.run.plan.kind.is_failover() { failover::KIND } else { KIND };
        self.start_job_once(who, kind, &input, entry, beside).await
    }
}
