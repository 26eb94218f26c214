//! Cleans up tests whose time has come, and tries cleanups again that could not be finished: a host that did not unmount, a
//! machine that did not power off. The pause grows from one attempt to the next. A rollback is never begun or tried again by
//! itself: a person decides.
//!
//! Brings each group's state to how the jobs of its runs stand: a job that ended says nothing by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::clean_up_test::{self, CleanupInput};
use super::failure::{not_kept, recorded};
use super::roll_back_failover;
use crate::domain::audit::AuditEntry;
use crate::domain::job::{Failure, Job, JobState, StepEvent};
use crate::domain::recovery_run::{RecoveryRun, RunOutcome};
use crate::domain::recovery_state::{Event, Progress};
use crate::engine::reconcile::Reconciler;
use crate::engine::{Clock, Engine};
use crate::store::{CleanupStart, Store};

/// The reconciler's name.
pub const NAME: &str = "recovery_watch";
/// From one look to the next.
const EVERY: Duration = Duration::from_secs(5);
/// Who starts what nobody asked for just now.
const BY: &str = "scheduler";

/// See the module.
pub struct RecoveryWatch {
    engine: Engine,
    store: Store,
    clock: Arc<dyn Clock>,
}

/// The pause before the next attempt, after so many: half a minute at first, a quarter of an hour at most.
fn pause_after(tries: u32) -> SignedDuration {
    SignedDuration::from_secs((30_i64 << tries.saturating_sub(1).min(5)).min(15 * 60))
}

impl RecoveryWatch {
    /// Works with jobs of `engine`.
    pub fn new(engine: Engine, store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { engine, store, clock }
    }

    /// Brings the group's state to how the jobs of its run stand. True: what the run had begun was taken back by its own job,
    /// so that nothing of it is left.
    async fn agree(&self, run: &RecoveryRun, now: Timestamp) -> Result<bool, Failure> {
        let group = run.plan.group_id;
        let Some((state, _)) = self.store.recovery_state(group).await.map_err(not_kept)? else {
            return Ok(false);
        };
        let is_failover = run.plan.kind.is_failover();
        let Some(doing) = (if is_failover { state.line() } else { state.test() }) else { return Ok(false) };
        let Some(job) = self.store.job(doing.run).await.map_err(not_kept)? else { return Ok(false) };
        let ended = matches!(job.state, JobState::Failed | JobState::Cancelled);
        let waits = matches!(job.state, JobState::Waiting | JobState::Interrupted);
        let undone = is_failover && ended && doing.run == run.job && self.nothing_left(&job).await?;
        let event = match (ended || waits, doing.progress) {
            (true, Progress::Running | Progress::Failed) if undone => Event::Undone(doing.verb, doing.run),
            (true, Progress::Running) => Event::Failed(doing.verb, doing.run),
            (false, Progress::Failed) if !job.state.is_final() => Event::Started(doing.verb, doing.run),
            _ => return Ok(false),
        };
        // What does not fit was changed meanwhile: the next look sees it.
        let fits = self.store.note_recovery(group, event, now).await.map_err(not_kept)?.is_ok();
        if fits && undone {
            let outcome = RunOutcome::RolledBack;
            self.store.note_recovery_ended(run.id(), outcome, now).await.map_err(not_kept)?;
        }
        Ok(fits && undone)
    }

    /// Whether every step that a job has begun was taken back again.
    async fn nothing_left(&self, job: &Job) -> Result<bool, Failure> {
        let events = self.store.events(job.id).await.map_err(not_kept)?;
        let mut standing = BTreeSet::new();
        for record in &events {
            match record.event {
                StepEvent::Undone => standing.remove(&record.step),
                _ => standing.insert(&record.step),
            };
        }
        Ok(standing.is_empty())
    }

    /// What was done about a run, if anything.
    async fn one(&self, run: &RecoveryRun, now: Timestamp) -> Result<Option<&'static str>, Failure> {
        let Some(cleanup) = run.cleanup_job else {
            return match run.cleanup_due {
                Some(due) if due <= now => {
                    Ok(start(&self.store, &self.engine, run, BY, None).await?.then_some("begun"))
                }
                _ => Ok(None),
            };
        };
        let Some(job) = self.store.job(cleanup).await.map_err(not_kept)? else { return Ok(None) };
        // One that a person stopped waits for a person.
        if job.state != JobState::Failed {
            return Ok(None);
        }
        match run.cleanup_next {
            None => {
                let tries = run.cleanup_tries.saturating_add(1);
                let next = now.checked_add(pause_after(tries)).ok();
                self.store.note_cleanup_pending(run.id(), tries, next).await.map_err(not_kept)?;
                Ok(Some("pending"))
            }
            Some(next) if next <= now => {
                self.store.note_cleanup_pending(run.id(), run.cleanup_tries, None).await.map_err(not_kept)?;
                // Somebody may have been faster.
                Ok(self.engine.retry(cleanup).await.is_ok().then_some("tried again"))
            }
            Some(_) => Ok(None),
        }
    }
}

/// Keeps the job that takes a run away, or back, and has it taken up. False: it has one, or everything is gone.
///
/// # Errors
/// If the database does not answer.
pub async fn start(
    store: &Store,
    engine: &Engine,
    run: &RecoveryRun,
    by: &str,
    audit: Option<AuditEntry>,
) -> Result<bool, Failure> {
    Ok(begin(store, engine, run, by, audit).await? == CleanupStart::Queued)
}

/// The same, and what came of it.
///
/// # Errors
/// If the database does not answer.
pub async fn begin(
    store: &Store,
    engine: &Engine,
    run: &RecoveryRun,
    by: &str,
    audit: Option<AuditEntry>,
) -> Result<CleanupStart, Failure> {
    let kind = if run.plan.kind.is_failover() { roll_back_failover::KIND } else { clean_up_test::KIND };
    let input = recorded(CleanupInput { plan: run.plan.clone() })?;
    let job = engine.draft(kind, input, by);
    let job = job.map_err(|error| Failure::permanent(format!("The job could not be made: {error}.")))?;
    let started = store.start_recovery_cleanup(run.id(), &job, audit).await.map_err(not_kept)?;
    if started == CleanupStart::Queued {
        engine.queued(&job);
    }
    Ok(started)
}

#[async_trait]
impl Reconciler for RecoveryWatch {
    fn name(&self) -> &'static str {
        NAME
    }

    fn every(&self) -> Duration {
        EVERY
    }

    async fn run(&self) -> Result<String, Failure> {
        let now = self.clock.now();
        let runs = self.store.unfinished_recovery_runs().await.map_err(not_kept)?;
        let (mut tests, mut done) = (0, Vec::new());
        for run in &runs {
            if self.agree(run, now).await? {
                tracing::info!(group = run.plan.group_name, run = %run.id(), "a failover was taken back by its job");
            }
            if run.plan.kind.is_failover() {
                continue;
            }
            tests += 1;
            if let Some(what) = self.one(run, now).await? {
                tracing::info!(group = run.plan.group_name, run = %run.id(), "the cleanup of a test is {what}");
                done.push(what);
            }
        }
        Ok(format!(
            "{tests} tests and {} failovers are there; {} cleanups were begun or tried again.",
            runs.len() - tests,
            done.len()
        ))
    }
}
