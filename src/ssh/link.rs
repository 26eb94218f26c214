//! The way to one endpoint: a control connection that is opened when needed, and data connections.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as Latch, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use russh::client::Msg;
use russh::{Channel, ChannelMsg};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{sleep, timeout};

use super::agent::ForwardedAgent;
use super::connect::connect;
use super::error::{ConnectError, ExecError};
use super::exec::{self, Order};
use super::hostkeys::HostKey;
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
    controls: AtomicU64,
    /// How many commands may run at once; it shrinks to what the server allows, but never to nothing.
    sessions: Arc<Semaphore>,
    running: AtomicUsize,
    /// By how much it shrank on this connection; the next one may allow more.
    withdrawn: AtomicUsize,
    /// Sessions opened beforehand on the control connection: a command that takes one costs one round trip, not two.
    spares: Latch<Vec<Spare>>,
}

/// So many sessions are kept open beforehand; with those of the commands at once no more than OpenSSH allows.
const SPARES: usize = 2;

/// A session that nobody has used yet.
struct Spare {
    /// None while it is being opened.
    channel: Option<Channel<Msg>>,
    connection: Arc<Connection>,
}

impl Inner {
    fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    fn spares(&self) -> std::sync::MutexGuard<'_, Vec<Spare>> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session of `connection` that was opened beforehand, if the server has not closed it since.
    fn spare(&self, connection: &Arc<Connection>) -> Option<Channel<Msg>> {
        let mut spares = self.spares();
        spares.retain(|spare| Arc::ptr_eq(&spare.connection, connection));
        while let Some(at) = spares.iter().position(|spare| spare.channel.is_some()) {
            let mut channel = spares.swap_remove(at).channel?;
            match channel.wait().now_or_never() {
                None | Some(Some(ChannelMsg::WindowAdjusted { .. })) if !connection.is_closed() => {
                    return Some(channel);
                }
                _ => {}
            }
        }
        None
    }

    /// Opens sessions beforehand, beside whatever runs. Where the server allows none besides, there are none.
    fn restock(self: &Arc<Self>, connection: &Arc<Connection>) {
        let mut spares = self.spares();
        spares.retain(|spare| Arc::ptr_eq(&spare.connection, connection));
        while spares.len() < SPARES && self.sessions.available_permits() > spares.len() {
            spares.push(Spare { channel: None, connection: Arc::clone(connection) });
            let (inner, connection) = (Arc::downgrade(self), Arc::clone(connection));
            tokio::spawn(async move {
                let opened = timeout(Duration::from_secs(20), connection.handle.channel_open_session()).await;
                let Some(inner) = inner.upgrade() else { return };
                let mut spares = inner.spares();
                let mine =
                    |spare: &Spare| spare.channel.is_none() && Arc::ptr_eq(&spare.connection, &connection);
                let Some(at) = spares.iter().position(mine) else { return };
                match opened {
                    Ok(Ok(channel)) => spares[at].channel = Some(channel),
                    _ => drop(spares.swap_remove(at)),
                }
            });
        }
    }
}

/// A command that holds a session of the control connection.
struct Running {
    inner: Arc<Inner>,
    _permit: OwnedSemaphorePermit,
}

impl Running {
    fn new(inner: &Arc<Inner>, permit: OwnedSemaphorePermit) -> Self {
        inner.running.fetch_add(1, Ordering::SeqCst);
        Self { inner: Arc::clone(inner), _permit: permit }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.inner.running.fetch_sub(1, Ordering::SeqCst);
    }
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
        let (control, opened, controls) = (Mutex::new(None), AtomicU64::new(0), AtomicU64::new(0));
        let (running, withdrawn) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let spares = Latch::default();
        let inner =
            Inner { endpoint, options, control, opened, controls, sessions, running, withdrawn, spares };
        Self { inner: Arc::new(inner) }
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
        self.inner.spares().clear();
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
        Ok(DataConnection::new(&self.inner.endpoint, connection))
    }

    /// Opens a fresh connection for commands that log in at `target` by themselves, as this process does there: they
    /// can ask an agent that signs that one log-in.
    ///
    /// # Errors
    /// If there is no connection here or there.
    pub async fn open_forwarding(&self, target: &Link) -> Result<DataConnection, ConnectError> {
        let there = target.control().await?;
        let user = &target.inner.endpoint.user;
        let pinned = there.host_key().ok_or_else(|| target.no_host_key())?;
        let agent = Arc::new(ForwardedAgent::new(there.login.clone(), user, pinned.into_russh()));
        let connection = connect(&self.inner.endpoint, &self.inner.options, Purpose::Direct, Some(&agent));
        let connection = Arc::new(connection.await?);
        self.inner.opened.fetch_add(1, Ordering::Relaxed);
        Ok(DataConnection::new(&self.inner.endpoint, connection))
    }

    /// The host key that the control connection was opened with; it was judged then.
    ///
    /// # Errors
    /// If there is no connection.
    pub async fn host_key(&self) -> Result<HostKey, ConnectError> {
        self.control().await?.host_key().ok_or_else(|| self.no_host_key())
    }

    fn no_host_key(&self) -> ConnectError {
        let (endpoint, stage) = (self.inner.endpoint.clone(), "reading its host key");
        ConnectError::Protocol { endpoint, stage, why: "the server gave none".into() }
    }

    /// Whether both are the same way to the same endpoint.
    pub fn is_same(&self, other: &Link) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Which control connection stands, counted from 1; another one, and what was learnt over the last may be wrong.
    pub fn control_number(&self) -> u64 {
        self.inner.controls.load(Ordering::Relaxed)
    }

    /// Runs `command` with `input` on its standard input and waits for its end.
    ///
    /// A command that could not be started because the cached connection is dead is tried once more on a new one;
    /// one that was sent never is: whoever knows that it may be repeated has to do so. `deadline` counts from the start of the command, not from waiting for its turn.
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
        let endpoint = self.inner.endpoint.clone();
        let input = input.map(Bytes::copy_from_slice);
        let order = Order { endpoint, command: command.clone(), input, deadline };
        let (mut sender, receiver) = oneshot::channel();
        let link = self.clone();
        // A task of its own keeps the connection moving for the others even while the one who asked is not polled,
        // and tidies up when that one goes away.
        tokio::spawn(async move {
            let outcome = link.carry_out(&order, sender.closed()).await;
            let _ = sender.send(outcome);
        });
        receiver.await.unwrap_or_else(|_| {
            let (endpoint, command) = (self.inner.endpoint.clone(), command.to_string());
            Err(ExecError::Lost { endpoint, command, why: "the task that ran it ended".into() })
        })
    }

    async fn carry_out(
        &self,
        order: &Order,
        abandoned: impl Future<Output = ()>,
    ) -> Result<Output, ExecError> {
        let (channel, connection, running) = self.open_channel(&order.command).await?;
        self.inner.restock(&connection);
        let outcome = exec::run(channel, order, &connection, abandoned).await;
        drop(running);
        // Where the server allows no session besides the one that ran, now it does.
        self.inner.restock(&connection);
        outcome
    }

    /// A new channel on the control connection, with the right to use it.
    async fn open_channel(
        &self,
        command: &Argv,
    ) -> Result<(Channel<Msg>, Arc<Connection>, Running), ExecError> {
        let mut fresh = false;
        let mut refusals = 0;
        loop {
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(&self.inner.sessions).acquire_owned().await else {
                return Err(self.not_started(command, "the link is closed"));
            };
            let connection = self.control().await.map_err(|source| ExecError::Connect {
                endpoint: self.inner.endpoint.clone(),
                command: command.to_string(),
                source: Box::new(source),
            })?;
            if let Some(channel) = self.inner.spare(&connection) {
                return Ok((channel, connection, Running::new(&self.inner, permit)));
            }
            // A connection that died without a word answers nothing until its keep-alives run out.
            let patience = self.inner.options.connect_timeout;
            match timeout(patience, connection.handle.channel_open_session()).await {
                Ok(Ok(channel)) => return Ok((channel, connection, Running::new(&self.inner, permit))),
                // The server allows fewer sessions than assumed: keep to what it allows.
                Ok(Err(russh::Error::ChannelOpenFailure(_))) if self.inner.running() > 0 => {
                    self.inner.withdrawn.fetch_add(1, Ordering::SeqCst);
                    permit.forget();
                }
                // The one that just ended may still be counted there.
                Ok(Err(russh::Error::ChannelOpenFailure(_))) if refusals < 5 => {
                    refusals += 1;
                    sleep(Duration::from_millis(50) * refusals).await;
                }
                // All its sessions hang in commands that were given up but do not end; a new connection has new ones.
                Ok(Err(russh::Error::ChannelOpenFailure(_))) if !fresh => {
                    fresh = true;
                    self.forget(&connection).await;
                    connection.disconnect().await;
                }
                Ok(Err(error @ russh::Error::ChannelOpenFailure(_))) => {
                    return Err(exec::open_failure(&self.inner.endpoint, command, &connection, &error));
                }
                Ok(Err(_)) | Err(_) if !fresh => {
                    fresh = true;
                    self.forget(&connection).await;
                }
                Ok(Err(_)) => return Err(self.not_started(command, &connection.fate.why())),
                Err(_) => return Err(self.not_started(command, "it does not answer")),
            }
        }
    }

    /// The connection broke before the command was sent.
    fn not_started(&self, command: &Argv, why: &str) -> ExecError {
        let endpoint = self.inner.endpoint.clone();
        let (stage, why) = ("opening a session", why.to_owned());
        let source = Box::new(ConnectError::Protocol { endpoint: endpoint.clone(), stage, why });
        ExecError::Connect { endpoint, command: command.to_string(), source }
    }

    async fn control(&self) -> Result<Arc<Connection>, ConnectError> {
        let mut control = self.inner.control.lock().await;
        if let Some(connection) = control.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(self.open(Purpose::Control).await?);
        self.inner.controls.fetch_add(1, Ordering::Relaxed);
        self.inner.sessions.add_permits(self.inner.withdrawn.swap(0, Ordering::SeqCst));
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
        let connection = connect(&self.inner.endpoint, &self.inner.options, purpose, None).await?;
        self.inner.opened.fetch_add(1, Ordering::Relaxed);
        Ok(connection)
    }
}
