//! Failed jobs that nobody has seen yet.

use jiff::Timestamp;

use super::Store;
use super::audit::append;
use super::error::{Refusal, StoreError};
use super::jobs::job_of;
use super::values::nanos;
use crate::domain::audit::AuditEntry;
use crate::domain::ids::JobId;
use crate::domain::job::Job;

impl Store {
    /// The newest jobs that failed after `since`, that nobody has acknowledged, and that no later job with the same
    /// task, or a later run of the same group, has made good.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn failed_jobs_unseen(&self, since: Timestamp, limit: usize) -> Result<Vec<Job>, StoreError> {
        self.read("list the failed jobs", move |c| {
            let mut statement = c.prepare_cached(
                "SELECT j.* FROM jobs j WHERE j.state = 'failed' AND j.finished_at >= ?1 \
                 AND NOT EXISTS (SELECT 1 FROM job_acknowledgements a WHERE a.job = j.id) \
                 AND NOT EXISTS (SELECT 1 FROM jobs l WHERE l.kind = j.kind AND l.id > j.id \
                     AND l.state = 'succeeded' AND l.input = j.input) \
                 AND NOT EXISTS (SELECT 1 FROM group_runs r JOIN group_runs n ON n.group_id = r.group_id \
                     AND n.succeeded AND n.started_at > r.started_at WHERE r.job = j.id) \
                 ORDER BY j.id DESC LIMIT ?2",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            Ok(statement.query_map((nanos(since), limit), job_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Forgets at most `limit` jobs that ended before this time, with their logs and consoles; how many is the result.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn forget_jobs(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.write("forget old jobs", move |c| {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            Ok(c.prepare_cached(
                "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs \
                 WHERE state IN ('succeeded', 'failed', 'cancelled') AND finished_at < ?1 LIMIT ?2)",
            )?
            .execute((nanos(before), limit))?)
        })
        .await
    }

    /// Notes that somebody has seen that a job failed. Once more is no error.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] unless it is a job that failed; or if the database cannot be written.
    pub async fn acknowledge_job(&self, id: JobId, audit: AuditEntry) -> Result<(), StoreError> {
        self.write(format!("acknowledge job {id}"), move |c| {
            let failed = c
                .prepare_cached("SELECT 1 FROM jobs WHERE id = ?1 AND state = 'failed'")?
                .exists([id.to_string()])?;
            if !failed {
                return Err(Refusal::NotFound(format!("failed job {id}")).into());
            }
            c.prepare_cached("INSERT OR IGNORE INTO job_acknowledgements (job, by, at) VALUES (?1, ?2, ?3)")?
                .execute((id.to_string(), &audit.actor, nanos(audit.at)))?;
            append(c, &audit)?;
            Ok(())
        })
        .await
    }
}
