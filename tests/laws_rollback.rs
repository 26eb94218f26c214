//! The laws for `roll_back_failover`, with a simulated vCenter and a simulated appliance; and that both sides are as before,
//! whatever had become of the failover.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, unused_imports)]

#[path = "support/as_before.rs"]
mod as_before;
#[path = "support/deployed.rs"]
mod deployed;
#[path = "rollbacks/killed.rs"]
mod killed;
#[path = "support/laws/mod.rs"]
mod laws;
#[path = "support/protected.rs"]
mod protected;
#[path = "support/rolled_back.rs"]
mod rolled_back;
#[path = "support/shelled.rs"]
mod shelled;
#[path = "rollbacks/site.rs"]
mod site;
#[path = "rollbacks/stories.rs"]
mod stories;
#[path = "support/tested.rs"]
mod tested;

use std::sync::Arc;

use laws::{Sample, SelfChild, Story, World};
use rolled_back::{BegunWorld, RolledBackWorld};

/// Not a test: what a child of this program runs.
#[test]
fn child() {
    laws::run_as_child(&[Arc::new(BegunWorld::default()), Arc::new(RolledBackWorld::default())]);
}

/// Every so many points, or as many as `ZERFAUX_LAB_EVERY` says.
pub fn sample(every: usize) -> Sample {
    let asked = std::env::var("ZERFAUX_LAB_EVERY").ok().and_then(|text| text.parse().ok());
    Sample { every: asked.unwrap_or(every), offset: 1 }
}

/// No step is taken back by the job itself: a failure at a step leaves what asking again goes on with.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_keeps_the_laws_of_steps() {
    let world = RolledBackWorld::default();
    let place = tempfile::tempdir().unwrap();
    let scene = world.build(place.path()).await;
    assert_eq!(laws::defects(&scene.definition()), Vec::<String>::new());
    assert_eq!(scene.definition().kind, world.kind());
    world.remove(place.path()).await;
    laws::run_each_step_twice(&world).await.assert_kept("twice");
    laws::retry_after_each_failure(&world, sample(5)).await.assert_kept("retrying");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_of_rolling_back_it_ends_the_same() {
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    laws::kill_around_each_event(&RolledBackWorld::default(), &child, sample(11)).await.assert_kept("killed");
}
