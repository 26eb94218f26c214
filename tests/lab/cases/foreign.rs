//! Snapshots, holds, clones and replicas of others are used as a base where they are one, and left alone.

use std::process::{Command, Stdio};

use super::witness::{Witness, bytes, in_step, newest, replicated};
use crate::lab::Scene;
use crate::zerfaux_cli::{replicate, replicate_as};

const KEEP_ONE: [&str; 4] = ["--keep-source", "last=1", "--keep-destination", "last=1"];

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_renamed_dataset_and_a_renamed_snapshot_are_found_by_guid() {
    let scene = replicated("renamed");
    let tag = newest(&scene.source, "data");
    let (old, new) = (scene.source.name(&format!("data@{tag}")), scene.source.name("data@renamed"));
    scene.source.host.root(&format!("zfs rename {old} {new}"));
    scene.source.play("u data\n= data moved\nm moved\nw moved three 96K");
    let before = Witness::of(&scene);
    let run = replicate_as(&scene, "root", ("moved", "copy"), &["--json"]).expect(0);
    assert!(bytes(&run) < 512 << 10, "everything travelled again: {}", bytes(&run));
    before.sees_nothing_lost(&scene);
    in_step(&scene, "moved", "copy");
    // And the one after that, with retention, which has to find its own snapshots under their new names.
    scene.source.play("w moved four 32K");
    let run =
        replicate_as(&scene, "root", ("moved", "copy"), &[&["--json"][..], &KEEP_ONE].concat()).expect(0);
    assert!(bytes(&run) < 512 << 10, "{}", bytes(&run));
    in_step(&scene, "moved", "copy");
    assert!(!scene.source.exists("moved@renamed"), "ours, whatever it is called now");
    assert!(scene.source.exists("moved@by-hand") && scene.target.exists("copy@by-hand"));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn snapshots_by_hand_and_of_sanoid_are_a_base_and_outlive_our_retention() {
    let scene = Scene::new("sanoid");
    scene.source.play(
        "+ data
         w data one 2M
         @ data autosnap_2026-11-20_00:00:01_daily
         w data two 64K
         @ data by-hand",
    );
    // A replica that somebody made with a pipe.
    pipe_by_hand(&scene, "by-hand");
    let foreign = Witness::of(&scene);
    scene.source.play("w data three 64K\n@ data autosnap_2026-11-21_00:00:01_daily");
    let run = replicate(&scene, &[&["--json"][..], &KEEP_ONE].concat()).expect(0);
    assert!(bytes(&run) < 512 << 10, "a full send: {}", bytes(&run));
    for round in 0..2 {
        scene.source.play(&format!("w data more{round} 32K\n@ data hand-{round}"));
        replicate(&scene, &KEEP_ONE).expect(0);
    }
    foreign.sees_nothing_lost(&scene);
    in_step(&scene, "data", "copy");
    let ours = |tags: Vec<String>| tags.into_iter().filter(|tag| tag.starts_with("zx-")).count();
    assert_eq!(ours(scene.source.tags("data")), 1, "of ours, one stays: {:?}", scene.source.tags("data"));
    assert_eq!(ours(scene.target.tags("copy")), 1, "of ours, one stays: {:?}", scene.target.tags("copy"));
    for tag in ["autosnap_2026-11-21_00:00:01_daily", "hand-0", "hand-1"] {
        assert!(scene.source.exists(&format!("data@{tag}")), "{tag} is gone at the source");
        assert!(scene.target.exists(&format!("copy@{tag}")), "{tag} is gone at the target");
    }
}

/// `zfs send | ssh zfs receive` of one snapshot with what is before it.
fn pipe_by_hand(scene: &Scene, tag: &str) {
    let (from, to) = (scene.source.name("data"), scene.target.name("copy"));
    let first = scene.source.tags("data")[0].clone();
    for send in [format!("zfs send {from}@{first}"), format!("zfs send -I @{first} {from}@{tag}")] {
        let mut sender = scene.source.host.ssh_alone("root");
        let mut sender = sender.arg(send).stdout(Stdio::piped()).spawn().unwrap();
        let stream = sender.stdout.take().unwrap();
        let receive = format!("zfs receive -u {to}");
        let status = scene.target.host.ssh_alone("root").arg(receive).stdin(stream).status().unwrap();
        assert!(status.success() && sender.wait().unwrap().success());
    }
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_replica_begun_by_syncoid_is_taken_over_and_syncoids_snapshots_stay() {
    let scene = Scene::new("takeover");
    scene.source.play("+ data\nw data one 2M\n@ data manual");
    syncoid(&scene);
    let foreign = Witness::of(&scene);
    scene.source.play("w data two 96K");
    let run = replicate(&scene, &[&["--json"][..], &KEEP_ONE].concat()).expect(0);
    assert!(bytes(&run) < 512 << 10, "a full send: {}", bytes(&run));
    scene.source.play("w data three 96K");
    replicate(&scene, &KEEP_ONE).expect(0);
    foreign.sees_nothing_lost(&scene);
    in_step(&scene, "data", "copy");
    let role = &scene.target.user_properties("copy")["zerfaux:role"];
    assert_eq!(role, &("replica".to_owned(), "local".to_owned()));
}

fn syncoid(scene: &Scene) {
    let program =
        std::env::var("ZERFAUX_LAB_SYNCOID").expect("tests/run names syncoid in ZERFAUX_LAB_SYNCOID");
    let (from, to) = (scene.source.name("data"), scene.target.name("copy"));
    let run = Command::new(program)
        .args(["--no-privilege-elevation", "--no-command-checks"])
        .args([format!("root@a:{from}"), format!("root@b:{to}")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn our_snapshot_stays_while_somebody_holds_or_clones_it_and_the_run_says_why() {
    let scene = replicated("held");
    let tag = newest(&scene.source, "data");
    scene.target.play(&format!("h copy {tag} auditor"));
    scene.source.play(&format!("c data {tag} looking\nw data three 64K"));
    let before = Witness::of(&scene);
    let run = replicate(&scene, &KEEP_ONE).expect(0);
    run.says(&[
        &format!("copy@{tag} stays although the retention would let it go: held by 1 hold"),
        "zfs holds",
        &format!(
            "data@{tag} stays although the retention would let it go: cloned as {}",
            scene.source.name("looking")
        ),
    ]);
    before.sees_nothing_lost(&scene);

    // Once it is let go, so does the retention.
    scene.target.play(&format!("r copy {tag} auditor"));
    scene.source.play("- looking\nw data four 32K");
    replicate(&scene, &KEEP_ONE).expect(0);
    assert!(!scene.source.exists(&format!("data@{tag}")) && !scene.target.exists(&format!("copy@{tag}")));
    in_step(&scene, "data", "copy");
}
