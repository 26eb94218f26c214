//! A simulated DR site with a replica in which the files of a virtual machine lie: for the job that makes a shell of it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use zerfaux::domain::group_key::GroupKey;
use zerfaux::domain::hardware::{Firmware, Hardware};
use zerfaux::domain::ids::{GroupId, SecretId};
use zerfaux::domain::inventory::Inventory;
use zerfaux::domain::job::Job;
use zerfaux::domain::machine::Machine;
use zerfaux::domain::moref::{EsxiRef, FolderRef, ManagedRef, PoolRef, TaskRef, VmRef};
use zerfaux::domain::protection_group::{DrSide, Policy, ProtectionGroup, Quiesce, Rhythm, SourceSide};
use zerfaux::domain::retention::Retention;
use zerfaux::domain::transport::Transport;
use zerfaux::engine::Definition;
use zerfaux::jobs::create_dr_shell;
use zerfaux::jobs::datastore_mounts::nfs3;
use zerfaux::jobs::hosts::Hosts;
use zerfaux::jobs::targets::Targets;
use zerfaux::jobs::vcenters::Vcenters;
use zerfaux::plan::dr_shell::{Facts as ShellFacts, ShellPlan, Wish, shell};
use zerfaux::sim::appliance::{Appliance, ApplianceOptions, SiteExports};
use zerfaux::sim::vcenter::{Options, Rule, Vcenter};
use zerfaux::ssh::KeyPair;
use zerfaux::store::{SecretRow, Store};
use zerfaux::vsphere::inventory::{assemble, property_sets, read};
use zerfaux::vsphere::verbs::{CreateVm, DeviceChange, NewDisk, NicConnection, NicSpec, Reconfigure};
use zerfaux::vsphere::{Client, Node, Scope, read_hardware};

use crate::deployed::{
    CONNECTION, PACE, Sealed, Sites, by_name, line, login, login_of, of_vcenter, on_servers,
};
use crate::laws::{Facts, Scene, World};
use crate::protected::{TARGET, register};

pub const GROUP: GroupId = GroupId::from_bytes([9; 16]);
/// The virtual machine that the shell stands for.
pub const SOURCE: &str = "erp";
/// The datastore on which it is protected at the source.
const PROTECTED_ON: &str = "protected";
const GIB: u64 = 1 << 30;

/// The site, and how it differs.
#[derive(Default)]
pub struct ShelledWorld {
    pub sites: Mutex<HashMap<PathBuf, Arc<Sites>>>,
    pub keep_view: bool,
    pub rules: Vec<Rule>,
    /// The replica is encrypted and locked.
    pub encrypted: bool,
}

/// The key of an encrypted replica.
pub const PASSPHRASE: &str = "correct-horse";

pub fn replica() -> String {
    format!("tank/zerfaux/replica/{GROUP}")
}

async fn done(client: &Client, task: TaskRef) -> Option<Node> {
    client.wait_for_task(&task, "do it", &CancellationToken::new(), |_| ()).await.unwrap()
}

fn run(appliance: &Appliance, command: &str) {
    let done = appliance.run(command);
    assert_eq!(done.status, 0, "{command}: {}", done.stderr);
}

/// Writes the files of a virtual machine into the dataset, as replication would have brought them. Gives what its vCenter says
/// of it.
async fn write_source(client: &Client, place: &(FolderRef, PoolRef, EsxiRef, NicConnection)) -> Machine {
    let (folder, pool, host, network) = place.clone();
    let datastore =
        client.create_nas_datastore(&host, &nfs3("127.0.0.1", "/srv/seed", PROTECTED_ON)).await.unwrap();
    let disk = |controller, unit, gib| {
        let thin = true;
        DeviceChange::AddDisk(NewDisk { controller, unit, capacity_bytes: gib * GIB, thin, file: None })
    };
    let controller = |key, kind: &str, bus| DeviceChange::AddController { key, kind: kind.to_owned(), bus };
    let nic = NicSpec {
        kind: "VirtualVmxnet3".to_owned(),
        connection: network,
        mac: Some("00:50:56:01:02:03".to_owned()),
        start_connected: true,
    };
    let config = Reconfigure {
        name: Some(SOURCE.to_owned()),
        version: Some("vmx-19".to_owned()),
        guest_id: Some("debian12_64Guest".to_owned()),
        cpus: Some(4),
        cores_per_socket: Some(2),
        memory_mib: Some(2048),
        firmware: Some(Firmware::Efi),
        secure_boot: Some(true),
        devices: vec![
            controller(-1, "ParaVirtualSCSIController", 0),
            controller(-2, "VirtualLsiLogicSASController", 1),
            controller(-3, "VirtualNVMEController", 0),
            disk(-1, 0, 16),
            disk(-1, 8, 40),
            disk(-2, 3, 100),
            disk(-3, 0, 8),
            DeviceChange::AddNic(nic),
        ],
        extra_config: vec![("disk.EnableUUID".to_owned(), "TRUE".to_owned())],
        ..Reconfigure::default()
    };
    let create =
        CreateVm { folder, pool, host: Some(host.clone()), home: format!("[{PROTECTED_ON}]"), config };
    let made = done(client, client.create_vm(&create).await.unwrap()).await.unwrap();
    let vm = VmRef::new(made.reference().unwrap().id);
    let machine = client.machine(&vm).await.unwrap();
    client.unregister_vm(&vm).await.unwrap();
    client.remove_datastore(&host, &datastore.unwrap()).await.unwrap();
    machine
}

pub async fn inventory(client: &Client) -> Inventory {
    let kinds: Vec<&str> = property_sets().iter().map(|set| set.kind).collect();
    let scope = Scope::everything(client, &kinds).await.unwrap();
    let found = client.retrieve(&property_sets(), &scope).await.unwrap();
    scope.close(client).await;
    assemble(found.into_iter().filter_map(read))
}

/// The plan of the shell, as the wizard would make it.
pub fn plan_of(machine: &Machine, inventory: &Inventory, wish: &Wish) -> ShellPlan {
    let taken: Vec<(ManagedRef, String)> =
        inventory.vms.iter().filter_map(|vm| Some((vm.parent.clone()?, vm.name.clone()))).collect();
    let facts = ShellFacts {
        source: machine,
        protected_on: PROTECTED_ON,
        source_networks: &inventory.networks,
        same_vcenter: false,
        has_shell: false,
        places: &inventory.places,
        datastores: &inventory.datastores,
        networks: &inventory.networks,
        taken: &taken,
        appliance: ("127.0.0.1", "tank"),
    };
    shell(wish, &facts)
}

/// The group of which the replica is.
async fn protect(store: &Store) {
    if store.protection_group(GROUP).await.unwrap().is_some() {
        return;
    }
    let keep = Retention::default();
    let (vcenter, target) = (CONNECTION, TARGET);
    let group = ProtectionGroup {
        id: GROUP,
        name: "ERP".to_owned(),
        description: None,
        source: SourceSide {
            vcenter,
            target,
            dataset: "tank/zerfaux/live/erp".parse().unwrap(),
            export: None,
        },
        dr: DrSide { vcenter, target, dataset: replica().parse().unwrap() },
        policy: Policy {
            rhythm: Rhythm::Rpo { minutes: 15 },
            keep_source: keep,
            keep_dr: keep,
            transport: Transport::Auto,
            bandwidth_limit: None,
            timetable: None,
            quiesce: Quiesce::Never,
            priority: 50,
        },
        enabled: true,
        paused_at: None,
        created_by: "laws".to_owned(),
        created_at: jiff::Timestamp::UNIX_EPOCH,
    };
    store.put_protection_group(&group, line()).await.unwrap();
}

/// The key of the replica, if it has one.
async fn keep_key(store: &Store, known: &Value) {
    if known["encrypted"] != true || store.group_key(GROUP).await.unwrap().is_some() {
        return;
    }
    let secret = SecretId::from_bytes([8; 16]);
    let row = SecretRow { id: secret, name: "a key".to_owned(), key_id: "k".to_owned(), sealed: vec![1] };
    store.put_secret(&row).await.unwrap();
    let (set_by, set_at) = ("laws".to_owned(), jiff::Timestamp::UNIX_EPOCH);
    let key = GroupKey { group: GROUP, secret, tried: None, set_by, set_at };
    store.put_group_key(&key, line()).await.unwrap();
}

impl ShelledWorld {
    pub async fn start(&self, place: &Path) -> Arc<ShelledScene> {
        let key = KeyPair::generate().unwrap();
        let appliance = Appliance::start(ApplianceOptions {
            pools: vec![("tank".to_owned(), 512 * GIB)],
            authorized_keys: Some(key.public_key()),
            ..ApplianceOptions::default()
        });
        let appliance = Arc::new(appliance.unwrap());
        for parent in ["tank/zerfaux", "tank/zerfaux/replica", "tank/zerfaux/run"] {
            run(&appliance, &format!("zfs create -o canmount=off -o mountpoint=none {parent}"));
        }
        let replica = replica();
        run(
            &appliance,
            &format!(
                "printf {PASSPHRASE} | zfs create {} -o mountpoint=/srv/seed \
                 -o sharenfs=rw=@127.0.0.0/8,no_root_squash {replica}",
                if self.encrypted { "-o encryption=on -o keyformat=passphrase" } else { "" }
            ),
        );
        let exports = SiteExports::new([]);
        exports.add(&appliance, ["127.0.0.1"]);
        let options = Options {
            vms: 3,
            pace: PACE,
            nfs: Some(Vec::new()),
            exports: Arc::new(exports),
            rules: self.rules.clone(),
            ..Options::default()
        };
        let vcenter = on_servers(async move { Vcenter::start(options).await.unwrap() });
        let entrance = login(vcenter.address().port(), vcenter.thumbprint());
        let (machine, plan) = on_servers(async move {
            let client = Client::connect(entrance).await.unwrap();
            let before = inventory(&client).await;
            let named =
                |name: &str| before.places.iter().find(|place| place.name == name).unwrap().object.id.clone();
            let card = &before.vms.iter().find(|vm| !vm.template).unwrap().hardware.nics[0];
            let host = by_name(&client, "HostSystem").await.swap_remove(0).1;
            let place = (
                FolderRef::new(named("Infrastructure")),
                PoolRef::new(named("Recovery")),
                EsxiRef::new(host),
                NicConnection::of(&card.network).unwrap(),
            );
            let machine = write_source(&client, &place).await;
            let san = before.datastores.iter().find(|one| one.name.starts_with("san-")).unwrap();
            let wish = Wish {
                folder: Some("Infrastructure".to_owned()),
                resource_pool: Some("Recovery".to_owned()),
                home_datastore: Some(san.name.clone()),
                ..Wish::default()
            };
            let plan = plan_of(&machine, &before, &wish);
            (machine, plan)
        });
        assert_eq!(plan.obstacles, [], "{plan:?}");
        // As the host that ran it has left them.
        for lock in ["erp/.lck-0123456789abcdef", "erp/erp.vmx.lck"] {
            run(&appliance, &format!("touch /srv/seed/{lock}"));
        }
        run(&appliance, &format!("zfs snapshot -o zerfaux:group={GROUP} {replica}@zx-1"));
        run(&appliance, &format!("zfs set sharenfs=off canmount=noauto readonly=on {replica}"));
        run(&appliance, &format!("zfs unmount {replica}"));
        if self.encrypted {
            run(&appliance, &format!("zfs unload-key {replica}"));
        }
        let known = json!({
            "port": vcenter.address().port(), "thumbprint": vcenter.thumbprint(),
            "encrypted": self.encrypted, "key": *key.to_openssh().unwrap(), "ssh_port": appliance.address().port(),
            "host_key": appliance.host_key_fingerprint(), "machine": machine,
            "wish": {
                "group_id": GROUP, "source_vcenter_id": CONNECTION,
                "source_uuid": machine.instance_uuid, "source_name": SOURCE, "dr_vcenter_id": CONNECTION,
                "dr_target_id": TARGET, "replica": replica, "checkpoint": null, "nfs_clients": "127.0.0.0/8",
                "hosts": plan.hosts, "spec": plan.spec, "keep_view": self.keep_view,
            },
        });
        std::fs::write(place.join("site"), known.to_string()).unwrap();
        let sites = Arc::new(Sites { appliance, vcenter, stop: CancellationToken::new() });
        self.sites.lock().unwrap().insert(place.to_owned(), Arc::clone(&sites));
        let store = Store::open_in_memory().unwrap();
        register(&store, &known).await;
        protect(&store).await;
        keep_key(&store, &known).await;
        Arc::new(ShelledScene { place: place.to_owned(), known, store, sites: Some(sites) })
    }
}

#[async_trait]
impl World for ShelledWorld {
    fn kind(&self) -> &'static str {
        "create_dr_shell"
    }
    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        self.start(place).await
    }
    fn open(&self, place: &Path) -> Arc<dyn Scene> {
        Self::reopen(place)
    }
    async fn remove(&self, place: &Path) {
        self.sites.lock().unwrap().remove(place);
    }
}

impl ShelledWorld {
    /// The scene of this place in another process.
    pub fn reopen(place: &Path) -> Arc<ShelledScene> {
        let known: Value =
            serde_json::from_str(&std::fs::read_to_string(place.join("site")).unwrap()).unwrap();
        // In a process that is killed: what it keeps must be on the disk.
        let data = place.join("store");
        std::fs::create_dir_all(&data).unwrap();
        let store = Store::open(&data).unwrap();
        let (seeded, facts) = (store.clone(), known.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                register(&seeded, &facts).await;
                protect(&seeded).await;
                keep_key(&seeded, &facts).await;
            });
        })
        .join()
        .unwrap();
        Arc::new(ShelledScene { place: place.to_owned(), known, store, sites: None })
    }
}

pub struct ShelledScene {
    place: PathBuf,
    pub known: Value,
    pub store: Store,
    /// None in the process that may be killed, whose store is on the disk.
    pub sites: Option<Arc<Sites>>,
}

impl ShelledScene {
    pub fn machine(&self) -> Machine {
        serde_json::from_value(self.known["machine"].clone()).unwrap()
    }

    pub fn grounds(&self) -> (Targets, Vcenters) {
        let sealed = Arc::new(Sealed(self.known["key"].as_str().unwrap().to_owned()));
        let hosts = Arc::new(Hosts::new(Some(sealed.clone()), None));
        (Targets::new(self.store.clone(), hosts), Vcenters::new(self.store.clone(), Some(sealed)))
    }

    /// The store of the process that may be killed, once there is one.
    pub fn store_on_disk(&self) -> Option<Store> {
        let data = self.place.join("store");
        data.exists().then(|| Store::open(&data).unwrap())
    }

    pub async fn client(&self) -> Client {
        Client::connect(login_of(&self.known)).await.unwrap()
    }
}

/// The hardware of each, without what differs between two lives of a site.
async fn hardware(client: &Client, facts: &mut Facts) {
    for (number, (name, id)) in by_name(client, "VirtualMachine").await.into_iter().enumerate() {
        let found =
            client.properties(&VmRef::new(id), VmRef::KIND, &["config.hardware.device"]).await.unwrap();
        let Hardware { controllers, disks, nics, .. } =
            read_hardware(found.get("config.hardware.device").unwrap());
        let disks: Vec<_> = disks.iter().map(|one| (one.controller, one.unit, one.capacity_bytes)).collect();
        let nics: Vec<_> = nics.iter().map(|one| &one.kind).collect();
        facts.insert(format!("hardware {number} {name}"), format!("{controllers:?} {disks:?} {nics:?}"));
    }
}

#[async_trait]
impl Scene for ShelledScene {
    fn definition(&self) -> Definition {
        let (targets, vcenters) = self.grounds();
        create_dr_shell::definition(targets, vcenters)
    }
    fn input(&self) -> Value {
        self.known["wish"].clone()
    }
    async fn fingerprint(&self) -> Facts {
        let mut facts = Facts::new();
        let client = self.client().await;
        of_vcenter(&client, &mut facts).await;
        hardware(&client, &mut facts).await;
        client.log_out().await.unwrap();
        // The view is named after its job.
        for value in facts.values_mut() {
            *value = without_ids(value);
        }
        // A child of the test sees the appliance only as its job does.
        if let Some(sites) = &self.sites {
            let columns = "name,mountpoint,canmount,sharenfs,readonly,origin,mounted,keystatus";
            let datasets = sites.appliance.run(&format!("zfs list -H -r -t all -o {columns}"));
            facts.insert("datasets".to_owned(), without_ids(&String::from_utf8(datasets.stdout).unwrap()));
        }
        let on_disk = self.sites.is_some().then(|| self.store_on_disk()).flatten();
        let store = on_disk.as_ref().unwrap_or(&self.store);
        for shell in store.dr_shells(GROUP).await.unwrap() {
            let disks: Vec<_> = shell.disks.iter().map(|disk| (&disk.place, disk.capacity_bytes)).collect();
            let kept = (&shell.spec.name, disks, shell.checkpoint.to_string(), shell.view.is_some());
            facts.insert("shell".to_owned(), format!("{kept:?}"));
        }
        if let Some(store) = on_disk {
            store.close().await;
        }
        facts
    }
    /// References and ids are not the same in two lives of a site.
    fn outcome(&self, job: &Job) -> Value {
        let result = job.result.clone().unwrap_or_default();
        json!({
            "state": job.state, "name": result["name"], "disks": result["disks"],
            "view": result["view"].is_string(),
        })
    }
}

/// `shell-0193…` as `shell-`, `zx-view-…` as `zx-view-`.
pub fn without_ids(text: &str) -> String {
    let mut out = text.to_owned();
    for (word, length) in [("zerfaux/run/shell-", 36), ("/srv/zerfaux/shell-", 36), ("zx-view-", 12)] {
        let pieces: Vec<&str> = out.split(word).collect();
        let (first, rest) = pieces.split_first().unwrap();
        let rest = rest.iter().map(|piece| format!("{word}{}", piece.get(length..).unwrap_or_default()));
        out = std::iter::once((*first).to_owned()).chain(rest).collect();
    }
    out
}
