use std::collections::BTreeMap;

use super::*;
use crate::domain::checkpoint::CheckpointKind;
use crate::domain::dr_shell::ShellSpec;
use crate::domain::hardware::{Disk, Firmware, Hardware, NicNetwork};
use crate::domain::ids::{DrShellId, GroupId};
use crate::domain::inventory::{Network, Place, PlaceKind};
use crate::domain::manifest::{Manifest, ManifestVm, Read, Rest};
use crate::domain::moref::{FolderRef, ManagedRef, PoolRef};
use crate::domain::recovery_plan::{MappedNetwork, PlanVm, RecoveryPlan};
use crate::plan::dr_shell::Wish as Places;
use crate::plan::test_failover::test_failover;

const MAC: &str = "00:50:56:01:02:03";

fn nic(network: &str, mac: &str) -> Nic {
    Nic {
        key: 4000,
        label: "Network adapter 1".to_owned(),
        kind: "VirtualVmxnet3".to_owned(),
        mac: Some(mac.to_owned()),
        mac_is_manual: true,
        network: NicNetwork::Standard {
            name: network.to_owned(),
            network: Some(ManagedRef::new("Network", network)),
        },
        start_connected: true,
        place: None,
    }
}

fn hardware(name: &str, network: &str, mac: &str) -> Hardware {
    let disk = Disk {
        key: 2000,
        label: "Hard disk 1".to_owned(),
        controller: 1000,
        unit: 0,
        file: Some(format!("[live] {name}/{name}.vmdk")),
        parents: Vec::new(),
        datastore: None,
        capacity_bytes: 1 << 30,
        thin: None,
        mode: "persistent".to_owned(),
        uuid: None,
    };
    Hardware {
        controllers: vec![Controller { key: 1000, kind: "ParaVirtualSCSIController".to_owned(), bus: 0 }],
        disks: vec![disk],
        nics: vec![nic(network, mac)],
        ..Hardware::default()
    }
}

fn machine(name: &str) -> Machine {
    Machine {
        name: name.to_owned(),
        instance_uuid: Some(format!("uuid-{name}")),
        bios_uuid: Some(format!("bios-{name}")),
        guest_id: None,
        version: None,
        cpus: 2,
        cores_per_socket: 1,
        memory_mib: 2048,
        firmware: Firmware::Efi,
        secure_boot: false,
        boot_order: Vec::new(),
        shows_disk_uuids: false,
        is_encrypted: false,
        template: false,
        has_snapshot: false,
        home: Some(format!("[live] {name}/{name}.vmx")),
        hardware: hardware(name, "lan", MAC),
    }
}

fn shell(name: &str) -> ShellNow {
    let spec = ShellSpec {
        name: format!("{name}-dr"),
        folder: FolderRef::new("vms"),
        pool: PoolRef::new("pool"),
        host: None,
        home_datastore: "local".to_owned(),
        guest_id: None,
        version: None,
        cpus: 2,
        cores_per_socket: 1,
        memory_mib: 2048,
        firmware: Firmware::Efi,
        secure_boot: false,
        shows_disk_uuids: false,
        boot_order: Vec::new(),
        controllers: Vec::new(),
        disks: Vec::new(),
        nics: Vec::new(),
    };
    let vm = Vm {
        object: VmRef::new("vm-9"),
        name: format!("{name}-dr"),
        parent: None,
        template: false,
        instance_uuid: Some("uuid-9".to_owned()),
        bios_uuid: None,
        power: PowerState::Off,
        guest: None,
        guest_id: None,
        guest_host_name: None,
        guest_ip: None,
        tools: None,
        cpus: 2,
        memory_bytes: 2 << 30,
        firmware: Some(Firmware::Efi),
        path: None,
        host: None,
        pool: None,
        has_snapshot: false,
        has_question: false,
        datastores: Vec::new(),
        hardware: hardware(name, "dr-servers", "00:50:56:09:09:09"),
    };
    let used =
        UsedShell { id: DrShellId::new(), vm: VmRef::new("vm-9"), instance_uuid: Some("uuid-9".to_owned()) };
    ShellNow { used, spec, vm: Some(vm) }
}

/// Two machines in a checkpoint, the first with a shell, and a DR site with one host.
struct World {
    manifest: Manifest,
    plan: RecoveryPlan,
    members: Vec<Member>,
    sides: Vec<MemberSides>,
    places: Vec<Place>,
    networks: Vec<Network>,
    planned: bool,
}

impl World {
    fn new(planned: bool) -> Self {
        let names = ["db", "web"];
        let seen = |name: &&str| ManifestVm {
            vm: VmRef::new(format!("old-{name}")),
            instance_uuid: format!("uuid-{name}"),
            name: (*name).to_owned(),
            power: PowerState::On,
            machine: Some(machine(name)),
            read: Read::Vcenter,
            rest: Rest::NotAsked,
        };
        let member = |name: &&str| Member {
            id: ProtectedVmId::new(),
            instance_uuid: format!("uuid-{name}"),
            name: (*name).to_owned(),
            host_name: None,
            places: Places::default(),
        };
        let members: Vec<Member> = names.iter().map(member).collect();
        let sides = members.iter().map(|one| MemberSides {
            id: one.id,
            shell: (one.name == "db").then(|| shell("db")),
            source: Some(VmRef::new(format!("vm-{}", one.name))),
        });
        let place =
            |kind, (sort, id): (&str, &str), parent: Option<(&str, &str)>, facts: &[(&str, &str)]| Place {
                object: ManagedRef::new(sort, id),
                kind,
                name: id.to_owned(),
                parent: parent.map(|(sort, id)| ManagedRef::new(sort, id)),
                facts: facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            };
        let network = |id: &str| Network {
            object: ManagedRef::new("Network", id),
            name: id.to_owned(),
            parent: None,
            vlan: None,
            portgroup_key: None,
            switch: None,
        };
        let cluster = ("ClusterComputeResource", "cluster");
        Self {
            manifest: Manifest {
                group: GroupId::new(),
                group_name: "ERP".to_owned(),
                epoch: "1:1".to_owned(),
                taken_at: "2026-11-28T12:00:00Z".parse().unwrap(),
                kind: CheckpointKind::CrashConsistent,
                vms: names.iter().map(seen).collect(),
                networks: BTreeMap::from([("lan".to_owned(), "LAN".to_owned())]),
            },
            plan: RecoveryPlan::default(),
            sides: sides.collect(),
            members,
            places: vec![
                place(PlaceKind::Datacenter, ("Datacenter", "dc"), None, &[("vm_folder", "vms")]),
                place(PlaceKind::Cluster, cluster, None, &[("pool", "pool")]),
                place(PlaceKind::Host, ("HostSystem", "esx-1"), Some(cluster), &[("version", "8.0.2")]),
            ],
            networks: ["dr-other", "dr-servers", "dr-test"].map(network).into(),
            planned,
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            manifest: &self.manifest,
            plan: &self.plan,
            members: &self.members,
            places: &self.places,
            datastores: &[],
            networks: &self.networks,
            taken: &[],
            appliance: ("192.0.2.1", "tank"),
            datastore: "zx-run-1",
        }
    }

    fn failover(&self) -> Planned {
        let sides = Sides { planned: self.planned, same_vcenter: false, members: &self.sides };
        failover(&RecoveryWish::default(), &self.facts(), &sides)
    }
}

fn network_of(planned: &Planned, vm: usize) -> Option<&str> {
    planned.vms[vm].networks[0].as_ref().map(|network| network.name.as_str())
}

#[test]
fn a_shell_gets_the_disks_and_one_without_is_made_as_it_was() {
    let found = World::new(true).failover();
    assert_eq!(found.obstacles, []);
    let (db, web) = (&found.vms[0], &found.vms[1]);
    assert_eq!(
        (db.spec.name.as_str(), db.shell.is_some(), db.spec.home_datastore.as_str()),
        ("db-dr", true, "local")
    );
    assert_eq!(
        (web.spec.name.as_str(), web.shell.is_some(), web.spec.home_datastore.as_str()),
        ("web", false, "zx-run-1")
    );
    assert_eq!(db.spec.disks[0].path, "db/db.vmdk");
    // Each keeps who it is: the shell its card's address, the other one that of the source.
    assert_eq!(db.spec.nics[0].mac.as_deref(), Some("00:50:56:09:09:09"));
    assert_eq!((web.spec.nics[0].mac.as_deref(), web.bios_uuid.as_deref()), (Some(MAC), Some("bios-web")));
    // Without a map the shell's card stays where somebody has put it; the other one has nothing.
    assert_eq!((network_of(&found, 0), network_of(&found, 1)), (Some("dr-servers"), None));
    // It is shut down where it is now, not where it was when the checkpoint was taken.
    assert_eq!(db.source, Some(VmRef::new("vm-db")));
    assert_eq!(found.hosts.len(), 1);
}

#[test]
fn a_test_of_the_same_has_other_names_and_other_addresses_and_leaves_the_shell_alone() {
    let mut world = World::new(false);
    let to = |id: &str| MappedNetwork::Network { id: id.to_owned(), name: id.to_owned() };
    world.plan.networks.test.insert("lan".to_owned(), to("dr-test"));
    world.plan.networks.real.insert("lan".to_owned(), to("dr-other"));
    let test = test_failover(&RecoveryWish::default(), &world.facts());
    let vm = &test.vms[0];
    assert_eq!(
        (vm.spec.name.as_str(), vm.shell.is_some(), vm.bios_uuid.is_some()),
        ("db-test", false, false)
    );
    assert_eq!((vm.spec.nics[0].mac.as_deref(), network_of(&test, 0)), (None, Some("dr-test")));
    let real = world.failover();
    assert_eq!((network_of(&real, 0), network_of(&real, 1)), (Some("dr-other"), Some("dr-other")));
    assert_eq!(real.vms[0].source, None, "a disaster failover asks nothing of the source");
}

#[test]
fn what_is_wrong_with_one_stops_a_planned_failover_before_anything_is_shut_down_and_a_disaster_goes_on() {
    let mut world = World::new(true);
    world.sides[0].shell.as_mut().unwrap().vm = None;
    let found = world.failover();
    assert!(found.obstacles[0].message.starts_with("db: its DR shell is not in the DR vCenter"), "{found:?}");
    world.planned = false;
    let found = world.failover();
    assert_eq!(found.obstacles, []);
    assert_eq!((found.vms.len(), found.left_out[0].name.as_str()), (1, "db"));
    // One that no run has seen yet would be shut down for nothing.
    let mut world = World::new(true);
    world.manifest.vms.remove(1);
    assert!(world.failover().obstacles[0].message.contains("Run the group first"));
    world.planned = false;
    assert_eq!(world.failover().left_out[0].why, "It was not in this checkpoint.");
}

#[test]
fn hardware_that_differs_is_said_and_another_firmware_is_an_obstacle() {
    let mut world = World::new(true);
    let seen = world.sides[0].shell.as_mut().unwrap().vm.as_mut().unwrap();
    (seen.cpus, seen.hardware.controllers) = (1, Vec::new());
    let found = world.failover();
    assert_eq!(found.obstacles, []);
    let said: Vec<&str> = found.warnings.iter().map(|one| one.message.as_str()).collect();
    assert!(
        said.iter().any(|one| one.starts_with("db: its DR shell has 1 virtual CPUs, 2 in the checkpoint")),
        "{said:?}"
    );
    assert!(said.iter().any(|one| one.contains("the failover adds it")), "{said:?}");
    let seen = world.sides[0].shell.as_mut().unwrap().vm.as_mut().unwrap();
    seen.firmware = Some(Firmware::Bios);
    assert!(world.failover().obstacles[0].message.contains("Repair the shell"));
}

#[test]
fn what_is_the_same_of_several_is_said_once() {
    let mut world = World::new(true);
    world.plan = world.plan.completed(&world.members.iter().map(|one| one.id).collect::<Vec<_>>());
    let ask = |vm: &mut PlanVm| vm.prompt_before = "Call the bank.".to_owned();
    world.plan.tiers[0].vms.iter_mut().for_each(ask);
    let said: Vec<String> = world.failover().warnings.into_iter().map(|one| one.message).collect();
    let asked = "db, web: the failover waits there until somebody has confirmed what the plan asks.";
    assert_eq!(said.iter().filter(|one| one.contains("waits there")).collect::<Vec<_>>(), [asked]);
}
