//! `zerfaux replicate --transport direct`: the source itself streams to the target, over the network between the two.

use std::process::Command;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use serde_json::Value;

use crate::lab::{LabHost, Scene, Signal, Stream, assert_same, wait_until};
use crate::running::Running;
use crate::zerfaux_cli::{address, command, ended, replicate, zerfaux};

/// What host a dials to reach host b.
const TARGET: &str = "10.77.0.12";
const DIRECT: [&str; 4] = ["--transport", "direct", "--replication-address", TARGET];
const AUTO: [&str; 2] = ["--replication-address", TARGET];

/// Enough that a stream between the hosts takes some seconds, and where it is interrupted.
const SIZE: u64 = 96 << 20;
const AT: u64 = 8 << 20;

/// The network between the hosts: many use it, one case takes it away.
static NETWORK: RwLock<()> = RwLock::new(());

fn network() -> RwLockReadGuard<'static, ()> {
    NETWORK.read().unwrap_or_else(PoisonError::into_inner)
}

fn options<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&DIRECT[..], more].concat()
}

fn start(scene: &Scene, options: &[&str]) -> Running {
    Running::start(command(scene, "root", ("data", "copy"), &[&["--json"], options].concat()))
}

/// Files that were written on the host since `mark` where a key, a known host or a socket would be.
fn left_since(host: &LabHost, mark: &str) -> String {
    host.root(&format!(
        "set +e
         find /root /home /tmp -xdev -newer {mark} ! -type d ! -name .bash_history 2>/dev/null
         grep -rls 'PRIVATE KEY' /root /home /tmp 2>/dev/null; grep -ls zerfaux-target /root/.ssh/* /etc/ssh/* 2>/dev/null
         pgrep -a ssh-agent; rm -f {mark}; true"
    ))
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_first_run_and_an_increment_go_straight_and_leave_nothing_on_either_host() {
    let _network = network();
    let scene = Scene::new("direct");
    let mark = format!("/run/{}", scene.source.name("mark").replace('/', "-"));
    for side in [&scene.source, &scene.target] {
        side.host.root(&format!("touch {mark}"));
    }
    scene.source.play("+ data\nw data one 4M\n@ data s1\nw data two 512K");
    let first = replicate(&scene, &options(&["--json"])).expect(0);
    assert_eq!(first.result()["direct"], first.result()["streams"], "{}", first.result());
    assert!(first.console().iter().any(|line| line.contains("The stream goes straight from")));
    assert!(first.result()["bytes"].as_u64().is_some_and(|bytes| bytes > 4 << 20), "{}", first.result());
    assert_same((&scene.source, "data"), (&scene.target, "copy"));

    scene.source.play("w data three 256K");
    let second = replicate(&scene, &options(&["--json"])).expect(0).result();
    assert_eq!((&second["streams"], &second["direct"]), (&1.into(), &1.into()), "{second}");
    assert!(second["bytes"].as_u64() < first.result()["bytes"].as_u64(), "{second}");
    assert_same((&scene.source, "data"), (&scene.target, "copy"));
    for side in [&scene.source, &scene.target] {
        assert_eq!(left_since(side.host, &mark), "", "left on {}", side.host.address);
    }
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn killed_in_mid_stream_the_pipeline_ends_and_the_next_run_sends_only_the_rest() {
    let _network = network();
    let scene = Scene::new("direct-kill");
    scene.source.play(&format!("+ data\nw data big {SIZE}"));
    let mut run = start(&scene, &DIRECT);
    run.until_carried(AT);
    run.signal("KILL");
    run.wait().expect(-1);
    wait_until("the source and the target have ended what they ran", || {
        !scene.source.host.stream_runs(Stream::Send, &scene.source.name("data"))
            && !scene.target.host.stream_runs(Stream::Receive, &scene.target.name("copy"))
    });
    assert!(scene.target.tags("copy").is_empty(), "nothing half done looks done");
    assert_only_the_rest_was_sent(&replicate(&scene, &options(&["--json"])).expect(0).result());
    assert_same((&scene.source, "data"), (&scene.target, "copy"));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_stream_whose_receiving_session_is_struck_goes_on_by_itself() {
    let _network = network();
    let scene = Scene::new("direct-struck");
    scene.source.play(&format!("+ data\nw data big {SIZE}\n@ data s1"));
    let mut run = start(&scene, &options(&["--no-snapshot"]));
    run.until_carried(AT);
    let struck = scene.target.host.signal_session(Stream::Receive, &scene.target.name("copy"), Signal::Kill);
    assert!(struck > 0, "there was no receiving side any more");
    let run = run.wait().expect(0);
    assert!(run.console().iter().any(|line| line.contains("broke")), "{:#?}", run.console());
    assert_only_the_rest_was_sent(&run.result());
    assert_same((&scene.source, "data"), (&scene.target, "copy"));
}

/// The hosts no longer see each other; this machine sees both.
#[test]
#[ignore = "needs the lab: tests/run"]
fn cut_off_from_the_target_auto_goes_on_through_this_machine() {
    let _network = NETWORK.write().unwrap_or_else(PoisonError::into_inner);
    let scene = Scene::new("direct-cut");
    scene.source.play(&format!("+ data\nw data big {SIZE}\n@ data s1"));
    let mut run = start(&scene, &[&AUTO[..], &["--no-snapshot"]].concat());
    run.until_carried(AT);
    // Long enough for the keep-alives to run out and for a look that finds no way; then what is left of the
    // connection comes to its end at the target.
    scene.source.host.root(&format!(
        "ip route add unreachable {TARGET}/32; (sleep 50; ip route del unreachable {TARGET}/32) >/dev/null 2>&1 </dev/null &"
    ));
    let run = run.wait();
    wait_until("the network is whole again", || {
        !scene.source.host.root(&format!("ip route get {TARGET} 2>&1 || true")).contains("unreachable")
    });
    let run = run.expect(0);
    let said = run.console().join("\n");
    assert!(said.contains("The stream goes straight from"), "{said}");
    assert!(said.contains("The stream goes through this host:") && said.contains("does not reach"), "{said}");
    assert_only_the_rest_was_sent(&run.result());
    assert_same((&scene.source, "data"), (&scene.target, "copy"));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn without_agent_forwarding_auto_says_so_and_relays_and_direct_changes_nothing() {
    let scene = Scene::new("direct-none");
    scene.source.play("+ data\nw data one 512K\n@ data s1");
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C"]).arg(scene.source.name(".")).arg("-f").arg(&key);
    assert!(keygen.status().expect("ssh-keygen runs").success());
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    // A key of its own, so that no other case is touched.
    scene
        .source
        .host
        .root(&format!("echo 'no-agent-forwarding {}' >> /root/.ssh/authorized_keys", public.trim()));
    let run = |options: &[&str]| {
        let (source, target) = (&scene.source, &scene.target);
        let mut command = zerfaux();
        command.arg("replicate").arg("--identity").arg(&key).arg("--identity").arg(&source.host.key);
        command.arg("--known-hosts").arg(&source.host.known_hosts).args(options);
        command.args([address(source, "root", "data"), address(target, "root", "copy")]);
        ended(command.output().expect("the binary runs"))
    };
    let refused = run(&options(&[]));
    let dry = run(&[&AUTO[..], &["--dry-run"]].concat());
    let before = (scene.source.inventory(), scene.target.inventory());
    let relayed = run(&AUTO);
    scene.source.host.root(&format!(
        "sed -i '/{}$/d' /root/.ssh/authorized_keys",
        scene.source.name(".").replace('/', "\\/")
    ));

    refused.expect(1).says(&[
        "Direct transport is not possible",
        "does not forward an agent",
        "AllowAgentForwarding",
    ]);
    dry.expect(0).says(&["The stream goes through this host:", "does not forward an agent"]);
    assert_eq!(before.0.len(), 3, "the source's root, the dataset and its snapshot: {:?}", before.0);
    assert!(!before.1.keys().any(|name| name.contains("copy")), "{:?}", before.1);
    relayed.expect(0).says(&["The stream goes through this host:", "does not forward an agent"]);
    assert_same((&scene.source, "data"), (&scene.target, "copy"));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn where_the_source_does_not_reach_the_target_auto_relays_and_says_why() {
    let scene = Scene::new("direct-auto");
    scene.source.play("+ data\nw data one 256K");
    // What this machine dials is an address on its own loopback, and the lab's port 1 is closed.
    replicate(&scene, &[])
        .expect(0)
        .says(&["The stream goes through this host:", "when it is dialled there"]);
    scene.source.play("w data two 64K");
    let closed = format!("{TARGET}:1");
    replicate(&scene, &["--replication-address", &closed]).expect(0).says(&["does not reach 10.77.0.12:1"]);
    assert_same((&scene.source, "data"), (&scene.target, "copy"));
}

fn assert_only_the_rest_was_sent(result: &Value) {
    assert_eq!(result["resumed"], 1, "{result}");
    let bytes = result["bytes"].as_u64().unwrap();
    assert!(bytes < SIZE - (2 << 20), "{bytes} were sent again of {SIZE}");
}
