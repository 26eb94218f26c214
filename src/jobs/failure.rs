//! How the errors of the rooms below become what an operator reads.

use crate::domain::job::Failure;
use crate::host::HostError;
use crate::zfs::{Complaint, ZfsError};

/// The message with its causes, one sentence.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = inner.source();
    }
    text
}

impl From<ZfsError> for Failure {
    fn from(error: ZfsError) -> Self {
        let protects_data = matches!(error, ZfsError::Guarded { .. })
            || matches!(
                error.complaint(),
                Some(
                    Complaint::DestinationModified
                        | Complaint::NotTheBase
                        | Complaint::DestinationExists
                        | Complaint::EncryptionMismatch
                )
            );
        let message = chain(&error);
        let failure = if protects_data {
            Failure::refused(message)
        } else if error.is_transient() {
            Failure::transient(message)
        } else {
            Failure::permanent(message)
        };
        failure.advise(error.advice())
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        let message = chain(&error);
        let failure =
            if error.is_transient() { Failure::transient(message) } else { Failure::permanent(message) };
        failure.advise(error.advice())
    }
}
