//! Checkpoints with what was in them: manifests on both sides, guests at rest, groups found again by what their datasets say.
//! With a simulated vCenter and two simulated appliances.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, unused_imports)]

#[path = "checkpoints/adopting.rs"]
mod adopting;
#[path = "checkpoints/agreeing.rs"]
mod agreeing;
#[path = "support/appliances.rs"]
mod appliances;
#[path = "support/deployed.rs"]
mod deployed;
#[path = "support/guests.rs"]
mod guests;
#[path = "checkpoints/kept.rs"]
mod kept;
#[path = "support/laws/mod.rs"]
mod laws;
#[path = "checkpoints/quiesced.rs"]
mod quiesced;
#[path = "support/replicated.rs"]
mod replicated;
#[path = "checkpoints/site.rs"]
mod site;

use std::sync::Arc;

use guests::QuiescedWorld;
use laws::{Sample, SelfChild, Story};

/// Not a test: what a child of this program runs.
#[test]
fn child() {
    laws::run_as_child(&[Arc::new(QuiescedWorld::default())]);
}

/// Every so many points, or as many as `ZERFAUX_LAB_EVERY` says.
fn sample(every: usize, offset: usize) -> Sample {
    let asked = std::env::var("ZERFAUX_LAB_EVERY").ok().and_then(|text| text.parse().ok());
    Sample { every: asked.unwrap_or(every), offset }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_of_a_quiesced_run_twice_changes_nothing_more() {
    replicated::kept(
        "each step twice, quiesced",
        &laws::run_each_step_twice(&QuiescedWorld::default()).await,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_at_each_step_of_a_quiesced_run_is_taken_back() {
    let report = laws::fail_at_each_step(&QuiescedWorld::default(), Sample::ALL).await;
    replicated::kept("a failure at each step, quiesced", &report);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiesced_run_tried_again_after_a_failure_at_each_step_ends_as_without_it() {
    let report = laws::retry_after_each_failure(&QuiescedWorld::default(), sample(2, 1)).await;
    replicated::kept("tried again, quiesced", &report);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_undo_of_a_quiesced_run_twice_changes_nothing_more() {
    let report = laws::undo_each_step_twice(&QuiescedWorld::default(), sample(2, 1)).await;
    replicated::kept("each undo twice, quiesced", &report);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiesced_run_killed_around_its_events_ends_the_same() {
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    let report = laws::kill_around_each_event(&QuiescedWorld::default(), &child, sample(9, 2)).await;
    replicated::kept("killed around each event, quiesced", &report);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiesced_run_killed_while_it_is_taken_back_is_taken_back() {
    let child = SelfChild { entry: "child", story: Story::Unwinds };
    let report = laws::kill_around_each_event(&QuiescedWorld::default(), &child, sample(17, 7)).await;
    replicated::kept("killed around each event of an undo, quiesced", &report);
}
