//! What a recovery of a group makes of a checkpoint: from what was in it, the group's recovery plan and what the DR vCenter has
//! to each machine of a test or of a failover, or why there is none of it. [`super::test_failover`] and [`super::failover`] ask
//! for it; pages show it; the jobs do what it says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::dr_shell::{Facts as ShellFacts, Wish as Places, disks, look_at_source};
use super::dr_shell_places::{find_compute, find_folder, look_at_version};
use super::failover::{self, Sides};
use super::findings::{Finding, Notes};
use super::recovery_cards::{Unmapped, cards, say_unmapped, unknown_networks};
use super::recovery_guest::guest_settings;
use super::test_failover::SUFFIX;
use crate::domain::deployment::DatastoreHost;
use crate::domain::dr_shell::ShellSpec;
use crate::domain::hardware::datastore_path;
use crate::domain::ids::ProtectedVmId;
use crate::domain::inventory::{Datastore, Network, Place};
use crate::domain::machine::Machine;
use crate::domain::manifest::{Manifest, ManifestVm};
use crate::domain::moref::{EsxiRef, ManagedRef, VmRef};
use crate::domain::recovery_plan::{BootCheck, PlanVm, RecoveryPlan};
use crate::domain::recovery_run::{LeftOut, RunTier, RunVmPlan};

/// What somebody wants beyond the recovery plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecoveryWish {
    /// Networks at the source, by name or key, and those at the DR site that stand for them, by name or reference; an empty
    /// one: disconnected. They go before those of the recovery plan.
    pub networks: BTreeMap<String, String>,
    /// Only these virtual machines, by their references in the source vCenter; empty: all.
    pub only: Vec<VmRef>,
}

/// A protected virtual machine, and where it is recovered.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its id.
    pub id: ProtectedVmId,
    /// Its instance UUID.
    pub instance_uuid: String,
    /// Its name.
    pub name: String,
    /// What its guest calls itself, as far as that is known.
    pub host_name: Option<String>,
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

/// What is to be recovered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planned {
    /// The tiers with at least one machine.
    pub tiers: Vec<RunTier>,
    /// The machines, tier by tier.
    pub vms: Vec<RunVmPlan>,
    /// Those that are not recovered, and why.
    pub left_out: Vec<LeftOut>,
    /// The hosts that mount the clone.
    pub hosts: Vec<DatastoreHost>,
    /// What stands in the way of all.
    pub obstacles: Vec<Finding>,
    /// What one should know.
    pub warnings: Vec<Finding>,
}

/// What the machines are for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Aim<'a> {
    /// A test: machines of their own, with other names and addresses.
    Test,
    /// A failover: the group itself.
    Failover(&'a Sides<'a>),
}

impl Aim<'_> {
    fn verb(self) -> &'static str {
        match self {
            Self::Test => "tested",
            Self::Failover(_) => "recovered",
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Failover(_) => "failover",
        }
    }
}

/// Why a machine is not recovered.
pub(super) enum Not {
    /// Somebody or the checkpoint wants it so.
    Wanted(String),
    /// Something is wrong with it: a sentence each.
    Trouble(Vec<String>),
}

/// What is said of machines; what is the same of several is said once.
#[derive(Default)]
pub(super) struct Said {
    warnings: Vec<(&'static str, String, Vec<String>)>,
    pub(super) unmapped: Unmapped,
}

impl Said {
    /// Something that one should know of a machine, as the rest of a sentence after its name and a colon.
    pub(super) fn of(&mut self, vm: &str, field: &'static str, what: impl Into<String>) {
        add(&mut self.warnings, vm, field, what.into());
    }
}

fn add(all: &mut Vec<(&'static str, String, Vec<String>)>, vm: &str, field: &'static str, what: String) {
    match all.iter_mut().find(|(of, known, _)| *of == field && *known == what) {
        Some((.., names)) if names.iter().any(|name| name == vm) => {}
        Some((.., names)) => names.push(vm.to_owned()),
        None => all.push((field, what, vec![vm.to_owned()])),
    }
}

fn grouped(all: Vec<(&'static str, String, Vec<String>)>) -> impl Iterator<Item = Finding> {
    all.into_iter()
        .map(|(field, what, names)| Finding { field, message: format!("{}: {what}", names.join(", ")) })
}

/// Plans a recovery.
pub(super) fn recover(aim: Aim<'_>, wish: &RecoveryWish, facts: &Facts<'_>) -> Planned {
    let (mut planned, mut said, mut troubles) = (Planned::default(), Said::default(), Vec::new());
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
            let found = (in_it.get(member.instance_uuid.as_str()).copied(), protected_on.as_str());
            let made = match chosen(aim, wish, (member, one), found) {
                Ok(machine) => machine_of(aim, wish, facts, (member, one), machine, &mut said),
                Err(why) => Err(why),
            };
            match made {
                Ok((vm, hosts)) => {
                    planned.hosts.extend(
                        hosts.into_iter().filter(|host| !planned.hosts.contains(host)).collect::<Vec<_>>(),
                    );
                    planned.vms.push(RunVmPlan { tier: number, ..vm });
                }
                Err(Not::Wanted(why)) => planned.left_out.push(LeftOut { name: member.name.clone(), why }),
                // What a planned failover could not bring over is not shut down at the source first.
                Err(Not::Trouble(why)) if matches!(aim, Aim::Failover(sides) if sides.planned) => {
                    why.into_iter().for_each(|why| add(&mut troubles, &member.name, "virtual_machines", why));
                }
                Err(Not::Trouble(why)) => {
                    planned.left_out.push(LeftOut { name: member.name.clone(), why: why.join(" ") });
                }
            }
        }
        if planned.vms.len() > before {
            let (name, delay_after_seconds) = (tier.name, tier.delay_after_seconds);
            planned.tiers.push(RunTier { number, name, delay_after_seconds });
        }
    }
    planned.obstacles.extend(grouped(troubles));
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
        let verb = aim.verb();
        let mut whys = Vec::new();
        planned.left_out.iter().for_each(|one| add(&mut whys, &one.name, "vm_morefs", one.why.clone()));
        let why: Vec<String> = grouped(whys).map(|one| one.message).collect();
        let message = match why.is_empty() {
            true => format!("The group has no virtual machine, so there is nothing to be {verb}."),
            false => format!("No virtual machine can be {verb}. {}", why.join(" ")),
        };
        planned.obstacles.push(Finding { field: "vm_morefs", message });
    }
    planned.warnings.extend(grouped(said.warnings));
    planned.warnings.extend(say_unmapped(said.unmapped));
    unknown_networks(wish, facts, &mut planned.obstacles);
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

/// A machine of the checkpoint that is to be recovered, with the datastore on which its group was protected.
struct InIt<'a> {
    machine: &'a Machine,
    protected_on: &'a str,
}

/// Whether it is to be recovered at all.
fn chosen<'a>(
    aim: Aim<'_>,
    wish: &RecoveryWish,
    (_, plan): (&Member, &PlanVm),
    (found, protected_on): (Option<&'a ManifestVm>, &'a str),
) -> Result<InIt<'a>, Not> {
    if plan.left_out {
        return Err(Not::Wanted("The recovery plan leaves it out.".to_owned()));
    }
    let Some(found) = found else {
        return Err(match aim {
            // It would be shut down at the source, and what it is made of is known only once a run has seen it.
            Aim::Failover(sides) if sides.planned => Not::Trouble(vec![
                "it is not in the newest checkpoint yet. Run the group first, or leave it out in the recovery plan."
                    .to_owned(),
            ]),
            _ => Not::Wanted("It was not in this checkpoint.".to_owned()),
        });
    };
    if !wish.only.is_empty() && !wish.only.contains(&found.vm) {
        return Err(Not::Wanted("It was not asked for.".to_owned()));
    }
    match &found.machine {
        Some(machine) => Ok(InIt { machine, protected_on }),
        None => Err(Not::Trouble(vec![
            "Nothing was known of its hardware when the checkpoint was taken.".to_owned(),
        ])),
    }
}

/// One machine with the hosts that it may run on, or why there is none. Its tier is not known here.
fn machine_of(
    aim: Aim<'_>,
    wish: &RecoveryWish,
    facts: &Facts<'_>,
    (member, plan): (&Member, &PlanVm),
    in_it: InIt<'_>,
    said: &mut Said,
) -> Result<(RunVmPlan, Vec<DatastoreHost>), Not> {
    let InIt { machine, protected_on } = in_it;
    let side = match aim {
        Aim::Test => failover::Side::default(),
        Aim::Failover(sides) => sides.of(member, machine, said)?,
    };
    let name = match (aim, side.shell) {
        (Aim::Test, _) => format!("{}{SUFFIX}", member.name),
        (_, Some(shell)) => shell.name().to_owned(),
        (_, None) => member.name.clone(),
    };
    let shell = shell_facts(facts, machine, protected_on);
    let (mut notes, mut differences) = (Notes::default(), Vec::new());
    look_at_source(&shell, &mut notes, &mut differences);
    let compute = find_compute(&member.places, &shell, &mut notes);
    let folder = find_folder(&member.places, &shell, &mut notes);
    if let (Some(folder), None) = (&folder, side.shell) {
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
    let (nics, networks) = cards(aim, wish, facts, (machine, &member.name, side.shell), said);
    let (obstacles, _) = notes.into_parts();
    let (Some(compute), Some(folder), true) = (compute, folder, obstacles.is_empty()) else {
        return Err(Not::Trouble(obstacles.into_iter().map(|one| one.message).collect()));
    };
    let hosts = compute.hosts.iter();
    let hosts = hosts
        .map(|host| DatastoreHost { moref: EsxiRef::new(&*host.object.id), name: host.name.clone() })
        .collect();
    to_know(aim, plan, &member.name, said);
    let who = (member.name.as_str(), member.host_name.as_deref());
    let guest = guest_settings(plan, machine, who, &nics).unwrap_or_else(|why| {
        said.of(&member.name, "recovery_plan", format!("its guest keeps its addresses: {why}."));
        None
    });
    let check: BootCheck = facts.plan.check_of(plan);
    let spec = ShellSpec {
        name,
        folder,
        pool: compute.pool,
        host: compute.host,
        // Beside its disks, so that it goes with them; a shell has its own, which stays.
        home_datastore: side.shell.map_or(facts.datastore, |shell| &shell.spec.home_datastore).to_owned(),
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
    };
    let vm = RunVmPlan {
        source_uuid: member.instance_uuid.clone(),
        name: member.name.clone(),
        tier: 0,
        delay_seconds: plan.delay_before_seconds,
        check,
        spec,
        networks,
        shell: side.shell.map(|shell| shell.used.clone()),
        // A test has another identity.
        bios_uuid: machine.bios_uuid.clone().filter(|_| matches!(aim, Aim::Failover(_))),
        source: side.source,
        guest,
        prompt_before: plan.prompt_before.clone(),
        prompt_after: plan.prompt_after.clone(),
    };
    Ok((vm, hosts))
}

/// Where somebody has to be there.
fn to_know(aim: Aim<'_>, plan: &PlanVm, name: &str, said: &mut Said) {
    if plan.asks() {
        let what = format!("the {} waits there until somebody has confirmed what the plan asks.", aim.noun());
        said.of(name, "recovery_plan", what);
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
