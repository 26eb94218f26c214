//! Runs one job from where its log says it stands to its end: forward, step by step, or back.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::context::StepContext;
use super::definition::{AfterFailure, Definition, Retry, Step};
use super::error::Fault;
use super::journal::Journal;
use super::log::TopState;
use crate::domain::job::{Failure, FailureKind, Job, JobState, Level, StepEvent};
use crate::store::JobChange;

/// One job on its way.
pub(super) struct Runner {
    pub(super) definition: Arc<Definition>,
    pub(super) job: Arc<Job>,
    pub(super) journal: Arc<Journal>,
    pub(super) clock: Arc<dyn Clock>,
    /// Fires when a person asks the job to stop.
    pub(super) cancelled: CancellationToken,
    /// Tells the engine that something may have become possible.
    pub(super) wake: Arc<Notify>,
}

/// How one attempt of a step ended, once that is recorded.
enum Attempt {
    Done,
    Again,
    /// It failed for good.
    Over(Way),
}

/// Where a job goes once it cannot go forward.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    End,
    Back,
}

impl Runner {
    /// Runs the job until it ends or waits for a person. Dropping the future is like a crash: the log is
    /// sound, and another runner can go on.
    pub(super) async fn run(&self) -> Result<(), Fault> {
        tokio::select! {
            biased;
            end = self.drive() => end,
            never = self.journal.keep_writing() => match never {},
        }
    }

    async fn drive(&self) -> Result<(), Fault> {
        if self.job.unwinding || self.forward().await? == Way::Back {
            self.unwind().await?;
        }
        Ok(())
    }

    /// Does the steps that are not done.
    async fn forward(&self) -> Result<Way, Fault> {
        let first = self.journal.standing().done().len();
        if first == self.definition.steps.len() {
            self.journal.change(self.success(Value::Null)).await?;
        }
        for step in &self.definition.steps[first..] {
            let standing = self.journal.standing();
            // A step that was under way when the process died is asked to stop, not left alone.
            let under_way = matches!(standing.top(), Some((_, TopState::Running)));
            if self.cancelled.is_cancelled() && !under_way {
                self.journal.change(self.stopped_before(step.as_ref())).await?;
                return Ok(Way::End);
            }
            if let Some(way) = self.do_step(step.as_ref()).await? {
                return Ok(way);
            }
        }
        // The success of the last step was the success of the job.
        Ok(Way::End)
    }

    /// Attempts a step as often as it wants. With a way, it was not done.
    async fn do_step(&self, step: &dyn Step) -> Result<Option<Way>, Fault> {
        let Retry { attempts, pause } = step.retry();
        let mut attempt = 1;
        loop {
            match self.attempt(step, attempt < attempts).await? {
                Attempt::Done => return Ok(None),
                Attempt::Over(way) => return Ok(Some(way)),
                Attempt::Again => {
                    let next = format!("Step {:?} is attempted again in {} s.", step.name(), pause.as_secs());
                    self.journal.console(Level::Info, next);
                    let context = self.context(step);
                    if context.pause(pause).await.is_err() {
                        self.journal.change(self.stopped_before(step)).await?;
                        return Ok(Some(Way::End));
                    }
                }
            }
            attempt += 1;
        }
    }

    async fn attempt(&self, step: &dyn Step, may_retry: bool) -> Result<Attempt, Fault> {
        match self.outcome(step).await? {
            Ok(output) => {
                let standing = self.journal.standing();
                let last = standing.done().len() + 1 == self.definition.steps.len();
                let change = if last { self.success(output.clone()) } else { self.passed(step) };
                self.journal.record(step.name(), StepEvent::Succeeded { output }, change).await?;
                Ok(Attempt::Done)
            }
            Err(failure) => {
                self.journal.console(Level::Error, failure.message.clone());
                let transient = failure.kind == FailureKind::Transient;
                let again = may_retry && transient && !self.cancelled.is_cancelled();
                let (change, attempt) = if again {
                    (JobChange::default(), Attempt::Again)
                } else if self.unwinds() {
                    (begins_unwinding(step, &failure), Attempt::Over(Way::Back))
                } else {
                    (self.failed(step, &failure), Attempt::Over(Way::End))
                };
                self.journal.record(step.name(), StepEvent::Failed { failure }, change).await?;
                Ok(attempt)
            }
        }
    }

    /// Starts the step, or starts it again, and lets it act; its outcome is not recorded yet.
    async fn outcome(&self, step: &dyn Step) -> Result<Result<Value, Failure>, Fault> {
        let context = self.context(step);
        let earlier = self.journal.standing().top().map(|(entry, _)| entry.intent.clone());
        let again = earlier.is_some();
        let intent = match earlier {
            Some(intent) => intent,
            None => match guarded(step.name(), step.intent(&context)).await {
                Ok(intent) => intent,
                Err(failure) => return Ok(Err(failure)),
            },
        };
        let change = JobChange {
            phase: Some(Some(step.name().to_owned())),
            progress_percent: Some(step.percent().0),
            ..JobChange::default()
        };
        let started = StepEvent::Started { intent: intent.clone() };
        self.journal.record(step.name(), started, change).await?;
        if again {
            match guarded(step.name(), step.is_done(&context, &intent)).await {
                Ok(None) => {}
                Ok(Some(output)) => return Ok(Ok(output)),
                Err(failure) => return Ok(Err(failure)),
            }
        }
        Ok(guarded(step.name(), step.run(&context, &intent)).await)
    }

    /// What `step` is given.
    pub(super) fn context(&self, step: &dyn Step) -> StepContext {
        let standing = self.journal.standing();
        let entries = standing.done().iter().chain(standing.top().map(|(entry, _)| entry));
        let outputs = entries.filter_map(|entry| Some((entry.step.clone(), entry.output.clone()?)));
        StepContext {
            job: self.job.clone(),
            step: step.name(),
            percent: step.percent(),
            outputs: Arc::new(outputs.collect()),
            journal: self.journal.clone(),
            clock: self.clock.clone(),
            cancelled: self.cancelled.clone(),
            wake: Arc::clone(&self.wake),
        }
    }

    fn unwinds(&self) -> bool {
        self.definition.on_failure == AfterFailure::Unwind && !self.cancelled.is_cancelled()
    }

    fn passed(&self, step: &dyn Step) -> JobChange {
        JobChange { progress_percent: Some(step.percent().1), ..JobChange::default() }
    }

    fn success(&self, result: Value) -> JobChange {
        JobChange {
            state: Some(JobState::Succeeded),
            phase: Some(None),
            progress_percent: Some(100),
            result: Some(result),
            failure: Some(None),
            failed_phase: Some(None),
            finished_at: Some(Some(self.clock.now())),
            ..JobChange::default()
        }
    }

    /// The end of a job whose step failed for good.
    fn failed(&self, step: &dyn Step, failure: &Failure) -> JobChange {
        let cancelled = self.cancelled.is_cancelled();
        let state = if cancelled { JobState::Cancelled } else { JobState::Failed };
        let finished_at = Some(Some(self.clock.now()));
        JobChange { state: Some(state), finished_at, ..because(step, failure) }
    }

    /// The end of a job that was asked to stop while nothing of it was under way.
    fn stopped_before(&self, step: &dyn Step) -> JobChange {
        let what = format!("Stopped before step {:?}, as asked. What was done before stays.", step.name());
        self.failed(step, &Failure::cancelled(what))
    }
}

fn begins_unwinding(step: &dyn Step, failure: &Failure) -> JobChange {
    let state = Some(JobState::Running);
    JobChange { state, unwinding: Some(true), ..because(step, failure) }
}

fn because(step: &dyn Step, failure: &Failure) -> JobChange {
    let failed_phase = Some(Some(step.name().to_owned()));
    JobChange { failure: Some(Some(failure.clone())), failed_phase, ..JobChange::default() }
}

/// Runs what a step does, and makes a failure of a panic: a defect in one job must not end the others.
pub(super) async fn guarded<T>(
    step: &str,
    action: impl Future<Output = Result<T, Failure>> + Send,
) -> Result<T, Failure> {
    AssertUnwindSafe(action).catch_unwind().await.unwrap_or_else(|panic| {
        let words = panic_words(&*panic);
        Err(Failure::permanent(format!("Step {step:?} ended in a defect of Zerfaux: {words}"))
            .advise("Please report this, with the job's console."))
    })
}

/// What a panic said.
pub(super) fn panic_words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without words")
}
