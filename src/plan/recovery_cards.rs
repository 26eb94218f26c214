//! The network cards of the machines of a recovery: disconnected at first, and what each is connected to once that is verified.

use std::collections::{BTreeMap, BTreeSet};

use super::dr_shell_cards::connection;
use super::failover::ShellNow;
use super::findings::Finding;
use super::recovery::{Aim, Facts, RecoveryWish, Said};
use crate::domain::dr_shell::ShellNic;
use crate::domain::hardware::{MacRange, Nic, NicNetwork};
use crate::domain::inventory::Network;
use crate::domain::machine::Machine;
use crate::domain::recovery_plan::{MappedNetwork, Purpose};
use crate::domain::recovery_run::RunNetwork;

/// Names of networks, and of the virtual machines that have a card on them.
pub(super) type Unmapped = BTreeMap<String, BTreeSet<String>>;

/// Networks that the map has nothing for, in sentences.
pub(super) fn say_unmapped(all: Unmapped) -> impl Iterator<Item = Finding> {
    all.into_iter().map(|(network, vms)| {
        let one = vms.len() == 1;
        let vms: Vec<String> = vms.into_iter().collect();
        let message = format!(
            "The map has no network for {network:?}, on which {} {}: {} disconnected.",
            vms.join(", "),
            if one { "is" } else { "are" },
            if one { "its card stays" } else { "their cards stay" },
        );
        Finding { field: "network_map", message }
    })
}

/// What a network of the source becomes.
enum Mapped<'a> {
    To(&'a Network),
    Disconnected,
    /// Nothing is said of it.
    Nothing,
}

fn mapped<'a>(
    aim: Aim<'_>,
    wish: &RecoveryWish,
    facts: &Facts<'a>,
    key: Option<&str>,
    name: &str,
) -> Mapped<'a> {
    let found = |wanted: &dyn Fn(&&Network) -> bool| {
        facts.networks.iter().find(|one| wanted(one)).map_or(Mapped::Disconnected, Mapped::To)
    };
    let asked = wish.networks.get(name).or_else(|| wish.networks.get(key?));
    if let Some(to) = asked {
        return found(&|one| one.object.id == *to || one.name == *to);
    }
    let purpose = match aim {
        Aim::Test => Purpose::Test,
        Aim::Failover(_) => Purpose::Real,
    };
    match key.and_then(|key| facts.plan.networks_for(purpose).get(key)) {
        None => Mapped::Nothing,
        Some(MappedNetwork::Disconnected) => Mapped::Disconnected,
        // One that is called otherwise now may be another one: somebody has to look.
        Some(MappedNetwork::Network { id, name }) => found(&|one| one.object.id == *id && one.name == *name),
    }
}

/// The cards, disconnected, and what each is connected to once that is verified.
pub(super) fn cards(
    aim: Aim<'_>,
    wish: &RecoveryWish,
    facts: &Facts<'_>,
    (machine, vm, shell): (&Machine, &str, Option<&ShellNow>),
    said: &mut Said,
) -> (Vec<ShellNic>, Vec<Option<RunNetwork>>) {
    let (mut nics, mut networks) = (Vec::new(), Vec::new());
    // A card has to be on some network even while it is disconnected.
    // A trunk, as the uplinks of a switch are, is nothing for a guest.
    let is_plain = |one: &&Network| !one.vlan.as_deref().is_some_and(|vlan| vlan.contains('-'));
    let plain = || facts.networks.iter().filter(is_plain);
    let connected = |one: &Network| connection(one, facts.places);
    let any = || plain().find_map(|one| Some((one, connected(one)?)));
    for (place, nic) in machine.hardware.nics.iter().enumerate() {
        let key = nic.network.key();
        let name =
            key.and_then(|key| facts.manifest.networks.get(key)).map_or(key.unwrap_or("no network"), |n| n);
        // The shell's card of the same place: that is how cards are told apart.
        let own = shell.and_then(|shell| shell.nics().get(place));
        if shell.is_some() && own.is_none() {
            said.of(
                vm,
                "network_map",
                format!("its DR shell has no card for {}: the failover makes one.", nic.label),
            );
        }
        let to = match mapped(aim, wish, facts, key, name) {
            Mapped::To(network) => Some(network),
            Mapped::Disconnected => None,
            Mapped::Nothing => own.and_then(|own| network_of(own, facts)),
        };
        let to = to.and_then(|one| Some((one, connected(one)?)));
        let is_mapped = to.is_some();
        if !is_mapped {
            said.unmapped.entry(name.to_owned()).or_default().insert(vm.to_owned());
        }
        let at_first = || match own {
            Some(own) => Some((network_of(own, facts)?, own.network.clone())),
            None => any(),
        };
        let Some((network, connection)) = to.or_else(at_first).or_else(any) else {
            let what = format!("the DR vCenter has no network, so {} is left out.", nic.label);
            said.of(vm, "network_map", what);
            continue;
        };
        networks.push(is_mapped.then(|| RunNetwork {
            source: name.to_owned(),
            object: network.object.clone(),
            name: network.name.clone(),
        }));
        nics.push(ShellNic {
            key: nic.key,
            label: nic.label.clone(),
            kind: own.map_or(&nic.kind, |own| &own.kind).clone(),
            network: connection,
            network_name: network.name.clone(),
            mac: match (aim, own) {
                // A test never has the address of what may still run.
                (Aim::Test, _) => None,
                (Aim::Failover(_), Some(own)) => own.mac.clone(),
                (Aim::Failover(_), None) => kept_mac(nic, vm, said),
            },
            start_connected: false,
        });
    }
    (nics, networks)
}

/// The network of the DR vCenter that a shell's card is on.
fn network_of<'a>(nic: &Nic, facts: &Facts<'a>) -> Option<&'a Network> {
    let is_it = |one: &&Network| match (&nic.network, connection(one, facts.places)) {
        (NicNetwork::Standard { name, network }, Some(NicNetwork::Standard { name: of, network: by })) => {
            network.as_ref().is_none_or(|network| by.as_ref() == Some(network)) && *name == of
        }
        (own, Some(other)) => own.key().is_some() && own.key() == other.key(),
        (_, None) => false,
    };
    facts.networks.iter().find(is_it)
}

/// The address that a card of a recovered machine keeps.
fn kept_mac(nic: &Nic, vm: &str, said: &mut Said) -> Option<String> {
    let mac = nic.mac.as_ref()?;
    if MacRange::of(mac) != MacRange::Generated {
        return Some(mac.clone());
    }
    said.of(
        vm,
        "virtual_machines",
        format!("{} gets another address than {mac}, because that is one that a host made up, which no other may keep.", nic.label),
    );
    None
}

/// What somebody typed has to be there.
pub(super) fn unknown_networks(wish: &RecoveryWish, facts: &Facts<'_>, obstacles: &mut Vec<Finding>) {
    for (from, to) in wish.networks.iter().filter(|(_, to)| !to.is_empty()) {
        match facts.networks.iter().find(|one| one.object.id == *to || one.name == *to) {
            None => obstacles.push(Finding {
                field: "network_map",
                message: format!("The DR vCenter has no network {to:?}, which is to stand for {from:?}."),
            }),
            Some(network) if connection(network, facts.places).is_none() => obstacles.push(Finding {
                field: "network_map",
                message: format!("{} cannot be connected to from here.", network.name),
            }),
            Some(_) => {}
        }
    }
}
