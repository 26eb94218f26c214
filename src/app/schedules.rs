//! Schedules: what makes jobs by itself, and the engine that runs for as long as the process does.

use std::time::Duration;

use jiff::Timestamp;

use super::{App, AppError};
use crate::domain::ids::ScheduleId;
use crate::domain::job::Failure;
use crate::jobs::replicate::{self, ReplicateInput};
use crate::store::Schedule;

impl App {
    /// Replicates again and again, the first time at once.
    ///
    /// # Errors
    /// If another schedule has this name, or the database does not take it.
    pub async fn schedule_replication(
        &self,
        name: &str,
        input: &ReplicateInput,
        every: Duration,
    ) -> Result<ScheduleId, AppError> {
        let input = serde_json::to_value(input).map_err(|error| {
            Failure::permanent(format!("The replication could not be written down: {error}."))
        })?;
        let schedule = Schedule {
            id: ScheduleId::new(),
            name: name.to_owned(),
            kind: replicate::KIND.to_owned(),
            input,
            every_seconds: Some(i64::try_from(every.as_secs().max(1)).unwrap_or(i64::MAX)),
            calendar: None,
            time_zone: "UTC".to_owned(),
            enabled: true,
            next_due_at: Some(Timestamp::now()),
            last_enqueued_at: None,
            last_job: None,
        };
        self.store.put_schedule(&schedule).await?;
        Ok(schedule.id)
    }
}
