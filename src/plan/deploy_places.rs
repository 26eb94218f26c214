//! Where an appliance is put: cluster, pool, folder, datastore, network, and the hosts that mount it, found in the
//! inventory by reference or name.

use crate::domain::deployment::{DatastoreHost, Deployment};
use crate::domain::hardware::NicNetwork;
use crate::domain::inventory::{Datastore, Network, Place, PlaceKind};
use crate::domain::moref::{EsxiRef, FolderRef, ManagedRef, PoolRef};

use super::deploy::{Facts, Wanted};
use super::findings::Notes;

/// Where it runs.
pub(super) struct Compute {
    pub(super) pool: PoolRef,
    pub(super) host: Option<EsxiRef>,
    /// The cluster, or what stands around a host that is in none.
    around: ManagedRef,
}

fn by_ref<'a>(facts: &Facts<'a>, object: &ManagedRef) -> Option<&'a Place> {
    facts.places.iter().find(|place| place.object == *object)
}

/// What an object lies in, nearest first.
fn above<'a>(facts: &'a Facts<'a>, place: &'a Place) -> impl Iterator<Item = &'a Place> {
    let next = |one: &&'a Place| by_ref(facts, one.parent.as_ref()?);
    std::iter::successors(next(&place), next).take(64)
}

pub(super) fn find_compute(wanted: &Wanted, facts: &Facts<'_>, notes: &mut Notes) -> Option<Compute> {
    const KINDS: [PlaceKind; 3] = [PlaceKind::Cluster, PlaceKind::StandaloneHost, PlaceKind::Host];
    let datacenter = match &wanted.datacenter {
        None => None,
        Some(named) => {
            let all = facts.places.iter().filter(|place| place.kind == PlaceKind::Datacenter);
            Some(notes.one(("datacenter", "datacenter"), named, all, told)?)
        }
    };
    let inside = |place: &Place| {
        datacenter.is_none_or(|datacenter| above(facts, place).any(|one| one.object == datacenter.object))
    };
    let all = || facts.places.iter().filter(|place| KINDS.contains(&place.kind) && inside(place));
    let chosen = match &wanted.cluster {
        Some(named) => {
            notes.one(("cluster", "cluster"), named, all().collect::<Vec<_>>().into_iter(), told)?
        }
        None => {
            let mut groups = all().filter(|place| place.kind != PlaceKind::Host);
            match (groups.next(), groups.next()) {
                (Some(only), None) => only,
                (None, _) => {
                    notes.obstacle(
                        "cluster",
                        "The vCenter has no cluster or host that is known. Synchronise it.",
                    );
                    return None;
                }
                (Some(_), Some(_)) => {
                    notes.obstacle("cluster", "Choose the cluster or host on which the appliance is to run.");
                    return None;
                }
            }
        }
    };
    let (host, around) = match chosen.kind {
        PlaceKind::Host => {
            if chosen.facts.get("maintenance").is_some_and(|mode| mode == "true") {
                notes.obstacle("cluster", format!("The host {} is in maintenance mode.", chosen.name));
            }
            (Some(EsxiRef::new(&*chosen.object.id)), by_ref(facts, chosen.parent.as_ref()?)?)
        }
        _ => (None, chosen),
    };
    let pool = match &wanted.resource_pool {
        Some(named) => {
            let within = |place: &&Place| {
                place.kind == PlaceKind::Pool && above(facts, place).any(|one| one.object == around.object)
            };
            let all: Vec<&Place> = facts.places.iter().filter(within).collect();
            notes.one(("resource_pool", "resource pool"), named, all.into_iter(), told)?.object.id.clone()
        }
        None => match around.facts.get("pool") {
            Some(root) => root.clone(),
            None => {
                notes.obstacle("resource_pool", format!("Choose a resource pool in {}.", around.name));
                return None;
            }
        },
    };
    Some(Compute { pool: PoolRef::new(pool), host, around: around.object.clone() })
}

fn told(place: &Place) -> (&str, &str) {
    (&place.object.id, &place.name)
}

pub(super) fn find_folder(wanted: &Wanted, facts: &Facts<'_>, notes: &mut Notes) -> Option<FolderRef> {
    if let Some(named) = &wanted.folder {
        let holds_vms =
            |place: &&Place| place.facts.get("holds").is_none_or(|holds| holds.contains("VirtualMachine"));
        let all: Vec<&Place> =
            facts.places.iter().filter(|place| place.kind == PlaceKind::Folder).filter(holds_vms).collect();
        return notes
            .one(("folder", "folder"), named, all.into_iter(), told)
            .map(|folder| FolderRef::new(&*folder.object.id));
    }
    let beside = facts.vm.and_then(|vm| vm.parent.as_ref()).filter(|parent| parent.kind == "Folder");
    let found = beside
        .map(|folder| folder.id.clone())
        .or_else(|| facts.places.iter().find_map(|place| place.facts.get("vm_folder").cloned()));
    if found.is_none() {
        notes.obstacle("folder", "Choose the folder of the virtual machine.");
    }
    found.map(FolderRef::new)
}

pub(super) fn find_datastore<'a>(
    wanted: &Wanted,
    facts: &Facts<'a>,
    notes: &mut Notes,
) -> Option<&'a Datastore> {
    const FIELD: &str = "datastore";
    let Some(named) = &wanted.datastore else {
        notes.obstacle(FIELD, "Choose the datastore of the virtual machine and of the disk for its pool.");
        return None;
    };
    let all = facts.datastores.iter();
    let datastore = notes.one((FIELD, "datastore"), named, all, |one| (one.object.id(), &one.name))?;
    if !datastore.accessible {
        notes.obstacle(FIELD, format!("The datastore {} cannot be reached by its hosts.", datastore.name));
    }
    let system = facts.vm.map_or(0, |vm| vm.hardware.disks.iter().map(|disk| disk.capacity_bytes).sum());
    let disk = u64::from(wanted.disk_gib) << 30;
    let needed: u64 = if wanted.thin { system } else { system.saturating_add(disk) };
    let gib = |bytes: u64| bytes.div_ceil(1 << 30);
    if needed > datastore.free_bytes {
        notes.obstacle(
            FIELD,
            format!(
                "The datastore {} has {} GiB free; {} GiB are needed. Choose another, a smaller disk, or a thin one.",
                datastore.name,
                datastore.free_bytes >> 30,
                gib(needed)
            ),
        );
    } else if system.saturating_add(disk) > datastore.free_bytes {
        notes.warning(
            FIELD,
            format!(
                "The disk may grow to {} GiB, and the datastore {} has {} GiB free now.",
                wanted.disk_gib,
                datastore.name,
                datastore.free_bytes >> 30
            ),
        );
    }
    if let Some(nfs) = &datastore.nfs {
        if !wanted.thin {
            notes.obstacle(
                "thin",
                format!(
                    "{} is an NFS datastore: without VAAI a thick disk cannot be made on it. Take a thin one.",
                    datastore.name
                ),
            );
        }
        let own = wanted.fixed.is_some_and(|fixed| nfs.host == fixed.address.to_string());
        if own {
            notes.obstacle(
                FIELD,
                format!(
                    "{} lies on the appliance itself: it could not start without itself.",
                    datastore.name
                ),
            );
        }
    }
    Some(datastore)
}

pub(super) fn find_network<'a>(
    wanted: &Wanted,
    facts: &Facts<'a>,
    notes: &mut Notes,
) -> Option<(&'a Network, NicNetwork)> {
    const FIELD: &str = "network_id";
    let Some(named) = &wanted.network else {
        notes.obstacle(FIELD, "Choose the network of the appliance.");
        return None;
    };
    let network =
        notes.one((FIELD, "network"), named, facts.networks.iter(), |one| (&one.object.id, &one.name))?;
    let connection = match (&network.portgroup_key, &network.switch) {
        (Some(portgroup), Some(switch)) => {
            let uuid = by_ref(facts, switch).and_then(|switch| switch.facts.get("uuid"));
            let Some(uuid) = uuid else {
                notes.obstacle(
                    FIELD,
                    format!(
                        "The distributed switch of {} is not known. Synchronise the vCenter.",
                        network.name
                    ),
                );
                return None;
            };
            NicNetwork::Distributed { switch: uuid.clone(), portgroup: portgroup.clone() }
        }
        _ if network.object.kind == "Network" => {
            NicNetwork::Standard { name: network.name.clone(), network: Some(network.object.clone()) }
        }
        _ => {
            notes.obstacle(FIELD, format!("Zerfaux cannot connect to networks such as {}.", network.name));
            return None;
        }
    };
    Some((network, connection))
}

pub(super) fn find_hosts(
    wanted: &Wanted,
    facts: &Facts<'_>,
    compute: &Compute,
    notes: &mut Notes,
) -> Vec<DatastoreHost> {
    const FIELD: &str = "datastore_hosts";
    if !wanted.register_datastore {
        return Vec::new();
    }
    let all = || facts.places.iter().filter(|place| place.kind == PlaceKind::Host);
    let chosen: Vec<&Place> = match wanted.hosts.as_slice() {
        [] => all().filter(|host| host.parent.as_ref() == Some(&compute.around)).collect(),
        named => named.iter().filter_map(|one| notes.one((FIELD, "host"), one, all(), told)).collect(),
    };
    if chosen.is_empty() && wanted.hosts.is_empty() {
        notes.obstacle(FIELD, "Choose the hosts that are to mount the datastore.");
    }
    let name = Deployment::datastore_name_for(&wanted.vm_name);
    if facts.datastores.iter().any(|one| one.name == name) {
        let message =
            format!("The vCenter has a datastore {name:?}. Choose another name for the virtual machine.");
        notes.obstacle("vm_name", message);
    }
    for host in &chosen {
        if host.facts.get("connection").is_some_and(|state| state != "connected") {
            notes.warning(
                FIELD,
                format!("The host {} is not connected; mounting there will fail.", host.name),
            );
        }
    }
    chosen
        .into_iter()
        .map(|host| DatastoreHost { moref: EsxiRef::new(&*host.object.id), name: host.name.clone() })
        .collect()
}
