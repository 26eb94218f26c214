//! How far the recovery of a group is, in words, and what may be done next, as buttons.

use crate::app::recovery_states::{Doing, Home, Offer, Phase, Progress, RecoveryView, Verb};
use crate::auth::table::need;
use crate::web::cx::Cx;
use crate::web::screens::recovery_plans::VerbRow;
use crate::web::view::status::Mark;
use crate::web::view::{Html, Status, html};

/// The page on which a verb is begun, below the group's own; none: this version has none. Which pages there are, the table of
/// access knows.
fn page_of(verb: Verb) -> Option<&'static str> {
    let page = match verb {
        Verb::Test => "test",
        Verb::Cleanup => "tests",
        Verb::PlannedFailover => "failover?mode=planned",
        Verb::DisasterFailover => "failover?mode=disaster",
        Verb::Rollback => "rollback",
        Verb::Commit => "commit",
        Verb::Reprotect => "reprotect",
        Verb::Failback => "failback",
    };
    let path = page.split('?').next().unwrap_or(page);
    need("GET", &format!("/protection-groups/{{id}}/{path}")).map(|_| page)
}

fn label(offer: &Offer) -> &'static str {
    match (offer.verb, offer.again) {
        (Verb::Test, false) => "Test…",
        (Verb::Test, true) => "Run the test again…",
        (Verb::Cleanup, false) => "Clean up the test…",
        (Verb::Cleanup, true) => "Clean up again…",
        (Verb::PlannedFailover, _) => "Planned failover…",
        (Verb::DisasterFailover, _) => "Disaster failover…",
        (Verb::Rollback, _) => "Roll back…",
        (Verb::Commit, _) => "Commit…",
        (Verb::Reprotect, _) => "Reprotect…",
        (Verb::Failback, _) => "Fail back…",
    }
}

/// Where the group stands, by shape and word.
pub(super) fn phase(view: &RecoveryView) -> Status {
    let stopped = view.state.line().is_some_and(|line| line.progress != Progress::Running);
    match view.state.phase() {
        Phase::Protected => Status::new(Mark::Met, "protected"),
        Phase::Testing if view.conditions.cleanup_pending => Status::new(Mark::Risk, "cleanup pending"),
        Phase::Testing => Status::new(Mark::Working, "testing"),
        Phase::FailingOver if stopped => Status::new(Mark::Broken, "failover stopped"),
        Phase::FailingOver => Status::new(Mark::Working, "failing over"),
        Phase::FailedOverUncommitted => Status::new(Mark::Risk, "failed over, uncommitted"),
        Phase::FailedOver => Status::new(Mark::Risk, "failed over, not replicated"),
        Phase::Reprotecting if stopped => Status::new(Mark::Broken, "reprotection stopped"),
        Phase::Reprotecting => Status::new(Mark::Working, "reprotecting"),
        Phase::FailingBack if stopped => Status::new(Mark::Broken, "failback stopped"),
        Phase::FailingBack => Status::new(Mark::Working, "failing back"),
    }
}

/// What works, what stopped short, and where the group lives: a sentence each.
pub(super) fn standing(cx: &Cx, view: &RecoveryView) -> Vec<Html> {
    let mut all: Vec<Html> =
        view.state.line().into_iter().chain(view.state.test()).map(|one| told(cx, one)).collect();
    if view.state.live == Home::Other {
        all.push(html::text("It lives at the site that was its DR site at first."));
    }
    if view.conditions.peer_reachable == Some(false) {
        all.push(html::text("The site on which it lives does not answer."));
    }
    if !view.conditions.epoch_agrees {
        all.push(html::text("Its datasets contradict what is known of it."));
    }
    all
}

fn told(cx: &Cx, one: &Doing) -> Html {
    let verb = one.verb.to_string();
    let mut characters = verb.chars();
    let first: String = characters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    let how = match one.progress {
        Progress::Running => "is under way since",
        Progress::Standing => "is up, and there until it is cleaned up, since",
        Progress::Incomplete => "left something undone",
        Progress::Failed => "failed",
    };
    // The id of a job has no character that means anything in HTML.
    Html(format!(
        "{}{} {how} {}. <a href=\"/jobs/{}\">Look at its job</a>",
        html::escape(&first),
        html::escape(characters.as_str()),
        cx.ago(one.since),
        one.run
    ))
}

/// Every verb that fits where the group stands, and those that do not with why.
pub(super) fn rows(view: &RecoveryView) -> Vec<VerbRow> {
    let own = super::protection_groups::address(view.group.id);
    view.offers.iter().map(|offer| row(&own, offer)).collect()
}

fn row(own: &str, offer: &Offer) -> VerbRow {
    let page = page_of(offer.verb).filter(|_| offer.may());
    let mut words: Vec<String> = offer.why_not.iter().cloned().collect();
    words.extend(offer.cautions.iter().map(|caution| (*caution).to_owned()));
    if offer.may() && page.is_none() {
        words.insert(0, "It could be begun now; this version has no page for it yet.".to_owned());
    }
    VerbRow {
        label: label(offer),
        address: page.map(|page| format!("{own}/{page}")),
        may: offer.may(),
        words,
    }
}
