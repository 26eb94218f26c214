//! Failovers that their own jobs took back, or that give way to another one.

use jiff::Timestamp;
use rusqlite::Connection;

use super::Store;
use super::error::{Problem, StoreError};
use super::jobs;
use super::recovery_states::take_up;
use super::values::nanos;
use crate::domain::ids::RecoveryRunId;
use crate::domain::job::JobState;
use crate::domain::recovery_run::{RecoveryRun, RunKind};
use crate::domain::recovery_state::{Event, Verb};

impl Store {
    /// Keeps that a run recovers no checkpoint any more: what was chosen was let go.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn forget_recovered(&self, id: RecoveryRunId) -> Result<(), StoreError> {
        self.write(format!("forget the checkpoint of recovery run {id}"), move |c| Ok(forget(c, id)?)).await
    }

    /// Begins a run again that its own job had taken back: as if nothing had been done of it. Any other stays as it is.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn begin_recovery_again(&self, id: RecoveryRunId) -> Result<(), StoreError> {
        self.write(format!("begin recovery run {id} again"), move |c| {
            let again = c
                .prepare_cached(
                    "UPDATE recovery_runs SET cleaned_at = NULL, outcome = NULL \
                     WHERE id = ?1 AND outcome = 'rolled_back' AND cleanup_job IS NULL",
                )?
                .execute([id.to_string()])?;
            if again > 0 {
                forget(c, id)?;
                c.prepare_cached(
                    "UPDATE recovery_run_vms SET before = NULL, state = 'waiting', failure = NULL, advice = NULL \
                     WHERE run = ?1",
                )?
                .execute([id.to_string()])?;
            }
            Ok(())
        })
        .await
    }
}

fn forget(c: &Connection, id: RecoveryRunId) -> rusqlite::Result<()> {
    c.prepare_cached(
        "UPDATE recovery_runs SET snapshot = NULL, guid = NULL, taken_at = NULL, quality = NULL WHERE id = ?1",
    )?
    .execute([id.to_string()])?;
    Ok(())
}

/// A planned failover that stopped before anything was recovered gives way to one without the source, which it may have stopped
/// for: it is ended then. False: it does not.
pub(super) fn gives_way(
    c: &Connection,
    planned: &RecoveryRun,
    disaster: &RecoveryRun,
    at: Timestamp,
) -> Result<bool, Problem> {
    let kinds = (planned.plan.kind, disaster.plan.kind);
    if kinds != (RunKind::PlannedFailover, RunKind::DisasterFailover)
        || planned.checkpoint.is_some()
        || planned.cleanup_job.is_some()
    {
        return Ok(false);
    }
    let works = |state| matches!(state, JobState::Queued | JobState::Running | JobState::Cancelling);
    if jobs::find(c, planned.job)?.is_some_and(|job| works(job.state)) {
        return Ok(false);
    }
    // Nobody may have said so yet.
    let failed = Event::Failed(Verb::PlannedFailover, planned.job);
    let _misfit = take_up(c, planned.plan.group_id, failed, at)?;
    c.prepare_cached("UPDATE recovery_runs SET cleaned_at = ?2, outcome = 'rolled_back' WHERE id = ?1")?
        .execute((planned.id().to_string(), nanos(at)))?;
    Ok(true)
}
