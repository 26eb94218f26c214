//! The laws for `failover`, planned and not, with a simulated vCenter and a simulated appliance; what a failover is, and what is
//! left of it when something stands in its way.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, unused_imports)]

#[path = "support/deployed.rs"]
mod deployed;
#[path = "support/failed_over.rs"]
mod failed_over;
#[path = "failovers/going.rs"]
mod going;
#[path = "support/laws/mod.rs"]
mod laws;
#[path = "support/protected.rs"]
mod protected;
#[path = "support/shelled.rs"]
mod shelled;
#[path = "failovers/site.rs"]
mod site;
#[path = "failovers/stopping.rs"]
mod stopping;
#[path = "support/tested.rs"]
mod tested;

use std::sync::Arc;

use failed_over::FailedOverWorld;
use laws::{Facts, Sample, SelfChild, Story, World};

/// Not a test: what a child of this program runs. Which failover it is, the scene knows.
#[test]
fn child() {
    laws::run_as_child(&[Arc::new(FailedOverWorld::planned())]);
}

/// Every so many points, or as many as `ZERFAUX_LAB_EVERY` says.
fn sample(every: usize, offset: usize) -> Sample {
    let asked = std::env::var("ZERFAUX_LAB_EVERY").ok().and_then(|text| text.parse().ok());
    Sample { every: asked.unwrap_or(every), offset }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_failover_run_twice_changes_nothing_more() {
    let world = FailedOverWorld::planned();
    let place = tempfile::tempdir().unwrap();
    let scene = world.build(place.path()).await;
    assert_eq!(laws::defects(&scene.definition()), Vec::<String>::new());
    world.remove(place.path()).await;
    laws::run_each_step_twice(&world).await.assert_kept("twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_failover_that_fails_before_its_clone_leaves_the_source_as_it_was() {
    let world = FailedOverWorld::planned();
    laws::fail_at_each_step(&world, sample(5, 3)).await.assert_kept("failing");
    laws::undo_each_step_twice(&world, sample(5, 1)).await.assert_kept("undone twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_failover_is_retried_after_each_failure() {
    laws::retry_after_each_failure(&FailedOverWorld::planned(), sample(7, 3)).await.assert_kept("retrying");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disaster_failover_keeps_the_laws_of_steps() {
    let world = FailedOverWorld::disaster();
    laws::run_each_step_twice(&world).await.assert_kept("twice");
    laws::retry_after_each_failure(&world, sample(9, 4)).await.assert_kept("retrying");
    let without = FailedOverWorld { shells: false, ..FailedOverWorld::disaster() };
    laws::retry_after_each_failure(&without, sample(11, 1)).await.assert_kept("retrying, without shells");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_a_planned_failover_makes_one_last_run_and_each_machine_once() {
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    let report = laws::kill_around_each_event(&FailedOverWorld::planned(), &child, sample(9, 1)).await;
    report.assert_kept("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_a_disaster_failover_makes_each_machine_once() {
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    let report = laws::kill_around_each_event(&FailedOverWorld::disaster(), &child, sample(15, 2)).await;
    report.assert_kept("killed");
}
