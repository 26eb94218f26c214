//! One short command on a channel of a shared connection.

use std::time::Duration;

use bytes::Bytes;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::time::timeout;

use super::bounded::HeadTail;
use super::error::ExecError;
use super::session::{Connection, in_words};
use crate::domain::argv::Argv;
use crate::domain::endpoint::Endpoint;
use crate::domain::exit::{Exit, Output};

/// The most that one command may write to its standard output: 64 MiB.
const MAX_OUTPUT: usize = 64 << 20;

/// The error for a channel that could not be opened: nothing was started.
pub(super) fn open_failure(
    endpoint: &Endpoint,
    command: &Argv,
    connection: &Connection,
    error: &russh::Error,
) -> ExecError {
    let why = match error {
        russh::Error::ChannelOpenFailure(reason) => format!("no session ({})", reason.description()),
        _ if connection.is_closed() => connection.fate.why(),
        other => in_words(other),
    };
    ExecError::Refused { endpoint: endpoint.clone(), command: command.to_string(), why }
}

/// Asks for the command and waits until the server says that it runs.
pub(super) async fn start(
    read: &mut ChannelReadHalf,
    write: &ChannelWriteHalf<Msg>,
    endpoint: &Endpoint,
    command: &Argv,
    connection: &Connection,
) -> Result<(), ExecError> {
    let lost = || ExecError::Lost {
        endpoint: endpoint.clone(),
        command: command.to_string(),
        why: connection.fate.why(),
    };
    // Messages are read by programs: a server that lets clients choose the language is asked for the plain one.
    write.set_env(false, "LC_ALL", "C").await.map_err(|_| lost())?;
    write.exec(true, command.to_shell()).await.map_err(|_| lost())?;
    loop {
        match read.wait().await {
            Some(ChannelMsg::Success) => return Ok(()),
            Some(ChannelMsg::Failure) => {
                let why = "it does not run commands for this user".to_owned();
                let (endpoint, command) = (endpoint.clone(), command.to_string());
                return Err(ExecError::Refused { endpoint, command, why });
            }
            // Output cannot come before the reply to the request, but window adjustments do.
            Some(ChannelMsg::WindowAdjusted { .. }) => {}
            Some(_) | None => return Err(lost()),
        }
    }
}

/// A command on its way: who asks for what, where.
pub(super) struct Order {
    pub(super) endpoint: Endpoint,
    pub(super) command: Argv,
    pub(super) input: Option<Bytes>,
    pub(super) deadline: Duration,
}

/// Starts the command, feeds its input and collects what it writes, until it ends, the deadline passes or
/// `abandoned` says that nobody waits any more.
pub(super) async fn run(
    channel: Channel<Msg>,
    order: &Order,
    connection: &Connection,
    abandoned: impl Future<Output = ()>,
) -> Result<Output, ExecError> {
    let (endpoint, command) = (order.endpoint.clone(), order.command.to_string());
    let (mut read, write) = channel.split();
    let late =
        ExecError::Deadline { endpoint: endpoint.clone(), command: command.clone(), after: order.deadline };
    let whole = async {
        start(&mut read, &write, &order.endpoint, &order.command, connection).await?;
        match converse(&mut read, &write, order.input.clone()).await {
            Collected::Ended(output) => Ok(output),
            Collected::Lost => Err(ExecError::Lost { endpoint, command, why: connection.fate.why() }),
            Collected::TooMuch => Err(ExecError::TooMuchOutput { endpoint, command, limit: MAX_OUTPUT }),
        }
    };
    let ran = tokio::select! {
        ran = timeout(order.deadline, whole) => ran.unwrap_or(Err(late)),
        () = abandoned => Err(late),
    };
    if matches!(ran, Err(ExecError::Deadline { .. } | ExecError::TooMuchOutput { .. })) {
        let _ = timeout(Duration::from_secs(1), write.signal(Sig::TERM)).await;
    }
    // russh does not close a channel that is dropped: it would stay and count against MaxSessions.
    drop(read);
    let _ = timeout(Duration::from_secs(1), write.close()).await;
    ran
}

enum Collected {
    Ended(Output),
    Lost,
    TooMuch,
}

async fn converse(
    read: &mut ChannelReadHalf,
    write: &ChannelWriteHalf<Msg>,
    input: Option<Bytes>,
) -> Collected {
    let feed = async {
        // A command that does not read its input to the end is free to do so.
        if let Some(input) = input {
            let _ = write.data_bytes(input).await;
        }
        let _ = write.eof().await;
        std::future::pending::<Collected>().await
    };
    tokio::select! {
        collected = collect(read) => collected,
        never = feed => never,
    }
}

/// Reads until the exit is known and the output is complete. Both can come first.
async fn collect(read: &mut ChannelReadHalf) -> Collected {
    let mut exit = None;
    let mut complete = false;
    let mut stdout = Vec::new();
    let mut stderr = HeadTail::new(HeadTail::STDERR);
    loop {
        match read.wait().await {
            Some(ChannelMsg::Data { data }) => {
                if stdout.len() + data.len() > MAX_OUTPUT {
                    return Collected::TooMuch;
                }
                stdout.extend_from_slice(&data);
            }
            Some(ChannelMsg::ExtendedData { data, .. }) => stderr.push(&data),
            Some(ChannelMsg::Eof) => complete = true,
            Some(ChannelMsg::ExitStatus { exit_status }) => exit = Some(Exit::Code(exit_status)),
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => exit = Some(exit_signal(&signal_name)),
            Some(ChannelMsg::Close) if exit.is_some() => complete = true,
            Some(ChannelMsg::Close) | None => return Collected::Lost,
            Some(_) => {}
        }
        if let (Some(exit), true) = (&exit, complete) {
            return Collected::Ended(Output { exit: exit.clone(), stdout, stderr: stderr.into_bytes() });
        }
    }
}

/// The name of a signal as RFC 4254, section 6.10 writes it.
pub(super) fn exit_signal(signal: &Sig) -> Exit {
    Exit::Signal(match signal {
        Sig::Custom(name) => name.clone(),
        known => format!("{known:?}"),
    })
}
