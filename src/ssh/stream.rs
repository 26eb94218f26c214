//! One command on its own connection, whose standard output or input is a long stream of bytes.
//!
//! Data goes through as [`Bytes`] in pieces of one packet, never through `AsyncRead`: the reader that russh
//! offers turns a broken connection into a clean end of file, and a truncated stream would look complete.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};

use super::error::ExecError;
use super::exec::{exit_signal, open_failure, start};
use super::session::Connection;
use crate::domain::argv::Argv;
use crate::domain::endpoint::Endpoint;
use crate::domain::exit::Exit;

/// A fresh, authenticated connection for one stream.
pub struct DataConnection {
    pub(super) endpoint: Endpoint,
    pub(super) connection: Arc<Connection>,
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
    /// Starts `command`; its connection serves nothing else.
    ///
    /// # Errors
    /// If the server does not start it, or the connection breaks meanwhile.
    pub async fn start(self, command: &Argv) -> Result<(DataReader, DataWriter), ExecError> {
        let opened = self.connection.handle.channel_open_session().await;
        let channel =
            opened.map_err(|error| open_failure(&self.endpoint, command, &self.connection, &error))?;
        let (mut read, write) = channel.split();
        start(&mut read, &write, &self.endpoint, command, &self.connection).await?;
        let reader = DataReader { read, connection: Arc::clone(&self.connection), ended: false };
        Ok((reader, DataWriter { write, connection: self.connection }))
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

impl DataConnection {
    /// Starts `command`, which can reach the agent of [`super::Link::open_forwarding`] for so long. Its input is left
    /// open.
    ///
    /// # Errors
    /// If the server does not forward the agent, does not start the command, or the connection breaks meanwhile.
    pub async fn start_forwarding(
        self,
        command: &Argv,
        time: Duration,
    ) -> Result<(DataReader, DataWriter), ForwardError> {
        let opened = self.connection.handle.channel_open_session().await;
        let channel =
            opened.map_err(|error| open_failure(&self.endpoint, command, &self.connection, &error))?;
        let (mut read, write) = channel.split();
        let lost = || ExecError::Lost {
            endpoint: self.endpoint.clone(),
            command: command.to_string(),
            why: self.connection.fate.why(),
        };
        write.agent_forward(true).await.map_err(|_| lost())?;
        loop {
            match read.wait().await {
                Some(ChannelMsg::Success) => break,
                Some(ChannelMsg::Failure) => {
                    self.connection.disconnect().await;
                    return Err(ForwardError::Refused { endpoint: self.endpoint });
                }
                Some(ChannelMsg::WindowAdjusted { .. }) => {}
                Some(_) | None => return Err(lost().into()),
            }
        }
        if let Some(agent) = &self.connection.agent {
            agent.open_for(time);
        }
        start(&mut read, &write, &self.endpoint, command, &self.connection).await?;
        let reader = DataReader { read, connection: Arc::clone(&self.connection), ended: false };
        Ok((reader, DataWriter { write, connection: self.connection }))
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

    /// Gives up: asks the server to end the command by a signal and drops the connection. The command gets no end
    /// of file in due form, but when its server notices the drop its input ends all the same.
    pub async fn abort(self) {
        let signal = self.write.signal(Sig::TERM);
        let _ = tokio::time::timeout(Duration::from_secs(1), signal).await;
        self.connection.disconnect().await;
    }
}
