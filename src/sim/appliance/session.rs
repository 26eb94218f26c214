//! What a command knows of the connection that it came over.

use std::sync::{Mutex, PoisonError};

use russh::server::Handle;
use tokio_util::sync::CancellationToken;

/// One connection of a client.
#[derive(Default)]
pub(crate) struct Session {
    /// Ends the connection as a broken cable would.
    pub(crate) hangup: CancellationToken,
    /// Over which channels to the client's agent are opened, once it has asked for forwarding.
    agent: Mutex<Option<Handle>>,
}

impl Session {
    pub(crate) fn new(hangup: CancellationToken) -> Self {
        Self { hangup, agent: Mutex::new(None) }
    }

    pub(crate) fn forward_agent(&self, handle: Handle) {
        *self.agent.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }

    /// The connection to open a channel to the agent on.
    pub(crate) fn agent(&self) -> Option<Handle> {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What `SSH_AUTH_SOCK` says.
    pub(crate) fn agent_socket(&self) -> Option<String> {
        self.agent().map(|_| "/tmp/ssh-XXXXsim/agent.1".to_owned())
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
