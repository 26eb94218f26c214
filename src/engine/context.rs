//! What a step is given: the job's input, the outputs of the steps before it, and ways to say how it goes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::journal::Journal;
use crate::domain::job::{Failure, Job, Level};

/// One step's view of its job. Cheap to clone; may be handed to tasks that the step starts and waits for.
#[derive(Clone)]
pub struct StepContext {
    pub(super) job: Arc<Job>,
    pub(super) step: &'static str,
    pub(super) percent: (u8, u8),
    pub(super) outputs: Arc<BTreeMap<String, Value>>,
    pub(super) journal: Arc<Journal>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) cancelled: CancellationToken,
    pub(super) wake: Arc<Notify>,
}

impl StepContext {
    /// The job as it was when it was taken up: id, kind, input, who asked for it. Its state and progress
    /// are not kept up to date here.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// The job's input as the type it was made from.
    ///
    /// # Errors
    /// A permanent failure when it does not read as a `T`.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        read(&self.job.input, || format!("the input of job {}", self.job.id))
    }

    /// What the step called `step` returned, if it has succeeded. In `undo` this is also the way to a step's
    /// own output.
    ///
    /// # Errors
    /// A permanent failure when it does not read as a `T`.
    pub fn output<T: DeserializeOwned>(&self, step: &str) -> Result<Option<T>, Failure> {
        self.outputs.get(step).map(|value| read(value, || format!("the output of step {step:?}"))).transpose()
    }

    /// What an earlier step returned.
    ///
    /// # Errors
    /// A permanent failure when there is none, or it does not read as a `T`.
    pub fn need<T: DeserializeOwned>(&self, step: &str) -> Result<T, Failure> {
        self.output(step)?.ok_or_else(|| {
            Failure::permanent(format!(
                "Step {:?} needs the output of step {step:?}, which has not been done.",
                self.step
            ))
        })
    }

    /// Keeps `note` so that it survives a crash: a task's reference, a cursor. Replaces the step's note before
    /// it. It is on the disk when this returns. In `undo` the last
    /// note of the way forward is there to be read, and may be replaced.
    ///
    /// # Errors
    /// A transient failure when it could not be written; the step must not act on what it could not note.
    pub async fn note(&self, note: impl Serialize) -> Result<(), Failure> {
        let note = serde_json::to_value(note).map_err(|error| {
            Failure::permanent(format!(
                "A note of step {:?} could not be written as JSON: {error}.",
                self.step
            ))
        })?;
        self.journal.note(self.step, note).await
    }

    /// Replaces the step's note by what `change` makes of it, which nothing else of the step comes in between.
    ///
    /// # Errors
    /// As for [`note`](Self::note), or a permanent failure when the note does not read as a `T`.
    pub async fn change_note<T: DeserializeOwned + Serialize>(
        &self,
        change: impl FnOnce(Option<T>) -> T,
    ) -> Result<(), Failure> {
        let _alone = self.journal.noting.lock().await;
        self.note(change(self.last_note()?)).await
    }

    /// The step's newest note, from this attempt or an earlier one.
    ///
    /// # Errors
    /// A permanent failure when it does not read as a `T`.
    pub fn last_note<T: DeserializeOwned>(&self) -> Result<Option<T>, Failure> {
        let note = self.journal.last_note(self.step);
        note.map(|value| read(&value, || format!("the note of step {:?}", self.step))).transpose()
    }

    /// Writes a line on the job's console. Seen live at once, on the disk a moment later, and always before
    /// the step's outcome.
    pub fn console(&self, level: Level, message: impl Into<String>) {
        self.journal.console(level, message.into());
    }

    /// [`console`](Self::console) at level info.
    pub fn info(&self, message: impl Into<String>) {
        self.console(Level::Info, message);
    }

    /// Something did not go well although the job goes on: on the console, and kept with the job.
    pub fn warn(&self, message: impl Into<String>) {
        self.journal.warn(message.into());
    }

    /// How far this step is, 0 to 1.
    pub fn progress(&self, fraction: f64) {
        let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
        let (from, to) = (f64::from(self.percent.0), f64::from(self.percent.1.max(self.percent.0)));
        // In 0..=255 by construction.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let percent = (from + (to - from) * fraction) as u8;
        self.journal.progress(percent.min(100));
    }

    /// Replaces the kind-specific facts shown with the job, such as bytes and rate.
    pub fn details(&self, details: Value) {
        self.journal.details(details);
    }

    /// Fires when a person asks the job to stop. Never fires during an undo.
    pub fn cancelled(&self) -> CancellationToken {
        self.cancelled.clone()
    }

    /// The same, deaf to a person's wish to stop: for what a step has to put back in any case.
    #[must_use]
    pub fn in_any_case(&self) -> Self {
        Self { cancelled: CancellationToken::new(), ..self.clone() }
    }

    /// Says that the step has kept another job, so that it is taken up.
    pub fn has_queued(&self) {
        self.wake.notify_one();
    }

    /// The wall clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits on the engine's clock.
    ///
    /// # Errors
    /// A failure of kind `Cancelled` as soon as a person asks the job to stop.
    pub async fn pause(&self, wait: Duration) -> Result<(), Failure> {
        tokio::select! {
            biased;
            () = self.cancelled.cancelled() => Err(Failure::cancelled(format!("Step {:?} was asked to stop.", self.step))),
            () = self.clock.sleep(wait) => Ok(()),
        }
    }
}

fn read<T: DeserializeOwned>(value: &Value, what: impl Fn() -> String) -> Result<T, Failure> {
    T::deserialize(value).map_err(|error| {
        Failure::permanent(format!("Reading {} did not work: {error}.", what()))
            .advise("It was written by another version of Zerfaux. Start the operation anew.")
    })
}
