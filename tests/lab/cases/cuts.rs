//! Streams that are cut: never taken for a success, and always to be continued.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use zerfaux::domain::argv::Argv;
use zerfaux::domain::dataset::DatasetKind;
use zerfaux::domain::endpoint::Endpoint;
use zerfaux::host::{Host, Meter, RelayError, RelayRequest, Relayed, SideOutcome, relay};
use zerfaux::ssh::{ConnectOptions, Identity, KeyPair, KnownHosts, Link};
use zerfaux::zfs::{ReceiveArgs, SendArgs, Zfs, common_flags};

use crate::lab::{LabHost, Scene, Signal, Stream, assert_same, wait_until};
use crate::running::Running;
use crate::zerfaux_cli::command;

const CUTS: usize = 20;

/// A campaign cuts more often (`ZERFAUX_LAB_CUTS`).
fn cuts() -> usize {
    std::env::var("ZERFAUX_LAB_CUTS").ok().and_then(|text| text.parse().ok()).unwrap_or(CUTS)
}
/// What a stream carries, and where in it a cut may be: not so near its end that all of it could be under way.
const SIZE: u64 = 8 << 20;
const POSITIONS: std::ops::Range<u64> = 64 << 10..6 << 20;

/// The source's sshd is killed at random bytes; the relay itself, with nothing above it that would try again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab: tests/run"]
async fn a_source_killed_in_mid_stream_is_an_error_and_leaves_a_token_and_never_a_success() {
    let seed = seed();
    let scene = Scene::new("cuts");
    scene.source.play(&format!("+ data\nw data big {}\nw data small 100\n@ data s1", SIZE - (64 << 10)));
    let original = scene.source.files("data@s1");
    let guid = scene.source.snapshots("data");
    let ends = Ends::open(&scene).await;
    let mut random = Random(seed);
    let (mut false_successes, mut positions, mut sent_again) = (Vec::new(), Vec::new(), 0);
    let cuts = cuts();
    for number in 0..cuts {
        let copy = format!("copy{number}");
        let wanted = random.below(POSITIONS);
        let (at, outcome) = ends.cut(&scene, &copy, wanted).await;
        positions.push(at);
        let told = format!("seed {seed}, cut {number} after {at} bytes");
        match outcome {
            Ok(relayed) => {
                false_successes.push(format!("{told}: {relayed:?}"));
                continue;
            }
            Err(RelayError::Failed { sender: SideOutcome::Lost { .. }, .. }) => {}
            Err(other) => panic!("{told}: it was the source that broke, but: {other:?}"),
        }
        wait_until("the broken receive has ended", || {
            !scene.target.host.stream_runs(Stream::Receive, &scene.target.name(&copy))
        });
        let token = scene.target.resume_token(&copy).unwrap_or_else(|| panic!("{told}: there is no token"));
        assert!(scene.target.tags(&copy).is_empty(), "{told}: half a stream became a snapshot");

        let rest = ends.resume(&scene, &copy, &token).await.unwrap_or_else(|error| panic!("{told}: {error}"));
        sent_again += rest.bytes;
        assert_eq!(scene.target.snapshots(&copy), guid, "{told}");
        assert_eq!(scene.target.files(&format!("{copy}@s1")), original, "{told}");
    }
    eprintln!(
        "source cut in mid-stream: {cuts} points (seed {seed}; after {positions:?} bytes), {} false successes",
        false_successes.len()
    );
    assert_eq!(false_successes, Vec::<String>::new());
    // One that was struck at its very beginning may have kept nothing; most have kept something.
    assert!(sent_again < cuts as u64 * SIZE, "no stream went on from where it was cut");
}

/// Above the relay there is the step that tries again: once its source is lost and once its destination.
#[test]
#[ignore = "needs the lab: tests/run"]
fn a_run_whose_connections_break_says_so_and_goes_on_by_itself() {
    let scene = Scene::new("cuts-run");
    // Much more than what may be under way between the two, so that both are still at work when they are struck.
    scene.source.play("+ data\nw data big 40M\n@ data s1");
    let options = ["--no-snapshot", "--json", "--bwlimit", "5M"];
    let mut run = Running::start(command(&scene, "root", ("data", "copy"), &options));
    run.until_carried(2 << 20);
    let struck = scene.source.host.signal_session(Stream::Send, &scene.source.name("data@s1"), Signal::Kill);
    assert!(struck > 0, "there was no sending side any more");
    while run.next().expect("it goes on")["message"].as_str().is_none_or(|said| !said.contains("the rest of"))
    {
    }
    run.until_carried(2 << 20);
    let struck = scene.target.host.signal_session(Stream::Receive, &scene.target.name("copy"), Signal::Kill);
    assert!(struck > 0, "there was no receiving side any more");
    let run = run.wait().expect(0);

    let said = run.console();
    for host in [scene.source.host, scene.target.host] {
        let broke = format!("the connection to root@{}:{} broke", host.address, host.port);
        assert!(said.iter().any(|line| line.contains(&broke)), "{broke:?} is not in {said:#?}");
    }
    let result = run.result();
    assert_eq!((&result["streams"], &result["resumed"]), (&1.into(), &1.into()), "{result}");
    assert_same((&scene.source, "data"), (&scene.target, "copy"));
}

/// OpenZFS at both ends of the scene.
struct Ends {
    source: Zfs,
    target: Zfs,
}

impl Ends {
    async fn open(scene: &Scene) -> Self {
        Self { source: zfs_on(scene.source.host).await, target: zfs_on(scene.target.host).await }
    }

    /// Begins a stream, holds it back at `position`, kills the sshd that carries the sending side, and lets go.
    /// Gives where that was and how the relay ended.
    async fn cut(&self, scene: &Scene, copy: &str, position: u64) -> (u64, Result<Relayed, RelayError>) {
        let snapshot = scene.source.name("data@s1");
        let flags = common_flags(self.source.version(), self.target.version());
        let send = self.source.send_argv(&SendArgs::full(snapshot.parse().unwrap(), flags)).unwrap();
        let (limit, limited) = watch::channel(NonZeroU64::new(4 << 20));
        let meter = Arc::new(Meter::default());
        let stream = tokio::spawn(relay(self.request(scene, copy, send, &meter, limited)));
        while meter.bytes() < position {
            assert!(!stream.is_finished(), "the stream ended by itself: {:?}", stream.await);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        limit.send(NonZeroU64::new(1)).unwrap();
        let at = meter.bytes();
        let struck = scene.source.host.signal_session(Stream::Send, &snapshot, Signal::Kill);
        assert!(struck > 0, "after {at} bytes there was no sending side any more");
        // What was under way before the cut still arrives, as fast as it can.
        limit.send(None).unwrap();
        (at, stream.await.unwrap())
    }

    async fn resume(&self, scene: &Scene, copy: &str, token: &str) -> Result<Relayed, RelayError> {
        let send = self.source.send_argv(&SendArgs::resume(token.parse().unwrap())).unwrap();
        let (_limit, unlimited) = watch::channel(None);
        relay(self.request(scene, copy, send, &Arc::default(), unlimited)).await
    }

    fn request(
        &self,
        scene: &Scene,
        copy: &str,
        send: Argv,
        meter: &Arc<Meter>,
        limit: watch::Receiver<Option<NonZeroU64>>,
    ) -> RelayRequest {
        let into = scene.target.name(copy).parse().unwrap();
        RelayRequest {
            source: self.source.host().clone(),
            send,
            destination: self.target.host().clone(),
            receive: self.target.receive_argv(&ReceiveArgs::replica(into, DatasetKind::Filesystem)).unwrap(),
            meter: Arc::clone(meter),
            limit,
            cancel: CancellationToken::new(),
        }
    }
}

async fn zfs_on(host: &LabHost) -> Zfs {
    let endpoint = Endpoint { user: "root".into(), host: host.address.clone(), port: host.port };
    let key = Identity::Key(KeyPair::from_file(&host.key, None).unwrap());
    let known = KnownHosts::new(vec![host.known_hosts.clone()], false);
    let mut options = ConnectOptions::new(vec![key], Arc::new(known));
    // Little under way at a time: so the cut is where the test says, and not megabytes further on.
    (options.source_window, options.channel_buffer) = (256 << 10, 4);
    Zfs::detect(Host::remote(Link::new(endpoint, options))).await.unwrap()
}

/// The one that was given, to repeat a run exactly, or a new one.
fn seed() -> u64 {
    match std::env::var("ZERFAUX_CAMPAIGN_SEED") {
        Ok(text) => text.parse().expect("ZERFAUX_CAMPAIGN_SEED is a whole number"),
        Err(_) => std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64,
    }
}

/// SplitMix64: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, range: std::ops::Range<u64>) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        range.start + (mixed ^ (mixed >> 31)) % (range.end - range.start)
    }
}
