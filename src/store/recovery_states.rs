//! How far the recovery of groups is.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

use super::Store;
use super::audit::append;
use super::error::{Problem, Refusal, StoreError};
use super::jobs;
use super::values::{from_json, json, nanos, time};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::{GroupId, JobId};
use crate::domain::job::Job;
use crate::domain::recovery_state::{Event, Misfit, RecoveryState, Verb};

impl Store {
    /// How far a group is, and since when it is in its phase; none: nothing was ever done, and it is as
    /// [`RecoveryState::default`] says.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn recovery_state(
        &self,
        group: GroupId,
    ) -> Result<Option<(RecoveryState, Timestamp)>, StoreError> {
        self.read(format!("read how far the recovery of group {group} is"), move |c| Ok(state(c, group)?))
            .await
    }

    /// Takes an event up, by the rules of [`RecoveryState::after`]. One that does not fit changes nothing and is answered.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if the group is gone; or if the database cannot be written.
    pub async fn note_recovery(
        &self,
        group: GroupId,
        event: Event,
        at: Timestamp,
    ) -> Result<Result<RecoveryState, Misfit>, StoreError> {
        self.write(format!("note how far the recovery of group {group} is"), move |c| {
            take_up(c, group, event, at)
        })
        .await
    }

    /// Keeps a new job that does `verb` to a group, the audit line of who asked for it, and that the verb is under way: all
    /// of them, or none if it may not be begun now.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if the group is gone; or if the database cannot be written.
    pub async fn start_recovery(
        &self,
        group: GroupId,
        verb: Verb,
        job: &Job,
        audit: AuditEntry,
    ) -> Result<Result<RecoveryState, Misfit>, StoreError> {
        let job = job.clone();
        self.write(format!("keep the new job {}", job.id), move |c| {
            let next = match take_up(c, group, Event::Started(verb, job.id), audit.at)? {
                Ok(next) => next,
                Err(misfit) => return Ok(Err(misfit)),
            };
            jobs::insert(c, &job)?;
            append(c, &audit)?;
            Ok(Ok(next))
        })
        .await
    }
}

fn state(c: &Connection, group: GroupId) -> rusqlite::Result<Option<(RecoveryState, Timestamp)>> {
    let read = |row: &Row<'_>| Ok((from_json(row, "state")?, time(row, "since")?));
    c.prepare_cached("SELECT * FROM recovery_states WHERE group_id = ?1")?
        .query_row([group.to_string()], read)
        .optional()
}

/// Takes an event up, or answers why it does not fit.
pub(in crate::store) fn take_up(
    c: &Connection,
    group: GroupId,
    event: Event,
    at: Timestamp,
) -> Result<Result<RecoveryState, Misfit>, Problem> {
    let id = group.to_string();
    if !c.prepare_cached("SELECT 1 FROM protection_groups WHERE id = ?1")?.exists([&id])? {
        return Err(Refusal::NotFound(format!("protection group {id}")).into());
    }
    let (before, since) = state(c, group)?.unwrap_or_else(|| (RecoveryState::default(), at));
    let next = match before.after(event, at) {
        Ok(next) => next,
        Err(misfit) => return Ok(Err(misfit)),
    };
    let since = if next.phase() == before.phase() { since } else { at };
    c.prepare_cached(
        "INSERT INTO recovery_states (group_id, phase, state, since) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (group_id) DO UPDATE SET phase = ?2, state = ?3, since = ?4",
    )?
    .execute((&id, next.phase().as_str(), json(&next)?, nanos(since)))?;
    Ok(Ok(next))
}

/// Whether a job has ended otherwise than well, waits for a person, or was asked to stop.
pub(in crate::store) fn is_stopped(c: &Connection, job: JobId) -> rusqlite::Result<bool> {
    c.prepare_cached(
        "SELECT 1 FROM jobs WHERE id = ?1 AND (cancel_requested \
         OR state IN ('failed', 'cancelled', 'cancelling', 'waiting', 'interrupted'))",
    )?
    .exists([job.to_string()])
}
