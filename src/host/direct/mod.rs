//! Streams straight from one host to another: the source runs `send | ssh target receive` itself.
//!
//! What passes here is the count, how each command ended, and the signature that lets the source log in. Success has
//! the same one form as in the relay: the stream was at its end, and both commands exited with 0, and the connection
//! that says so ended in due form. When it breaks, or this process is gone, the source ends what it started.

mod command;
mod hop;
mod look;
mod tally;

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

pub use hop::HopError;
pub use look::look;

use self::command::Target;
use self::hop::{Trouble, last_words, read_ssh, says_broken};
use self::tally::{Tally, Voices};
use super::lanes::leads_to;
use super::outcome::{RelayError, Relayed, Side, SideOutcome};
use super::{Host, HostError, Meter};
use crate::domain::argv::{Argv, ArgvError};
use crate::domain::exit::Exit;
use crate::domain::transport::Dial;
use crate::ssh::{DataConnection, DataReader, DataWriter, ForwardError, Link, StreamEvent};

/// How long the source may ask for the signature that logs it in.
const LOGIN: Duration = Duration::from_secs(30);
/// One log-in takes one.
const SIGNATURES: u32 = 1;
/// How often the source is told that somebody waits; after 30 s without, it ends the stream.
const BEAT: Duration = Duration::from_secs(5);

/// From which host to which, and what the first dials.
#[derive(Debug, Clone)]
pub struct Route {
    /// Where the stream comes from.
    pub source: Host,
    /// Where it goes.
    pub target: Host,
    /// What the source dials.
    pub dial: Dial,
    /// Whether a person said so; else it is what this host dials, and may mean something else there.
    pub dial_was_named: bool,
}

/// What the source has for counting a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Means {
    /// `pv`, which also holds a stream back.
    pub pv: bool,
    /// A `dd` that tells its progress.
    pub dd: bool,
}

impl Means {
    /// Whether a stream with that limit can go this way.
    pub fn suffice(self, limit: Option<NonZeroU64>) -> bool {
        self.pv || (self.dd && limit.is_none())
    }
}

/// What to carry where.
#[derive(Debug, Clone)]
pub struct DirectRequest {
    /// The way.
    pub route: Route,
    /// What [`look`] found at the source.
    pub means: Means,
    /// The command that writes the stream.
    pub send: Argv,
    /// The command that reads it.
    pub receive: Argv,
    /// Counts what went to the target.
    pub meter: Arc<Meter>,
    /// Bytes per second; it needs `pv` at the source.
    pub limit: Option<NonZeroU64>,
    /// Ends the stream from outside.
    pub cancel: CancellationToken,
}

/// Lets the source carry one stream to the target. When the future is dropped, the stream is cancelled.
///
/// # Errors
/// If the stream did not come through whole, or not surely so.
pub async fn direct(mut request: DirectRequest) -> Result<Relayed, RelayError> {
    request.cancel = request.cancel.child_token();
    let _cancelled_when_dropped = request.cancel.clone().drop_guard();
    let task = tokio::spawn(run(request));
    task.await.unwrap_or_else(|error| Err(RelayError::Thread { source: std::io::Error::other(error) }))
}

async fn run(request: DirectRequest) -> Result<Relayed, RelayError> {
    let begun = Instant::now();
    let DirectRequest { route, means, send, receive, meter, limit, cancel } = request;
    let count = command::meter(means, limit);
    let started = tokio::select! {
        started = start(&route, &send, &count, &receive) => started?,
        () = cancel.cancelled() => return Err(RelayError::Cancelled { bytes: 0 }),
    };
    meter.note_activity();
    let Started { mut reader, mut writer, connection } = started;
    let mut heard = Heard { tally: Tally::default(), voices: Voices::new(), end: None };
    let cancelled = tokio::select! {
        () = heard.listen(&mut reader, &mut writer, &meter) => false,
        () = cancel.cancelled() => true,
    };
    connection.lock().await.shut_agent();
    if cancelled {
        writer.abort().await;
        return Err(RelayError::Cancelled { bytes: heard.tally.bytes });
    }
    let bytes = heard.tally.bytes;
    let (source_stderr, destination_stderr) = match heard.judge(&route) {
        Ok(said) => said,
        Err(error) => {
            writer.abort().await;
            return Err(error);
        }
    };
    writer.finish().await;
    if let Some(target) = route.target.link() {
        route.source.lanes.put_straight(target, connection);
    }
    Ok(Relayed { bytes, elapsed: begun.elapsed(), source_stderr, destination_stderr })
}

/// The script of a stream on its way.
struct Started {
    reader: DataReader,
    writer: DataWriter,
    /// What it runs on.
    connection: Arc<Mutex<DataConnection>>,
}

async fn start(
    route: &Route,
    send: &Argv,
    count: &Result<Argv, ArgvError>,
    receive: &Argv,
) -> Result<Started, RelayError> {
    let fail = |trouble| RelayError::Hop(Box::new(HopError::new(route, trouble)));
    let (Some(source), Some(target)) = (route.source.link(), route.target.link()) else {
        return Err(fail(Trouble::Local));
    };
    let at = |side| move |source| RelayError::Connect { side, source };
    let host_key = target.host_key().await.map_err(HostError::Connect).map_err(at(Side::Destination))?;
    let there = Target { dial: &route.dial, user: &target.endpoint().user, host_key: &host_key };
    let command = command::ssh(&there, receive, "ERROR")
        .and_then(|ssh| command::stream(send, count.as_ref().map_err(Clone::clone)?, &ssh))
        .map_err(|error| fail(Trouble::Other(error.to_string())))?;
    // One that stood may have died without a word. What was started in vain there ends by itself: nobody tells it that
    // somebody waits.
    if let Some(connection) = route.source.lanes.take_straight(target, leads_to(&host_key)) {
        let mut standing = connection.lock().await;
        let started = timeout(LOGIN, standing.start_forwarding(&command, (SIGNATURES, LOGIN))).await;
        drop(standing);
        if let Ok(Ok((reader, writer))) = started {
            return Ok(Started { reader, writer, connection });
        }
    }
    match forwarding(source, target, &command, LOGIN).await {
        Ok((connection, reader, writer)) => {
            Ok(Started { reader, writer, connection: Arc::new(Mutex::new(connection)) })
        }
        Err(ForwardError::Refused { .. }) => Err(fail(Trouble::NoForwarding)),
        Err(ForwardError::Exec(error)) => {
            let source = HostError::from(error);
            let at_target =
                matches!(&source, HostError::Connect(error) if error.endpoint() == target.endpoint());
            Err(at(if at_target { Side::Destination } else { Side::Source })(source))
        }
    }
}

/// Starts a command on `source` that may log in on `target` once, on a fresh connection.
async fn forwarding(
    source: &Link,
    target: &Link,
    command: &Argv,
    time: Duration,
) -> Result<(DataConnection, DataReader, DataWriter), ForwardError> {
    let mut connection = source.open_forwarding(target).await.map_err(|error| {
        let (endpoint, command) = (error.endpoint().clone(), command.to_string());
        crate::ssh::ExecError::Connect { endpoint, command, source: Box::new(error) }
    })?;
    let (reader, writer) = connection.start_forwarding(command, (SIGNATURES, time)).await?;
    Ok((connection, reader, writer))
}

/// What the source told.
struct Heard {
    tally: Tally,
    voices: Voices,
    /// How the script ended, or why that is not known.
    end: Option<Result<Exit, String>>,
}

impl Heard {
    /// Takes everything until the channel ends, and keeps telling the source that somebody is there.
    async fn listen(&mut self, reader: &mut DataReader, writer: &mut DataWriter, meter: &Meter) {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut complete, mut exit) = (false, None);
        loop {
            let event = tokio::select! {
                event = reader.next() => event,
                _ = beat.tick() => {
                    // A connection that takes nothing is found dead by its keep-alives.
                    let _ = timeout(BEAT, writer.write(Bytes::from_static(b"beat\n"))).await;
                    continue;
                }
            };
            match event {
                StreamEvent::Data(text) => self.tally.push(&text, meter),
                StreamEvent::Stderr(text) => self.voices.push(&text),
                StreamEvent::Eof => complete = true,
                StreamEvent::Exit(end) => exit = Some(end),
                StreamEvent::Closed => {
                    let why = || "it closed the stream without ending it".to_owned();
                    self.end = Some(exit.filter(|_| complete).ok_or_else(why));
                    return;
                }
                StreamEvent::Lost(why) => {
                    self.end = Some(Err(why));
                    return;
                }
            }
        }
    }

    /// Both standard errors if all went well.
    ///
    /// Who failed first is told by what counted the stream in the middle: it ended well if the source did not go on,
    /// and was cut off if the target took no more.
    fn judge(self, route: &Route) -> Result<(String, String), RelayError> {
        let Self { tally, voices, end } = self;
        let (said, heard) = (voices.send.into_text(), voices.receive.into_text());
        let bytes = tally.bytes;
        let failed = |sender, receiver| Err(RelayError::Failed { sender, receiver, bytes });
        let stopped = |stderr| SideOutcome::Stopped { stderr };
        let exited = |code, stderr| SideOutcome::Exited { exit: Exit::Code(code), stderr };
        let lost = |why| failed(SideOutcome::Lost { why, stderr: said.clone() }, stopped(heard.clone()));
        match end {
            Some(Ok(Exit::Code(0))) => {}
            Some(Ok(exit)) => return lost(format!("the shell that ran the stream ended with {exit}")),
            Some(Err(why)) => return lost(why),
            None => return lost("it was not heard to the end".to_owned()),
        }
        let (Some(send), Some(meter), Some(receive)) = (tally.send, tally.meter, tally.receive) else {
            return lost("it did not say how the stream ended".to_owned());
        };
        match (send, meter, receive) {
            (0, 0, 0) => Ok((said, heard)),
            (1.., 0, _) => failed(exited(send, said), stopped(heard)),
            (_, _, 255) => Err(Box::new(HopError::new(route, read_break(&heard, bytes))).into()),
            (_, 1.., _) => failed(stopped(said), exited(receive, heard)),
            (0, 0, _) => failed(exited(0, said), exited(receive, heard)),
        }
    }
}

/// What `ssh` broke down with: before or after the first bytes. The count comes once a second, so that a connection which
/// breaks in the first one is known by what `ssh` says of it, or by its saying nothing.
fn read_break(stderr: &str, bytes: u64) -> Trouble {
    match read_ssh(stderr) {
        Trouble::Unreachable(_) if bytes > 0 => Trouble::Broken(last_words(stderr)),
        Trouble::Other(_) if bytes > 0 || says_broken(stderr) => Trouble::Broken(last_words(stderr)),
        trouble => trouble,
    }
}

#[cfg(test)]
mod tests;
