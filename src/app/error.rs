//! What a use case answers when it cannot do what was asked.

use crate::domain::job::{Failure, FailureKind};
use crate::engine::EngineError;
use crate::store::StoreError;

/// Why a use case did not do what was asked, sorted by what the one who asked can do about it.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// What was named is not there.
    #[error("{0}")]
    NotFound(String),
    /// It does not go together with how things stand.
    #[error("{0}")]
    Conflict(String),
    /// The operation itself failed; the failure has its advice.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The database could not do its part.
    #[error("{attempted}")]
    Store {
        /// What was attempted.
        attempted: String,
        /// What the database said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
        /// What to do about it.
        advice: String,
    },
}

impl AppError {
    /// What to do about it, if there is anything to say.
    pub fn advice(&self) -> Option<&str> {
        match self {
            Self::Failed(failure) => failure.advice.as_deref(),
            Self::Store { advice, .. } => Some(advice),
            Self::NotFound(_) | Self::Conflict(_) => None,
        }
    }

    /// Whether it stopped in order to protect data.
    pub fn protects_data(&self) -> bool {
        matches!(self, Self::Failed(failure) if failure.kind == FailureKind::Refused)
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        let advice = error.advice().to_owned();
        Self::Store { attempted: "the database did not answer".to_owned(), source: Box::new(error), advice }
    }
}

impl From<EngineError> for AppError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::NoSuchJob { .. } | EngineError::UnknownKind { .. } => {
                Self::NotFound(error.to_string())
            }
            EngineError::NotCancellable { .. }
            | EngineError::NotRetriable { .. }
            | EngineError::NotUndoable { .. } => Self::Conflict(error.to_string()),
            EngineError::Fault(fault) => Self::Store {
                attempted: "the job engine stopped".to_owned(),
                source: Box::new(fault),
                advice: "The job goes on from what is recorded as soon as the database works again."
                    .to_owned(),
            },
        }
    }
}
