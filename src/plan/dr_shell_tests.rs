use std::collections::BTreeMap;

use super::*;
use crate::domain::hardware::{
    Controller, Disk, Firmware, Hardware, Nic, NicNetwork, Special, SpecialDevice,
};
use crate::domain::inventory::{NfsExport, PlaceKind};
use crate::domain::machine::BootItem;
use crate::domain::moref::DatastoreRef;

const GIB: u64 = 1 << 30;

fn source() -> Machine {
    Machine {
        name: "erp".to_owned(),
        instance_uuid: Some("5038".to_owned()),
        bios_uuid: Some("4238".to_owned()),
        guest_id: Some("debian12_64Guest".to_owned()),
        version: Some(19),
        cpus: 8,
        cores_per_socket: 4,
        memory_mib: 32 * 1024,
        firmware: Firmware::Efi,
        secure_boot: true,
        boot_order: Vec::new(),
        shows_disk_uuids: true,
        is_encrypted: false,
        template: false,
        has_snapshot: false,
        home: Some("[protected] erp/erp.vmx".to_owned()),
        hardware: Hardware {
            controllers: vec![Controller { key: 1000, kind: "ParaVirtualSCSIController".to_owned(), bus: 0 }],
            disks: vec![Disk {
                key: 2000,
                label: "Hard disk 1".to_owned(),
                controller: 1000,
                unit: 0,
                file: Some("[protected] erp/erp.vmdk".to_owned()),
                parents: Vec::new(),
                datastore: None,
                capacity_bytes: 60 * GIB,
                thin: Some(true),
                mode: "persistent".to_owned(),
                uuid: None,
            }],
            nics: vec![Nic {
                key: 4000,
                label: "Network adapter 1".to_owned(),
                kind: "VirtualVmxnet3".to_owned(),
                mac: Some("00:50:56:8a:00:01".to_owned()),
                mac_is_manual: false,
                network: NicNetwork::Distributed {
                    switch: "50 1".to_owned(),
                    portgroup: "dvportgroup-1".to_owned(),
                },
                start_connected: true,
                place: None,
            }],
            ..Hardware::default()
        },
    }
}

fn place(kind: PlaceKind, id: &str, name: &str, parent: Option<&Place>, facts: &[(&str, &str)]) -> Place {
    let facts: BTreeMap<String, String> =
        facts.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let object = ManagedRef::new(kind.as_str(), id);
    Place { object, kind, name: name.to_owned(), parent: parent.map(|one| one.object.clone()), facts }
}

/// A DR site that has what the source needs.
struct Site {
    source: Machine,
    source_networks: Vec<Network>,
    places: Vec<Place>,
    datastores: Vec<Datastore>,
    networks: Vec<Network>,
    taken: Vec<(ManagedRef, String)>,
    has_shell: bool,
}

fn network(id: &str, name: &str, key: &str, switch: &Place) -> Network {
    Network {
        object: ManagedRef::new("DistributedVirtualPortgroup", id),
        name: name.to_owned(),
        parent: None,
        vlan: None,
        portgroup_key: Some(key.to_owned()),
        switch: Some(switch.object.clone()),
    }
}

impl Site {
    fn new() -> Self {
        let cluster = place(PlaceKind::Cluster, "domain-c1", "DR", None, &[("pool", "resgroup-1")]);
        let esxi = [("version", "8.0.2"), ("maintenance", "false")];
        let host = place(PlaceKind::Host, "host-1", "esx01.dr", Some(&cluster), &esxi);
        let center = place(PlaceKind::Datacenter, "datacenter-1", "DR", None, &[("vm_folder", "group-v1")]);
        let switch = place(PlaceKind::Switch, "dvs-9", "dvs", None, &[("uuid", "50 9")]);
        let networks = vec![network("dvportgroup-9", "Servers", "dvportgroup-9", &switch)];
        let local = Datastore {
            object: DatastoreRef::new("datastore-1"),
            name: "local".to_owned(),
            parent: None,
            kind: "VMFS".to_owned(),
            capacity_bytes: 900 * GIB,
            free_bytes: 500 * GIB,
            accessible: true,
            nfs: None,
            hosts: vec![EsxiRef::new("host-1")],
        };
        Self {
            source: source(),
            source_networks: vec![network("dvportgroup-1", "Servers", "dvportgroup-1", &switch)],
            places: vec![cluster, host, center, switch],
            datastores: vec![local],
            networks,
            taken: Vec::new(),
            has_shell: false,
        }
    }

    fn plan(&self, wish: &Wish) -> ShellPlan {
        shell(
            wish,
            &Facts {
                source: &self.source,
                protected_on: "protected",
                source_networks: &self.source_networks,
                same_vcenter: false,
                has_shell: self.has_shell,
                places: &self.places,
                datastores: &self.datastores,
                networks: &self.networks,
                taken: &self.taken,
                appliance: ("10.0.0.5", "tank"),
            },
        )
    }

    /// It is refused, with these words and nothing decided.
    #[track_caller]
    fn refused(&self, wish: &Wish, says: &str) {
        let plan = self.plan(wish);
        assert!(plan.obstacles.iter().any(|one| one.message.contains(says)), "{says:?} is not in {plan:?}");
        assert!(plan.spec.is_none());
    }
}

fn wish() -> Wish {
    Wish { home_datastore: Some("local".to_owned()), ..Wish::default() }
}

#[test]
fn a_shell_is_as_its_source_where_the_site_has_what_it_needs() {
    let site = Site::new();
    let plan = site.plan(&wish());
    assert_eq!((&plan.obstacles, &plan.differences, &plan.warnings), (&vec![], &vec![], &vec![]));
    let spec = plan.spec.unwrap();
    assert_eq!((spec.name.as_str(), spec.folder.id(), spec.pool.id()), ("erp", "group-v1", "resgroup-1"));
    assert_eq!(
        (spec.cpus, spec.cores_per_socket, spec.memory_mib, spec.version),
        (8, 4, 32 * 1024, Some(19))
    );
    assert_eq!((spec.firmware, spec.secure_boot, spec.shows_disk_uuids), (Firmware::Efi, true, true));
    assert_eq!((spec.disks[0].path.as_str(), spec.disks[0].unit), ("erp/erp.vmdk", 0));
    let portgroup = "dvportgroup-9".to_owned();
    assert_eq!(spec.nics[0].network, NicNetwork::Distributed { switch: "50 9".to_owned(), portgroup });
    assert_eq!(spec.nics[0].mac.as_deref(), Some("00:50:56:8a:00:01"));
    assert_eq!(plan.hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["esx01.dr"]);
}

#[test]
fn what_cannot_be_rebuilt_elsewhere_is_refused_by_name() {
    for (special, says) in [
        (Special::Tpm, "virtual TPM"),
        (Special::Passthrough, "passthrough"),
        (Special::RawDisk, "raw device mapping"),
        (Special::SharedDisk, "multi-writer"),
        (Special::SharedBus, "shared bus"),
        (Special::EncryptedDisk, "encrypted"),
    ] {
        let mut site = Site::new();
        let label = "Device".to_owned();
        site.source.hardware.special.push(SpecialDevice { key: 11000, special, label });
        site.refused(&wish(), says);
    }
    let mut site = Site::new();
    site.source.is_encrypted = true;
    site.refused(&wish(), "encrypted by vSphere");
    let mut site = Site::new();
    site.has_shell = true;
    site.refused(&wish(), "has a DR shell already");
    let mut site = Site::new();
    site.source.hardware.disks[0].file = Some("[local-a] erp/erp.vmdk".to_owned());
    site.refused(&wish(), "not on protected: it is not replicated");
    let mut site = Site::new();
    site.source.hardware.disks[0].parents = vec!["[local-a] erp/base.vmdk".to_owned()];
    site.refused(&wish(), "is on local-a");
}

#[test]
fn what_is_left_out_is_a_difference_and_not_an_obstacle() {
    let mut site = Site::new();
    let label = "Serial port 1".to_owned();
    site.source.hardware.special.push(SpecialDevice { key: 9000, special: Special::Other, label });
    site.source.boot_order = vec![BootItem::Nic { key: 4000 }];
    let plan = site.plan(&wish());
    let told: Vec<_> = plan.differences.iter().map(|one| one.field).collect();
    assert_eq!((told, plan.spec.is_some()), (vec!["devices", "boot_order"], true));
    assert!(plan.differences[0].message.contains("Serial port 1"));
}

#[test]
fn the_host_has_to_run_its_hardware_version() {
    let mut site = Site::new();
    site.source.version = Some(21);
    assert!(site.plan(&wish()).spec.is_some(), "ESXi 8.0.2 does");
    site.places[1].facts.insert("version".to_owned(), "7.0.3".to_owned());
    site.refused(&wish(), "hardware version 21; ESXi 7.0.3 on esx01.dr runs 19 at most");
    site.source.version = Some(19);
    assert!(site.plan(&wish()).spec.is_some());
}

#[test]
fn each_network_needs_one_that_stands_for_it() {
    let mut site = Site::new();
    site.networks[0].name = "DR servers".to_owned();
    site.refused(&wish(), "\"Servers\", and the DR vCenter has no network of that name");
    let mapped = |to: &str| Wish { networks: vec![("Servers".to_owned(), to.to_owned())], ..wish() };
    site.refused(&mapped("gone"), "has no network \"gone\"");
    for to in ["DR servers", "dvportgroup-9"] {
        let plan = site.plan(&mapped(to));
        assert!(plan.spec.is_some(), "{plan:?}");
        assert!(plan.differences[0].message.contains("from \"Servers\" to \"DR servers\""), "{plan:?}");
    }
}

#[test]
fn an_address_is_kept_unless_a_host_made_it_up_or_others_are_wanted() {
    let mut site = Site::new();
    let macs = |plan: &ShellPlan| (plan.cards[0].mac.clone(), plan.differences.len());
    let kept = Some("00:50:56:8a:00:01".to_owned());
    assert_eq!(macs(&site.plan(&wish())), (kept, 0));
    assert_eq!(macs(&site.plan(&Wish { new_macs: true, ..wish() })), (None, 1));
    site.source.hardware.nics[0].mac = Some("00:0C:29:00:00:01".to_owned());
    assert_eq!(macs(&site.plan(&wish())), (None, 1));
}

#[test]
fn the_home_is_never_where_it_is_replicated_or_does_not_fit() {
    let mut site = Site::new();
    site.refused(&Wish { home_datastore: None, ..wish() }, "Choose the datastore");
    site.datastores[0].free_bytes = 10 * GIB;
    site.refused(&wish(), "has 10.0 GiB free");
    site.datastores[0].free_bytes = 500 * GIB;
    for (path, refused) in [
        ("/tank/zerfaux/live/g1", true),
        ("/tank/zerfaux/replica/g1", true),
        ("/srv/zerfaux/shell-1", true),
        ("/tank/nfs", false),
    ] {
        site.datastores[0].nfs = Some(NfsExport { host: "10.0.0.5".to_owned(), path: path.to_owned() });
        assert_eq!(site.plan(&wish()).spec.is_none(), refused, "{path}");
    }
    site.datastores[0].hosts = vec![EsxiRef::new("host-2")];
    site.refused(&wish(), "local is not on esx01.dr");
}

#[test]
fn a_name_that_is_taken_in_that_folder_is_refused() {
    let mut site = Site::new();
    site.taken = vec![(ManagedRef::new("Folder", "group-v1"), "erp".to_owned())];
    site.refused(&wish(), "\"erp\" already");
    let other = Wish { name: Some("erp-dr".to_owned()), ..wish() };
    assert_eq!(site.plan(&other).spec.unwrap().name, "erp-dr");
    // In another folder it is free.
    site.taken = vec![(ManagedRef::new("Folder", "group-v2"), "erp".to_owned())];
    assert!(site.plan(&wish()).spec.is_some());
}
