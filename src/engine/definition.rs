//! What a kind of job is: its steps in their order, the locks it needs, and what follows a failure.
//!
//! A definition is data: the engine runs it, `tests/laws.rs` enumerates it. A job is a straight line of
//! steps. A step says what it is called, what it intends, whether that is done already, how to do it, and how
//! to take it back or why that is not possible.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::context::StepContext;
use super::locks::LockName;
use crate::domain::job::Failure;

/// Finds the locks of a job from its input.
pub type LocksOf = Box<dyn Fn(&Value) -> Result<Vec<LockName>, Failure> + Send + Sync>;

/// One kind of job.
pub struct Definition {
    /// The name in the database and in the API, such as `replicate`. Never changed once released.
    pub kind: &'static str,
    /// What is done, in this order. Names are unique within the kind and never change once released,
    /// because the log of an unfinished job names them.
    pub steps: Vec<Box<dyn Step>>,
    /// Which locks a job with this input holds from before its first step until its end.
    pub locks: LocksOf,
    /// What follows when a step has failed for good.
    pub on_failure: AfterFailure,
    /// Whether a job that succeeded may still be taken back by [`super::Engine::cleanup`].
    pub after_success: AfterSuccess,
}

impl Definition {
    /// A kind without locks that keeps what was done when it fails, and is final once succeeded.
    pub fn new(kind: &'static str, steps: Vec<Box<dyn Step>>) -> Self {
        Self {
            kind,
            steps,
            locks: Box::new(|_| Ok(Vec::new())),
            on_failure: AfterFailure::Keep,
            after_success: AfterSuccess::Final,
        }
    }

    /// The same kind, holding the locks that `of` names for a job's input. A failure ends the job before
    /// its first step.
    #[must_use]
    pub fn with_locks(
        mut self,
        of: impl Fn(&Value) -> Result<Vec<LockName>, Failure> + Send + Sync + 'static,
    ) -> Self {
        self.locks = Box::new(of);
        self
    }

    /// The same kind, taking everything back by itself when a step fails for good.
    #[must_use]
    pub fn unwinding_on_failure(mut self) -> Self {
        self.on_failure = AfterFailure::Unwind;
        self
    }

    /// The same kind, allowing a person to take back a job that has succeeded.
    #[must_use]
    pub fn undoable_after_success(mut self) -> Self {
        self.after_success = AfterSuccess::MayBeUndone;
        self
    }

    /// The names of the steps, in their order.
    pub fn step_names(&self) -> Vec<&'static str> {
        self.steps.iter().map(|step| step.name()).collect()
    }
}

impl std::fmt::Debug for Definition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Definition")
            .field("kind", &self.kind)
            .field("steps", &self.step_names())
            .field("on_failure", &self.on_failure)
            .field("after_success", &self.after_success)
            .finish_non_exhaustive()
    }
}

/// What follows when a step has failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// What was done stays: the job can be retried from the failed step, or cleaned up by a person.
    Keep,
    /// Every step that was started is taken back, newest first, and then the job has failed.
    Unwind,
}

/// What a person may still do with a job that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterSuccess {
    /// Nothing. Later jobs may rely on what it did, so taking it back is a job of its own.
    Final,
    /// Take it back with a cleanup, as long as no step of it [cannot](UndoKind::Cannot) be taken back.
    MayBeUndone,
}

/// How often a step is attempted while its failures are
/// [transient](crate::domain::job::FailureKind::Transient), and how long to wait in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// All attempts together, the first one included. Zero counts as one. Counted anew after a restart of
    /// the process and after a retry asked for by a person.
    pub attempts: u32,
    /// The wait before the next attempt.
    pub pause: Duration,
}

impl Retry {
    /// One attempt.
    pub const NEVER: Retry = Retry { attempts: 1, pause: Duration::ZERO };
}

/// Whether a step can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UndoKind {
    /// [`Step::undo`] takes it back, also when it was only half done.
    Undoes,
    /// There is nothing to take back, for this reason (it only looks, or what it leaves is wanted anyway).
    Nothing(&'static str),
    /// It cannot be taken back, for this reason. Once it was started, an unwinding stops in front of it: it
    /// and every step before it stay as they are, because they may be needed by what it did.
    Cannot(&'static str),
}

/// One step of a job.
///
/// The engine records `Started` with the intent before [`run`](Self::run) and its outcome afterwards. The
/// process may be killed anywhere in between, so `run` and `undo` must stand being called again, with the
/// same intent, on whatever an earlier call left; `tests/laws.rs` holds every step to that.
#[async_trait]
pub trait Step: Send + Sync {
    /// Unique within the kind; what people see as the job's phase.
    fn name(&self) -> &'static str;

    /// The part of the job's progress that is this step's, in percent of the whole: from, to.
    fn percent(&self) -> (u8, u8);

    /// How transient failures of this step (and of its undo) are retried.
    fn retry(&self) -> Retry {
        Retry::NEVER
    }

    /// What has to be known after a crash in order to find what was done: a snapshot's name, a clone's path.
    /// Decided once and recorded before the step acts; every later attempt gets the recorded value. Must
    /// not change anything.
    async fn intent(&self, _cx: &StepContext) -> Result<Value, Failure> {
        Ok(Value::Null)
    }

    /// Asked before any attempt but the first. With `Some(output)` the step has succeeded and is not run
    /// again. Must not change anything.
    async fn is_done(&self, _cx: &StepContext, _intent: &Value) -> Result<Option<Value>, Failure> {
        Ok(None)
    }

    /// Does it, and returns what later steps may read. The last step's output is the job's result. When
    /// [`StepContext::cancelled`] fires it stops what it has running elsewhere and returns a failure of kind
    /// `Cancelled` that says what remains; this also happens right at the beginning, when a job is resumed
    /// that was asked to stop before the crash.
    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure>;

    /// Whether it can be taken back.
    fn undo_kind(&self) -> UndoKind;

    /// Takes it back. Called only if [`undo_kind`](Self::undo_kind) says `Undoes`, for a step that was
    /// started: it may be done, half done, or not begun.
    async fn undo(&self, _cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        Ok(())
    }
}
