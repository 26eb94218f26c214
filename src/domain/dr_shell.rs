//! A DR shell: a virtual machine at the DR vCenter that is off, with the hardware of the one that it stands for.
//!
//! Its home lies on a datastore that is not replicated. Its disks are recorded by their paths in the group's dataset; they
//! are attached from a clone of a checkpoint, never from the replica.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::hardware::{Controller, Firmware, NicNetwork};
use super::ids::{DrShellId, GroupId, JobId, VcenterId};
use super::machine::BootItem;
use super::moref::{EsxiRef, FolderRef, PoolRef, VmRef};
use super::names::{DatasetName, SnapshotName};

/// Everything that is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellSpec {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub folder: FolderRef,
    /// Its resource pool.
    pub pool: PoolRef,
    /// Its host; none: the vCenter chooses.
    pub host: Option<EsxiRef>,
    /// The name of the datastore of its own files.
    pub home_datastore: String,
    /// The guest operating system's id.
    pub guest_id: Option<String>,
    /// Its hardware version: 19 for `vmx-19`.
    pub version: Option<u32>,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Cores of each socket.
    pub cores_per_socket: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// How it boots.
    pub firmware: Firmware,
    /// Whether UEFI checks what it boots.
    pub secure_boot: bool,
    /// Whether its guest sees the UUIDs of its disks.
    pub shows_disk_uuids: bool,
    /// What it tries to start from, by the keys of the source's devices. Set when its disks are attached for a recovery.
    pub boot_order: Vec<BootItem>,
    /// Its controllers of disks, with the keys that the source's have.
    pub controllers: Vec<Controller>,
    /// Its disks.
    pub disks: Vec<ShellDisk>,
    /// Its network cards.
    pub nics: Vec<ShellNic>,
}

/// A disk of a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellDisk {
    /// The source's key of it.
    pub key: i32,
    /// What vSphere calls it at the source.
    pub label: String,
    /// The key of its controller, one of those of the specification.
    pub controller: i32,
    /// Its place there.
    pub unit: i32,
    /// Its file, as a path in the group's dataset: `erp/erp.vmdk`.
    pub path: String,
    /// Its size; 0 if the source's vCenter does not say it.
    pub capacity_bytes: u64,
}

/// A network card of a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellNic {
    /// The source's key of it.
    pub key: i32,
    /// What vSphere calls it at the source.
    pub label: String,
    /// Its type in vSphere's words.
    pub kind: String,
    /// Its network at the DR site.
    pub network: NicNetwork,
    /// The network's name.
    pub network_name: String,
    /// The address that it keeps; none: it gets another one.
    pub mac: Option<String>,
    /// Whether it is connected when the machine starts.
    pub start_connected: bool,
}

/// A disk as it was seen when it was attached from a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvedDisk {
    /// The source's key of it.
    pub key: i32,
    /// Its file in the view: `[datastore] folder/name.vmdk`.
    pub file: String,
    /// The size that the DR vCenter read; none if it does not say it.
    pub capacity_bytes: Option<u64>,
    /// The type and the bus number of its controller, and its place there.
    pub place: (String, i32, i32),
}

/// A clone of a checkpoint, exported, and mounted as a datastore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellView {
    /// The clone.
    pub dataset: DatasetName,
    /// What it is a clone of.
    pub checkpoint: SnapshotName,
    /// The datastore's name.
    pub datastore: String,
    /// The job that made it; none: the one that made the shell.
    #[serde(default)]
    pub made_by: Option<JobId>,
}

/// A shell as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrShell {
    /// Its id.
    pub id: DrShellId,
    /// The protection group.
    pub group: GroupId,
    /// The vCenter of the virtual machine that it stands for.
    pub source_vcenter: VcenterId,
    /// That one's instance UUID.
    pub source_uuid: String,
    /// Its own vCenter.
    pub dr_vcenter: VcenterId,
    /// Which virtual machine it is.
    pub vm: VmRef,
    /// Its instance UUID.
    pub instance_uuid: Option<String>,
    /// As it was made.
    pub spec: ShellSpec,
    /// Its disks as they were proved to open.
    pub disks: Vec<ProvedDisk>,
    /// The checkpoint from which they were attached.
    pub checkpoint: SnapshotName,
    /// The view that still is there.
    pub view: Option<ShellView>,
    /// The job that made it.
    pub made_by: JobId,
    /// When.
    pub made_at: Timestamp,
}
