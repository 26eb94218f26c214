//! Schedules: what makes jobs by itself. When the next time is, the engine computes.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde_json::Value;

use super::Store;
use super::error::{Problem, Refusal, StoreError};
use super::jobs;
use super::values::{from_json, json, maybe_parsed, maybe_time, nanos, parsed};
use crate::domain::ids::{JobId, ScheduleId};
use crate::domain::job::Job;

/// A job that is made again and again. Exactly one of `every_seconds` and `calendar` is set.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// Its name, which no other schedule has.
    pub name: String,
    /// The kind of job that it makes.
    pub kind: String,
    /// What the job is given.
    pub input: Value,
    /// Seconds from one run to the next.
    pub every_seconds: Option<i64>,
    /// A cron expression.
    pub calendar: Option<String>,
    /// The IANA name of the time zone in which the calendar is read.
    pub time_zone: String,
    /// Whether it makes jobs at all.
    pub enabled: bool,
    /// When it makes the next one.
    pub next_due_at: Option<Timestamp>,
    /// When it made the last one.
    pub last_enqueued_at: Option<Timestamp>,
    /// The last one.
    pub last_job: Option<JobId>,
}

/// What came of a schedule that was due.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Due {
    /// The job is kept, and the schedule waits for its next time.
    Enqueued,
    /// Its last job has not finished; no second one was made, and the schedule waits for its next time.
    StillRunning(JobId),
    /// Not due any more: somebody else served, changed, disabled or deleted it. Nothing was done.
    NotDue,
}

impl Store {
    /// Keeps a schedule: a new one, or the new form of the one with this id.
    ///
    /// # Errors
    /// [`Refusal::AlreadyExists`] if another schedule has this name; or if the database cannot be written,
    /// also because both or neither of `every_seconds` and `calendar` are set.
    pub async fn put_schedule(&self, schedule: &Schedule) -> Result<(), StoreError> {
        let schedule = schedule.clone();
        self.write(format!("keep the schedule {:?}", schedule.name), move |c| put(c, &schedule)).await
    }

    /// The schedule with this id, if there is one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn schedule(&self, id: ScheduleId) -> Result<Option<Schedule>, StoreError> {
        self.read(format!("read schedule {id}"), move |c| Ok(find(c, id)?)).await
    }

    /// All schedules, by name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn schedules(&self) -> Result<Vec<Schedule>, StoreError> {
        self.read("list the schedules", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM schedules ORDER BY name")?;
            Ok(statement.query_map([], schedule_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Deletes a schedule; its jobs stay. Whether there was one is the result.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn delete_schedule(&self, id: ScheduleId) -> Result<bool, StoreError> {
        self.write(format!("delete schedule {id}"), move |c| {
            Ok(c.prepare_cached("DELETE FROM schedules WHERE id = ?1")?.execute([id.to_string()])? > 0)
        })
        .await
    }

    /// The enabled schedules that are due at `now`, the longest overdue first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn due_schedules(&self, now: Timestamp) -> Result<Vec<Schedule>, StoreError> {
        self.read("list the schedules that are due", move |c| {
            let mut statement = c.prepare_cached(
                "SELECT * FROM schedules WHERE enabled = 1 AND next_due_at <= ?1 ORDER BY next_due_at, id",
            )?;
            Ok(statement.query_map([nanos(now)], schedule_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Serves a schedule that is due: makes `job` unless its last one still runs, and moves it to `next`.
    ///
    /// One transaction, which does nothing unless the schedule still stands as in `seen`; so a run is neither
    /// lost nor doubled by a crash or by a second caller.
    ///
    /// # Errors
    /// If a job with this id exists, or the database cannot be written.
    pub async fn serve_due(
        &self,
        seen: &Schedule,
        job: &Job,
        now: Timestamp,
        next: Option<Timestamp>,
    ) -> Result<Due, StoreError> {
        let (seen, job) = (seen.clone(), job.clone());
        self.write(format!("serve the schedule {:?}", seen.name), move |c| serve(c, &seen, &job, now, next))
            .await
    }

    /// Moves a schedule to another time without making a job, as after a jump of the clock or for a new
    /// schedule. `false`, and nothing done, unless it still stands as in `seen`.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn move_schedule(&self, seen: &Schedule, next: Option<Timestamp>) -> Result<bool, StoreError> {
        let seen = seen.clone();
        self.write(format!("move the schedule {:?}", seen.name), move |c| {
            if find(c, seen.id)?.as_ref() != Some(&seen) {
                return Ok(false);
            }
            c.prepare_cached("UPDATE schedules SET next_due_at = ?2 WHERE id = ?1")?
                .execute((seen.id.to_string(), next.map(nanos)))?;
            Ok(true)
        })
        .await
    }
}

fn put(c: &Connection, schedule: &Schedule) -> Result<(), Problem> {
    let other: Option<String> = c
        .prepare_cached("SELECT id FROM schedules WHERE name = ?1 AND id <> ?2")?
        .query_row((&schedule.name, schedule.id.to_string()), |row| row.get(0))
        .optional()?;
    if other.is_some() {
        return Err(Refusal::AlreadyExists(format!("a schedule {:?}", schedule.name)).into());
    }
    c.prepare_cached(
        "INSERT INTO schedules (id, name, kind, input, every_seconds, calendar, time_zone, enabled, next_due_at, \
                                last_enqueued_at, last_job) \
         VALUES (:id, :name, :kind, :input, :every, :calendar, :zone, :enabled, :due, :last, :last_job) \
         ON CONFLICT (id) DO UPDATE SET name = :name, kind = :kind, input = :input, every_seconds = :every, \
             calendar = :calendar, time_zone = :zone, enabled = :enabled, next_due_at = :due, \
             last_enqueued_at = :last, last_job = :last_job",
    )?
    .execute(named_params! {
        ":id": schedule.id.to_string(), ":name": schedule.name, ":kind": schedule.kind,
        ":input": json(&schedule.input)?, ":every": schedule.every_seconds, ":calendar": schedule.calendar,
        ":zone": schedule.time_zone, ":enabled": schedule.enabled,
        ":due": schedule.next_due_at.map(nanos), ":last": schedule.last_enqueued_at.map(nanos),
        ":last_job": schedule.last_job.map(|id| id.to_string()),
    })?;
    Ok(())
}

fn serve(
    c: &Connection,
    seen: &Schedule,
    job: &Job,
    now: Timestamp,
    next: Option<Timestamp>,
) -> Result<Due, Problem> {
    if !seen.enabled || find(c, seen.id)?.as_ref() != Some(seen) {
        return Ok(Due::NotDue);
    }
    let unfinished = match seen.last_job {
        Some(last) => jobs::find(c, last)?.filter(|last| !last.state.is_final()),
        None => None,
    };
    if let Some(running) = unfinished {
        c.prepare_cached("UPDATE schedules SET next_due_at = ?2 WHERE id = ?1")?
            .execute((seen.id.to_string(), next.map(nanos)))?;
        return Ok(Due::StillRunning(running.id));
    }
    jobs::insert(c, job)?;
    c.prepare_cached(
        "UPDATE schedules SET next_due_at = ?2, last_enqueued_at = ?3, last_job = ?4 WHERE id = ?1",
    )?
    .execute((seen.id.to_string(), next.map(nanos), nanos(now), job.id.to_string()))?;
    Ok(Due::Enqueued)
}

fn find(c: &Connection, id: ScheduleId) -> rusqlite::Result<Option<Schedule>> {
    c.prepare_cached("SELECT * FROM schedules WHERE id = ?1")?
        .query_row([id.to_string()], schedule_of)
        .optional()
}

fn schedule_of(row: &Row<'_>) -> rusqlite::Result<Schedule> {
    Ok(Schedule {
        id: parsed(row, "id")?,
        name: row.get("name")?,
        kind: row.get("kind")?,
        input: from_json(row, "input")?,
        every_seconds: row.get("every_seconds")?,
        calendar: row.get("calendar")?,
        time_zone: row.get("time_zone")?,
        enabled: row.get("enabled")?,
        next_due_at: maybe_time(row, "next_due_at")?,
        last_enqueued_at: maybe_time(row, "last_enqueued_at")?,
        last_job: maybe_parsed(row, "last_job")?,
    })
}
