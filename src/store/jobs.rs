//! Jobs: what was asked for, and how it stands. What their steps did and said is in `job_log.rs`.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params_from_iter};
use serde_json::Value;

use super::Store;
use super::error::{Problem, Refusal, StoreError};
use super::values::{from_json, json, maybe_json, maybe_time, nanos, parsed, time};
use crate::domain::ids::JobId;
use crate::domain::job::{Failure, Job, JobState};

/// Most jobs or lines in one answer, whatever was asked for.
const PAGE: usize = 10_000;

/// What changes in a job's row. What is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JobChange {
    /// The new state. A final one lets the job's locks go, in the same transaction.
    pub state: Option<JobState>,
    /// The step at work; `Some(None)` clears it.
    pub phase: Option<Option<String>>,
    /// 0 to 100 over the whole job.
    pub progress_percent: Option<u8>,
    /// Replaces the facts for the page.
    pub details: Option<Value>,
    /// What came out of it.
    pub result: Option<Value>,
    /// Why it failed; `Some(None)` clears it, for a retry.
    pub failure: Option<Option<Failure>>,
    /// The step in which it failed; `Some(None)` clears it.
    pub failed_phase: Option<Option<String>>,
    /// Added behind the warnings there are.
    pub add_warnings: Vec<String>,
    /// Whether a person asked it to stop.
    pub cancel_requested: Option<bool>,
    /// Whether its work is being taken back.
    pub unwinding: Option<bool>,
    /// When its first step began.
    pub started_at: Option<Timestamp>,
    /// When it reached a final state; `Some(None)` clears it, for a retry.
    pub finished_at: Option<Option<Timestamp>>,
}

impl JobChange {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Which jobs to list, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFilter {
    /// Only in one of these states; empty means in any.
    pub states: Vec<JobState>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// At most so many; `None`, and anything above 10,000, means 10,000.
    pub limit: Option<usize>,
    /// Only older ones than this: the last of the page before.
    pub after: Option<JobId>,
}

impl Store {
    /// Keeps a new job. Once this returns, the job survives a crash.
    ///
    /// # Errors
    /// If a job with this id exists, or the database cannot be written.
    pub async fn insert_job(&self, job: &Job) -> Result<(), StoreError> {
        let job = job.clone();
        self.write(format!("keep the new job {}", job.id), move |c| insert(c, &job)).await
    }

    /// The job, if there is one with this id.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.read(format!("read job {id}"), move |c| Ok(find(c, id)?)).await
    }

    /// The jobs that match, newest first (by their ids, which sort by the time they were made).
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>, StoreError> {
        let filter = filter.clone();
        self.read("list the jobs", move |c| Ok(list(c, &filter)?)).await
    }

    /// Every job that is in no final state, oldest first: what a start after a crash has to look at.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn unfinished_jobs(&self) -> Result<Vec<Job>, StoreError> {
        self.read("list the unfinished jobs", |c| {
            let states: Vec<&str> =
                JobState::ALL.into_iter().filter(|state| !state.is_final()).map(JobState::as_str).collect();
            let marks = vec!["?"; states.len()].join(", ");
            let mut statement =
                c.prepare_cached(&format!("SELECT * FROM jobs WHERE state IN ({marks}) ORDER BY id"))?;
            let jobs = statement.query_map(params_from_iter(states), job_of)?;
            Ok(jobs.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Changes a job's row, and returns it as it then is.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if there is no such job, or if the database cannot be written.
    pub async fn change_job(&self, id: JobId, change: &JobChange) -> Result<Job, StoreError> {
        let change = change.clone();
        self.write(format!("change job {id}"), move |c| {
            let job = require(c, id)?;
            Ok(apply(c, job, change)?)
        })
        .await
    }
}

pub(in crate::store) fn insert(c: &Connection, job: &Job) -> Result<(), Problem> {
    if find(c, job.id)?.is_some() {
        return Err(Refusal::AlreadyExists(format!("a job {}", job.id)).into());
    }
    c.prepare_cached(
        "INSERT INTO jobs (id, kind, input, state, phase, progress_percent, details, result, failure, failed_phase, \
                           warnings, cancel_requested, unwinding, created_by, created_at, started_at, finished_at) \
         VALUES (:id, :kind, :input, :state, :phase, :progress, :details, :result, :failure, :failed_phase, \
                 :warnings, :cancel_requested, :unwinding, :created_by, :created_at, :started_at, :finished_at)",
    )?
    .execute(named_params! {
        ":id": job.id.to_string(), ":kind": job.kind, ":input": json(&job.input)?,
        ":created_by": job.created_by, ":created_at": nanos(job.created_at),
        ":state": job.state.as_str(), ":phase": job.phase, ":progress": job.progress_percent,
        ":details": json(&job.details)?, ":result": maybe(&job.result)?, ":failure": maybe(&job.failure)?,
        ":failed_phase": job.failed_phase, ":warnings": json(&job.warnings)?,
        ":cancel_requested": job.cancel_requested, ":unwinding": job.unwinding,
        ":started_at": job.started_at.map(nanos), ":finished_at": job.finished_at.map(nanos),
    })?;
    Ok(())
}

/// The job with this id, or a refusal.
pub(in crate::store) fn require(c: &Connection, id: JobId) -> Result<Job, Problem> {
    find(c, id)?.ok_or_else(|| Refusal::NotFound(format!("job {id}")).into())
}

pub(in crate::store) fn find(c: &Connection, id: JobId) -> rusqlite::Result<Option<Job>> {
    c.prepare_cached("SELECT * FROM jobs WHERE id = ?1")?.query_row([id.to_string()], job_of).optional()
}

pub(in crate::store) fn list(c: &Connection, filter: &JobFilter) -> rusqlite::Result<Vec<Job>> {
    let mut sql = String::from("SELECT * FROM jobs WHERE 1");
    let mut values: Vec<rusqlite::types::Value> = Vec::new();
    if !filter.states.is_empty() {
        let marks = vec!["?"; filter.states.len()].join(", ");
        sql.push_str(&format!(" AND state IN ({marks})"));
        values.extend(filter.states.iter().map(|state| state.as_str().to_owned().into()));
    }
    if let Some(kind) = &filter.kind {
        sql.push_str(" AND kind = ?");
        values.push(kind.clone().into());
    }
    if let Some(after) = filter.after {
        sql.push_str(" AND id < ?");
        values.push(after.to_string().into());
    }
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(page(filter.limit).into());
    c.prepare_cached(&sql)?.query_map(params_from_iter(values), job_of)?.collect()
}

/// Changes the row of `job`, which was just read, and returns it as it then is.
pub(in crate::store) fn apply(c: &Connection, mut job: Job, change: JobChange) -> rusqlite::Result<Job> {
    if change.is_empty() {
        return Ok(job);
    }
    job.state = change.state.unwrap_or(job.state);
    job.phase = change.phase.unwrap_or(job.phase);
    job.progress_percent = change.progress_percent.unwrap_or(job.progress_percent);
    job.details = change.details.unwrap_or(job.details);
    job.result = change.result.or(job.result);
    job.failure = change.failure.unwrap_or(job.failure);
    job.failed_phase = change.failed_phase.unwrap_or(job.failed_phase);
    job.warnings.extend(change.add_warnings);
    job.cancel_requested = change.cancel_requested.unwrap_or(job.cancel_requested);
    job.unwinding = change.unwinding.unwrap_or(job.unwinding);
    job.started_at = change.started_at.or(job.started_at);
    job.finished_at = change.finished_at.unwrap_or(job.finished_at);
    update(c, &job)?;
    if job.state.is_final() {
        super::locks::release(c, job.id)?;
    }
    Ok(job)
}

fn update(c: &Connection, job: &Job) -> rusqlite::Result<()> {
    c.prepare_cached(
        "UPDATE jobs SET state = :state, phase = :phase, progress_percent = :progress, details = :details, \
                         result = :result, failure = :failure, failed_phase = :failed_phase, \
                         warnings = :warnings, cancel_requested = :cancel_requested, unwinding = :unwinding, \
                         started_at = :started_at, finished_at = :finished_at WHERE id = :id",
    )?
    .execute(named_params! {
        ":id": job.id.to_string(),
        ":state": job.state.as_str(), ":phase": job.phase, ":progress": job.progress_percent,
        ":details": json(&job.details)?, ":result": maybe(&job.result)?, ":failure": maybe(&job.failure)?,
        ":failed_phase": job.failed_phase, ":warnings": json(&job.warnings)?,
        ":cancel_requested": job.cancel_requested, ":unwinding": job.unwinding,
        ":started_at": job.started_at.map(nanos), ":finished_at": job.finished_at.map(nanos),
    })?;
    Ok(())
}

fn maybe<T: serde::Serialize>(value: &Option<T>) -> rusqlite::Result<Option<String>> {
    value.as_ref().map(json).transpose()
}

/// The limit of a query: what was asked for, but never more than a page.
pub(in crate::store) fn page(limit: Option<usize>) -> i64 {
    i64::try_from(limit.unwrap_or(PAGE).min(PAGE)).unwrap_or(i64::MAX)
}

pub(in crate::store) fn job_of(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        id: parsed(row, "id")?,
        kind: row.get("kind")?,
        input: from_json(row, "input")?,
        state: parsed(row, "state")?,
        phase: row.get("phase")?,
        progress_percent: row.get("progress_percent")?,
        details: from_json(row, "details")?,
        result: maybe_json(row, "result")?,
        failure: maybe_json(row, "failure")?,
        failed_phase: row.get("failed_phase")?,
        warnings: from_json(row, "warnings")?,
        cancel_requested: row.get("cancel_requested")?,
        unwinding: row.get("unwinding")?,
        created_by: row.get("created_by")?,
        created_at: time(row, "created_at")?,
        started_at: maybe_time(row, "started_at")?,
        finished_at: maybe_time(row, "finished_at")?,
    })
}
