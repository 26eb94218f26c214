//! A group with a replica on a simulated appliance, for the job that deletes both.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use zerfaux::domain::job::Job;
use zerfaux::domain::protection_group::{ProtectionGroup, Quiesce};
use zerfaux::engine::Definition;
use zerfaux::jobs::delete_replica;
use zerfaux::jobs::hosts::Hosts;
use zerfaux::jobs::targets::Targets;
use zerfaux::store::Store;

use crate::appliances::Two;
use crate::deployed::{Sealed, line};
use crate::guests::{DR, GROUP, LIVE, REPLICA, SOURCE, connect, group};
use crate::laws::{Facts, Scene, World};

/// What the names of the group's snapshots begin with.
pub const PREFIX: &str = "zx-07070707";

/// As runs of the group would have left it, beside what others made at the source.
#[derive(Default)]
pub struct DeletedWorld(Mutex<HashMap<PathBuf, Arc<Two>>>);

struct DeletedScene {
    place: PathBuf,
    known: Value,
    store: Store,
    /// None in the process that may be killed, whose store is on the disk.
    two: Option<Arc<Two>>,
}

fn furnish(two: &Two) {
    let ours = format!("-o zerfaux:group={GROUP}");
    let tag = |number: u32| format!("{PREFIX}-20261120T17150{number}Z-{number}");
    two.source.root(&format!("zfs create {LIVE}"));
    two.source.root(&format!("zfs set zerfaux:group={GROUP} zerfaux:role=live {LIVE}"));
    two.source.root(&format!("zfs snapshot {LIVE}@by-hand"));
    two.target.root("zfs create -p -o canmount=noauto dst/zerfaux/replica");
    two.target.root(&format!("zfs create -o canmount=noauto -o readonly=on {REPLICA}"));
    two.target.root(&format!("zfs set zerfaux:group={GROUP} zerfaux:role=replica {REPLICA}"));
    for number in 1..=3 {
        two.source.root(&format!("zfs snapshot {ours} {LIVE}@{}", tag(number)));
        two.source.root(&format!("zfs bookmark {LIVE}@{0} {LIVE}#{0}", tag(number)));
        two.target.root(&format!("zfs snapshot {ours} {REPLICA}@{}", tag(number)));
    }
    two.source.root(&format!("zfs hold zerfaux:{GROUP} {LIVE}@{}", tag(3)));
    two.target.root(&format!("zfs hold zerfaux:{GROUP} {REPLICA}@{}", tag(3)));
}

async fn register(store: &Store, known: &Value) {
    if store.target(SOURCE).await.unwrap().is_some() {
        return;
    }
    connect(store, known).await;
    let group = ProtectionGroup { enabled: false, ..group(Quiesce::Never, jiff::Timestamp::UNIX_EPOCH) };
    store.put_protection_group(&group, line()).await.unwrap();
}

#[async_trait]
impl World for DeletedWorld {
    fn kind(&self) -> &'static str {
        "delete_replica"
    }

    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        let two = Arc::new(Two::new());
        furnish(&two);
        let end = |sim: &crate::appliances::Sim| json!({ "port": sim.address().port(), "host_key": sim.host_key_fingerprint() });
        let thumbprint = vec!["00"; 32].join(":");
        let known = json!({
            // No job of this kind asks a vCenter.
            "port": 1, "thumbprint": thumbprint,
            "key": std::fs::read_to_string(two.key()).unwrap(), "ends": [end(&two.source), end(&two.target)],
        });
        std::fs::write(place.join("site"), known.to_string()).unwrap();
        let store = Store::open_in_memory().unwrap();
        register(&store, &known).await;
        self.0.lock().unwrap().insert(place.to_owned(), Arc::clone(&two));
        Arc::new(DeletedScene { place: place.to_owned(), known, store, two: Some(two) })
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
        Arc::new(DeletedScene { place: place.to_owned(), known, store, two: None })
    }

    async fn remove(&self, place: &Path) {
        self.0.lock().unwrap().remove(place);
    }
}

#[async_trait]
impl Scene for DeletedScene {
    fn definition(&self) -> Definition {
        let sealed = Arc::new(Sealed(self.known["key"].as_str().unwrap().to_owned()));
        delete_replica::definition(Targets::new(self.store.clone(), Arc::new(Hosts::new(Some(sealed), None))))
    }

    fn input(&self) -> Value {
        json!({
            "group_id": GROUP, "name": "ERP & co", "dr_target_id": DR, "replica": REPLICA, "source_target_id": SOURCE,
            "source_dataset": LIVE, "source_snapshots": true,
        })
    }

    async fn fingerprint(&self) -> Facts {
        let Some(two) = &self.two else { return Facts::new() };
        let mut facts = Facts::new();
        for (sim, pool) in [(&two.source, "src"), (&two.target, "dst")] {
            let list = sim.root(&format!(
                "zfs list -H -r -t filesystem,snapshot,bookmark -o name,userrefs,zerfaux:group,zerfaux:role {pool}"
            ));
            facts.insert(pool.to_owned(), list);
        }
        let data = self.place.join("store");
        let on_disk = data.exists().then(|| Store::open(&data).unwrap());
        let store = on_disk.as_ref().unwrap_or(&self.store);
        let group = store.protection_group(GROUP).await.unwrap().map(|group| group.name);
        facts.insert("group".to_owned(), format!("{group:?}"));
        facts.insert("deleted".to_owned(), format!("{:?}", store.deleted_groups().await.unwrap()));
        if let Some(store) = on_disk {
            store.close().await;
        }
        facts
    }

    fn outcome(&self, job: &Job) -> Value {
        let result = job.result.clone().unwrap_or_default();
        json!({ "state": job.state, "snapshots": result["destroyed_snapshots"], "source": result["destroyed_at_source"] })
    }
}
