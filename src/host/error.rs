//! Why a command on a host has no outcome.

use std::io;
use std::time::Duration;

use crate::ssh::{ConnectError, ExecError};

/// Why a command has no outcome. An exit status other than 0 is an outcome.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// There is no connection to the host.
    #[error(transparent)]
    Connect(ConnectError),
    /// The command went to another machine and did not come back.
    #[error(transparent)]
    Remote(ExecError),
    /// The command could not be started on this machine.
    #[error("could not run `{command}` on this host")]
    Start {
        /// The command line.
        command: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Its end or output on this machine could not be read.
    #[error("could not follow `{command}` on this host")]
    Follow {
        /// The command line.
        command: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It did not end in time on this machine and was killed.
    #[error("`{command}` on this host did not end within {} s", after.as_secs_f32())]
    Deadline {
        /// The command line.
        command: String,
        /// How long was waited.
        after: Duration,
    },
    /// It wrote more than is kept in memory on this machine, and was killed.
    #[error("`{command}` on this host wrote more than {limit} bytes")]
    TooMuchOutput {
        /// The command line.
        command: String,
        /// The limit in bytes.
        limit: usize,
    },
}

impl HostError {
    /// Whether the connection broke under the command: it may have run or not.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Remote(ExecError::Lost { .. }))
    }
}

impl From<ExecError> for HostError {
    /// Without a connection, the connection is what there is to talk about.
    fn from(error: ExecError) -> Self {
        match error {
            ExecError::Connect { source, .. } => Self::Connect(*source),
            other => Self::Remote(other),
        }
    }
}

impl HostError {
    /// What a person can do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::Connect(error) => error.advice(),
            Self::Remote(error) => error.advice(),
            Self::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "Install the command on this host, or give its full path.".into()
            }
            Self::Start { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "Check that this account may run the command.".into()
            }
            Self::Start { .. } | Self::Follow { .. } => {
                "Look at this host's limits for processes and memory.".into()
            }
            Self::Deadline { .. } => "Look whether this host is overloaded or a disk does not answer.".into(),
            Self::TooMuchOutput { .. } => "Ask for less at once.".into(),
        }
    }

    /// Whether the same command may succeed later without anybody doing anything. It may have taken effect
    /// already: only what is idempotent may be run again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_transient(),
            Self::Remote(error) => error.is_transient(),
            Self::Deadline { .. } | Self::Follow { .. } => true,
            Self::Start { .. } | Self::TooMuchOutput { .. } => false,
        }
    }
}
