//! What the steps of jobs did (the event log, from which a job resumes after a crash) and said (its console).

use rusqlite::types::Type;
use rusqlite::{Connection, Row};

use super::Store;
use super::error::{Refusal, StoreError};
use super::jobs::{JobChange, apply, page, require};
use super::values::{from_json, json, nanos, time, unreadable};
use crate::domain::ids::JobId;
use crate::domain::job::{ConsoleLine, EventRecord, Level};

impl Store {
    /// Appends an event to a job's log and changes the job's row, in one transaction. Once this returns,
    /// both survive a crash; after an error, neither is there.
    ///
    /// # Errors
    /// [`Refusal::OutOfOrder`] unless the event's number is one more than the last one's (1 for the first);
    /// [`Refusal::NotFound`] if there is no such job; or if the database cannot be written.
    pub async fn record_event(&self, event: &EventRecord, change: &JobChange) -> Result<(), StoreError> {
        let (event, change) = (event.clone(), change.clone());
        let attempted = format!(
            "record event {} ({}: {}) of job {}",
            event.seq,
            event.step,
            event.event.name(),
            event.job
        );
        self.write(attempted, move |c| {
            let job = require(c, event.job)?;
            let last = last_seq(c, "job_events", event.job)?;
            if event.seq != last + 1 {
                return Err(Refusal::OutOfOrder { expected: last + 1, found: event.seq }.into());
            }
            c.prepare_cached(
                "INSERT INTO job_events (job_id, seq, at, step, event) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((
                event.job.to_string(),
                event.seq,
                nanos(event.at),
                &event.step,
                json(&event.event)?,
            ))?;
            apply(c, job, change)?;
            Ok(())
        })
        .await
    }

    /// A job's whole log, in order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn events(&self, job: JobId) -> Result<Vec<EventRecord>, StoreError> {
        self.read(format!("read the events of job {job}"), move |c| {
            let mut statement = c.prepare_cached(
                "SELECT seq, at, step, event FROM job_events WHERE job_id = ?1 ORDER BY seq",
            )?;
            let events = statement.query_map([job.to_string()], |row| {
                Ok(EventRecord {
                    job,
                    seq: row.get("seq")?,
                    at: time(row, "at")?,
                    step: row.get("step")?,
                    event: from_json(row, "event")?,
                })
            })?;
            Ok(events.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Appends lines to a job's console: all of them, or after an error none.
    ///
    /// # Errors
    /// [`Refusal::OutOfOrder`] unless their numbers continue the console (from 1, without a gap);
    /// [`Refusal::NotFound`] if there is no such job; or if the database cannot be written.
    pub async fn write_console(&self, job: JobId, lines: &[ConsoleLine]) -> Result<(), StoreError> {
        let lines = lines.to_vec();
        self.write(format!("write to the console of job {job}"), move |c| {
            require(c, job)?;
            let mut last = last_seq(c, "job_console", job)?;
            let mut statement = c.prepare_cached(
                "INSERT INTO job_console (job_id, seq, at, level, message) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for line in &lines {
                if line.seq != last + 1 {
                    return Err(Refusal::OutOfOrder { expected: last + 1, found: line.seq }.into());
                }
                let columns = (job.to_string(), line.seq, nanos(line.at), line.level.as_str(), &line.message);
                statement.execute(columns)?;
                last = line.seq;
            }
            Ok(())
        })
        .await
    }

    /// At most `limit` lines of a job's console behind line `after` (0 for the beginning), in order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn console(
        &self,
        job: JobId,
        after: i64,
        limit: usize,
    ) -> Result<Vec<ConsoleLine>, StoreError> {
        self.read(format!("read the console of job {job}"), move |c| {
            let mut statement = c.prepare_cached(
                "SELECT seq, at, level, message FROM job_console WHERE job_id = ?1 AND seq > ?2 \
                 ORDER BY seq LIMIT ?3",
            )?;
            let lines = statement.query_map((job.to_string(), after, page(Some(limit))), line_of)?;
            Ok(lines.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The number of the console's last line, 0 if it is empty: where a resumed job goes on.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn last_console_seq(&self, job: JobId) -> Result<i64, StoreError> {
        self.read(format!("read the console of job {job}"), move |c| Ok(last_seq(c, "job_console", job)?))
            .await
    }
}

/// The highest number in a job's log or console, 0 if it is empty.
fn last_seq(c: &Connection, table: &'static str, job: JobId) -> rusqlite::Result<i64> {
    c.prepare_cached(&format!("SELECT coalesce(max(seq), 0) FROM {table} WHERE job_id = ?1"))?
        .query_row([job.to_string()], |row| row.get(0))
}

fn line_of(row: &Row<'_>) -> rusqlite::Result<ConsoleLine> {
    let level: String = row.get("level")?;
    Ok(ConsoleLine {
        seq: row.get("seq")?,
        at: time(row, "at")?,
        level: Level::parse(&level)
            .ok_or_else(|| unreadable(Type::Text, format!("{level:?} is no level")))?,
        message: row.get("message")?,
    })
}
