//! Which way the stream goes: straight from host to host, or through this one, and why.

use super::ReplicateInput;
use super::run::Run;
use crate::domain::job::Failure;
use crate::domain::location::HostRef;
use crate::domain::transport::{Dial, Transport};
use crate::host::{HopError, Means, Route};
use crate::jobs::hosts::Hosts;

/// The way of all streams of one run.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// Straight, with these means; none: through this host.
    pub(super) direct: Option<(Route, Means)>,
    /// The same as a sentence.
    pub(super) told: String,
    /// Whether it is another way than was asked for.
    pub(super) is_second_choice: bool,
}

impl Way {
    fn relay(why: &str) -> Self {
        Self {
            direct: None,
            told: format!("The stream goes through this host: {why}."),
            is_second_choice: false,
        }
    }

    /// Whether it is the straight one.
    pub(super) fn is_direct(&self) -> bool {
        self.direct.is_some()
    }
}

/// Chooses the way. What was found is kept as long as both connections last, so that this costs a second run nothing.
///
/// # Errors
/// If the straight way is asked for and there is none.
pub(super) async fn choose(run: &Run, hosts: &Hosts) -> Result<Way, Failure> {
    let input = &run.input;
    if input.transport == Transport::Relay {
        return Ok(Way::relay("as asked for"));
    }
    let Some(route) = route(run) else {
        return match input.transport {
            Transport::Direct => Err(Failure::permanent(
                "Direct transport is between two hosts reached over SSH, and one end of this stream is this host.",
            )
            .advise("Leave --transport out: a stream from or to this host takes no detour anyway.")),
            _ => Ok(Way::relay("one end of it is here")),
        };
    };
    match hosts.means(ends(input), &route).await {
        Ok(means) if means.suffice(input.bandwidth_limit) => {
            let (from, to) = (route.source.label(), route.target.label());
            let told =
                format!("The stream goes straight from {from} to {to}, which it dials as {}.", route.dial);
            Ok(Way { direct: Some((route, means)), told, is_second_choice: false })
        }
        Ok(_) => {
            let why = format!(
                "a bandwidth limit needs pv for the straight way, and {} has none",
                route.source.label()
            );
            let is_second_choice = input.transport == Transport::Direct;
            Ok(Way { is_second_choice, ..Way::relay(&why) })
        }
        Err(error) if input.transport == Transport::Direct => Err(impossible(&error)),
        Err(error) => Ok(Way::relay(&error.to_string())),
    }
}

/// After the straight way broke, what was found before counts no more.
pub(super) async fn forget(run: &Run, hosts: &Hosts) {
    if let Some(route) = route(run) {
        hosts.forget_means(ends(&run.input), &route.dial).await;
    }
}

fn ends(input: &ReplicateInput) -> (&HostRef, &HostRef) {
    (&input.source.host, &input.destination.host)
}

/// None where one end is this host.
fn route(run: &Run) -> Option<Route> {
    let (source, target) = (run.source.host(), run.destination.host());
    source.link()?;
    let named = run.input.replication_address.clone();
    let dial_was_named = named.is_some();
    let dial = named.unwrap_or(Dial::from(target.link()?.endpoint()));
    Some(Route { source: source.clone(), target: target.clone(), dial, dial_was_named })
}

fn impossible(error: &HopError) -> Failure {
    let told = format!("Direct transport is not possible: {error}.");
    let failure = if error.is_transient() { Failure::transient(told) } else { Failure::permanent(told) };
    failure.advise(error.advice())
}
