//! Jobs: look at them, watch them, stop them, try again, take back.

use super::{App, AppError};
use crate::domain::ids::JobId;
use crate::domain::job::{ConsoleLine, Job};
use crate::store::JobFilter;

pub use crate::engine::{JobUpdate, Watcher};

impl App {
    /// The newest jobs, at most `limit`.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn jobs(&self, limit: usize) -> Result<Vec<Job>, AppError> {
        Ok(self.store.jobs(&JobFilter { limit: Some(limit), ..JobFilter::default() }).await?)
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
    /// If it did not fail, or there is none with this id.
    pub async fn retry(&self, id: JobId) -> Result<(), AppError> {
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
