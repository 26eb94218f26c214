//! How the errors of the rooms below become what an operator reads.

use serde::Serialize;
use serde_json::Value;

use crate::domain::causes::with_causes;
use crate::domain::job::Failure;
use crate::host::{HostError, RelayError};
use crate::ssh::ConnectError;
use crate::store::StoreError;
use crate::vsphere::VsphereError;
use crate::zfs::{Complaint, ZfsError};

/// A step's intent or output as it is recorded.
pub(super) fn recorded(value: impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| {
        Failure::permanent(format!("What the step has to record could not be written: {error}."))
    })
}

/// Whether `zfs` stopped in front of data that it would have had to overwrite or mix up.
pub(super) fn refuses_to_overwrite(complaint: &Complaint) -> bool {
    matches!(
        complaint,
        Complaint::DestinationModified
            | Complaint::NotTheBase
            | Complaint::DestinationExists
            | Complaint::EncryptionMismatch
    )
}

impl From<ZfsError> for Failure {
    fn from(error: ZfsError) -> Self {
        let protects_data =
            matches!(error, ZfsError::Guarded { .. }) || error.complaint().is_some_and(refuses_to_overwrite);
        let message = with_causes(&error);
        let failure = if protects_data {
            Failure::refused(message)
        } else {
            passing_or_not(error.is_transient(), message)
        };
        failure.advise(error.advice())
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        passing_or_not(error.is_transient(), with_causes(&error)).advise(error.advice())
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let message = with_causes(&error);
        let failure = match error {
            // Going on would hand data to somebody else.
            ConnectError::HostKeyChanged { .. } => Failure::refused(message),
            _ => passing_or_not(error.is_transient(), message),
        };
        failure.advise(error.advice())
    }
}

impl From<&RelayError> for Failure {
    fn from(error: &RelayError) -> Self {
        passing_or_not(error.is_transient(), with_causes(error)).advise(error.advice())
    }
}

impl From<VsphereError> for Failure {
    fn from(error: VsphereError) -> Self {
        let message = with_causes(&error);
        let failure = match error {
            // Going on would hand the password, or a virtual machine, to somebody else.
            VsphereError::Certificate { .. } => Failure::refused(message),
            VsphereError::Cancelled { .. } => Failure::cancelled(message),
            _ => passing_or_not(error.is_transient(), message),
        };
        failure.advise(error.advice())
    }
}

/// The database did not do its part: it may later.
pub(super) fn not_kept(error: StoreError) -> Failure {
    Failure::transient(with_causes(&error)).advise(error.advice())
}

fn passing_or_not(transient: bool, message: String) -> Failure {
    if transient { Failure::transient(message) } else { Failure::permanent(message) }
}
