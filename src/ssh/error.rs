//! What can go wrong with a connection or a command, each with what to do about it.

use std::io;
use std::time::Duration;

use super::hostkeys::HostKey;
use super::known_hosts::host_name;
use crate::domain::endpoint::Endpoint;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host answered that nothing listens there.
    #[error("could not connect to {endpoint}: the connection was refused")]
    Refused {
        /// Where to.
        endpoint: Endpoint,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No way to the host.
    #[error("could not connect to {endpoint}: the host cannot be reached")]
    Unreachable {
        /// Where to.
        endpoint: Endpoint,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No answer in time.
    #[error("could not connect to {endpoint}: no answer within {} s while {stage}", after.as_secs_f32())]
    Timeout {
        /// Where to.
        endpoint: Endpoint,
        /// How long was waited.
        after: Duration,
        /// What was going on.
        stage: &'static str,
    },
    /// The name has no address.
    #[error("could not connect to {endpoint}: the name {:?} has no address", endpoint.host)]
    NameNotFound {
        /// Where to.
        endpoint: Endpoint,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The server takes none of the keys for this user.
    #[error("{endpoint} accepts none of the keys that were offered{}", tried_list(tried))]
    KeyRejected {
        /// Where to.
        endpoint: Endpoint,
        /// Each key that was offered and what became of it.
        tried: Vec<String>,
    },
    /// Nothing is on file for this host. Nothing was sent to it but the key exchange.
    #[error("the host key of {endpoint} is not known: it presented {presented}")]
    HostKeyUnknown {
        /// Where to.
        endpoint: Endpoint,
        /// What it showed.
        presented: HostKey,
    },
    /// Another key is on file. Nothing was sent to it but the key exchange.
    #[error("the host key of {endpoint} has changed: expected {}, but it presented {presented}", expected.join(" or "))]
    HostKeyChanged {
        /// Where to.
        endpoint: Endpoint,
        /// What is on file.
        expected: Vec<String>,
        /// What it showed.
        presented: HostKey,
    },
    /// The known keys cannot be read or written.
    #[error("the host key of {endpoint} cannot be judged: {why}")]
    HostKeyUndecidable {
        /// Where to.
        endpoint: Endpoint,
        /// What is wrong.
        why: String,
    },
    /// The connection broke or the two sides do not understand each other.
    #[error("the SSH connection to {endpoint} failed while {stage}: {why}")]
    Protocol {
        /// Where to.
        endpoint: Endpoint,
        /// What was going on.
        stage: &'static str,
        /// What came back.
        why: String,
    },
}

fn tried_list(tried: &[String]) -> String {
    if tried.is_empty() {
        " (there was none to offer)".to_owned()
    } else {
        format!(" ({})", tried.join("; "))
    }
}

impl ConnectError {
    /// Where the connection was to go.
    pub fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Refused { endpoint, .. }
            | Self::Unreachable { endpoint, .. }
            | Self::Timeout { endpoint, .. }
            | Self::NameNotFound { endpoint, .. }
            | Self::KeyRejected { endpoint, .. }
            | Self::HostKeyUnknown { endpoint, .. }
            | Self::HostKeyChanged { endpoint, .. }
            | Self::HostKeyUndecidable { endpoint, .. }
            | Self::Protocol { endpoint, .. } => endpoint,
        }
    }

    /// What a person can do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::Refused { endpoint, .. } => {
                format!("Check that an SSH server runs there and listens on port {}.", endpoint.port)
            }
            Self::Unreachable { .. } => "Check the address, the network and the route to it.".into(),
            Self::Timeout { .. } => {
                "Check that the host is up and that no firewall in between drops the connection.".into()
            }
            Self::NameNotFound { .. } => "Check the spelling, or give the address instead of the name.".into(),
            Self::KeyRejected { endpoint, tried } if tried.is_empty() => {
                format!("Give a private key, or load one into an ssh-agent, that {} accepts.", endpoint.user)
            }
            Self::KeyRejected { endpoint, .. } => format!(
                "Put one of the public keys into ~/.ssh/authorized_keys of user {} on {}, or give another key.",
                endpoint.user, endpoint.host
            ),
            Self::HostKeyUnknown { .. } => {
                "Compare the fingerprint with the one on the host itself (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub); if it is the same, accept it (on the command line: --accept-new-host-keys)."
                    .into()
            }
            Self::HostKeyChanged { endpoint, .. } => format!(
                "Do not go on before you know why: someone may be reading along. Nothing was sent to it, neither key \
                 nor password. If the host was set up anew, remove the old key (ssh-keygen -R '{}', with -f FILE if \
                 it is not in ~/.ssh/known_hosts) and confirm the new one.",
                host_name(endpoint)
            ),
            Self::HostKeyUndecidable { .. } => "Make the file of known hosts readable and writable.".into(),
            Self::Protocol { .. } => {
                "Look at the log of the SSH server there; if it happens once, it may pass by itself.".into()
            }
        }
    }

    /// Whether the same attempt may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. } | Self::Unreachable { .. } | Self::Timeout { .. } | Self::Protocol { .. }
        )
    }
}

/// Why a command has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// It was never sent: there is no connection.
    #[error("could not run `{command}` on {endpoint}")]
    Connect {
        /// Where.
        endpoint: Endpoint,
        /// The command line.
        command: String,
        /// Why there is no connection.
        #[source]
        source: Box<ConnectError>,
    },
    /// It was never run: the server refused to.
    #[error("{endpoint} refused to run `{command}`: {why}")]
    Refused {
        /// Where.
        endpoint: Endpoint,
        /// The command line.
        command: String,
        /// What came back.
        why: String,
    },
    /// The connection broke after the command was sent. What became of it is unknown.
    #[error("lost the connection to {endpoint} while `{command}` was running: {why}")]
    Lost {
        /// Where.
        endpoint: Endpoint,
        /// The command line.
        command: String,
        /// How the connection ended.
        why: String,
    },
    /// It did not end in time and was told to. What became of it is unknown.
    #[error("`{command}` on {endpoint} did not end within {} s", after.as_secs_f32())]
    Deadline {
        /// Where.
        endpoint: Endpoint,
        /// The command line.
        command: String,
        /// How long was waited.
        after: Duration,
    },
    /// It wrote more than is kept in memory, and was told to end.
    #[error("`{command}` on {endpoint} wrote more than {limit} bytes")]
    TooMuchOutput {
        /// Where.
        endpoint: Endpoint,
        /// The command line.
        command: String,
        /// The limit in bytes.
        limit: usize,
    },
}

impl ExecError {
    /// What a person can do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::Connect { source, .. } => source.advice(),
            Self::Refused { .. } => {
                "Check the account's shell and any forced command in its authorized_keys, and MaxSessions of the SSH server."
                    .into()
            }
            Self::Lost { .. } => "Look whether the command took effect before running it again.".into(),
            Self::Deadline { .. } => "Look on the host whether it is overloaded or a disk does not answer.".into(),
            Self::TooMuchOutput { .. } => "Ask for less at once.".into(),
        }
    }

    /// Whether the same command may succeed later without anybody doing anything. With [`ExecError::Lost`] and
    /// [`ExecError::Deadline`] it may have taken effect already: only what is idempotent may be run again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { source, .. } => source.is_transient(),
            Self::Lost { .. } | Self::Deadline { .. } => true,
            Self::Refused { .. } | Self::TooMuchOutput { .. } => false,
        }
    }
}
