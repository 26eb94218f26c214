//! Takes back what a job did, newest step first, and ends the job.

use super::definition::{Retry, Step, UndoKind};
use super::error::Fault;
use super::log::{Entry, Standing};
use super::runner::{Runner, guarded};
use crate::domain::job::{Failure, FailureKind, JobState, Level, StepEvent};
use crate::store::JobChange;

impl Runner {
    /// Takes back every step that was started, down to the first one that cannot be taken back.
    pub(super) async fn unwind(&self) -> Result<(), Fault> {
        loop {
            let standing = self.journal.standing();
            let Some((place, entry)) = standing.newest().filter(|(place, _)| self.barrier(*place).is_none())
            else {
                return self.journal.change(self.unwound(&standing)).await;
            };
            let step = self.definition.steps[place].as_ref();
            if !self.undo_step(step, place, entry, &standing).await? {
                return Ok(());
            }
            if self.lands_below(place) {
                return Ok(());
            }
        }
    }

    /// Attempts to take one step back as often as the step is attempted forward. False: the job waits for a
    /// person.
    async fn undo_step(
        &self,
        step: &dyn Step,
        place: usize,
        entry: &Entry,
        before: &Standing,
    ) -> Result<bool, Fault> {
        let Retry { attempts, pause } = step.retry();
        for attempt in 1.. {
            let phase = Some(Some(step.name().to_owned()));
            let change = JobChange { phase, ..JobChange::default() };
            self.journal.record(step.name(), StepEvent::UndoStarted, change).await?;
            let Err(failure) = self.undo(step, entry).await else { break };
            let what = format!("Taking back step {:?} did not work: {}", step.name(), failure.message);
            self.journal.console(Level::Error, what.clone());
            let again = failure.kind == FailureKind::Transient && attempt < attempts;
            let change = if again { JobChange::default() } else { waits(step, what, &failure) };
            self.journal.record(step.name(), StepEvent::UndoFailed { failure }, change).await?;
            if !again {
                return Ok(false);
            }
            self.clock.sleep(pause).await;
        }
        let change = if self.lands_below(place) { self.unwound(before) } else { JobChange::default() };
        self.journal.record(step.name(), StepEvent::Undone, change).await?;
        Ok(true)
    }

    async fn undo(&self, step: &dyn Step, entry: &Entry) -> Result<(), Failure> {
        match step.undo_kind() {
            UndoKind::Undoes => {
                self.journal.console(Level::Info, format!("Taking back step {:?}.", step.name()));
                guarded(step.name(), step.undo(&self.context(step), &entry.intent)).await
            }
            UndoKind::Nothing(_) | UndoKind::Cannot(_) => Ok(()),
        }
    }

    /// Whether nothing is left to be taken back once the step at `place` is: it goes with its last event.
    fn lands_below(&self, place: usize) -> bool {
        place.checked_sub(1).is_none_or(|below| self.barrier(below).is_some())
    }

    /// Why the step at `place` stops an unwinding, if it does.
    fn barrier(&self, place: usize) -> Option<&'static str> {
        match self.definition.steps[place].undo_kind() {
            UndoKind::Cannot(why) => Some(why),
            UndoKind::Undoes | UndoKind::Nothing(_) => None,
        }
    }

    /// The end of a job that was taken back as far as it can be. Why it failed is told as before; a job that
    /// had not failed was taken back because a person asked.
    fn unwound(&self, standing: &Standing) -> JobChange {
        let failed = standing.failure().filter(|_| !self.job.cancel_requested);
        let state = if failed.is_some() { JobState::Failed } else { JobState::Cancelled };
        let (phase, failure) = standing.failure().unzip();
        let last_barrier = (0..standing.newest().map_or(0, |(place, _)| place + 1))
            .rev()
            .find_map(|place| Some((self.definition.steps[place].name(), self.barrier(place)?)));
        let add_warnings = last_barrier.map(|(step, why)| {
            format!("Step {step:?} cannot be taken back ({why}), so it and what was done before it stays.")
        });
        JobChange {
            state: Some(state),
            phase: Some(None),
            failure: Some(failure.cloned()),
            failed_phase: Some(phase.map(str::to_owned)),
            add_warnings: add_warnings.into_iter().collect(),
            unwinding: Some(false),
            finished_at: Some(Some(self.clock.now())),
            ..JobChange::default()
        }
    }
}

fn waits(step: &dyn Step, what: String, failure: &Failure) -> JobChange {
    JobChange {
        state: Some(JobState::Waiting),
        failure: Some(Some(Failure { message: what, ..failure.clone() })),
        failed_phase: Some(Some(step.name().to_owned())),
        ..JobChange::default()
    }
}
