//! Small streams of many datasets in one remote command at each end: `send && send && …` into `receive && receive && …`.
//!
//! A stream ends with a record of its own, so that each `zfs receive` takes the bytes of its stream and leaves the rest to
//! the next one. A failure at either end ends the whole at once. It decides nothing: what arrived is looked at, and what is
//! left goes one by one, where a failure is judged.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::json;

use super::run::{Pair, Run, View};
use super::stream::{start, warn_of_missing_rights};
use super::transfer::{Sent, send_args};
use super::way::Way;
use crate::domain::dataset::Base;
use crate::domain::job::{Failure, Level};
use crate::domain::names::DatasetName;
use crate::domain::size::format_bytes;
use crate::engine::StepContext;
use crate::host::{Meter, RelayError, Relayed};
use crate::plan::replication::{Action, Stream, arriving, reckoned_bytes};
use crate::zfs::{ReceiveArgs, SendArgs};

/// Streams that are larger go by themselves: they show their own progress, and a break costs them least.
const SMALL: u64 = 64 << 20;
/// So many streams make one command at most: its text has to fit into one argument.
const MOST: usize = 64;
/// So many commands run beside each other. A receive waits for the disks more than it works.
const LANES: usize = 3;
const TELL_EVERY: Duration = Duration::from_millis(500);

/// One stream of a batch.
struct Part {
    name: DatasetName,
    stream: Stream,
    send: SendArgs,
    receive: ReceiveArgs,
    bytes: u64,
}

/// Sends what can go together. What does not arrive is left to be sent one by one.
pub(super) async fn send_together(
    cx: &StepContext,
    (run, way): (&Run, &Way),
    view: &mut View,
    sent: &mut Sent,
) -> Result<(), Failure> {
    let mut parts = Vec::new();
    for pair in &view.pairs {
        parts.extend(part(run, view, pair)?);
    }
    if parts.len() < 2 {
        return Ok(());
    }
    // A limit is one stream's; beside each other they would break it.
    let lanes = if run.input.bandwidth_limit.is_some() { 1 } else { LANES };
    let size = parts.len().div_ceil(lanes).clamp(1, MOST);
    let (count, expected) = (parts.len(), parts.iter().map(|part| part.bytes).sum::<u64>());
    cx.info(format!("Sending what is new in {count} datasets together, about {}.", format_bytes(expected)));
    // One for each: a stream counts what it carried itself.
    let mut batches: Vec<(Vec<Part>, Arc<Meter>)> = Vec::new();
    while !parts.is_empty() {
        let rest = parts.split_off(size.min(parts.len()));
        batches.push((std::mem::replace(&mut parts, rest), Arc::default()));
    }
    let meters: Vec<Arc<Meter>> = batches.iter().map(|(_, meter)| Arc::clone(meter)).collect();
    let outcomes = {
        let all = stream::iter(batches)
            .map(|(batch, meter)| async move {
                let outcome = carry(cx, (run, way), &batch, meter).await;
                (batch, outcome)
            })
            .buffer_unordered(lanes)
            .collect::<Vec<_>>();
        tokio::pin!(all);
        let mut tick = tokio::time::interval(TELL_EVERY);
        loop {
            tokio::select! {
                outcomes = &mut all => break outcomes,
                _ = tick.tick() => tell(cx, &meters, count, expected),
            }
        }
    };
    let (mut arrived, mut bytes, mut odd) = (0, 0, Vec::new());
    for (batch, outcome) in outcomes {
        match outcome {
            Ok(relayed) => {
                bytes += relayed.bytes;
                for part in batch {
                    arrived += 1;
                    sent.streams += 1;
                    sent.direct += usize::from(way.is_direct());
                    if !view.arrived(&part.name, &part.stream) {
                        odd.push(part.name);
                    }
                }
            }
            Err(error) => {
                cx.info(format!("What went together broke off ({error}). What is left goes one by one."));
                odd.extend(batch.into_iter().map(|part| part.name));
            }
        }
    }
    sent.bytes += bytes;
    cx.note(&*sent).await?;
    if arrived > 0 {
        let level = if odd.is_empty() { Level::Success } else { Level::Info };
        cx.console(level, format!("{arrived} of {count} arrived together: {}.", format_bytes(bytes)));
    }
    if cx.cancelled().is_cancelled() {
        return Err(Failure::cancelled(
            "Stopped. What arrived is kept, and the next run goes on from there.",
        ));
    }
    run.look_again(view, &odd).await
}

/// The one small increment that a dataset lacks, if that is all.
fn part(run: &Run, view: &View, pair: &Pair) -> Result<Option<Part>, Failure> {
    let plan = pair.plan(&view.group, run.input.history);
    let (Action::Send { streams }, None) = (plan.action, plan.discard) else { return Ok(None) };
    let [only @ Stream::Incremental { from: from @ Base::Snapshot(_), to, .. }] = &streams[..] else {
        return Ok(None);
    };
    let single = arriving(&pair.source, only).is_some_and(|brought| brought.len() == 1);
    let Some(bytes) = reckoned_bytes(&pair.source, only).filter(|bytes| single && *bytes <= SMALL) else {
        return Ok(None);
    };
    // With one snapshot in it, an increment with those between is one without.
    let stream = Stream::Incremental { from: from.clone(), to: to.clone(), intermediates: false };
    let send = send_args(pair, &stream, run)?;
    let receive = ReceiveArgs::replica(pair.place.clone(), pair.source.kind);
    Ok(Some(Part { name: pair.source.name.clone(), stream, send, receive, bytes }))
}

async fn carry(
    cx: &StepContext,
    (run, way): (&Run, &Way),
    batch: &[Part],
    meter: Arc<Meter>,
) -> Result<Relayed, RelayError> {
    let sends: Vec<&SendArgs> = batch.iter().map(|part| &part.send).collect();
    let receives: Vec<&ReceiveArgs> = batch.iter().map(|part| &part.receive).collect();
    let argv = run.source.send_all_argv(&sends).and_then(|send| {
        let receive = run.destination.receive_all_argv(&receives)?;
        Ok((send, receive))
    });
    // Validated words make a command line; if not, each says so by itself.
    let Ok((send, receive)) = argv else { return Err(RelayError::Cancelled { bytes: 0 }) };
    let relayed = start(cx, (run, way), send, receive, meter).await?;
    if let Some(first) = batch.first() {
        warn_of_missing_rights(cx, run, &first.receive, &relayed.destination_stderr);
    }
    Ok(relayed)
}

fn tell(cx: &StepContext, meters: &[Arc<Meter>], datasets: usize, expected: u64) {
    let bytes = meters.iter().map(|meter| meter.bytes()).sum::<u64>();
    let rate = meters.iter().map(|meter| meter.rate()).sum::<u64>();
    // Sizes are for showing; beyond 2^52 their last digits do not matter.
    #[allow(clippy::cast_precision_loss)]
    cx.progress(bytes as f64 / expected.max(bytes).max(1) as f64);
    cx.details(json!({
        "datasets": datasets,
        "bytes": bytes,
        "bytes_expected": expected,
        "bytes_per_second": rate,
    }));
}
