//! Failed jobs that nobody has seen yet: what the dashboard asks somebody to look at.

use jiff::SignedDuration;
use serde_json::Value;

use super::{App, AppError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::ids::JobId;
use crate::domain::job::{Job, JobState};

/// How long a failure stands on the dashboard at most.
const SHOWN: SignedDuration = SignedDuration::from_hours(7 * 24);

impl App {
    /// The newest failed jobs that nobody has acknowledged and no later run has made good.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn failed_jobs_unseen(&self, limit: usize) -> Result<Vec<Job>, AppError> {
        Ok(self.store.failed_jobs_unseen(self.now() - SHOWN, limit).await?)
    }

    /// Notes that somebody has seen that a job failed.
    ///
    /// # Errors
    /// If there is no such job; [`AppError::Conflict`] if it did not fail.
    pub async fn acknowledge_job(&self, who: &Principal, id: JobId) -> Result<(), AppError> {
        let job = self.job(id).await?;
        if job.state != JobState::Failed {
            return Err(AppError::Conflict(format!("job {id} has not failed: it is {}", job.state)));
        }
        let object = format!("{} {id}", job.kind);
        let audit = self.entry(who, "job.acknowledge", object, Outcome::Done, Value::Null);
        Ok(self.store.acknowledge_job(id, audit).await?)
    }
}
