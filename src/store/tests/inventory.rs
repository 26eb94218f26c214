//! vCenter connections and what they have.

use super::at;
use crate::domain::audit::{AuditEntry, Outcome};
use crate::domain::endpoint::Endpoint;
use crate::domain::hardware::{Disk, Hardware, PowerState};
use crate::domain::ids::{SecretId, SshKeyId, TargetId, VcenterId};
use crate::domain::inventory::{
    Datastore, Drift, Inventory, NfsExport, Place, PlaceKind, Vm, VmFilter, VmSort,
};
use crate::domain::moref::{DatastoreRef, EsxiRef, ManagedRef, VmRef};
use crate::domain::ssh_key::SshKey;
use crate::domain::target::{Deployed, Target};
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

/// An appliance at this address; what hosts mount may be another one.
async fn appliance(store: &Store, name: &str, host: &str, nfs_address: Option<&str>, pool: &str) -> TargetId {
    let audit = |action: &str| AuditEntry {
        at: at(0),
        actor: "test".to_owned(),
        source: "cli".to_owned(),
        action: action.to_owned(),
        object: name.to_owned(),
        outcome: Outcome::Done,
        details: serde_json::Value::Null,
    };
    let (secret, ssh_key) = (SecretId::new(), SshKeyId::new());
    let row = SecretRow { id: secret, name: name.to_owned(), key_id: "k".to_owned(), sealed: vec![1] };
    store.put_secret(&row).await.unwrap();
    let key = SshKey {
        id: ssh_key,
        name: name.to_owned(),
        algorithm: "ssh-ed25519".to_owned(),
        fingerprint: format!("SHA256:{name}"),
        public_key: "ssh-ed25519 AAAA".to_owned(),
        secret,
        created_by: "test".to_owned(),
        created_at: at(0),
    };
    store.insert_ssh_key(&key, audit("ssh_key.create")).await.unwrap();
    let target = Target {
        id: TargetId::new(),
        name: name.to_owned(),
        endpoint: Endpoint::new("zfsadmin", host, 22).unwrap(),
        ssh_key,
        host_key: "SHA256:x".to_owned(),
        zfs_pool: pool.parse().unwrap(),
        nfs_networks: "10.0.0.0/8".parse().unwrap(),
        nfs_address: nfs_address.map(str::to_owned),
        replication_address: None,
        vcenter: None,
        is_active: true,
        appdata_path: None,
        deployed: Deployed::default(),
        created_by: "test".to_owned(),
        created_at: at(0),
    };
    store.put_target(&target, audit("target.create")).await.unwrap();
    target.id
}

#[tokio::test]
async fn from_a_vm_to_appliance_and_dataset_is_one_question() {
    let (store, Vcenter { id, .. }) = with_vcenter().await;
    let export = |host: &str, path: &str| NfsExport { host: host.to_owned(), path: path.to_owned() };
    let exports = [
        ("ds-own", export("10.0.0.1", "/tank/zerfaux/live/one")),
        // Hosts mount another address than we log in to, and write its name in their own way.
        ("ds-other", export("NFS-B.example", "/pool2/two/")),
        ("ds-by-hand", export("10.0.0.1", "/srv/elsewhere")),
        ("ds-second-pool", export("10.0.0.1", "/fast/three")),
        ("ds-like", export("10.0.0.1", "/tank2/not")),
        ("ds-foreign", export("10.9.9.9", "/tank/foreign")),
    ];
    let mut datastores: Vec<_> = exports.iter().map(|(name, export)| datastore(name, Some(export))).collect();
    datastores.push(datastore("ds-local", None));
    let disks = (0..).zip(&datastores).map(|(key, one)| disk(key, one.object.id())).collect();
    let inventory = Inventory { datastores, vms: vec![vm("vm-1", "one", disks)], ..Inventory::default() };
    store.put_inventory(id, inventory, at(1)).await.unwrap();
    let a = appliance(&store, "a", "10.0.0.1", None, "tank").await;
    let fast = appliance(&store, "fast", "10.0.0.1", None, "fast").await;
    let b = appliance(&store, "b", "10.0.0.2", Some("nfs-b.example"), "pool2").await;

    let places = store.disk_places(id, Some(VmRef::new("vm-1")), None).await.unwrap();
    let found: Vec<_> = places
        .iter()
        .map(|one| {
            let on = one.appliance.as_ref();
            let dataset = on.and_then(|on| on.dataset.as_ref()).map(ToString::to_string);
            (one.datastore_name.as_deref().unwrap(), on.map(|on| on.target), dataset)
        })
        .collect();
    let dataset = |name: &str| Some(name.to_owned());
    assert_eq!(
        found,
        [
            ("name of ds-own", Some(a), dataset("tank/zerfaux/live/one")),
            ("name of ds-other", Some(b), dataset("pool2/two")),
            ("name of ds-by-hand", Some(a), None),
            ("name of ds-second-pool", Some(fast), dataset("fast/three")),
            ("name of ds-like", Some(a), None),
            ("name of ds-foreign", None, None),
            ("name of ds-local", None, None),
        ]
    );
}
