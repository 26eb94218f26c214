//! Groups whose replica is destroyed: the job that does it, and the end of the group.

use rusqlite::{Connection, OptionalExtension};

use super::Store;
use super::audit::append;
use super::error::{Refusal, StoreError};
use super::job_start::JobStart;
use super::values::parsed;
use super::{jobs, protection_groups, references};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::{GroupId, JobId};
use crate::domain::job::Job;
use crate::domain::replica::DELETE_REPLICA;

impl Store {
    /// Keeps the job that destroys a group's replica, and switches the group off: in one transaction, so that no run of it
    /// comes in between. Answers the job that does so already, if one does.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if there is no such group; or if the database cannot be written.
    pub async fn start_replica_deletion(
        &self,
        group: GroupId,
        job: &Job,
        audit: AuditEntry,
    ) -> Result<JobStart, StoreError> {
        let job = job.clone();
        self.write(format!("keep the job that destroys the replica of group {group}"), move |c| {
            let id = group.to_string();
            if let Some(other) = deleted_by(c, group)? {
                return Ok(JobStart::Unfinished(other));
            }
            if let Some(needed) = references::to(c, "protection_groups", &id)? {
                return Ok(JobStart::InTheWay(format!(
                    "The group is in use by {needed}. Nothing was changed; wait for its end, or cancel it."
                )));
            }
            if c.prepare_cached("UPDATE protection_groups SET enabled = 0 WHERE id = ?1")?.execute([&id])?
                == 0
            {
                return Err(Refusal::NotFound(format!("protection group {group}")).into());
            }
            jobs::insert(c, &job)?;
            append(c, &audit)?;
            Ok(JobStart::Queued)
        })
        .await
    }

    /// Forgets a group whose replica this job has destroyed. One that is forgotten stays so.
    ///
    /// # Errors
    /// [`Refusal::Needed`] while another job works on it, or something refers to it; or if the database cannot be written.
    pub async fn forget_group_without_replica(
        &self,
        group: GroupId,
        job: JobId,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        self.write(format!("forget protection group {group}"), move |c| {
            let needed =
                references::but_for_job(c, "protection_groups", &group.to_string(), &job.to_string())?;
            protection_groups::forget(c, group, needed, &audit)?;
            Ok(())
        })
        .await
    }
}

/// The job that destroys the replica of this group, if one has not ended.
pub(in crate::store) fn deleted_by(c: &Connection, group: GroupId) -> rusqlite::Result<Option<JobId>> {
    c.prepare_cached(
        "SELECT id FROM jobs WHERE kind = ?1 AND state NOT IN ('succeeded', 'failed', 'cancelled') \
         AND instr(input, ?2) > 0 LIMIT 1",
    )?
    .query_row((DELETE_REPLICA, group.to_string()), |row| parsed(row, "id"))
    .optional()
}
