//! Streams that cannot go on: a token whose snapshot is gone, a full pool, a destination in use.

use std::process::{Child, Stdio};

use super::witness::{Witness, all_holds, bytes, in_step, newest, replicated};
use crate::lab::{Scene, Stream};
use crate::zerfaux_cli::{replicate, replicate_as};

/// Receives the first part of a stream with `-s`, as a run that broke off leaves it.
fn broken_off(scene: &Scene, send: &str, bytes: u32) {
    let mut sender = scene.source.host.ssh_alone("root");
    let mut sender = sender.arg(format!("{send} | head -c {bytes}")).stdout(Stdio::piped()).spawn().unwrap();
    let stream = sender.stdout.take().unwrap();
    let receive = format!("zfs receive -u -s {}", scene.target.name("copy"));
    let answer = scene.target.host.ssh_alone("root").arg(receive).stdin(stream).output().unwrap();
    sender.wait().unwrap();
    assert!(!answer.status.success());
    assert!(scene.target.resume_token("copy").is_some(), "{}", String::from_utf8_lossy(&answer.stderr));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_token_whose_snapshot_is_gone_is_dropped_and_a_fresh_increment_arrives() {
    let scene = replicated("stale-token");
    let base = newest(&scene.source, "data");
    scene.source.play("w data big 4M\n@ data doomed");
    let data = scene.source.name("data");
    broken_off(&scene, &format!("zfs send -Lec -i @{base} {data}@doomed"), 2 << 20);
    let before = Witness::of(&scene);
    scene.source.play("- data@doomed\nx data big\nw data three 64K");
    replicate(&scene, &["--dry-run"]).expect(0).says(&["drop the partly received stream"]);
    let run = replicate(&scene, &["--json"]).expect(0);
    assert!(bytes(&run) < 1 << 20, "a full send: {}", bytes(&run));
    run.says(&[
        "partly received stream",
        "is dropped",
        "the snapshot it was made from is gone at the source",
    ]);
    in_step(&scene, "data", "copy");
    scene.source.play("@ data doomed");
    drop(before);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_token_of_a_source_that_was_renamed_is_dropped_and_a_fresh_increment_arrives() {
    let scene = replicated("renamed-token");
    let base = newest(&scene.source, "data");
    scene.source.play("w data big 4M\n@ data next");
    let data = scene.source.name("data");
    broken_off(&scene, &format!("zfs send -Lec -i @{base} {data}@next"), 2 << 20);
    let before = Witness::of(&scene);
    scene.source.play("= data moved");
    let run = replicate_as(&scene, "root", ("moved", "copy"), &["--json"]).expect(0);
    run.says(&["partly received stream", "is dropped", "renamed"]);
    before.sees_nothing_lost(&scene);
    in_step(&scene, "moved", "copy");
    assert!(scene.target.exists("copy@next"));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_first_receive_whose_snapshot_is_gone_is_begun_anew() {
    let scene = Scene::new("stale-first");
    scene.source.play("+ data\nw data one 4M\n@ data doomed");
    let data = scene.source.name("data");
    broken_off(&scene, &format!("zfs send -Lec {data}@doomed"), 2 << 20);
    scene.source.play("- data@doomed");
    replicate(&scene, &[]).expect(0).says(&["partly received stream", "is dropped", "is gone at the source"]);
    in_step(&scene, "data", "copy");
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn what_has_partly_arrived_from_another_source_is_not_dropped() {
    let scene = Scene::new("others-token");
    scene.source.play("+ theirs\nw theirs one 4M\n@ theirs s1\n+ data\nw data one 64K\n@ data s1");
    let theirs = scene.source.name("theirs");
    broken_off(&scene, &format!("zfs send -Lec {theirs}@s1"), 2 << 20);
    let token = scene.target.resume_token("copy").unwrap();
    let before = Witness::of(&scene);
    for options in [&[][..], &["--on-conflict", "keep-and-seed"]] {
        replicate(&scene, options).expect(3).says(&[
            "Stopped to protect data",
            &scene.target.name("copy"),
            &format!("{theirs}@s1"),
            "name another destination",
        ]);
    }
    before.sees_no_change(&scene);
    assert_eq!(scene.target.resume_token("copy"), Some(token));
    // It goes on where it broke off.
    replicate_as(&scene, "root", ("theirs", "copy"), &[]).expect(0);
    in_step(&scene, "theirs", "copy");
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_full_pool_is_named_leaves_no_pile_at_the_source_and_the_next_run_arrives() {
    let scene = Scene::with_target_pool("pool-full", "128M");
    scene.source.play("+ data\nw data one 256K\n@ data s1");
    replicate(&scene, &[]).expect(0);
    scene.target.fill("6M");
    scene.source.play("w data big 24M");
    let before = Witness::of(&scene);
    for _ in 0..5 {
        replicate(&scene, &[]).expect(1).says(&[
            &scene.target.name("copy"),
            "the pool is full",
            "Free space in the pool or add disks",
        ]);
        scene.source.play("w data small 16K");
    }
    before.sees_nothing_lost(&scene);
    let held = all_holds(&scene.source, "data");
    assert!(held.len() <= 3, "the base, what is half sent and the newest: {held:?}");
    let marks = scene.source.inventory().into_keys().filter(|name| name.contains('#')).count();
    assert!(marks <= 6, "bookmarks pile up: {:?}", scene.source.inventory());

    scene.target.unfill();
    replicate(&scene, &["--keep-source", "last=2", "--keep-destination", "last=2"]).expect(0);
    in_step(&scene, "data", "copy");
    super::witness::only_newest_is_held(&scene.source, "data");
    super::witness::only_newest_is_held(&scene.target, "copy");
}

/// A receive into `copy` that stays under way until the child's input is closed.
fn slow_receive(scene: &Scene, send: &str, seconds: u32) -> Child {
    let (name, data) = (scene.target.name("copy"), scene.source.host.root(&format!("{send} | base64 -w0")));
    let receive = format!(
        "(base64 -d </run/slow-$$.b64 >/run/slow-$$.raw; rm /run/slow-$$.b64
          head -c 1000000 /run/slow-$$.raw; sleep {seconds}; tail -c +1000001 /run/slow-$$.raw; rm /run/slow-$$.raw
         ) | zfs receive -u {name}"
    );
    let script = format!("cat >/run/slow-$$.b64; {receive}");
    let mut ssh = scene.target.host.ssh_alone("root");
    let mut child = ssh.arg(script).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    use std::io::Write;
    child.stdin.take().unwrap().write_all(data.as_bytes()).unwrap();
    for _ in 0..100 {
        if scene.target.host.stream_runs(Stream::Receive, &name) {
            return child;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let _ = child.kill();
    let _ = child.wait();
    panic!("the slow receive did not start");
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_receive_that_is_under_way_is_waited_for() {
    let scene = replicated("busy");
    let base = newest(&scene.source, "data");
    scene.source.play("w data big 2M\n@ data by-other-means");
    let data = scene.source.name("data");
    let other = slow_receive(&scene, &format!("zfs send -Lec -i @{base} {data}@by-other-means"), 15);
    let before = Witness::of(&scene);
    replicate(&scene, &[]).expect(0).says(&["busy"]);
    let other = other.wait_with_output().unwrap();
    assert!(other.status.success(), "{}", String::from_utf8_lossy(&other.stderr));
    before.sees_nothing_lost(&scene);
    in_step(&scene, "data", "copy");
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_replica_that_somebody_reads_is_replicated_into_all_the_same() {
    let scene = replicated("mounted");
    scene.target.play("m copy");
    let place = scene.target.property("copy", "mountpoint");
    let mut reader = scene.target.host.ssh_alone("root");
    let mut reader = reader
        .arg(format!("exec 7<{place}/one; head -c 1000 <&7 >/dev/null; echo open; read line; sha256sum <&7"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    scene.source.play("w data three 64K");
    let before = Witness::of(&scene);
    replicate(&scene, &[]).expect(0).says(&["is mounted; a replica is best left unmounted"]);
    before.sees_nothing_lost(&scene);
    drop(reader.stdin.take());
    let said = reader.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&said.stdout).starts_with("open\n"), "{said:?}");
    assert_eq!(scene.target.property("copy", "mounted"), "yes", "nobody unmounts what is in use");
    in_step(&scene, "data", "copy");
}
