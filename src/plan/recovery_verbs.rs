//! What may be done next to a group, and why each other verb may not: the rules of its own state
//! ([`RecoveryState::may`]) and the conditions of the world. Pages and API offer what this says, and nothing else.

use serde::Serialize;

use crate::domain::recovery_state::{NotNow, Progress, RecoveryState, Verb};

/// What is so, whatever the phase. None: not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Conditions {
    /// Whether the site on which the group lives answers: its appliance and its vCenter.
    pub peer_reachable: Option<bool>,
    /// Whether the newest checkpoint is young enough; none with a calendar.
    pub within_rpo: Option<bool>,
    /// Whether the machines of the side that was left are proved to be off; none: no side was left.
    pub fenced: Option<bool>,
    /// Whether something of a test is left that a cleanup has not proved to be gone.
    pub cleanup_pending: bool,
    /// Whether both sides say the same about the group.
    pub epoch_agrees: bool,
    /// Whether the DR side has a checkpoint.
    pub has_checkpoint: bool,
}

/// A verb, and whether it may be begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// Which.
    pub verb: Verb,
    /// Why it may not be begun, as a sentence; none: it may.
    pub why_not: Option<String>,
    /// What one should know before, a sentence each.
    pub cautions: Vec<&'static str>,
    /// Whether it goes on with what it had begun.
    pub again: bool,
}

impl Offer {
    /// Whether it may be begun.
    pub fn may(&self) -> bool {
        self.why_not.is_none()
    }
}

/// Every verb, in the order of [`Verb::ALL`].
pub fn offers(state: &RecoveryState, conditions: &Conditions) -> Vec<Offer> {
    Verb::ALL.into_iter().map(|verb| offer(state, conditions, verb)).collect()
}

fn offer(state: &RecoveryState, conditions: &Conditions, verb: Verb) -> Offer {
    let own = if verb.is_of_test() { state.test() } else { state.line() };
    let again = own.is_some_and(|own| own.verb == verb && own.progress != Progress::Running);
    let why_not = match state.may(verb) {
        Err(why) => Some(sentence(why)),
        // Nothing of the world keeps what was begun from being brought to its end: its job looks for itself.
        Ok(()) if again => None,
        Ok(()) => hindrance(conditions, verb).map(str::to_owned),
    };
    let cautions = if why_not.is_none() { cautions(state, conditions, verb) } else { Vec::new() };
    let again = again && why_not.is_none();
    Offer { verb, why_not, cautions, again }
}

fn sentence(why: NotNow) -> String {
    let text = why.to_string();
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", rest.as_str())
}

/// What of the world keeps a verb from being begun.
fn hindrance(conditions: &Conditions, verb: Verb) -> Option<&'static str> {
    let goes_over =
        matches!(verb, Verb::Test | Verb::PlannedFailover | Verb::DisasterFailover | Verb::Failback);
    if goes_over && !conditions.has_checkpoint {
        return Some("There is no checkpoint at the DR side yet. Run the group first.");
    }
    match (verb, conditions.peer_reachable) {
        (Verb::PlannedFailover | Verb::Failback, Some(false)) => Some(
            "The site on which the group lives does not answer, so it cannot go along. Mend that, or use the disaster failover.",
        ),
        (Verb::Reprotect, Some(false)) => {
            Some("The other site does not answer. Replication is turned round once it does.")
        }
        (Verb::PlannedFailover | Verb::Failback, _) if !conditions.epoch_agrees => Some(
            "The datasets of the group contradict what is known of it. Settle that first, on the group's page.",
        ),
        _ => None,
    }
}

fn cautions(state: &RecoveryState, conditions: &Conditions, verb: Verb) -> Vec<&'static str> {
    let mut all = Vec::new();
    let disaster = verb == Verb::DisasterFailover;
    if disaster && conditions.peer_reachable == Some(true) {
        all.push("The source answers: a planned failover would lose nothing.");
    }
    if (disaster || verb == Verb::Test) && conditions.within_rpo == Some(false) {
        all.push("The newest checkpoint is older than the RPO.");
    }
    if (disaster || verb == Verb::Test) && !conditions.epoch_agrees {
        all.push("The datasets of the group contradict what is known of it: look at that first.");
    }
    if disaster && state.test().is_some() {
        all.push("A test is there. It stays beside the failover and is cleaned up for itself.");
    }
    if verb == Verb::Commit && state.line().is_some() {
        all.push("Not everything was recovered. What is missing can be taken from its checkpoint only before the commit.");
    }
    if verb == Verb::Commit && conditions.fenced == Some(false) {
        all.push("The machines at the site that was left are not proved to be off: the same machine could run twice.");
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::JobId;
    use crate::domain::recovery_state::Event;

    fn well() -> Conditions {
        Conditions {
            peer_reachable: Some(true),
            within_rpo: Some(true),
            fenced: None,
            cleanup_pending: false,
            epoch_agrees: true,
            has_checkpoint: true,
        }
    }

    fn offered(state: &RecoveryState, conditions: &Conditions) -> Vec<Verb> {
        offers(state, conditions).into_iter().filter(Offer::may).map(|offer| offer.verb).collect()
    }

    fn why(state: &RecoveryState, conditions: &Conditions, verb: Verb) -> String {
        let found = offers(state, conditions).into_iter().find(|offer| offer.verb == verb);
        found.and_then(|offer| offer.why_not).unwrap_or_default()
    }

    fn after(events: &[Event]) -> RecoveryState {
        let at = "2026-11-28T12:00:00Z".parse().unwrap();
        events.iter().fold(RecoveryState::default(), |state, event| state.after(*event, at).unwrap())
    }

    #[test]
    fn a_site_that_does_not_answer_leaves_the_test_and_the_disaster_failover() {
        let state = RecoveryState::default();
        let lost = Conditions { peer_reachable: Some(false), within_rpo: Some(false), ..well() };
        assert_eq!(offered(&state, &lost), [Verb::Test, Verb::DisasterFailover]);
        assert!(why(&state, &lost, Verb::PlannedFailover).contains("use the disaster failover"));
        // What is not known hinders nobody.
        let unknown = Conditions { peer_reachable: None, ..well() };
        assert!(offered(&state, &unknown).contains(&Verb::PlannedFailover));
    }

    #[test]
    fn without_a_checkpoint_nothing_can_be_recovered_and_it_is_said() {
        let state = RecoveryState::default();
        let none = Conditions { has_checkpoint: false, ..well() };
        assert_eq!(offered(&state, &none), []);
        assert!(why(&state, &none, Verb::DisasterFailover).starts_with("There is no checkpoint"));
    }

    #[test]
    fn every_verb_that_may_not_be_begun_says_why_in_a_sentence() {
        let run = JobId::new();
        for state in [
            RecoveryState::default(),
            after(&[Event::Started(Verb::Test, run)]),
            after(&[Event::Started(Verb::DisasterFailover, run), Event::Done(Verb::DisasterFailover, run)]),
        ] {
            for offer in offers(&state, &well()) {
                if let Some(why) = &offer.why_not {
                    assert!(why.ends_with('.') && why.starts_with(char::is_uppercase), "{why}");
                }
            }
        }
        let over =
            after(&[Event::Started(Verb::DisasterFailover, run), Event::Done(Verb::DisasterFailover, run)]);
        assert_eq!(
            why(&over, &well(), Verb::Test),
            "The group runs at the other site, uncommitted; commit it or roll it back first."
        );
    }

    #[test]
    fn what_failed_can_be_run_again_even_if_the_world_is_worse_now() {
        let run = JobId::new();
        let verb = Verb::PlannedFailover;
        let failed = after(&[Event::Started(verb, run), Event::Failed(verb, run)]);
        let lost = Conditions { peer_reachable: Some(false), ..well() };
        let offer = offers(&failed, &lost).into_iter().find(|offer| offer.verb == verb).unwrap();
        assert!(offer.may() && offer.again);
    }
}
