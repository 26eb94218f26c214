//! A simulated site whose virtual machines are moved to one datastore: for the job that does it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use zerfaux::domain::hardware::datastore_path;
use zerfaux::domain::job::Job;
use zerfaux::domain::moref::VmRef;
use zerfaux::engine::Definition;
use zerfaux::jobs::move_to_protection_datastore;
use zerfaux::jobs::vcenters::Vcenters;
use zerfaux::sim::vcenter::{Options, Rule, Vcenter};
use zerfaux::ssh::KeyPair;
use zerfaux::store::Store;
use zerfaux::vsphere::{Client, read_hardware};

use crate::deployed::{CONNECTION, PACE, Sealed, by_name, login, login_of, of_vcenter, on_servers, seed};
use crate::laws::{Facts, Scene, World};

/// Some run, one is off; none of them is on the datastore in full.
const VMS: [&str; 3] = ["erp", "db", "web"];

/// The site, and how slow it is.
#[derive(Default)]
pub struct MovedWorld {
    pub sites: Mutex<HashMap<PathBuf, Arc<Vcenter>>>,
    pub rules: Vec<Rule>,
    pub pace: Option<f64>,
}

impl MovedWorld {
    pub async fn start(&self, place: &Path) -> Arc<MovedScene> {
        let key = KeyPair::generate().unwrap();
        let options = Options {
            vms: 12,
            pace: self.pace.unwrap_or(PACE),
            rules: self.rules.clone(),
            ..Options::default()
        };
        let vcenter = on_servers(async move { Vcenter::start(options).await.unwrap() });
        let entrance = login(vcenter.address().port(), vcenter.thumbprint());
        let wish = on_servers(async move { wish(&Client::connect(entrance).await.unwrap()).await });
        let known = json!({
            "port": vcenter.address().port(), "thumbprint": vcenter.thumbprint(),
            "key": *key.to_openssh().unwrap(), "wish": wish,
        });
        std::fs::write(place.join("site"), known.to_string()).unwrap();
        let vcenter = Arc::new(vcenter);
        self.sites.lock().unwrap().insert(place.to_owned(), Arc::clone(&vcenter));
        let store = Store::open_in_memory().unwrap();
        seed(&store, &known).await;
        Arc::new(MovedScene { known, store, vcenter: Some(vcenter) })
    }
}

async fn wish(client: &Client) -> Value {
    let (name, datastore) = by_name(client, "Datastore")
        .await
        .into_iter()
        .find(|(name, _)| name.starts_with("nfs-") && name.ends_with("-02"))
        .unwrap();
    let mut vms = Vec::new();
    for (name, id) in by_name(client, "VirtualMachine").await {
        if !VMS.iter().any(|role| name.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with(role)) {
            continue;
        }
        let found =
            client.properties(&VmRef::new(&*id), VmRef::KIND, &["config.instanceUuid"]).await.unwrap();
        vms.push(json!({
            "vm": id, "instance_uuid": found.text("config.instanceUuid").unwrap(), "name": name, "folder": null,
        }));
    }
    assert!(vms.len() >= VMS.len(), "{vms:?}");
    json!({
        "vcenter_id": CONNECTION, "datastore": datastore, "datastore_name": name, "vms": vms, "at_once": 2,
    })
}

/// On which datastores the parts of each are.
pub async fn placements(client: &Client, facts: &mut Facts) {
    for (number, (name, id)) in by_name(client, "VirtualMachine").await.into_iter().enumerate() {
        let paths = ["config.files.vmPathName", "config.hardware.device"];
        let found = client.properties(&VmRef::new(id), VmRef::KIND, &paths).await.unwrap();
        let on = |file: &str| datastore_path(file).unwrap().0.to_owned();
        let disks = found.get("config.hardware.device").map(read_hardware).unwrap_or_default().disks;
        let mut parts = vec![on(found.text("config.files.vmPathName").unwrap())];
        parts.extend(disks.iter().map(|disk| {
            format!("{} {} {}", on(disk.file.as_deref().unwrap()), disk.unit, disk.capacity_bytes)
        }));
        facts.insert(format!("files {number} {name}"), parts.join("; "));
    }
}

#[async_trait]
impl World for MovedWorld {
    fn kind(&self) -> &'static str {
        "move_to_protection_datastore"
    }
    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        self.start(place).await
    }
    fn open(&self, place: &Path) -> Arc<dyn Scene> {
        let known: Value =
            serde_json::from_str(&std::fs::read_to_string(place.join("site")).unwrap()).unwrap();
        // What this kind of job does is all outside of the database.
        let store = Store::open_in_memory().unwrap();
        let (seeded, facts) = (store.clone(), known.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(seed(&seeded, &facts));
        })
        .join()
        .unwrap();
        Arc::new(MovedScene { known, store, vcenter: None })
    }
    async fn remove(&self, place: &Path) {
        self.sites.lock().unwrap().remove(place);
    }
}

pub struct MovedScene {
    pub known: Value,
    pub store: Store,
    pub vcenter: Option<Arc<Vcenter>>,
}

#[async_trait]
impl Scene for MovedScene {
    fn definition(&self) -> Definition {
        let sealed = Arc::new(Sealed(self.known["key"].as_str().unwrap().to_owned()));
        move_to_protection_datastore::definition(Vcenters::new(self.store.clone(), Some(sealed)))
    }
    fn input(&self) -> Value {
        self.known["wish"].clone()
    }
    async fn fingerprint(&self) -> Facts {
        let mut facts = Facts::new();
        let client = Client::connect(login_of(&self.known)).await.unwrap();
        of_vcenter(&client, &mut facts).await;
        placements(&client, &mut facts).await;
        let events = client.events(&client.content().root_folder, 1000).await.unwrap();
        let moves = events.iter().filter(|event| event.kind == "VmRelocatedEvent").count();
        facts.insert("moves".to_owned(), moves.to_string());
        client.log_out().await.unwrap();
        facts
    }
    /// Each move is seen to happen once; taking back is a move of its own.
    fn may_remain(&self) -> Vec<(&'static str, &'static str)> {
        vec![("moves", "a vCenter keeps its events")]
    }
    fn outcome(&self, job: &Job) -> Value {
        let result = job.result.clone().unwrap_or_default();
        let vms: Vec<Value> = result["vms"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|vm| json!([vm["name"], vm["moved"], vm["disks"].as_array().map(Vec::len)]))
            .collect();
        json!({ "state": job.state, "vms": vms })
    }
}
