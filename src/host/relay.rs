//! Carrying a stream: command on one host → Zerfaux → command on another.
//!
//! Success has one form: the source's output came to its end **and** the source exited with 0 **and** the
//! destination exited with 0. Whatever else happens is an error, and then the destination is cut off without the
//! end of file that would make a truncated stream look whole.

use std::cell::Cell;
use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::outcome::{RelayError, Relayed, Side, SideOutcome};
use super::pump::{Carried, carry, follow};
use super::side::End;
use super::throttle::Throttle;
use super::{Host, HostError, Meter};
use crate::domain::argv::Argv;
use crate::domain::exit::Exit;
use crate::ssh::{HeadTail, Purpose};

/// How long the other side has to say its last word: a destination that took the whole stream may leave before
/// the source is done, and one that broke down says why a little later than its pipe breaks.
const LAST_WORD: Duration = Duration::from_secs(20);

/// What to carry where.
#[derive(Debug, Clone)]
pub struct RelayRequest {
    /// Where the stream comes from.
    pub source: Host,
    /// The command that writes it.
    pub send: Argv,
    /// Where it goes.
    pub destination: Host,
    /// The command that reads it.
    pub receive: Argv,
    /// Counts what was handed to the destination.
    pub meter: Arc<Meter>,
    /// Bytes per second, or as fast as it goes. A change takes hold at once.
    pub limit: watch::Receiver<Option<NonZeroU64>>,
    /// Ends the relay from outside.
    pub cancel: CancellationToken,
}

/// Carries one stream on a thread of its own, both connections included: that costs two thirds of the processor
/// time of a shared runtime, where the two sessions keep waking each other across threads. When the future is
/// dropped, the relay is cancelled.
///
/// # Errors
/// If the stream did not come through whole, or not surely so.
pub async fn relay(mut request: RelayRequest) -> Result<Relayed, RelayError> {
    request.cancel = request.cancel.child_token();
    let _cancelled_when_dropped = request.cancel.clone().drop_guard();
    let (answer, outcome) = oneshot::channel();
    let thread = std::thread::Builder::new().name("relay".to_owned());
    let work = move || {
        let _ = answer.send(on_this_thread(request));
    };
    thread.spawn(work).map_err(|source| RelayError::Thread { source })?;
    outcome.await.unwrap_or_else(|_| {
        Err(RelayError::Thread { source: io::Error::other("the thread of the relay ended early") })
    })
}

fn on_this_thread(request: RelayRequest) -> Result<Relayed, RelayError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| RelayError::Thread { source })?;
    let outcome = runtime.block_on(run(request));
    // Whatever hangs in a dead connection is not waited for.
    runtime.shutdown_background();
    outcome
}

async fn run(request: RelayRequest) -> Result<Relayed, RelayError> {
    let begun = Instant::now();
    let RelayRequest { source, send, destination, receive, meter, limit, cancel } = request;
    let before = meter.bytes();
    let starting = async {
        tokio::join!(
            End::start(&source, &send, Purpose::Source),
            End::start(&destination, &receive, Purpose::Sink)
        )
    };
    let started = tokio::select! {
        started = starting => started,
        () = cancel.cancelled() => return Err(RelayError::Cancelled { bytes: 0 }),
    };
    let (source, destination) = both(started).await?;
    meter.note_activity();

    let ended = Stream { source, destination, throttle: Throttle::new(limit) }.flow(&meter, &cancel).await;
    let bytes = meter.bytes() - before;
    if ended.cancelled {
        return Err(RelayError::Cancelled { bytes });
    }
    match (ended.source, ended.destination) {
        (
            SideOutcome::Exited { exit: Exit::Code(0), stderr: source_stderr },
            SideOutcome::Exited { exit: Exit::Code(0), stderr: destination_stderr },
        ) => Ok(Relayed { bytes, elapsed: begun.elapsed(), source_stderr, destination_stderr }),
        (sender, receiver) => Err(RelayError::Failed { sender, receiver, bytes }),
    }
}

/// Both sides, or the error of the one that did not start; the other one is called off.
async fn both(started: (Result<End, HostError>, Result<End, HostError>)) -> Result<(End, End), RelayError> {
    match started {
        (Ok(source), Ok(destination)) => Ok((source, destination)),
        (Err(error), other) => {
            if let Ok(destination) = other {
                destination.abort().await;
            }
            Err(RelayError::Connect { side: Side::Source, source: error })
        }
        (Ok(source), Err(error)) => {
            source.abort().await;
            Err(RelayError::Connect { side: Side::Destination, source: error })
        }
    }
}

struct Stream {
    source: End,
    destination: End,
    throttle: Throttle,
}

struct Ended {
    source: SideOutcome,
    destination: SideOutcome,
    cancelled: bool,
}

impl Stream {
    /// Carries and follows at the same time, for a write that waits for room is not woken by the end of its
    /// session: only the reader of the destination tells.
    async fn flow(mut self, meter: &Meter, cancel: &CancellationToken) -> Ended {
        let (mut source_log, mut destination_log) = (new_log(), new_log());
        let (mut carried, mut received) = (None, None);
        let gone = Cell::new(false);
        let mut cancelled = false;
        {
            let carrying = carry(
                &mut self.source.reader,
                &mut self.destination.writer,
                &mut self.throttle,
                meter,
                &mut source_log,
                &gone,
            );
            let following = follow(&mut self.destination.reader, &mut destination_log);
            tokio::pin!(carrying, following);
            let mut patience = None;
            while !settled(carried.as_ref(), received.as_ref()) {
                let last_word = patience.unwrap_or_else(Instant::now);
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => {
                        cancelled = true;
                        break;
                    }
                    end = &mut following, if received.is_none() => {
                        gone.set(true);
                        received = Some(end);
                        patience = Some(Instant::now() + LAST_WORD);
                    }
                    end = &mut carrying, if carried.is_none() => {
                        if end == Carried::NotTaken {
                            patience = Some(Instant::now() + LAST_WORD);
                        }
                        carried = Some(end);
                    }
                    () = sleep_until(last_word), if patience.is_some() => break,
                }
            }
        }
        // Also after success: the commands have ended, and so the connections are merely closed.
        tokio::join!(self.source.abort(), self.destination.abort());
        Ended {
            source: source_outcome(carried, source_log.into_text()),
            destination: destination_outcome(received, destination_log.into_text()),
            cancelled,
        }
    }
}

fn new_log() -> HeadTail {
    HeadTail::new(HeadTail::STDERR)
}

/// Whether nothing more has to be waited for.
fn settled(carried: Option<&Carried>, received: Option<&Result<Exit, String>>) -> bool {
    match (carried, received) {
        (Some(_), Some(_)) => true,
        // A destination that failed is the cause; it takes nothing more.
        (None, Some(end)) => !end.as_ref().is_ok_and(Exit::is_success),
        // A source that failed is the cause; the destination must not see an end.
        (Some(end), None) => matches!(end, Carried::Failed(_) | Carried::Lost(_)),
        (None, None) => false,
    }
}

fn source_outcome(carried: Option<Carried>, stderr: String) -> SideOutcome {
    match carried {
        Some(Carried::Whole) => SideOutcome::Exited { exit: Exit::Code(0), stderr },
        Some(Carried::Failed(exit)) => SideOutcome::Exited { exit, stderr },
        Some(Carried::Lost(why)) => SideOutcome::Lost { why, stderr },
        Some(Carried::NotTaken) | None => SideOutcome::Stopped { stderr },
    }
}

fn destination_outcome(received: Option<Result<Exit, String>>, stderr: String) -> SideOutcome {
    match received {
        Some(Ok(exit)) => SideOutcome::Exited { exit, stderr },
        Some(Err(why)) => SideOutcome::Lost { why, stderr },
        None => SideOutcome::Stopped { stderr },
    }
}
