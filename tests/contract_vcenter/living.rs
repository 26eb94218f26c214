//! The inventory in the database: read by the job, kept alive by the stream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::json;
use zerfaux::domain::hardware::PowerState;
use zerfaux::domain::ids::{SecretId, VcenterId};
use zerfaux::domain::inventory::{Drift, NfsExport, PlaceKind, VmFilter};
use zerfaux::domain::job::{Failure, JobState};
use zerfaux::domain::moref::{EsxiRef, VmRef};
use zerfaux::domain::vcenter::Vcenter;
use zerfaux::engine::reconcile::Reconciler;
use zerfaux::engine::{Engine, SystemClock};
use zerfaux::jobs::inventory_watch::InventoryWatch;
use zerfaux::jobs::vcenter_sync;
use zerfaux::jobs::vcenters::{SealedPasswords, Vcenters};
use zerfaux::store::{SecretRow, Store};
use zerfaux::vsphere::verbs::{DeviceChange, NasMount, NewDisk, NfsVersion, Reconfigure};

use crate::inventory::{first, machines};
use crate::machines::{done, hardware};
use crate::vcenter::Server;

struct Password(String);

#[async_trait]
impl SealedPasswords for Password {
    async fn password(&self, _id: SecretId) -> Result<SecretString, Failure> {
        Ok(SecretString::from(self.0.clone()))
    }
}

async fn kept(server: &Server) -> (Store, Vcenters, VcenterId) {
    let store = Store::open_in_memory().unwrap();
    let (id, password) = (VcenterId::new(), SecretId::new());
    let row = SecretRow { id: password, name: "p".to_owned(), key_id: "k".to_owned(), sealed: vec![1] };
    store.put_secret(&row).await.unwrap();
    let login = server.login().await;
    let vcenter = Vcenter {
        id,
        name: "site A".to_owned(),
        address: login.address,
        username: login.username,
        password,
        trust: login.trust,
        about: None,
        synced_at: None,
        last_error: None,
        created_at: Timestamp::now(),
    };
    store.put_vcenter(&vcenter).await.unwrap();
    let vcenters = Vcenters::new(store.clone(), Some(Arc::new(Password(server.password.clone()))));
    (store, vcenters, id)
}

/// Waits until the database says so, and returns how long it took.
async fn until<F: Future<Output = bool>>(what: &str, check: impl Fn() -> F) -> Duration {
    let began = Instant::now();
    while !check().await {
        // A server may end a call that waits only when its time is over, half a minute later.
        assert!(began.elapsed() < Duration::from_secs(75), "not within 75 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

pub async fn a_synchronisation_reads_everything_and_marks_what_left(server: &Server) {
    let client = server.client().await;
    let (store, vcenters, id) = kept(server).await;
    let engine =
        Engine::new(store.clone(), vec![vcenter_sync::definition(vcenters)], Arc::new(SystemClock::new()));
    let sync = || async {
        let job = engine.enqueue(vcenter_sync::KIND, json!({"vcenter": id}), "test").await.unwrap();
        engine.run_until_idle().await.unwrap();
        let job = engine.job(job).await.unwrap();
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
    };
    sync().await;
    let known = machines(&client).await;
    let page = store.vms(&VmFilter::default()).await.unwrap();
    let names: Vec<_> = page.items.iter().map(|one| one.name.clone()).collect();
    let mut expected: Vec<_> = known.iter().map(|(name, _)| name.clone()).collect();
    expected.sort_by_key(|name| name.to_lowercase());
    assert_eq!((names, page.total), (expected, u64::try_from(known.len()).unwrap()));
    let line = &page.items[0];
    assert!(line.cpus > 0 && line.memory_bytes > 0 && line.disk_bytes > 0 && line.host.is_some(), "{line:?}");
    assert!(!line.datastores.is_empty(), "{line:?}");
    for sort in
        [PlaceKind::Datacenter, PlaceKind::Cluster, PlaceKind::Host, PlaceKind::Pool, PlaceKind::Folder]
    {
        assert!(!store.places(id, Some(sort)).await.unwrap().is_empty(), "{sort:?}");
    }
    assert!(!store.networks(id).await.unwrap().is_empty());

    let (name, vm) = &known[0];
    if store.vm(id, vm).await.unwrap().unwrap().object.power == PowerState::On {
        done(&client, &client.power_off(vm).await.unwrap()).await.unwrap();
    }
    client.unregister_vm(vm).await.unwrap();
    sync().await;
    let gone = store.vm(id, vm).await.unwrap().unwrap();
    assert!(gone.gone_at.is_some() && gone.object.name == *name);
    assert_eq!(store.vms(&VmFilter::default()).await.unwrap().total, page.total - 1);
}

pub async fn a_change_by_somebody_else_is_in_the_database_within_two_seconds(server: &Server) {
    let client = server.client().await;
    let (store, vcenters, id) = kept(server).await;
    let watch = InventoryWatch::new(vcenters);
    watch.run().await.unwrap();
    let total = u64::try_from(machines(&client).await.len()).unwrap();
    until("everything was read", || async {
        store.vcenter(id).await.unwrap().unwrap().synced_at.is_some()
            && store.vms(&VmFilter::default()).await.unwrap().total == total
    })
    .await;

    let (_, vm) = machines(&client).await.swap_remove(0);
    let power =
        |vm: VmRef, store: Store| async move { store.vm(id, &vm).await.unwrap().unwrap().object.power };
    let before = power(vm.clone(), store.clone()).await;
    let task = match before {
        PowerState::On => client.power_off(&vm).await.unwrap(),
        _ => client.power_on(&vm, None).await.unwrap(),
    };
    done(&client, &task).await.unwrap();
    let took =
        until("the power state has changed", || async { power(vm.clone(), store.clone()).await != before })
            .await;
    assert!(took < Duration::from_secs(2), "{took:?}");

    if power(vm.clone(), store.clone()).await == PowerState::On {
        done(&client, &client.power_off(&vm).await.unwrap()).await.unwrap();
    }
    client.unregister_vm(&vm).await.unwrap();
    let took =
        until("it is gone", || async { store.vm(id, &vm).await.unwrap().unwrap().gone_at.is_some() }).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
}

pub async fn a_lost_stream_is_made_good(server: &Server) {
    let client = server.client().await;
    let (store, vcenters, id) = kept(server).await;
    let watch = InventoryWatch::new(vcenters.clone());
    watch.run().await.unwrap();
    let synced = || async { store.vcenter(id).await.unwrap().unwrap().synced_at };
    until("everything was read", || async { synced().await.is_some() }).await;
    let first_time = synced().await;

    // The session ends under the stream, and something changes while nobody looks.
    vcenters.client(id).await.unwrap().log_out().await.unwrap();
    let folder = crate::machines::root_folder(&client).await;
    client.create_folder(&folder, "made while nobody looked").await.unwrap();
    until("it was read again", || async {
        watch.run().await.unwrap();
        synced().await != first_time
    })
    .await;
    let folders = store.places(id, Some(PlaceKind::Folder)).await.unwrap();
    assert!(folders.iter().any(|one| one.object.name == "made while nobody looked"));
}

pub async fn where_disks_lie_is_one_question_and_drift_is_its_answer(server: &Server) {
    let client = server.client().await;
    let (store, vcenters, id) = kept(server).await;
    let watch = InventoryWatch::new(vcenters);
    watch.run().await.unwrap();
    let host = EsxiRef::new(first(&client, "HostSystem").await.id);
    let export = NfsExport { host: "10.9.8.7".to_owned(), path: "/tank/zerfaux/live/one".to_owned() };
    let mount = NasMount {
        remote_host: export.host.clone(),
        remote_path: export.path.clone(),
        name: "zerfaux-one".to_owned(),
        version: NfsVersion::V3,
        read_only: false,
    };
    client.create_nas_datastore(&host, &mount).await.unwrap();
    // A machine on that very host, which mounts the datastore.
    let mut machine = None;
    for (_, vm) in machines(&client).await {
        let found =
            client.properties(&vm, "VirtualMachine", &["runtime.host", "runtime.powerState"]).await.unwrap();
        if found.get("runtime.host").and_then(|one| one.reference()).is_some_and(|one| one.id == host.id()) {
            machine = Some((vm, found.text("runtime.powerState") == Some("poweredOn")));
        }
    }
    let (vm, on) = machine.expect("a machine on the first host");
    if on {
        done(&client, &client.power_off(&vm).await.unwrap()).await.unwrap();
    }
    let (controller, unit) = hardware(&client, &vm).await.free_scsi_unit().unwrap();
    let disk = NewDisk {
        controller,
        unit,
        capacity_bytes: 1 << 20,
        thin: true,
        file: Some("[zerfaux-one] extra.vmdk".to_owned()),
    };
    let add = Reconfigure { devices: vec![DeviceChange::AddDisk(disk)], ..Reconfigure::default() };
    done(&client, &client.reconfigure(&vm, &add).await.unwrap()).await.unwrap();
    let places = || store.disk_places(id, None, Some(export.clone()));
    until("both disks are known", || async { places().await.unwrap().len() == 2 }).await;
    let places = places().await.unwrap();
    assert!(places.iter().all(|one| one.vm == vm), "{places:?}");
    let on_export: Vec<_> = places.iter().filter(|one| one.nfs.as_ref() == Some(&export)).collect();
    assert_eq!(on_export.len(), 1);
    assert_eq!(on_export[0].datastore_name.as_deref(), Some("zerfaux-one"));
    match Drift::of(places.clone(), &export) {
        Drift::Elsewhere { disks } => assert_eq!(disks.len(), 1),
        other => panic!("{other:?}"),
    }
}
