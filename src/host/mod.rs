//! One machine that commands run on: this one, or one reached over SSH.
//!
//! In: running a command, and carrying a byte stream from a command on one machine to a command on another, through
//! this one (relay) or straight (direct). Out: what the commands mean.

mod direct;
mod error;
mod lanes;
mod local;
mod meter;
mod outcome;
mod pump;
mod relay;
mod side;
mod throttle;

use std::sync::Arc;
use std::time::Duration;

pub use direct::{DirectRequest, HopError, Means, Route, direct, look};
pub use error::HostError;
pub use meter::Meter;
pub use outcome::{RelayError, Relayed, Side, SideOutcome};
pub use relay::{RelayRequest, relay};

use lanes::Lanes;

use crate::domain::argv::Argv;
pub use crate::domain::exit::Output;
use crate::ssh::Link;

/// Where commands run. Clones share the connection, and what stays open between streams.
#[derive(Clone)]
pub struct Host {
    place: Place,
    lanes: Arc<Lanes>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("place", &self.place).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
enum Place {
    Local,
    Remote { link: Link, label: Arc<str> },
}

impl Host {
    /// This machine.
    pub fn local() -> Self {
        Self { place: Place::Local, lanes: Arc::default() }
    }

    /// The machine at the other end of `link`.
    pub fn remote(link: Link) -> Self {
        let label = link.endpoint().to_string().into();
        Self { place: Place::Remote { link, label }, lanes: Arc::default() }
    }

    /// How messages call it: `this host` or `user@host:port`.
    pub fn label(&self) -> &str {
        match &self.place {
            Place::Local => local::LABEL,
            Place::Remote { label, .. } => label,
        }
    }

    /// Whether it is this machine.
    pub fn is_local(&self) -> bool {
        matches!(self.place, Place::Local)
    }

    /// The SSH link to it, if it is another machine.
    pub fn link(&self) -> Option<&Link> {
        match &self.place {
            Place::Local => None,
            Place::Remote { link, .. } => Some(link),
        }
    }

    /// Runs `argv` with `input` on its standard input and waits at most `deadline` for its end. Here it is started
    /// without a shell; elsewhere the words go through the login shell, quoted. When the future is dropped, the
    /// command is ended.
    ///
    /// # Errors
    /// If the outcome of the command is not known; an exit status other than 0 is no error here.
    pub async fn run(
        &self,
        argv: &Argv,
        input: Option<&[u8]>,
        deadline: Duration,
    ) -> Result<Output, HostError> {
        match &self.place {
            Place::Local => local::run(argv, input, deadline).await,
            Place::Remote { link, .. } => Ok(link.exec(argv, input, deadline).await?),
        }
    }
}
