//! One stream through Zerfaux: start both ends, show how it goes, judge how it ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::run::{Pair, Run};
use super::transfer::Part;
use crate::domain::job::Failure;
use crate::domain::size::format_bytes;
use crate::engine::StepContext;
use crate::host::{Meter, RelayError, RelayRequest, Relayed, SideOutcome, relay as run_relay};
use crate::zfs::{Complaint, ReceiveArgs, SendArgs, classify};

/// How often the progress is told.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// How a stream failed.
pub(super) enum Trouble {
    /// What the resume token speaks of is gone, for this reason.
    DeadToken(String),
    /// Anything else.
    Other(Failure),
}

impl Trouble {
    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::Other(failure) => failure,
            Self::DeadToken(why) => Failure::transient(format!("The stream could not be resumed: {why}.")),
        }
    }
}

/// Runs the stream and waits for its end.
pub(super) async fn relay(
    cx: &StepContext,
    run: &Run,
    pair: &Pair,
    args: &SendArgs,
    estimate: u64,
    part: &Part,
) -> Result<Relayed, Trouble> {
    let meter = Arc::new(Meter::default());
    let (_limit, limit) = tokio::sync::watch::channel(run.input.bandwidth_limit);
    let receive = ReceiveArgs::replica(pair.place.clone(), pair.source.kind);
    let request = RelayRequest {
        source: run.source.host().clone(),
        send: run.source.send_argv(args),
        destination: run.destination.host().clone(),
        receive: run.destination.receive_argv(&receive),
        meter: Arc::clone(&meter),
        limit,
        cancel: cx.cancelled(),
    };
    let transfer = run_relay(request);
    tokio::pin!(transfer);
    let mut tick = tokio::time::interval(TELL_EVERY);
    let started = Instant::now();
    let outcome = loop {
        tokio::select! {
            outcome = &mut transfer => break outcome,
            _ = tick.tick() => tell(cx, pair, &meter, estimate, part, started),
        }
    };
    tell(cx, pair, &meter, estimate, part, started);
    outcome.map_err(|error| judge(error, run, pair))
}

fn tell(cx: &StepContext, pair: &Pair, meter: &Meter, estimate: u64, part: &Part, started: Instant) {
    let bytes = meter.bytes();
    let rate = meter.rate();
    // Sizes and rates are for showing; beyond 2^52 their last digits do not matter.
    #[allow(clippy::cast_precision_loss)]
    let fraction = if estimate == 0 { 1.0 } else { (bytes as f64 / estimate as f64).min(1.0) };
    #[allow(clippy::cast_precision_loss)]
    cx.progress((part.index as f64 + fraction) / part.total.max(1) as f64);
    let eta = (rate > 0).then(|| estimate.saturating_sub(bytes) / rate.max(1));
    cx.details(json!({
        "dataset": pair.source.name,
        "dataset_number": part.index + 1,
        "datasets": part.total,
        "bytes": bytes,
        "bytes_expected": estimate,
        "bytes_per_second": rate,
        "seconds": started.elapsed().as_secs(),
        "seconds_left": eta,
    }));
}

/// Says which side failed and how. Where the receiver refused, the sender's broken pipe is only the echo.
fn judge(error: RelayError, run: &Run, pair: &Pair) -> Trouble {
    let from = run.source.host().label();
    let into = run.destination.host().label();
    match error {
        RelayError::Cancelled { bytes } => Trouble::Other(Failure::cancelled(format!(
            "Stopped after {}. What arrived is kept, and the next run goes on from there.",
            format_bytes(bytes)
        ))),
        RelayError::Failed { source, destination, bytes } => {
            let told = format!("{} → {}: ", pair.source.name, pair.place);
            let there = verdict(&destination, into, "zfs receive");
            let here = verdict(&source, from, "zfs send");
            judge_sides(&told, here, there, bytes)
        }
        other => {
            let failure = if other.is_transient() {
                Failure::transient(other.to_string())
            } else {
                Failure::permanent(other.to_string())
            };
            Trouble::Other(failure.advise(other.advice()))
        }
    }
}

/// One side's end in words, with what its `zfs` complained of.
struct Verdict {
    text: String,
    complaint: Option<Complaint>,
    broke_off: bool,
}

fn verdict(outcome: &SideOutcome, host: &str, command: &str) -> Option<Verdict> {
    match outcome {
        SideOutcome::Exited { exit, .. } if exit.success() => None,
        SideOutcome::Exited { exit, stderr } => {
            let said = stderr.trim();
            let text = if said.is_empty() {
                format!("{command} on {host} ended with {exit}")
            } else {
                format!("{command} on {host} said: {said}")
            };
            Some(Verdict { text, complaint: Some(classify(stderr)), broke_off: false })
        }
        SideOutcome::Lost { why, .. } => Some(Verdict {
            text: format!("the connection to {host} broke: {why}"),
            complaint: None,
            broke_off: true,
        }),
        SideOutcome::NotStarted => None,
    }
}

fn judge_sides(told: &str, here: Option<Verdict>, there: Option<Verdict>, bytes: u64) -> Trouble {
    for side in [&here, &there].into_iter().flatten() {
        if matches!(side.complaint, Some(Complaint::TokenStale | Complaint::TokenMismatch | Complaint::TokenCorrupt)) {
            return Trouble::DeadToken(side.text.clone());
        }
    }
    let echo = |side: &Verdict| {
        matches!(
            side.complaint,
            Some(Complaint::ResumeStateLeft(_) | Complaint::StreamIncomplete | Complaint::Unrecognised)
        )
    };
    // A receiver that refused is the cause; one that says "broke off" only saw the sender end.
    let cause = match (&there, &here) {
        (Some(there), Some(here)) if there.broke_off || (echo(there) && !here.broke_off) => {
            if there.broke_off { there } else { here }
        }
        (Some(there), Some(here)) if echo(there) => here,
        (Some(there), _) => there,
        (None, Some(here)) => here,
        (None, None) => return Trouble::Other(Failure::transient(format!("{told}the stream ended early."))),
    };
    let message = format!("{told}{} (after {}).", cause.text, format_bytes(bytes));
    let complaint = cause.complaint.clone().unwrap_or(Complaint::StreamIncomplete);
    let failure = match &complaint {
        Complaint::DestinationModified | Complaint::NotTheBase | Complaint::DestinationExists => {
            Failure::refused(message)
        }
        _ if cause.broke_off || complaint.is_transient() => Failure::transient(message),
        // What zfs says in no known words may be a passing fault of the host.
        _ => Failure::permanent(message),
    };
    let advice = if cause.broke_off {
        "Run it again: it goes on where it broke off.".to_owned()
    } else {
        complaint.advice().to_owned()
    };
    Trouble::Other(failure.advise(advice))
}
