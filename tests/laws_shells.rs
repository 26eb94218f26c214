//! The laws for `move_to_protection_datastore`, `create_dr_shell`, `remove_dr_shell` and `repair_dr_shell`, with a simulated
//! vCenter and a simulated appliance; and what cancelling and failures leave.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, unused_imports)]

#[path = "support/deployed.rs"]
mod deployed;
#[path = "support/laws/mod.rs"]
mod laws;
#[path = "support/moved.rs"]
mod moved;
#[path = "shells/moving.rs"]
mod moving;

#[path = "shells/making.rs"]
mod making;
#[path = "support/protected.rs"]
mod protected;
#[path = "shells/removing.rs"]
mod removing;
#[path = "shells/repairing.rs"]
mod repairing;
#[path = "support/reshaped.rs"]
mod reshaped;
#[path = "support/shelled.rs"]
mod shelled;
#[path = "support/unshelled.rs"]
mod unshelled;

use std::sync::Arc;

use laws::{Sample, SelfChild, Story, World};
use moved::MovedWorld;
use reshaped::ReshapedWorld;
use shelled::ShelledWorld;
use unshelled::UnshelledWorld;

/// Not a test: what a child of this program runs.
#[test]
fn child() {
    laws::run_as_child(&[
        Arc::new(MovedWorld::default()),
        Arc::new(ShelledWorld::default()),
        Arc::new(UnshelledWorld::with_view()),
        Arc::new(ReshapedWorld::with_view()),
    ]);
}

/// Every so many points, or as many as `ZERFAUX_LAB_EVERY` says.
fn sample(every: usize) -> Sample {
    let asked = std::env::var("ZERFAUX_LAB_EVERY").ok().and_then(|text| text.parse().ok());
    Sample { every: asked.unwrap_or(every), offset: 1 }
}

async fn keeps_the_laws_of_steps(world: &impl World, sample: Sample) {
    let place = tempfile::tempdir().unwrap();
    let scene = world.build(place.path()).await;
    assert_eq!(laws::defects(&scene.definition()), Vec::<String>::new());
    assert_eq!(scene.definition().kind, world.kind());
    laws::run_each_step_twice(world).await.assert_kept("twice");
    laws::fail_at_each_step(world, sample).await.assert_kept("failing");
    laws::retry_after_each_failure(world, sample).await.assert_kept("retrying");
    laws::undo_each_step_twice(world, sample).await.assert_kept("undoing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_keeps_the_laws_of_steps() {
    keeps_the_laws_of_steps(&MovedWorld::default(), sample(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_everything_is_moved_once() {
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    laws::kill_around_each_event(&MovedWorld::default(), &child, sample(11)).await.assert_kept("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_of_taking_back_everything_is_where_it_was() {
    let child = SelfChild { entry: "child", story: Story::Unwinds };
    laws::kill_around_each_event(&MovedWorld::default(), &child, sample(11)).await.assert_kept("taken back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_keeps_the_laws_of_steps() {
    keeps_the_laws_of_steps(&ShelledWorld::default(), sample(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_with_its_view_kept_keeps_the_laws_of_steps() {
    let world = ShelledWorld { keep_view: true, ..ShelledWorld::default() };
    laws::run_each_step_twice(&world).await.assert_kept("twice");
    laws::fail_at_each_step(&world, sample(4)).await.assert_kept("failing");
    laws::undo_each_step_twice(&world, sample(4)).await.assert_kept("undoing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_of_an_encrypted_replica_leaves_it_locked_whatever_fails() {
    let world = ShelledWorld { encrypted: true, ..ShelledWorld::default() };
    laws::run_each_step_twice(&world).await.assert_kept("twice");
    laws::fail_at_each_step(&world, sample(3)).await.assert_kept("failing");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_it_makes_one_shell() {
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    laws::kill_around_each_event(&ShelledWorld::default(), &child, sample(11)).await.assert_kept("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_of_taking_back_it_leaves_no_shell_and_no_view() {
    let child = SelfChild { entry: "child", story: Story::Unwinds };
    laws::kill_around_each_event(&ShelledWorld::default(), &child, sample(11))
        .await
        .assert_kept("taken back");
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_a_shell_keeps_the_laws_of_steps() {
    keeps_the_laws_of_steps(&UnshelledWorld::default(), sample(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_a_shell_with_its_view_keeps_the_laws_of_steps() {
    keeps_the_laws_of_steps(&UnshelledWorld::with_view(), sample(4)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_of_removing_it_leaves_no_shell_and_no_view() {
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    laws::kill_around_each_event(&UnshelledWorld::with_view(), &child, sample(11))
        .await
        .assert_kept("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn repairing_a_shell_keeps_the_laws_of_steps() {
    keeps_the_laws_of_steps(&ReshapedWorld::default(), sample(7)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repairing_a_shell_with_its_view_keeps_the_laws_of_steps() {
    keeps_the_laws_of_steps(&ReshapedWorld::with_view(), sample(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_of_repairing_it_is_like_its_source() {
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    laws::kill_around_each_event(&ReshapedWorld::with_view(), &child, sample(13)).await.assert_kept("killed");
}
