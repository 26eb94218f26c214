//! What of a recovery plan would fail at the DR site as things are: computed whenever it is looked at, from what is kept of
//! the group, its newest checkpoint, its shells and the DR vCenter's inventory. What only the systems themselves can say
//! (room for NFS datastores, encryption) is judged where it was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use super::nfs_room::room_for;
use super::recovery_check_networks::networks;
use crate::domain::deployment::NfsRoom;
use crate::domain::dr_shell::DrShell;
use crate::domain::ids::ProtectedVmId;
use crate::domain::inventory::{Network, Place};
use crate::domain::manifest::{Manifest, ManifestVm};
use crate::domain::protected_vm::ProtectedVm;
use crate::domain::recovery_plan::{GuestAddress, PlanVm, Purpose, RecoveryPlan};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A recovery, or a part of it, would fail.
    Fails,
    /// It would work otherwise than one may expect.
    Warns,
}

/// What mends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mend {
    /// A run of the group.
    RunNow,
    /// The shell of this virtual machine.
    Shell(ProtectedVmId),
    /// What the plan says about this virtual machine.
    Vm(ProtectedVmId),
    /// The plan's maps of networks.
    Networks,
    /// Saving the plan again.
    Plan,
    /// The group's key.
    Key,
}

/// One thing that would fail, or that one should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckFinding {
    /// A name for programs.
    pub kind: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// In tests, in real recoveries, or in both.
    pub purposes: Vec<Purpose>,
    /// What it is about: a virtual machine, a network, the group.
    pub object: String,
    /// What is wrong, as a sentence.
    pub why: String,
    /// What to do about it, as a sentence.
    pub advice: String,
    /// The place where that is done.
    pub mend: Option<Mend>,
}

/// A virtual machine of the group.
#[derive(Debug, Clone, Copy)]
pub struct VmFacts<'a> {
    /// It.
    pub vm: &'a ProtectedVm,
    /// Its shell, and whether the DR vCenter has it.
    pub shell: Option<(&'a DrShell, bool)>,
}

/// What only the systems themselves can say.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// How much room for NFS datastores the shells' hosts have; or why that is not known.
    pub rooms: Result<&'a [NfsRoom], &'a str>,
    /// Whether the replica is encrypted; or why that is not known.
    pub encrypted: Result<bool, &'a str>,
    /// Whether Zerfaux keeps its key.
    pub has_key: bool,
}

/// What is known.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The plan as it is kept.
    pub plan: &'a RecoveryPlan,
    /// The virtual machines of the group.
    pub vms: &'a [VmFacts<'a>],
    /// Whether the DR side has a checkpoint.
    pub has_checkpoint: bool,
    /// What is in the newest one.
    pub manifest: Option<&'a Manifest>,
    /// Of the DR vCenter: networks that are there.
    pub networks: &'a [Network],
    /// Of the DR vCenter: places that are there.
    pub places: &'a [Place],
    /// Whether it is to run while nobody looks.
    pub unattended: bool,
    /// What was asked, if it was.
    pub asked: Option<Asked<'a>>,
}

/// A virtual machine that the plan starts, with all that is known of it.
pub(super) struct Started<'a> {
    pub(super) plan: PlanVm,
    pub(super) facts: VmFacts<'a>,
    pub(super) seen: Option<&'a ManifestVm>,
}

impl Started<'_> {
    pub(super) fn name(&self) -> &str {
        &self.facts.vm.name
    }
}

pub(super) const BOTH: [Purpose; 2] = [Purpose::Test, Purpose::Real];

/// Collects what is found.
#[derive(Default)]
pub(super) struct Found(Vec<CheckFinding>);

impl Found {
    pub(super) fn add(
        &mut self,
        (kind, severity, purposes): (&'static str, Severity, &[Purpose]),
        object: &str,
        why: impl Into<String>,
        advice: impl Into<String>,
        mend: Option<Mend>,
    ) {
        self.0.push(CheckFinding {
            kind,
            severity,
            purposes: purposes.to_vec(),
            object: object.to_owned(),
            why: why.into(),
            advice: advice.into(),
            mend,
        });
    }
}

/// Everything that would fail, the worst first.
pub fn check(facts: &Facts<'_>) -> Vec<CheckFinding> {
    let mut found = Found::default();
    let started = started(facts);
    of_group(facts, &started, &mut found);
    for vm in &started {
        of_vm(facts, vm, &mut found);
    }
    addresses(&started, &mut found);
    networks(facts, &started, &mut found);
    if let Some(asked) = &facts.asked {
        of_asked(asked, &mut found);
    }
    found.0.sort_by_key(|one| one.severity);
    found.0
}

fn started<'a>(facts: &Facts<'a>) -> Vec<Started<'a>> {
    let group: Vec<ProtectedVmId> = facts.vms.iter().map(|one| one.vm.id).collect();
    let tiers = facts.plan.resolved(&group);
    let all = tiers.into_iter().flat_map(|tier| tier.vms);
    all.filter_map(|plan| {
        let vm = *facts.vms.iter().find(|one| one.vm.id == plan.vm)?;
        let seen = facts
            .manifest
            .and_then(|manifest| manifest.vms.iter().find(|one| one.instance_uuid == vm.vm.instance_uuid));
        Some(Started { plan, facts: vm, seen })
    })
    .collect()
}

fn of_group(facts: &Facts<'_>, started: &[Started<'_>], found: &mut Found) {
    const GROUP: &str = "The group";
    if !facts.has_checkpoint {
        found.add(
            ("no_checkpoint", Severity::Fails, &BOTH),
            GROUP,
            "The DR side has no checkpoint: there is nothing to recover from.",
            "Run the group now.",
            Some(Mend::RunNow),
        );
    } else if facts.manifest.is_none() {
        found.add(
            ("no_manifest", Severity::Warns, &BOTH),
            GROUP,
            "What is in the newest checkpoint is not known, so cards and networks could not be checked.",
            "Run the group now: each new checkpoint says what is in it.",
            Some(Mend::RunNow),
        );
    }
    if started.is_empty() {
        let (why, advice) = match facts.vms.is_empty() {
            true => ("It protects no virtual machine.", "Assign virtual machines."),
            false => ("The plan leaves every virtual machine out.", "Take at least one in."),
        };
        found.add(("nothing_to_start", Severity::Fails, &BOTH), GROUP, why, advice, None);
    }
    let there: BTreeSet<ProtectedVmId> = facts.vms.iter().map(|one| one.vm.id).collect();
    let gone = facts.plan.vms().filter(|one| !there.contains(&one.vm)).count();
    if gone > 0 {
        let what = if gone == 1 { "a virtual machine that is" } else { "virtual machines that are" };
        found.add(
            ("vm_gone", Severity::Warns, &BOTH),
            GROUP,
            format!("The plan names {what} not in the group any more ({gone}). It is passed over."),
            "Nothing has to be done; the next change of the plan leaves it out.",
            Some(Mend::Plan),
        );
    }
    let asking: Vec<&str> = started.iter().filter(|one| one.plan.asks()).map(Started::name).collect();
    if facts.unattended && !asking.is_empty() {
        found.add(
            ("prompts", Severity::Warns, &[Purpose::Test]),
            GROUP,
            format!(
                "A person is asked at {}, and nobody is there when it runs by itself.",
                asking.join(", ")
            ),
            "Take the prompts out, or start it by hand.",
            None,
        );
    }
}

fn of_vm(facts: &Facts<'_>, vm: &Started<'_>, found: &mut Found) {
    let (name, id) = (vm.name(), vm.plan.vm);
    if facts.manifest.is_some() {
        match vm.seen {
            None => found.add(
                ("not_in_checkpoint", Severity::Fails, &BOTH),
                name,
                "It is not in the newest checkpoint, so it would not be recovered.",
                "Run the group now.",
                Some(Mend::RunNow),
            ),
            Some(ManifestVm { machine: None, .. }) => found.add(
                ("machine_unknown", Severity::Fails, &BOTH),
                name,
                "The newest checkpoint does not say what hardware it has, so it cannot be rebuilt.",
                "Look whether its vCenter answers, then run the group now.",
                Some(Mend::RunNow),
            ),
            Some(_) => {}
        }
    }
    match vm.facts.shell {
        None => found.add(
            ("no_shell", Severity::Fails, &[Purpose::Real]),
            name,
            "It has no DR shell, which a real recovery gives the disks to.",
            "Make its DR shell.",
            Some(Mend::Shell(id)),
        ),
        Some((shell, false)) => found.add(
            ("shell_gone", Severity::Fails, &[Purpose::Real]),
            name,
            format!("Its DR shell {:?} is not in the DR vCenter any more.", shell.spec.name),
            "Repair or remove it, then make it anew.",
            Some(Mend::Shell(id)),
        ),
        Some((_, true)) => {}
    }
    let cards: Option<BTreeSet<i32>> = vm
        .seen
        .and_then(|seen| seen.machine.as_ref())
        .map(|machine| machine.hardware.nics.iter().map(|nic| nic.key).collect());
    for nic in &vm.plan.nics {
        if nic.address == GuestAddress::Keep {
            continue;
        }
        if cards.as_ref().is_some_and(|cards| !cards.contains(&nic.key)) {
            found.add(
                ("no_such_card", Severity::Fails, &BOTH),
                name,
                format!(
                    "The plan gives an address to a network card (key {}) that it does not have.",
                    nic.key
                ),
                "Look at its network cards in the plan.",
                Some(Mend::Vm(id)),
            );
        }
        for fault in nic.address.faults() {
            found.add(
                ("bad_address", Severity::Fails, &BOTH),
                name,
                format!("Its address in the plan cannot work: {fault}."),
                "Correct the address.",
                Some(Mend::Vm(id)),
            );
        }
    }
}

/// Two virtual machines with one address.
fn addresses(started: &[Started<'_>], found: &mut Found) {
    let mut all: BTreeMap<IpAddr, Vec<&Started<'_>>> = BTreeMap::new();
    for vm in started {
        for nic in &vm.plan.nics {
            if let GuestAddress::Static { address, .. } = &nic.address {
                all.entry(*address).or_default().push(vm);
            }
        }
    }
    for (address, vms) in all {
        let [first, .., last] = vms.as_slice() else { continue };
        let names: Vec<&str> = vms.iter().map(|vm| vm.name()).collect();
        let why = match first.plan.vm == last.plan.vm {
            true => format!("Two of its network cards are given {address}."),
            false => format!("{} are all given {address}.", names.join(", ")),
        };
        found.add(
            ("same_address", Severity::Fails, &BOTH),
            first.name(),
            why,
            "Give each its own address.",
            Some(Mend::Vm(last.plan.vm)),
        );
    }
}

fn of_asked(asked: &Asked<'_>, found: &mut Found) {
    match asked.rooms {
        Ok(rooms) => {
            let (obstacles, warnings) = room_for("the recovery's datastore", rooms);
            let of = |severity| move |sentence: String| (severity, sentence);
            let all = obstacles.into_iter().map(of(Severity::Fails));
            for (severity, sentence) in all.chain(warnings.into_iter().map(of(Severity::Warns))) {
                found.add(("nfs_room", severity, &BOTH), "NFS datastores", sentence, "", None);
            }
        }
        Err(why) => found.add(
            ("nfs_room_unknown", Severity::Warns, &BOTH),
            "NFS datastores",
            format!("How many more the hosts may mount is not known: {why}"),
            "Look whether the DR vCenter answers.",
            None,
        ),
    }
    match asked.encrypted {
        Ok(true) if !asked.has_key => found.add(
            ("no_key", Severity::Fails, &BOTH),
            "The group",
            "Its replica is encrypted, and Zerfaux has no key for it: it is not recoverable without a key.",
            "Enter its key.",
            Some(Mend::Key),
        ),
        Ok(_) => {}
        Err(why) => found.add(
            ("encryption_unknown", Severity::Warns, &BOTH),
            "The group",
            format!("Whether its replica is encrypted is not known: {why}"),
            "Look whether the DR appliance answers.",
            None,
        ),
    }
}

#[cfg(test)]
#[path = "recovery_check_tests.rs"]
mod tests;
