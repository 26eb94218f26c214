//! A test failover: from what was in a checkpoint, the group's recovery plan and what the DR vCenter has to each test machine,
//! or why there is none of it. The page shows this plan; the job does what it says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::dr_shell::{Facts as ShellFacts, Wish as Places, disks, look_at_source};
use super::dr_shell_cards::connection;
use super::dr_shell_places::{find_compute, find_folder, look_at_version};
use super::findings::{Finding, Notes};
use crate::domain::deployment::DatastoreHost;
use crate::domain::dr_shell::{ShellNic, ShellSpec};
use crate::domain::hardware::datastore_path;
use crate::domain::ids::ProtectedVmId;
use crate::domain::inventory::{Datastore, Network, Place};
use crate::domain::machine::Machine;
use crate::domain::manifest::{Manifest, ManifestVm};
use crate::domain::moref::{EsxiRef, ManagedRef, VmRef};
use crate::domain::recovery_plan::{BootCheck, GuestAddress, MappedNetwork, PlanVm, Purpose, RecoveryPlan};
use crate::domain::recovery_run::{LeftOut, RunNetwork, RunTier, RunVmPlan};

/// What a test machine is called after the one that it is a test of.
pub const SUFFIX: &str = "-test";

/// What somebody wants beyond the recovery plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TestWish {
    /// Networks at the source, by name or key, and those at the DR site that stand for them, by name or reference; an empty
    /// one: disconnected. They go before those of the recovery plan.
    pub networks: BTreeMap<String, String>,
    /// Only these virtual machines, by their references in the source vCenter; empty: all.
    pub only: Vec<VmRef>,
}

/// A protected virtual machine, and where its test machine goes.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its id.
    pub id: ProtectedVmId,
    /// Its instance UUID.
    pub instance_uuid: String,
    /// Its name.
    pub name: String,
    /// Cluster or host, folder and pool: those of its DR shell, or the usual ones.
    pub places: Places,
}

/// What is known.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// What was in the checkpoint.
    pub manifest: &'a Manifest,
    /// The recovery plan.
    pub plan: &'a RecoveryPlan,
    /// The virtual machines of the group now.
    pub members: &'a [Member],
    /// Of the DR vCenter: places.
    pub places: &'a [Place],
    /// Of the DR vCenter: datastores.
    pub datastores: &'a [Datastore],
    /// Of the DR vCenter: networks.
    pub networks: &'a [Network],
    /// Of the DR vCenter: names that are taken, with their folders.
    pub taken: &'a [(ManagedRef, String)],
    /// The DR appliance: the address that hosts mount, and its pool.
    pub appliance: (&'a str, &'a str),
    /// The clone's name as a datastore.
    pub datastore: &'a str,
}

/// What is to be tested.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planned {
    /// The tiers with at least one machine.
    pub tiers: Vec<RunTier>,
    /// The machines, tier by tier.
    pub vms: Vec<RunVmPlan>,
    /// Those that are not tested, and why.
    pub left_out: Vec<LeftOut>,
    /// The hosts that mount the clone.
    pub hosts: Vec<DatastoreHost>,
    /// What stands in the way of all.
    pub obstacles: Vec<Finding>,
    /// What one should know.
    pub warnings: Vec<Finding>,
    /// Networks that the map has nothing for, and whose cards are on them.
    unmapped: Unmapped,
}

/// Names of networks, and of the virtual machines that have a card on them.
type Unmapped = BTreeMap<String, BTreeSet<String>>;

/// Plans a test.
pub fn test_failover(wish: &TestWish, facts: &Facts<'_>) -> Planned {
    let mut planned = Planned::default();
    let in_it: HashMap<&str, &ManifestVm> =
        facts.manifest.vms.iter().map(|vm| (vm.instance_uuid.as_str(), vm)).collect();
    let members: HashMap<ProtectedVmId, &Member> = facts.members.iter().map(|one| (one.id, one)).collect();
    let ids: Vec<ProtectedVmId> = facts.members.iter().map(|one| one.id).collect();
    let protected_on = protected_on(facts.manifest);
    for tier in facts.plan.completed(&ids).tiers.into_iter().zip(1..) {
        let (tier, number) = tier;
        let before = planned.vms.len();
        for one in &tier.vms {
            let Some(member) = members.get(&one.vm) else { continue };
            let found = in_it.get(member.instance_uuid.as_str());
            match vm(wish, facts, (member, one), (found.copied(), &protected_on), number, &mut planned) {
                Ok(vm) => planned.vms.push(vm),
                Err(why) => planned.left_out.push(LeftOut { name: member.name.clone(), why }),
            }
        }
        if planned.vms.len() > before {
            let (name, delay_after_seconds) = (tier.name, tier.delay_after_seconds);
            planned.tiers.push(RunTier { number, name, delay_after_seconds });
        }
    }
    let known: BTreeSet<&str> = facts.members.iter().map(|one| one.instance_uuid.as_str()).collect();
    for gone in facts.manifest.vms.iter().filter(|vm| !known.contains(vm.instance_uuid.as_str())) {
        let why = "It was in the checkpoint and is not in the group any more.".to_owned();
        planned.left_out.push(LeftOut { name: gone.name.clone(), why });
    }
    for vm in &wish.only {
        if !facts.manifest.vms.iter().any(|one| one.vm == *vm) {
            let message = format!("The checkpoint has no virtual machine {vm}.");
            planned.obstacles.push(Finding { field: "vm_morefs", message });
        }
    }
    if planned.vms.is_empty() && planned.obstacles.is_empty() {
        let why: Vec<String> =
            planned.left_out.iter().map(|one| format!("{}: {}", one.name, one.why)).collect();
        let message = match why.is_empty() {
            true => "The group has no virtual machine, so there is nothing to test.".to_owned(),
            false => format!("No virtual machine can be tested. {}", why.join(" ")),
        };
        planned.obstacles.push(Finding { field: "vm_morefs", message });
    }
    for (network, vms) in std::mem::take(&mut planned.unmapped) {
        let vms: Vec<String> = vms.into_iter().collect();
        let cards = if vms.len() == 1 { "its card stays" } else { "their cards stay" };
        let message = format!(
            "The map has no network for {network:?}, on which {} {}: {cards} disconnected.",
            vms.join(", "),
            if vms.len() == 1 { "is" } else { "are" }
        );
        planned.warnings.push(Finding { field: "network_map", message });
    }
    unknown_networks(wish, facts, &mut planned);
    planned
}

/// The datastore on which the group was protected when the checkpoint was taken: on which most disks lay.
fn protected_on(manifest: &Manifest) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for vm in &manifest.vms {
        let files = vm.disks().into_iter().filter_map(|disk| disk.datastore);
        files.for_each(|name| *counts.entry(name).or_default() += 1);
        let home = vm.machine.as_ref().and_then(|machine| datastore_path(machine.home.as_deref()?));
        if let Some((name, _)) = home {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name).unwrap_or_default()
}

/// One machine, or why there is none.
fn vm(
    wish: &TestWish,
    facts: &Facts<'_>,
    (member, plan): (&Member, &PlanVm),
    (found, protected_on): (Option<&ManifestVm>, &str),
    tier: u32,
    planned: &mut Planned,
) -> Result<RunVmPlan, String> {
    if plan.left_out {
        return Err("The recovery plan leaves it out.".to_owned());
    }
    let Some(found) = found else { return Err("It was not in this checkpoint.".to_owned()) };
    if !wish.only.is_empty() && !wish.only.contains(&found.vm) {
        return Err("It was not asked for.".to_owned());
    }
    let Some(machine) = &found.machine else {
        return Err("Nothing was known of its hardware when the checkpoint was taken.".to_owned());
    };
    let name = format!("{}{SUFFIX}", member.name);
    let shell = shell_facts(facts, machine, protected_on);
    let (mut notes, mut differences) = (Notes::default(), Vec::new());
    look_at_source(&shell, &mut notes, &mut differences);
    let compute = find_compute(&member.places, &shell, &mut notes);
    let folder = find_folder(&member.places, &shell, &mut notes);
    if let Some(folder) = &folder {
        let here = ManagedRef::from(folder);
        if facts.taken.iter().any(|(at, known)| *at == here && *known == name) {
            notes.obstacle(
                "name",
                format!("The DR vCenter has something called {name:?} in its folder already."),
            );
        }
    }
    if let Some(compute) = &compute {
        look_at_version(machine, compute, &mut notes);
    }
    let disks = disks(&shell, &mut notes);
    let (nics, networks) =
        cards(wish, facts, (machine, &member.name), (&mut planned.warnings, &mut planned.unmapped));
    let (obstacles, _) = notes.into_parts();
    let (Some(compute), Some(folder), true) = (compute, folder, obstacles.is_empty()) else {
        let why: Vec<&str> = obstacles.iter().map(|one| one.message.as_str()).collect();
        return Err(why.join(" "));
    };
    for host in &compute.hosts {
        let host = DatastoreHost { moref: EsxiRef::new(&*host.object.id), name: host.name.clone() };
        if !planned.hosts.contains(&host) {
            planned.hosts.push(host);
        }
    }
    not_in_a_test(plan, &member.name, &mut planned.warnings);
    let check: BootCheck = facts.plan.check_of(plan);
    Ok(RunVmPlan {
        source_uuid: member.instance_uuid.clone(),
        name: member.name.clone(),
        tier,
        delay_seconds: plan.delay_before_seconds,
        check,
        spec: ShellSpec {
            name,
            folder,
            pool: compute.pool,
            host: compute.host,
            // Beside its disks, so that it goes with them.
            home_datastore: facts.datastore.to_owned(),
            guest_id: machine.guest_id.clone(),
            version: machine.version,
            cpus: machine.cpus,
            cores_per_socket: machine.cores_per_socket,
            memory_mib: machine.memory_mib,
            firmware: machine.firmware,
            secure_boot: machine.secure_boot,
            shows_disk_uuids: machine.shows_disk_uuids,
            boot_order: machine.boot_order.clone(),
            controllers: machine.hardware.controllers.clone(),
            disks,
            nics,
        },
        networks,
        shell: None,
        // A test has another identity.
        bios_uuid: None,
        source: None,
    })
}

/// What the recovery plan says of it and a test does not do yet.
fn not_in_a_test(plan: &PlanVm, name: &str, warnings: &mut Vec<Finding>) {
    if plan.asks() {
        let message = format!("{name}: nobody is asked before or after it; the test goes on by itself.");
        warnings.push(Finding { field: "recovery_plan", message });
    }
    if plan.nics.iter().any(|nic| nic.address != GuestAddress::Keep) {
        let message =
            format!("{name}: its guest keeps its addresses; those of the recovery plan are not set.");
        warnings.push(Finding { field: "recovery_plan", message });
    }
}

fn shell_facts<'a>(facts: &Facts<'a>, machine: &'a Machine, protected_on: &'a str) -> ShellFacts<'a> {
    ShellFacts {
        source: machine,
        protected_on,
        source_networks: &[],
        same_vcenter: false,
        has_shell: false,
        places: facts.places,
        datastores: facts.datastores,
        networks: facts.networks,
        taken: facts.taken,
        appliance: facts.appliance,
    }
}

/// Where a network of the map is; none: the card stays disconnected.
fn mapped<'a>(wish: &TestWish, facts: &Facts<'a>, key: Option<&str>, name: &str) -> Option<&'a Network> {
    let asked = wish.networks.get(name).or_else(|| wish.networks.get(key?));
    let wanted = match asked {
        Some(to) => to.as_str(),
        None => match facts.plan.networks_for(Purpose::Test).get(key?)? {
            MappedNetwork::Disconnected => return None,
            // One that is called otherwise now may be another one: somebody has to look.
            MappedNetwork::Network { id, name } => {
                return facts.networks.iter().find(|one| one.object.id == *id && one.name == *name);
            }
        },
    };
    facts.networks.iter().find(|one| one.object.id == wanted || one.name == wanted)
}

/// The cards, disconnected, and what each is connected to once that is verified.
fn cards(
    wish: &TestWish,
    facts: &Facts<'_>,
    (machine, vm): (&Machine, &str),
    (warnings, unmapped): (&mut Vec<Finding>, &mut Unmapped),
) -> (Vec<ShellNic>, Vec<Option<RunNetwork>>) {
    let (mut nics, mut networks) = (Vec::new(), Vec::new());
    // A card has to be on some network even while it is disconnected.
    // A trunk, as the uplinks of a switch are, is nothing for a guest.
    let is_plain = |one: &&Network| !one.vlan.as_deref().is_some_and(|vlan| vlan.contains('-'));
    let plain = || facts.networks.iter().filter(is_plain);
    let any = || plain().find_map(|one| Some((one, connection(one, facts.places)?)));
    for nic in &machine.hardware.nics {
        let key = nic.network.key();
        let name =
            key.and_then(|key| facts.manifest.networks.get(key)).map_or(key.unwrap_or("no network"), |n| n);
        let to = mapped(wish, facts, key, name).and_then(|one| Some((one, connection(one, facts.places)?)));
        let is_mapped = to.is_some();
        let Some((network, connection)) = to.or_else(any) else {
            let message = format!("{vm}: the DR vCenter has no network, so {} is left out.", nic.label);
            warnings.push(Finding { field: "network_map", message });
            continue;
        };
        if !is_mapped {
            unmapped.entry(name.to_owned()).or_default().insert(vm.to_owned());
        }
        networks.push(is_mapped.then(|| RunNetwork {
            source: name.to_owned(),
            object: network.object.clone(),
            name: network.name.clone(),
        }));
        nics.push(ShellNic {
            key: nic.key,
            label: nic.label.clone(),
            kind: nic.kind.clone(),
            network: connection,
            network_name: network.name.clone(),
            // A test never has the address of what may still run.
            mac: None,
            start_connected: false,
        });
    }
    (nics, networks)
}

/// What somebody typed has to be there.
fn unknown_networks(wish: &TestWish, facts: &Facts<'_>, planned: &mut Planned) {
    for (from, to) in wish.networks.iter().filter(|(_, to)| !to.is_empty()) {
        match facts.networks.iter().find(|one| one.object.id == *to || one.name == *to) {
            None => planned.obstacles.push(Finding {
                field: "network_map",
                message: format!("The DR vCenter has no network {to:?}, which is to stand for {from:?}."),
            }),
            Some(network) if connection(network, facts.places).is_none() => planned.obstacles.push(Finding {
                field: "network_map",
                message: format!("{} cannot be connected to from here.", network.name),
            }),
            Some(_) => {}
        }
    }
}
