//! A replica that has gone its own way: the run stops with what it found and the ways on; chosen, each keeps all.
//! (syncoid rolls such a replica back without a word: `zfs receive -F`.)

use super::witness::{
    Witness, bytes, in_step, kept, newest, only_newest_is_held, replicated, write_at_target,
};
use crate::lab::{Scene, Side};
use crate::zerfaux_cli::{Ended, replicate};

/// What a conflict always says.
#[track_caller]
fn stopped(ended: Ended) -> Ended {
    ended.expect(3).says(&[
        "Stopped to protect data",
        "Nothing was changed. You can:",
        "name another destination",
    ])
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_replica_that_was_written_to_is_kept_and_replication_goes_on_beside_it() {
    let scene = replicated("written");
    write_at_target(&scene, "theirs");
    scene.source.play("w data three 96K");
    let base = newest(&scene.target, "copy");
    let before = Witness::of(&scene);

    let copy = scene.target.name("copy");
    stopped(replicate(&scene, &[])).says(&[
        &copy,
        &format!("has changed since @{base}"),
        "KiB written there",
        "--on-conflict keep-and-continue",
        "--on-conflict keep-and-seed",
    ]);
    before.sees_no_change(&scene);
    replicate(&scene, &["--dry-run"]).expect(3).says(&["CONFLICT", "KiB written there", "keep-and-continue"]);
    before.sees_no_change(&scene);

    let resolved = replicate(&scene, &["--json", "--on-conflict", "keep-and-continue"]).expect(0);
    before.sees_nothing_lost(&scene);
    assert!(bytes(&resolved) < 512 << 10, "the 2M that both have travelled again: {}", bytes(&resolved));
    let kept = kept(&scene.target);
    resolved.says(&[&format!("is kept as {}", scene.target.name(&kept))]);
    goes_on(&scene, &kept, "keep-and-continue");
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_replica_that_was_written_to_is_kept_and_everything_is_sent_anew() {
    let scene = replicated("seeded");
    write_at_target(&scene, "theirs");
    let before = Witness::of(&scene);
    let resolved = replicate(&scene, &["--json", "--on-conflict", "keep-and-seed"]).expect(0);
    before.sees_nothing_lost(&scene);
    assert!(bytes(&resolved) > 2 << 20, "not everything travelled: {}", bytes(&resolved));
    goes_on(&scene, &kept(&scene.target), "keep-and-seed");
}

/// The kept copy has what was written at the target; its place is a replica in order; the next run is an ordinary one;
/// and whoever is done with the kept copy can destroy it.
#[track_caller]
fn goes_on(scene: &Scene, kept: &str, how: &str) {
    let (source, target) = (&scene.source, &scene.target);
    target.play(&format!("@ {kept} looked-at"));
    let files = target.files(&format!("{kept}@looked-at"));
    assert!(files.contains_key("theirs") && files.contains_key("two"), "{how}: {files:?}");
    assert_eq!(target.user_properties(kept)["zerfaux:role"], ("keep".into(), "local".into()));
    in_step(scene, "data", "copy");
    only_newest_is_held(source, "data");
    only_newest_is_held(target, "copy");
    let marks = target.user_properties("copy");
    assert_eq!(marks["zerfaux:role"], ("replica".into(), "local".into()));
    assert_eq!(marks["zerfaux:group"].1, "local");
    assert_eq!(
        (target.property("copy", "readonly"), target.property("copy", "origin")),
        ("on".into(), "-".into())
    );

    source.play("w data four 96K");
    let next =
        replicate(scene, &["--json", "--keep-source", "last=1", "--keep-destination", "last=1"]).expect(0);
    assert!(bytes(&next) < 512 << 10, "{how}: the next run was not a small one: {}", bytes(&next));
    in_step(scene, "data", "copy");
    only_newest_is_held(target, "copy");

    let whole = target.name(kept);
    let answer = target.host.try_as("root", &format!("zfs destroy -r {whole}"));
    assert_eq!(answer.status, 0, "{how}: the kept copy cannot be discarded: {}", answer.stderr);
    in_step(scene, "data", "copy");
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_snapshot_taken_of_an_unchanged_replica_is_no_conflict_and_stays() {
    let scene = replicated("extra");
    scene.target.play("@ copy theirs-1");
    scene.source.play("w data three 96K");
    let before = Witness::of(&scene);
    let run =
        replicate(&scene, &["--json", "--keep-source", "last=2", "--keep-destination", "last=2"]).expect(0);
    assert!(bytes(&run) < 512 << 10, "{}", bytes(&run));
    before.sees_nothing_lost(&scene);
    in_step(&scene, "data", "copy");

    // With a change between, it is a conflict, and the snapshot is named.
    write_at_target(&scene, "theirs");
    scene.target.play("@ copy theirs-2");
    let before = Witness::of(&scene);
    stopped(replicate(&scene, &[])).says(&["1 snapshot of its own: @theirs-2", "KiB written there"]);
    before.sees_no_change(&scene);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn without_a_common_base_nothing_is_touched_until_a_full_copy_beside_it_is_asked_for() {
    let scene = replicated("lost-base");
    destroy_all_points(&scene.source, "data");
    scene.source.play("w data three 64K\n@ data later");
    let before = Witness::of(&scene);
    let newest = newest(&scene.target, "copy");
    stopped(replicate(&scene, &[])).says(&[
        "no snapshot in common with the source",
        "no bookmark remembers one",
        "2 snapshots",
        &format!("newest @{newest}"),
        "--on-conflict keep-and-seed",
    ]);
    before.sees_no_change(&scene);
    // There is no base to continue from, so the choice that needs one is refused too.
    let refused = stopped(replicate(&scene, &["--on-conflict", "keep-and-continue"]));
    assert!(!refused.stderr.contains("--on-conflict keep-and-continue"), "{}", refused.stderr);
    before.sees_no_change(&scene);
    replicate(&scene, &["--on-conflict", "keep-and-seed"]).expect(0);
    before.sees_nothing_lost(&scene);
    in_step(&scene, "data", "copy");
    let old = kept(&scene.target);
    assert!(scene.target.files(&format!("{old}@{newest}")).contains_key("two"));
}

/// Destroys every snapshot and bookmark of a dataset, as somebody would who wants the space back.
fn destroy_all_points(side: &Side, dataset: &str) {
    let name = side.name(dataset);
    side.host.root(&format!(
        "for point in $(zfs list -Hr -d 1 -t snapshot -o name {name}); do
           zfs holds -H $point | cut -f 2 | while read tag; do zfs release \"$tag\" $point; done
           zfs destroy $point
         done
         for mark in $(zfs list -Hr -d 1 -t bookmark -o name {name}); do zfs destroy $mark; done"
    ));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_name_taken_on_both_sides_by_different_contents_is_named() {
    let scene = replicated("taken");
    scene.target.play("@ copy monday");
    scene.source.play("w data three 64K\n@ data monday");
    let before = Witness::of(&scene);
    stopped(replicate(&scene, &[])).says(&[
        "same name",
        "other contents: @monday",
        "--on-conflict keep-and-seed",
    ]);
    before.sees_no_change(&scene);
    // Nothing of that name has to travel if only the newest is wanted.
    let run = replicate(&scene, &["--only-newest", "--json"]).expect(0);
    assert!(bytes(&run) < 512 << 10, "{}", bytes(&run));
    before.sees_nothing_lost(&scene);
    replicate(&scene, &["--on-conflict", "keep-and-seed"]).expect(0);
    before.sees_nothing_lost(&scene);
    in_step(&scene, "data", "copy");
}
