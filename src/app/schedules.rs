//! Schedules: what makes jobs by itself, and the engine that runs for as long as the process does.

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::jobs::Watcher;
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

    /// Runs what is queued and what is scheduled until `shutdown` fires. What runs then stops as in a crash, and
    /// goes on at the next start.
    pub async fn serve(&self, shutdown: CancellationToken) {
        self.engine.serve(shutdown).await;
    }

    /// What happens to any job from now on.
    pub fn watch_all(&self) -> Watcher {
        self.engine.watch_all()
    }
}
