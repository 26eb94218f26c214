//! The laws for `deploy_zfs_target` and `create_protection_datastore`, with a simulated vCenter and a simulated appliance: the machine that the vCenter
//! clones has the address at which the appliance listens, the disk that it is given turns up there, and its export is what
//! the vCenter's hosts mount.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, unused_imports)]

#[path = "support/deployed.rs"]
mod deployed;
#[path = "deploy/failures.rs"]
mod failures;
#[path = "support/laws/mod.rs"]
mod laws;
#[path = "support/protected.rs"]
mod protected;

use std::sync::Arc;

use deployed::DeployWorld;
use laws::{Sample, SelfChild, Story, World};
use protected::{MountedWorld, ProtectedWorld};

const KIND: &str = "deploy_zfs_target";

/// Not a test: what a child of this program runs.
#[test]
fn child() {
    laws::run_as_child(&[
        Arc::new(DeployWorld::default()),
        Arc::new(ProtectedWorld::default()),
        Arc::new(MountedWorld::default()),
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_definition_is_sound_and_each_step_run_twice_changes_nothing_more() {
    let (world, place) = (DeployWorld::default(), tempfile::tempdir().unwrap());
    let scene = world.build(place.path()).await;
    assert_eq!(laws::defects(&scene.definition()), Vec::<String>::new());
    assert_eq!(scene.definition().kind, KIND);
    laws::run_each_step_twice(&world).await.assert_kept("twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_at_each_step_unwinds_and_leaves_nothing_behind() {
    laws::fail_at_each_step(&DeployWorld::default(), Sample::ALL).await.assert_kept("failing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_after_a_failure_at_each_step_ends_as_without_it() {
    laws::retry_after_each_failure(&DeployWorld::default(), Sample::ALL).await.assert_kept("retrying");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_undo_run_twice_changes_nothing_more() {
    laws::undo_each_step_twice(&DeployWorld::default(), Sample::ALL).await.assert_kept("undoing");
}

fn sample() -> Sample {
    let every = std::env::var("ZERFAUX_LAB_EVERY").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    Sample { every, offset: 1 }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_it_makes_one_of_everything() {
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    laws::kill_around_each_event(&DeployWorld::default(), &child, sample()).await.assert_kept("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_of_taking_back_it_leaves_nothing() {
    let child = SelfChild { entry: "child", story: Story::Unwinds };
    laws::kill_around_each_event(&DeployWorld::default(), &child, sample()).await.assert_kept("taken back");
}

/// At every point, for a job of few steps.
async fn keeps_the_laws_of_steps(world: &impl laws::World) {
    let place = tempfile::tempdir().unwrap();
    let scene = world.build(place.path()).await;
    assert_eq!(laws::defects(&scene.definition()), Vec::<String>::new());
    laws::run_each_step_twice(world).await.assert_kept("twice");
    laws::fail_at_each_step(world, Sample::ALL).await.assert_kept("failing");
    laws::retry_after_each_failure(world, Sample::ALL).await.assert_kept("retrying");
    laws::undo_each_step_twice(world, Sample::ALL).await.assert_kept("undoing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protection_datastore_keeps_the_laws_of_steps() {
    keeps_the_laws_of_steps(&ProtectedWorld::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_it_makes_one_protection_datastore() {
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    laws::kill_around_each_event(&ProtectedWorld::default(), &child, sample()).await.assert_kept("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn mounting_on_more_hosts_keeps_the_laws_of_steps() {
    let world = MountedWorld::default();
    keeps_the_laws_of_steps(&world).await;
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    laws::kill_around_each_event(&world, &child, sample()).await.assert_kept("killed");
}
