//! Standard networks, distributed switches and their port groups.

use super::{Body, World};
use crate::sim::vcenter::soap::Moref;

/// A network of standard switches: the port groups of one name on the hosts of a datacenter.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Network {
    pub(in crate::sim::vcenter) vlan: i64,
    pub(in crate::sim::vcenter) hosts: Vec<Moref>,
}

/// Which VLANs a distributed port group carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sim::vcenter) enum Vlan {
    Id(i64),
    Trunk(i64, i64),
    Private(i64),
}

/// A distributed port group.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Portgroup {
    pub(in crate::sim::vcenter) key: String,
    pub(in crate::sim::vcenter) switch: Moref,
    pub(in crate::sim::vcenter) vlan: Vlan,
    pub(in crate::sim::vcenter) uplink: bool,
    pub(in crate::sim::vcenter) ports: i64,
}

/// A distributed switch.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Switch {
    pub(in crate::sim::vcenter) uuid: String,
    pub(in crate::sim::vcenter) portgroups: Vec<Moref>,
    pub(in crate::sim::vcenter) hosts: Vec<Moref>,
}

impl World {
    /// The standard network of this name in a datacenter.
    pub(in crate::sim::vcenter) fn standard_network(
        &self,
        datacenter: Option<&Moref>,
        name: &str,
    ) -> Option<Moref> {
        let here = |moref: &Moref| datacenter.is_none() || self.datacenter_of(moref).as_ref() == datacenter;
        self.of_kind("Network")
            .find(|object| object.name == name && here(&object.moref))
            .map(|object| object.moref.clone())
    }

    /// The distributed port group with this key.
    pub(in crate::sim::vcenter) fn portgroup_of_key(&self, key: &str) -> Option<Moref> {
        self.of_kind("DistributedVirtualPortgroup").find_map(|object| match &object.body {
            Body::Portgroup(portgroup) if portgroup.key == key => Some(object.moref.clone()),
            _ => None,
        })
    }

    /// The VLAN of a network, 0 for none.
    pub(in crate::sim::vcenter) fn vlan_of(&self, network: &Moref) -> i64 {
        match self.objects.get(&network.id).map(|object| &object.body) {
            Some(Body::Network(network)) => network.vlan,
            Some(Body::Portgroup(Portgroup { vlan: Vlan::Id(id) | Vlan::Private(id), .. })) => *id,
            _ => 0,
        }
    }

    /// The hosts that can reach a network.
    pub(in crate::sim::vcenter) fn hosts_of_network(&self, network: &Moref) -> Vec<Moref> {
        match self.objects.get(&network.id).map(|object| &object.body) {
            Some(Body::Network(network)) => network.hosts.clone(),
            Some(Body::Portgroup(portgroup)) => {
                self.switch(&portgroup.switch).map(|switch| switch.hosts.clone()).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }
}
