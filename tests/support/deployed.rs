//! A simulated site in which appliances can be deployed: a vCenter, and the machine that turns up at the address of the
//! clone. For the laws, and for tests of what goes wrong.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use zerfaux::domain::audit::{AuditEntry, Outcome};
use zerfaux::domain::ids::{SecretId, SshKeyId, TemplateId, VcenterId};
use zerfaux::domain::job::{Failure, Job};
use zerfaux::domain::moref::{EsxiRef, FolderRef, VmRef};
use zerfaux::domain::ssh_key::SshKey;
use zerfaux::domain::template::{Template, TemplateDefaults};
use zerfaux::domain::vcenter::{Trust, Vcenter as Connection, VcenterAddress};
use zerfaux::engine::Definition;
use zerfaux::jobs::deploy;
use zerfaux::jobs::hosts::{Hosts, SealedKeys};
use zerfaux::jobs::vcenters::{SealedPasswords, Vcenters};
use zerfaux::sim::appliance::{Appliance, ApplianceOptions, SiteExports};
use zerfaux::sim::vcenter::{Options, Vcenter};
use zerfaux::ssh::KeyPair;
use zerfaux::store::{SecretRow, Store};
use zerfaux::vsphere::{Client, Login, PropertySet, Scope, read_hardware};

#[path = "deployed_machine.rs"]
mod machine;

use crate::laws::{Facts, Scene, World};
pub use machine::isolated;
use machine::{give_options, plug_in};

pub const VM: &str = "zfs-dr-1";
const DISK_GIB: u64 = 10;
/// Everything in the life of a machine takes a thousandth of its usual time and less.
pub const PACE: f64 = 0.0005;
pub const CONNECTION: VcenterId = VcenterId::from_bytes([3; 16]);
const PASSWORD: SecretId = SecretId::from_bytes([4; 16]);
pub const KEY: SshKeyId = SshKeyId::from_bytes([5; 16]);
const SEALED_KEY: SecretId = SecretId::from_bytes([6; 16]);
const TEMPLATE: TemplateId = TemplateId::from_bytes([7; 16]);
const USER: &str = "administrator@vsphere.local";

/// What jobs see of the secrets.
pub struct Sealed(pub String);

#[async_trait]
impl SealedPasswords for Sealed {
    async fn password(&self, _id: SecretId) -> Result<SecretString, Failure> {
        Ok(SecretString::from("zerfaux"))
    }
}

#[async_trait]
impl SealedKeys for Sealed {
    async fn key_text(&self, _id: SecretId) -> Result<SecretString, Failure> {
        Ok(SecretString::from(self.0.clone()))
    }
    async fn dataset_key(&self, _id: SecretId) -> Result<SecretString, Failure> {
        Ok(SecretString::from("correct-horse"))
    }
}

/// One site.
pub struct Sites {
    pub appliance: Arc<Appliance>,
    pub vcenter: Vcenter,
    pub stop: tokio_util::sync::CancellationToken,
}

impl Drop for Sites {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The servers run on a runtime of their own, so that they outlive the test's waits for children.
fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    })
}

pub fn on_servers<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let task = runtime().spawn(work);
    std::thread::spawn(move || runtime().block_on(task).unwrap()).join().unwrap()
}

/// What turns up in the machine when the vCenter adds a disk to the clone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plug {
    /// That disk, blank.
    #[default]
    Blank,
    /// That disk, with a file system on it.
    Used,
    /// Nothing.
    Nothing,
    /// Another blank disk of the same size.
    Another,
    /// Two blank disks of the same size, in a machine that shows no serial numbers.
    Twins,
}

/// How a site differs from one in which everything goes well.
#[derive(Debug, Clone, Default)]
pub struct Differs {
    pub plug: Plug,
    /// Programs that the machine does not have.
    pub missing: Vec<String>,
    /// Pools that the machine brings along.
    pub pools: Vec<String>,
    /// Its user has another key.
    pub other_key: bool,
    /// Faults of the vCenter.
    pub rules: Vec<zerfaux::sim::vcenter::Rule>,
    /// Options of the template, which the clone takes over: how its guest behaves.
    pub options: Vec<(&'static str, &'static str)>,
    /// The guest publishes its host key, with the number that it was given.
    pub publishes: bool,
    /// What goes wrong on the machine.
    pub faults: Vec<zerfaux::sim::appliance::FaultRule>,
    /// What `NFS.MaxVolumes` says on every host.
    pub nfs_max: Option<u32>,
}

#[derive(Default)]
pub struct DeployWorld {
    sites: Mutex<HashMap<PathBuf, Arc<Sites>>>,
    pub differs: Differs,
}

impl DeployWorld {
    pub fn that_differs(differs: Differs) -> Self {
        Self { differs, ..Self::default() }
    }

    pub async fn start(&self, place: &Path) -> Arc<DeployScene> {
        let key = KeyPair::generate().unwrap();
        let differs = self.differs.clone();
        let authorized = if differs.other_key { KeyPair::generate().unwrap() } else { key.clone() };
        let appliance = Appliance::start(ApplianceOptions {
            pools: differs.pools.iter().map(|name| (name.clone(), 1 << 30)).collect(),
            authorized_keys: Some(authorized.public_key()),
            hostname: VM.to_owned(),
            missing: differs.missing.clone(),
            faults: differs.faults.clone(),
            ..ApplianceOptions::default()
        });
        let appliance = Arc::new(appliance.unwrap());
        let exports = SiteExports::new([]);
        exports.add(&appliance, ["127.0.0.1"]);
        let options = Options {
            vms: 2,
            pace: PACE,
            nfs: Some(Vec::new()),
            exports: Arc::new(exports),
            rules: differs.rules,
            nfs_max_volumes: differs.nfs_max.unwrap_or(64),
            ..Options::default()
        };
        let vcenter = on_servers(async move { Vcenter::start(options).await.unwrap() });
        let login = login(vcenter.address().port(), vcenter.thumbprint());
        let port = appliance.address().port();
        let options = differs.options.clone();
        let (wished, folder) = on_servers(async move {
            let client = Client::connect(login).await.unwrap();
            give_options(&client, &options).await;
            (wish(&client, port).await, id_of(&client, "Folder", "Infrastructure").await)
        });
        let known = json!({
            "port": vcenter.address().port(), "thumbprint": vcenter.thumbprint(), "wish": wished,
            "key": *key.to_openssh().unwrap(), "folder": folder,
        });
        std::fs::write(place.join("site"), known.to_string()).unwrap();
        let stop = tokio_util::sync::CancellationToken::new();
        let own = (differs.plug, differs.publishes);
        let watch = plug_in(login_of(&known), FolderRef::new(folder), Arc::clone(&appliance), own);
        let ended = stop.clone();
        runtime().spawn(async move {
            tokio::select! { () = ended.cancelled() => {}, () = watch => {} }
        });
        let sites = Arc::new(Sites { appliance, vcenter, stop });
        self.sites.lock().unwrap().insert(place.to_owned(), Arc::clone(&sites));
        let store = Store::open_in_memory().unwrap();
        seed(&store, &known).await;
        Arc::new(DeployScene { place: place.to_owned(), known, store, sites: Some(sites) })
    }
}

pub fn login(port: u16, thumbprint: &str) -> Login {
    Login {
        address: VcenterAddress::new("127.0.0.1", port).unwrap(),
        trust: Trust::Pinned(thumbprint.parse().unwrap()),
        username: USER.to_owned(),
        password: SecretString::from("zerfaux"),
    }
}

pub fn login_of(known: &Value) -> Login {
    let port = u16::try_from(known["port"].as_u64().unwrap()).unwrap();
    login(port, known["thumbprint"].as_str().unwrap())
}

pub async fn by_name(client: &Client, kind: &'static str) -> Vec<(String, String)> {
    let sets = [PropertySet { kind, paths: vec!["name"] }];
    let scope = Scope::everything(client, &[kind]).await.unwrap();
    let found = client.retrieve(&sets, &scope).await.unwrap();
    scope.close(client).await;
    let mut all: Vec<_> =
        found.into_iter().map(|one| (one.text("name").unwrap().to_owned(), one.object.id)).collect();
    all.sort();
    all
}

async fn id_of(client: &Client, kind: &'static str, name: &str) -> String {
    let all = by_name(client, kind).await;
    all.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name} in {all:?}")).1.clone()
}

/// A fixed address, at which the appliance listens.
async fn wish(client: &Client, port: u16) -> Value {
    let template = id_of(client, "VirtualMachine", "debian-12-zfs").await;
    let paths = ["config.hardware.device", "datastore"];
    let found = client.properties(&VmRef::new(&*template), VmRef::KIND, &paths).await.unwrap();
    let hardware = read_hardware(found.get("config.hardware.device").unwrap());
    let datastore = found.get("datastore").unwrap().children()[0].reference().unwrap().id;
    let hosts: Vec<Value> = by_name(client, "HostSystem")
        .await
        .into_iter()
        .take(2)
        .map(|(name, id)| json!({ "name": name, "moref": id }))
        .collect();
    json!({
        "template_id": TEMPLATE, "template_name": "Debian 12", "vcenter_id": CONNECTION,
        "template_moref": template, "vm_name": VM,
        "place": {
            "folder": id_of(client, "Folder", "Infrastructure").await,
            "pool": id_of(client, "ResourcePool", "Recovery").await,
            "host": null, "datastore": datastore, "network": hardware.nics[0].network,
            "network_name": "Servers", "vlan": "10",
        },
        "cpu_count": 4, "memory_gb": 8,
        "guest": {
            "hostname": VM, "domain": "local", "dns_servers": [], "dns_suffixes": [],
            "fixed": { "address": "127.0.0.1", "mask": "255.0.0.0", "gateway": "127.0.0.2" },
        },
        "zfs_pool_name": "tank", "zfs_disk_gb": DISK_GIB, "thin": true, "nfs_network": "10.0.0.0/8,127.0.0.0/8",
        "login": { "ssh_username": "zfsadmin", "ssh_port": port, "ssh_key_id": KEY },
        "target_name": "DR storage", "datastore_hosts": hosts,
    })
}

pub fn line() -> AuditEntry {
    AuditEntry {
        at: Timestamp::UNIX_EPOCH,
        actor: "laws".to_owned(),
        source: "cli".to_owned(),
        action: "template.create".to_owned(),
        object: "Debian 12".to_owned(),
        outcome: Outcome::Done,
        details: Value::Null,
    }
}

pub async fn seed(store: &Store, known: &Value) {
    if !store.vcenters().await.unwrap().is_empty() {
        return;
    }
    for (id, name) in [(PASSWORD, "password"), (SEALED_KEY, "key")] {
        let row = SecretRow { id, name: name.to_owned(), key_id: "k".to_owned(), sealed: vec![1] };
        store.put_secret(&row).await.unwrap();
    }
    let Login { address, trust, username, .. } = login_of(known);
    let connection = Connection {
        id: CONNECTION,
        name: "vc-alpha".to_owned(),
        address,
        username,
        password: PASSWORD,
        trust,
        about: None,
        synced_at: None,
        last_error: None,
        created_at: Timestamp::UNIX_EPOCH,
    };
    store.put_vcenter(&connection).await.unwrap();
    let key = SshKey {
        id: KEY,
        name: "lab".to_owned(),
        algorithm: "ssh-ed25519".to_owned(),
        fingerprint: "SHA256:x".to_owned(),
        public_key: "ssh-ed25519 x".to_owned(),
        secret: SEALED_KEY,
        created_by: "laws".to_owned(),
        created_at: Timestamp::UNIX_EPOCH,
    };
    store.insert_ssh_key(&key, line()).await.unwrap();
    let defaults = TemplateDefaults::new(
        "tank".parse().unwrap(),
        "10.0.0.0/8".parse().unwrap(),
        "zfsadmin".parse().unwrap(),
    );
    let template = Template {
        id: TEMPLATE,
        name: "Debian 12".to_owned(),
        description: None,
        vcenter: CONNECTION,
        moref: VmRef::new("vm-1"),
        vm_name: "debian-12-zfs".to_owned(),
        defaults,
        ssh_key: Some(KEY),
        is_active: true,
        created_by: "laws".to_owned(),
        created_at: Timestamp::UNIX_EPOCH,
    };
    store.put_template(&template, line()).await.unwrap();
}

#[async_trait]
impl World for DeployWorld {
    fn kind(&self) -> &'static str {
        "deploy_zfs_target"
    }
    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        self.start(place).await
    }
    fn open(&self, place: &Path) -> Arc<dyn Scene> {
        // In a process that is killed: what it keeps must be on the disk.
        let known: Value =
            serde_json::from_str(&std::fs::read_to_string(place.join("site")).unwrap()).unwrap();
        let data = place.join("store");
        std::fs::create_dir_all(&data).unwrap();
        let store = Store::open(&data).unwrap();
        let (seeded, facts) = (store.clone(), known.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(seed(&seeded, &facts));
        })
        .join()
        .unwrap();
        Arc::new(DeployScene { place: place.to_owned(), known, store, sites: None })
    }
    async fn remove(&self, place: &Path) {
        self.sites.lock().unwrap().remove(place);
    }
}

pub struct DeployScene {
    place: PathBuf,
    known: Value,
    pub store: Store,
    /// None in the process that may be killed, whose store is on the disk.
    pub sites: Option<Arc<Sites>>,
}

#[async_trait]
impl Scene for DeployScene {
    fn definition(&self) -> Definition {
        let sealed = Arc::new(Sealed(self.known["key"].as_str().unwrap().to_owned()));
        let hosts = Arc::new(Hosts::new(Some(sealed.clone()), None));
        deploy::definition(hosts, Vcenters::new(self.store.clone(), Some(sealed)))
    }
    fn input(&self) -> Value {
        self.known["wish"].clone()
    }
    async fn fingerprint(&self) -> Facts {
        let mut facts = Facts::new();
        let client = Client::connect(login_of(&self.known)).await.unwrap();
        of_vcenter(&client, &mut facts).await;
        client.log_out().await.unwrap();
        // A child of the test has the store open itself, and sees the machine only as its job does.
        if let Some(sites) = &self.sites {
            let pools = sites.appliance.run("zpool list -H -o name");
            facts.insert("pools".to_owned(), String::from_utf8(pools.stdout).unwrap());
            let columns = "name,mountpoint,canmount,sharenfs,compression,atime";
            let datasets = sites.appliance.run(&format!("zfs list -H -r -t all -o {columns}"));
            facts.insert("datasets".to_owned(), String::from_utf8(datasets.stdout).unwrap());
        }
        let data = self.place.join("store");
        let on_disk = (self.sites.is_some() && data.exists()).then(|| Store::open(&data).unwrap());
        let store = on_disk.as_ref().unwrap_or(&self.store);
        for (number, target) in store.targets().await.unwrap().into_iter().enumerate() {
            let ways =
                (target.zfs_pool.to_string(), target.nfs_networks.to_string(), target.deployed.ip_source);
            facts.insert(format!("target {number} {}", target.name), format!("{ways:?}"));
        }
        let count: u64 = store.deployments().await.unwrap().values().map(|one| one.count).sum();
        facts.insert("deployments".to_owned(), count.to_string());
        if let Some(store) = on_disk {
            store.close().await;
        }
        facts
    }
    /// References and host keys are not the same in two lives of a site.
    fn outcome(&self, job: &Job) -> Value {
        let result = job.result.clone().unwrap_or_default();
        let hosts: Vec<Value> =
            result["hosts"].as_array().into_iter().flatten().map(|one| one["result"].clone()).collect();
        json!({
            "state": job.state, "hosts": hosts, "datastore": result["datastore_name"], "ip": result["detected_ip"],
            "target": result["replication_target_id"].is_string(),
        })
    }
}

pub async fn of_vcenter(client: &Client, facts: &mut Facts) {
    for (number, (name, id)) in by_name(client, "VirtualMachine").await.into_iter().enumerate() {
        let paths = ["runtime.powerState", "config.hardware.device"];
        let found = client.properties(&VmRef::new(id), VmRef::KIND, &paths).await.unwrap();
        let disks = found.get("config.hardware.device").map(read_hardware).unwrap_or_default().disks.len();
        let state = format!("{:?}, {disks} disks", found.text("runtime.powerState"));
        facts.insert(format!("vm {number} {name}"), state);
    }
    for kind in ["Datastore", "Folder", "ResourcePool", "DistributedVirtualPortgroup"] {
        let names: Vec<String> = by_name(client, kind).await.into_iter().map(|(name, _)| name).collect();
        facts.insert(format!("every {kind}"), names.join("; "));
    }
    for (name, id) in by_name(client, "HostSystem").await {
        let host = EsxiRef::new(id);
        let mut mounted: Vec<String> = zerfaux::jobs::datastore_mounts::on_host(client, &host)
            .await
            .unwrap()
            .into_iter()
            .map(|one| format!("{} {:?}", one.name, one.export))
            .collect();
        mounted.sort();
        facts.insert(format!("mounts of {name}"), mounted.join("; "));
    }
}
