//! What a vCenter has, as the API shows it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::inventory as known;
use crate::app::inventory::{Known, VmView};

/// A datastore.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Datastore {
    /// vSphere's reference.
    pub moref: String,
    /// Its name.
    pub name: String,
    /// `VMFS`, `NFS`, `NFS41`, `vsan` and what else there is.
    pub kind: String,
    /// Its size, in bytes.
    pub capacity_bytes: u64,
    /// What is free, in bytes.
    pub free_bytes: u64,
    /// Whether it can be reached.
    pub accessible: bool,
    /// The NFS server, as the hosts were told it.
    pub nfs_host: Option<String>,
    /// The exported path.
    pub nfs_path: Option<String>,
    /// References of the hosts that mount it.
    pub host_morefs: Vec<String>,
}

impl From<Known<known::Datastore>> for Datastore {
    fn from(known: Known<known::Datastore>) -> Self {
        let one = known.object;
        let (nfs_host, nfs_path) = one.nfs.map_or((None, None), |nfs| (Some(nfs.host), Some(nfs.path)));
        Self {
            moref: one.object.id().to_owned(),
            name: one.name,
            kind: one.kind,
            capacity_bytes: one.capacity_bytes,
            free_bytes: one.free_bytes,
            accessible: one.accessible,
            nfs_host,
            nfs_path,
            host_morefs: one.hosts.iter().map(|host| host.id().to_owned()).collect(),
        }
    }
}

/// A network or a distributed port group.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Network {
    /// vSphere's reference.
    pub moref: String,
    /// vSphere's type: `Network`, `DistributedVirtualPortgroup`, `OpaqueNetwork`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// `17`, `0-4094` for a trunk, `private 5`; null for untagged or unknown.
    pub vlan: Option<String>,
    /// Of a distributed port group: the reference of its switch.
    pub switch_moref: Option<String>,
}

impl From<Known<known::Network>> for Network {
    fn from(known: Known<known::Network>) -> Self {
        let one = known.object;
        Self {
            moref: one.object.id,
            kind: one.object.kind,
            name: one.name,
            vlan: one.vlan,
            switch_moref: one.switch.map(|switch| switch.id),
        }
    }
}

/// An ESXi host.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Host {
    /// vSphere's reference.
    pub moref: String,
    /// Its name.
    pub name: String,
    /// The reference of its cluster, or of what stands around a host that is in none.
    pub cluster_moref: Option<String>,
    /// Its cluster's name.
    pub cluster: Option<String>,
    /// `connected`, `disconnected`, `notResponding`.
    pub connection_state: Option<String>,
    /// Whether it is in maintenance.
    pub in_maintenance: bool,
    /// The version of ESXi.
    pub version: Option<String>,
}

impl Host {
    pub(super) fn of(host: &Known<known::Place>, places: &[Known<known::Place>]) -> Self {
        let one = &host.object;
        let cluster = places.iter().find(|place| Some(&place.object.object) == one.parent.as_ref());
        Self {
            moref: one.object.id.clone(),
            name: one.name.clone(),
            cluster_moref: one.parent.as_ref().map(|parent| parent.id.clone()),
            cluster: cluster.map(|place| place.object.name.clone()),
            connection_state: one.facts.get("connection").cloned(),
            in_maintenance: one.facts.get("maintenance").is_some_and(|word| word == "true"),
            version: one.facts.get("version").cloned(),
        }
    }
}

/// A place in the inventory: cluster, folder, datacenter, resource pool.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Place {
    /// vSphere's reference.
    pub moref: String,
    /// `datacenter`, `cluster`, `standalone_host`, `pool`, `folder`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The reference of what it lies in.
    pub parent_moref: Option<String>,
}

impl From<Known<known::Place>> for Place {
    fn from(known: Known<known::Place>) -> Self {
        let one = known.object;
        Self {
            moref: one.object.id,
            kind: one.kind.as_str().to_owned(),
            name: one.name,
            parent_moref: one.parent.map(|parent| parent.id),
        }
    }
}

/// A virtual machine or a template with its hardware.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct VmDetails {
    /// vSphere's reference.
    pub moref: String,
    /// The connection's id.
    pub vcenter_id: String,
    /// Its name.
    pub name: String,
    /// Whether it is a template.
    pub is_template: bool,
    /// `on`, `off`, `suspended` or `unknown`.
    pub power_state: String,
    /// The UUID by which the vCenter knows it.
    pub instance_uuid: Option<String>,
    /// The UUID that its guest sees.
    pub bios_uuid: Option<String>,
    /// The guest operating system as vSphere calls it.
    pub guest_os: Option<String>,
    /// The guest's own name.
    pub guest_host_name: Option<String>,
    /// The guest's first address.
    pub guest_ip: Option<String>,
    /// `guestToolsRunning` and its like.
    pub tools_state: Option<String>,
    /// Virtual CPUs.
    pub cpu_count: u32,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// `bios` or `efi`.
    pub firmware: Option<String>,
    /// The host's name.
    pub host: Option<String>,
    /// The cluster's name.
    pub cluster: Option<String>,
    /// Its folders, with slashes between.
    pub folder: String,
    /// The name of its resource pool.
    pub resource_pool: Option<String>,
    /// Whether it has a snapshot of vSphere's.
    pub has_snapshot: bool,
    /// Its disks.
    pub disks: Vec<Disk>,
    /// Its network cards.
    pub nics: Vec<Nic>,
    /// Since when it is gone from the vCenter; null: it is there.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub gone_at: Option<Timestamp>,
}

/// A disk of a virtual machine.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Disk {
    /// Its key within the virtual machine.
    pub key: i32,
    /// `Hard disk 1`
    pub label: String,
    /// `[datastore] folder/name.vmdk`
    pub file: Option<String>,
    /// Its size, in bytes.
    pub capacity_bytes: u64,
    /// The key of its controller.
    pub controller_key: i32,
    /// Its place on the controller.
    pub unit: i32,
    /// Whether space is taken as it is written; null: unknown.
    pub thin: Option<bool>,
    /// The datastore's name.
    pub datastore: Option<String>,
    /// The NFS server that the datastore mounts.
    pub nfs_host: Option<String>,
    /// The exported path.
    pub nfs_path: Option<String>,
    /// The appliance that exports it.
    pub target_id: Option<String>,
    /// The dataset there.
    pub dataset: Option<String>,
}

/// A network card of a virtual machine.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Nic {
    /// Its key within the virtual machine.
    pub key: i32,
    /// `Network adapter 1`
    pub label: String,
    /// vSphere's type, such as `VirtualVmxnet3`.
    pub kind: String,
    /// Its MAC address.
    pub mac: Option<String>,
    /// The network's name.
    pub network: Option<String>,
    /// The network's VLAN.
    pub vlan: Option<String>,
}

impl From<VmView> for VmDetails {
    fn from(view: VmView) -> Self {
        let vm = view.vm.object;
        let disks = vm.hardware.disks.into_iter().map(|disk| {
            let place = view.disks.iter().find(|place| place.disk == disk.key);
            let nfs = place.and_then(|place| place.nfs.as_ref());
            let on = place.and_then(|place| place.appliance.as_ref());
            Disk {
                target_id: on.map(|on| on.target.to_string()),
                dataset: on.and_then(|on| on.dataset.as_ref()).map(ToString::to_string),
                key: disk.key,
                label: disk.label,
                file: disk.file,
                capacity_bytes: disk.capacity_bytes,
                controller_key: disk.controller,
                unit: disk.unit,
                thin: disk.thin,
                datastore: place.and_then(|place| place.datastore_name.clone()),
                nfs_host: nfs.map(|nfs| nfs.host.clone()),
                nfs_path: nfs.map(|nfs| nfs.path.clone()),
            }
        });
        let nics = vm.hardware.nics.into_iter().zip(view.networks).map(|(nic, network)| Nic {
            key: nic.key,
            label: nic.label,
            kind: nic.kind,
            mac: nic.mac,
            vlan: network.as_ref().and_then(|network| network.vlan.clone()),
            network: network.map(|network| network.name),
        });
        Self {
            disks: disks.collect(),
            nics: nics.collect(),
            moref: vm.object.id().to_owned(),
            vcenter_id: view.vm.vcenter.to_string(),
            name: vm.name,
            is_template: vm.template,
            power_state: vm.power.as_str().to_owned(),
            instance_uuid: vm.instance_uuid,
            bios_uuid: vm.bios_uuid,
            guest_os: vm.guest,
            guest_host_name: vm.guest_host_name,
            guest_ip: vm.guest_ip,
            tools_state: vm.tools,
            cpu_count: vm.cpus,
            memory_bytes: vm.memory_bytes,
            firmware: vm.firmware.map(|firmware| firmware.as_str().to_owned()),
            host: view.host,
            cluster: view.cluster,
            folder: view.folder,
            resource_pool: view.pool,
            has_snapshot: vm.has_snapshot,
            gone_at: view.vm.gone_at,
        }
    }
}
