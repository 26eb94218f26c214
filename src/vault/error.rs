//! What can go wrong with sealed secrets, in words that an operator can act on.

use std::io;
use std::path::PathBuf;

use super::recovery::RecoveryKeyError;

/// Why a secret was not sealed or opened, or the key file not used. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no key file.
    #[error("the key file {} does not exist", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// There is one already; a key file is never overwritten by a new one.
    #[error("the key file {} exists already", path.display())]
    Exists {
        /// Where it is.
        path: PathBuf,
    },
    /// Others than its owner may read or write it.
    #[error("the key file {} has mode {mode:04o}, so others than its owner can reach it", path.display())]
    Exposed {
        /// Where it is.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It could not be read or written.
    #[error("could not {attempted} the key file {}", path.display())]
    File {
        /// What was attempted.
        attempted: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Its content is not what Zerfaux writes.
    #[error("line {line} of the key file {} is not what Zerfaux writes", path.display())]
    Malformed {
        /// Where it is.
        path: PathBuf,
        /// Counts from 1; the one behind the last if something is missing.
        line: usize,
    },
    /// The envelope is too short, or of a version that this program does not know.
    #[error("the sealed value of {place} is no envelope of a version that this program knows")]
    Envelope {
        /// Whose value it is.
        place: String,
    },
    /// The envelope was sealed under a key that is not in the key file.
    #[error("{place} is sealed under key {key_id}, which the key file does not hold")]
    UnknownKey {
        /// Whose value it is.
        place: String,
        /// The key's id.
        key_id: String,
    },
    /// The envelope, or the place it stands in, is not the one that was sealed.
    #[error("the sealed value of {place} was changed, or belongs to another place")]
    Tampered {
        /// Whose value it is.
        place: String,
    },
    /// The secret is no text.
    #[error("the secret of {place} is not text")]
    NotText {
        /// Whose value it is.
        place: String,
    },
    /// The value cannot be sealed.
    #[error("the value of {place} is too large to be sealed")]
    TooLarge {
        /// Whose value it is.
        place: String,
    },
    /// The typed recovery key has a mistake.
    #[error("the recovery key is mistyped")]
    RecoveryKey {
        /// Where.
        #[source]
        source: RecoveryKeyError,
    },
    /// The recovery key is well typed, but opens none of the wrapped data keys.
    #[error("this recovery key does not belong to this database")]
    WrongRecoveryKey,
    /// The operating system gave no random numbers.
    #[error("could not get random numbers from the operating system")]
    Random {
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl VaultError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Missing { .. } | Self::UnknownKey { .. } => {
                "Put the key file back from where it was kept, or make it again from the recovery key \
                 (`zerfaux restore` with the recovery key); without either, enter the secrets again."
            }
            Self::Exists { .. } => "Move the old key file away first, and keep it: it may be the only one.",
            Self::Exposed { .. } => {
                "Find out who could have read it, then `chmod 600` it; if somebody did, rotate the key and \
                 change the passwords."
            }
            Self::File { .. } => {
                "Check that the data directory can be read and written by the user that Zerfaux runs as, and \
                 that its file system has space."
            }
            Self::Malformed { .. } => {
                "Put the key file back from where it was kept, or make it again from the recovery key."
            }
            Self::Envelope { .. } => "Use the version of Zerfaux that last ran here, or a later one.",
            Self::Tampered { .. } | Self::NotText { .. } => {
                "Somebody or something changed the database: restore a backup, or enter the secret again."
            }
            Self::TooLarge { .. } => "Enter a shorter secret.",
            Self::RecoveryKey { .. } => "Type the named group again, as it was printed.",
            Self::WrongRecoveryKey => {
                "Use the recovery key that was printed last for this installation; older ones end with a new one."
            }
            Self::Random { .. } => "Start Zerfaux again; if it stays, this machine's kernel is too old.",
        }
    }
}
