//! How a relay ended.

use std::fmt;
use std::io;
use std::time::Duration;

use super::{HopError, HostError};
use crate::domain::exit::Exit;

/// A stream that came through whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relayed {
    /// Bytes of the stream.
    pub bytes: u64,
    /// From the first connection to the last exit status.
    pub elapsed: Duration,
    /// What the source said besides.
    pub source_stderr: String,
    /// What the destination said besides.
    pub destination_stderr: String,
}

/// One of the two ends of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where the stream comes from.
    Source,
    /// Where it goes.
    Destination,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Source => "source",
            Side::Destination => "destination",
        })
    }
}

/// What became of the command on one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SideOutcome {
    /// It ended by itself.
    Exited {
        /// How.
        exit: Exit,
        /// What it wrote to its standard error.
        stderr: String,
    },
    /// Its connection broke; what became of it is unknown.
    Lost {
        /// How the connection ended.
        why: String,
        /// What it had written to its standard error.
        stderr: String,
    },
    /// It was running well and was ended because the other side failed.
    Stopped {
        /// What it had written to its standard error.
        stderr: String,
    },
}

impl SideOutcome {
    /// What the command wrote to its standard error, as far as it arrived.
    pub fn stderr(&self) -> &str {
        match self {
            Self::Exited { stderr, .. } | Self::Lost { stderr, .. } | Self::Stopped { stderr } => stderr,
        }
    }
}

impl fmt::Display for SideOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { exit, .. } => write!(f, "ended with {exit}")?,
            Self::Lost { why, .. } => write!(f, "was lost: {why}")?,
            Self::Stopped { .. } => write!(f, "was stopped")?,
        }
        let stderr = self.stderr();
        if stderr.is_empty() { Ok(()) } else { write!(f, ": {stderr}") }
    }
}

/// Why a stream did not come through whole.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// One side could not be reached or did not start; nothing was carried.
    #[error("could not start the {side} of the stream")]
    Connect {
        /// Which one.
        side: Side,
        /// Why.
        #[source]
        source: HostError,
    },
    /// It was under way and broke.
    #[error("the stream broke after {bytes} bytes: the {} {}", self.culprit(), self.cause())]
    Failed {
        /// What became of the source.
        sender: SideOutcome,
        /// What became of the destination.
        receiver: SideOutcome,
        /// Bytes that were handed to the destination's connection; how many arrived, the destination knows.
        bytes: u64,
    },
    /// In direct transport, the source could not get to the destination, or lost it.
    #[error(transparent)]
    Hop(#[from] Box<HopError>),
    /// It was ended from outside.
    #[error("the stream was cancelled after {bytes} bytes")]
    Cancelled {
        /// Bytes that were handed to the destination's connection.
        bytes: u64,
    },
    /// This machine could not give it a thread.
    #[error("could not start a thread for the stream")]
    Thread {
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl RelayError {
    /// Which side the failure began at. A destination that left by itself makes its source fail as a consequence,
    /// so its word counts first.
    pub fn culprit(&self) -> Side {
        match self {
            Self::Connect { side, .. } => *side,
            Self::Failed { receiver: SideOutcome::Stopped { .. }, .. } => Side::Source,
            Self::Failed { sender: SideOutcome::Exited { exit, .. }, receiver, .. }
                if !exit.is_success()
                    && matches!(receiver, SideOutcome::Exited { exit: Exit::Code(0), .. }) =>
            {
                Side::Source
            }
            Self::Failed { .. } | Self::Hop(_) | Self::Cancelled { .. } | Self::Thread { .. } => {
                Side::Destination
            }
        }
    }

    fn cause(&self) -> String {
        let Self::Failed { sender, receiver, .. } = self else { return String::new() };
        match (self.culprit(), receiver) {
            (Side::Source, _) => sender.to_string(),
            (_, SideOutcome::Exited { exit: Exit::Code(0), .. }) => {
                "ended with exit status 0 before the stream was at its end".to_owned()
            }
            _ => receiver.to_string(),
        }
    }

    /// What a person can do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::Connect { source, .. } => source.advice(),
            Self::Hop(error) => error.advice(),
            Self::Failed { .. } if self.is_transient() => {
                "Check the network between here and that host. What arrived is kept where the destination can resume."
                    .into()
            }
            Self::Failed { .. } => "See what the command says above.".into(),
            Self::Cancelled { .. } => "Start it again when it suits.".into(),
            Self::Thread { .. } => "Look at this host's limits for processes and memory.".into(),
        }
    }

    /// Whether trying again may help without anybody doing anything: a connection was at fault, not a command.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { source, .. } => source.is_transient(),
            Self::Hop(error) => error.is_transient(),
            Self::Failed { sender, receiver, .. } => {
                let fault = if self.culprit() == Side::Source { sender } else { receiver };
                matches!(fault, SideOutcome::Lost { .. })
            }
            Self::Thread { .. } => true,
            Self::Cancelled { .. } => false,
        }
    }
}
