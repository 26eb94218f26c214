//! Plans over a small inventory, changed in one way each.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::*;
use crate::domain::hardware::{Hardware, NicNetwork, PowerState};
use crate::domain::ids::{SecretId, TemplateId, VcenterId};
use crate::domain::inventory::{NfsExport, PlaceKind};
use crate::domain::moref::{DatastoreRef, EsxiRef, ManagedRef, VmRef};
use crate::domain::template::TemplateDefaults;
use crate::domain::vcenter::{About, Trust, VcenterAddress};

struct World {
    template: Template,
    vcenter: Vcenter,
    vm: Option<Vm>,
    places: Vec<Place>,
    datastores: Vec<Datastore>,
    networks: Vec<Network>,
    name_taken: bool,
    address_taken: Option<String>,
    key_there: bool,
}

fn place(
    kind: PlaceKind,
    (sort, id): (&str, &str),
    name: &str,
    parent: (&str, &str),
    facts: &[(&str, &str)],
) -> Place {
    Place {
        object: ManagedRef::new(sort, id),
        kind,
        name: name.to_owned(),
        parent: Some(ManagedRef::new(parent.0, parent.1)),
        facts: facts.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    }
}

fn datastore(id: &str, name: &str, free_gib: u64) -> Datastore {
    Datastore {
        object: DatastoreRef::new(id),
        name: name.to_owned(),
        parent: None,
        kind: "VMFS".to_owned(),
        capacity_bytes: 4 << 40,
        free_bytes: free_gib << 30,
        accessible: true,
        nfs: None,
        hosts: vec![EsxiRef::new("host-1")],
    }
}

fn world() -> World {
    let cluster = ("ClusterComputeResource", "domain-c1");
    let host =
        |id, name| place(PlaceKind::Host, ("HostSystem", id), name, cluster, &[("connection", "connected")]);
    let about = About {
        kind: ApiKind::VirtualCenter,
        full_name: String::new(),
        version: "8.0.2".into(),
        api_version: String::new(),
        instance_uuid: None,
    };
    let login: LoginName = "zfsadmin".parse().unwrap();
    let vcenter = VcenterId::new();
    World {
        template: Template {
            id: TemplateId::new(),
            name: "Debian 12".into(),
            description: None,
            vcenter,
            moref: VmRef::new("vm-7"),
            vm_name: "debian-12-zfs".into(),
            defaults: TemplateDefaults::new("tank".parse().unwrap(), "10.0.0.0/8".parse().unwrap(), login),
            ssh_key: None,
            is_active: true,
            created_by: "anna".into(),
            created_at: Timestamp::UNIX_EPOCH,
        },
        vcenter: Vcenter {
            id: vcenter,
            name: "vc".into(),
            address: VcenterAddress::new("vc", 443).unwrap(),
            username: "u".into(),
            password: SecretId::new(),
            trust: Trust::System,
            about: Some(about),
            synced_at: None,
            last_error: None,
            created_at: Timestamp::UNIX_EPOCH,
        },
        vm: Some(template_vm()),
        places: vec![
            place(
                PlaceKind::Datacenter,
                ("Datacenter", "dc-1"),
                "Berlin",
                ("Folder", "root"),
                &[("vm_folder", "group-v0")],
            ),
            place(
                PlaceKind::Folder,
                ("Folder", "group-h"),
                "host",
                ("Datacenter", "dc-1"),
                &[("holds", "ComputeResource")],
            ),
            place(
                PlaceKind::Folder,
                ("Folder", "group-v1"),
                "Appliances",
                ("Datacenter", "dc-1"),
                &[("holds", "Folder VirtualMachine")],
            ),
            place(PlaceKind::Cluster, cluster, "Prod", ("Folder", "group-h"), &[("pool", "resgroup-1")]),
            place(
                PlaceKind::Pool,
                ("ResourcePool", "resgroup-2"),
                "Storage",
                ("ResourcePool", "resgroup-1"),
                &[],
            ),
            place(PlaceKind::Pool, ("ResourcePool", "resgroup-1"), "Resources", cluster, &[]),
            host("host-1", "esx-1"),
            host("host-2", "esx-2"),
            place(
                PlaceKind::Switch,
                ("VmwareDistributedVirtualSwitch", "dvs-1"),
                "dvs",
                ("Folder", "n"),
                &[("uuid", "50 2b")],
            ),
        ],
        datastores: vec![datastore("datastore-1", "fast", 800), datastore("datastore-2", "small", 20)],
        networks: vec![
            Network {
                object: ManagedRef::new("DistributedVirtualPortgroup", "dvportgroup-1"),
                name: "Storage".into(),
                parent: None,
                vlan: Some("17".into()),
                portgroup_key: Some("dvportgroup-1".into()),
                switch: Some(ManagedRef::new("VmwareDistributedVirtualSwitch", "dvs-1")),
            },
            Network {
                object: ManagedRef::new("Network", "network-1"),
                name: "VM Network".into(),
                parent: None,
                vlan: None,
                portgroup_key: None,
                switch: None,
            },
        ],
        name_taken: false,
        address_taken: None,
        key_there: true,
    }
}

fn template_vm() -> Vm {
    Vm {
        object: VmRef::new("vm-7"),
        name: "debian-12-zfs".into(),
        parent: Some(ManagedRef::new("Folder", "group-v9")),
        template: true,
        instance_uuid: None,
        bios_uuid: None,
        power: PowerState::Off,
        guest: None,
        guest_id: None,
        guest_host_name: None,
        guest_ip: None,
        tools: None,
        cpus: 2,
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

fn wanted() -> Wanted {
    Wanted {
        vm_name: "zfs-dr-1".into(),
        hostname: "zfs-dr-1".into(),
        domain: "local".into(),
        dns_suffixes: Vec::new(),
        dns_servers: Vec::new(),
        fixed: Some(fixed("10.1.1.50", "255.255.255.0", "10.1.1.1")),
        datacenter: None,
        cluster: None,
        resource_pool: None,
        folder: None,
        datastore: Some("fast".into()),
        network: Some("Storage".into()),
        cpus: 2,
        memory_gib: 8,
        pool: "tank".parse().unwrap(),
        disk_gib: 500,
        thin: true,
        nfs_networks: "10.0.0.0/8".parse().unwrap(),
        ssh_username: "zfsadmin".parse().unwrap(),
        ssh_port: 22,
        ssh_key: Some(SshKeyId::new()),
        target_name: Some("zfs-dr-1".into()),
        register_datastore: true,
        hosts: Vec::new(),
    }
}

fn fixed(address: &str, mask: &str, gateway: &str) -> FixedAddress {
    FixedAddress {
        address: address.parse().unwrap(),
        mask: mask.parse().unwrap(),
        gateway: gateway.parse().unwrap(),
    }
}

fn planned(world: &World, wanted: &Wanted) -> DeployPlan {
    let history = BTreeMap::new();
    let facts = Facts {
        template: &world.template,
        vcenter: &world.vcenter,
        vm: world.vm.as_ref(),
        places: &world.places,
        datastores: &world.datastores,
        networks: &world.networks,
        name_taken: world.name_taken,
        address_taken: world.address_taken.clone(),
        targets: &[],
        key_there: world.key_there,
        history: &history,
    };
    plan(wanted, &facts)
}

/// The fields that stand in the way.
fn obstacles(world: &World, wanted: &Wanted) -> Vec<&'static str> {
    let plan = planned(world, wanted);
    assert_eq!(plan.deployment.is_some(), plan.obstacles.is_empty(), "{plan:?}");
    plan.obstacles.iter().map(|one| one.field).collect()
}

#[test]
fn what_is_left_open_is_found_where_there_is_only_one_choice() {
    let plan = planned(&world(), &wanted());
    let deployment = plan.deployment.unwrap_or_else(|| panic!("{:?}", plan.obstacles));
    assert_eq!(deployment.place.pool.id(), "resgroup-1");
    assert_eq!(deployment.place.folder.id(), "group-v9", "beside the template");
    assert_eq!(deployment.place.datastore.id(), "datastore-1");
    assert_eq!(deployment.place.vlan.as_deref(), Some("17"));
    let connection = NicNetwork::Distributed { switch: "50 2b".into(), portgroup: "dvportgroup-1".into() };
    assert_eq!(deployment.place.network, connection);
    let hosts: Vec<&str> = deployment.datastore_hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(hosts, ["esx-1", "esx-2"]);
    assert_eq!(deployment.datastore_name(), "nfs-zfs-dr-1");
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
}

#[test]
fn places_are_found_by_reference_or_by_name() {
    for (cluster, pool, folder, network) in [
        ("Prod", "Storage", "Appliances", "VM Network"),
        ("domain-c1", "resgroup-2", "group-v1", "network-1"),
        ("esx-2", "resgroup-2", "group-v1", "network-1"),
    ] {
        let wish = Wanted {
            cluster: Some(cluster.into()),
            resource_pool: Some(pool.into()),
            folder: Some(folder.into()),
            network: Some(network.into()),
            ..wanted()
        };
        let plan = planned(&world(), &wish);
        let place = plan.deployment.unwrap_or_else(|| panic!("{:?}", plan.obstacles)).place;
        assert_eq!((place.pool.id(), place.folder.id()), ("resgroup-2", "group-v1"));
        assert!(matches!(place.network, NicNetwork::Standard { .. }));
        assert_eq!(place.host.is_some(), cluster == "esx-2");
    }
}

#[test]
fn each_thing_in_the_way_is_named_by_its_field() {
    let wish = wanted;
    assert_eq!(obstacles(&World { vm: None, ..world() }, &wish()), ["template_id"]);
    let vm = Vm { template: false, ..template_vm() };
    assert_eq!(obstacles(&World { vm: Some(vm), ..world() }, &wish()), ["template_id"]);
    let mut retired = world();
    retired.template.is_active = false;
    assert_eq!(obstacles(&retired, &wish()), ["template_id"]);
    let mut host = world();
    host.vcenter.about.as_mut().unwrap().kind = ApiKind::HostAgent;
    assert_eq!(obstacles(&host, &wish()), ["template_id"]);
    assert_eq!(obstacles(&World { name_taken: true, ..world() }, &wish()), ["vm_name"]);
    assert_eq!(obstacles(&World { key_there: false, ..world() }, &wish()), ["ssh_key_id"]);
    assert_eq!(obstacles(&world(), &Wanted { ssh_key: None, ..wish() }), ["ssh_key_id"]);
    assert_eq!(obstacles(&world(), &Wanted { network: Some("gone".into()), ..wish() }), ["network_id"]);
    assert_eq!(obstacles(&world(), &Wanted { network: None, ..wish() }), ["network_id"]);
    assert_eq!(obstacles(&world(), &Wanted { datastore: None, ..wish() }), ["datastore"]);
    assert_eq!(obstacles(&world(), &Wanted { cluster: Some("x".into()), ..wish() }), ["cluster"]);
    assert_eq!(obstacles(&world(), &Wanted { folder: Some("host".into()), ..wish() }), ["folder"]);
    assert_eq!(obstacles(&world(), &Wanted { hosts: vec!["esx-9".into()], ..wish() }), ["datastore_hosts"]);
    let taken =
        World { datastores: vec![datastore("d", "fast", 800), datastore("e", "nfs-zfs-dr-1", 1)], ..world() };
    assert_eq!(obstacles(&taken, &wish()), ["vm_name"]);
}

#[test]
fn a_fixed_address_has_to_fit_its_subnet_and_be_free() {
    let with = |address, mask, gateway| Wanted { fixed: Some(fixed(address, mask, gateway)), ..wanted() };
    assert_eq!(obstacles(&world(), &with("10.1.1.50", "255.255.0.255", "10.1.1.1")), ["subnet_mask"]);
    assert_eq!(obstacles(&world(), &with("10.1.1.50", "255.255.255.0", "10.1.2.1")), ["gateway"]);
    assert_eq!(obstacles(&world(), &with("10.1.1.1", "255.255.255.0", "10.1.1.1")), ["ip_address"]);
    assert_eq!(obstacles(&world(), &with("10.1.1.0", "255.255.255.0", "10.1.1.1")), ["ip_address"]);
    assert_eq!(obstacles(&world(), &with("10.1.1.255", "255.255.255.0", "10.1.1.1")), ["ip_address"]);
    assert!(obstacles(&world(), &with("10.1.1.0", "255.255.255.254", "10.1.1.1")).is_empty());
    let known = World { address_taken: Some("web-01".into()), ..world() };
    assert_eq!(obstacles(&known, &wanted()), ["ip_address"]);
    let by_dhcp = planned(&world(), &Wanted { fixed: None, ..wanted() });
    assert_eq!(by_dhcp.warnings[0].field, "use_dhcp");
    assert!(by_dhcp.warnings[0].message.contains("reservation"));
}

#[test]
fn the_datastore_needs_room_and_takes_thick_disks_only_where_they_can_be_made() {
    let small = Wanted { datastore: Some("small".into()), thin: false, ..wanted() };
    assert_eq!(obstacles(&world(), &small), ["datastore"]);
    let thin = planned(&world(), &Wanted { thin: true, ..small });
    assert!(thin.deployment.is_some() && thin.warnings.iter().any(|one| one.field == "datastore"));
    let mut on_nfs = world();
    on_nfs.datastores[0].nfs = Some(NfsExport { host: "nas".into(), path: "/x".into() });
    assert_eq!(obstacles(&on_nfs, &Wanted { thin: false, ..wanted() }), ["thin"]);
    assert!(obstacles(&on_nfs, &wanted()).is_empty());
    on_nfs.datastores[0].nfs = Some(NfsExport { host: "10.1.1.50".into(), path: "/tank/nfs".into() });
    assert_eq!(obstacles(&on_nfs, &wanted()), ["datastore"], "not on its own export");
    let mut lost = world();
    lost.datastores[0].accessible = false;
    assert_eq!(obstacles(&lost, &wanted()), ["datastore"]);
}

#[test]
fn two_of_one_name_are_told_apart_by_their_references() {
    let twice =
        World { datastores: vec![datastore("a", "fast", 800), datastore("b", "fast", 800)], ..world() };
    assert_eq!(obstacles(&twice, &wanted()), ["datastore"]);
    let wish = Wanted { datastore: Some("b".into()), ..wanted() };
    assert_eq!(planned(&twice, &wish).deployment.unwrap().place.datastore.id(), "b");
}
