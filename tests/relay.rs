//! Streams between this machine and real OpenSSH servers: whole or an error, never anything between.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/sshd.rs"]
#[allow(dead_code)]
mod sshd;
#[path = "support/streaming.rs"]
mod streaming;

use std::fs;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use sha2::{Digest, Sha256};
use sshd::Sshd;
use streaming::{is_running, sh, until, write_data};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use zerfaux::domain::argv::Argv;
use zerfaux::domain::exit::Exit;
use zerfaux::host::{Host, Meter, RelayError, RelayRequest, Side, SideOutcome, relay};
use zerfaux::ssh::{ConnectOptions, Link};

const MIB: usize = 1 << 20;

fn request(source: &Host, send: &str, destination: &Host, receive: &str) -> RelayRequest {
    let (limit, receiver) = watch::channel(None);
    drop(limit);
    RelayRequest {
        source: source.clone(),
        send: sh(send),
        destination: destination.clone(),
        receive: sh(receive),
        meter: Arc::new(Meter::new()),
        limit: receiver,
        cancel: CancellationToken::new(),
    }
}

fn hash_of(path: &Path) -> [u8; 32] {
    Sha256::digest(fs::read(path).unwrap()).into()
}

fn remote_with(sshd: &Sshd, change: impl FnOnce(&mut ConnectOptions)) -> Host {
    let mut options = sshd.options();
    change(&mut options);
    Host::remote(Link::new(sshd.endpoint(), options))
}

/// Short limits in the same proportion as the real ones.
fn brisk(options: &mut ConnectOptions) {
    options.keepalive_interval = Duration::from_millis(350);
    options.sink_inactivity = Duration::from_millis(1400);
}

fn failed(error: RelayError) -> (SideOutcome, SideOutcome, u64) {
    match error {
        RelayError::Failed { sender, receiver, bytes } => (sender, receiver, bytes),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn all_four_ways_carry_every_byte() {
    let (Some(a), Some(b)) = (Sshd::start(), Sshd::start()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let sum = write_data(&from, 64 * MIB + 12_345);
    let (local, a, b) = (Host::local(), remote_with(&a, |_| ()), remote_with(&b, |_| ()));
    for (source, destination) in [(&a, &b), (&local, &b), (&a, &local), (&local, &local)] {
        let _ = fs::remove_file(&to);
        let request = request(
            source,
            &format!("cat {}; echo sent >&2", from.display()),
            destination,
            &format!("cat > {}; echo received >&2", to.display()),
        );
        let meter = Arc::clone(&request.meter);
        let relayed = relay(request).await.unwrap();
        let way = format!("{} -> {}", source.label(), destination.label());
        assert_eq!(relayed.bytes as usize, 64 * MIB + 12_345, "{way}");
        assert_eq!(meter.bytes(), relayed.bytes, "{way}");
        assert!(hash_of(&to) == sum, "{way}");
        assert_eq!(relayed.source_stderr, "sent", "{way}");
        assert_eq!(relayed.destination_stderr, "received", "{way}");
    }
}

/// In the steady state nothing logs in; what went wrong takes its connections with it, and what died in between is replaced.
#[tokio::test]
async fn a_stream_that_ended_well_leaves_its_connections_to_the_next() {
    let (Some(a), Some(b)) = (Sshd::start(), Sshd::start()) else { return };
    let (from, to) = (remote_with(&a, |_| ()), remote_with(&b, |_| ()));
    let opened = || (from.link().unwrap().connections_opened(), to.link().unwrap().connections_opened());
    for _ in 0..3 {
        assert_eq!(relay(request(&from, "echo data", &to, "cat")).await.unwrap().bytes, 5);
        assert_eq!(opened(), (1, 1));
    }
    // Two at once: one stream at a time on a connection.
    let one = || relay(request(&from, "sleep 0.3; echo data", &to, "cat"));
    let (first, second) = tokio::join!(one(), one());
    assert_eq!((first.unwrap().bytes, second.unwrap().bytes), (5, 5));
    assert_eq!(opened(), (2, 2));

    relay(request(&from, "echo data; exit 1", &to, "cat")).await.unwrap_err();
    relay(request(&from, "echo data", &to, "cat")).await.unwrap();
    assert_eq!(opened(), (2, 2), "the other pair is still there");
    assert!(a.signal_sessions(Signal::KILL) > 0 && b.signal_sessions(Signal::KILL) > 0);
    relay(request(&from, "echo data", &to, "cat")).await.unwrap();
    assert_eq!(opened(), (3, 3));
}

#[tokio::test]
async fn an_empty_stream_is_a_stream() {
    let (Some(a), Some(b)) = (Sshd::start(), Sshd::start()) else { return };
    let (a, b) = (remote_with(&a, |_| ()), remote_with(&b, |_| ()));
    assert_eq!(relay(request(&a, "true", &b, "cat > /dev/null")).await.unwrap().bytes, 0);
    assert_eq!(relay(request(&Host::local(), "true", &Host::local(), "cat")).await.unwrap().bytes, 0);
}

#[tokio::test]
async fn new_keys_are_exchanged_on_the_way_without_a_trace() {
    let config = &["RekeyLimit 3M"][..];
    let (Some(a), Some(b)) = (Sshd::start_with(config, &["ed25519"]), Sshd::start()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let sum = write_data(&from, 96 * MIB);
    let often = |options: &mut ConnectOptions| options.rekey_bytes = 2 * MIB;
    let (send, receive) = (format!("cat {}", from.display()), format!("cat > {}", to.display()));
    relay(request(&remote_with(&a, often), &send, &remote_with(&b, often), &receive)).await.unwrap();
    assert!(hash_of(&to) == sum);
    let rekeyed =
        |log: &str| log.matches("rekey out after").count() + log.matches("SSH2_MSG_NEWKEYS received").count();
    assert!(
        rekeyed(&a.log()) > 20 && rekeyed(&b.log()) > 20,
        "no rekeying took place: {}",
        rekeyed(&b.log())
    );
}

#[tokio::test]
async fn a_source_cut_off_in_mid_stream_is_an_error_every_time() {
    let (Some(a), Some(b)) = (Sshd::start(), Sshd::start()) else { return };
    let (source, destination) = (remote_with(&a, |_| ()), remote_with(&b, |_| ()));
    // Numbers without a pattern, so that the cut falls anywhere in a packet and also before the first one.
    for position in [0, 1, 77_777, 1_234_567, 3_333_333, 9_999_999, 17_171_717] {
        let request = request(&source, "cat /dev/zero", &destination, "cat > /dev/null");
        let meter = Arc::clone(&request.meter);
        let relaying = tokio::spawn(relay(request));
        until("the stream is under way", || meter.bytes() >= position).await;
        // The first cut falls somewhere in the log-in, so it is repeated until it hits.
        while a.signal_sessions(Signal::KILL) == 0 || (position == 0 && !relaying.is_finished()) {
            assert!(!relaying.is_finished() || position == 0);
            if relaying.is_finished() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        match relaying.await.unwrap().unwrap_err() {
            // Cut before the command ran.
            RelayError::Connect { side: Side::Source, .. } if position == 0 => {}
            error => {
                assert_eq!(error.culprit(), Side::Source, "{error}");
                assert!(error.is_transient(), "{error}");
                let (sender, receiver, _) = failed(error);
                assert!(matches!(sender, SideOutcome::Lost { .. }), "{sender}");
                assert!(matches!(receiver, SideOutcome::Stopped { .. }), "{receiver}");
            }
        }
    }
}

#[tokio::test]
async fn a_source_that_fails_gives_the_destination_no_end_of_file() {
    let (Some(a), Some(b)) = (Sshd::start(), Sshd::start()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let remote = (remote_with(&a, |_| ()), remote_with(&b, |_| ()));
    for (source, destination) in [(&remote.0, &remote.1), (&Host::local(), &Host::local())] {
        let send = "head -c 100000 /dev/zero; echo cannot send >&2; exit 1";
        let whole = dir.path().join(if destination.is_local() { "local" } else { "remote" });
        let receive = format!("cat > /dev/null; touch {}", whole.display());
        let error = relay(request(source, send, destination, &receive)).await.unwrap_err();
        assert_eq!(error.culprit(), Side::Source);
        assert!(error.to_string().contains("cannot send") && !error.is_transient(), "{error}");
        let (sender, receiver, bytes) = failed(error);
        assert_eq!(sender, SideOutcome::Exited { exit: Exit::Code(1), stderr: "cannot send".into() });
        assert!(matches!(receiver, SideOutcome::Stopped { .. }), "{receiver}");
        assert_eq!(bytes, 100_000);
        // Elsewhere the server closes the command's input when the connection drops, and OpenSSH passes no signal
        // on to root's commands: there only the status tells, and it is not taken for success.
        if destination.is_local() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(!whole.exists(), "it took a broken stream for a whole one");
        }
    }
}

#[tokio::test]
async fn a_destination_that_leaves_early_says_why() {
    let (Some(a), Some(b)) = (Sshd::start(), Sshd::start()) else { return };
    let (a, b, local) = (remote_with(&a, |_| ()), remote_with(&b, |_| ()), Host::local());
    for (source, destination) in [(&a, &b), (&local, &b), (&a, &local), (&local, &local)] {
        let receive = "head -c 1000000 > /dev/null; echo cannot receive: out of space >&2; exit 1";
        let error = relay(request(source, "cat /dev/zero", destination, receive)).await.unwrap_err();
        assert_eq!(error.culprit(), Side::Destination, "{error}");
        assert!(error.to_string().contains("cannot receive: out of space"), "{error}");
        let (_, receiver, _) = failed(error);
        assert!(matches!(receiver, SideOutcome::Exited { exit: Exit::Code(1), .. }), "{receiver}");

        // A status of 0 does not make it better: not all was taken.
        let error = relay(request(source, "cat /dev/zero", destination, "head -c 10 > /dev/null")).await;
        let error = error.unwrap_err();
        assert!(error.to_string().contains("before the stream was at its end"), "{error}");
    }
}

#[tokio::test]
async fn a_destination_that_has_the_whole_stream_may_leave_first() {
    let (Some(a), Some(b)) = (Sshd::start(), Sshd::start()) else { return };
    let (a, b, local) = (remote_with(&a, |_| ()), remote_with(&b, |_| ()), Host::local());
    for (source, destination) in [(&a, &b), (&local, &local)] {
        let send = "head -c 1000 /dev/zero; sleep 1";
        let relayed = relay(request(source, send, destination, "head -c 1000 > /dev/null")).await.unwrap();
        assert_eq!(relayed.bytes, 1000);
    }
}

#[tokio::test]
async fn a_stalling_destination_is_waited_for() {
    let (Some(a), Some(b)) = (Sshd::start(), Sshd::start()) else { return };
    let (a, b) = (remote_with(&a, brisk), remote_with(&b, brisk));
    // Three times the limit after which a dead connection is given up.
    let request = request(&a, "head -c 50000000 /dev/zero", &b, "sleep 4.2; cat > /dev/null");
    let meter = Arc::clone(&request.meter);
    let relaying = tokio::spawn(relay(request));
    let mut longest = Duration::ZERO;
    while !relaying.is_finished() {
        longest = longest.max(meter.idle());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(relaying.await.unwrap().unwrap().bytes, 50_000_000);
    assert!(longest > Duration::from_secs(2), "it did not stall: {longest:?}");
}

#[tokio::test]
async fn a_server_that_stands_still_is_noticed_on_either_side() {
    for stopped in [Side::Source, Side::Destination] {
        let (Some(a), Some(b)) = (Sshd::start(), Sshd::start()) else { return };
        let (source, destination) = (remote_with(&a, brisk), remote_with(&b, brisk));
        let request = request(&source, "cat /dev/zero", &destination, "cat > /dev/null");
        let meter = Arc::clone(&request.meter);
        let relaying = tokio::spawn(relay(request));
        until("the stream is under way", || meter.bytes() >= 5_000_000).await;
        let sshd = if stopped == Side::Source { &a } else { &b };
        assert!(sshd.signal_sessions(Signal::STOP) > 0);
        let noticed = tokio::time::timeout(Duration::from_secs(30), relaying).await;
        let error = noticed.expect("it hangs").unwrap().unwrap_err();
        assert_eq!(error.culprit(), stopped, "{error}");
        assert!(error.is_transient(), "{error}");
    }
}

#[tokio::test]
async fn cancelling_and_dropping_end_both_commands() {
    let (Some(a), Some(b)) = (Sshd::start(), Sshd::start()) else { return };
    let (a, b, local) = (remote_with(&a, |_| ()), remote_with(&b, |_| ()), Host::local());
    let dir = tempfile::tempdir().unwrap();
    let pids = dir.path().join("pids");
    for (source, destination) in [(&a, &b), (&local, &local)] {
        for drop_it in [false, true] {
            fs::write(&pids, "").unwrap();
            let send = format!("echo $$ >> {}; exec cat /dev/zero", pids.display());
            let receive = format!("echo $$ >> {}; exec cat > /dev/null", pids.display());
            let request = request(source, &send, destination, &receive);
            let (meter, cancel) = (Arc::clone(&request.meter), request.cancel.clone());
            let relaying = tokio::spawn(relay(request));
            // Bytes are on their way before the destination's shell has said its number.
            let started =
                || -> Vec<String> { fs::read_to_string(&pids).unwrap().lines().map(Into::into).collect() };
            until("both are under way", || meter.bytes() >= 1_000_000 && started().len() == 2).await;
            let started = started();
            if drop_it {
                relaying.abort();
            } else {
                cancel.cancel();
                let error = relaying.await.unwrap().unwrap_err();
                assert!(matches!(error, RelayError::Cancelled { bytes } if bytes >= 1_000_000), "{error}");
            }
            until("both commands have ended", || !started.iter().any(|pid| is_running(pid))).await;
        }
    }
}

#[tokio::test]
async fn a_side_that_does_not_start_is_named() {
    let Some(a) = Sshd::start() else { return };
    let (remote, local) = (remote_with(&a, |_| ()), Host::local());
    let stranger = remote_with(&a, |options| options.identities.clear());
    let error = relay(request(&remote, "true", &stranger, "true")).await.unwrap_err();
    assert!(matches!(error, RelayError::Connect { side: Side::Destination, .. }), "{error}");
    let error = relay(request(&stranger, "true", &local, "true")).await.unwrap_err();
    assert!(matches!(error, RelayError::Connect { side: Side::Source, .. }), "{error}");
    assert!(!error.is_transient());

    let mut missing = request(&local, "true", &remote, "true");
    missing.send = Argv::new(["zerfaux-no-such-command"]).unwrap();
    let error = relay(missing).await.unwrap_err();
    assert!(matches!(error, RelayError::Connect { side: Side::Source, .. }), "{error}");
    // Over SSH, a missing command is the shell's exit status.
    let error = relay(request(&local, "true", &remote, "exec zerfaux-no-such-command")).await.unwrap_err();
    let (_, receiver, _) = failed(error);
    assert!(matches!(receiver, SideOutcome::Exited { exit: Exit::Code(127), .. }), "{receiver}");
}

#[tokio::test]
async fn a_limit_holds_back_and_can_be_lifted_on_the_way() {
    let (Some(a), Some(b)) = (Sshd::start(), Sshd::start()) else { return };
    let (a, b) = (remote_with(&a, |_| ()), remote_with(&b, |_| ()));
    let (limit, receiver) = watch::channel(NonZeroU64::new(1000));
    let mut request = request(&a, "head -c 20000000 /dev/zero", &b, "cat > /dev/null");
    request.limit = receiver;
    let meter = Arc::clone(&request.meter);
    let relaying = tokio::spawn(relay(request));
    until("the stream is under way", || meter.bytes() > 0).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    // At this limit it would take five hours.
    assert!(meter.bytes() < 100_000, "{}", meter.bytes());
    limit.send(None).unwrap();
    assert_eq!(relaying.await.unwrap().unwrap().bytes, 20_000_000);
}
