//! vCenter connections and what they have.

use super::at;
use crate::domain::hardware::{Disk, Hardware, PowerState};
use crate::domain::ids::{SecretId, VcenterId};
use crate::domain::inventory::{
    Datastore, Drift, Inventory, NfsExport, Place, PlaceKind, Vm, VmFilter, VmSort,
};
use crate::domain::moref::{DatastoreRef, EsxiRef, ManagedRef, VmRef};
use crate::domain::vcenter::{Trust, Vcenter, VcenterAddress};
use crate::store::{Refusal, SecretRow, Store};

async fn with_vcenter() -> (Store, Vcenter) {
    let store = Store::open_in_memory().unwrap();
    let password = SecretId::new();
    let row = SecretRow { id: password, name: "vcenter".to_owned(), key_id: "k".to_owned(), sealed: vec![1] };
    store.put_secret(&row).await.unwrap();
    let vcenter = Vcenter {
        id: VcenterId::new(),
        name: "Site A".to_owned(),
        address: VcenterAddress::new("vc-a.example", 443).unwrap(),
        username: "zerfaux@vsphere.local".to_owned(),
        password,
        trust: Trust::System,
        about: None,
        synced_at: None,
        last_error: None,
        created_at: at(0),
    };
    store.put_vcenter(&vcenter).await.unwrap();
    (store, vcenter)
}

fn disk(key: i32, datastore: &str) -> Disk {
    Disk {
        key,
        label: format!("Hard disk {key}"),
        controller: 1000,
        unit: key,
        file: Some(format!("[{datastore}] vm/{key}.vmdk")),
        parents: Vec::new(),
        datastore: Some(DatastoreRef::new(datastore)),
        capacity_bytes: 1 << 30,
        thin: Some(true),
        mode: "persistent".to_owned(),
        uuid: None,
    }
}

fn vm(id: &str, name: &str, disks: Vec<Disk>) -> Vm {
    Vm {
        object: VmRef::new(id),
        name: name.to_owned(),
        parent: None,
        template: false,
        instance_uuid: Some(format!("uuid-of-{id}")),
        bios_uuid: None,
        power: PowerState::On,
        guest: Some("Debian 12".to_owned()),
        guest_id: None,
        guest_host_name: Some(format!("{name}.example")),
        guest_ip: None,
        tools: None,
        cpus: 2,
        memory_bytes: 4 << 30,
        firmware: None,
        path: None,
        host: Some(ManagedRef::new("HostSystem", "host-1")),
        pool: None,
        has_snapshot: false,
        has_question: false,
        datastores: Vec::new(),
        hardware: Hardware { disks, ..Hardware::default() },
    }
}

fn datastore(id: &str, nfs: Option<&NfsExport>) -> Datastore {
    Datastore {
        object: DatastoreRef::new(id),
        name: format!("name of {id}"),
        parent: None,
        kind: "NFS".to_owned(),
        capacity_bytes: u64::MAX,
        free_bytes: 5,
        accessible: true,
        nfs: nfs.cloned(),
        hosts: vec![EsxiRef::new("host-1")],
    }
}

fn vms(vms: Vec<Vm>) -> Inventory {
    Inventory { vms, ..Inventory::default() }
}

async fn names(store: &Store, filter: VmFilter) -> Vec<String> {
    store.vms(&filter).await.unwrap().items.into_iter().map(|one| one.name).collect()
}

#[tokio::test]
async fn a_connection_reads_back_and_neither_name_nor_address_is_taken_twice() {
    let (store, vcenter) = with_vcenter().await;
    assert_eq!(store.vcenters().await.unwrap(), std::slice::from_ref(&vcenter));
    let other = |name: &str, host: &str| Vcenter {
        id: VcenterId::new(),
        name: name.to_owned(),
        address: VcenterAddress::new(host, 443).unwrap(),
        ..vcenter.clone()
    };
    for clash in [other("SITE a", "vc-b.example"), other("Site B", "vc-a.example")] {
        let error = store.put_vcenter(&clash).await.unwrap_err();
        assert!(matches!(error.refusal(), Some(Refusal::AlreadyExists(_))), "{error:?}");
    }
    store.vcenter_failed(vcenter.id, "no answer").await.unwrap();
    let pinned = Vcenter {
        trust: Trust::Pinned(crate::domain::thumbprint::Thumbprint::from_bytes([9; 32])),
        ..vcenter.clone()
    };
    store.put_vcenter(&pinned).await.unwrap();
    let found = store.vcenter(vcenter.id).await.unwrap().unwrap();
    assert_eq!((found.trust, found.last_error.as_deref()), (pinned.trust, Some("no answer")));

    store.put_inventory(vcenter.id, vms(vec![vm("vm-1", "web", vec![disk(1, "ds")])]), at(1)).await.unwrap();
    assert!(store.delete_vcenter(vcenter.id).await.unwrap());
    assert!(!store.delete_vcenter(vcenter.id).await.unwrap());
    assert_eq!(store.vms(&VmFilter::default()).await.unwrap().total, 0);
    assert!(store.secrets().await.unwrap().is_empty(), "its password went with it");
}

#[tokio::test]
async fn an_older_reading_never_replaces_a_newer_one() {
    let (store, Vcenter { id, .. }) = with_vcenter().await;
    let one = |name: &str| vms(vec![vm("vm-1", name, Vec::new())]);
    store.put_inventory(id, one("newer"), at(20)).await.unwrap();
    store.put_inventory(id, one("older"), at(10)).await.unwrap();
    assert_eq!(names(&store, VmFilter::default()).await, ["newer"]);
    assert_eq!(store.mark_unseen_gone(id, at(15), at(15)).await.unwrap(), 0);
    store.put_inventory(id, one("newest"), at(30)).await.unwrap();
    assert_eq!(names(&store, VmFilter::default()).await, ["newest"]);
}

#[tokio::test]
async fn what_left_is_marked_gone_and_comes_back_when_seen_again() {
    let (store, Vcenter { id, .. }) = with_vcenter().await;
    let both = vms(vec![vm("vm-1", "stays", Vec::new()), vm("vm-2", "leaves", Vec::new())]);
    store.put_inventory(id, both, at(1)).await.unwrap();
    store.put_inventory(id, vms(vec![vm("vm-1", "stays", Vec::new())]), at(5)).await.unwrap();
    assert_eq!(store.mark_unseen_gone(id, at(5), at(6)).await.unwrap(), 1);
    assert_eq!(names(&store, VmFilter::default()).await, ["stays"]);
    let with_gone = VmFilter { with_gone: true, ..VmFilter::default() };
    assert_eq!(names(&store, with_gone).await, ["leaves", "stays"]);
    let gone = store.vm(id, &VmRef::new("vm-2")).await.unwrap().unwrap();
    assert_eq!(gone.gone_at, Some(at(6)));
    assert!(store.vms_by_instance_uuid("uuid-of-vm-2").await.unwrap().is_empty());

    store.put_inventory(id, vms(vec![vm("vm-2", "leaves", Vec::new())]), at(7)).await.unwrap();
    assert_eq!(names(&store, VmFilter::default()).await, ["leaves", "stays"]);
    store.mark_gone(id, vec![ManagedRef::new("VirtualMachine", "vm-2")], at(8)).await.unwrap();
    assert_eq!(names(&store, VmFilter::default()).await, ["stays"]);
}

#[tokio::test]
async fn a_list_is_searched_filtered_sorted_and_cut_into_pages() {
    let (store, Vcenter { id, .. }) = with_vcenter().await;
    let place = |kind: &str, object: &str, sort, name: &str, parent: Option<ManagedRef>| Place {
        object: ManagedRef::new(kind, object),
        kind: sort,
        name: name.to_owned(),
        parent,
        facts: Default::default(),
    };
    let cluster = ManagedRef::new("ClusterComputeResource", "c-1");
    let mut all: Vec<_> =
        (0..30).map(|n| vm(&format!("vm-{n}"), &format!("web{n:02}"), vec![disk(1, "ds-1")])).collect();
    all[3].template = true;
    all[4].power = PowerState::Off;
    all[5].memory_bytes = 64 << 30;
    all[6].guest_ip = Some("10.1.2.3".to_owned());
    all[7].host = None;
    let inventory = Inventory {
        places: vec![
            place("ClusterComputeResource", "c-1", PlaceKind::Cluster, "Production", None),
            place("HostSystem", "host-1", PlaceKind::Host, "esx1", Some(cluster.clone())),
        ],
        datastores: vec![datastore("ds-1", None)],
        vms: all,
        ..Inventory::default()
    };
    store.put_inventory(id, inventory, at(1)).await.unwrap();
    let page = store.vms(&VmFilter { offset: 10, limit: 5, ..VmFilter::default() }).await.unwrap();
    let found: Vec<_> = page.items.iter().map(|one| one.name.as_str()).collect();
    assert_eq!((found, page.total), (vec!["web10", "web11", "web12", "web13", "web14"], 30));
    let line = &page.items[0];
    assert_eq!((line.host.as_deref(), line.cluster.as_deref()), (Some("esx1"), Some("Production")));
    assert_eq!(line.datastores, ["name of ds-1"]);

    let any = VmFilter::default;
    let one = |filter| names(&store, filter);
    assert_eq!(
        one(VmFilter { search: Some("WEB2".to_owned()), limit: 3, ..any() }).await,
        ["web20", "web21", "web22"]
    );
    assert_eq!(one(VmFilter { search: Some("10.1.2".to_owned()), ..any() }).await, ["web06"]);
    assert_eq!(one(VmFilter { search: Some("%".to_owned()), ..any() }).await, Vec::<String>::new());
    assert_eq!(one(VmFilter { template: Some(true), ..any() }).await, ["web03"]);
    assert_eq!(one(VmFilter { power: Some(PowerState::Off), ..any() }).await, ["web04"]);
    let largest = VmFilter { sort: VmSort::Memory, descending: true, limit: 1, ..any() };
    assert_eq!(one(largest).await, ["web05"]);
    let in_cluster = store.vms(&VmFilter { place: Some(cluster), ..any() }).await.unwrap();
    assert_eq!(in_cluster.total, 29);
    let elsewhere = VmFilter { datastore: Some(DatastoreRef::new("ds-2")), ..any() };
    assert_eq!(store.vms(&elsewhere).await.unwrap().total, 0);
    assert_eq!(store.vms(&VmFilter { vcenter: Some(VcenterId::new()), ..any() }).await.unwrap().total, 0);
}

#[tokio::test]
async fn drift_is_derived_from_where_the_disks_lie() {
    let (store, Vcenter { id, .. }) = with_vcenter().await;
    let export = NfsExport { host: "10.0.0.1".to_owned(), path: "/tank/one".to_owned() };
    let inventory = Inventory {
        datastores: vec![datastore("ds-nfs", Some(&export)), datastore("ds-local", None)],
        vms: vec![
            vm("vm-1", "whole", vec![disk(1, "ds-nfs"), disk(2, "ds-nfs")]),
            vm("vm-2", "torn", vec![disk(1, "ds-nfs"), disk(2, "ds-local")]),
            vm("vm-3", "away", vec![disk(1, "ds-local")]),
        ],
        ..Inventory::default()
    };
    store.put_inventory(id, inventory, at(1)).await.unwrap();
    let of = |vm: &'static str| {
        let (store, export) = (store.clone(), export.clone());
        async move { Drift::of(store.disk_places(id, Some(VmRef::new(vm)), None).await.unwrap(), &export) }
    };
    assert_eq!(of("vm-1").await, Drift::None);
    assert!(matches!(of("vm-2").await, Drift::Elsewhere { disks } if disks.len() == 1 && disks[0].disk == 2));
    assert_eq!(of("vm-3").await, Drift::Left);
    let on_export = store.disk_places(id, None, Some(export)).await.unwrap();
    let found: Vec<_> = on_export.iter().map(|one| (one.vm.id(), one.disk)).collect();
    assert_eq!(found, [("vm-1", 1), ("vm-1", 2), ("vm-2", 1), ("vm-2", 2)]);
}
