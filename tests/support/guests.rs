//! A protection group with virtual machines in a simulated vCenter, its data on two simulated appliances.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use zerfaux::domain::hardware::PowerState;
use zerfaux::domain::ids::{GroupId, ProtectedVmId, TargetId};
use zerfaux::domain::job::Job;
use zerfaux::domain::moref::VmRef;
use zerfaux::domain::protected_vm::ProtectedVm;
use zerfaux::domain::protection_group::{DrSide, Policy, ProtectionGroup, Quiesce, Rhythm, SourceSide};
use zerfaux::domain::retention::Retention;
use zerfaux::domain::target::{DEFAULT_NETWORKS, Deployed, Target};
use zerfaux::domain::transport::Transport;
use zerfaux::engine::{Definition, Engine, SystemClock};
use zerfaux::jobs::hosts::Hosts;
use zerfaux::jobs::replicate;
use zerfaux::jobs::vcenters::Vcenters;
use zerfaux::sim::vcenter::{Options, Rule, Vcenter};
use zerfaux::store::Store;
use zerfaux::vsphere::{Client, read_hardware};

use crate::appliances::{Sim, Two};
use crate::deployed::{CONNECTION, KEY, PACE, Sealed, by_name, line, login, login_of, on_servers, seed};
use crate::laws::{Facts, Scene, World};

pub const GROUP: GroupId = GroupId::from_bytes([7; 16]);
pub const SOURCE: TargetId = TargetId::from_bytes([1; 16]);
pub const DR: TargetId = TargetId::from_bytes([2; 16]);
pub const LIVE: &str = "src/erp";
pub const REPLICA: &str = "dst/zerfaux/replica/erp";

pub struct Ground {
    pub two: Two,
    pub vcenter: Vcenter,
    pub known: Value,
}

impl Ground {
    /// Two virtual machines that run, and one that is off.
    pub fn new(rules: Vec<Rule>) -> Self {
        let two = Two::new();
        two.source.root(&format!("zfs create {LIVE}"));
        two.source.fill(LIVE, "erp/erp-flat.vmdk", 100_000, 1);
        let options = Options { vms: 10, pace: PACE, rules, ..Options::default() };
        let vcenter = on_servers(async move { Vcenter::start(options).await.unwrap() });
        let entrance = login(vcenter.address().port(), vcenter.thumbprint());
        let vms = on_servers(async move { some(&Client::connect(entrance).await.unwrap()).await });
        let known = json!({
            "port": vcenter.address().port(), "thumbprint": vcenter.thumbprint(),
            "key": std::fs::read_to_string(two.key()).unwrap(), "vms": vms,
            "source": two.location(&two.source, LIVE), "destination": two.location(&two.target, REPLICA),
            "ends": [end(&two.source), end(&two.target)],
        });
        Self { two, vcenter, known }
    }

    pub async fn client(&self) -> Client {
        Client::connect(login_of(&self.known)).await.unwrap()
    }

    pub fn vm(&self, number: usize) -> VmRef {
        VmRef::new(self.known["vms"][number]["vm"].as_str().unwrap())
    }

    pub fn vm_name(&self, number: usize) -> String {
        self.known["vms"][number]["name"].as_str().unwrap().to_owned()
    }

    /// What VMware snapshots there are, by the name of their virtual machine.
    pub async fn vm_snapshots(&self) -> Vec<(String, String)> {
        let client = self.client().await;
        let mut all = Vec::new();
        for (name, id) in by_name(&client, "VirtualMachine").await {
            let snapshots = client.snapshots(&VmRef::new(id)).await.unwrap();
            all.extend(snapshots.into_iter().map(|one| (name.clone(), one.name)));
        }
        client.log_out().await.unwrap();
        all
    }
}

fn end(sim: &Sim) -> Value {
    json!({ "port": sim.address().port(), "host_key": sim.host_key_fingerprint() })
}

async fn some(client: &Client) -> Vec<Value> {
    let all: Vec<VmRef> =
        by_name(client, "VirtualMachine").await.into_iter().map(|(_, id)| VmRef::new(id)).collect();
    let mut chosen = client.machines(&all).await.unwrap();
    chosen.retain(|now| !now.machine.template && now.power == PowerState::On && now.tools_run);
    chosen.truncate(3);
    assert_eq!(chosen.len(), 3, "the site has them");
    let task = client.power_off(&chosen[2].vm).await.unwrap();
    client.wait_for_task(&task, "power it off", &Default::default(), |_| ()).await.unwrap();
    let vm = |now: &zerfaux::vsphere::MachineNow| json!({ "vm": now.vm, "instance_uuid": now.machine.instance_uuid, "name": now.machine.name });
    chosen.iter().map(vm).collect()
}

/// The connection, the appliances and the key: what a new installation is given again.
pub async fn connect(store: &Store, known: &Value) {
    seed(store, known).await;
    for (id, name, number) in [(SOURCE, "src", 0), (DR, "dst", 1)] {
        let end = &known["ends"][number];
        let target = Target {
            id,
            name: name.to_owned(),
            endpoint: format!("root@127.0.0.1:{}", end["port"]).parse().unwrap(),
            ssh_key: KEY,
            host_key: end["host_key"].as_str().unwrap().to_owned(),
            zfs_pool: name.parse().unwrap(),
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
        store.put_target(&target, line()).await.unwrap();
    }
}

pub fn group(quiesce: Quiesce, created_at: Timestamp) -> ProtectionGroup {
    ProtectionGroup {
        id: GROUP,
        name: "ERP & co".into(),
        description: Some("what nobody may lose".into()),
        source: SourceSide {
            vcenter: CONNECTION,
            target: SOURCE,
            dataset: LIVE.parse().unwrap(),
            export: None,
        },
        dr: DrSide { vcenter: CONNECTION, target: DR, dataset: REPLICA.parse().unwrap() },
        policy: Policy {
            rhythm: Rhythm::Rpo { minutes: 1 },
            keep_source: Retention { last: 2, ..Retention::default() },
            keep_dr: Retention { last: 4, ..Retention::default() },
            transport: Transport::Relay,
            bandwidth_limit: None,
            timetable: None,
            quiesce,
            priority: 50,
        },
        enabled: true,
        paused_at: None,
        created_by: "test".into(),
        created_at,
    }
}

/// The group with its virtual machines.
pub async fn protect(store: &Store, known: &Value, group: &ProtectionGroup) {
    store.put_protection_group(group, line()).await.unwrap();
    let vms = known["vms"].as_array().unwrap().iter().zip(1_u8..).map(|(vm, number)| ProtectedVm {
        id: ProtectedVmId::from_bytes([number; 16]),
        group: group.id,
        vcenter: CONNECTION,
        instance_uuid: vm["instance_uuid"].as_str().unwrap().to_owned(),
        moref: VmRef::new(vm["vm"].as_str().unwrap()),
        name: vm["name"].as_str().unwrap().to_owned(),
        added_by: "test".into(),
        added_at: Timestamp::UNIX_EPOCH,
    });
    store.add_protected_vms(vms.collect(), line()).await.unwrap();
}

async fn register(store: &Store, known: &Value) {
    if store.protection_group(GROUP).await.unwrap().is_none() {
        connect(store, known).await;
        protect(store, known, &group(Quiesce::Every(1), Timestamp::UNIX_EPOCH)).await;
    }
}

/// A run with guests at rest, for the laws: the third of its group.
#[derive(Default)]
pub struct QuiescedWorld(Mutex<HashMap<PathBuf, Arc<Ground>>>);

struct QuiescedScene {
    place: PathBuf,
    known: Value,
    store: Store,
    /// None in the process that may be killed, whose store is on the disk.
    ground: Option<Arc<Ground>>,
}

#[async_trait]
impl World for QuiescedWorld {
    fn kind(&self) -> &'static str {
        "replicate"
    }

    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        let ground = Arc::new(Ground::new(Vec::new()));
        std::fs::write(place.join("site"), ground.known.to_string()).unwrap();
        let store = Store::open_in_memory().unwrap();
        register(&store, &ground.known).await;
        self.0.lock().unwrap().insert(place.to_owned(), Arc::clone(&ground));
        let known = ground.known.clone();
        let scene = Arc::new(QuiescedScene { place: place.to_owned(), known, store, ground: Some(ground) });
        for _ in 0..2 {
            let clock = Arc::new(SystemClock::new());
            let engine = Engine::new(Store::open_in_memory().unwrap(), vec![scene.definition()], clock);
            let id = engine.enqueue("replicate", scene.input(), "the scene").await.unwrap();
            engine.run_until_idle().await.unwrap();
            let job = engine.job(id).await.unwrap();
            assert!(job.failure.is_none(), "the scene could not be set: {:?}", job.failure);
        }
        scene.ground.as_ref().unwrap().two.source.fill(LIVE, "erp/more.vmdk", 50_000, 3);
        scene
    }

    fn open(&self, place: &Path) -> Arc<dyn Scene> {
        let known: Value =
            serde_json::from_str(&std::fs::read_to_string(place.join("site")).unwrap()).unwrap();
        let data = place.join("store");
        std::fs::create_dir_all(&data).unwrap();
        let store = Store::open(&data).unwrap();
        let (seeded, facts) = (store.clone(), known.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(register(&seeded, &facts));
        })
        .join()
        .unwrap();
        Arc::new(QuiescedScene { place: place.to_owned(), known, store, ground: None })
    }

    async fn remove(&self, place: &Path) {
        self.0.lock().unwrap().remove(place);
    }
}

#[async_trait]
impl Scene for QuiescedScene {
    fn definition(&self) -> Definition {
        let sealed = Arc::new(Sealed(self.known["key"].as_str().unwrap().to_owned()));
        let vcenters = Vcenters::new(self.store.clone(), Some(sealed));
        replicate::definition_for_groups(Arc::new(Hosts::new(None, None)), vcenters)
    }

    fn input(&self) -> Value {
        json!({
            "source": self.known["source"], "destination": self.known["destination"], "group": GROUP,
            "keep_source": { "last": 1 }, "keep_destination": { "last": 2 },
            "guests": { "vcenter": CONNECTION, "quiesce": true },
        })
    }

    async fn fingerprint(&self) -> Facts {
        let Some(ground) = &self.ground else { return Facts::new() };
        let seen = |sim: &Sim, pool: &str| crate::replicated::seen_on(|script| sim.root(script), pool);
        let (here, there) = (seen(&ground.two.source, "src"), seen(&ground.two.target, "dst"));
        let mut facts = crate::replicated::fingerprint(&here, &there);
        let client = ground.client().await;
        for (number, (name, id)) in by_name(&client, "VirtualMachine").await.into_iter().enumerate() {
            let vm = VmRef::new(id);
            let found = client.properties(&vm, VmRef::KIND, &["config.hardware.device"]).await.unwrap();
            let disks = read_hardware(found.get("config.hardware.device").unwrap()).disks;
            let files: Vec<_> = disks.into_iter().map(|disk| (disk.file, disk.parents)).collect();
            let snapshots = client.snapshots(&vm).await.unwrap().len();
            facts.insert(format!("vm {number} {name}"), format!("{snapshots} snapshots; {files:?}"));
        }
        client.log_out().await.unwrap();
        let data = self.place.join("store");
        let on_disk = data.exists().then(|| Store::open(&data).unwrap());
        let store = on_disk.as_ref().unwrap_or(&self.store);
        facts.insert("noted".to_owned(), store.vm_snapshots().await.unwrap().len().to_string());
        if let Some(store) = on_disk {
            store.close().await;
        }
        facts
    }

    fn may_remain(&self) -> Vec<(&'static str, &'static str)> {
        vec![("arrived ", "what arrived is complete, and the next run builds on it")]
    }

    fn outcome(&self, job: &Job) -> Value {
        let destroyed = |side: &str| job.result.as_ref().map(|result| result[side].clone());
        json!({
            "state": job.state,
            "destroyed": [destroyed("destroyed_at_source"), destroyed("destroyed_at_destination")],
        })
    }
}
