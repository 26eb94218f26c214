//! The last run of a planned failover: a run of the group that begins after every guest was seen to be off, and whose checkpoint
//! is the one that is recovered.
//!
//! Which job it is, is decided before it is made, so that after a crash it is found and neither made twice nor lost. A run that is
//! under way already is waited for: what it has snapshotted may be older.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::ids::JobId;
use crate::domain::job::{Failure, FailureKind, Job, JobState, Level};
use crate::domain::protection_group::ProtectionGroup;
use crate::domain::recovery_run::{RunPlan, SourceSide};
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::create_dr_shell::intended;
use crate::jobs::failure::{not_kept, recorded};
use crate::jobs::group_runs::{fold, input_of};
use crate::jobs::recovery::{AGAIN, Ground, LastRun, RunInput};
use crate::jobs::replicate;
use crate::store::RunStart;

/// From one look to the next.
const EVERY: Duration = Duration::from_millis(500);
/// What to do when it does not work.
const ADVICE: &str = "Mend what the run says, then fail over again. If the source cannot be brought to it, fail over without it \
                      (disaster failover): what was written since the newest checkpoint is lost then.";

pub(super) struct LastRunOfAll(pub(super) Arc<Ground>);

/// What is decided before it is made.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    /// Its job.
    job: JobId,
    /// The source's own clock then, in seconds since 1970; every guest was off before.
    source_clock: Option<i64>,
}

fn failed(why: &str) -> Failure {
    Failure::permanent(format!(
        "The last run did not bring what the guests have written. {why} Nothing was failed over."
    ))
    .advise(ADVICE)
}

/// Why a run that has not ended will not by itself.
fn stuck(job: &Job) -> Result<(), Failure> {
    match job.state {
        JobState::Waiting | JobState::Interrupted => {
            Err(failed(&format!("The run {} of the group waits for a person.", job.id)))
        }
        _ => Ok(()),
    }
}

impl LastRunOfAll {
    async fn group(&self, plan: &RunPlan) -> Result<ProtectionGroup, Failure> {
        let group = self.0.vcenters.store().protection_group(plan.group_id).await.map_err(not_kept)?;
        group.ok_or_else(|| failed("The protection group is gone."))
    }

    /// Has it made, and waits until it has ended.
    async fn ended(&self, cx: &StepContext, plan: &RunPlan, id: JobId) -> Result<Job, Failure> {
        let store = self.0.vcenters.store();
        let mut told = None;
        loop {
            // The group has a run until its end was taken in.
            fold(store, cx.now()).await.map_err(not_kept)?;
            if let Some(job) = store.job(id).await.map_err(not_kept)? {
                if job.state.is_final() {
                    return Ok(job);
                }
                stuck(&job)?;
            } else {
                let group = self.group(plan).await?;
                let input = input_of(&self.0.targets, &group, cx.now()).await?;
                let job = Job::queued(id, replicate::KIND, input, &cx.job().created_by, cx.now());
                match store.start_group_run(group.id, &job, None).await.map_err(not_kept)? {
                    RunStart::Queued => {
                        cx.info(format!("The last run begins: job {id}."));
                        cx.has_queued();
                    }
                    RunStart::Unfinished(other) => {
                        if told.replace(other) != Some(other) {
                            cx.info(format!("The run {other} is under way; the last one begins after it."));
                        }
                        if let Some(job) = store.job(other).await.map_err(not_kept)? {
                            stuck(&job)?;
                        }
                    }
                    RunStart::NoGroup => return Err(failed("The protection group is gone.")),
                    RunStart::Leaving(other) => {
                        return Err(failed(&format!("Its replica is being destroyed by job {other}.")));
                    }
                }
            }
            cx.pause(EVERY).await?;
        }
    }

    /// The checkpoint that it brought.
    async fn brought(
        &self,
        cx: &StepContext,
        plan: &RunPlan,
        asked: &Asked,
    ) -> Result<(LastRun, String), Failure> {
        let job = self.ended(cx, plan, asked.job).await?;
        if job.state != JobState::Succeeded {
            let why = job.failure.map_or_else(|| "It was stopped.".to_owned(), |failure| failure.message);
            return Err(failed(&format!("Job {} failed: {why}", job.id)));
        }
        let store = self.0.vcenters.store();
        // Its end is taken in by whoever looks first.
        fold(store, cx.now()).await.map_err(not_kept)?;
        let all = store.checkpoints(plan.group_id, false).await.map_err(not_kept)?;
        let found = all.into_iter().find(|one| one.job == Some(asked.job));
        let found = found.ok_or_else(|| failed(&format!("Job {} ended without a checkpoint.", job.id)))?;
        // By one clock, the source's: the guests were off before it was read.
        if asked.source_clock.is_some_and(|clock| found.taken_at.as_second() < clock) {
            return Err(failed(&format!(
                "Its checkpoint {} is dated {}, before the last guest was off.",
                found.snapshot, found.taken_at
            )));
        }
        let seen = format!(
            "{} was taken at {}, after every guest was off, and is complete at the DR site (job {})",
            found.snapshot, found.taken_at, job.id
        );
        let last =
            LastRun { job: job.id, snapshot: found.snapshot, guid: found.guid, taken_at: found.taken_at };
        Ok((last, seen))
    }
}

/// The side that is left, unless something of a run that is there is mended.
fn source_of(input: &RunInput) -> Option<&SourceSide> {
    input.plan.source.as_ref().filter(|_| input.only.is_empty())
}

#[async_trait]
impl Step for LastRunOfAll {
    fn name(&self) -> &'static str {
        "last_run"
    }

    fn percent(&self) -> (u8, u8) {
        (12, 25)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let input: RunInput = cx.input()?;
        let Some(source) = source_of(&input) else { return Ok(Value::Null) };
        let clock = async {
            let zfs = self.0.targets.zfs(source.target_id).await?;
            Ok::<_, Failure>(zfs.surroundings().await?.now)
        };
        let source_clock = clock.await.map_err(|failure| match failure.kind {
            FailureKind::Cancelled | FailureKind::Transient => failure,
            _ => failed(&failure.message),
        })?;
        recorded(Asked { job: JobId::new(), source_clock })
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let input: RunInput = cx.input()?;
        if source_of(&input).is_none() {
            return Ok(Value::Null);
        }
        let asked: Asked = intended(intent)?;
        let brought = self.brought(cx, &input.plan, &asked);
        let last = self.0.record(cx, &input.plan).step(self.name(), brought).await?;
        cx.console(Level::Success, format!("The last run has brought {}: nothing is lost.", last.snapshot));
        recorded(last)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("a checkpoint more does no harm, and the next run builds on it")
    }
}
