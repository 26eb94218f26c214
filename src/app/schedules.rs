//! Schedules: what makes jobs by itself, and the engine that runs for as long as the process does.

use std::time::Duration;

use jiff::Timestamp;

use super::{App, AppError};
use crate::domain::ids::ScheduleId;
use crate::domain::job::{Failure, Job};
use crate::jobs::replicate::{self, ReplicateInput};
use crate::store::Schedule;

/// A replication that is run by itself, and how it stands.
#[derive(Debug, Clone)]
pub struct ScheduledReplication {
    /// The schedule's name.
    pub name: String,
    /// What is replicated, and to where.
    pub input: ReplicateInput,
    /// Whether it makes jobs at all.
    pub enabled: bool,
    /// When the next job is made.
    pub next_due_at: Option<Timestamp>,
    /// The last job, if it is kept still.
    pub last_job: Option<Job>,
}

impl App {
    /// The replications that are run by themselves, by name.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn scheduled_replications(&self) -> Result<Vec<ScheduledReplication>, AppError> {
        let mut all = Vec::new();
        for schedule in self.store.schedules().await? {
            let Ok(input) = serde_json::from_value(schedule.input) else { continue };
            if schedule.kind != replicate::KIND {
                continue;
            }
            let last_job = match schedule.last_job {
                Some(id) => self.store.job(id).await?,
                None => None,
            };
            let (name, enabled, next_due_at) = (schedule.name, schedule.enabled, schedule.next_due_at);
            all.push(ScheduledReplication { name, input, enabled, next_due_at, last_job });
        }
        Ok(all)
    }

    /// Replicates again and again, the first time at once; in place of an earlier schedule of this name.
    ///
    /// # Errors
    /// If the database does not take it.
    pub async fn schedule_replication(
        &self,
        name: &str,
        input: &ReplicateInput,
        every: Duration,
    ) -> Result<ScheduleId, AppError> {
        let input = serde_json::to_value(input).map_err(|error| {
            Failure::permanent(format!("The replication could not be written down: {error}."))
        })?;
        let known = self.store.schedules().await?.into_iter().find(|one| one.name == name);
        let schedule = Schedule {
            id: known.map_or_else(ScheduleId::new, |one| one.id),
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
