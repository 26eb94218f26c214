//! Jobs: look at them, watch them, stop them, try again, take back.

use serde_json::json;

use super::{App, AppError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::ids::JobId;
use crate::domain::job::{ConsoleLine, Job, JobState};
use crate::store::JobFilter;

pub use crate::engine::{JobUpdate, Watcher};
pub use crate::store::JobOrder;

/// Which jobs to show, newest first.
#[derive(Debug, Clone, Default)]
pub struct JobQuery {
    /// Only in one of these states; empty means in any.
    pub states: Vec<JobState>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only those that have this text in id, kind, phase, failure or the name of who started them.
    pub words: Option<String>,
    /// Only older ones than this.
    pub after: Option<JobId>,
    /// Left out at the beginning, for lists with numbered pages.
    pub skip: usize,
    /// At most so many.
    pub limit: usize,
    /// In which order. With `after` only the newest first makes sense.
    pub order: JobOrder,
}

/// Some of the jobs that match, and how many match in all.
#[derive(Debug, Clone)]
pub struct JobPage {
    /// Newest first.
    pub items: Vec<Job>,
    /// In all pages.
    pub total: u64,
    /// What to ask with for the next page, if there is one.
    pub next: Option<JobId>,
}

/// What a person may ask of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobVerb {
    /// Stop.
    Cancel,
    /// Go on from the step that failed.
    Retry,
    /// Take back what was done.
    Cleanup,
}

impl JobVerb {
    fn action(self) -> &'static str {
        match self {
            Self::Cancel => "job.cancel",
            Self::Retry => "job.retry",
            Self::Cleanup => "job.cleanup",
        }
    }
}

/// A step of a job, for the list of its phases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Where it begins and ends, in percent of the job.
    pub percent: (u8, u8),
}

impl App {
    /// The newest jobs, at most `limit`.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn jobs(&self, limit: usize) -> Result<Vec<Job>, AppError> {
        Ok(self.store.jobs(&JobFilter { limit: Some(limit), ..JobFilter::default() }).await?)
    }

    /// The jobs that match, a page at a time.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn job_page(&self, query: JobQuery) -> Result<JobPage, AppError> {
        let filter = JobFilter {
            states: query.states,
            kind: query.kind,
            // One more than asked for tells whether there is another page.
            limit: Some(query.limit.saturating_add(1)),
            after: query.after,
        };
        let (mut items, total) = self.store.job_page(&filter, query.words, query.skip, query.order).await?;
        let more = items.len() > query.limit;
        items.truncate(query.limit);
        let next = items.last().filter(|_| more).map(|job| job.id);
        Ok(JobPage { items, total, next })
    }

    /// The newest jobs in these states, `limit` at most, of this kind if one is named.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn newest_jobs(
        &self,
        states: &[JobState],
        kind: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Job>, AppError> {
        let kind = kind.map(str::to_owned);
        let filter = JobFilter { states: states.to_vec(), kind, limit: Some(limit), after: None };
        Ok(self.store.newest_jobs(&filter).await?)
    }

    /// The kinds of jobs that this version knows.
    pub fn job_kinds(&self) -> Vec<&'static str> {
        crate::jobs::kinds()
    }

    /// The number of the last line of a job's console; 0 if it is empty.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn last_console_line(&self, id: JobId) -> Result<i64, AppError> {
        Ok(self.store.last_console_seq(id).await?)
    }

    /// How many jobs stand in which state.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn job_counts(&self) -> Result<Vec<(JobState, u64)>, AppError> {
        Ok(self.store.job_counts().await?)
    }

    /// How many jobs are at work. Every page shows it.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn working_jobs(&self) -> Result<u64, AppError> {
        Ok(self.store.count_jobs_in(&[JobState::Running, JobState::Cancelling]).await?)
    }

    /// The steps of a kind of job, in their order; none for a kind that this version does not know.
    pub fn phases(&self, kind: &str) -> Vec<Phase> {
        let phases = self.engine.phases(kind).into_iter();
        phases.map(|(name, percent)| Phase { name: name.to_owned(), percent }).collect()
    }

    /// The same as [`App::cancel`], [`App::retry`] or [`App::cleanup`], asked for by somebody; with its line in the
    /// audit log, which is written first, so that nothing is done that is not in it.
    ///
    /// # Errors
    /// As those.
    pub async fn ask_of_job(&self, who: &Principal, id: JobId, verb: JobVerb) -> Result<(), AppError> {
        let job = self.job(id).await?;
        let object = format!("{} {id}", job.kind);
        let note = |outcome, details| self.entry(who, verb.action(), object.clone(), outcome, details);
        self.store.append_audit(note(Outcome::Done, json!({ "state": job.state }))).await?;
        let asked = match verb {
            JobVerb::Cancel => self.cancel(id).await,
            JobVerb::Retry => self.retry(id).await,
            JobVerb::Cleanup => self.cleanup(id).await,
        };
        if let Err(error) = &asked {
            let outcome =
                if matches!(error, AppError::Conflict(_)) { Outcome::Refused } else { Outcome::Failed };
            self.store.append_audit(note(outcome, json!({ "why": error.to_string() }))).await?;
        }
        asked
    }

    /// What happens to any job from now on.
    pub fn watch_all(&self) -> Watcher {
        self.engine.watch_all()
    }

    /// One job.
    ///
    /// # Errors
    /// If there is none with this id, or the database does not answer.
    pub async fn job(&self, id: JobId) -> Result<Job, AppError> {
        Ok(self.engine.job(id).await?)
    }

    /// A job's console after line `after`.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn console(&self, id: JobId, after: i64, limit: usize) -> Result<Vec<ConsoleLine>, AppError> {
        Ok(self.store.console(id, after, limit).await?)
    }

    /// What happens to a job from now on.
    pub fn watch(&self, id: JobId) -> Watcher {
        self.engine.watch(id)
    }

    /// Asks a job to stop.
    ///
    /// # Errors
    /// If it has ended already, or there is none with this id.
    pub async fn cancel(&self, id: JobId) -> Result<(), AppError> {
        Ok(self.engine.cancel(id).await?)
    }

    /// Tries a job again from the step in which it failed.
    ///
    /// # Errors
    /// If it did not fail, what it did is being taken back, or there is none with this id.
    pub async fn retry(&self, id: JobId) -> Result<(), AppError> {
        self.is_not_taken_back(id).await?;
        Ok(self.engine.retry(id).await?)
    }

    /// Takes back what a job did, as far as its steps can be taken back.
    ///
    /// # Errors
    /// If it still runs, if nothing of it can be taken back, or there is none with this id.
    pub async fn cleanup(&self, id: JobId) -> Result<(), AppError> {
        Ok(self.engine.cleanup(id).await?)
    }

    /// Runs what is queued, and what a crash left running, until nothing is left to do.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn run_until_idle(&self) -> Result<(), AppError> {
        Ok(self.engine.run_until_idle().await?)
    }
}
