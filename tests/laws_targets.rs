//! The laws for `health_check`, against a simulated appliance: run twice, failed and tried again, killed around each
//! recorded event.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, unused_imports)]

#[path = "support/laws/mod.rs"]
mod laws;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use jiff::Timestamp;
use laws::{Facts, Sample, Scene, SelfChild, Story, World};
use secrecy::SecretString;
use serde_json::{Value, json};
use zerfaux::domain::audit::{AuditEntry, Outcome};
use zerfaux::domain::endpoint::Endpoint;
use zerfaux::domain::ids::{SecretId, SshKeyId, TargetId};
use zerfaux::domain::job::Failure;
use zerfaux::domain::ssh_key::SshKey;
use zerfaux::domain::target::{DEFAULT_NETWORKS, Deployed, Target};
use zerfaux::engine::Definition;
use zerfaux::jobs::health_check;
use zerfaux::jobs::hosts::{Hosts, SealedKeys};
use zerfaux::jobs::targets::Targets;
use zerfaux::sim::appliance::{Appliance, ApplianceOptions};
use zerfaux::ssh::KeyPair;
use zerfaux::store::{SecretRow, Store};

const KIND: &str = "health_check";
const APPLIANCE: TargetId = TargetId::from_bytes([3; 16]);

/// Keys of simulated appliances that let everybody in: any will do.
struct AnyKey;

#[async_trait]
impl SealedKeys for AnyKey {
    async fn key_text(&self, _id: SecretId) -> Result<SecretString, Failure> {
        let text = KeyPair::generate().unwrap().to_openssh().unwrap();
        Ok(SecretString::from(text.as_str()))
    }
}

/// They live as long as the test, for its children too.
fn running() -> &'static Mutex<Vec<Appliance>> {
    static RUNNING: OnceLock<Mutex<Vec<Appliance>>> = OnceLock::new();
    RUNNING.get_or_init(Mutex::default)
}

struct HealthWorld;

#[async_trait]
impl World for HealthWorld {
    fn kind(&self) -> &'static str {
        "health_check"
    }
    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        let appliance = Appliance::start(ApplianceOptions::default()).unwrap();
        let server = format!("{} {}", appliance.address().port(), appliance.host_key_fingerprint());
        std::fs::write(place.join("server"), server).unwrap();
        running().lock().unwrap().push(appliance);
        let store = Store::open_in_memory().unwrap();
        seed(&store, place).await;
        Arc::new(HealthScene { place: place.to_owned(), store, is_child: false })
    }
    fn open(&self, place: &Path) -> Arc<dyn Scene> {
        // In a process that is killed: what it keeps must be on the disk.
        let data = place.join("appliances");
        std::fs::create_dir_all(&data).unwrap();
        let store = Store::open(&data).unwrap();
        let (scene, seeded) = (place.to_owned(), store.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(seed(&seeded, &scene));
        })
        .join()
        .unwrap();
        Arc::new(HealthScene { place: place.to_owned(), store, is_child: true })
    }
}

async fn seed(store: &Store, place: &Path) {
    if !store.targets().await.unwrap().is_empty() {
        return;
    }
    let server = std::fs::read_to_string(place.join("server")).unwrap();
    let (port, host_key) = server.split_once(' ').unwrap();
    let audit = || AuditEntry {
        at: Timestamp::UNIX_EPOCH,
        actor: "test".into(),
        source: "test".into(),
        action: "seed".into(),
        object: "appliance".into(),
        outcome: Outcome::Done,
        details: Value::Null,
    };
    let secret = SecretId::from_bytes([4; 16]);
    let row = SecretRow { id: secret, name: "k".to_owned(), key_id: "k".to_owned(), sealed: vec![1] };
    store.put_secret(&row).await.unwrap();
    let key = SshKey {
        id: SshKeyId::from_bytes([5; 16]),
        name: "lab".into(),
        algorithm: "ssh-ed25519".into(),
        fingerprint: "SHA256:x".into(),
        public_key: "ssh-ed25519 AAAA".into(),
        secret,
        created_by: "test".into(),
        created_at: Timestamp::UNIX_EPOCH,
    };
    if store.ssh_key(key.id).await.unwrap().is_none() {
        store.insert_ssh_key(&key, audit()).await.unwrap();
    }
    let target = Target {
        id: APPLIANCE,
        name: "zfs-a".into(),
        endpoint: Endpoint::new("root", "127.0.0.1", port.parse().unwrap()).unwrap(),
        ssh_key: key.id,
        host_key: host_key.to_owned(),
        zfs_pool: "tank".parse().unwrap(),
        nfs_networks: DEFAULT_NETWORKS.parse().unwrap(),
        nfs_address: None,
        replication_address: None,
        vcenter: None,
        is_active: true,
        appdata_path: None,
        deployed: Deployed::default(),
        created_by: "test".into(),
        created_at: Timestamp::UNIX_EPOCH,
    };
    store.put_target(&target, audit()).await.unwrap();
}

struct HealthScene {
    place: PathBuf,
    store: Store,
    /// This is the process that may be killed, and the store is the one on the disk.
    is_child: bool,
}

#[async_trait]
impl Scene for HealthScene {
    fn definition(&self) -> Definition {
        let hosts = Arc::new(Hosts::new(Some(Arc::new(AnyKey)), None));
        health_check::definition(Targets::new(self.store.clone(), hosts))
    }
    fn input(&self) -> Value {
        json!({ "target": APPLIANCE })
    }
    async fn fingerprint(&self) -> Facts {
        let data = self.place.join("appliances");
        let on_disk = (!self.is_child && data.exists()).then(|| Store::open(&data).unwrap());
        let store = on_disk.as_ref().unwrap_or(&self.store);
        let mut facts = Facts::new();
        let health = store.target_health(APPLIANCE).await.unwrap();
        let told = health.map(|health| {
            let checks: Vec<String> =
                health.checks.iter().map(|one| format!("{} {:?}", one.name, one.verdict)).collect();
            format!("{} {checks:?}", health.state)
        });
        facts.insert("health".to_owned(), format!("{told:?}"));
        let measured = store.target_capacity(APPLIANCE, "tank", Timestamp::UNIX_EPOCH).await.unwrap();
        facts.insert("measurements".to_owned(), measured.len().to_string());
        if let Some(store) = on_disk {
            store.close().await;
        }
        facts
    }
    /// When it was looked, and how fast the host answered, is measured anew each time.
    fn steady(&self, mut output: Value) -> Value {
        if let Some(all) = output.as_object_mut() {
            all.remove("checked_at");
        }
        if let Some(facts) = output.get_mut("facts").and_then(Value::as_object_mut) {
            facts.remove("answer_ms");
        }
        for check in output.get_mut("checks").and_then(Value::as_array_mut).into_iter().flatten() {
            if check["name"] == "SSH" {
                assert!(check["found"].as_str().unwrap().starts_with("Answered in "), "{check}");
                check["found"] = Value::Null;
            }
        }
        output
    }
    /// It reads; what it has read stays.
    fn may_remain(&self) -> Vec<(&'static str, &'static str)> {
        ["health", "measurements"].map(|name| (name, "what was seen is true")).to_vec()
    }
}

/// Not a test: what a child of this program runs.
#[test]
fn child() {
    laws::run_as_child(&[Arc::new(HealthWorld)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_definition_is_sound_and_each_step_keeps_the_laws() {
    let place = tempfile::tempdir().unwrap();
    let scene = HealthWorld.build(place.path()).await;
    assert_eq!(laws::defects(&scene.definition()), Vec::<String>::new());
    assert_eq!(scene.definition().kind, KIND);
    laws::run_each_step_twice(&HealthWorld).await.assert_kept(KIND);
    laws::fail_at_each_step(&HealthWorld, Sample::ALL).await.assert_kept(KIND);
    laws::retry_after_each_failure(&HealthWorld, Sample::ALL).await.assert_kept(KIND);
    laws::undo_each_step_twice(&HealthWorld, Sample::ALL).await.assert_kept(KIND);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_it_ends_the_same() {
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    laws::kill_around_each_event(&HealthWorld, &child, Sample::ALL).await.assert_kept(KIND);
}
