//! Streams straight from one real OpenSSH server to another, authenticated by the agent of this process: whole or an
//! error, and nothing left behind.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/sshd.rs"]
#[allow(dead_code)]
mod sshd;
#[path = "support/streaming.rs"]
mod streaming;

use std::fs;
use std::num::NonZeroU64;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use sha2::{Digest, Sha256};
use sshd::{Sshd, generate_key, user};
use streaming::{is_running, sh, until, write_data};
use tokio_util::sync::CancellationToken;
use zerfaux::domain::argv::Argv;
use zerfaux::domain::location::{HostKeysRef, HostRef};
use zerfaux::domain::transport::Dial;
use zerfaux::host::{
    DirectRequest, Host, Means, Meter, RelayError, Relayed, Route, Side, SideOutcome, direct, look,
};
use zerfaux::jobs::hosts::Hosts;
use zerfaux::ssh::{ConnectOptions, Identity, KeyPair, Link, PinnedFingerprint};

const MIB: usize = 1 << 20;
const DD: Means = Means { pv: false, dd: true };

/// A source and a target, with different keys, and a home at the source in which nothing is.
struct Scene {
    a: Sshd,
    b: Sshd,
    home: tempfile::TempDir,
    programs: tempfile::TempDir,
}

impl Scene {
    fn new() -> Option<Self> {
        Self::with(&[], &[])
    }

    /// More configuration for the source's server and for the target's.
    fn with(at_source: &[&str], at_target: &[&str]) -> Option<Self> {
        let (home, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = std::env::var("PATH").unwrap();
        let env = format!("SetEnv HOME={} PATH={}:{path}", home.path().display(), programs.path().display());
        let mut config = vec![env.as_str()];
        config.extend(at_source);
        let a = Sshd::start_with(&config, &["ed25519"])?;
        let b = Sshd::start_with(at_target, &["ed25519"])?;
        Some(Self { a, b, home, programs })
    }

    fn route(&self) -> Route {
        self.route_with(|_| ())
    }

    fn route_with(&self, change: impl FnOnce(&mut ConnectOptions)) -> Route {
        let mut options = self.a.options();
        change(&mut options);
        let target = self.b.endpoint();
        Route {
            source: Host::remote(Link::new(self.a.endpoint(), options)),
            target: Host::remote(self.b.link()),
            dial: Dial { host: target.host, port: target.port },
            dial_was_named: true,
        }
    }

    /// Puts a program of that name before all others at the source.
    fn program(&self, name: &str, script: &str) {
        let path = self.programs.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.b.dir().join(name)
    }

    /// Everything in the source's home.
    fn left_at_home(&self) -> Vec<PathBuf> {
        fs::read_dir(self.home.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// How many log-ins the target has accepted.
    fn log_ins(&self) -> usize {
        self.b.log().matches("Accepted publickey for").count()
    }
}

fn request(route: Route, send: &str, receive: &str) -> DirectRequest {
    DirectRequest {
        route,
        means: DD,
        send: sh(send),
        receive: sh(receive),
        meter: Arc::new(Meter::new()),
        limit: None,
        cancel: CancellationToken::new(),
    }
}

async fn carry(route: Route, send: &str, receive: &str) -> Result<Relayed, RelayError> {
    direct(request(route, send, receive)).await
}

#[tokio::test]
async fn every_byte_arrives_with_one_signature_and_nothing_stays_at_the_source() {
    let Some(scene) = Scene::new() else { return };
    let (from, to) = (scene.a.dir().join("from"), scene.file("to"));
    let sum = write_data(&from, 64 * MIB + 12_345);
    let route = scene.route();
    assert_eq!(look(&route).await.map(|means| means.dd), Ok(true));
    let before = scene.log_ins();
    let request = request(
        route,
        &format!("cat {}; echo sent >&2", from.display()),
        &format!("cat > {}; echo received >&2; echo aloud", to.display()),
    );
    let meter = Arc::clone(&request.meter);
    let relayed = direct(request).await.unwrap();
    assert_eq!(relayed.bytes as usize, 64 * MIB + 12_345);
    assert_eq!(meter.bytes(), relayed.bytes);
    assert!(Sha256::digest(fs::read(&to).unwrap())[..] == sum);
    assert_eq!(relayed.source_stderr, "sent");
    assert!(relayed.destination_stderr.contains("received"), "{}", relayed.destination_stderr);

    assert_eq!(scene.log_ins(), before + 1);
    assert!(
        scene.b.log().contains("publickey-hostbound-v00@openssh.com"),
        "it was not bound to the host key"
    );
    assert_eq!(scene.left_at_home(), Vec::<PathBuf>::new());
    // The cipher is the one that costs least where the processor has AES.
    assert!(scene.b.log().contains("cipher: aes128-gcm@openssh.com"));
}

#[tokio::test]
async fn an_empty_stream_and_hostile_words_pass() {
    let Some(scene) = Scene::new() else { return };
    assert_eq!(carry(scene.route(), "true", "cat > /dev/null").await.unwrap().bytes, 0);
    let hostile =
        ["a b", "$(touch canary)", "it's", "\"", "", "\\", "`id`", "-n", "\n", "é*?", ";x", "'\\''"];
    let to = scene.file("words");
    let show = |target: &str| {
        let script = format!("printf '%s|' \"$@\"{target}");
        let words = ["sh".to_owned(), "-c".into(), script, "x".into()];
        Argv::new(words.into_iter().chain(hostile.map(str::to_owned))).unwrap()
    };
    let mut request = request(scene.route(), "true", "true");
    request.send = show("");
    request.receive = show(&format!(" > {0}; cat >> {0}", to.display()));
    direct(request).await.unwrap();
    let once = hostile.join("|") + "|";
    assert_eq!(fs::read_to_string(to).unwrap(), format!("{once}{once}"));
}

#[tokio::test]
async fn keys_of_an_ssh_agent_and_rsa_keys_serve_too() {
    let Some(scene) = Scene::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    let rsa = dir.path().join("rsa");
    generate_key("rsa", &rsa, "");
    scene.b.authorise(&fs::read_to_string(dir.path().join("rsa.pub")).unwrap());
    let socket = dir.path().join("agent");
    let mut agent =
        Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
    until("the agent answers", || socket.exists()).await;
    let added = Command::new("ssh-add").arg(&rsa).env("SSH_AUTH_SOCK", &socket).output().unwrap();
    assert!(added.status.success(), "{added:?}");
    let key = KeyPair::from_file(&rsa, None).unwrap();
    for identity in [Identity::Key(key), Identity::Agent(socket)] {
        let pinned = Arc::new(PinnedFingerprint::of(&scene.b.host_key("ed25519")));
        let link = Link::new(scene.b.endpoint(), ConnectOptions::new(vec![identity], pinned));
        let route = Route { target: Host::remote(link), ..scene.route() };
        let carried = carry(route, "head -c 1000 /dev/zero", "cat > /dev/null").await;
        assert_eq!(carried.map(|relayed| relayed.bytes).map_err(|error| error.to_string()), Ok(1000));
    }
    agent.kill().unwrap();
    agent.wait().unwrap();
}

#[tokio::test]
async fn the_side_that_fails_is_named_with_its_own_words() {
    let Some(scene) = Scene::new() else { return };
    let receive = "head -c 1000000 > /dev/null; echo cannot receive: out of space >&2; exit 1";
    let error = carry(scene.route(), "cat /dev/zero", receive).await.unwrap_err();
    assert_eq!(error.culprit(), Side::Destination, "{error}");
    assert!(error.to_string().contains("cannot receive: out of space") && !error.is_transient(), "{error}");

    let send = "head -c 100000 /dev/zero; echo cannot send >&2; exit 1";
    let error = carry(scene.route(), send, "cat > /dev/null; echo incomplete >&2; exit 1").await.unwrap_err();
    assert_eq!(error.culprit(), Side::Source, "{error}");
    assert!(error.to_string().contains("cannot send") && !error.is_transient(), "{error}");
    assert!(matches!(error, RelayError::Failed { bytes: 100_000, .. }), "{error:?}");

    // The receiver took the torn stream for a whole one; the sender's status tells.
    let error = carry(scene.route(), send, "cat > /dev/null").await.unwrap_err();
    assert_eq!(error.culprit(), Side::Source, "{error}");
    // It left early and was content with that.
    let error = carry(scene.route(), "cat /dev/zero", "head -c 10 > /dev/null").await.unwrap_err();
    assert!(error.to_string().contains("before the stream was at its end"), "{error}");
    let error = carry(scene.route(), "echo x", "exec zerfaux-no-such-command").await.unwrap_err();
    assert_eq!(error.culprit(), Side::Destination, "{error}");
}

#[tokio::test]
async fn a_cut_anywhere_is_an_error_and_the_source_ends_what_it_started() {
    let Some(scene) = Scene::new() else { return };
    let pids = scene.file("pids");
    // Which server is struck: the source's is the control connection, the target's carries the stream.
    for (struck, at) in [("source", 100_000u64), ("target", 1), ("source", 5_000_000), ("target", 9_999_999)]
    {
        fs::write(&pids, "").unwrap();
        let note = format!("echo $$ >> {}", pids.display());
        let send = format!("{note}; exec cat /dev/zero");
        let request = request(scene.route(), &send, &format!("{note}; exec cat > /dev/null"));
        let meter = Arc::clone(&request.meter);
        let running = tokio::spawn(direct(request));
        until("the stream is under way", || meter.bytes() > at).await;
        let sshd = if struck == "source" { &scene.a } else { &scene.b };
        assert!(sshd.signal_sessions(Signal::KILL) > 0);
        let error = running.await.unwrap().unwrap_err();
        assert!(error.is_transient(), "{struck}: {error}");
        match struck {
            "source" => {
                assert_eq!(error.culprit(), Side::Source, "{error}");
                let RelayError::Failed { sender, .. } = error else { panic!("{error:?}") };
                assert!(matches!(sender, SideOutcome::Lost { .. }), "{sender}");
            }
            _ => assert!(matches!(error, RelayError::Hop(_)), "{error:?}"),
        }
        let started: Vec<String> = fs::read_to_string(&pids).unwrap().lines().map(Into::into).collect();
        assert_eq!(started.len(), 2);
        until("both commands have ended", || !started.iter().any(|pid| is_running(pid))).await;
    }
}

#[tokio::test]
async fn cancelling_and_dropping_end_both_commands() {
    let Some(scene) = Scene::new() else { return };
    let pids = scene.file("pids");
    for drop_it in [false, true] {
        fs::write(&pids, "").unwrap();
        let note = format!("echo $$ >> {}", pids.display());
        let send = format!("{note}; exec cat /dev/zero");
        let request = request(scene.route(), &send, &format!("{note}; exec cat > /dev/null"));
        let (meter, cancel) = (Arc::clone(&request.meter), request.cancel.clone());
        let running = tokio::spawn(direct(request));
        until("the stream is under way", || meter.bytes() > 1_000_000).await;
        let started: Vec<String> = fs::read_to_string(&pids).unwrap().lines().map(Into::into).collect();
        assert_eq!(started.len(), 2);
        if drop_it {
            running.abort();
        } else {
            cancel.cancel();
            let error = running.await.unwrap().unwrap_err();
            assert!(matches!(error, RelayError::Cancelled { bytes } if bytes >= 1_000_000), "{error}");
        }
        until("both commands have ended", || !started.iter().any(|pid| is_running(pid))).await;
    }
}

#[tokio::test]
async fn a_control_connection_that_falls_silent_ends_the_stream_within_seconds() {
    let Some(scene) = Scene::new() else { return };
    let brisk = |options: &mut ConnectOptions| options.keepalive_interval = Duration::from_millis(350);
    let request = request(scene.route_with(brisk), "cat /dev/zero", "cat > /dev/null");
    let meter = Arc::clone(&request.meter);
    let running = tokio::spawn(direct(request));
    until("the stream is under way", || meter.bytes() > 1_000_000).await;
    assert!(scene.a.signal_sessions(Signal::STOP) > 0);
    let error = tokio::time::timeout(Duration::from_secs(30), running).await.expect("it hangs");
    let error = error.unwrap().unwrap_err();
    assert_eq!(error.culprit(), Side::Source, "{error}");
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn another_machine_at_the_address_gets_nothing() {
    let (Some(scene), Some(other)) = (Scene::new(), Sshd::start()) else { return };
    // It would even take the key.
    other.authorise(&scene.b.client_key.public_key());
    let mut route = scene.route();
    route.dial.port = other.endpoint().port;
    let found = look(&route).await.unwrap_err();
    assert!(found.to_string().contains("finds another host key"), "{found}");
    assert!(found.advice().contains("Do not go on before you know why") && !found.is_transient());
    let error = carry(route, "echo x", "cat > /dev/null").await.unwrap_err();
    assert!(matches!(error, RelayError::Hop(_)) && !error.is_transient(), "{error:?}");
    assert!(!other.log().contains("Accepted"), "it was logged in");
    assert_eq!(scene.left_at_home(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn the_source_can_use_the_agent_for_nothing_else() {
    let (Some(scene), Some(other)) = (Scene::new(), Sshd::start()) else { return };
    other.authorise(&scene.b.client_key.public_key());
    // A source that turned bad tries the agent on another host, adds and removes keys, and asks for a file's signature.
    let log = scene.file("misuse");
    let known =
        "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o LogLevel=ERROR";
    let script = format!(
        "exec 2>>{log}; echo begin >&2; ssh -F none {known} -p {port} 127.0.0.1 true && echo elsewhere >&2; \
         ssh-add -D; ssh-add -l >&2; ssh-add -L | head -n 1 >{pub}; \
         echo x | ssh-keygen -Y sign -n file -f {pub} >&2 && echo signed >&2; cat /dev/null",
        log = log.display(),
        port = other.endpoint().port,
        pub = scene.file("key.pub").display(),
    );
    carry(scene.route(), &script, "cat > /dev/null").await.unwrap();
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("begin") && said.contains("Permission denied"), "{said}");
    assert!(!said.contains("elsewhere") && !said.contains("signed"), "{said}");
    assert!(said.contains("Failed to remove all identities"), "{said}");
    assert!(said.contains(&scene.b.client_key.fingerprint()), "it lists the one key: {said}");
    assert!(!other.log().contains("Accepted publickey"));
}

#[tokio::test]
async fn a_second_log_in_is_not_signed_and_without_the_agent_there_is_none() {
    let Some(scene) = Scene::new() else { return };
    let log = scene.file("second");
    let target = scene.b.endpoint();
    let ssh = format!(
        "ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -p {} {}@127.0.0.1",
        target.port,
        user()
    );
    // It logs in once more when the stream has begun to flow, and so the first signature has been made.
    let send = format!(
        "head -c 1000000 /dev/zero; sleep 1; {ssh} true 2>{0} && echo again >>{0}; SSH_AUTH_SOCK= {ssh} true 2>>{0} && echo bare >>{0}",
        log.display()
    );
    let error = carry(scene.route(), &send, "cat > /dev/null").await.unwrap_err();
    assert_eq!(error.culprit(), Side::Source, "{error}");
    let said = fs::read_to_string(&log).unwrap();
    assert_eq!(said.matches("Permission denied").count(), 2, "{said}");
    assert!(!said.contains("again") && !said.contains("bare"), "{said}");
}

#[tokio::test]
async fn a_server_without_agent_forwarding_is_told_apart() {
    let Some(scene) = Scene::with(&["AllowAgentForwarding no"], &[]) else { return };
    let route = scene.route();
    let found = look(&route).await.unwrap_err();
    assert!(found.to_string().contains("does not forward an agent"), "{found}");
    assert!(found.advice().contains("AllowAgentForwarding yes"), "{}", found.advice());
    let error = carry(route, "echo x", "cat > /dev/null").await.unwrap_err();
    assert!(matches!(error, RelayError::Hop(_)), "{error:?}");
    assert_eq!(scene.log_ins(), 1, "only this process logged in, for the host key");
}

#[tokio::test]
async fn what_is_missing_at_the_source_or_on_the_way_is_said_in_one_sentence() {
    let Some(scene) = Scene::new() else { return };
    let found = |route: Route| async move { look(&route).await.unwrap_err().to_string() };

    let mut nobody = scene.route();
    nobody.dial.port = 1;
    let said = found(nobody).await;
    assert!(said.contains("does not reach 127.0.0.1:1") && said.contains("refused"), "{said}");
    assert!(!said.contains('\n'), "{said}");

    let mut loopback = scene.route();
    loopback.dial_was_named = false;
    assert!(found(loopback).await.contains("when it is dialled there"));

    let route = Route { source: Host::local(), ..scene.route() };
    assert!(found(route).await.contains("one end of the stream is this host"));

    scene.program("ssh", "case $1 in -V) echo OpenSSH_8.4p1 Debian-5 >&2 ;; *) exit 255 ;; esac");
    let said = found(scene.route()).await;
    assert!(said.contains("has OpenSSH_8.4p1 Debian-5, and OpenSSH 8.9 or later is needed"), "{said}");

    scene.program("ssh", "case $1 in -V) exec /usr/bin/ssh -V ;; *) echo 'Permission denied (publickey).' >&2; exit 255 ;; esac");
    assert!(found(scene.route()).await.contains("does not accept the log-in"));

    scene.program("ssh", "exec /usr/bin/ssh \"$@\"");
    scene.program("dd", "exit 1");
    assert!(found(scene.route()).await.contains("neither pv nor dd"));
    scene.program("pv", "exit 0");
    assert_eq!(look(&scene.route()).await, Ok(Means { pv: true, dd: false }));
}

#[tokio::test]
async fn a_limit_is_handed_to_pv_and_its_count_is_the_stream_s() {
    let Some(scene) = Scene::new() else { return };
    let given = scene.file("pv");
    // It counts as pv -n -b does, and notes what it was given.
    let log = scene.file("pv.err");
    scene.program(
        "pv",
        &format!(
            "echo \"$@\" > {}; dd bs=65536 2>{1}; sed -n 's/ bytes.*//p' {1} >&2",
            given.display(),
            log.display()
        ),
    );
    let means = look(&scene.route()).await.unwrap();
    assert!(means.pv && means.suffice(NonZeroU64::new(1)));
    assert!(!DD.suffice(NonZeroU64::new(1)) && DD.suffice(None));
    let mut request = request(scene.route(), "head -c 3000000 /dev/zero", "cat > /dev/null");
    request.means = means;
    request.limit = NonZeroU64::new(1_048_576);
    assert_eq!(direct(request).await.unwrap().bytes, 3_000_000);
    assert!(fs::read_to_string(given).unwrap().contains("-L 1048576"));
}

#[tokio::test]
async fn a_source_that_no_longer_hears_from_here_ends_the_stream_by_itself() {
    let Some(scene) = Scene::new() else { return };
    // Six silent intervals are enough; here they pass in less than the time between two beats.
    scene.program("sleep", "exec /bin/sleep 0.1");
    let pids = scene.file("pids");
    let note = format!("echo $$ >> {}", pids.display());
    let (send, receive) = (format!("{note}; exec cat /dev/zero"), format!("{note}; exec cat > /dev/null"));
    let error = carry(scene.route(), &send, &receive).await.unwrap_err();
    assert!(!matches!(error, RelayError::Cancelled { .. }), "{error:?}");
    let started: Vec<String> = fs::read_to_string(&pids).unwrap().lines().map(Into::into).collect();
    until("both commands have ended", || !started.iter().any(|pid| is_running(pid))).await;
}

/// The connection that the agent is forwarded on stays for the next stream; each has its one signature.
#[tokio::test]
async fn a_stream_that_went_well_leaves_its_connection_to_the_next() {
    let Some(scene) = Scene::new() else { return };
    let route = scene.route();
    let link = route.source.link().unwrap().clone();
    let stream = || request(route.clone(), "echo data", "cat >/dev/null");
    assert_eq!(direct(stream()).await.unwrap().bytes, 5);
    let (opened, seen) = (link.connections_opened(), scene.log_ins());
    for more in 1..=2 {
        assert_eq!(direct(stream()).await.unwrap().bytes, 5);
        assert_eq!((link.connections_opened(), scene.log_ins()), (opened, seen + more));
    }
}

#[tokio::test]
async fn a_way_is_looked_at_once_while_both_connections_last() {
    let Some(scene) = Scene::new() else { return };
    let (route, hosts) = (scene.route(), Hosts::new(None, None));
    let host = |sshd: &Sshd| HostRef::Ssh {
        endpoint: sshd.endpoint(),
        identities: Vec::new(),
        host_keys: HostKeysRef::Pinned(sshd.host_key("ed25519").fingerprint()),
    };
    let (a, b) = (host(&scene.a), host(&scene.b));
    let link = route.source.link().unwrap();
    for host in [&route.source, &route.target] {
        host.link().unwrap().connect().await.unwrap();
    }
    assert!(hosts.means((&a, &b), &route).await.unwrap().dd);
    let (opened, seen) = (link.connections_opened(), scene.log_ins());
    for _ in 0..3 {
        hosts.means((&a, &b), &route).await.unwrap();
    }
    assert_eq!((link.connections_opened(), scene.log_ins()), (opened, seen));
    // Another connection may lead to a host that was set up anew.
    link.close().await;
    link.connect().await.unwrap();
    hosts.means((&a, &b), &route).await.unwrap();
    assert_eq!(scene.log_ins(), seen + 1);
    hosts.forget_means((&a, &b), &route.dial).await;
    hosts.means((&a, &b), &route).await.unwrap();
    assert_eq!(scene.log_ins(), seen + 2);
}

/// Processor time of this thread so far, on which everything of a test runs.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// The figure of the targets: at most 0.05 s of this process for each GiB that goes straight.
#[tokio::test]
async fn the_bytes_of_a_stream_cost_this_process_next_to_nothing() {
    let Some(scene) = Scene::new() else { return };
    let route = scene.route();
    carry(route.clone(), "true", "cat > /dev/null").await.unwrap();
    let begun = cpu();
    carry(route.clone(), "true", "cat > /dev/null").await.unwrap();
    let nothing = cpu() - begun;
    let begun = cpu();
    let relayed = carry(route, "head -c 536870912 /dev/zero", "cat > /dev/null").await.unwrap();
    assert_eq!(relayed.bytes, 536_870_912);
    let half_a_gibibyte = (cpu() - begun).saturating_sub(nothing);
    assert!(half_a_gibibyte <= Duration::from_millis(25), "{half_a_gibibyte:?} besides {nothing:?}");
    eprintln!("512 MiB straight: {half_a_gibibyte:?} of this process, and {nothing:?} for the connection");
}
