//! Streams straight from one simulated appliance to another: the scripts that a real source runs, over a real SSH
//! connection, authenticated by the agent of this process. The same promises as in `tests/direct.rs`.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/appliances.rs"]
#[allow(dead_code)]
mod appliances;
#[path = "support/streaming.rs"]
#[allow(dead_code)]
mod streaming;

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use appliances::{Sim, Two};
use serde_json::Value;
use streaming::{sh, until};
use tokio_util::sync::CancellationToken;
use zerfaux::domain::argv::Argv;
use zerfaux::domain::endpoint::Endpoint;
use zerfaux::domain::transport::Dial;
use zerfaux::host::{DirectRequest, Host, Means, Meter, RelayError, Relayed, Route, Side, direct, look};
use zerfaux::sim::appliance::{ApplianceOptions, FaultRule};
use zerfaux::ssh::{ConnectOptions, Identity, KeyPair, Link, PinnedFingerprint};

const DD: Means = Means { pv: false, dd: true };

fn link(sim: &Sim, key: &KeyPair) -> Link {
    let address = sim.address();
    let endpoint = Endpoint::new("root", &address.ip().to_string(), address.port()).unwrap();
    let host_key = PinnedFingerprint::new(&sim.host_key_fingerprint());
    Link::new(endpoint, ConnectOptions::new(vec![Identity::Key(key.clone())], Arc::new(host_key)))
}

/// A source and a target with different keys, so that only the agent opens the target.
struct Scene {
    a: Sim,
    b: Sim,
    to_a: KeyPair,
    to_b: KeyPair,
}

impl Scene {
    fn new() -> Self {
        Self::with(ApplianceOptions::default())
    }

    fn with(source: ApplianceOptions) -> Self {
        let (to_a, to_b) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let side = |key: &KeyPair, options: ApplianceOptions| {
            Sim::with(ApplianceOptions { authorized_keys: Some(key.public_key()), ..options })
        };
        let (a, b) = (side(&to_a, source), side(&to_b, ApplianceOptions::default()));
        a.root("zfs create tank/a");
        a.fill("tank/a", "docs/one", 3_000_000, 1);
        a.root("zfs snapshot tank/a@s1");
        Self { a, b, to_a, to_b }
    }

    fn route(&self) -> Route {
        let address = self.b.address();
        Route {
            source: Host::remote(link(&self.a, &self.to_a)),
            target: Host::remote(link(&self.b, &self.to_b)),
            dial: Dial { host: address.ip().to_string(), port: address.port() },
            dial_was_named: true,
        }
    }

    /// How many log-ins the target has accepted by a host-bound signature.
    fn bound_log_ins(&self) -> usize {
        self.b.log_ins().iter().filter(|line| line.starts_with("publickey-hostbound-v00@openssh.com")).count()
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

const SEND: &str = "zfs send tank/a@s1";
const RECEIVE: &str = "zfs receive -s -u tank/b";

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_arrives_with_one_host_bound_log_in() {
    let scene = Scene::new();
    let route = scene.route();
    assert_eq!(look(&route).await, Ok(Means { pv: true, dd: true }));
    let before = scene.bound_log_ins();
    let request = request(route, &format!("{SEND}; echo sent >&2"), &format!("{RECEIVE}; echo received >&2"));
    let meter = Arc::clone(&request.meter);
    let relayed = direct(request).await.unwrap();
    assert!(relayed.bytes > 3_000_000 && meter.bytes() == relayed.bytes, "{}", relayed.bytes);
    assert_eq!(relayed.source_stderr, "sent");
    assert!(relayed.destination_stderr.contains("received"), "{}", relayed.destination_stderr);
    assert!(scene.a.files("tank/a@s1") == scene.b.files("tank/b@s1"));
    assert_eq!(scene.bound_log_ins(), before + 1);
    assert!(scene.a.run("ls -A /root").stdout.is_empty(), "nothing stays at the source");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_stream_and_hostile_words_pass() {
    let scene = Scene::new();
    assert_eq!(carry(scene.route(), "true", "cat > /dev/null").await.unwrap().bytes, 0);
    let hostile = ["a b", "$(reboot)", "it's", "\"", "", "\\", "-n", "\n", "é*?", ";x", "'\\''"];
    let show = |target: &str| {
        let words = [
            "sh".to_owned(),
            "-c".into(),
            format!("printf '%s|' \"$1\" \"$2\" \"$3\" \"$4\" \"$5\" \"$6\" \"$7\" \"$8\" \"$9\"{target}"),
            "x".into(),
        ];
        Argv::new(words.into_iter().chain(hostile.map(str::to_owned))).unwrap()
    };
    let mut request = request(scene.route(), "true", "true");
    request.send = show("");
    request.receive = show(" > /tmp/words; cat >> /tmp/words");
    direct(request).await.unwrap();
    let once = hostile[..9].join("|") + "|";
    assert_eq!(scene.b.root("cat /tmp/words"), format!("{once}{once}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_side_that_fails_is_named_with_its_own_words() {
    let scene = Scene::new();
    let receive = "head -c 1000000 > /dev/null; echo cannot receive: out of space >&2; exit 1";
    let error = carry(scene.route(), "cat /dev/zero", receive).await.unwrap_err();
    assert_eq!(error.culprit(), Side::Destination, "{error}");
    assert!(error.to_string().contains("cannot receive: out of space") && !error.is_transient(), "{error}");

    let send = "head -c 100000 /dev/zero; echo cannot send >&2; exit 1";
    let error = carry(scene.route(), send, "cat > /dev/null; echo incomplete >&2; exit 1").await.unwrap_err();
    assert_eq!(error.culprit(), Side::Source, "{error}");
    assert!(error.to_string().contains("cannot send") && !error.is_transient(), "{error}");
    // The receiver took the torn stream for a whole one; the sender's status tells.
    let error = carry(scene.route(), send, "cat > /dev/null").await.unwrap_err();
    assert_eq!(error.culprit(), Side::Source, "{error}");
    let error = carry(scene.route(), "echo x", "exec no-such-command").await.unwrap_err();
    assert_eq!(error.culprit(), Side::Destination, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_anywhere_is_an_error_and_what_arrived_can_be_resumed() {
    for (at_source, bytes) in [(true, 100_000u64), (false, 1), (true, 2_500_000), (false, 2_000_000)] {
        let scene = Scene::new();
        let rule = if at_source {
            FaultRule {
                command: "zfs send".into(),
                count: Some(1),
                cut_stdout: Some(bytes),
                ..FaultRule::default()
            }
        } else {
            FaultRule {
                command: "zfs receive".into(),
                count: Some(1),
                cut_stdin: Some(bytes),
                ..FaultRule::default()
            }
        };
        if at_source {
            scene.a.add_fault(rule)
        } else {
            scene.b.add_fault(rule)
        }
        let error = carry(scene.route(), SEND, RECEIVE).await.unwrap_err();
        assert!(error.is_transient(), "{at_source} {bytes}: {error}");
        assert_eq!(scene.a.faults_struck() + scene.b.faults_struck(), 1);
        until("the receive has ended", || {
            scene.b.run("zfs list tank/b").status != 0
                || scene.b.root("zfs get -H -o value receive_resume_token tank/b") != "-\n"
        })
        .await;
        let rest = match scene.b.run("zfs get -H -o value receive_resume_token tank/b") {
            told if told.status == 0 => {
                format!("zfs send -t {}", String::from_utf8(told.stdout).unwrap().trim())
            }
            _ => SEND.to_owned(),
        };
        carry(scene.route(), &rest, RECEIVE).await.unwrap();
        assert!(scene.a.files("tank/a@s1") == scene.b.files("tank/b@s1"), "{at_source} {bytes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_and_dropping_end_what_runs_on_both() {
    for drop_it in [false, true] {
        let scene = Scene::new();
        let note = "echo begun >> /tmp/log; cat";
        let request =
            request(scene.route(), "cat /dev/zero", &format!("{note} > /dev/null; echo over >> /tmp/log"));
        let (meter, cancel) = (Arc::clone(&request.meter), request.cancel.clone());
        let running = tokio::spawn(direct(request));
        until("the stream is under way", || meter.bytes() > 1_000_000).await;
        if drop_it {
            running.abort();
        } else {
            cancel.cancel();
            let error = running.await.unwrap().unwrap_err();
            assert!(matches!(error, RelayError::Cancelled { bytes } if bytes >= 1_000_000), "{error}");
        }
        until("the receiver has seen the end", || scene.b.run("cat /tmp/log").stdout.ends_with(b"over\n"))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_machine_at_the_address_gets_nothing() {
    let (scene, other) = (Scene::new(), Sim::with(ApplianceOptions::default()));
    let mut route = scene.route();
    route.dial.port = other.address().port();
    let found = look(&route).await.unwrap_err();
    assert!(found.to_string().contains("finds another host key"), "{found}");
    let error = carry(route, "echo x", "cat > /dev/null").await.unwrap_err();
    assert!(matches!(error, RelayError::Hop(_)) && !error.is_transient(), "{error:?}");
    assert_eq!(other.log_ins(), Vec::<String>::new());
}

/// `ssh` as a source that turned bad would call it, to that appliance.
fn misuse(at: &Sim) -> String {
    format!(
        "ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -p {} root@127.0.0.1",
        at.address().port()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_refuses_another_host_and_a_second_log_in() {
    let scene = Scene::new();
    // It would take the key.
    let other = Sim::with(ApplianceOptions {
        authorized_keys: Some(scene.to_b.public_key()),
        ..ApplianceOptions::default()
    });
    let send = format!(
        "{} echo elsewhere 2>/tmp/err >/tmp/said; head -c 1000000 /dev/zero; sleep 1; {again} echo again 2>>/tmp/err \
         >>/tmp/said; SSH_AUTH_SOCK= {again} echo bare 2>>/tmp/err >>/tmp/said; cat /dev/null",
        misuse(&other),
        again = misuse(&scene.b),
    );
    carry(scene.route(), &send, "cat > /dev/null").await.unwrap();
    let (errors, said) = (scene.a.root("cat /tmp/err"), scene.a.root("cat /tmp/said"));
    assert_eq!(errors.matches("Permission denied").count(), 3, "{errors}");
    assert_eq!(errors.matches("agent refused operation").count(), 2, "{errors}");
    assert_eq!(said, "");
    assert_eq!(other.log_ins(), Vec::<String>::new());
    assert_eq!(scene.bound_log_ins(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_refuses_after_its_deadline() {
    let scene = Scene::new();
    let (source, target) = (link(&scene.a, &scene.to_a), link(&scene.b, &scene.to_b));
    for (time, pause, let_in) in [(30_000, 0, true), (300, 1, false)] {
        let mut connection = source.open_forwarding(&target).await.unwrap();
        let script = format!("sleep {pause}; {} echo in", misuse(&scene.b));
        let (mut reader, _writer) =
            connection.start_forwarding(&sh(&script), (1, Duration::from_millis(time))).await.unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        loop {
            match reader.next().await {
                zerfaux::ssh::StreamEvent::Data(bytes) => out.extend_from_slice(&bytes),
                zerfaux::ssh::StreamEvent::Stderr(bytes) => err.extend_from_slice(&bytes),
                zerfaux::ssh::StreamEvent::Closed | zerfaux::ssh::StreamEvent::Lost(_) => break,
                _ => {}
            }
        }
        assert_eq!(out == b"in\n", let_in, "{}", String::from_utf8_lossy(&err));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_at_the_source_is_said_in_one_sentence() {
    let with = |change: fn(&mut ApplianceOptions)| {
        let mut options = ApplianceOptions::default();
        change(&mut options);
        Scene::with(options)
    };
    let found = |scene: Scene| async move { look(&scene.route()).await.unwrap_err().to_string() };
    let none = found(with(|options| options.forwards_agents = false)).await;
    assert!(none.contains("does not forward an agent"), "{none}");
    let none = found(with(|options| options.missing = vec!["ssh".into()])).await;
    assert!(none.contains("there is no ssh command"), "{none}");
    let old = found(with(|options| options.openssh = "OpenSSH_8.4p1 Debian-5".into())).await;
    assert!(old.contains("has OpenSSH_8.4p1 Debian-5, and OpenSSH 8.9 or later is needed"), "{old}");
    let none = found(with(|options| options.missing = vec!["pv".into(), "dd".into()])).await;
    assert!(none.contains("neither pv nor dd"), "{none}");
    let scene = with(|options| options.missing = vec!["pv".into()]);
    assert_eq!(look(&scene.route()).await, Ok(DD));
    let mut nobody = scene.route();
    nobody.dial.port = 1;
    let said = look(&nobody).await.unwrap_err().to_string();
    assert!(said.contains("does not reach 127.0.0.1:1") && said.contains("refused"), "{said}");
    // Out into the world it does not go.
    nobody.dial.host = "192.0.2.1".into();
    assert!(look(&nobody).await.unwrap_err().to_string().contains("does not reach 192.0.2.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_kept_by_pv() {
    let scene = Scene::new();
    let mut request = request(scene.route(), "head -c 600000 /dev/zero", "cat > /dev/null");
    request.means = Means { pv: true, dd: true };
    request.limit = NonZeroU64::new(400_000);
    let relayed = direct(request).await.unwrap();
    assert_eq!(relayed.bytes, 600_000);
    assert!(relayed.elapsed >= Duration::from_secs(1), "{:?}", relayed.elapsed);
}

#[test]
fn the_program_replicates_straight_between_them_and_says_so() {
    let two = Two::new();
    two.source.root("zfs create src/a; zfs create src/a/child");
    two.source.fill("src/a", "docs/one", 2 << 20, 1);
    two.source.fill("src/a/child", "x", 100_000, 2);
    let dial = two.target.address().to_string();
    for (transport, way) in [("direct", "direct"), ("auto", "direct"), ("relay", "relay")] {
        two.source.fill("src/a", "docs/two", 100_000, 3);
        let mut options = vec!["-r", "--json", "--transport", transport];
        if transport != "relay" {
            options.extend(["--replication-address", &dial]);
        }
        let output = two.replicate(("a", "b"), &options).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{transport}: {out}{err}");
        assert_eq!(out.contains("goes straight from"), way == "direct", "{transport}: {out}");
        let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
        assert_eq!(last["event"], "result", "{last}");
        for child in ["", "/child"] {
            let tag = two.source.tags(&format!("src/a{child}")).pop().unwrap();
            let here = two.source.files(&format!("src/a{child}@{tag}"));
            assert!(here == two.target.files(&format!("dst/b{child}@{tag}")), "{transport} {child}");
        }
        let bound = two.target.log_ins().iter().any(|line| line.starts_with("publickey-hostbound"));
        assert!(bound, "the agent logged in");
    }
    // Without an address of its own, loopback means the source itself.
    let output = two.replicate(("a", "b"), &["--dry-run"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("goes through this host"), "{output:?}");
}
