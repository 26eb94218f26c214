//! What the engine cannot do, in words for the person who asked.

use super::log::IllegalEvent;
use crate::domain::ids::JobId;
use crate::domain::job::JobState;
use crate::store::StoreError;

/// What the engine was asked for and cannot do.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No definition has this name.
    #[error("there is no kind of job called {kind:?}")]
    UnknownKind {
        /// What was asked for.
        kind: String,
    },
    /// No job has this id.
    #[error("there is no job {job}")]
    NoSuchJob {
        /// What was asked for.
        job: JobId,
    },
    /// Only a job that has not ended can be stopped.
    #[error("job {job} cannot be cancelled: {why}")]
    NotCancellable {
        /// The job.
        job: JobId,
        /// For example "it has already succeeded".
        why: String,
    },
    /// Only a job that did not reach its end can be retried.
    #[error("job {job} cannot be retried: {why}")]
    NotRetriable {
        /// The job.
        job: JobId,
        /// For example "it has already succeeded".
        why: String,
    },
    /// There is nothing to take back, or it cannot be.
    #[error("what job {job} did cannot be taken back: {why}")]
    NotUndoable {
        /// The job.
        job: JobId,
        /// Names the step that cannot be taken back, for example.
        why: String,
    },
    /// The store or the log did not allow it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What keeps the engine itself from working. The job is taken up again later from what is recorded.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The database did not take or give something.
    #[error("could not {attempted}")]
    Store {
        /// What was attempted, after "could not".
        attempted: String,
        /// What the store said.
        #[source]
        source: StoreError,
    },
    /// The log of a job does not fit its kind.
    #[error("the log of job {job} was not written by this version of Zerfaux")]
    Log {
        /// The job.
        job: JobId,
        /// The first event that does not fit.
        #[source]
        source: IllegalEvent,
    },
}

impl EngineError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::UnknownKind { .. } => "Look up the kinds of jobs this version of Zerfaux knows.",
            Self::NoSuchJob { .. } => "Look at the list of jobs; old ones are removed after a while.",
            Self::NotCancellable { .. } => "Look at how the job stands now.",
            Self::NotRetriable { .. } => "Start the operation anew, or clean the job up first.",
            Self::NotUndoable { .. } => "Look at the job's console for what it did.",
            Self::Fault(Fault::Store { source, .. }) => source.advice(),
            Self::Fault(Fault::Log { .. }) => "Run the job with the version of Zerfaux that began it.",
        }
    }
}

/// "it has already succeeded": why nothing more can be asked of a job in this state.
pub(super) fn state_words(state: JobState) -> &'static str {
    match state {
        JobState::Queued => "it waits for its turn",
        JobState::Running => "it is running",
        JobState::Waiting => "it waits for a cleanup, because what it did could not be taken back completely",
        JobState::Interrupted => "it was interrupted",
        JobState::Cancelling => "it is being cancelled",
        JobState::Succeeded => "it has already succeeded",
        JobState::Failed => "it has already failed",
        JobState::Cancelled => "it has already been cancelled",
    }
}
