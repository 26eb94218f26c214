//! What can go wrong between us and a vCenter, in words that an operator can act on.

use super::fault::{Fault, Reason};
use super::xml::XmlError;
use crate::domain::thumbprint::{ServerCertificate, Thumbprint};

/// Why a request was not answered as hoped. `attempted` completes "could not …"; `server` is its address.
#[derive(Debug, thiserror::Error)]
pub enum VsphereError {
    /// The server's certificate is not accepted. Nothing was sent to it.
    #[error("could not {attempted} on {server}: {problem}")]
    Certificate {
        /// What was attempted.
        attempted: String,
        /// Where.
        server: String,
        /// What is wrong with it.
        problem: Box<CertificateProblem>,
    },
    /// No connection came about.
    #[error("could not {attempted} on {server}: the server cannot be reached")]
    Unreachable {
        /// What was attempted.
        attempted: String,
        /// Where.
        server: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection broke after the request was sent: whether it was done is unknown.
    #[error("could not {attempted} on {server}: the connection broke before the answer was complete")]
    Dropped {
        /// What was attempted.
        attempted: String,
        /// Where.
        server: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer in time: whether it was done is unknown.
    #[error("could not {attempted} on {server}: no answer came in time")]
    TimedOut {
        /// What was attempted.
        attempted: String,
        /// Where.
        server: String,
    },
    /// An HTTP status instead of an answer: from a proxy, or from a server that is starting.
    #[error("could not {attempted} on {server}: it answered with the HTTP status {status}")]
    Status {
        /// What was attempted.
        attempted: String,
        /// Where.
        server: String,
        /// The status.
        status: u16,
    },
    /// What came is no answer to what was asked.
    #[error("could not {attempted} on {server}: the answer cannot be used")]
    Unusable {
        /// What was attempted.
        attempted: String,
        /// Where.
        server: String,
        /// Why.
        #[source]
        source: XmlError,
    },
    /// The answer lacks what it must have.
    #[error("could not {attempted} on {server}: the answer has no {missing}")]
    Incomplete {
        /// What was attempted.
        attempted: String,
        /// Where.
        server: String,
        /// What it lacks.
        missing: &'static str,
    },
    /// The server refused.
    #[error("could not {attempted} on {server}: {fault}")]
    Fault {
        /// What was attempted.
        attempted: String,
        /// Where.
        server: String,
        /// What it said.
        fault: Box<Fault>,
    },
    /// The server no longer knows the task, so its outcome has to be looked up otherwise.
    #[error("could not {attempted} on {server}: the server no longer knows the task")]
    TaskLost {
        /// What was attempted.
        attempted: String,
        /// Where.
        server: String,
    },
    /// A single ESXi host cannot do this. Nothing was sent to it.
    #[error("could not {attempted}: {server} is a single ESXi host, which cannot {what}; only a vCenter can")]
    NeedsVcenter {
        /// What was attempted.
        attempted: String,
        /// Where.
        server: String,
        /// What it cannot, as a verb.
        what: &'static str,
    },
    /// A person asked to stop, and the server went along.
    #[error("could not {attempted} on {server}: it was cancelled")]
    Cancelled {
        /// What was attempted.
        attempted: String,
        /// Where.
        server: String,
    },
}

/// Why a certificate is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// It is not the one that was pinned.
    #[error("its certificate has changed: {} was accepted before, it now shows {}", pinned, found.thumbprint)]
    Changed {
        /// The one that a person accepted.
        pinned: Thumbprint,
        /// The one that it shows.
        found: ServerCertificate,
    },
    /// Nobody has accepted it, and no root that this machine trusts vouches for it.
    #[error("its certificate is not trusted ({reason}): {} with the thumbprint {}", found.subject, found.thumbprint)]
    Unknown {
        /// Why not.
        reason: String,
        /// The one that it shows.
        found: ServerCertificate,
    },
    /// The server did not prove that the certificate is its own, or its key is too weak to prove it.
    #[error("it does not prove that its certificate is its own, or its key is too weak: {reason}")]
    NotProved {
        /// What the TLS library said.
        reason: String,
    },
}

impl VsphereError {
    /// The fault, if the server sent one.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault { fault, .. } => Some(fault),
            _ => None,
        }
    }

    /// What is known about the fault, if the server sent one.
    pub fn reason(&self) -> Option<&Reason> {
        self.fault().map(|fault| &fault.reason)
    }

    /// Whether the same request may work later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Dropped { .. } | Self::TimedOut { .. } => true,
            Self::Status { status, .. } => *status >= 500 || *status == 429,
            Self::Unusable { source, .. } => matches!(source, XmlError::Cut(_)),
            Self::Fault { fault, .. } => fault.is_transient(),
            Self::Certificate { .. }
            | Self::Incomplete { .. }
            | Self::TaskLost { .. }
            | Self::NeedsVcenter { .. }
            | Self::Cancelled { .. } => false,
        }
    }

    /// Whether the request may have been carried out although no answer says so.
    pub fn outcome_is_unknown(&self) -> bool {
        match self {
            Self::Dropped { .. } | Self::TimedOut { .. } | Self::Unusable { .. } | Self::TaskLost { .. } => {
                true
            }
            Self::Status { status, .. } => *status == 502 || *status == 504,
            _ => false,
        }
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Certificate { problem, .. } => match &**problem {
                CertificateProblem::Changed { .. } => {
                    "Find out why it changed (a renewed certificate, a new vCenter, or somebody in between), compare \
                     the new thumbprint on the vCenter itself, and accept it in the connection."
                }
                CertificateProblem::Unknown { .. } => {
                    "Compare the thumbprint with the one that the vCenter itself shows, and accept it."
                }
                CertificateProblem::NotProved { .. } => {
                    "Give the server a certificate with an RSA key of at least 2048 bits, or an EC key."
                }
            },
            Self::Unreachable { .. } => {
                "Check address and port of the connection, the network between, and that the server runs."
            }
            Self::Dropped { .. } | Self::TimedOut { .. } => {
                "Look in vCenter whether it was done all the same, and try again if not."
            }
            Self::Status { status, .. } => match status {
                502..=504 => "The vCenter is starting or overloaded. Try again in a few minutes.",
                401 | 403 | 407 => "Something in front of the vCenter asks for a login. Check for a proxy.",
                404 => "There is no vSphere API at this address. Check host and port.",
                _ => "Check that the address is that of a vCenter or ESXi host.",
            },
            Self::Unusable { .. } | Self::Incomplete { .. } => {
                "Check that the address is that of a vCenter or ESXi host, and that no proxy is in between."
            }
            Self::Fault { fault, .. } => fault.advice(),
            Self::TaskLost { .. } => "Look at the object in vCenter: the task has ended, well or not.",
            Self::NeedsVcenter { .. } => {
                "Add the vCenter that manages this host as a connection, and use that one."
            }
            Self::Cancelled { .. } => "Start it again if it is still wanted.",
        }
    }
}
