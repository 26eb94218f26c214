//! Proves the lab itself: what the other cases build on does what it says. Nothing of Zerfaux runs here.

use crate::lab::{Entry, Scene, Side, Signal, Stream, hosts, wait_until};
use std::process::{Command, Stdio};

#[test]
#[ignore = "needs the lab: tests/run"]
fn both_hosts_answer_and_run_the_same_openzfs_in_userland_and_kernel() {
    let (a, b) = hosts();
    for host in [a, b] {
        let version = host.root("zfs version");
        let lines: Vec<&str> = version.lines().collect();
        assert_eq!(lines.len(), 2, "{version}");
        assert!(lines[0].starts_with("zfs-2."), "{version}");
        assert_eq!(lines[0].strip_prefix("zfs-"), lines[1].strip_prefix("zfs-kmod-"), "{version}");
    }
    assert_eq!(a.root("hostname").trim(), "a");
    assert_eq!(b.root("hostname").trim(), "b");
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn the_administrator_may_use_sudo_and_the_hosts_reach_each_other() {
    let (a, b) = hosts();
    assert_eq!(a.try_as("zfsadmin", "sudo -n id -u").stdout, b"0\n");
    let greeting =
        a.try_as("zfsadmin", &format!("timeout 20 bash -c 'head -c 4 </dev/tcp/{}/22'", b.lab_address));
    assert_eq!(String::from_utf8_lossy(&greeting.stdout), "SSH-", "{}", greeting.stderr);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_failed_command_is_told_apart_from_a_successful_one() {
    let (a, _) = hosts();
    let answer = a.try_as("root", "echo out; echo err >&2; exit 7");
    assert_eq!(
        (answer.status, answer.stdout.as_slice(), answer.stderr.as_str()),
        (7, &b"out\n"[..], "err\n")
    );
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_raw_send_and_receive_through_ssh_arrives_whole() {
    let scene = Scene::new("raw-send");
    scene.source.play(
        "+ data
         w data big 20M
         w data small 3
         w data \"with space\" 64K
         @ data s1
         w data inc 3M
         x data small
         @ data s2
         b data s1 mark",
    );
    let data = scene.source.name("data");
    let copy = scene.target.name("copy");
    pipe(&scene, &format!("zfs send -Lec {data}@s1"), &format!("zfs receive -u -s {copy}")).unwrap();
    pipe(&scene, &format!("zfs send -Lec -i {data}#mark {data}@s2"), &format!("zfs receive -u -s {copy}"))
        .unwrap();

    assert_eq!(scene.target.snapshots("copy"), scene.source.snapshots("data"));
    for snapshot in ["s1", "s2"] {
        let sent = scene.source.files(&format!("data@{snapshot}"));
        assert_eq!(scene.target.files(&format!("copy@{snapshot}")), sent);
        assert!(matches!(sent["big"], Entry::File(_)) && sent.contains_key("with space"), "{sent:?}");
    }
    assert_eq!(scene.target.property("copy", "mounted"), "no", "looking did not mount the copy");
    assert_eq!(scene.target.inventory().len(), 4, "the root, the copy and two snapshots; no clone is left");
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn what_a_scene_writes_is_seen_by_looking() {
    let side = Side::new(hosts().0, "scene");
    side.play(
        "+ data zerfaux:test=yes
         w data one 1M 7
         w data same 1M 7
         w data other 1M 8
         @ data s1
         h data s1 keep
         v vol 8M
         d vol 2M 7
         @ vol v1
         e secret correct-horse
         w secret file 100
         @ secret e1
         u secret
         l secret",
    );
    let files = side.files("data@s1");
    assert_eq!(files.len(), 3);
    assert_eq!(files["one"], files["same"], "the same seed gives the same bytes");
    assert_ne!(files["one"], files["other"]);
    assert_eq!(side.holds("data@s1"), ["keep"]);
    assert_eq!(side.user_properties("data")["zerfaux:test"], ("yes".into(), "local".into()));
    assert_eq!(side.volume_hash("vol@v1").len(), 64);
    assert_eq!(side.property("secret", "keystatus"), "unavailable");
    assert_eq!(side.tags("data"), ["s1"]);
    assert!(side.exists("vol@v1") && !side.exists("vol@v2") && !side.exists("nothing"));
    assert!(side.property("data", "compressratio").trim_end_matches('x').parse::<f64>().unwrap() < 1.05);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_session_killed_in_mid_stream_leaves_a_resume_token() {
    let scene = Scene::new("killed");
    scene.source.play("+ data\nw data big 40M\n@ data s1");
    let copy = scene.target.name("copy");
    let watch = scene.target.host.watch_session(Stream::Receive, &copy, 8 << 20, Signal::Kill);
    let send = format!("zfs send -Lec {}", scene.source.name("data@s1"));
    let receive = format!("zfs receive -u -s {copy}");
    let outcome = pipe(&scene, &send, &receive);
    let carried = watch.struck_at();

    assert!(outcome.is_err(), "the receiving end must not look successful");
    assert!((8 << 20..40 << 20).contains(&carried), "struck after {carried} bytes");
    wait_until("the broken receive has ended", || !scene.target.host.stream_runs(Stream::Receive, &copy));
    assert!(scene.target.tags("copy").is_empty());

    let token = scene.target.resume_token("copy").expect("a receive with -s leaves a token");
    pipe(&scene, &format!("zfs send -t {token}"), &receive).unwrap();
    assert_eq!(scene.target.files("copy@s1"), scene.source.files("data@s1"));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_stopped_session_stands_still_until_it_is_continued() {
    let scene = Scene::new("stopped");
    scene.source.play("+ data\nw data big 30M\n@ data s1");
    let (host, copy) = (scene.target.host, scene.target.name("copy"));
    let watch = host.watch_session(Stream::Receive, &copy, 4 << 20, Signal::Stop);
    std::thread::scope(|scope| {
        let stream = scope.spawn(|| {
            let send = format!("zfs send -Lec {}", scene.source.name("data@s1"));
            pipe(&scene, &send, &format!("zfs receive -u -s {copy}"))
        });
        watch.struck_at();
        // However fast the hosts are, a stopped session carries nothing. Continued before anything is judged, so
        // that a failure does not leave it standing.
        std::thread::sleep(std::time::Duration::from_secs(3));
        let (ended, tags) = (stream.is_finished(), scene.target.tags("copy"));
        let continued = host.signal_session(Stream::Receive, &copy, Signal::Continue);
        let outcome = stream.join().unwrap();
        assert!(!ended && tags.is_empty(), "the stream went on behind the stopped session: {tags:?}");
        assert!(continued > 0);
        outcome.unwrap();
    });
    assert_eq!(scene.target.tags("copy"), ["s1"]);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_filled_pool_refuses_a_receive_and_takes_it_when_there_is_room_again() {
    let scene = Scene::with_target_pool("full", "128M");
    scene.source.play("+ data\nw data big 20M\n@ data s1");
    scene.target.fill("4M");
    let send = format!("zfs send -Lec {}", scene.source.name("data@s1"));
    let receive = format!("zfs receive -u {}", scene.target.name("copy"));
    let refusal = pipe(&scene, &send, &receive).unwrap_err();
    assert!(refusal.contains("out of space"), "{refusal}");
    assert!(!scene.target.exists("copy"));
    scene.target.unfill();
    pipe(&scene, &send, &receive).unwrap();
    assert_eq!(scene.target.tags("copy"), ["s1"]);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn syncoid_replicates_between_the_hosts() {
    let program =
        std::env::var("ZERFAUX_LAB_SYNCOID").expect("tests/run names syncoid in ZERFAUX_LAB_SYNCOID");
    let scene = Scene::new("syncoid");
    scene.source.play("+ data\nw data big 2M\n@ data manual");
    let (from, to) = (scene.source.name("data"), scene.target.name("copy"));
    let run = Command::new(program)
        .args(["--no-privilege-elevation", "--no-command-checks"])
        .args([format!("root@a:{from}"), format!("root@b:{to}")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let seen = scene.target.snapshots("copy");
    assert_eq!(seen, scene.source.snapshots("data"));
    assert!(seen[0].tag == "manual" && seen[1].tag.starts_with("syncoid_"), "{seen:?}");
}

/// `source | target` through this machine, as an administrator would type it; the error is what both ends said.
fn pipe(scene: &Scene, send: &str, receive: &str) -> Result<(), String> {
    let mut sender = scene.source.host.ssh_alone("root");
    let mut sender =
        sender.arg(send).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh runs");
    let stream = sender.stdout.take().expect("standard output is a pipe");
    let receiver = scene.target.host.ssh_alone("root").arg(receive).stdin(stream).output().expect("ssh runs");
    let sender = sender.wait_with_output().expect("ssh runs");
    if sender.status.success() && receiver.status.success() {
        return Ok(());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&sender.stderr), String::from_utf8_lossy(&receiver.stderr)))
}
