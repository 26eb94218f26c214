//! Writes down what is done in a recovery: when each step of a virtual machine, or of the run as a whole, began and ended, and
//! what was seen.

use std::future::Future;

use super::failure::not_kept;
use crate::domain::ids::{GroupId, RecoveryRunId};
use crate::domain::job::{Failure, FailureKind};
use crate::domain::recovery_run::RunVmState;
use crate::domain::recovery_state::Event;
use crate::engine::StepContext;
use crate::store::{Refusal, RunVmChange, Store, StoreError};

/// Tells the group's state of what happened. What does not fit is a state of another time, which changes nothing; nor does a
/// group that is gone.
pub(super) async fn tell(
    cx: &StepContext,
    store: &Store,
    group: GroupId,
    event: Event,
) -> Result<(), Failure> {
    match store.note_recovery(group, event, cx.now()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(misfit)) => {
            cx.info(format!("The group's state stays as it is: {misfit}."));
            Ok(())
        }
        Err(StoreError::Refused { reason: Refusal::NotFound(_), .. }) => Ok(()),
        Err(error) => Err(not_kept(error)),
    }
}

/// The same of a verb that begins, which is not begun if it does not fit.
pub(super) async fn begin(
    cx: &StepContext,
    store: &Store,
    group: GroupId,
    event: Event,
) -> Result<(), Failure> {
    match store.note_recovery(group, event, cx.now()).await {
        Ok(Ok(_)) | Err(StoreError::Refused { reason: Refusal::NotFound(_), .. }) => Ok(()),
        Ok(Err(misfit)) => Err(Failure::refused(format!("It cannot be begun now: {misfit}."))
            .advise("Look at how the group stands. Nothing was done.")),
        Err(error) => Err(not_kept(error)),
    }
}

/// Where it is written.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) cx: &'a StepContext,
    pub(super) store: &'a Store,
    pub(super) run: RecoveryRunId,
    /// Of which virtual machine, by the instance UUID of the protected one; none: of the run as a whole.
    pub(super) source: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// The same, of one virtual machine.
    pub(super) fn of(self, source: &'a str) -> Self {
        Self { source: Some(source), ..self }
    }

    /// Does a step, which answers what was seen, and writes down how it went.
    pub(super) async fn step<T>(
        self,
        step: &str,
        work: impl Future<Output = Result<(T, String), Failure>>,
    ) -> Result<T, Failure> {
        let (store, run, source) = (self.store, self.run, self.source);
        store.begin_run_step(run, source, step, self.cx.now()).await.map_err(not_kept)?;
        let done = work.await;
        let (ok, evidence) = match &done {
            Ok((_, evidence)) => (true, evidence.as_str()),
            Err(failure) => (false, failure.message.as_str()),
        };
        store.end_run_step(run, source, step, (self.cx.now(), ok, evidence)).await.map_err(not_kept)?;
        done.map(|(value, _)| value)
    }

    /// Keeps how far the virtual machine is.
    pub(super) async fn state(self, state: RunVmState) -> Result<(), Failure> {
        self.change(RunVmChange { state: Some(state), failure: Some(None), ..RunVmChange::default() }).await
    }

    /// Keeps what went wrong with the virtual machine, for the others to go on. One that was asked to stop is none of those.
    pub(super) async fn failed(self, failure: Failure) -> Result<(), Failure> {
        if failure.kind == FailureKind::Cancelled {
            return Err(failure);
        }
        self.cx.warn(failure.message.clone());
        let failure = Some(Some((failure.message, failure.advice)));
        self.change(RunVmChange { state: Some(RunVmState::Failed), failure, ..RunVmChange::default() }).await
    }

    /// Keeps a change of the virtual machine.
    pub(super) async fn change(self, change: RunVmChange) -> Result<(), Failure> {
        let Some(source) = self.source else { return Ok(()) };
        self.store.change_run_vm(self.run, source, change).await.map_err(not_kept)
    }
}
