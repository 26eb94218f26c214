//! What a vCenter has: places, hosts, datastores, networks, virtual machines.
//!
//! Each object is kept per vCenter by its reference. What vanished from the vCenter is marked gone, because
//! something here may still refer to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::hardware::{Firmware, Hardware, PowerState};
use super::ids::{TargetId, VcenterId};
use super::moref::{DatastoreRef, EsxiRef, ManagedRef, VmRef};
use super::names::DatasetName;

/// The sorts of places in an inventory: what is neither datastore, network, nor virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceKind {
    /// A datacenter.
    Datacenter,
    /// A cluster.
    Cluster,
    /// What stands around a host that is in no cluster.
    StandaloneHost,
    /// An ESXi host.
    Host,
    /// A resource pool.
    Pool,
    /// A folder.
    Folder,
    /// A distributed switch.
    Switch,
}

impl PlaceKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Datacenter,
        Self::Cluster,
        Self::StandaloneHost,
        Self::Host,
        Self::Pool,
        Self::Folder,
        Self::Switch,
    ];

    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Datacenter => "datacenter",
            Self::Cluster => "cluster",
            Self::StandaloneHost => "standalone_host",
            Self::Host => "host",
            Self::Pool => "pool",
            Self::Folder => "folder",
            Self::Switch => "switch",
        }
    }

    /// The sort with this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// A place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its reference.
    pub object: ManagedRef,
    /// Its sort.
    pub kind: PlaceKind,
    /// Its name.
    pub name: String,
    /// What it lies in.
    pub parent: Option<ManagedRef>,
    /// More about it: version and state of a host, UUID of a switch, which root folder is which.
    pub facts: BTreeMap<String, String>,
}

/// An export that a datastore mounts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NfsExport {
    /// The server, as the hosts were told it.
    pub host: String,
    /// The path.
    pub path: String,
}

/// A datastore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datastore {
    /// Its reference.
    pub object: DatastoreRef,
    /// Its name.
    pub name: String,
    /// What it lies in.
    pub parent: Option<ManagedRef>,
    /// `VMFS`, `NFS`, `NFS41`, `vsan` and what else there is.
    pub kind: String,
    /// Its size.
    pub capacity_bytes: u64,
    /// What is free.
    pub free_bytes: u64,
    /// Whether it can be reached.
    pub accessible: bool,
    /// The export, if it is one.
    pub nfs: Option<NfsExport>,
    /// The hosts that mount it.
    pub hosts: Vec<EsxiRef>,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its reference, whose type says what it is.
    pub object: ManagedRef,
    /// Its name.
    pub name: String,
    /// What it lies in.
    pub parent: Option<ManagedRef>,
    /// `17`, `0-4094` for a trunk, `private 5`; none for untagged or unknown.
    pub vlan: Option<String>,
    /// Of a distributed port group: its key.
    pub portgroup_key: Option<String>,
    /// Of a distributed port group: its switch.
    pub switch: Option<ManagedRef>,
}

/// A virtual machine or a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vm {
    /// Its reference.
    pub object: VmRef,
    /// Its name.
    pub name: String,
    /// Its folder.
    pub parent: Option<ManagedRef>,
    /// Whether it is a template.
    pub template: bool,
    /// The UUID by which vCenter tells it from others.
    pub instance_uuid: Option<String>,
    /// The UUID that its guest sees.
    pub bios_uuid: Option<String>,
    /// Whether it runs.
    pub power: PowerState,
    /// The guest operating system as vSphere calls it.
    pub guest: Option<String>,
    /// Its id, such as `debian12_64Guest`.
    pub guest_id: Option<String>,
    /// The guest's own name.
    pub guest_host_name: Option<String>,
    /// The guest's first address.
    pub guest_ip: Option<String>,
    /// Whether VMware Tools run: `guestToolsRunning` and its like.
    pub tools: Option<String>,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory.
    pub memory_bytes: u64,
    /// How it boots.
    pub firmware: Option<Firmware>,
    /// Its configuration file.
    pub path: Option<String>,
    /// Where it runs.
    pub host: Option<ManagedRef>,
    /// Its resource pool.
    pub pool: Option<ManagedRef>,
    /// Whether it has a snapshot of vSphere's.
    pub has_snapshot: bool,
    /// Whether it waits for an answer.
    pub has_question: bool,
    /// The datastores that it uses.
    pub datastores: Vec<DatastoreRef>,
    /// Its devices.
    pub hardware: Hardware,
}

/// Everything that one vCenter has, or the part of it that changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory {
    /// Places.
    pub places: Vec<Place>,
    /// Datastores.
    pub datastores: Vec<Datastore>,
    /// Networks.
    pub networks: Vec<Network>,
    /// Virtual machines.
    pub vms: Vec<Vm>,
}

impl Inventory {
    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.places.len() + self.datastores.len() + self.networks.len() + self.vms.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An object of the inventory with whose it is, and whether it is still there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Known<T> {
    /// The connection.
    pub vcenter: VcenterId,
    /// Since when it is gone from the vCenter; none: it is there.
    pub gone_at: Option<Timestamp>,
    /// The object as it was seen last.
    #[serde(flatten)]
    pub object: T,
}

/// A virtual machine as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VmLine {
    /// The connection.
    pub vcenter: VcenterId,
    /// Its reference.
    pub object: VmRef,
    /// Its name.
    pub name: String,
    /// Whether it is a template.
    pub template: bool,
    /// Whether it runs.
    pub power: PowerState,
    /// The guest operating system as vSphere calls it.
    pub guest: Option<String>,
    /// The guest's first address.
    pub guest_ip: Option<String>,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory.
    pub memory_bytes: u64,
    /// The size of all disks.
    pub disk_bytes: u64,
    /// The host's name.
    pub host: Option<String>,
    /// The cluster's name.
    pub cluster: Option<String>,
    /// The names of its datastores.
    pub datastores: Vec<String>,
    /// Whether it has a snapshot of vSphere's.
    pub has_snapshot: bool,
    /// Since when it is gone; none: it is there.
    pub gone_at: Option<Timestamp>,
}

/// By what a list of virtual machines is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VmSort {
    /// Its name.
    #[default]
    Name,
    /// Whether it runs, then its name.
    Power,
    /// Virtual CPUs.
    Cpus,
    /// Memory.
    Memory,
    /// The size of all disks.
    DiskBytes,
    /// The guest operating system.
    Guest,
    /// The guest's address.
    GuestIp,
}

/// Which virtual machines, and which page of them. `None` means any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmFilter {
    /// Of this connection.
    pub vcenter: Option<VcenterId>,
    /// With this in name, guest name or address, in either case.
    pub search: Option<String>,
    /// In this power state.
    pub power: Option<PowerState>,
    /// Templates only, or none of them.
    pub template: Option<bool>,
    /// With a disk on this datastore.
    pub datastore: Option<DatastoreRef>,
    /// With a card on the network with this id.
    pub network: Option<String>,
    /// On this host, or in this cluster.
    pub place: Option<ManagedRef>,
    /// Also those that are gone.
    pub with_gone: bool,
    /// None but those that are gone.
    pub only_gone: bool,
    /// By what.
    pub sort: VmSort,
    /// The largest first.
    pub descending: bool,
    /// How many are passed over.
    pub offset: u32,
    /// How many at most.
    pub limit: u32,
}

impl Default for VmFilter {
    fn default() -> Self {
        Self {
            vcenter: None,
            search: None,
            power: None,
            template: None,
            datastore: None,
            network: None,
            place: None,
            with_gone: false,
            only_gone: false,
            sort: VmSort::Name,
            descending: false,
            offset: 0,
            limit: 50,
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// How many there are on all pages.
    pub total: u64,
}

/// Where a disk lies: from the virtual machine to the export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiskPlace {
    /// The virtual machine.
    pub vm: VmRef,
    /// The disk's key.
    pub disk: i32,
    /// What vSphere calls it.
    pub label: String,
    /// Its file.
    pub file: Option<String>,
    /// Its size.
    pub capacity_bytes: u64,
    /// Its datastore.
    pub datastore: Option<DatastoreRef>,
    /// The datastore's name.
    pub datastore_name: Option<String>,
    /// The export that the datastore mounts, if it is one.
    pub nfs: Option<NfsExport>,
    /// The appliance that exports it, if it is one that we know.
    pub appliance: Option<OnAppliance>,
}

/// Where an export comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnAppliance {
    /// The appliance: its address for NFS is the host that is mounted.
    pub target: TargetId,
    /// Its name.
    pub name: String,
    /// The dataset that is mounted at the exported path by default. None if the path does not lie below the appliance's
    /// pool, or is no name of a dataset. A mountpoint set by hand is for the appliance to say.
    pub dataset: Option<DatasetName>,
}

/// The dataset of a pool that is mounted at this path by default.
pub fn dataset_at(pool: &str, path: &str) -> Option<DatasetName> {
    let name = path.trim_end_matches('/').strip_prefix('/')?;
    let below = name.strip_prefix(pool)?;
    if below.is_empty() || below.starts_with('/') { name.parse().ok() } else { None }
}

/// How a virtual machine's disks lie with regard to the one datastore that they should all be on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "drift", rename_all = "snake_case")]
pub enum Drift {
    /// All of them are there.
    None,
    /// None of them is there: the virtual machine has left.
    Left,
    /// Some are elsewhere.
    Elsewhere {
        /// Those.
        disks: Vec<DiskPlace>,
    },
}

impl Drift {
    /// Derived from where the disks lie now; never stored.
    pub fn of(disks: Vec<DiskPlace>, wanted: &NfsExport) -> Self {
        let total = disks.len();
        let elsewhere: Vec<_> = disks.into_iter().filter(|disk| disk.nfs.as_ref() != Some(wanted)).collect();
        match elsewhere.len() {
            0 => Self::None,
            all if all == total => Self::Left,
            _ => Self::Elsewhere { disks: elsewhere },
        }
    }
}
