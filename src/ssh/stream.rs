//! One command at a time on a connection of its own, whose standard output or input is a long stream of bytes.
//!
//! Data goes through as [`Bytes`] in pieces of one packet, never through `AsyncRead`: the reader that russh
//! offers turns a broken connection into a clean end of file, and a truncated stream would look complete.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::time::timeout;

use super::error::ExecError;
use super::exec::{exit_signal, open_failure, start};
use super::hostkeys::HostKey;
use super::session::Connection;
use crate::domain::argv::Argv;
use crate::domain::endpoint::Endpoint;
use crate::domain::exit::Exit;

/// An authenticated connection for streams, one after the other. After one that did not end well it has to be dropped.
pub struct DataConnection {
    endpoint: Endpoint,
    connection: Arc<Connection>,
    /// A session opened beforehand for the next stream, which then starts within one round trip.
    spare: Option<Channel<Msg>>,
    /// Whether the server forwards the agent. OpenSSH does so for a whole connection, and refuses to be asked again.
    forwards: bool,
}

/// What comes from the command of a stream, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamEvent {
    /// Bytes of its standard output.
    Data(Bytes),
    /// Bytes of its standard error.
    Stderr(Bytes),
    /// Its output is complete.
    Eof,
    /// How it ended.
    Exit(Exit),
    /// The server closed the channel in due form: nothing follows.
    Closed,
    /// The connection broke, for this reason: nothing follows.
    Lost(String),
}

/// Nobody takes the bytes any more; the [`DataReader`] of the same command says why.
#[derive(Debug, thiserror::Error)]
#[error("the receiving command takes no more data")]
pub struct StreamGone;

/// What the command of a stream says. It has to be read to the end whatever happens, for a command whose standard
/// error nobody takes stands still.
pub struct DataReader {
    read: ChannelReadHalf,
    connection: Arc<Connection>,
    ended: bool,
}

/// Writes to the command of a stream, and holds its connection open.
pub struct DataWriter {
    write: ChannelWriteHalf<Msg>,
    connection: Arc<Connection>,
}

impl DataConnection {
    pub(super) fn new(endpoint: &Endpoint, connection: Arc<Connection>) -> Self {
        Self { endpoint: endpoint.clone(), connection, spare: None, forwards: false }
    }

    /// Whether the connection is known to have ended.
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Opens the session of the next stream beforehand. Without, that stream opens its own.
    pub async fn prepare(&mut self) {
        if self.spare.is_some() {
            return;
        }
        let patience = Duration::from_secs(20);
        let Ok(Ok(mut channel)) = timeout(patience, self.connection.handle.channel_open_session()).await
        else {
            return;
        };
        if self.connection.agent.is_some() {
            let asked = timeout(patience, ask_for_agent(&mut channel)).await;
            if !matches!(asked, Ok(Some(granted)) if granted || self.forwards) {
                let _ = channel.close().await;
                return;
            }
        }
        self.spare = Some(channel);
    }

    /// The session opened beforehand, if the server has not closed it since.
    fn take_spare(&mut self) -> Option<Channel<Msg>> {
        let mut channel = self.spare.take()?;
        match channel.wait().now_or_never() {
            None | Some(Some(ChannelMsg::WindowAdjusted { .. })) if !self.is_closed() => Some(channel),
            _ => None,
        }
    }

    async fn session(&mut self, command: &Argv) -> Result<Channel<Msg>, ExecError> {
        let opened = self.connection.handle.channel_open_session().await;
        opened.map_err(|error| open_failure(&self.endpoint, command, &self.connection, &error))
    }

    /// Starts `command`; until it has ended, the connection serves nothing else.
    ///
    /// # Errors
    /// If the server does not start it, or the connection breaks meanwhile.
    pub async fn start(&mut self, command: &Argv) -> Result<(DataReader, DataWriter), ExecError> {
        let channel = match self.take_spare() {
            Some(channel) => channel,
            None => self.session(command).await?,
        };
        let (mut read, write) = channel.split();
        start(&mut read, &write, &self.endpoint, command, &self.connection).await?;
        Ok(self.halves(read, write))
    }

    fn halves(&self, read: ChannelReadHalf, write: ChannelWriteHalf<Msg>) -> (DataReader, DataWriter) {
        let reader = DataReader { read, connection: Arc::clone(&self.connection), ended: false };
        (reader, DataWriter { write, connection: Arc::clone(&self.connection) })
    }
}

/// Why a command that needs the agent was not started.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The server does not forward an agent for this login; the command was not sent.
    #[error("{endpoint} does not allow agent forwarding")]
    Refused {
        /// Where.
        endpoint: Endpoint,
    },
    /// The command was not started for another reason.
    #[error(transparent)]
    Exec(#[from] ExecError),
}

/// Whether the server forwards the agent, as it says for this session; none if the connection broke.
async fn ask_for_agent(channel: &mut Channel<Msg>) -> Option<bool> {
    channel.agent_forward(true).await.ok()?;
    loop {
        match channel.wait().await? {
            ChannelMsg::Success => return Some(true),
            ChannelMsg::Failure => return Some(false),
            ChannelMsg::WindowAdjusted { .. } => {}
            _ => return None,
        }
    }
}

impl DataConnection {
    /// Starts `command`, which can reach the agent of [`super::Link::open_forwarding`] for so long and may have it sign
    /// so often. Its input is left open.
    ///
    /// # Errors
    /// If the server does not forward the agent, does not start the command, or the connection breaks meanwhile.
    pub async fn start_forwarding(
        &mut self,
        command: &Argv,
        (signatures, time): (u32, Duration),
    ) -> Result<(DataReader, DataWriter), ForwardError> {
        let (endpoint, text) = (self.endpoint.clone(), command.to_string());
        let lost = move |connection: &Connection| ExecError::Lost {
            endpoint: endpoint.clone(),
            command: text.clone(),
            why: connection.fate.why(),
        };
        let channel = match self.take_spare() {
            Some(channel) => channel,
            None => {
                let mut channel = self.session(command).await?;
                match ask_for_agent(&mut channel).await {
                    Some(true) => self.forwards = true,
                    Some(false) if self.forwards => {}
                    Some(false) => {
                        self.connection.disconnect().await;
                        return Err(ForwardError::Refused { endpoint: self.endpoint.clone() });
                    }
                    None => return Err(lost(&self.connection).into()),
                }
                channel
            }
        };
        let (mut read, write) = channel.split();
        if let Some(agent) = &self.connection.agent {
            agent.open_for(signatures, time);
        }
        start(&mut read, &write, &self.endpoint, command, &self.connection).await?;
        Ok(self.halves(read, write))
    }

    /// Whether the agent on it logs in on the server with that key.
    pub fn leads_to(&self, host_key: &HostKey) -> bool {
        self.connection.agent.as_ref().is_some_and(|agent| agent.is_for(&host_key.clone().into_russh()))
    }

    /// Nothing is signed any more until the next command is started.
    pub fn shut_agent(&self) {
        if let Some(agent) = &self.connection.agent {
            agent.shut();
        }
    }
}

impl DataReader {
    /// The next event. After [`StreamEvent::Closed`] or [`StreamEvent::Lost`] it is that again for ever. Dropping
    /// the future loses nothing.
    pub async fn next(&mut self) -> StreamEvent {
        loop {
            let message = if self.ended { None } else { self.read.wait().await };
            let event = match message {
                Some(ChannelMsg::Data { data }) => StreamEvent::Data(data),
                Some(ChannelMsg::ExtendedData { data, .. }) => StreamEvent::Stderr(data),
                Some(ChannelMsg::Eof) => StreamEvent::Eof,
                Some(ChannelMsg::ExitStatus { exit_status }) => StreamEvent::Exit(Exit::Code(exit_status)),
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    StreamEvent::Exit(exit_signal(&signal_name))
                }
                Some(ChannelMsg::Close) => StreamEvent::Closed,
                Some(_) => continue,
                None => StreamEvent::Lost(self.connection.fate.why()),
            };
            self.ended |= matches!(event, StreamEvent::Closed | StreamEvent::Lost(_));
            return event;
        }
    }
}

impl DataWriter {
    /// Hands bytes to the command's standard input, as soon as its window has room.
    ///
    /// A session that ends does **not** wake this call while it waits for room: race it against the end of the
    /// [`DataReader`].
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn write(&self, data: Bytes) -> Result<(), StreamGone> {
        self.write.data_bytes(data).await.map_err(|_| StreamGone)
    }

    /// Ends the command's standard input in due form.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn eof(&self) -> Result<(), StreamGone> {
        self.write.eof().await.map_err(|_| StreamGone)
    }

    /// The command has ended well: lets go of its session and leaves the connection to the next one.
    pub async fn finish(self) {
        // russh does not close a channel that is dropped.
        let _ = timeout(Duration::from_secs(1), self.write.close()).await;
    }

    /// Gives up: asks the server to end the command by a signal and drops the connection. The command gets no end
    /// of file in due form, but when its server notices the drop its input ends all the same.
    pub async fn abort(self) {
        let signal = self.write.signal(Sig::TERM);
        let _ = timeout(Duration::from_secs(1), signal).await;
        self.connection.disconnect().await;
    }
}
