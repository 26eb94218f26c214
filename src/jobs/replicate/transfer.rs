//! Send what is missing, dataset by dataset, parents first: look, plan, one stream, look again, until the
//! plan says that nothing is missing. There is no other memory of how far it got than the destination
//! itself, so a run that was killed in mid-stream goes on like any other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ends::Ends;
use super::look::{Looked, describe, is_encrypted, refused, tell_way};
use super::run::{Pair, Run, View};
use super::stream::{self, Trouble};
use super::together::send_together;
use super::way::{self, Way};
use crate::domain::dataset::Guid;
use crate::domain::job::{Failure, Level};
use crate::domain::names::{DatasetName, SnapTag};
use crate::domain::size::format_bytes;
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;
use crate::plan::replication::{Action, Stream, reckoned_bytes};
use crate::zfs::{SendArgs, common_flags};

pub(super) struct Transfer(pub(super) Arc<Ends>);

/// What passes by itself is tried again for about a minute: a connection that broke, or a `zfs receive`
/// that still works off what it was given before its connection broke, and holds the dataset meanwhile.
pub(super) const RETRY: Retry = Retry { attempts: 15, pause: Duration::from_secs(5) };

/// A receive whose connection broke holds its dataset until it notices, and one that stands still notices nothing: this
/// is waited for by the clock, not counted among the attempts.
const BUSY_FOR: Duration = Duration::from_secs(30 * 60);
const BUSY_PAUSE: Duration = Duration::from_secs(5);

/// A dataset needs at most this many streams in one run: a resumed one, a full one, an increment, and as
/// many again if a dead token was found. More means that something does not converge.
const STREAMS_AT_MOST: usize = 12;

/// What arrived.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Sent {
    pub(super) bytes: u64,
    pub(super) streams: usize,
    pub(super) resumed: usize,
    /// How many of the streams went straight from host to host.
    #[serde(default)]
    pub(super) direct: usize,
    pub(super) arrivals: Vec<Arrival>,
}

/// The newest snapshot of one dataset, now at the destination.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Arrival {
    pub(super) source: DatasetName,
    pub(super) destination: DatasetName,
    pub(super) tag: SnapTag,
    pub(super) guid: Guid,
    /// When it was taken, by the source's clock.
    #[serde(default)]
    pub(super) taken_at: Option<Timestamp>,
}

#[async_trait]
impl Step for Transfer {
    fn name(&self) -> &'static str {
        "transfer"
    }

    fn percent(&self) -> (u8, u8) {
        (16, 90)
    }

    fn retry(&self) -> Retry {
        RETRY
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let run = self.0.open(cx).await?;
        let mut view = self.0.view(cx, &run).await?;
        let way = way::choose(&run, self.0.hosts()).await?;
        if way.is_direct() != cx.need::<Looked>("look")?.direct {
            tell_way(cx, &way);
        }
        // What earlier attempts of this step sent counts too.
        let mut sent: Sent = cx.last_note()?.unwrap_or_default();
        sent.arrivals.clear();
        let total = view.pairs.len();
        let names: Vec<DatasetName> = view.pairs.iter().map(|pair| pair.source.name.clone()).collect();
        send_together(cx, (&run, &way), &mut view, &mut sent).await?;
        for (index, name) in names.iter().enumerate() {
            let mut busy_since = None;
            let brought = loop {
                let part = Part { index, total, before: 0, after: 0 };
                match bring(cx, (&run, &way), &mut view, name, part, &mut sent).await {
                    Ok(arrival) => break arrival,
                    Err(Trouble::Busy(failure)) if is_patient(cx, &mut busy_since, &failure).await? => {
                        run.look_again(&mut view, std::slice::from_ref(name)).await?;
                    }
                    Err(trouble) => {
                        // The next attempt looks again which way there is.
                        way::forget(&run, self.0.hosts()).await;
                        return Err(trouble.into_failure());
                    }
                }
            };
            sent.arrivals.extend(brought);
        }
        // What arrived is reckoned only; the next step looks at it.
        self.0.leave(cx, view);
        recorded(sent)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("what arrived is complete, or can be resumed; the next run goes on from it")
    }
}

/// Waits a little for a receive that is still at work; false if that has gone on for too long.
async fn is_patient(
    cx: &StepContext,
    since: &mut Option<(Instant, u64)>,
    failure: &Failure,
) -> Result<bool, Failure> {
    if since.is_none() {
        cx.warn(format!(
            "{} Another receive may still be at work there; trying again every {} s, for {} minutes at most.",
            failure.message,
            BUSY_PAUSE.as_secs(),
            BUSY_FOR.as_secs() / 60
        ));
    }
    let (first, tries) = since.get_or_insert_with(|| (Instant::now(), 0));
    *tries += 1;
    if first.elapsed() > BUSY_FOR || *tries > BUSY_FOR.as_secs() / BUSY_PAUSE.as_secs() {
        return Ok(false);
    }
    cx.pause(BUSY_PAUSE).await?;
    Ok(true)
}

/// Which part of the whole one stream is.
pub(super) struct Part {
    /// Which dataset, from 0.
    pub(super) index: usize,
    /// Of how many.
    pub(super) total: usize,
    /// Bytes of the dataset's streams before this one.
    pub(super) before: u64,
    /// Bytes of its streams after this one, estimated.
    pub(super) after: u64,
}

/// Sends one dataset until its plan is empty.
async fn bring(
    cx: &StepContext,
    (run, way): (&Run, &Way),
    view: &mut View,
    name: &DatasetName,
    mut part: Part,
    sent: &mut Sent,
) -> Result<Option<Arrival>, Trouble> {
    let sent_before = sent.bytes;
    for _ in 0..STREAMS_AT_MOST {
        let Some(pair) = view.pair(name) else { return Ok(None) };
        let plan = pair.plan(&view.group, run.input.history);
        if let Some(dead) = plan.discard {
            cx.warn(format!("The partly received stream in {} is dropped: {}.", pair.place, dead.reason()));
            run.destination.abort_receive(&pair.place).await?;
            run.look_again(view, std::slice::from_ref(name)).await?;
            continue;
        }
        match plan.action {
            Action::NoSnapshot => {
                cx.warn(format!("{name} has no snapshot, so nothing of it was sent."));
                return Ok(None);
            }
            Action::UpToDate { at } => return Ok(arrival(pair, &at)),
            Action::Conflict(conflict) => return Err(refused(&conflict, is_encrypted(pair)).into()),
            Action::Send { streams } => {
                let Some((first, later)) = streams.split_first() else { return Ok(None) };
                part.before = sent.bytes - sent_before;
                part.after = 0;
                for stream in later {
                    part.after += expected_bytes(run, pair, stream).await?;
                }
                let arrived = send(cx, (run, way), pair, first, &part, sent).await?;
                cx.note(&*sent).await?;
                // What an increment brings is known. The step after this looks at it and compares.
                if !(arrived && view.arrived(name, first)) {
                    run.look_again(view, std::slice::from_ref(name)).await?;
                }
            }
        }
    }
    Err(Failure::permanent(format!(
        "{name}: {STREAMS_AT_MOST} streams did not bring the destination up to date."
    ))
    .advise(
        "Somebody may be changing snapshots on one side at the same time. Look at both, then run this again.",
    )
    .into())
}

fn arrival(pair: &Pair, at: &SnapTag) -> Option<Arrival> {
    let newest = pair.source.snapshot_by_tag(at)?;
    let there = pair.destination.as_ref()?;
    // The destination may be ahead of the source; then there is nothing to verify.
    there.snapshot_by_guid(newest.guid)?;
    Some(Arrival {
        source: pair.source.name.clone(),
        destination: pair.place.clone(),
        tag: at.clone(),
        guid: newest.guid,
        taken_at: Some(newest.created_at),
    })
}

/// How many bytes a stream will have: by the listing where it says so, else by asking for this one.
async fn expected_bytes(run: &Run, pair: &Pair, stream: &Stream) -> Result<u64, Failure> {
    match reckoned_bytes(&pair.source, stream) {
        Some(bytes) => Ok(bytes),
        None => Ok(run.source.estimate(&send_args(pair, stream, run)?).await?),
    }
}

/// One stream. False if it did not arrive and there is something else to be tried, by what a new look shows.
async fn send(
    cx: &StepContext,
    (run, way): (&Run, &Way),
    pair: &Pair,
    stream: &Stream,
    part: &Part,
    sent: &mut Sent,
) -> Result<bool, Trouble> {
    let args = send_args(pair, stream, run)?;
    let estimate = expected_bytes(run, pair, stream).await?;
    cx.info(format!("{}: sending {}, about {}.", pair.source.name, describe(stream), format_bytes(estimate)));
    let resuming = matches!(stream, Stream::Resume { .. });
    let outcome = stream::carry(cx, (run, way), pair, &args, estimate, part, resuming).await;
    match outcome {
        Ok(relayed) => {
            sent.bytes += relayed.bytes;
            sent.streams += 1;
            sent.resumed += usize::from(resuming);
            sent.direct += usize::from(way.is_direct());
            cx.console(
                Level::Success,
                format!("{}@{} arrived: {}.", pair.place, stream.to(), format_bytes(relayed.bytes)),
            );
            Ok(true)
        }
        // The receive of a connection that broke may have worked on until a moment ago: then the token that was
        // read before speaks of less than is there by now, and the next round goes on from the new one.
        Err(Trouble::DeadToken(_)) if has_moved_on(run, pair, stream).await? => {
            cx.info(format!("{} had received more by then; going on from there.", pair.place));
            Ok(false)
        }
        // The plan thought the token alive and zfs did not: drop it, and the next round sends afresh.
        Err(Trouble::DeadToken(why)) if resuming => {
            cx.warn(format!("The partly received stream in {} is dropped: {why}.", pair.place));
            run.destination.abort_receive(&pair.place).await?;
            Ok(false)
        }
        Err(trouble) => Err(trouble),
    }
}

/// Whether the destination no longer has the partly received stream that was to be resumed, or has more of it.
async fn has_moved_on(run: &Run, pair: &Pair, stream: &Stream) -> Result<bool, Failure> {
    let Stream::Resume { token, .. } = stream else { return Ok(false) };
    let now = run.destination.datasets(std::slice::from_ref(&pair.place), false).await?;
    let partial =
        now.iter().find(|dataset| dataset.name == pair.place).and_then(|there| there.partial.as_ref());
    Ok(partial.is_none_or(|partial| partial.token != *token))
}

/// The `zfs send` for one planned stream.
pub(super) fn send_args(pair: &Pair, stream: &Stream, run: &Run) -> Result<SendArgs, Failure> {
    let source = &pair.source;
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::permanent(format!("The stream of {} cannot be made: {error}.", source.name))
    };
    let flags = common_flags(run.source.version(), run.destination.version());
    let flags = if source.encryption.is_on() { flags.with_raw() } else { flags };
    let flags = if pair.arrives_encrypted() { flags.without_embedded() } else { flags };
    let name = |tag: &SnapTag| super::run::full_name(&source.name, tag);
    match stream {
        Stream::Resume { token, .. } => Ok(SendArgs::resume(token.parse().map_err(|error| wrong(&error))?)),
        Stream::Full { to } => Ok(SendArgs::full(name(to)?, flags)),
        Stream::Incremental { from, to, intermediates } => {
            SendArgs::incremental(from.clone(), name(to)?, *intermediates, flags)
                .map_err(|error| wrong(&error))
        }
    }
}
