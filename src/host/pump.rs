//! The two halves of a relay that run side by side: carrying the bytes over, and following the destination.

use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::Meter;
use super::side::{Reader, Writer};
use super::throttle::Throttle;
use crate::domain::exit::Exit;
use crate::ssh::{HeadTail, StreamEvent, StreamGone};

/// How long a command that has ended may keep its standard error open (by what it left running).
const LINGER: Duration = Duration::from_secs(2);

/// What became of the source.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// All of its output was handed on, it exited with 0, and the destination was given the end of file.
    Whole,
    /// It exited with something else.
    Failed(Exit),
    /// Its connection broke, for this reason.
    Lost(String),
    /// There was more, but the destination takes nothing any more.
    NotTaken,
}

/// Hands on everything that the source writes. `gone` is set when the destination has ended.
pub(super) async fn carry(
    source: &mut Reader,
    destination: &mut Writer,
    throttle: &mut Throttle,
    meter: &Meter,
    log: &mut HeadTail,
    gone: &Cell<bool>,
) -> Carried {
    let mut complete = false;
    let mut exit = None;
    loop {
        match source.next().await {
            StreamEvent::Data(data) => {
                let handed = !gone.get() && hand_on(data, destination, throttle, meter).await.is_ok();
                if !handed {
                    return Carried::NotTaken;
                }
            }
            StreamEvent::Stderr(text) => log.push(&text),
            StreamEvent::Eof => complete = true,
            StreamEvent::Exit(end) => exit = Some(end),
            StreamEvent::Closed => return cut_short(exit, "it closed the stream without ending it"),
            StreamEvent::Lost(why) => return cut_short(exit, &why),
        }
        match &exit {
            Some(end) if complete && end.is_success() => {
                // A destination that has all it wants may have left already.
                if destination.eof().await.is_err() && !gone.get() {
                    return Carried::NotTaken;
                }
                linger(source, log).await;
                return Carried::Whole;
            }
            // What it still wrote has been handed on: a destination that can resume keeps it.
            Some(end) if complete => {
                let end = end.clone();
                linger(source, log).await;
                return Carried::Failed(end);
            }
            _ => {}
        }
    }
}

/// Without both an exit status of 0 and the end of its output, a source is never taken as whole.
fn cut_short(exit: Option<Exit>, why: &str) -> Carried {
    match exit {
        Some(exit) if !exit.is_success() => Carried::Failed(exit),
        _ => Carried::Lost(why.to_owned()),
    }
}

async fn hand_on(
    mut data: Bytes,
    destination: &mut Writer,
    throttle: &mut Throttle,
    meter: &Meter,
) -> Result<(), StreamGone> {
    while !data.is_empty() {
        let count = throttle.permit(data.len()).await;
        destination.write(data.split_to(count)).await?;
        meter.add(count as u64);
    }
    Ok(())
}

/// Collects what a command that has ended still had to say.
async fn linger(reader: &mut Reader, log: &mut HeadTail) {
    let rest = async {
        loop {
            match reader.next().await {
                StreamEvent::Stderr(text) => log.push(&text),
                StreamEvent::Closed | StreamEvent::Lost(_) => return,
                _ => {}
            }
        }
    };
    let _ = timeout(LINGER, rest).await;
}

/// Reads everything that the destination says until it has ended, and gives its exit, or how it was lost.
pub(super) async fn follow(destination: &mut Reader, log: &mut HeadTail) -> Result<Exit, String> {
    loop {
        match destination.next().await {
            StreamEvent::Data(_) | StreamEvent::Eof => {}
            StreamEvent::Stderr(text) => log.push(&text),
            StreamEvent::Exit(exit) => {
                linger(destination, log).await;
                return Ok(exit);
            }
            StreamEvent::Closed => return Err("it closed the stream without an exit status".to_owned()),
            StreamEvent::Lost(why) => return Err(why),
        }
    }
}
