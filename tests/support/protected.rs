//! A simulated site with an appliance that is registered: for jobs that make datastores on it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use zerfaux::domain::ids::TargetId;
use zerfaux::domain::job::Job;
use zerfaux::domain::target::{Deployed, Target};
use zerfaux::engine::Definition;
use zerfaux::jobs::hosts::Hosts;
use zerfaux::jobs::targets::Targets;
use zerfaux::jobs::vcenters::Vcenters;
use zerfaux::jobs::{mount_datastore, protection_datastore};
use zerfaux::sim::appliance::{Appliance, ApplianceOptions, SiteExports};
use zerfaux::sim::vcenter::{Options, Vcenter};
use zerfaux::ssh::KeyPair;
use zerfaux::store::Store;
use zerfaux::vsphere::Client;

use crate::deployed::{
    CONNECTION, KEY, PACE, Sealed, Sites, by_name, line, login, login_of, of_vcenter, on_servers, seed,
};
use crate::laws::{Facts, Scene, World};

pub const TARGET: TargetId = TargetId::from_bytes([8; 16]);

/// The site, for the job that makes a datastore.
#[derive(Default)]
pub struct ProtectedWorld(Mutex<HashMap<PathBuf, Arc<Sites>>>);

/// The same site with an export that is there, for the job that mounts it.
#[derive(Default)]
pub struct MountedWorld(ProtectedWorld);

/// What hosts mount where it is there already.
const THERE: &str = "tank/zerfaux/live/there";

impl ProtectedWorld {
    async fn start(&self, place: &Path) -> Arc<ProtectedScene> {
        let key = KeyPair::generate().unwrap();
        let appliance = Appliance::start(ApplianceOptions {
            pools: vec![("tank".to_owned(), 1 << 30)],
            authorized_keys: Some(key.public_key()),
            ..ApplianceOptions::default()
        });
        let appliance = Arc::new(appliance.unwrap());
        for parent in ["tank/zerfaux", "tank/zerfaux/live"] {
            let made = appliance.run(&format!("zfs create -o canmount=off -o mountpoint=none {parent}"));
            assert_eq!(made.status, 0, "{}", made.stderr);
        }
        let there =
            format!("zfs create -o mountpoint=/{THERE} -o sharenfs=rw=@127.0.0.0/8,no_root_squash {THERE}");
        assert_eq!(appliance.run(&there).status, 0);
        let exports = SiteExports::new([]);
        exports.add(&appliance, ["127.0.0.1"]);
        let nfs = Some(Vec::new());
        let options = Options { vms: 2, pace: PACE, nfs, exports: Arc::new(exports), ..Options::default() };
        let vcenter = on_servers(async move { Vcenter::start(options).await.unwrap() });
        let entrance = login(vcenter.address().port(), vcenter.thumbprint());
        let hosts = on_servers(async move {
            let client = Client::connect(entrance).await.unwrap();
            by_name(&client, "HostSystem").await
        });
        let hosts: Vec<Value> =
            hosts.into_iter().take(2).map(|(name, id)| json!({ "name": name, "moref": id })).collect();
        let known = json!({
            "port": vcenter.address().port(), "thumbprint": vcenter.thumbprint(),
            "key": *key.to_openssh().unwrap(), "ssh_port": appliance.address().port(),
            "host_key": appliance.host_key_fingerprint(),
            "wish": {
                "target_id": TARGET, "vcenter_id": CONNECTION, "name": "protected-erp",
                "dataset": "tank/zerfaux/live/protected-erp", "nfs_clients": "127.0.0.0/8", "hosts": hosts,
            },
        });
        std::fs::write(place.join("site"), known.to_string()).unwrap();
        let sites = Arc::new(Sites { appliance, vcenter, stop: tokio_util::sync::CancellationToken::new() });
        self.0.lock().unwrap().insert(place.to_owned(), Arc::clone(&sites));
        let store = Store::open_in_memory().unwrap();
        register(&store, &known).await;
        Arc::new(ProtectedScene { known, store, sites: Some(sites), mounts: false })
    }
}

pub async fn register(store: &Store, known: &Value) {
    if store.target(TARGET).await.unwrap().is_some() {
        return;
    }
    seed(store, known).await;
    let target = Target {
        id: TARGET,
        name: "zfs-a".to_owned(),
        endpoint: format!("zfsadmin@127.0.0.1:{}", known["ssh_port"]).parse().unwrap(),
        ssh_key: KEY,
        host_key: known["host_key"].as_str().unwrap().to_owned(),
        zfs_pool: "tank".parse().unwrap(),
        nfs_networks: "127.0.0.0/8".parse().unwrap(),
        nfs_address: None,
        replication_address: None,
        vcenter: Some(CONNECTION),
        is_active: true,
        appdata_path: None,
        deployed: Deployed::default(),
        created_by: "laws".to_owned(),
        created_at: Timestamp::UNIX_EPOCH,
    };
    store.put_target(&target, line()).await.unwrap();
}

#[async_trait]
impl World for ProtectedWorld {
    fn kind(&self) -> &'static str {
        "create_protection_datastore"
    }
    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        self.start(place).await
    }
    fn open(&self, place: &Path) -> Arc<dyn Scene> {
        reopened(place, false)
    }
    async fn remove(&self, place: &Path) {
        self.0.lock().unwrap().remove(place);
    }
}

#[async_trait]
impl World for MountedWorld {
    fn kind(&self) -> &'static str {
        "mount_datastore"
    }
    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        let scene = self.0.start(place).await;
        Arc::new(ProtectedScene { mounts: true, ..ProtectedScene::clone(&scene) })
    }
    fn open(&self, place: &Path) -> Arc<dyn Scene> {
        reopened(place, true)
    }
    async fn remove(&self, place: &Path) {
        self.0.remove(place).await;
    }
}

/// In the process that may be killed.
fn reopened(place: &Path, mounts: bool) -> Arc<dyn Scene> {
    let known: Value = serde_json::from_str(&std::fs::read_to_string(place.join("site")).unwrap()).unwrap();
    // What this kind of job does is all outside of the database.
    let store = Store::open_in_memory().unwrap();
    let (seeded, facts) = (store.clone(), known.clone());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(register(&seeded, &facts));
    })
    .join()
    .unwrap();
    Arc::new(ProtectedScene { known, store, sites: None, mounts })
}

#[derive(Clone)]
struct ProtectedScene {
    known: Value,
    store: Store,
    sites: Option<Arc<Sites>>,
    /// Whether the job only mounts.
    mounts: bool,
}

#[async_trait]
impl Scene for ProtectedScene {
    fn definition(&self) -> Definition {
        let sealed = Arc::new(Sealed(self.known["key"].as_str().unwrap().to_owned()));
        let hosts = Arc::new(Hosts::new(Some(sealed.clone()), None));
        let vcenters = Vcenters::new(self.store.clone(), Some(sealed));
        if self.mounts {
            return mount_datastore::definition(vcenters);
        }
        protection_datastore::definition(Targets::new(self.store.clone(), hosts), vcenters)
    }
    fn input(&self) -> Value {
        let wish = self.known["wish"].clone();
        if self.mounts {
            return json!({
                "vcenter_id": CONNECTION, "name": "there", "remote_host": "127.0.0.1",
                "remote_path": format!("/{THERE}"), "hosts": wish["hosts"],
            });
        }
        wish
    }
    async fn fingerprint(&self) -> Facts {
        let mut facts = Facts::new();
        let client = Client::connect(login_of(&self.known)).await.unwrap();
        of_vcenter(&client, &mut facts).await;
        client.log_out().await.unwrap();
        // A child of the test sees the appliance only as its job does.
        if let Some(sites) = &self.sites {
            let columns = "name,mountpoint,canmount,sharenfs,compression,recordsize,mounted";
            let datasets = sites.appliance.run(&format!("zfs list -H -r -t all -o {columns}"));
            facts.insert("datasets".to_owned(), String::from_utf8(datasets.stdout).unwrap());
        }
        facts
    }
    /// References are not the same in two lives of a site.
    fn outcome(&self, job: &Job) -> Value {
        let result = job.result.clone().unwrap_or_default();
        let hosts: Vec<Value> =
            result["hosts"].as_array().into_iter().flatten().map(|one| one["result"].clone()).collect();
        json!({ "state": job.state, "hosts": hosts, "path": result["remote_path"] })
    }
}
