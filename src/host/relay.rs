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

use super::lanes::{Standing, Work};
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

/// Carries one stream on a thread of its own (`lanes.rs`), both connections included. When the future is dropped, the
/// relay is cancelled.
///
/// # Errors
/// If the stream did not come through whole, or not surely so.
pub async fn relay(mut request: RelayRequest) -> Result<Relayed, RelayError> {
    request.cancel = request.cancel.child_token();
    let _cancelled_when_dropped = request.cancel.clone().drop_guard();
    let (answer, outcome) = oneshot::channel();
    let lanes = Arc::clone(&request.source.lanes);
    lanes.carry(Work { request, answer }).map_err(|source| RelayError::Thread { source })?;
    outcome.await.unwrap_or_else(|_| {
        Err(RelayError::Thread { source: io::Error::other("the thread of the relay ended early") })
    })
}

/// Carries one stream on what stands, or over new connections, which then stand for the next one if all went well.
pub(super) async fn run(request: RelayRequest, standing: &mut Standing) -> Result<Relayed, RelayError> {
    let begun = Instant::now();
    let RelayRequest { source, send, destination, receive, meter, limit, cancel } = request;
    let before = meter.bytes();
    // Taken out meanwhile: what does not end well leaves nothing behind.
    let mut open = std::mem::take(standing);
    let starting = async {
        tokio::join!(
            End::start(&source, &send, Purpose::Source, &mut open.source),
            End::start(&destination, &receive, Purpose::Sink, &mut open.destination)
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
        ) => {
            *standing = open;
            Ok(Relayed { bytes, elapsed: begun.elapsed(), source_stderr, destination_stderr })
        }
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
        let good = carried == Some(Carried::Whole) && received == Some(Ok(Exit::Code(0)));
        if good {
            tokio::join!(self.source.finish(), self.destination.finish());
        } else {
            tokio::join!(self.source.abort(), self.destination.abort());
        }
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
