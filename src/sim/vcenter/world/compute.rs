//! Clusters, hosts and resource pools.

use super::World;
use crate::sim::vcenter::soap::{Fault, Moref};

/// A cluster.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Cluster {
    pub(in crate::sim::vcenter) hosts: Vec<Moref>,
    /// Its root resource pool.
    pub(in crate::sim::vcenter) pool: Moref,
}

/// A port group of a standard switch.
#[derive(Debug, Clone)]
pub(in crate::sim::vcenter) struct HostPortgroup {
    pub(in crate::sim::vcenter) name: String,
    pub(in crate::sim::vcenter) vlan: i64,
    pub(in crate::sim::vcenter) switch: String,
}

/// An ESXi host.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Host {
    pub(in crate::sim::vcenter) uuid: String,
    pub(in crate::sim::vcenter) address: String,
    pub(in crate::sim::vcenter) cores: i64,
    /// Bytes.
    pub(in crate::sim::vcenter) memory: i64,
    /// `connected`, `disconnected` or `notResponding`.
    pub(in crate::sim::vcenter) connection: &'static str,
    pub(in crate::sim::vcenter) maintenance: bool,
    pub(in crate::sim::vcenter) portgroups: Vec<HostPortgroup>,
    /// Advanced settings that a client changed, as `NFS.MaxVolumes`.
    pub(in crate::sim::vcenter) settings: Vec<(String, i64)>,
}

impl Host {
    /// Whether virtual machines can be run on it.
    pub(in crate::sim::vcenter) fn is_usable(&self) -> bool {
        self.connection == "connected" && !self.maintenance
    }
}

/// A resource pool.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Pool {
    /// The cluster.
    pub(in crate::sim::vcenter) owner: Moref,
    pub(in crate::sim::vcenter) children: Vec<Moref>,
}

impl World {
    /// The cluster that a host, a pool or a cluster belongs to.
    pub(in crate::sim::vcenter) fn cluster_of(&self, moref: &Moref) -> Option<Moref> {
        match moref.kind {
            "ClusterComputeResource" | "ComputeResource" => Some(moref.clone()),
            "ResourcePool" => self.pool(moref).ok().map(|pool| pool.owner.clone()),
            _ => self.ancestors(moref).into_iter().find(|moref| moref.kind.ends_with("ComputeResource")),
        }
    }

    /// A host of the pool's cluster for a virtual machine: the one that was asked for, else the one with the fewest.
    pub(in crate::sim::vcenter) fn place(
        &self,
        pool: &Moref,
        wanted: Option<&Moref>,
    ) -> Result<Moref, Fault> {
        let owner = self.pool(pool)?.owner.clone();
        let hosts = &self.cluster(&owner)?.hosts;
        if let Some(wanted) = wanted {
            let host = self.host(wanted)?;
            if !hosts.contains(wanted) {
                return Err(Fault::invalid_argument("host"));
            }
            return match host.is_usable() {
                true => Ok(wanted.clone()),
                false => {
                    Err(Fault::new("InvalidHostState", "The host is not in a state to run virtual machines.")
                        .with("host", wanted))
                }
            };
        }
        let usable = hosts.iter().filter(|host| self.host(host).is_ok_and(Host::is_usable));
        usable
            .min_by_key(|host| self.vms_on(host).len())
            .cloned()
            .ok_or_else(|| Fault::new("NoCompatibleHost", "No host is compatible with the virtual machine."))
    }

    /// The virtual machines on a host.
    pub(in crate::sim::vcenter) fn vms_on(&self, host: &Moref) -> Vec<Moref> {
        let mut found: Vec<_> = self
            .vms()
            .filter(|(_, vm)| vm.host.as_ref() == Some(host))
            .map(|(object, _)| object.moref.clone())
            .collect();
        found.sort_by_key(super::age);
        found
    }
}
