use super::*;
use crate::domain::checkpoint::CheckpointKind;
use crate::domain::deployment::DatastoreHost;
use crate::domain::dr_shell::{ShellNic, ShellSpec};
use crate::domain::hardware::{Firmware, Hardware, Nic, NicNetwork, PowerState};
use crate::domain::ids::{DrShellId, GroupId, JobId, VcenterId};
use crate::domain::inventory::PlaceKind;
use crate::domain::machine::Machine;
use crate::domain::manifest::{Read, Rest};
use crate::domain::moref::{EsxiRef, FolderRef, ManagedRef, PoolRef, VmRef};
use crate::domain::recovery_plan::{BootCheck, BootProof, MappedNetwork, PlanNic};

/// A group of two machines on the network `network-1`, with everything that recovering them needs.
struct World {
    plan: RecoveryPlan,
    vms: Vec<ProtectedVm>,
    shells: Vec<Option<(DrShell, bool)>>,
    has_checkpoint: bool,
    manifest: Option<Manifest>,
    networks: Vec<Network>,
    places: Vec<Place>,
    unattended: bool,
}

fn standard(id: &str, name: &str, folder: &str) -> Network {
    Network {
        object: ManagedRef::new("Network", id),
        name: name.to_owned(),
        parent: Some(ManagedRef::new("Folder", folder)),
        vlan: None,
        portgroup_key: None,
        switch: None,
    }
}

fn place(kind: PlaceKind, (sort, id): (&str, &str), parent: Option<(&str, &str)>) -> Place {
    Place {
        object: ManagedRef::new(sort, id),
        kind,
        name: id.to_owned(),
        parent: parent.map(|(sort, id)| ManagedRef::new(sort, id)),
        facts: BTreeMap::new(),
    }
}

fn machine(name: &str) -> Machine {
    let network = NicNetwork::Standard {
        name: "VM Network".to_owned(),
        network: Some(ManagedRef::new("Network", "network-1")),
    };
    let nic = Nic {
        key: 4000,
        label: "Network adapter 1".to_owned(),
        kind: "VirtualVmxnet3".to_owned(),
        mac: None,
        mac_is_manual: false,
        network,
        start_connected: true,
        place: None,
    };
    Machine {
        name: name.to_owned(),
        instance_uuid: Some(format!("uuid-{name}")),
        bios_uuid: None,
        guest_id: None,
        version: Some(19),
        cpus: 1,
        cores_per_socket: 1,
        memory_mib: 1024,
        firmware: Firmware::Bios,
        secure_boot: false,
        boot_order: Vec::new(),
        shows_disk_uuids: false,
        is_encrypted: false,
        template: false,
        has_snapshot: false,
        home: None,
        hardware: Hardware { nics: vec![nic], ..Hardware::default() },
    }
}

fn shell(group: GroupId, vcenter: VcenterId, name: &str) -> DrShell {
    let network = NicNetwork::Standard {
        name: "DR".to_owned(),
        network: Some(ManagedRef::new("Network", "network-9")),
    };
    let nic = ShellNic {
        key: 4000,
        label: "Network adapter 1".to_owned(),
        kind: "VirtualVmxnet3".to_owned(),
        network,
        network_name: "DR".to_owned(),
        mac: None,
        start_connected: true,
    };
    DrShell {
        id: DrShellId::new(),
        group,
        source_vcenter: vcenter,
        source_uuid: format!("uuid-{name}"),
        dr_vcenter: vcenter,
        vm: VmRef::new("vm-9"),
        instance_uuid: None,
        spec: ShellSpec {
            name: format!("{name}-dr"),
            folder: FolderRef::new("folder-vm"),
            pool: PoolRef::new("pool-1"),
            host: None,
            home_datastore: "local".to_owned(),
            guest_id: None,
            version: None,
            cpus: 1,
            cores_per_socket: 1,
            memory_mib: 1024,
            firmware: Firmware::Bios,
            secure_boot: false,
            shows_disk_uuids: false,
            boot_order: Vec::new(),
            controllers: Vec::new(),
            disks: Vec::new(),
            nics: vec![nic],
        },
        disks: Vec::new(),
        checkpoint: "tank/r@zx-1".parse().unwrap(),
        view: None,
        made_by: JobId::new(),
        made_at: "2026-11-28T12:00:00Z".parse().unwrap(),
    }
}

impl World {
    fn new() -> Self {
        let (group, vcenter) = (GroupId::new(), VcenterId::new());
        let names = ["erp", "web"];
        let vm = |name: &&str| ProtectedVm {
            id: ProtectedVmId::new(),
            group,
            vcenter,
            instance_uuid: format!("uuid-{name}"),
            moref: VmRef::new(*name),
            name: (*name).to_owned(),
            added_by: "anna".to_owned(),
            added_at: "2026-11-28T12:00:00Z".parse().unwrap(),
        };
        let seen = |name: &&str| ManifestVm {
            vm: VmRef::new(*name),
            instance_uuid: format!("uuid-{name}"),
            name: (*name).to_owned(),
            power: PowerState::On,
            machine: Some(machine(name)),
            read: Read::Vcenter,
            rest: Rest::NotAsked,
        };
        let mut plan = RecoveryPlan::default();
        let to = |id: &str, name: &str| MappedNetwork::Network { id: id.to_owned(), name: name.to_owned() };
        plan.networks.test.insert("network-1".to_owned(), to("network-8", "Isolated"));
        plan.networks.real.insert("network-1".to_owned(), to("network-9", "DR"));
        Self {
            plan,
            vms: names.iter().map(vm).collect(),
            shells: names.iter().map(|name| Some((shell(group, vcenter, name), true))).collect(),
            has_checkpoint: true,
            manifest: Some(Manifest {
                group,
                group_name: "ERP".to_owned(),
                epoch: "1:1".to_owned(),
                taken_at: "2026-11-28T12:00:00Z".parse().unwrap(),
                kind: CheckpointKind::CrashConsistent,
                vms: names.iter().map(seen).collect(),
                networks: BTreeMap::from([("network-1".to_owned(), "VM Network".to_owned())]),
            }),
            networks: vec![
                standard("network-8", "Isolated", "folder-net"),
                standard("network-9", "DR", "folder-net"),
            ],
            places: vec![
                place(PlaceKind::Datacenter, ("Datacenter", "dc-1"), None),
                place(PlaceKind::Datacenter, ("Datacenter", "dc-2"), None),
                place(PlaceKind::Folder, ("Folder", "folder-net"), Some(("Datacenter", "dc-1"))),
                place(PlaceKind::Folder, ("Folder", "folder-far"), Some(("Datacenter", "dc-2"))),
                place(PlaceKind::Folder, ("Folder", "folder-host"), Some(("Datacenter", "dc-1"))),
                place(PlaceKind::Cluster, ("ClusterComputeResource", "c-1"), Some(("Folder", "folder-host"))),
                place(PlaceKind::Pool, ("ResourcePool", "pool-1"), Some(("ClusterComputeResource", "c-1"))),
            ],
            unattended: false,
        }
    }

    fn check_with(&self, asked: Option<Asked<'_>>) -> Vec<CheckFinding> {
        let facts = |(vm, shell)| VmFacts {
            vm,
            shell: Option::as_ref(shell).map(|(shell, there): &(DrShell, bool)| (shell, *there)),
        };
        let vms: Vec<VmFacts<'_>> = self.vms.iter().zip(&self.shells).map(facts).collect();
        check(&Facts {
            plan: &self.plan,
            vms: &vms,
            has_checkpoint: self.has_checkpoint,
            manifest: self.manifest.as_ref(),
            networks: &self.networks,
            places: &self.places,
            unattended: self.unattended,
            asked,
        })
    }

    /// What is found: kind and severity, and what it is about.
    fn found(&self) -> Vec<(&'static str, Severity, String)> {
        let one = |one: CheckFinding| (one.kind, one.severity, one.object);
        self.check_with(None).into_iter().map(one).collect()
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.found().into_iter().map(|(kind, ..)| kind).collect()
    }

    /// What the plan says about a virtual machine.
    fn plan_of(&mut self, index: usize) -> &mut PlanVm {
        let id = self.vms[index].id;
        let tier = &mut self.plan.tiers[0].vms;
        tier.push(PlanVm::plain(id));
        tier.last_mut().unwrap()
    }
}

fn fixed(address: &str) -> PlanNic {
    let address = GuestAddress::Static {
        address: address.parse().unwrap(),
        prefix: 24,
        gateway: Some("10.0.0.1".parse().unwrap()),
        dns: Vec::new(),
    };
    PlanNic { key: 4000, address }
}

const TCP: BootCheck = BootCheck { proof: BootProof::TcpPort { port: 443 }, limit_seconds: 60 };

#[test]
fn a_plan_that_would_work_has_no_findings() {
    let mut world = World::new();
    world.plan_of(0).nics = vec![fixed("10.0.0.5")];
    world.plan_of(1).check = Some(TCP);
    assert_eq!(world.found(), []);
}

#[test]
fn a_network_that_left_the_dr_vcenter_is_named_with_its_name() {
    let mut world = World::new();
    world.networks.remove(0);
    let all = world.check_with(None);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!((all[0].kind, all[0].severity), ("network_gone", Severity::Fails));
    assert_eq!(all[0].purposes, [Purpose::Test]);
    assert_eq!(all[0].why, "In tests it becomes Isolated, which the DR vCenter does not have any more.");
    assert_eq!(all[0].mend, Some(Mend::Networks));
}

#[test]
fn a_network_of_another_datacenter_is_not_on_the_hosts_of_the_shells() {
    let mut world = World::new();
    world.networks[1] = standard("network-9", "DR", "folder-far");
    assert_eq!(world.kinds(), ["network_elsewhere"]);
}

#[test]
fn networks_that_nothing_stands_for_are_named() {
    let mut world = World::new();
    world.plan.networks.test.clear();
    assert_eq!(
        world.found(),
        [("network_not_mapped", Severity::Warns, "VM Network".to_owned())],
        "real recoveries have the shells' own"
    );
    world.plan.networks.real.clear();
    world.networks.pop();
    // Both shells are on it.
    assert_eq!(world.kinds(), ["network_gone", "network_gone", "network_not_mapped"]);
    world.plan.networks.test.insert("network-1".to_owned(), MappedNetwork::Disconnected);
    assert_eq!(world.kinds(), ["network_gone", "network_gone"]);
}

#[test]
fn a_check_over_a_card_that_stays_disconnected_cannot_pass() {
    let mut world = World::new();
    world.plan.networks.test.insert("network-1".to_owned(), MappedNetwork::Disconnected);
    world.plan_of(0).check = Some(TCP);
    assert_eq!(world.found(), [("check_cannot_pass", Severity::Fails, "erp".to_owned())]);
    world.plan.tiers[0].vms[0].left_out = true;
    assert_eq!(world.kinds(), Vec::<&str>::new());
}

#[test]
fn tests_on_the_network_of_real_recoveries_are_warned_of() {
    let mut world = World::new();
    world.plan.networks.test = world.plan.networks.real.clone();
    assert_eq!(world.found(), [("test_on_real_network", Severity::Warns, "DR".to_owned())]);
}

#[test]
fn addresses_that_cannot_work_are_named() {
    let mut world = World::new();
    world.plan_of(0).nics = vec![fixed("10.0.0.5")];
    world.plan_of(1).nics = vec![fixed("10.0.0.5")];
    assert_eq!(world.kinds(), ["same_address"]);
    world.plan.tiers[0].vms[1].nics = vec![fixed("10.0.9.5")];
    assert_eq!(world.found(), [("bad_address", Severity::Fails, "web".to_owned())]);
    world.plan.tiers[0].vms[1].nics = vec![PlanNic { key: 4007, ..fixed("10.0.0.6") }];
    assert_eq!(world.found(), [("no_such_card", Severity::Fails, "web".to_owned())]);
    world.plan.tiers[0].vms[1].nics = vec![fixed("10.0.0.6")];
    world.plan.networks.real.insert("network-1".to_owned(), MappedNetwork::Disconnected);
    assert_eq!(world.kinds(), ["address_unused", "address_unused"]);
}

#[test]
fn a_machine_without_shell_or_checkpoint_is_named_with_what_mends_it() {
    let mut world = World::new();
    world.shells[0] = None;
    world.shells[1].as_mut().unwrap().1 = false;
    world.manifest.as_mut().unwrap().vms.remove(1);
    let mends: Vec<_> =
        world.check_with(None).into_iter().map(|one| (one.kind, one.object, one.mend)).collect();
    let [erp, web] = [world.vms[0].id, world.vms[1].id];
    assert_eq!(
        mends,
        [
            ("no_shell", "erp".to_owned(), Some(Mend::Shell(erp))),
            ("not_in_checkpoint", "web".to_owned(), Some(Mend::RunNow)),
            ("shell_gone", "web".to_owned(), Some(Mend::Shell(web))),
        ]
    );
    world.has_checkpoint = false;
    world.manifest = None;
    assert_eq!(world.kinds()[0], "no_checkpoint");
}

#[test]
fn machines_that_left_and_prompts_that_nobody_reads_are_named() {
    let mut world = World::new();
    world.plan.tiers[0].vms.push(PlanVm::plain(ProtectedVmId::new()));
    assert_eq!(world.kinds(), ["vm_gone"]);
    world.plan.tiers[0].vms.clear();
    world.plan_of(0).prompt_before = "Call the bank".to_owned();
    assert_eq!(world.kinds(), Vec::<&str>::new());
    world.unattended = true;
    assert_eq!(world.kinds(), ["prompts"]);
    world.plan.tiers[0].vms[0].left_out = true;
    world.plan_of(1).left_out = true;
    assert_eq!(world.kinds(), ["nothing_to_start"]);
}

#[test]
fn what_was_asked_is_judged_and_what_did_not_answer_is_said() {
    let host = DatastoreHost { moref: EsxiRef::new("host-1"), name: "esx01".to_owned() };
    let full = [NfsRoom { host, names: vec!["a".to_owned()], most: Some(1) }];
    let world = World::new();
    let kinds = |asked| world.check_with(Some(asked)).into_iter().map(|one| one.kind).collect::<Vec<_>>();
    let asked = |encrypted, has_key| Asked { rooms: Ok(&full), encrypted, has_key };
    assert_eq!(kinds(asked(Ok(true), false)), ["nfs_room", "no_key"]);
    assert_eq!(kinds(asked(Ok(true), true)), ["nfs_room"]);
    let silent = Asked { rooms: Err("no route"), encrypted: Err("no route"), has_key: false };
    assert_eq!(kinds(silent), ["nfs_room_unknown", "encryption_unknown"]);
}
