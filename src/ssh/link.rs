//! The way to one endpoint: a control connection that is opened when needed, and data connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use russh::Channel;
use russh::client::Msg;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use super::connect::connect;
use super::error::{ConnectError, ExecError};
use super::exec::{self, MAX_OUTPUT, Ran};
use super::options::{ConnectOptions, Purpose};
use super::session::Connection;
use super::stream::DataConnection;
use crate::domain::argv::Argv;
use crate::domain::endpoint::Endpoint;
use crate::domain::exit::Output;

/// Runs commands on one endpoint over one connection that is opened at the first command, shared by all clones,
/// and opened again when it broke. Streams get a connection of their own: a receiver that is slow holds back its
/// whole connection.
#[derive(Clone)]
pub struct Link {
    inner: Arc<Inner>,
}

struct Inner {
    endpoint: Endpoint,
    options: ConnectOptions,
    /// Locked while connecting, so that many commands at once open one connection.
    control: Mutex<Option<Arc<Connection>>>,
    opened: AtomicU64,
    sessions: Arc<Semaphore>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({})", self.inner.endpoint)
    }
}

impl Link {
    /// A link that is not connected yet.
    pub fn new(endpoint: Endpoint, options: ConnectOptions) -> Self {
        let sessions = Arc::new(Semaphore::new(options.commands_at_once.max(1)));
        let (control, opened) = (Mutex::new(None), AtomicU64::new(0));
        Self { inner: Arc::new(Inner { endpoint, options, control, opened, sessions }) }
    }

    /// Where it leads.
    pub fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    /// How many connections were opened so far, for control and for data.
    pub fn connections_opened(&self) -> u64 {
        self.inner.opened.load(Ordering::Relaxed)
    }

    /// Opens the control connection unless it stands.
    ///
    /// # Errors
    /// If there is no connection.
    pub async fn connect(&self) -> Result<(), ConnectError> {
        self.control().await.map(drop)
    }

    /// Closes the control connection; the next command opens a new one.
    pub async fn close(&self) {
        let connection = self.inner.control.lock().await.take();
        if let Some(connection) = connection {
            connection.disconnect().await;
        }
    }

    /// Opens a fresh connection for one stream, on the runtime of the caller.
    ///
    /// # Errors
    /// If there is no connection.
    pub async fn open_data(&self, purpose: Purpose) -> Result<DataConnection, ConnectError> {
        let connection = Arc::new(self.open(purpose).await?);
        Ok(DataConnection { endpoint: self.inner.endpoint.clone(), connection })
    }

    /// Runs `command` with `input` on its standard input and waits for its end.
    ///
    /// A command that could not be started because the cached connection is dead is tried once more on a new one;
    /// one that was sent never is. `deadline` counts from the start of the command, not from waiting for its turn.
    /// When the future is dropped, the command is told to end.
    ///
    /// # Errors
    /// If the outcome of the command is not known; an exit status other than 0 is no error here.
    pub async fn exec(
        &self,
        command: &Argv,
        input: Option<&[u8]>,
        deadline: Duration,
    ) -> Result<Output, ExecError> {
        let (channel, connection, permit) = self.open_channel(command).await?;
        let endpoint = self.inner.endpoint.clone();
        let started = exec::start(channel, &endpoint, command, &connection);
        let too_late =
            ExecError::Deadline { endpoint: endpoint.clone(), command: command.to_string(), after: deadline };
        let channel = match timeout(deadline, started).await {
            Ok(started) => started?,
            Err(_) => return Err(too_late),
        };
        let (sender, receiver) = oneshot::channel();
        let input = input.map(Bytes::copy_from_slice);
        tokio::spawn(async move {
            let why = || connection.fate.why();
            exec::run(channel, input, deadline, sender, why).await;
            drop(permit);
        });
        let command = command.to_string();
        match receiver.await {
            Ok(Ran::Ended(output)) => Ok(output),
            Ok(Ran::Lost(why)) => Err(ExecError::Lost { endpoint, command, why }),
            Ok(Ran::TooMuchOutput) => Err(ExecError::TooMuchOutput { endpoint, command, limit: MAX_OUTPUT }),
            Ok(Ran::Deadline) => Err(too_late),
            Err(_) => Err(ExecError::Lost { endpoint, command, why: "the task that ran it ended".into() }),
        }
    }

    /// A new channel on the control connection, with the right to use it.
    async fn open_channel(
        &self,
        command: &Argv,
    ) -> Result<(Channel<Msg>, Arc<Connection>, OwnedSemaphorePermit), ExecError> {
        let mut fresh = false;
        loop {
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(&self.inner.sessions).acquire_owned().await else {
                return Err(self.refused(command, "the link is closed"));
            };
            let connection = self.control().await.map_err(|source| ExecError::Connect {
                endpoint: self.inner.endpoint.clone(),
                command: command.to_string(),
                source,
            })?;
            // A connection that died without a word answers nothing until its keep-alives run out.
            let patience = self.inner.options.connect_timeout;
            match timeout(patience, connection.handle.channel_open_session()).await {
                Ok(Ok(channel)) => return Ok((channel, connection, permit)),
                Ok(Err(russh::Error::ChannelOpenFailure(_))) if self.others_running() => {
                    // The server allows fewer sessions than assumed: keep to what it allows.
                    permit.forget();
                }
                Ok(Err(error @ russh::Error::ChannelOpenFailure(_))) => {
                    return Err(exec::open_failure(&self.inner.endpoint, command, &connection, &error));
                }
                Ok(Err(_)) | Err(_) if !fresh => {
                    fresh = true;
                    self.forget(&connection).await;
                }
                Ok(Err(_)) => return Err(self.refused(command, &connection.fate.why())),
                Err(_) => return Err(self.refused(command, "it does not answer")),
            }
        }
    }

    fn refused(&self, command: &Argv, why: &str) -> ExecError {
        let (endpoint, command) = (self.inner.endpoint.clone(), command.to_string());
        ExecError::Refused { endpoint, command, why: why.to_owned() }
    }

    /// Whether another command than the asking one holds a session.
    fn others_running(&self) -> bool {
        Arc::strong_count(&self.inner.sessions) > 2
    }

    async fn control(&self) -> Result<Arc<Connection>, ConnectError> {
        let mut control = self.inner.control.lock().await;
        if let Some(connection) = control.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(self.open(Purpose::Control).await?);
        *control = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// Drops a dead connection from the cache, unless another one took its place already.
    async fn forget(&self, dead: &Arc<Connection>) {
        let mut control = self.inner.control.lock().await;
        if control.as_ref().is_some_and(|current| Arc::ptr_eq(current, dead)) {
            *control = None;
        }
    }

    async fn open(&self, purpose: Purpose) -> Result<Connection, ConnectError> {
        let connection = connect(&self.inner.endpoint, &self.inner.options, purpose).await?;
        self.inner.opened.fetch_add(1, Ordering::Relaxed);
        Ok(connection)
    }
}
