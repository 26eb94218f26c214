//! Every kind of job keeps the laws of `support/laws`: run twice, failed and unwound at each step, undone
//! twice, killed around each recorded event.
//!
//! A kind is tried by having a world: here, if files are all it needs, or in another test program that is named
//! in [`ELSEWHERE`]. A kind of the product without a world fails this test.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/laws/mod.rs"]
mod laws;
#[path = "samples/mod.rs"]
mod samples;

use std::path::Path;
use std::sync::Arc;

use laws::{Child, Report, Sample, SelfChild, Story, World};
use samples::{Directory, broken, files, pages};

/// Kinds of the product whose worlds need more than files: the kind, and the file in which its world is.
const ELSEWHERE: &[(&str, &str)] = &[
    ("deploy_zfs_target", "tests/support/deployed.rs"),
    ("create_protection_datastore", "tests/support/protected.rs"),
    ("mount_datastore", "tests/support/protected.rs"),
    ("create_dr_shell", "tests/support/shelled.rs"),
    ("delete_replica", "tests/support/unreplicated.rs"),
    ("test_failover", "tests/support/tested.rs"),
    ("failover", "tests/support/failed_over.rs"),
    ("clean_up_test", "tests/support/cleaned.rs"),
    ("roll_back_failover", "tests/support/rolled_back.rs"),
    ("remove_dr_shell", "tests/support/unshelled.rs"),
    ("repair_dr_shell", "tests/support/reshaped.rs"),
    ("move_to_protection_datastore", "tests/support/moved.rs"),
    ("health_check", "tests/laws_targets.rs"),
    ("replicate", "tests/support/replicated.rs"),
    ("vcenter_sync", "tests/laws_vcenter.rs"),
];

fn sound() -> Vec<Arc<dyn World>> {
    vec![
        Arc::new(Directory {
            kind: "sample_files",
            definition: files::definition,
            given: &[("ledger", "an older line\n")],
            may_remain: &[],
        }),
        Arc::new(Directory {
            kind: "sample_pages",
            definition: pages::definition,
            given: &[("source", "first\nsecond\nthird\n")],
            may_remain: &[("history", "a history tells of what was taken back, too")],
        }),
    ]
}

fn unsound() -> Vec<Arc<dyn World>> {
    let directory = |kind, definition| Directory { kind, definition, given: &[], may_remain: &[] };
    vec![
        Arc::new(directory("broken_appends", broken::appends)),
        Arc::new(directory("broken_leaves_behind", broken::leaves_behind)),
        Arc::new(directory("broken_undoes_once", broken::undoes_once)),
        Arc::new(directory("broken_draws_late", broken::draws_late)),
    ]
}

fn unsound_world(kind: &str) -> Arc<dyn World> {
    unsound().into_iter().find(|world| world.kind() == kind).unwrap()
}

/// Not a test: what a child of this program runs.
#[test]
fn child() {
    laws::run_as_child(&[sound(), unsound()].concat());
}

const SUCCEEDS: SelfChild = SelfChild { entry: "child", story: Story::Succeeds };
const UNWINDS: SelfChild = SelfChild { entry: "child", story: Story::Unwinds };

#[test]
fn every_kind_of_the_product_has_a_world() {
    let here: Vec<_> = sound().iter().map(|world| world.kind()).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for kind in zerfaux::jobs::kinds() {
        let elsewhere = ELSEWHERE.iter().find(|(known, _)| *known == kind);
        let declared = elsewhere.is_some_and(|(_, file)| {
            let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
            text.contains("World for") && text.contains(&format!("{kind:?}"))
        });
        assert!(
            declared || here.contains(&kind),
            "the kind {kind:?} has no world in which the laws are tried: add it to `sound` or to ELSEWHERE"
        );
    }
}

#[tokio::test]
async fn definitions_are_sound() {
    for world in sound() {
        let place = tempfile::tempdir().unwrap();
        let definition = world.build(place.path()).await.definition();
        assert_eq!(laws::defects(&definition), Vec::<String>::new(), "{definition:?}");
    }
}

#[tokio::test]
async fn each_step_run_twice_changes_nothing_more() {
    for world in sound() {
        laws::run_each_step_twice(world.as_ref()).await.assert_kept(world.kind());
    }
}

#[tokio::test]
async fn a_failure_at_each_step_unwinds_and_leaves_nothing_behind() {
    for world in sound() {
        laws::fail_at_each_step(world.as_ref(), Sample::ALL).await.assert_kept(world.kind());
    }
}

#[tokio::test]
async fn a_retry_after_a_failure_at_each_step_ends_as_without_it() {
    for world in sound() {
        laws::retry_after_each_failure(world.as_ref(), Sample::ALL).await.assert_kept(world.kind());
    }
}

#[tokio::test]
async fn each_undo_run_twice_changes_nothing_more() {
    for world in sound() {
        laws::undo_each_step_twice(world.as_ref(), Sample::ALL).await.assert_kept(world.kind());
    }
}

async fn killed(world: &dyn World, child: &dyn Child) -> Report {
    laws::kill_around_each_event(world, child, Sample::ALL).await
}

#[tokio::test]
async fn killed_around_each_event_a_job_ends_the_same() {
    for world in sound() {
        killed(world.as_ref(), &SUCCEEDS).await.assert_kept(world.kind());
    }
}

#[tokio::test]
async fn killed_around_each_event_an_unwinding_ends_the_same() {
    for world in sound() {
        killed(world.as_ref(), &UNWINDS).await.assert_kept(world.kind());
    }
}

/// The laws find what they are for.
fn found(report: &Report, words: &str) {
    let texts = report.failures.join("\n");
    assert!(texts.contains(words), "{words:?} is not in: {texts}");
}

#[tokio::test]
async fn a_step_that_does_more_each_time_is_found() {
    let world = unsound_world("broken_appends");
    found(&laws::run_each_step_twice(world.as_ref()).await, "run again it changed something");
    found(&killed(world.as_ref(), &SUCCEEDS).await, "expected out #0 = x; found out #0 = xx");
}

#[tokio::test]
async fn an_undo_that_leaves_something_is_found() {
    let world = unsound_world("broken_leaves_behind");
    found(&laws::fail_at_each_step(world.as_ref(), Sample::ALL).await, "left behind: found out #0 = x");
}

#[tokio::test]
async fn an_undo_that_works_only_once_is_found() {
    let world = unsound_world("broken_undoes_once");
    let report = laws::undo_each_step_twice(world.as_ref(), Sample::ALL).await;
    found(&report, "cannot be taken back again");
    found(&report, "the job is waiting");
}

#[tokio::test]
async fn a_name_drawn_while_running_is_found_as_an_orphan() {
    let world = unsound_world("broken_draws_late");
    found(&killed(world.as_ref(), &SUCCEEDS).await, "killed before event 2 of 2: the end: found out #1 = x");
}
