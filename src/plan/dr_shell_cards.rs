//! The network cards of a DR shell: which network stands for which, and which address they keep.

use super::dr_shell::{CardPlan, Facts, Wish};
use super::findings::{Finding, Notes};
use crate::domain::dr_shell::ShellNic;
use crate::domain::hardware::{MacRange, Nic, NicNetwork};
use crate::domain::inventory::{Network, Place};

/// The network of a card, as people call it.
fn network_name(nic: &Nic, networks: &[Network]) -> String {
    let by_key = |key: &str| {
        networks.iter().find(|one| one.portgroup_key.as_deref() == Some(key) || one.object.id == key)
    };
    match (&nic.network, nic.network.key().and_then(by_key)) {
        (_, Some(network)) => network.name.clone(),
        (NicNetwork::Standard { name, .. }, None) => name.clone(),
        (other, None) => other.key().unwrap_or("no network").to_owned(),
    }
}

pub(super) fn cards(
    wish: &Wish,
    facts: &Facts<'_>,
    (notes, differences): (&mut Notes, &mut Vec<Finding>),
) -> (Vec<ShellNic>, Vec<CardPlan>) {
    let (mut nics, mut cards) = (Vec::new(), Vec::new());
    for nic in &facts.source.hardware.nics {
        let from = network_name(nic, facts.source_networks);
        let mapped =
            wish.networks.iter().find(|(one, _)| *one == from || Some(one.as_str()) == nic.network.key());
        let wanted = mapped.map_or(from.as_str(), |(_, to)| to);
        let by_name = |one: &&Network| one.object.id == wanted || one.name == wanted;
        let found = facts.networks.iter().find(by_name);
        let connected = found.and_then(|network| Some((network, connection(network, facts.places)?)));
        if connected.is_none() {
            let why = match (mapped, found) {
                (_, Some(network)) => format!("{} cannot be connected to from here", network.name),
                (Some((_, to)), None) => format!("the DR vCenter has no network {to:?}"),
                (None, None) => "the DR vCenter has no network of that name".to_owned(),
            };
            notes.obstacle(
                "networks",
                format!("{} is on {from:?}, and {why}. Choose the network that stands for it.", nic.label),
            );
        }
        let mac = kept_mac(nic, wish.new_macs, differences);
        if mac.is_some() && facts.same_vcenter {
            notes.warning(
                "macs",
                format!(
                    "{} keeps its address, which the source has in the same vCenter: the vCenter will report a conflict \
                     while both run.",
                    nic.label
                ),
            );
        }
        if let Some((network, connection)) = &connected {
            if network.name != from {
                differences.push(Finding {
                    field: "networks",
                    message: format!("{} goes from {from:?} to {:?}.", nic.label, network.name),
                });
            }
            nics.push(ShellNic {
                key: nic.key,
                label: nic.label.clone(),
                kind: nic.kind.clone(),
                network: connection.clone(),
                network_name: network.name.clone(),
                mac: mac.clone(),
                start_connected: nic.start_connected,
            });
        }
        cards.push(CardPlan {
            label: nic.label.clone(),
            source_network: from,
            network: connected.map(|(network, _)| network.name.clone()),
            source_mac: nic.mac.clone(),
            mac,
        });
    }
    (nics, cards)
}

/// How a card is connected to a network; none where that cannot be said.
pub(super) fn connection(network: &Network, places: &[Place]) -> Option<NicNetwork> {
    match (&network.portgroup_key, &network.switch) {
        (Some(portgroup), Some(switch)) => {
            let switch = places.iter().find(|place| place.object == *switch)?;
            let uuid = switch.facts.get("uuid")?.clone();
            Some(NicNetwork::Distributed { switch: uuid, portgroup: portgroup.clone() })
        }
        _ if network.object.kind == "Network" => {
            Some(NicNetwork::Standard { name: network.name.clone(), network: Some(network.object.clone()) })
        }
        _ => None,
    }
}

/// The address that a card keeps.
fn kept_mac(nic: &Nic, new: bool, differences: &mut Vec<Finding>) -> Option<String> {
    let mac = nic.mac.as_ref()?;
    let why = if new {
        "as was asked for"
    } else if MacRange::of(mac) == MacRange::Generated {
        "because it is one that a host made up, which no other may keep"
    } else {
        return Some(mac.clone());
    };
    differences.push(Finding {
        field: "macs",
        message: format!(
            "{} gets another address than {mac}, {why}: reservations by DHCP and settings in the guest that name it do not \
             hold.",
            nic.label
        ),
    });
    None
}
