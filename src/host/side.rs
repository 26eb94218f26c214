//! One end of a relay: a command on this machine or on another, with one long stream.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::error::HostError;
use super::local::Group;
use super::throttle::PIECE;
use super::{Host, Place};
use crate::domain::argv::Argv;
use crate::ssh::{DataConnection, DataReader, DataWriter, Link, Purpose, StreamEvent, StreamGone};

/// How long a connection that stood has for starting a command, before a new one is opened.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);

/// A started command.
pub(super) struct End {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
}

/// What it says.
pub(super) enum Reader {
    Local(Box<LocalReader>),
    Remote(DataReader),
}

/// What it is told.
pub(super) enum Writer {
    /// `None` after the end of file.
    Local(Option<ChildStdin>),
    Remote(DataWriter),
}

impl End {
    /// Starts `argv` on `host`; elsewhere on the connection that stands, or on a fresh one, which stands then.
    pub(super) async fn start(
        host: &Host,
        argv: &Argv,
        purpose: Purpose,
        standing: &mut Option<DataConnection>,
    ) -> Result<Self, HostError> {
        match &host.place {
            Place::Local => {
                let stdin = if purpose == Purpose::Sink { Stdio::piped() } else { Stdio::null() };
                let mut group = Group::start(argv, stdin)?;
                let writer = Writer::Local(group.child.stdin.take());
                Ok(Self { reader: Reader::Local(Box::new(LocalReader::new(group))), writer })
            }
            Place::Remote { link, .. } => {
                let (reader, writer) = start_there(link, argv, purpose, standing).await?;
                let mut end = Self { reader: Reader::Remote(reader), writer: Writer::Remote(writer) };
                if purpose == Purpose::Source {
                    // It has nothing to read; if this does not get through, its reader will say so.
                    let _ = end.writer.eof().await;
                }
                Ok(end)
            }
        }
    }

    /// The command has ended well; its connection is left to the next one.
    pub(super) async fn finish(self) {
        match (self.reader, self.writer) {
            (Reader::Remote(_), Writer::Remote(writer)) => writer.finish().await,
            (reader, writer) => Self { reader, writer }.abort().await,
        }
    }

    /// Gives up: the command is told to end, and its input is never ended in due form.
    pub(super) async fn abort(self) {
        match (self.reader, self.writer) {
            // Killed before its input closes, so that a truncated stream is not taken for a whole one.
            (Reader::Local(mut reader), writer) => {
                reader.group.kill();
                let _ = timeout(Duration::from_secs(5), reader.group.child.wait()).await;
                drop(writer);
            }
            (Reader::Remote(_), Writer::Remote(writer)) => writer.abort().await,
            (Reader::Remote(_), Writer::Local(_)) => {}
        }
    }
}

/// A connection that stood may have died without a word. Then the command may have been started in vain there; it has
/// neither got nor given a byte, and ends when its server notices.
async fn start_there(
    link: &Link,
    argv: &Argv,
    purpose: Purpose,
    standing: &mut Option<DataConnection>,
) -> Result<(DataReader, DataWriter), HostError> {
    if let Some(mut connection) = standing.take().filter(|connection| !connection.is_closed())
        && let Ok(Ok(started)) = timeout(SIGN_OF_LIFE, connection.start(argv)).await
    {
        *standing = Some(connection);
        return Ok(started);
    }
    let mut connection = link.open_data(purpose).await.map_err(HostError::Connect)?;
    let started = connection.start(argv).await?;
    *standing = Some(connection);
    Ok(started)
}

impl Reader {
    /// The next event, in order. After [`StreamEvent::Closed`] or [`StreamEvent::Lost`] nothing follows.
    pub(super) async fn next(&mut self) -> StreamEvent {
        match self {
            Self::Local(reader) => reader.next().await,
            Self::Remote(reader) => reader.next().await,
        }
    }
}

impl Writer {
    pub(super) async fn write(&mut self, data: Bytes) -> Result<(), StreamGone> {
        match self {
            Self::Local(Some(stdin)) => stdin.write_all(&data).await.map_err(|_| StreamGone),
            Self::Local(None) => Err(StreamGone),
            Self::Remote(writer) => writer.write(data).await,
        }
    }

    pub(super) async fn eof(&mut self) -> Result<(), StreamGone> {
        match self {
            Self::Local(stdin) => {
                *stdin = None;
                Ok(())
            }
            Self::Remote(writer) => writer.eof().await,
        }
    }
}

/// Reads both streams of a child and its exit.
pub(super) struct LocalReader {
    group: Group,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    data: BytesMut,
    messages: BytesMut,
    exited: bool,
}

impl LocalReader {
    fn new(mut group: Group) -> Self {
        let (stdout, stderr) = (group.child.stdout.take(), group.child.stderr.take());
        Self { group, stdout, stderr, data: BytesMut::new(), messages: BytesMut::new(), exited: false }
    }

    async fn next(&mut self) -> StreamEvent {
        loop {
            if self.exited && self.stdout.is_none() && self.stderr.is_none() {
                return StreamEvent::Closed;
            }
            tokio::select! {
                read = read_piece(&mut self.stdout, &mut self.data) => match read {
                    Ok(Some(piece)) => return StreamEvent::Data(piece),
                    Ok(None) => {
                        self.stdout = None;
                        return StreamEvent::Eof;
                    }
                    Err(error) => return StreamEvent::Lost(format!("its output could not be read: {error}")),
                },
                read = read_piece(&mut self.stderr, &mut self.messages) => match read {
                    Ok(Some(piece)) => return StreamEvent::Stderr(piece),
                    Ok(None) | Err(_) => self.stderr = None,
                },
                exit = self.group.wait(), if !self.exited => {
                    self.exited = true;
                    return match exit {
                        Ok(exit) => StreamEvent::Exit(exit),
                        Err(error) => StreamEvent::Lost(format!("its end could not be learnt: {error}")),
                    };
                }
            }
        }
    }
}

/// The next piece, `None` at the end of file. Dropping the future loses nothing.
async fn read_piece(
    pipe: &mut Option<impl AsyncRead + Unpin>,
    buffer: &mut BytesMut,
) -> io::Result<Option<Bytes>> {
    let Some(pipe) = pipe else { return std::future::pending().await };
    // The space is used again once the pieces cut from it are gone.
    buffer.reserve(PIECE);
    let count = pipe.read_buf(buffer).await?;
    Ok((count > 0).then(|| buffer.split().freeze()))
}
