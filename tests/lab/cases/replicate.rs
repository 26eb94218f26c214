//! `zerfaux replicate` when nothing goes wrong: what it makes, what it sends, what it keeps, and that it all arrives.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::lab::{Scene, Side, assert_part_of, assert_same};
use crate::zerfaux_cli::{replicate, replicate_as};

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_first_run_brings_the_whole_history_into_a_replica_that_is_never_mounted() {
    let scene = Scene::new("first");
    scene.source.play(
        "+ data
         w data one 512K
         @ data s1
         w data two 256K
         w data \"with space\" 64K
         @ data s2
         x data one
         @ data s3",
    );
    let run = replicate_as(&scene, "root", ("data", "deep/er/copy"), &["--json"]).expect(0);

    let sent = run.result();
    assert_eq!((sent["streams"].as_u64(), sent["resumed"].as_u64()), (Some(2), Some(0)), "{sent}");
    let said = run.console().join("\n");
    assert!(said.contains("sending everything up to @s1,"), "the oldest first: {said}");
    assert!(said.contains(" since @s1, with the snapshots between,"), "then the rest: {said}");

    let tags = scene.target.tags("deep/er/copy");
    assert_eq!(tags[..3], ["s1", "s2", "s3"]);
    assert!(tags.len() == 4 && tags[3].starts_with("zx-"), "{tags:?}");
    assert_same((&scene.source, "data"), (&scene.target, "deep/er/copy"));

    for parent in ["deep", "deep/er"] {
        let seen = properties(&scene.target, parent, "canmount,mounted");
        assert_eq!(seen, ["canmount off local", "mounted no -"], "{parent}");
    }
    assert_eq!(
        properties(&scene.target, "deep/er/copy", "readonly,canmount,sharenfs,mounted"),
        ["readonly on local", "canmount noauto local", "sharenfs off local", "mounted no -"]
    );
    let marks = scene.target.user_properties("deep/er/copy");
    assert_eq!(marks["zerfaux:role"], ("replica".into(), "local".into()));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_later_run_sends_only_what_is_new_and_then_there_is_nothing_new() {
    let scene = Scene::new("later");
    scene.source.play("+ data\nw data one 2M\n@ data s1");
    let first = replicate(&scene, &["--json"]).expect(0).result();
    scene.source.play("w data two 128K\n@ data s2\nw data three 64K");
    let second = replicate(&scene, &["--json"]).expect(0).result();
    assert_eq!((second["streams"].as_u64(), second["resumed"].as_u64()), (Some(1), Some(0)), "{second}");
    assert!(bytes(&second) < bytes(&first) / 2, "{second} after {first}");
    assert_same((&scene.source, "data"), (&scene.target, "copy"));

    let before = both(&scene);
    for _ in 0..2 {
        replicate(&scene, &["--no-snapshot"]).expect(0).says(&["nothing new to send", "verified"]);
        assert_eq!(both(&scene), before);
    }
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn only_newest_leaves_out_the_snapshots_between() {
    let scene = Scene::new("newest");
    scene.source.play("+ data\nw data one 256K\n@ data s1\nw data two 64K\n@ data s2");
    let first = replicate(&scene, &["--no-snapshot", "--only-newest", "--json"]).expect(0).result();
    assert_eq!(first["streams"], 1, "{first}");
    assert_eq!(scene.target.tags("copy"), ["s2"]);
    scene.source.play("w data three 64K\n@ data s3\nw data four 64K\n@ data s4");
    replicate(&scene, &["--no-snapshot", "--only-newest"]).expect(0);
    assert_eq!(scene.target.tags("copy"), ["s2", "s4"]);
    assert_part_of((&scene.source, "data"), (&scene.target, "copy"));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_bookmark_is_the_base_after_the_common_snapshot_was_destroyed_by_hand() {
    let scene = Scene::new("bookmark");
    scene.source.play("+ data\nw data one 1M");
    let first = replicate(&scene, &["--json"]).expect(0).result();
    let base = scene.source.snapshots("data").pop().unwrap();
    let gone = format!("data@{}", base.tag);
    release_everything(&scene.source, &gone);
    scene.source.play(&format!(
        "- {gone}
         w data two 64K
         @ data n1
         w data three 64K
         @ data n2"
    ));

    let run = replicate(&scene, &["--json"]).expect(0);
    let said = run.console().join("\n");
    let wanted = format!("@n1 since bookmark #{}", base.tag);
    assert!(said.contains(&wanted), "{wanted:?} is not in {said}");
    assert!(said.contains(" since @n1, with the snapshots between"), "{said}");
    assert!(bytes(&run.result()) < bytes(&first) / 2, "not everything anew: {}", run.result());
    // What is left at the source has arrived; the destination still has the base as well.
    let (here, there) = (scene.source.snapshots("data"), scene.target.snapshots("copy"));
    assert_eq!(there[0], base);
    assert_eq!(there[1..], here);
    for tag in here.iter().map(|snapshot| &snapshot.tag) {
        assert_eq!(scene.target.files(&format!("copy@{tag}")), scene.source.files(&format!("data@{tag}")));
    }
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_dry_run_changes_nothing_and_its_sizes_are_those_that_are_sent() {
    let scene = Scene::new("dry");
    scene.source.play("+ data\nw data one 2M\n@ data s1\nw data two 1M\n@ data s2");
    let before = both(&scene);
    let dry = replicate(&scene, &["--no-snapshot", "--dry-run", "--json"]).expect(0);
    replicate(&scene, &["--dry-run"]).expect(0).says(&[
        "Dry run: nothing is changed",
        "A snapshot would be taken first",
        "send everything up to @s1: about 2.0",
        "send @s2 since @s1: about 1.0",
    ]);
    assert_eq!(both(&scene), before);
    assert!(!scene.target.exists("copy"));

    let plan = &dry.json()[0]["plan"]["datasets"][0];
    let estimates: Vec<u64> =
        plan["estimates"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap()).collect();
    let run = replicate(&scene, &["--no-snapshot", "--json"]).expect(0);
    let (told, sent) = (estimates.iter().sum::<u64>(), bytes(&run.result()));
    assert_eq!((estimates.len(), run.result()["streams"].as_u64()), (2, Some(2)));
    assert!(told.abs_diff(sent) < sent / 10, "{told} were announced and {sent} sent");
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn json_lines_tell_the_progress_which_never_goes_back_and_end_with_the_result() {
    let scene = Scene::new("json");
    scene.source.play("+ data\nw data one 4M\n@ data s1\nw data two 4M");
    let run = replicate(&scene, &["--json", "--bwlimit", "4M"]).expect(0);
    let lines = run.json();
    let percent: Vec<u64> = lines
        .iter()
        .filter(|line| line["event"] == "progress")
        .map(|line| line["percent"].as_u64().expect("a percentage"))
        .collect();
    assert!(percent.is_sorted(), "{percent:?}");
    assert!(percent.len() > 3 && percent[0] < 100 && percent.last() == Some(&100), "{percent:?}");
    let phases: Vec<&str> =
        lines.iter().filter(|l| l["event"] == "phase").filter_map(|l| l["phase"].as_str()).collect();
    let transfer = phases.iter().position(|phase| *phase == "transfer").expect("a phase transfer");
    assert!(phases.iter().position(|phase| *phase == "verify").unwrap() > transfer, "{phases:?}");
    let last = lines.last().unwrap();
    assert_eq!((&last["event"], &last["state"]), (&"result".into(), &"succeeded".into()), "{last}");
    assert_eq!(lines.iter().filter(|line| line["event"] == "result").count(), 1);
    assert!(last["error"].is_null() && last["warnings"].as_array().unwrap().is_empty(), "{last}");
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn retention_thins_only_our_own_and_the_common_base_stays_held_on_both_sides() {
    let scene = Scene::new("retention");
    scene.source.play("+ data\nw data one 64K\n@ data by-hand");
    let policies = ["--keep-source", "last=1", "--keep-destination", "last=2"];
    for _ in 0..5 {
        replicate(&scene, &policies).expect(0);
    }
    let (here, there) = (scene.source.tags("data"), scene.target.tags("copy"));
    assert_eq!((here.len(), there.len()), (2, 3), "{here:?} {there:?}");
    assert_eq!((here[0].as_str(), there[0].as_str()), ("by-hand", "by-hand"));
    let newest = &here[1];
    assert!(newest.starts_with("zx-") && newest.ends_with("-5"), "{newest}");
    assert!(there[1].ends_with("-4") && there[2] == *newest, "{there:?}");

    let (held, held_there) =
        (scene.source.holds(&format!("data@{newest}")), scene.target.holds(&format!("copy@{newest}")));
    assert!(held.len() == 1 && held[0].starts_with("zerfaux:"), "{held:?}");
    assert_eq!(held_there, held);
    assert!(scene.source.holds("data@by-hand").is_empty());
    for free in [&there[0], &there[1]] {
        assert!(scene.target.holds(&format!("copy@{free}")).is_empty(), "{free} is still held");
    }
    let inventory = scene.source.inventory();
    let bookmarks: Vec<&String> = inventory.keys().filter(|name| name.contains('#')).collect();
    assert!((1..=3).contains(&bookmarks.len()), "{bookmarks:?}");
    assert!(bookmarks.iter().any(|name| name.ends_with(newest.as_str())), "{bookmarks:?}");
    assert_part_of((&scene.target, "copy"), (&scene.source, "data"));
}

fn bytes(result: &Value) -> u64 {
    result["bytes"].as_u64().expect("a number of bytes")
}

/// Everything on both sides, by name and GUID.
fn both(scene: &Scene) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
    (scene.source.inventory(), scene.target.inventory())
}

/// `property value source` of each of these, in the order asked for.
fn properties(side: &Side, dataset: &str, names: &str) -> Vec<String> {
    let text =
        side.host.root(&format!("zfs get -Hp -o property,value,source {names} {}", side.name(dataset)));
    text.lines().map(|line| line.replace('\t', " ")).collect()
}

/// As an administrator who knows what he does.
fn release_everything(side: &Side, snapshot: &str) {
    for tag in side.holds(snapshot) {
        side.host.root(&format!("zfs release {tag} {}", side.name(snapshot)));
    }
}
