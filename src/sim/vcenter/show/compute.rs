//! Datacenters, clusters and resource pools.

use super::{Sight, part};
use crate::sim::vcenter::soap::{Data, Moref, Value, data};
use crate::sim::vcenter::world::{Cluster, Host, Object, Pool, World};

/// MHz of a core.
pub(super) const MHZ: i64 = 2600;

impl World {
    /// The datastores that a host has mounted.
    pub(in crate::sim::vcenter) fn datastores_on(&self, host: &Moref) -> Vec<Moref> {
        let all = self.of_kind("Datastore").map(|object| &object.moref);
        all.filter(|moref| self.datastore(moref).is_ok_and(|datastore| datastore.hosts.contains(host)))
            .cloned()
            .collect()
    }

    /// The networks that a host has.
    pub(in crate::sim::vcenter) fn networks_on(&self, host: &Moref) -> Vec<Moref> {
        let all = self.of_kind("Network").chain(self.of_kind("DistributedVirtualPortgroup"));
        all.map(|object| object.moref.clone())
            .filter(|moref| self.hosts_of_network(moref).contains(host))
            .collect()
    }
}

fn allocation(limit: i64) -> Data {
    data("ResourceAllocationInfo")
        .with("reservation", 0)
        .with("expandableReservation", true)
        .with("limit", limit)
        .with("shares", data("SharesInfo").with("shares", 4000).with("level", "normal"))
}

impl Sight<'_> {
    pub(super) fn datacenter_property(&self, object: &Object, name: &str) -> Option<Value> {
        let datacenter = self.world.datacenter(&object.moref).ok()?;
        match name {
            "vmFolder" => Some((&datacenter.vm_folder).into()),
            "hostFolder" => Some((&datacenter.host_folder).into()),
            "datastoreFolder" => Some((&datacenter.datastore_folder).into()),
            "networkFolder" => Some((&datacenter.network_folder).into()),
            "datastore" => Some(self.below(&datacenter.datastore_folder, &["Datastore"]).into()),
            "network" => Some(
                self.below(&datacenter.network_folder, &["Network", "DistributedVirtualPortgroup"]).into(),
            ),
            "configuration" => {
                Some(data("DatacenterConfigInfo").with("defaultHardwareVersionKey", "vmx-19").into())
            }
            _ => None,
        }
    }

    fn below(&self, folder: &Moref, kinds: &[&str]) -> Vec<Moref> {
        self.world.descendants(folder).into_iter().filter(|moref| kinds.contains(&moref.kind)).collect()
    }

    fn hosts<'a>(&'a self, cluster: &'a Cluster) -> impl Iterator<Item = &'a Host> {
        cluster.hosts.iter().filter_map(|moref| self.world.host(moref).ok())
    }

    pub(super) fn cluster_property(&self, object: &Object, cluster: &Cluster, name: &str) -> Option<Value> {
        let union = |of: fn(&World, &Moref) -> Vec<Moref>| {
            let mut found: Vec<Moref> = Vec::new();
            for host in &cluster.hosts {
                found.extend(of(self.world, host));
            }
            found.sort_by_key(crate::sim::vcenter::world::age);
            found.dedup();
            Some(Value::from(found))
        };
        match name {
            "resourcePool" => Some((&cluster.pool).into()),
            "host" => Some(cluster.hosts.clone().into()),
            "datastore" => union(World::datastores_on),
            "network" => union(World::networks_on),
            "environmentBrowser" => Some(part("EnvironmentBrowser", &object.moref).into()),
            "summary" => Some(self.cluster_summary(object, cluster).into()),
            "summaryEx" => Some(self.cluster_summary(object, cluster).into()),
            "configuration" => {
                Some(data("ClusterConfigInfo").with("dasConfig", das()).with("drsConfig", drs()).into())
            }
            "configurationEx" => Some(
                data("ClusterConfigInfoEx")
                    .with("vmSwapPlacement", "vmDirectory")
                    .with("dasConfig", das())
                    .with("drsConfig", drs())
                    .with("rule", Value::List(Vec::new()))
                    .into(),
            ),
            _ => None,
        }
    }

    fn cluster_summary(&self, object: &Object, cluster: &Cluster) -> Data {
        let (mut cores, mut memory, mut usable) = (0, 0, 0);
        for host in self.hosts(cluster) {
            cores += host.cores;
            memory += host.memory;
            usable += i64::from(host.is_usable());
        }
        let single = object.moref.kind == "ComputeResource";
        let summary = data(if single { "ComputeResourceSummary" } else { "ClusterComputeResourceSummary" })
            .with("totalCpu", cores * MHZ)
            .with("totalMemory", memory)
            .with("numCpuCores", cores)
            .with("numCpuThreads", cores * 2)
            .with("effectiveCpu", cores * MHZ * 9 / 10)
            .with("effectiveMemory", memory * 9 / 10 / (1 << 20))
            .with("numHosts", cluster.hosts.len())
            .with("numEffectiveHosts", usable)
            .with("overallStatus", self.status(object));
        if single { summary } else { summary.with("currentFailoverLevel", 1).with("numVmotions", 0) }
    }

    pub(super) fn pool_property(&self, object: &Object, pool: &Pool, name: &str) -> Option<Value> {
        match name {
            "owner" => Some((&pool.owner).into()),
            "resourcePool" => Some(pool.children.clone().into()),
            "vm" => {
                let mut vms: Vec<_> = self
                    .world
                    .vms()
                    .filter(|(_, vm)| vm.pool.as_ref() == Some(&object.moref))
                    .map(|(object, _)| object.moref.clone())
                    .collect();
                vms.sort_by_key(crate::sim::vcenter::world::age);
                Some(vms.into())
            }
            "config" => Some(pool_config(&object.moref).into()),
            "childConfiguration" => {
                Some(Value::List(pool.children.iter().map(pool_config).map(Value::Data).collect()))
            }
            "runtime" => Some(runtime().into()),
            "summary" => Some(
                data("ResourcePoolSummary")
                    .with("name", object.name.clone())
                    .with("config", pool_config(&object.moref))
                    .with("runtime", runtime())
                    .into(),
            ),
            _ => None,
        }
    }
}

fn pool_config(moref: &Moref) -> Data {
    data("ResourceConfigSpec")
        .with("entity", moref)
        .with("cpuAllocation", allocation(-1))
        .with("memoryAllocation", allocation(-1))
}

fn runtime() -> Data {
    let usage = || {
        data("ResourcePoolResourceUsage")
            .with("reservationUsed", 0)
            .with("reservationUsedForVm", 0)
            .with("unreservedForPool", 1_000_000)
            .with("unreservedForVm", 1_000_000)
            .with("overallUsage", 0)
            .with("maxUsage", 1_000_000)
    };
    data("ResourcePoolRuntimeInfo")
        .with("memory", usage())
        .with("cpu", usage())
        .with("overallStatus", "green")
}

fn das() -> Data {
    data("ClusterDasConfigInfo")
        .with("enabled", true)
        .with("hostMonitoring", "enabled")
        .with("admissionControlEnabled", true)
}

fn drs() -> Data {
    data("ClusterDrsConfigInfo")
        .with("enabled", true)
        .with("defaultVmBehavior", "fullyAutomated")
        .with("vmotionRate", 3)
}
