//! SSH: keys, host keys, running commands, data streams, a forwarded agent. The only place that names russh.
//!
//! In: one [`Link`] per endpoint, which keeps a control connection for commands and opens a fresh connection for
//! each data stream. Out: what the commands mean (`zfs`), and how two streams are joined (`host`).
//!
//! Two rules hold everywhere here. A host key is judged before any credential leaves this machine. And a
//! connection that breaks is an error: success needs an exit status that the server sent.

mod agent;
mod agent_channel;
mod auth;
mod bounded;
mod connect;
mod error;
mod exec;
mod hostkeys;
mod keys;
mod known_hosts;
mod link;
mod options;
mod session;
mod signer;
mod stream;
#[cfg(test)]
mod tests;
mod wire;

pub use bounded::HeadTail;
pub use error::{ConnectError, ExecError};
pub use hostkeys::{HostKey, HostKeyCheck, HostKeys, NoneKnown, PinnedFingerprint};
pub use keys::{Identity, KeyError, KeyPair, default_identities};
pub use known_hosts::KnownHosts;
pub use link::Link;
pub use options::{ConnectOptions, Purpose};
pub use stream::{DataConnection, DataReader, DataWriter, ForwardError, StreamEvent, StreamGone};

pub use crate::domain::exit::Output as ExecOutput;
