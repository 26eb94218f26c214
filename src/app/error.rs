//! What a use case answers when it cannot do what was asked.

use std::sync::Arc;

use crate::domain::job::{Failure, FailureKind};
use crate::engine::EngineError;
use crate::store::{Refusal, StoreError};
use jiff::Timestamp;

/// Why a use case did not do what was asked, sorted by what the one who asked can do about it.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// What was named is not there.
    #[error("{0}")]
    NotFound(String),
    /// It does not go together with how things stand.
    #[error("{0}")]
    Conflict(String),
    /// Something that was entered cannot be used.
    #[error("{}", fields.iter().map(|field| field.message.as_str()).collect::<Vec<_>>().join("; "))]
    Invalid {
        /// What is wrong with which field.
        fields: Vec<FieldError>,
    },
    /// Nothing is kept or sent before a person has compared what the other side showed.
    #[error("{message}")]
    Unproved {
        /// A name for programs: `host-key-unknown`.
        code: &'static str,
        /// What was shown by whom.
        message: String,
        /// How to compare, and how to go on.
        advice: String,
        /// What is to be compared, for programs: name and value.
        facts: Vec<(&'static str, String)>,
    },
    /// The one who asked may not.
    #[error("{0}")]
    Denied(String),
    /// Name or password are wrong; which of the two is not said.
    #[error("name or password is not right")]
    NotSignedIn,
    /// Nobody is signed in.
    #[error("this needs somebody who is signed in")]
    SignInNeeded,
    /// The password has to be typed again before something dangerous.
    #[error("this needs the password typed again first")]
    ConfirmationNeeded,
    /// Too many attempts; none is looked at before this time.
    #[error("too many attempts to sign in; the next one is looked at after {until:.0}")]
    TooMany {
        /// When to try again.
        until: Timestamp,
    },
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

/// An error on its way out, until a layer draws it as a page or as a problem document.
#[derive(Debug, Clone)]
pub struct Pending(pub Arc<AppError>);

/// What is wrong with one field of a form or a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name in the API and in the form.
    pub field: &'static str,
    /// What is wrong, as a sentence.
    pub message: String,
}

impl AppError {
    /// One field that cannot be used.
    pub fn invalid(field: &'static str, message: impl std::fmt::Display) -> Self {
        Self::Invalid { fields: vec![FieldError { field, message: message.to_string() }] }
    }

    /// What to do about it, if there is anything to say.
    pub fn advice(&self) -> Option<&str> {
        match self {
            Self::Failed(failure) => failure.advice.as_deref(),
            Self::Store { advice, .. } => Some(advice),
            Self::Unproved { advice, .. } => Some(advice),
            Self::NotSignedIn => Some("Check both, then try again."),
            Self::TooMany { .. } => Some("Wait until then. Nobody is locked out for good."),
            Self::SignInNeeded => Some("Sign in, or send a token: `Authorization: Bearer TOKEN`."),
            Self::ConfirmationNeeded => Some("Confirm your password at /step-up, then ask again."),
            Self::NotFound(_) | Self::Conflict(_) | Self::Invalid { .. } | Self::Denied(_) => None,
        }
    }

    /// The HTTP status that fits (RFC 9110).
    pub fn status(&self) -> u16 {
        match self {
            Self::Invalid { .. } => 422,
            Self::NotSignedIn | Self::SignInNeeded => 401,
            Self::Denied(_) | Self::ConfirmationNeeded => 403,
            Self::NotFound(_) => 404,
            Self::Conflict(_) | Self::Unproved { .. } => 409,
            Self::TooMany { .. } => 429,
            Self::Failed(failure) if failure.kind == FailureKind::Refused => 409,
            // What failed is another system, and this one is well: RFC 4918, 11.4.
            Self::Failed(_) => 424,
            Self::Store { .. } => 503,
        }
    }

    /// A name for programs; never changed once released.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid",
            Self::NotSignedIn => "not-signed-in",
            Self::SignInNeeded => "sign-in-needed",
            Self::Denied(_) => "denied",
            Self::ConfirmationNeeded => "confirmation-needed",
            Self::NotFound(_) => "not-found",
            Self::Conflict(_) => "conflict",
            Self::Unproved { code, .. } => code,
            Self::TooMany { .. } => "too-many-attempts",
            Self::Failed(_) => "failed",
            Self::Store { .. } => "unavailable",
        }
    }

    /// Whether it stopped in order to protect data.
    pub fn protects_data(&self) -> bool {
        matches!(self, Self::Failed(failure) if failure.kind == FailureKind::Refused)
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error.refusal() {
            Some(Refusal::NotFound(_)) => return Self::NotFound(error.to_string()),
            Some(_) => return Self::Conflict(error.to_string()),
            None => {}
        }
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
