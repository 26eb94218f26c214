//! The laws for `test_failover` and `clean_up_test`, with a simulated vCenter and a simulated appliance; what a test is, and what
//! is left of it when something stands in its way.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, unused_imports)]

#[path = "support/cleaned.rs"]
mod cleaned;
#[path = "support/deployed.rs"]
mod deployed;
#[path = "support/laws/mod.rs"]
mod laws;
#[path = "rehearsals/pending.rs"]
mod pending;
#[path = "support/protected.rs"]
mod protected;
#[path = "rehearsals/rehearsing.rs"]
mod rehearsing;
#[path = "support/shelled.rs"]
mod shelled;
#[path = "support/tested.rs"]
mod tested;
#[path = "rehearsals/trial.rs"]
mod trial;

use std::sync::Arc;

use cleaned::CleanedWorld;
use laws::{Sample, SelfChild, Story, World};
use tested::TestedWorld;

/// Not a test: what a child of this program runs.
#[test]
fn child() {
    laws::run_as_child(&[Arc::new(TestedWorld::default()), Arc::new(CleanedWorld::default())]);
}

/// Every so many points, or as many as `ZERFAUX_LAB_EVERY` says.
fn sample(every: usize) -> Sample {
    let asked = std::env::var("ZERFAUX_LAB_EVERY").ok().and_then(|text| text.parse().ok());
    Sample { every: asked.unwrap_or(every), offset: 1 }
}

/// No step of either kind is taken back by its own job, so failing at a step leaves what a cleanup takes away: that is tried in
/// `rehearsals/pending.rs`.
async fn keeps_the_laws_of_steps(world: &impl World, sample: Sample) {
    let place = tempfile::tempdir().unwrap();
    let scene = world.build(place.path()).await;
    assert_eq!(laws::defects(&scene.definition()), Vec::<String>::new());
    assert_eq!(scene.definition().kind, world.kind());
    world.remove(place.path()).await;
    laws::run_each_step_twice(world).await.assert_kept("twice");
    laws::retry_after_each_failure(world, sample).await.assert_kept("retrying");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_keeps_the_laws_of_steps() {
    keeps_the_laws_of_steps(&TestedWorld::default(), sample(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_it_makes_each_test_machine_once() {
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    laws::kill_around_each_event(&TestedWorld::default(), &child, sample(11)).await.assert_kept("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleanup_keeps_the_laws_of_steps() {
    keeps_the_laws_of_steps(&CleanedWorld::default(), sample(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_of_cleaning_up_it_leaves_nothing() {
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    laws::kill_around_each_event(&CleanedWorld::default(), &child, sample(11)).await.assert_kept("killed");
}
