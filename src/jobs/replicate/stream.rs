//! One stream, through Zerfaux or straight from host to host: start both ends, show how it goes, judge how it ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::run::{Pair, Run};
use super::transfer::Part;
use super::way::Way;
use crate::domain::argv::Argv;
use crate::domain::exit::Exit;
use crate::domain::job::Failure;
use crate::domain::size::format_bytes;
use crate::engine::StepContext;
use crate::host::{
    DirectRequest, Meter, RelayError, RelayRequest, Relayed, Side, SideOutcome, direct, relay,
};
use crate::jobs::failure::refuses_to_overwrite;
use crate::zfs::{Complaint, ReceiveArgs, SendArgs, ZfsError, classify, properties_not_received};

/// How often the progress is told.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// How a stream failed.
pub(super) enum Trouble {
    /// What the resume token speaks of is gone, for this reason.
    DeadToken(String),
    /// Another receive is at work there, perhaps one whose connection broke; it lets go some time.
    Busy(Failure),
    /// Anything else.
    Other(Failure),
}

impl Trouble {
    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::Other(failure) | Self::Busy(failure) => failure,
            Self::DeadToken(why) => Failure::transient(format!("The stream could not be resumed: {why}.")),
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl From<ZfsError> for Trouble {
    fn from(error: ZfsError) -> Self {
        let is_busy = error.complaint() == Some(&Complaint::Busy);
        let failure = Failure::from(error);
        if is_busy { Self::Busy(failure) } else { Self::Other(failure) }
    }
}

/// Runs the stream and waits for its end.
pub(super) async fn carry(
    cx: &StepContext,
    (run, way): (&Run, &Way),
    pair: &Pair,
    args: &SendArgs,
    estimate: u64,
    part: &Part,
    resuming: bool,
) -> Result<Relayed, Trouble> {
    let meter = Arc::new(Meter::default());
    let receive = ReceiveArgs::replica(pair.place.clone(), pair.source.kind);
    let send = run.source.send_argv(args).map_err(|error| Trouble::Other(error.into()))?;
    let take = run.destination.receive_argv(&receive).map_err(|error| Trouble::Other(error.into()))?;
    let transfer = start(cx, (run, way), send, take, Arc::clone(&meter));
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
    if let Ok(relayed) = &outcome {
        warn_of_missing_rights(cx, run, &receive, &relayed.destination_stderr);
    }
    outcome.map_err(|error| judge(error, run, pair, (args, &receive), resuming))
}

/// Runs the two commands, the one's output into the other's input.
pub(super) async fn start(
    cx: &StepContext,
    (run, way): (&Run, &Way),
    send: Argv,
    receive: Argv,
    meter: Arc<Meter>,
) -> Result<Relayed, RelayError> {
    let (limit, cancel) = (run.input.bandwidth_limit, cx.cancelled());
    if let Some((route, means)) = way.direct.clone() {
        return direct(DirectRequest { route, means, send, receive, meter, limit, cancel }).await;
    }
    let (_limit, limit) = tokio::sync::watch::channel(limit);
    let (source, destination) = (run.source.host().clone(), run.destination.host().clone());
    relay(RelayRequest { source, send, destination, receive, meter, limit, cancel }).await
}

/// A delegated user's receive succeeds although a property could not be set; the replica is then not as
/// safe as it should be, and somebody has to know.
pub(super) fn warn_of_missing_rights(cx: &StepContext, run: &Run, receive: &ReceiveArgs, stderr: &str) {
    let missing = properties_not_received(stderr);
    if missing.is_empty() {
        return;
    }
    let told = run.destination.judge_receive(receive, Exit::Code(0), "permission denied");
    cx.warn(format!(
        "{} arrived, but {} could not be set on it. To allow that: {}",
        receive.into(),
        missing.join(", "),
        told.advice()
    ));
}

fn tell(cx: &StepContext, pair: &Pair, meter: &Meter, estimate: u64, part: &Part, started: Instant) {
    let bytes = meter.bytes();
    let rate = meter.rate();
    let all = part.before + estimate.max(bytes) + part.after;
    // Sizes and rates are for showing; beyond 2^52 their last digits do not matter.
    #[allow(clippy::cast_precision_loss)]
    let fraction = if all == 0 { 1.0 } else { (part.before + bytes) as f64 / all as f64 };
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

/// Says which side failed and how. Where the receiver refused, the sender's broken pipe is only the echo;
/// where the sender broke down, the receiver's complaint about a short stream is.
fn judge(
    error: RelayError,
    run: &Run,
    pair: &Pair,
    (send, receive): (&SendArgs, &ReceiveArgs),
    resuming: bool,
) -> Trouble {
    let (sender, receiver, bytes) = match &error {
        RelayError::Cancelled { bytes } => {
            return Trouble::Other(Failure::cancelled(format!(
                "Stopped after {}. What arrived is kept, and the next run goes on from there.",
                format_bytes(*bytes)
            )));
        }
        RelayError::Failed { sender, receiver, bytes } => (sender, receiver, *bytes),
        other => return Trouble::Other(other.into()),
    };
    for (side, outcome) in [("zfs send", sender), ("zfs receive", receiver)] {
        let dead = [Complaint::TokenStale, Complaint::TokenMismatch, Complaint::TokenCorrupt];
        if dead.contains(&classify(outcome.stderr())) {
            return Trouble::DeadToken(format!("{side} says: {}", outcome.stderr().trim()));
        }
    }
    let echo =
        matches!(classify(receiver.stderr()), Complaint::ResumeStateLeft(_) | Complaint::StreamIncomplete);
    let sender_failed = match sender {
        SideOutcome::Exited { exit, .. } => !exit.is_success(),
        SideOutcome::Lost { .. } => true,
        SideOutcome::Stopped { .. } => false,
    };
    let at_fault = if echo && sender_failed { Side::Source } else { error.culprit() };
    let (outcome, command, host) = match at_fault {
        Side::Source => (sender, "zfs send", run.source.host().label()),
        Side::Destination => (receiver, "zfs receive", run.destination.host().label()),
    };
    let told = format!("{} → {}: after {}, ", pair.source.name, pair.place, format_bytes(bytes));
    let refused = Exit::Code(1);
    let advice = match at_fault {
        Side::Source => run.source.judge_send(send, refused, outcome.stderr()).advice(),
        Side::Destination => run.destination.judge_receive(receive, refused, outcome.stderr()).advice(),
    };
    let verdict = verdict(&told, outcome, (command, host), &advice, resuming);
    let complaint = classify(outcome.stderr());
    let holds_on = complaint == Complaint::Busy || (resuming && complaint == Complaint::PartialInTheWay);
    if holds_on && at_fault == Side::Destination && matches!(outcome, SideOutcome::Exited { .. }) {
        return Trouble::Busy(verdict);
    }
    Trouble::Other(verdict)
}

/// `advice` is for a command that ended by itself and said why.
fn verdict(
    told: &str,
    outcome: &SideOutcome,
    (command, host): (&str, &str),
    advice: &str,
    resuming: bool,
) -> Failure {
    let stderr = outcome.stderr().trim();
    match outcome {
        SideOutcome::Lost { why, .. } => {
            Failure::transient(format!("{told}the connection to {host} broke: {why}."))
                .advise("Run it again: it goes on where it broke off.")
        }
        SideOutcome::Stopped { .. } => Failure::transient(format!(
            "{told}{command} on {host} was stopped because the other side failed."
        )),
        SideOutcome::Exited { exit, .. } if stderr.is_empty() => Failure::transient(format!(
            "{told}{command} on {host} ended with {exit} and said nothing."
        ))
        .advise("Look at the host's log (journalctl, dmesg). Running it again goes on where it broke off."),
        SideOutcome::Exited { .. } => {
            let complaint = classify(stderr);
            let message =
                format!("{told}{command} on {host} failed: {}. It said: {stderr}", complaint.meaning());
            let failure = if refuses_to_overwrite(&complaint) {
                Failure::refused(message)
            } else if complaint.is_transient() || (resuming && complaint == Complaint::PartialInTheWay) {
                // The receive of the broken connection may still be at work; it lets go in a moment.
                Failure::transient(message)
            } else {
                Failure::permanent(message)
            };
            failure.advise(advice)
        }
    }
}
