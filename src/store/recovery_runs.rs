//! Recoveries of groups.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::Store;
use super::audit::append;
use super::error::{Refusal, StoreError};
use super::jobs;
use super::recovery_states::{is_stopped, take_up};
use super::values::{from_json, json, maybe_parsed, maybe_time, nanos, parsed, time, unreadable};
use crate::domain::audit::AuditEntry;
use crate::domain::dataset::Guid;
use crate::domain::ids::{GroupId, JobId, RecoveryRunId};
use crate::domain::job::Job;
use crate::domain::recovery_run::{Judged, Recovered, RecoveryRun, RunOutcome, RunPlan};
use crate::domain::recovery_state::{Event, Misfit};

/// What came of the wish to begin a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum RecoveryStart {
    /// Run and job are kept.
    Queued,
    /// The group has a run of this sort of which something is left; no second one was made.
    Unfinished(RecoveryRunId),
    /// It may not be begun as the group stands.
    NotNow(Misfit),
}

/// What came of the wish to clean up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum CleanupStart {
    /// The job is kept.
    Queued,
    /// The run has this job for it already.
    Has(JobId),
    /// Everything is gone already, or a failover was committed.
    Cleaned,
    /// A failover may not be rolled back as the group stands.
    NotNow(Misfit),
}

impl Store {
    /// Keeps a run that begins, with its job, unless the group has one of its sort of which something is left. One transaction, so that
    /// neither a crash nor a second click doubles it.
    ///
    /// # Errors
    /// If a job with this id exists, or the database cannot be written.
    pub async fn start_recovery_run(
        &self,
        run: &RecoveryRun,
        job: &Job,
        audit: AuditEntry,
    ) -> Result<RecoveryStart, StoreError> {
        let (run, job) = (run.clone(), job.clone());
        self.write(format!("begin recovery run {}", run.id()), move |c| {
            let other: Option<String> = c
                .prepare_cached(
                    "SELECT id FROM recovery_runs \
                     WHERE group_id = ?1 AND (kind = 'test') = ?2 AND cleaned_at IS NULL",
                )?
                .query_row((run.plan.group_id.to_string(), !run.plan.kind.is_failover()), |row| row.get(0))
                .optional()?;
            if let Some(other) = other.and_then(|id| id.parse().ok()) {
                return Ok(RecoveryStart::Unfinished(other));
            }
            let begins = Event::Started(run.plan.kind.verb(), job.id);
            if let Err(misfit) = take_up(c, run.plan.group_id, begins, audit.at)? {
                return Ok(RecoveryStart::NotNow(misfit));
            }
            insert(c, &run)?;
            jobs::insert(c, &job)?;
            append(c, &audit)?;
            Ok(RecoveryStart::Queued)
        })
        .await
    }

    /// Sees to it that a run is kept, with its virtual machines; one that is there stays as it is.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn ensure_recovery_run(&self, run: &RecoveryRun) -> Result<(), StoreError> {
        let run = run.clone();
        self.write(format!("keep recovery run {}", run.id()), move |c| Ok(insert(c, &run)?)).await
    }

    /// The run with this id.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn recovery_run(&self, id: RecoveryRunId) -> Result<Option<RecoveryRun>, StoreError> {
        self.read(format!("read recovery run {id}"), move |c| {
            let mut statement = c.prepare_cached("SELECT * FROM recovery_runs WHERE id = ?1")?;
            Ok(statement.query_row([id.to_string()], run_of).optional()?)
        })
        .await
    }

    /// The runs, of one group or of all, newest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn recovery_runs(&self, group: Option<GroupId>) -> Result<Vec<RecoveryRun>, StoreError> {
        self.read("list the recovery runs", move |c| {
            let mut statement = c.prepare_cached(
                "SELECT * FROM recovery_runs WHERE ?1 IS NULL OR group_id = ?1 ORDER BY created_at DESC, id DESC",
            )?;
            let group = group.map(|group| group.to_string());
            Ok(statement.query_map([group], run_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The runs of which something is left, oldest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn unfinished_recovery_runs(&self) -> Result<Vec<RecoveryRun>, StoreError> {
        self.read("list the unfinished recovery runs", |c| {
            let mut statement =
                c.prepare_cached("SELECT * FROM recovery_runs WHERE cleaned_at IS NULL ORDER BY created_at")?;
            Ok(statement.query_map([], run_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Keeps which checkpoint a run recovers. The first one stays.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn note_recovered(&self, id: RecoveryRunId, what: &Recovered) -> Result<(), StoreError> {
        let what = what.clone();
        self.write(format!("keep the checkpoint of recovery run {id}"), move |c| {
            c.prepare_cached(
                "UPDATE recovery_runs SET snapshot = ?2, guid = ?3, taken_at = ?4, quality = ?5 \
                 WHERE id = ?1 AND snapshot IS NULL",
            )?
            .execute((
                id.to_string(),
                what.snapshot.as_str(),
                what.guid.to_string(),
                nanos(what.taken_at),
                what.quality.map(crate::domain::checkpoint::CheckpointKind::as_str),
            ))?;
            Ok(())
        })
        .await
    }

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

    /// Keeps that everything that could be started was, and when it is to be cleaned up. The first time stays.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn note_recovery_up(
        &self,
        id: RecoveryRunId,
        at: Timestamp,
        due: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.write(format!("keep that recovery run {id} is up"), move |c| {
            c.prepare_cached(
                "UPDATE recovery_runs SET up_at = coalesce(up_at, ?2), cleanup_due = coalesce(cleanup_due, ?3) \
                 WHERE id = ?1",
            )?
            .execute((id.to_string(), nanos(at), due.map(nanos)))?;
            Ok(())
        })
        .await
    }

    /// Keeps what a person says of a run; a later word replaces the one before.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if there is no such run; or if the database cannot be written.
    pub async fn judge_recovery(
        &self,
        id: RecoveryRunId,
        judged: &Judged,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        let judged = judged.clone();
        self.write(format!("keep the verdict on recovery run {id}"), move |c| {
            let changed = c
                .prepare_cached(
                    "UPDATE recovery_runs SET verdict = ?2, remarks = ?3, verdict_by = ?4, verdict_at = ?5 \
                     WHERE id = ?1",
                )?
                .execute((
                    id.to_string(),
                    judged.verdict.as_str(),
                    judged.remarks,
                    judged.by,
                    nanos(judged.at),
                ))?;
            if changed == 0 {
                return Err(Refusal::NotFound(format!("recovery run {id}")).into());
            }
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// Keeps the job that takes a run away again, unless it has one.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if there is no such run; or if the database cannot be written.
    pub async fn start_recovery_cleanup(
        &self,
        id: RecoveryRunId,
        job: &Job,
        audit: Option<AuditEntry>,
    ) -> Result<CleanupStart, StoreError> {
        let job = job.clone();
        self.write(format!("clean up recovery run {id}"), move |c| {
            let mut statement = c.prepare_cached("SELECT * FROM recovery_runs WHERE id = ?1")?;
            let run = statement.query_row([id.to_string()], run_of).optional()?;
            let run = run.ok_or_else(|| Refusal::NotFound(format!("recovery run {id}")))?;
            if run.cleaned_at.is_some() {
                return Ok(CleanupStart::Cleaned);
            }
            if let Some(job) = run.cleanup_job {
                return Ok(CleanupStart::Has(job));
            }
            let (kind, group) = (run.plan.kind, run.plan.group_id);
            let begins = Event::Started(kind.taken_back_by(), job.id);
            if kind.is_failover() {
                // One that was asked to stop has its locks until it has, and the rollback waits for them.
                if is_stopped(c, run.job)? {
                    let _misfit = take_up(c, group, Event::Failed(kind.verb(), run.job), job.created_at)?;
                }
                if let Err(misfit) = take_up(c, group, begins, job.created_at)? {
                    return Ok(CleanupStart::NotNow(misfit));
                }
            } else if has_group(c, group)? {
                // A test goes whatever the group stands for: what does not fit is told apart elsewhere.
                if run.up_at.is_none() {
                    let _misfit = take_up(c, group, Event::Failed(kind.verb(), run.job), job.created_at)?;
                }
                let _misfit = take_up(c, group, begins, job.created_at)?;
            }
            jobs::insert(c, &job)?;
            c.prepare_cached("UPDATE recovery_runs SET cleanup_job = ?2 WHERE id = ?1")?
                .execute((id.to_string(), job.id.to_string()))?;
            if let Some(audit) = audit {
                append(c, &audit)?;
            }
            Ok(CleanupStart::Queued)
        })
        .await
    }

    /// Keeps that the cleanup of a run has failed so often, and when it is tried again.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn note_cleanup_pending(
        &self,
        id: RecoveryRunId,
        tries: u32,
        next: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.write(format!("keep that the cleanup of recovery run {id} is pending"), move |c| {
            c.prepare_cached("UPDATE recovery_runs SET cleanup_tries = ?2, cleanup_next = ?3 WHERE id = ?1")?
                .execute((id.to_string(), tries, next.map(nanos)))?;
            Ok(())
        })
        .await
    }

    /// Keeps that nothing of a run is left to be taken away or decided, and what became of it. The first word stays.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn note_recovery_ended(
        &self,
        id: RecoveryRunId,
        outcome: RunOutcome,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(format!("keep that recovery run {id} is {}", outcome.as_str()), move |c| {
            c.prepare_cached(
                "UPDATE recovery_runs SET cleaned_at = coalesce(cleaned_at, ?2), outcome = coalesce(outcome, ?3), \
                 cleanup_next = NULL WHERE id = ?1",
            )?
            .execute((id.to_string(), nanos(at), outcome.as_str()))?;
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

fn has_group(c: &Connection, group: GroupId) -> rusqlite::Result<bool> {
    c.prepare_cached("SELECT 1 FROM protection_groups WHERE id = ?1")?.exists([group.to_string()])
}

fn insert(c: &Connection, run: &RecoveryRun) -> rusqlite::Result<()> {
    let (plan, id) = (&run.plan, run.id().to_string());
    c.prepare_cached(
        "INSERT INTO recovery_runs (id, group_id, group_name, kind, created_by, created_at, plan, job) \
         VALUES (:id, :group, :name, :kind, :by, :at, :plan, :job) ON CONFLICT (id) DO NOTHING",
    )?
    .execute(named_params! {
        ":id": id, ":group": plan.group_id.to_string(), ":name": plan.group_name, ":kind": plan.kind.as_str(),
        ":by": run.created_by, ":at": nanos(run.created_at), ":plan": json(plan)?, ":job": run.job.to_string(),
    })?;
    for (vm, place) in plan.vms.iter().zip(0_i64..) {
        c.prepare_cached(
            "INSERT INTO recovery_run_vms (run, source_uuid, place, name, test_name, tier, state) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'waiting') ON CONFLICT (run, source_uuid) DO NOTHING",
        )?
        .execute((&id, &vm.source_uuid, place, &vm.name, &vm.spec.name, vm.tier))?;
    }
    Ok(())
}

fn run_of(row: &Row<'_>) -> rusqlite::Result<RecoveryRun> {
    let plan: RunPlan = from_json(row, "plan")?;
    let checkpoint = match maybe_parsed(row, "snapshot")? {
        Some(snapshot) => {
            let guid: String = row.get("guid")?;
            let guid = guid.parse().map_err(|error| unreadable(rusqlite::types::Type::Text, error))?;
            let quality = maybe_parsed(row, "quality")?;
            Some(Recovered { snapshot, guid: Guid(guid), taken_at: time(row, "taken_at")?, quality })
        }
        None => None,
    };
    let verdict = match maybe_parsed(row, "verdict")? {
        Some(verdict) => Some(Judged {
            verdict,
            remarks: row.get("remarks")?,
            by: row.get("verdict_by")?,
            at: time(row, "verdict_at")?,
        }),
        None => None,
    };
    Ok(RecoveryRun {
        plan,
        created_by: row.get("created_by")?,
        created_at: time(row, "created_at")?,
        job: parsed(row, "job")?,
        checkpoint,
        up_at: maybe_time(row, "up_at")?,
        verdict,
        cleanup_due: maybe_time(row, "cleanup_due")?,
        cleanup_job: maybe_parsed(row, "cleanup_job")?,
        cleanup_tries: row.get("cleanup_tries")?,
        cleanup_next: maybe_time(row, "cleanup_next")?,
        cleaned_at: maybe_time(row, "cleaned_at")?,
        outcome: maybe_parsed(row, "outcome")?,
    })
}
