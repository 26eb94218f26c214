//! A failover that was killed around any of its events is rolled back, and both sides are as before.

use std::process::Stdio;

use zerfaux::domain::job::JobState;
use zerfaux::engine::Engine;
use zerfaux::jobs::roll_back_failover;
use zerfaux::store::Store;

use crate::as_before::differences;
use crate::laws::{Child, SelfChild, Story};
use crate::rolled_back::{BegunScene, BegunWorld, run};
use crate::site::replicates;
use crate::tested::RUN;

/// Has the failover killed there. False: it has fewer events.
fn killed(child: &SelfChild, scene: &BegunScene, place: &std::path::Path, at: &str) -> bool {
    let data = place.join("engine");
    std::fs::create_dir_all(&data).unwrap();
    let mut command = child.command(scene, place, &data);
    let ended = command.env("ZERFAUX_CRASH_AT", at).stdin(Stdio::null()).output().unwrap();
    use std::os::unix::process::ExitStatusExt;
    match (ended.status.signal(), ended.status.success()) {
        (Some(9), _) => true,
        (_, true) => false,
        _ => panic!(
            "{at}: {}{}",
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr)
        ),
    }
}

/// One site, one failover killed there, one rollback; false: the failover has fewer events.
async fn trial(child: &SelfChild, at: &str, found: &mut Vec<String>) -> bool {
    let root = tempfile::tempdir().unwrap();
    let place = root.path();
    let world = BegunWorld::with_view(at.ends_with("after"));
    let scene = world.start(place).await;
    let before = scene.exact().await;
    if !killed(child, &scene, place, at) {
        return false;
    }
    // What the process that was killed has kept.
    let store = Store::open(&place.join("store")).unwrap();
    // Nothing is shut down before it is kept that it ran.
    if store.recovery_run(RUN).await.unwrap().is_some() {
        scene.shut_down(&store, at.len() % 3).await;
    }
    store.close().await;
    let again = BegunWorld::reopen(place);
    let (targets, vcenters) = again.made().grounds();
    let input = serde_json::to_value(scene.plan()).unwrap();
    let job = run(roll_back_failover::definition(targets, vcenters), input).await;
    if job.state == JobState::Succeeded {
        let differ = differences(&before, &scene.exact().await);
        found.extend(differ.into_iter().map(|one| format!("{at}: {one}")));
        replicates(&scene.made().sites.as_ref().unwrap().appliance);
    } else {
        found.push(format!("{at}: {:?} {:?}", job.failed_phase, job.failure));
    }
    again.made().store.close().await;
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn rolled_back_after_any_point_of_a_killed_failover_both_sides_are_as_before() {
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    let sample = crate::sample(12);
    let (mut found, mut points) = (Vec::new(), 0);
    for number in (sample.offset..).step_by(sample.every) {
        let mut there = true;
        for side in ["before", "after"] {
            there &= trial(&child, &format!("{}:{side}", number.max(1)), &mut found).await;
            points += usize::from(there);
        }
        if !there {
            break;
        }
    }
    eprintln!("{points} points");
    assert!(points > 4, "{points}");
    assert!(found.is_empty(), "{found:#?}");
}
