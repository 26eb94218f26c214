//! Where the files of a virtual machine lie, and whether they can be moved to the one datastore on which they are protected.
//!
//! The wizard shows this plan; the job makes the same one from what the vCenter says just then, before it touches anything.
//! What VMware allows is in "Storage vMotion Requirements and Limitations" (vCenter Server and Host Management, 7.0).

use serde::Serialize;

use super::findings::{Finding, Notes};
use crate::domain::hardware::{Disk, Hardware, PowerState, Special, datastore_path};
use crate::domain::inventory::{Datastore, Vm};
use crate::domain::moref::{DatastoreRef, EsxiRef};
use crate::domain::size::format_bytes;

/// The datastore on which everything has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Required {
    /// Which.
    pub datastore: DatastoreRef,
    /// Its name.
    pub name: String,
    /// Its size.
    pub capacity_bytes: u64,
    /// What is free on it.
    pub free_bytes: u64,
    /// Whether its hosts reach it.
    pub accessible: bool,
    /// The hosts that mount it.
    pub hosts: Vec<EsxiRef>,
}

impl Required {
    /// As the inventory knows it.
    pub fn of(datastore: &Datastore) -> Self {
        Self {
            datastore: datastore.object.clone(),
            name: datastore.name.clone(),
            capacity_bytes: datastore.capacity_bytes,
            free_bytes: datastore.free_bytes,
            accessible: datastore.accessible,
            hosts: datastore.hosts.clone(),
        }
    }

    /// Whether a file lies on it, by the reference where the server gives one, else by the name in its path.
    fn has(&self, file: &str, datastore: Option<&DatastoreRef>) -> bool {
        match datastore {
            Some(datastore) => *datastore == self.datastore,
            None => datastore_path(file).is_some_and(|(name, _)| name == self.name),
        }
    }
}

/// A virtual machine, as far as moving its files goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its name.
    pub name: String,
    /// Whether it runs.
    pub power: PowerState,
    /// Whether it is a template.
    pub template: bool,
    /// Its configuration file.
    pub home: Option<String>,
    /// Where it runs.
    pub host: Option<EsxiRef>,
    /// Whether it has a snapshot of vSphere's.
    pub has_snapshot: bool,
    /// Whether it waits for an answer.
    pub has_question: bool,
    /// Its devices.
    pub hardware: Hardware,
}

impl Placed {
    /// As the inventory knows it.
    pub fn of(vm: &Vm) -> Self {
        Self {
            name: vm.name.clone(),
            power: vm.power,
            template: vm.template,
            home: vm.path.clone(),
            host: vm.host.as_ref().map(|host| EsxiRef::new(&*host.id)),
            has_snapshot: vm.has_snapshot,
            has_question: vm.has_question,
            hardware: vm.hardware.clone(),
        }
    }
}

/// One disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiskPlacement {
    /// Its key within the virtual machine.
    pub key: i32,
    /// What vSphere calls it.
    pub label: String,
    /// Its file.
    pub file: Option<String>,
    /// The name of the datastore that it is on.
    pub datastore: Option<String>,
    /// Its size.
    pub capacity_bytes: u64,
    /// Whether it is where it has to be, with all that it builds upon.
    pub is_there: bool,
}

/// A file that is not where the rest is protected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Stray {
    /// An image in a CD drive. It is not moved, and is not there after a recovery.
    Iso {
        /// Its file.
        file: String,
    },
    /// What a disk builds upon since a VMware snapshot was taken. It moves with the disk.
    Snapshot {
        /// Its file.
        file: String,
    },
}

/// What is where, what will be moved, and what stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placement {
    /// The name of the virtual machine.
    pub vm: String,
    /// The name of the datastore on which everything has to be.
    pub required: String,
    /// Its configuration file.
    pub home: Option<String>,
    /// Whether that is where it has to be.
    pub home_is_there: bool,
    /// Each disk.
    pub disks: Vec<DiskPlacement>,
    /// Files that are elsewhere although no disk or home is named by them.
    pub strays: Vec<Stray>,
    /// The size of the disks that are elsewhere.
    pub moves_bytes: u64,
    /// What is free on the datastore.
    pub free_bytes: u64,
    /// Whether everything is there: nothing has to be moved.
    pub compliant: bool,
    /// Why it cannot be moved.
    pub obstacles: Vec<Finding>,
    /// What should be known.
    pub warnings: Vec<Finding>,
}

impl Placement {
    /// All obstacles as sentences.
    pub fn refusal(&self) -> Option<String> {
        let all: Vec<&str> = self.obstacles.iter().map(|one| one.message.as_str()).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }
}

/// Plans the move. `single_host`: the connection is to a single ESXi host.
pub fn place(vm: &Placed, required: &Required, single_host: bool) -> Placement {
    let home_is_there = vm.home.as_deref().is_some_and(|home| required.has(home, None));
    let disks: Vec<DiskPlacement> = vm.hardware.disks.iter().map(|disk| disk_of(disk, required)).collect();
    let compliant = home_is_there && disks.iter().all(|disk| disk.is_there);
    let mut notes = Notes::default();
    let strays = strays(vm, required, &mut notes);
    if !compliant {
        obstacles(vm, required, single_host, &mut notes);
        room(vm, &disks, required, &mut notes);
    }
    let moves_bytes = disks.iter().filter(|disk| !disk.is_there).map(|disk| disk.capacity_bytes).sum();
    let (obstacles, warnings) = notes.into_parts();
    Placement {
        vm: vm.name.clone(),
        required: required.name.clone(),
        home: vm.home.clone(),
        home_is_there,
        disks,
        strays,
        moves_bytes,
        free_bytes: required.free_bytes,
        compliant,
        obstacles,
        warnings,
    }
}

fn disk_of(disk: &Disk, required: &Required) -> DiskPlacement {
    let top = disk.file.as_deref().is_some_and(|file| required.has(file, disk.datastore.as_ref()));
    DiskPlacement {
        key: disk.key,
        label: disk.label.clone(),
        file: disk.file.clone(),
        datastore: disk.file.as_deref().and_then(datastore_path).map(|(name, _)| name.to_owned()),
        capacity_bytes: disk.capacity_bytes,
        is_there: top && disk.parents.iter().all(|parent| required.has(parent, None)),
    }
}

fn strays(vm: &Placed, required: &Required, notes: &mut Notes) -> Vec<Stray> {
    let mut found = Vec::new();
    for file in vm.hardware.iso_files.iter().filter(|file| !required.has(file, None)) {
        notes.warning(
            "iso",
            format!(
                "The CD drive has {file}: it is not moved, and will not be there after a recovery. Disconnect it, or copy \
                 the image to {}.",
                required.name
            ),
        );
        found.push(Stray::Iso { file: file.clone() });
    }
    let parents = vm.hardware.disks.iter().flat_map(|disk| &disk.parents);
    for file in parents.filter(|file| !required.has(file, None)) {
        found.push(Stray::Snapshot { file: file.clone() });
    }
    if vm.has_snapshot {
        notes.warning(
            "snapshot",
            "It has a VMware snapshot: its files move along, and the move takes longer. Remove it first if it is not needed.",
        );
    }
    found
}

fn obstacles(vm: &Placed, required: &Required, single_host: bool, notes: &mut Notes) {
    let name = &vm.name;
    if single_host {
        notes.obstacle(
            "vcenter",
            "The connection is to a single ESXi host, and Storage vMotion needs a vCenter. Move the files while the \
             virtual machine is off (vmkfstools, or download and upload) and register it anew, or connect the vCenter.",
        );
    }
    if vm.template {
        notes.obstacle("vm", format!("{name} is a template. Convert it to a virtual machine first."));
    }
    if vm.has_question {
        notes.obstacle("vm", format!("{name} waits for an answer in vCenter. Answer it first."));
    }
    for device in &vm.hardware.special {
        let why = match device.special {
            Special::RawDisk => "a LUN is not a file that can be replicated. Replace it by a virtual disk",
            Special::SharedDisk | Special::SharedBus => {
                "a disk that several virtual machines write cannot be moved while they run, nor recovered consistently"
            }
            _ => continue,
        };
        notes.obstacle("disks", format!("{}: {why}.", device.told()));
    }
    for disk in vm.hardware.disks.iter().filter(|disk| disk.mode.starts_with("independent")) {
        if vm.power == PowerState::Off && !disk.mode.contains("nonpersistent") {
            notes.warning(
                "disks",
                format!(
                    "{} is independent: VMware snapshots leave it out, so a quiesced checkpoint is not quiesced for it.",
                    disk.label
                ),
            );
        } else {
            notes.obstacle(
                "disks",
                format!(
                    "{} is independent ({}), and Storage vMotion does not move it while the virtual machine runs. Power \
                     it off and set the disk's mode to dependent.",
                    disk.label, disk.mode
                ),
            );
        }
    }
    if vm.power == PowerState::Suspended {
        notes.obstacle("vm", format!("{name} is suspended. Resume it, or power it off."));
    }
    if !required.accessible {
        notes.obstacle(
            "datastore",
            format!("The datastore {} cannot be reached by its hosts.", required.name),
        );
    }
    match &vm.host {
        Some(host) if !required.hosts.contains(host) => notes.obstacle(
            "host",
            format!(
                "The host on which {name} is does not mount {}. Mount it there (the appliance's page, datastores), or \
                 move {name} to a host that does.",
                required.name
            ),
        ),
        Some(_) => {}
        None => notes.obstacle("host", format!("The vCenter does not say on which host {name} is.")),
    }
}

/// Thin disks take what is written, which the inventory does not say: they may not fit later.
fn room(vm: &Placed, disks: &[DiskPlacement], required: &Required, notes: &mut Notes) {
    let moving = |disk: &&DiskPlacement| !disk.is_there;
    let all: u64 = disks.iter().filter(moving).map(|disk| disk.capacity_bytes).sum();
    let is_thick =
        |key: i32| vm.hardware.disks.iter().any(|disk| disk.key == key && disk.thin == Some(false));
    let thick: u64 =
        disks.iter().filter(moving).filter(|disk| is_thick(disk.key)).map(|disk| disk.capacity_bytes).sum();
    let free = format_bytes(required.free_bytes);
    if thick > required.free_bytes || all > required.capacity_bytes {
        notes.obstacle(
            "datastore",
            format!(
                "{} has {free} free; the disks to be moved have {}. Make room, or choose a larger appliance.",
                required.name,
                format_bytes(all)
            ),
        );
    } else if all > required.free_bytes {
        notes.warning(
            "datastore",
            format!(
                "The disks may grow to {}, and {} has {free} free now.",
                format_bytes(all),
                required.name
            ),
        );
    }
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
