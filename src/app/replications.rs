//! Replications: look what one would do, start one.

use super::{App, AppError};
use crate::domain::ids::JobId;
use crate::jobs::replicate;

pub use crate::jobs::hosts::key_is_usable;
pub use crate::jobs::replicate::{OnConflict, Preview, PreviewedDataset, ReplicateInput};
pub use crate::plan::replication::{Action, History};

impl App {
    /// What this replication would do now. Changes nothing.
    ///
    /// # Errors
    /// If an end cannot be reached or read.
    pub async fn preview_replication(&self, input: ReplicateInput) -> Result<Preview, AppError> {
        Ok(replicate::preview(input, &self.hosts).await?)
    }

    /// Queues the replication as a job.
    ///
    /// # Errors
    /// If the database does not take it.
    pub async fn start_replication(&self, input: &ReplicateInput, by: &str) -> Result<JobId, AppError> {
        let input = serde_json::to_value(input).map_err(|error| {
            crate::domain::job::Failure::permanent(format!(
                "The replication could not be written down: {error}."
            ))
        })?;
        Ok(self.engine.enqueue(replicate::KIND, input, by).await?)
    }
}
