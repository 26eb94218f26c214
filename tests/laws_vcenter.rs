//! The laws for `vcenter_sync`, against a scripted vCenter: run twice, failed and tried again, killed around each
//! recorded event.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, unused_imports)]

#[path = "support/laws/mod.rs"]
mod laws;
#[path = "support/scripted.rs"]
mod scripted;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use jiff::Timestamp;
use laws::{Facts, Sample, Scene, SelfChild, Story, World};
use scripted::{Reply, Scripted, session};
use secrecy::SecretString;
use serde_json::{Value, json};
use zerfaux::domain::hardware::{Hardware, PowerState};
use zerfaux::domain::ids::{SecretId, VcenterId};
use zerfaux::domain::inventory::{Inventory, Vm, VmFilter};
use zerfaux::domain::job::Failure;
use zerfaux::domain::moref::VmRef;
use zerfaux::domain::vcenter::{Trust, Vcenter, VcenterAddress};
use zerfaux::engine::Definition;
use zerfaux::jobs::vcenter_sync;
use zerfaux::jobs::vcenters::{SealedPasswords, Vcenters};
use zerfaux::store::{SecretRow, Store};

const KIND: &str = "vcenter_sync";
const CONNECTION: VcenterId = VcenterId::from_bytes([3; 16]);

struct Password;

#[async_trait]
impl SealedPasswords for Password {
    async fn password(&self, _id: SecretId) -> Result<SecretString, Failure> {
        Ok(SecretString::from("secret"))
    }
}

/// The servers of this process, each on a runtime of its own so that it outlives the test's waits for children.
struct Servers {
    runtime: tokio::runtime::Runtime,
    running: Mutex<Vec<Scripted>>,
}

fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| Servers {
        runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(),
        running: Mutex::default(),
    })
}

fn start_server() -> (VcenterAddress, String) {
    let starting = servers().runtime.spawn(Scripted::start(|method, _| match method {
        "RetrievePropertiesEx" => Reply::Raw(include_bytes!("golden/vsphere/retrieve.xml").to_vec()),
        _ => session(method),
    }));
    let server = std::thread::spawn(|| servers().runtime.block_on(starting).unwrap()).join().unwrap();
    let found = (server.address.clone(), server.thumbprint.to_string());
    servers().running.lock().unwrap().push(server);
    found
}

struct SyncWorld;

#[async_trait]
impl World for SyncWorld {
    fn kind(&self) -> &'static str {
        "vcenter_sync"
    }
    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        let (address, thumbprint) = start_server();
        std::fs::write(place.join("server"), format!("{} {thumbprint}", address.port)).unwrap();
        let store = Store::open_in_memory().unwrap();
        seed(&store, place).await;
        Arc::new(SyncScene { place: place.to_owned(), store, is_child: false })
    }
    fn open(&self, place: &Path) -> Arc<dyn Scene> {
        // In a process that is killed: what it keeps must be on the disk.
        let data = place.join("inventory");
        std::fs::create_dir_all(&data).unwrap();
        let store = Store::open(&data).unwrap();
        let (scene, seeded) = (place.to_owned(), store.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(seed(&seeded, &scene));
        })
        .join()
        .unwrap();
        Arc::new(SyncScene { place: place.to_owned(), store, is_child: true })
    }
}

/// The connection, and a virtual machine that the vCenter no longer has.
async fn seed(store: &Store, place: &Path) {
    if !store.vcenters().await.unwrap().is_empty() {
        return;
    }
    let server = std::fs::read_to_string(place.join("server")).unwrap();
    let (port, thumbprint) = server.split_once(' ').unwrap();
    let password = SecretId::from_bytes([4; 16]);
    let row = SecretRow { id: password, name: "p".to_owned(), key_id: "k".to_owned(), sealed: vec![1] };
    store.put_secret(&row).await.unwrap();
    let vcenter = Vcenter {
        id: CONNECTION,
        name: "site A".to_owned(),
        address: VcenterAddress::new("127.0.0.1", port.parse().unwrap()).unwrap(),
        username: "admin".to_owned(),
        password,
        trust: Trust::Pinned(thumbprint.parse().unwrap()),
        about: None,
        synced_at: None,
        last_error: None,
        created_at: Timestamp::UNIX_EPOCH,
    };
    store.put_vcenter(&vcenter).await.unwrap();
    let old = Inventory { vms: vec![machine("vm-old")], ..Inventory::default() };
    // Before any clock of a trial.
    store.put_inventory(CONNECTION, old, Timestamp::new(-1_000_000, 0).unwrap()).await.unwrap();
}

fn machine(id: &str) -> Vm {
    Vm {
        object: VmRef::new(id),
        name: id.to_owned(),
        parent: None,
        template: false,
        instance_uuid: None,
        bios_uuid: None,
        power: PowerState::Off,
        guest: None,
        guest_id: None,
        guest_host_name: None,
        guest_ip: None,
        tools: None,
        cpus: 1,
        memory_bytes: 0,
        firmware: None,
        path: None,
        host: None,
        pool: None,
        has_snapshot: false,
        has_question: false,
        datastores: Vec::new(),
        hardware: Hardware::default(),
    }
}

struct SyncScene {
    place: PathBuf,
    store: Store,
    /// This is the process that may be killed, and the store is the one on the disk.
    is_child: bool,
}

#[async_trait]
impl Scene for SyncScene {
    fn definition(&self) -> Definition {
        vcenter_sync::definition(Vcenters::new(self.store.clone(), Some(Arc::new(Password))))
    }
    fn input(&self) -> Value {
        json!({"vcenter": CONNECTION})
    }
    async fn fingerprint(&self) -> Facts {
        let data = self.place.join("inventory");
        let on_disk = (!self.is_child && data.exists()).then(|| Store::open(&data).unwrap());
        let store = on_disk.as_ref().unwrap_or(&self.store);
        let everything = VmFilter { with_gone: true, ..VmFilter::default() };
        let mut facts = Facts::new();
        for vm in store.vms(&everything).await.unwrap().items {
            let state = format!("{} disk bytes, gone: {}", vm.disk_bytes, vm.gone_at.is_some());
            facts.insert(format!("vm {} {}", vm.object, vm.name), state);
        }
        for datastore in store.datastores(CONNECTION, true).await.unwrap() {
            facts.insert("datastore".to_owned(), datastore.object.name);
        }
        for network in store.networks(CONNECTION).await.unwrap() {
            facts.insert("network".to_owned(), network.object.name);
        }
        let known = store.vcenter(CONNECTION).await.unwrap().unwrap();
        facts
            .insert("connection".to_owned(), format!("{} {:?}", known.synced_at.is_some(), known.last_error));
        if let Some(store) = on_disk {
            store.close().await;
        }
        facts
    }
    /// It reads; what it has read stays.
    fn may_remain(&self) -> Vec<(&'static str, &'static str)> {
        ["vm", "datastore", "network", "connection"].map(|name| (name, "what was read is true")).to_vec()
    }
}

/// Not a test: what a child of this program runs.
#[test]
fn child() {
    laws::run_as_child(&[Arc::new(SyncWorld)]);
}

#[tokio::test]
async fn the_definition_is_sound_and_each_step_keeps_the_laws() {
    let place = tempfile::tempdir().unwrap();
    let scene = SyncWorld.build(place.path()).await;
    assert_eq!(laws::defects(&scene.definition()), Vec::<String>::new());
    assert_eq!(scene.definition().kind, KIND);
    laws::run_each_step_twice(&SyncWorld).await.assert_kept(KIND);
    laws::fail_at_each_step(&SyncWorld, Sample::ALL).await.assert_kept(KIND);
    laws::retry_after_each_failure(&SyncWorld, Sample::ALL).await.assert_kept(KIND);
    laws::undo_each_step_twice(&SyncWorld, Sample::ALL).await.assert_kept(KIND);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_each_event_it_ends_the_same() {
    let child = SelfChild { entry: "child", story: Story::Succeeds };
    laws::kill_around_each_event(&SyncWorld, &child, Sample::ALL).await.assert_kept(KIND);
}
