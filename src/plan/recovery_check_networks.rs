//! Whether the network cards of a recovery plan lead anywhere: the maps of networks against what the DR vCenter has.

use std::collections::{BTreeMap, BTreeSet};

use super::dr_shell_cards::connection;
use super::recovery_check::{BOTH, Facts, Found, Mend, Severity, Started};
use crate::domain::dr_shell::DrShell;
use crate::domain::hardware::Nic;
use crate::domain::inventory::{Network, Place, PlaceKind};
use crate::domain::manifest::Manifest;
use crate::domain::moref::ManagedRef;
use crate::domain::recovery_plan::{BootProof, GuestAddress, MappedNetwork, Purpose};

/// A network at the source that cards of started virtual machines are on.
struct Used<'a, 'b> {
    key: &'b str,
    name: String,
    by: Vec<&'b Started<'a>>,
}

fn cards<'b>(vm: &'b Started<'_>) -> &'b [Nic] {
    vm.seen.and_then(|seen| seen.machine.as_ref()).map_or(&[], |machine| machine.hardware.nics.as_slice())
}

/// What a manifest calls the network of a card.
pub fn network_name(manifest: &Manifest, key: &str) -> String {
    manifest.networks.get(key).cloned().unwrap_or_else(|| key.to_owned())
}

pub(super) fn networks(facts: &Facts<'_>, started: &[Started<'_>], found: &mut Found) {
    // Whatever was in the checkpoint.
    meeting(facts, found);
    let Some(manifest) = facts.manifest else { return };
    let mut used: BTreeMap<&str, Used<'_, '_>> = BTreeMap::new();
    for vm in started {
        for key in cards(vm).iter().filter_map(|nic| nic.network.key()) {
            let one = used.entry(key).or_insert_with(|| Used {
                key,
                name: network_name(manifest, key),
                by: Vec::new(),
            });
            if !one.by.iter().any(|other| other.plan.vm == vm.plan.vm) {
                one.by.push(vm);
            }
        }
    }
    for one in used.values() {
        mapped(facts, one, found);
    }
    shells(facts, started, found);
    for vm in started {
        for purpose in BOTH {
            checks(facts, vm, purpose, found);
        }
        unused_addresses(facts, vm, found);
    }
}

/// What one network at the source becomes.
fn mapped(facts: &Facts<'_>, used: &Used<'_, '_>, found: &mut Found) {
    for purpose in BOTH {
        let only = [purpose];
        let why_for = |what: String| match purpose {
            Purpose::Test => format!("In tests it becomes {what}"),
            Purpose::Real => format!("In real recoveries it becomes {what}"),
        };
        let choose = "Choose another network for it.";
        match facts.plan.networks_for(purpose).get(used.key) {
            Some(MappedNetwork::Disconnected) => {}
            Some(MappedNetwork::Network { id, name }) => {
                let there = facts.networks.iter().find(|one| one.object.id == *id);
                let Some(network) = there else {
                    let why = why_for(format!("{name}, which the DR vCenter does not have any more."));
                    let kind = ("network_gone", Severity::Fails, only.as_slice());
                    found.add(kind, &used.name, why, choose, Some(Mend::Networks));
                    continue;
                };
                if connection(network, facts.places).is_none() {
                    let why =
                        why_for(format!("{}, which cards cannot be connected to from here.", network.name));
                    let kind = ("network_unusable", Severity::Fails, only.as_slice());
                    found.add(kind, &used.name, why, choose, Some(Mend::Networks));
                }
                let elsewhere: BTreeSet<&str> = used
                    .by
                    .iter()
                    .filter_map(|vm| vm.facts.shell)
                    .filter(|(shell, _)| is_elsewhere(network, shell, facts.places))
                    .map(|(shell, _)| shell.spec.name.as_str())
                    .collect();
                if !elsewhere.is_empty() {
                    let names: Vec<&str> = elsewhere.into_iter().collect();
                    let what = format!(
                        "{}, which is in another datacenter than {}: its hosts do not have it.",
                        network.name,
                        names.join(", ")
                    );
                    let kind = ("network_elsewhere", Severity::Fails, only.as_slice());
                    found.add(kind, &used.name, why_for(what), choose, Some(Mend::Networks));
                }
            }
            None if purpose == Purpose::Test => found.add(
                ("network_not_mapped", Severity::Warns, &[Purpose::Test]),
                &used.name,
                "No network stands for it in tests: cards on it stay disconnected.",
                "Choose an isolated network, or say that they are to stay disconnected.",
                Some(Mend::Networks),
            ),
            None => {
                let without = used.by.iter().filter(|vm| vm.facts.shell.is_none());
                let names: Vec<&str> = without.map(|vm| vm.name()).collect();
                if !names.is_empty() {
                    found.add(
                        ("network_not_mapped", Severity::Warns, &[Purpose::Real]),
                        &used.name,
                        format!(
                            "No network stands for it, and {} has no DR shell that would say it.",
                            names.join(", ")
                        ),
                        "Choose the network that stands for it.",
                        Some(Mend::Networks),
                    );
                }
            }
        }
    }
}

/// Cards that go where the shell has them, which may be gone.
fn shells(facts: &Facts<'_>, started: &[Started<'_>], found: &mut Found) {
    for vm in started {
        let Some((shell, true)) = vm.facts.shell else { continue };
        for nic in cards(vm) {
            let is_mapped = nic.network.key().is_some_and(|key| facts.plan.networks.real.contains_key(key));
            let Some(own) = shell.spec.nics.iter().find(|one| one.key == nic.key).filter(|_| !is_mapped)
            else {
                continue;
            };
            let Some(key) = own.network.key() else { continue };
            let is_it = |one: &Network| {
                one.object.id == key || one.portgroup_key.as_deref() == Some(key) || one.name == key
            };
            if !facts.networks.iter().any(is_it) {
                found.add(
                    ("network_gone", Severity::Fails, &[Purpose::Real]),
                    vm.name(),
                    format!(
                        "{} of its DR shell is on {}, which the DR vCenter does not have any more.",
                        own.label, own.network_name
                    ),
                    "Repair the shell, or map its network in the plan.",
                    Some(Mend::Shell(vm.plan.vm)),
                );
            }
        }
    }
}

/// Tests on a network of real recoveries.
fn meeting(facts: &Facts<'_>, found: &mut Found) {
    let targets = |purpose| -> BTreeMap<&str, &str> {
        let all = facts.plan.networks_for(purpose).values();
        all.filter_map(|one| match one {
            MappedNetwork::Network { id, name } => Some((id.as_str(), name.as_str())),
            MappedNetwork::Disconnected => None,
        })
        .collect()
    };
    let real = targets(Purpose::Real);
    for (id, name) in targets(Purpose::Test) {
        if real.contains_key(id) {
            found.add(
                ("test_on_real_network", Severity::Warns, &[Purpose::Test]),
                name,
                "Tests use a network that real recoveries use too: tested machines could be taken for the real ones.",
                "Choose an isolated network for tests.",
                Some(Mend::Networks),
            );
        }
    }
}

/// Whether a card is connected for this purpose, as far as the plan says it.
fn is_connected(facts: &Facts<'_>, nic: &Nic, purpose: Purpose) -> bool {
    let target = nic.network.key().and_then(|key| facts.plan.networks_for(purpose).get(key));
    match (target, purpose) {
        (Some(MappedNetwork::Network { .. }), _) => true,
        (Some(MappedNetwork::Disconnected), _) | (None, Purpose::Test) => false,
        // It is where the shell has it.
        (None, Purpose::Real) => true,
    }
}

fn checks(facts: &Facts<'_>, vm: &Started<'_>, purpose: Purpose, found: &mut Found) {
    let check = facts.plan.check_of(&vm.plan);
    let asks_network = matches!(check.proof, BootProof::Ip | BootProof::TcpPort { .. });
    if !asks_network || vm.seen.is_none() || cards(vm).iter().any(|nic| is_connected(facts, nic, purpose)) {
        return;
    }
    let when = match purpose {
        Purpose::Test => "in a test",
        Purpose::Real => "in a real recovery",
    };
    found.add(
        ("check_cannot_pass", Severity::Fails, &[purpose]),
        vm.name(),
        format!("Its check ({check}) cannot pass: none of its network cards is connected {when}."),
        "Map its network, or let VMware Tools be the proof.",
        Some(Mend::Vm(vm.plan.vm)),
    );
}

fn unused_addresses(facts: &Facts<'_>, vm: &Started<'_>, found: &mut Found) {
    for nic in cards(vm) {
        let is_given = matches!(vm.plan.address_of(nic.key), GuestAddress::Static { .. });
        if is_given && !is_connected(facts, nic, Purpose::Real) {
            found.add(
                ("address_unused", Severity::Warns, &[Purpose::Real]),
                vm.name(),
                format!("{} is given an address and stays disconnected.", nic.label),
                "Map its network, or keep its address.",
                Some(Mend::Vm(vm.plan.vm)),
            );
        }
    }
}

/// Whether a network is in another datacenter than a shell. What cannot be told is not held against it.
fn is_elsewhere(network: &Network, shell: &DrShell, places: &[Place]) -> bool {
    let of_network = network.parent.as_ref().and_then(|parent| datacenter(parent, places));
    let of_shell = datacenter(&ManagedRef::from(&shell.spec.pool), places);
    matches!((of_network, of_shell), (Some(one), Some(other)) if one != other)
}

/// The datacenter that something lies in.
fn datacenter<'a>(object: &ManagedRef, places: &'a [Place]) -> Option<&'a ManagedRef> {
    let find = |object: &ManagedRef| places.iter().find(|place| place.object == *object);
    let above = std::iter::successors(find(object), |place| find(place.parent.as_ref()?)).take(64);
    above.into_iter().find(|place| place.kind == PlaceKind::Datacenter).map(|place| &place.object)
}
