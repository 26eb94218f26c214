//! Cleans up tests whose time has come, and tries cleanups again that could not be finished: a host that did not unmount, a
//! machine that did not power off. The pause grows from one attempt to the next.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::clean_up_test::{CleanupInput, KIND};
use super::failure::{not_kept, recorded};
use crate::domain::audit::AuditEntry;
use crate::domain::job::{Failure, JobState};
use crate::domain::recovery_run::RecoveryRun;
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

    /// Brings the group's state to how the jobs stand of its test and of its line: a job that failed says nothing by itself.
    async fn agree(&self, run: &RecoveryRun, now: Timestamp) -> Result<(), Failure> {
        let group = run.plan.group_id;
        let Some((state, _)) = self.store.recovery_state(group).await.map_err(not_kept)? else {
            return Ok(());
        };
        for doing in state.test().into_iter().chain(state.line()) {
            let Some(job) = self.store.job(doing.run).await.map_err(not_kept)? else { continue };
            let stopped = matches!(
                job.state,
                JobState::Failed | JobState::Cancelled | JobState::Waiting | JobState::Interrupted
            );
            let event = match (stopped, doing.progress) {
                (true, Progress::Running) => Event::Failed(doing.verb, doing.run),
                (false, Progress::Failed) if !job.state.is_final() => Event::Started(doing.verb, doing.run),
                _ => continue,
            };
            // What does not fit was changed meanwhile: the next look sees it.
            let _misfit = self.store.note_recovery(group, event, now).await.map_err(not_kept)?;
        }
        Ok(())
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

/// Keeps the job that cleans up a run and has it taken up. False: it has one, or everything is gone.
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
    let input = recorded(CleanupInput { plan: run.plan.clone() })?;
    let job = engine.draft(KIND, input, by);
    let job = job.map_err(|error| Failure::permanent(format!("The cleanup could not be made: {error}.")))?;
    let started = store.start_recovery_cleanup(run.id(), &job, audit).await.map_err(not_kept)?;
    if started == CleanupStart::Queued {
        engine.queued(&job);
    }
    Ok(started == CleanupStart::Queued)
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
        let mut runs = self.store.unfinished_recovery_runs().await.map_err(not_kept)?;
        for run in &runs {
            self.agree(run, now).await?;
        }
        // A failover waits for a person.
        runs.retain(|run| !run.plan.kind.is_failover());
        let mut done = Vec::new();
        for run in &runs {
            if let Some(what) = self.one(run, now).await? {
                tracing::info!(group = run.plan.group_name, run = %run.id(), "the cleanup of a test is {what}");
                done.push(what);
            }
        }
        Ok(format!("{} tests are there; {} cleanups were begun or tried again.", runs.len(), done.len()))
    }
}
