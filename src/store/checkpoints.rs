//! Checkpoints of groups, and the runs that made them.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

use super::Store;
use super::audit::append;
use super::error::{Problem, StoreError};
use super::jobs;
use super::replicas;
use super::values::{maybe_parsed, maybe_time, nanos, parsed, time, unreadable};
use crate::domain::audit::AuditEntry;
use crate::domain::checkpoint::{Checkpoint, GroupRun};
use crate::domain::dataset::Guid;
use crate::domain::ids::{GroupId, JobId};
use crate::domain::job::Job;

/// Runs of each group from which is learned how long the next one takes.
const LEARNED_FROM: i64 = 20;
/// Ended runs of each group that are kept.
const KEPT_RUNS: i64 = 500;

/// What came of the wish to start a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum RunStart {
    /// The job is kept.
    Queued,
    /// The group has a run that has not ended; no second one was made.
    Unfinished(JobId),
    /// There is no such group any more.
    NoGroup,
    /// Its replica is being destroyed by this job.
    Leaving(JobId),
}

impl Store {
    /// Starts a run of a group: keeps its job, unless the group has one that has not ended. One transaction, so that
    /// neither a crash nor a second caller doubles or loses a run.
    ///
    /// # Errors
    /// If a job with this id exists, or the database cannot be written.
    pub async fn start_group_run(
        &self,
        group: GroupId,
        job: &Job,
        audit: Option<AuditEntry>,
    ) -> Result<RunStart, StoreError> {
        let job = job.clone();
        self.write(format!("start a run of protection group {group}"), move |c| {
            let id = group.to_string();
            if !c.prepare_cached("SELECT 1 FROM protection_groups WHERE id = ?1")?.exists([&id])? {
                return Ok(RunStart::NoGroup);
            }
            if let Some(running) = unfinished(c, group)? {
                return Ok(RunStart::Unfinished(running));
            }
            if let Some(job) = replicas::deleted_by(c, group)? {
                return Ok(RunStart::Leaving(job));
            }
            jobs::insert(c, &job)?;
            c.prepare_cached(
                "INSERT INTO group_runs (job, group_id, started_at, bytes, quiesces) VALUES (?1, ?2, ?3, 0, ?4)",
            )?
            .execute((job.id.to_string(), id, nanos(job.created_at), quiesces(&job)))?;
            if let Some(audit) = audit {
                append(c, &audit)?;
            }
            Ok(RunStart::Queued)
        })
        .await
    }

    /// The runs that have not been seen to end, each with its job; none where that was deleted.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn unfinished_group_runs(&self) -> Result<Vec<(GroupRun, Option<Job>)>, StoreError> {
        self.read("list the runs of protection groups", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM group_runs WHERE finished_at IS NULL")?;
            let runs: Vec<GroupRun> = statement.query_map([], run_of)?.collect::<rusqlite::Result<_>>()?;
            let with = |run: GroupRun| Ok((run.clone(), jobs::find(c, run.job)?));
            runs.into_iter().map(with).collect()
        })
        .await
    }

    /// Whether a group has a run that goes on, or had one after this time, or its replica is being destroyed.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn has_unfinished_run(&self, group: GroupId, since: Timestamp) -> Result<bool, StoreError> {
        self.read(format!("look for a run of protection group {group}"), move |c| {
            let mut statement = c.prepare_cached(
                "SELECT 1 FROM group_runs WHERE group_id = ?1 AND (finished_at IS NULL OR finished_at >= ?2)",
            )?;
            let runs = statement.exists((group.to_string(), nanos(since)))?;
            Ok(runs || replicas::deleted_by(c, group)?.is_some())
        })
        .await
    }

    /// Keeps that a run has ended, with the checkpoint that it brought, if it did. Doing it twice changes nothing more.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn finish_group_run(
        &self,
        run: &GroupRun,
        checkpoint: Option<Checkpoint>,
    ) -> Result<(), StoreError> {
        let run = run.clone();
        self.write(format!("keep the end of run {}", run.job), move |c| {
            c.prepare_cached(
                "UPDATE group_runs SET finished_at = ?2, took_ms = ?3, succeeded = ?4, bytes = ?5 WHERE job = ?1",
            )?
            .execute((
                run.job.to_string(),
                run.finished_at.map(nanos),
                run.took_ms.map(signed),
                run.succeeded,
                signed(run.bytes),
            ))?;
            if let Some(checkpoint) = &checkpoint {
                put_checkpoint(c, checkpoint)?;
            }
            c.prepare_cached(
                "DELETE FROM group_runs WHERE group_id = ?1 AND finished_at IS NOT NULL AND started_at < ( \
                     SELECT started_at FROM group_runs WHERE group_id = ?1 ORDER BY started_at DESC LIMIT 1 OFFSET ?2)",
            )?
            .execute((run.group.to_string(), KEPT_RUNS))?;
            Ok(())
        })
        .await
    }

    /// The newest ended and unended runs of each group, newest first, so many as are learned from.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn recent_group_runs(&self) -> Result<HashMap<GroupId, Vec<GroupRun>>, StoreError> {
        self.read("list the recent runs of protection groups", |c| {
            let mut statement = c.prepare_cached(
                "SELECT r.* FROM protection_groups g JOIN group_runs r ON r.job IN ( \
                     SELECT x.job FROM group_runs x WHERE x.group_id = g.id ORDER BY x.started_at DESC LIMIT ?1) \
                 ORDER BY r.started_at DESC",
            )?;
            let mut all: HashMap<GroupId, Vec<GroupRun>> = HashMap::new();
            for run in statement.query_map([LEARNED_FROM], run_of)? {
                let run = run?;
                all.entry(run.group).or_default().push(run);
            }
            Ok(all)
        })
        .await
    }

    /// How many runs of a group have succeeded since the last one that succeeded with its guests at rest; none if there was no
    /// such run.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn runs_since_quiesced(&self, group: GroupId) -> Result<Option<u64>, StoreError> {
        self.read(format!("count the runs of protection group {group}"), move |c| {
            let mut last = c.prepare_cached(
                "SELECT max(started_at) FROM group_runs WHERE group_id = ?1 AND quiesces AND succeeded",
            )?;
            let id = group.to_string();
            let Some(last) = last.query_row([&id], |row| row.get::<_, Option<i64>>(0))? else {
                return Ok(None);
            };
            let mut since = c.prepare_cached(
                "SELECT count(*) FROM group_runs WHERE group_id = ?1 AND succeeded AND started_at > ?2",
            )?;
            let count: i64 = since.query_row((&id, last), |row| row.get(0))?;
            Ok(Some(count.unsigned_abs()))
        })
        .await
    }

    /// The newest runs of one group, newest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn group_runs(&self, group: GroupId, most: u32) -> Result<Vec<GroupRun>, StoreError> {
        self.read(format!("list the runs of protection group {group}"), move |c| {
            let mut statement = c.prepare_cached(
                "SELECT * FROM group_runs WHERE group_id = ?1 ORDER BY started_at DESC, job LIMIT ?2",
            )?;
            Ok(statement.query_map((group.to_string(), most), run_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The checkpoints of a group that the DR side has, newest first; those that are gone too if `with_gone`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn checkpoints(&self, group: GroupId, with_gone: bool) -> Result<Vec<Checkpoint>, StoreError> {
        self.read(format!("list the checkpoints of protection group {group}"), move |c| {
            let mut statement = c.prepare_cached(
                "SELECT * FROM checkpoints WHERE group_id = ?1 AND (?2 OR gone_at IS NULL) \
                 ORDER BY taken_at DESC, complete_at DESC, snapshot DESC",
            )?;
            let rows = statement.query_map((group.to_string(), with_gone), checkpoint_of)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The newest checkpoint of each group that the DR side has.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn newest_checkpoints(&self) -> Result<HashMap<GroupId, Checkpoint>, StoreError> {
        self.read("find the newest checkpoint of each protection group", |c| {
            let mut statement = c.prepare_cached(
                "SELECT x.* FROM protection_groups g JOIN checkpoints x ON x.group_id = g.id AND x.guid = ( \
                     SELECT y.guid FROM checkpoints y WHERE y.group_id = g.id AND y.gone_at IS NULL \
                     ORDER BY y.taken_at DESC, y.complete_at DESC, y.snapshot DESC LIMIT 1)",
            )?;
            let rows = statement.query_map([], checkpoint_of)?;
            rows.map(|row| row.map(|one| (one.group, one)).map_err(Problem::from)).collect()
        })
        .await
    }

    /// Brings what is known of a group's checkpoints to what the DR side has been seen to have: `there` are kept, or kept
    /// anew; the others are gone since `now`, and after `forget` they are not known any more. A checkpoint that became
    /// complete after `looked` cannot have been seen, and stays.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn settle_checkpoints(
        &self,
        group: GroupId,
        there: Vec<Checkpoint>,
        looked: Timestamp,
        forget: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(format!("keep the checkpoints of protection group {group}"), move |c| {
            let known: Vec<Checkpoint> = {
                let mut statement = c.prepare_cached("SELECT * FROM checkpoints WHERE group_id = ?1")?;
                statement.query_map([group.to_string()], checkpoint_of)?.collect::<rusqlite::Result<_>>()?
            };
            for old in &known {
                let seen = there.iter().any(|one| one.guid == old.guid);
                let gone_at = match (seen, old.gone_at) {
                    (true, Some(_)) => None,
                    (false, None) if old.complete_at <= looked => Some(looked),
                    _ => continue,
                };
                c.prepare_cached("UPDATE checkpoints SET gone_at = ?3 WHERE group_id = ?1 AND guid = ?2")?
                    .execute((group.to_string(), old.guid.to_string(), gone_at.map(nanos)))?;
            }
            for new in there.iter().filter(|one| known.iter().all(|old| old.guid != one.guid)) {
                put_checkpoint(c, new)?;
            }
            c.prepare_cached("DELETE FROM checkpoints WHERE group_id = ?1 AND gone_at < ?2")?
                .execute((group.to_string(), nanos(forget)))?;
            super::manifests::forget_orphans(c, group, nanos(forget))?;
            Ok(())
        })
        .await
    }
}

/// Whether the guests are to be at rest in this run, as its input says.
fn quiesces(job: &Job) -> bool {
    job.input.pointer("/guests/quiesce").and_then(serde_json::Value::as_bool).unwrap_or(false)
}

fn unfinished(c: &Connection, group: GroupId) -> rusqlite::Result<Option<JobId>> {
    c.prepare_cached("SELECT job FROM group_runs WHERE group_id = ?1 AND finished_at IS NULL")?
        .query_row([group.to_string()], |row| parsed(row, "job"))
        .optional()
}

fn put_checkpoint(c: &Connection, one: &Checkpoint) -> rusqlite::Result<()> {
    c.prepare_cached(
        "INSERT INTO checkpoints (group_id, guid, snapshot, taken_at, complete_at, bytes, kind, job, gone_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, \
             coalesce((SELECT kind FROM manifests WHERE group_id = ?1 AND guid = ?2), ?7), ?8, ?9) \
         ON CONFLICT (group_id, guid) DO UPDATE SET complete_at = min(complete_at, ?5), bytes = ?6, \
             kind = excluded.kind, job = coalesce(?8, job), gone_at = ?9",
    )?
    .execute((
        one.group.to_string(),
        one.guid.to_string(),
        one.snapshot.as_str(),
        nanos(one.taken_at),
        nanos(one.complete_at),
        signed(one.bytes),
        one.kind.as_str(),
        one.job.map(|job| job.to_string()),
        one.gone_at.map(nanos),
    ))?;
    Ok(())
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn run_of(row: &Row<'_>) -> rusqlite::Result<GroupRun> {
    Ok(GroupRun {
        job: parsed(row, "job")?,
        group: parsed(row, "group_id")?,
        started_at: time(row, "started_at")?,
        finished_at: maybe_time(row, "finished_at")?,
        took_ms: row.get::<_, Option<i64>>("took_ms")?.map(i64::unsigned_abs),
        succeeded: row.get("succeeded")?,
        bytes: row.get::<_, i64>("bytes")?.unsigned_abs(),
    })
}

fn checkpoint_of(row: &Row<'_>) -> rusqlite::Result<Checkpoint> {
    let guid: String = row.get("guid")?;
    let guid = guid.parse().map_err(|error| unreadable(rusqlite::types::Type::Text, error))?;
    Ok(Checkpoint {
        group: parsed(row, "group_id")?,
        guid: Guid(guid),
        snapshot: parsed(row, "snapshot")?,
        taken_at: time(row, "taken_at")?,
        complete_at: time(row, "complete_at")?,
        bytes: row.get::<_, i64>("bytes")?.unsigned_abs(),
        kind: parsed(row, "kind")?,
        job: maybe_parsed(row, "job")?,
        gone_at: maybe_time(row, "gone_at")?,
    })
}
