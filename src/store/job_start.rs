//! Jobs that are kept together with the line that says who asked for them, and not twice for one thing.

use serde_json::Value;

use super::Store;
use super::audit::append;
use super::error::StoreError;
use super::jobs::{self, JobFilter};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::JobId;
use crate::domain::job::{Job, JobState};

/// How an unfinished job of the same kind stands to the one that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beside {
    /// It is about something else.
    Other,
    /// It does what is asked for.
    Same,
    /// It is about the same thing and does something else: why the new one is not kept.
    InTheWay(String),
}

/// What came of the wish to start a job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum JobStart {
    /// It is kept.
    Queued,
    /// One that has not ended does the same; no second one was made.
    Unfinished(JobId),
    /// One that has not ended is about the same thing; this is why none was made.
    InTheWay(String),
}

fn unfinished(kind: &str) -> JobFilter {
    JobFilter {
        states: JobState::ALL.into_iter().filter(|state| !state.is_final()).collect(),
        kind: Some(kind.to_owned()),
        ..JobFilter::default()
    }
}

impl Store {
    /// Keeps a new job with its line in the audit log, unless one of its kind that has not ended does the same. One
    /// transaction, so that neither a crash nor a second click loses or doubles anything.
    ///
    /// # Errors
    /// If a job with this id exists, or the database cannot be written.
    pub async fn start_job(
        &self,
        job: &Job,
        audit: AuditEntry,
        beside: impl Fn(&Value) -> Beside + Send + 'static,
    ) -> Result<JobStart, StoreError> {
        let job = job.clone();
        self.write(format!("keep the new job {}", job.id), move |c| {
            for other in jobs::list(c, &unfinished(&job.kind))? {
                match beside(&other.input) {
                    Beside::Other => {}
                    Beside::Same => return Ok(JobStart::Unfinished(other.id)),
                    Beside::InTheWay(why) => return Ok(JobStart::InTheWay(why)),
                }
            }
            jobs::insert(c, &job)?;
            append(c, &audit)?;
            Ok(JobStart::Queued)
        })
        .await
    }

    /// The jobs of a kind that have not ended, newest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn unfinished_of(&self, kind: &str) -> Result<Vec<Job>, StoreError> {
        self.jobs(&unfinished(kind)).await
    }
}
