//! A protection group on two simulated appliances, with a clock in the hand: it runs by itself, has checkpoints, is broken
//! while its DR side does not answer, and recovers.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/appliances.rs"]
#[allow(dead_code)]
mod appliances;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::Value;
use zerfaux::domain::audit::{AuditEntry, Outcome};
use zerfaux::domain::endpoint::Endpoint;
use zerfaux::domain::ids::{GroupId, SecretId, SshKeyId, TargetId, VcenterId};
use zerfaux::domain::job::Failure;
use zerfaux::domain::protection_group::{DrSide, Policy, ProtectionGroup, Quiesce, Rhythm, SourceSide};
use zerfaux::domain::retention::Retention;
use zerfaux::domain::ssh_key::SshKey;
use zerfaux::domain::target::{DEFAULT_NETWORKS, Deployed, Target};
use zerfaux::domain::transport::Transport;
use zerfaux::domain::vcenter::{Trust, Vcenter, VcenterAddress};
use zerfaux::engine::reconcile::Reconciler;
use zerfaux::engine::{Clock, Engine, ManualClock};
use zerfaux::jobs::checkpoint_watch::CheckpointWatch;
use zerfaux::jobs::group_runs::GroupRuns;
use zerfaux::jobs::hosts::{Hosts, SealedKeys};
use zerfaux::jobs::replicate;
use zerfaux::jobs::targets::Targets;
use zerfaux::sim::appliance::FaultRule;
use zerfaux::ssh::KeyPair;
use zerfaux::store::{JobFilter, RunStart, SecretRow, Store};

use appliances::Sim;

const GROUP: GroupId = GroupId::from_bytes([7; 16]);
const SOURCE: TargetId = TargetId::from_bytes([1; 16]);
const DR: TargetId = TargetId::from_bytes([2; 16]);
const VCENTER: VcenterId = VcenterId::from_bytes([3; 16]);
const KEY: SshKeyId = SshKeyId::from_bytes([5; 16]);
const REPLICA: &str = "dst/zerfaux/replica/erp";

/// Simulated appliances that let everybody in: any key will do.
struct AnyKey;

#[async_trait]
impl SealedKeys for AnyKey {
    async fn key_text(&self, _id: SecretId) -> Result<SecretString, Failure> {
        let text = KeyPair::generate().unwrap().to_openssh().unwrap();
        Ok(SecretString::from(text.as_str()))
    }
}

struct Site {
    source: Sim,
    dr: Sim,
    store: Store,
    clock: Arc<ManualClock>,
    engine: Engine,
    targets: Targets,
    runs: GroupRuns,
}

fn audit() -> AuditEntry {
    AuditEntry {
        at: Timestamp::UNIX_EPOCH,
        actor: "test".into(),
        source: "test".into(),
        action: "seed".into(),
        object: "group".into(),
        outcome: Outcome::Done,
        details: Value::Null,
    }
}

fn target(id: TargetId, pool: &str, sim: &Sim) -> Target {
    Target {
        id,
        name: pool.into(),
        endpoint: Endpoint::new("root", "127.0.0.1", sim.address().port()).unwrap(),
        ssh_key: KEY,
        host_key: sim.host_key_fingerprint(),
        zfs_pool: pool.parse().unwrap(),
        nfs_networks: DEFAULT_NETWORKS.parse().unwrap(),
        nfs_address: None,
        replication_address: None,
        vcenter: None,
        is_active: true,
        appdata_path: None,
        deployed: Deployed::default(),
        created_by: "test".into(),
        created_at: Timestamp::UNIX_EPOCH,
    }
}

async fn seed(store: &Store, source: &Sim, dr: &Sim, now: Timestamp) {
    let secret = SecretId::from_bytes([4; 16]);
    let row = SecretRow { id: secret, name: "k".to_owned(), key_id: "k".to_owned(), sealed: vec![1] };
    store.put_secret(&row).await.unwrap();
    let key = SshKey {
        id: KEY,
        name: "lab".into(),
        algorithm: "ssh-ed25519".into(),
        fingerprint: "SHA256:x".into(),
        public_key: "ssh-ed25519 AAAA".into(),
        secret,
        created_by: "test".into(),
        created_at: Timestamp::UNIX_EPOCH,
    };
    store.insert_ssh_key(&key, audit()).await.unwrap();
    store.put_target(&target(SOURCE, "src", source), audit()).await.unwrap();
    store.put_target(&target(DR, "dst", dr), audit()).await.unwrap();
    let vcenter = Vcenter {
        id: VCENTER,
        name: "vc".into(),
        address: VcenterAddress::new("127.0.0.1", 443).unwrap(),
        username: "administrator".into(),
        password: secret,
        trust: Trust::System,
        about: None,
        synced_at: None,
        last_error: None,
        created_at: Timestamp::UNIX_EPOCH,
    };
    store.put_vcenter(&vcenter).await.unwrap();
    let group = ProtectionGroup {
        id: GROUP,
        name: "ERP".into(),
        description: None,
        source: SourceSide {
            vcenter: VCENTER,
            target: SOURCE,
            dataset: "src/erp".parse().unwrap(),
            export: None,
        },
        dr: DrSide { vcenter: VCENTER, target: DR, dataset: REPLICA.parse().unwrap() },
        policy: Policy {
            rhythm: Rhythm::Rpo { minutes: 1 },
            keep_source: Retention { last: 2, ..Retention::default() },
            keep_dr: Retention { last: 3, ..Retention::default() },
            transport: Transport::Relay,
            bandwidth_limit: None,
            timetable: None,
            quiesce: Quiesce::Never,
            priority: 50,
        },
        enabled: true,
        paused_at: None,
        created_by: "test".into(),
        created_at: now,
    };
    store.put_protection_group(&group, audit()).await.unwrap();
}

impl Site {
    async fn new() -> Self {
        let (source, dr) = (Sim::new("src"), Sim::new("dst"));
        source.root("zfs create src/erp");
        source.fill("src/erp", "erp/erp-flat.vmdk", 200_000, 1);
        let clock = Arc::new(ManualClock::sleepless(Timestamp::now()));
        let store = Store::open_in_memory().unwrap();
        seed(&store, &source, &dr, clock.now()).await;
        let hosts = Arc::new(Hosts::new(Some(Arc::new(AnyKey)), None));
        let engine =
            Engine::new(store.clone(), vec![replicate::definition(Arc::clone(&hosts))], clock.clone());
        let targets = Targets::new(store.clone(), hosts);
        let runs = GroupRuns::new(engine.clone(), targets.clone(), clock.clone());
        Self { source, dr, store, clock, engine, targets, runs }
    }

    /// The scheduler looks, what it started runs, and it looks again.
    async fn turn(&self) {
        self.runs.run().await.unwrap();
        self.engine.run_until_idle().await.unwrap();
        self.runs.run().await.unwrap();
    }

    async fn jobs(&self) -> usize {
        self.store.jobs(&JobFilter::default()).await.unwrap().len()
    }

    async fn tags(&self) -> Vec<String> {
        let mut all = self.store.checkpoints(GROUP, false).await.unwrap();
        all.reverse();
        all.into_iter().map(|one| one.snapshot.to_string()).collect()
    }

    fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    async fn is_broken(&self) -> bool {
        !self.store.rpo_breaches(Some(GROUP), true, 9).await.unwrap().is_empty()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_runs_by_itself_has_checkpoints_is_broken_while_its_dr_side_is_silent_and_recovers() {
    let site = Site::new().await;
    site.turn().await;
    assert_eq!(site.jobs().await, 1, "the first run starts at once");
    assert_eq!(site.tags().await, site.dr.tags(REPLICA), "the checkpoint is what ZFS has");
    assert_eq!(site.tags().await.len(), 1);

    // Nothing is due yet, and looking again and again starts nothing.
    site.later(10);
    for _ in 0..3 {
        site.turn().await;
    }
    assert_eq!(site.jobs().await, 1);
    assert!(!site.is_broken().await);

    // Due before the minute is over.
    site.later(45);
    site.source.fill("src/erp", "erp/erp-flat.vmdk", 200_000, 2);
    site.turn().await;
    assert_eq!((site.jobs().await, site.is_broken().await), (2, false));

    // The DR side falls silent.
    let silent = FaultRule { refuse_connection: true, ..FaultRule::default() };
    site.dr.add_fault(silent);
    site.dr.break_connections();
    site.later(61);
    site.turn().await;
    site.later(61);
    site.turn().await;
    assert!(site.is_broken().await, "a run that failed brought nothing");
    let breach = site.store.rpo_breaches(Some(GROUP), true, 9).await.unwrap().remove(0);
    assert!(breach.worst_age_seconds > 60, "{breach:?}");

    // It answers again.
    site.dr.clear_faults();
    site.later(700);
    site.turn().await;
    assert!(!site.is_broken().await, "mended by the next checkpoint");
    let ended = site.store.rpo_breaches(Some(GROUP), false, 9).await.unwrap().remove(0);
    assert!(ended.ended_at.is_some(), "{ended:?}");
    let days = site.store.rpo_days(GROUP, 9).await.unwrap();
    assert!(days.iter().map(|day| day.broken_seconds).sum::<u64>() > 0, "{days:?}");

    // What retention let go of is known to be gone once the replica was listed.
    for _ in 0..3 {
        site.later(61);
        site.turn().await;
    }
    CheckpointWatch::new(site.targets.clone(), site.clock.clone()).run().await.unwrap();
    assert_eq!(site.tags().await, site.dr.tags(REPLICA), "as ZFS has them");
    assert_eq!(site.tags().await.len(), 3, "as retention promised");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_never_doubled_and_a_clock_that_leaps_makes_one_run() {
    let site = Site::new().await;
    site.runs.run().await.unwrap();
    assert_eq!(site.jobs().await, 1);
    // Another scheduler, as after a restart, finds the run that is queued.
    let again = GroupRuns::new(site.engine.clone(), site.targets.clone(), site.clock.clone());
    again.run().await.unwrap();
    assert_eq!(site.jobs().await, 1);
    let job = site.engine.draft(replicate::KIND, Value::Null, "test").unwrap();
    let refused = site.store.start_group_run(GROUP, &job, None).await.unwrap();
    assert!(matches!(refused, RunStart::Unfinished(_)), "{refused:?}");
    site.turn().await;

    // Put back, the clock agrees with the source's again, by which a checkpoint was taken just now.
    for (count, leap) in [(2, 10 * 365 * 24), (2, -10 * 365 * 24), (3, 1), (3, -1)] {
        site.clock.shift(SignedDuration::from_hours(leap));
        site.turn().await;
        site.turn().await;
        assert_eq!(site.jobs().await, count, "after a leap of {leap} hours");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_group_does_not_run_until_it_is_resumed() {
    let site = Site::new().await;
    site.store.pause_protection_group(GROUP, Some(site.clock.now()), audit()).await.unwrap();
    site.turn().await;
    assert_eq!(site.jobs().await, 0);
    site.store.pause_protection_group(GROUP, None, audit()).await.unwrap();
    site.turn().await;
    assert_eq!(site.jobs().await, 1);
}
