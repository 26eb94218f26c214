//! Rolling a failover back: both sides become as they were before, and replication goes on.

use serde_json::json;

use super::recovery_runs::{RecoveryRun, RunOutcome};
use super::{App, AppError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::ids::{JobId, RecoveryRunId};
use crate::domain::job::{Job, JobState};
use crate::jobs::recovery_watch::{self, begin};
use crate::jobs::{failover, test_failover};
use crate::store::CleanupStart;

impl App {
    /// Begins to roll a failover back, or goes on with a rollback that stopped short. A failover that is still under way is
    /// asked to stop, and the rollback waits until it has. `confirm`: the name of the group.
    ///
    /// A rollback is not tried again by itself: what stands in its way is for a person to look at.
    ///
    /// # Errors
    /// If there is no such run; [`AppError::Invalid`] if the name is another one; [`AppError::Conflict`] if it is a test, was
    /// ended already, or the group may not be rolled back as it stands.
    pub async fn roll_back(
        &self,
        who: &Principal,
        id: RecoveryRunId,
        confirm: &str,
    ) -> Result<JobId, AppError> {
        let run = self.recovery_run(id).await?.run;
        if !run.plan.kind.is_failover() {
            return Err(AppError::Conflict("This is a test. It is cleaned up, not rolled back.".to_owned()));
        }
        let group = &run.plan.group_name;
        if confirm.trim() != group {
            return Err(AppError::invalid(
                "confirm",
                format!("Enter the group's name, {group}, to roll its failover back."),
            ));
        }
        if let Some(gone) = ended(&run) {
            return Err(gone);
        }
        let details = json!({ "run": id, "kind": run.plan.kind.as_str(), "reason": run.plan.reason });
        let entry = self.entry(who, "protection_group.roll_back", group, Outcome::Done, details);
        if run.cleanup_job.is_none() {
            // What it may not do now is said before anything is stopped.
            for job in self.failover_jobs(id).await? {
                // One that has just ended need not be stopped.
                if let Err(error) = self.engine.cancel(job.id).await {
                    tracing::debug!(%error, "a failover that is rolled back was not stopped");
                }
            }
            let audit = Some(entry.clone());
            match begin(&self.store, &self.engine, &run, &who.actor(), audit).await? {
                CleanupStart::NotNow(misfit) => return Err(AppError::Conflict(format!("{misfit}."))),
                CleanupStart::Queued | CleanupStart::Has(_) | CleanupStart::Cleaned => {}
            }
        }
        let now = self.recovery_run(id).await?;
        let Some(job) = now.run.cleanup_job else {
            return Err(
                ended(&now.run).unwrap_or_else(|| AppError::Conflict("The run has ended.".to_owned()))
            );
        };
        // It has one: what stopped short goes on.
        let state = now.cleanup.as_ref().map(|job| job.state);
        if matches!(state, Some(JobState::Failed | JobState::Cancelled | JobState::Interrupted)) {
            self.store.append_audit(entry).await?;
            self.engine.retry(job).await?;
        }
        self.reconcilers.wake(recovery_watch::NAME);
        Ok(job)
    }

    /// Refuses to go on with a job whose run is taken away or back, or has ended so: it would begin anew with what is gone.
    pub(super) async fn is_not_taken_back(&self, id: JobId) -> Result<(), AppError> {
        let job = self.job(id).await?;
        if ![failover::KIND, test_failover::KIND].contains(&job.kind.as_str()) {
            return Ok(());
        }
        let run = job.input["run_id"].as_str().and_then(|text| text.parse().ok());
        let run = match run {
            Some(run) => self.store.recovery_run(run).await?,
            None => None,
        };
        match run.and_then(|run| Some((run.plan.kind.is_failover(), run.cleanup_job?))) {
            None => Ok(()),
            Some((is_failover, by)) => Err(AppError::Conflict(format!(
                "This {} by job {by}, so it does not go on. Begin a new one instead.",
                if is_failover { "failover is rolled back" } else { "test is cleaned up" }
            ))),
        }
    }

    /// The unfinished jobs that do a failover, or mend one of its virtual machines.
    async fn failover_jobs(&self, id: RecoveryRunId) -> Result<Vec<Job>, AppError> {
        let id = id.to_string();
        let all = self.store.unfinished_of(failover::KIND).await?;
        Ok(all.into_iter().filter(|job| job.input["run_id"] == *id).collect())
    }
}

/// What is said of a run that has ended.
fn ended(run: &RecoveryRun) -> Option<AppError> {
    run.cleaned_at?;
    Some(AppError::Conflict(match run.outcome {
        Some(RunOutcome::Committed) => {
            "This failover was committed: its virtual machines are the group's now, so it is not rolled back."
                .to_owned()
        }
        _ => "This failover was rolled back already. Both sides are as before.".to_owned(),
    }))
}
