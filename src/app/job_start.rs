//! Starting a job: its input is written down, and job and audit line are kept in one transaction.

use serde::Serialize;
use serde_json::Value;

use super::{App, AppError, Principal};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::JobId;
use crate::domain::job::Failure;
use crate::engine::Engine;
pub(super) use crate::store::Beside;
use crate::store::{JobStart, Store};

/// The input of a job as it is kept.
pub(super) fn written(input: &impl Serialize) -> Result<Value, AppError> {
    serde_json::to_value(input).map_err(|error| {
        AppError::Failed(Failure::permanent(format!("The job could not be written down: {error}.")))
    })
}

/// Keeps a job with its audit line and has it taken up. Answers the job that does the same already, if one does.
pub(super) async fn start(
    (store, engine): (&Store, &Engine),
    who: &Principal,
    (kind, input): (&str, Value),
    entry: AuditEntry,
    beside: impl Fn(&Value) -> Beside + Send + 'static,
) -> Result<JobId, AppError> {
    let job = engine.draft(kind, input, &who.actor())?;
    match store.start_job(&job, entry, beside).await? {
        JobStart::Queued => {
            engine.queued(&job);
            Ok(job.id)
        }
        JobStart::Unfinished(other) => Ok(other),
        JobStart::InTheWay(why) => Err(AppError::Conflict(why)),
    }
}

impl App {
    /// Starts a job, whatever others are under way.
    pub(super) async fn start_job(
        &self,
        who: &Principal,
        kind: &str,
        input: &impl Serialize,
        entry: AuditEntry,
    ) -> Result<JobId, AppError> {
        self.start_job_once(who, kind, input, entry, |_| Beside::Other).await
    }

    /// Starts a job, unless one of its kind that has not ended is about the same: `beside` judges by its input.
    pub(super) async fn start_job_once(
        &self,
        who: &Principal,
        kind: &str,
        input: &impl Serialize,
        entry: AuditEntry,
        beside: impl Fn(&Value) -> Beside + Send + 'static,
    ) -> Result<JobId, AppError> {
        start((&self.store, &self.engine), who, (kind, written(input)?), entry, beside).await
    }
}
