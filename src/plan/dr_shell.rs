//! A DR shell: from the hardware of the virtual machine at the source and what the DR vCenter has to everything that will
//! be made, with each difference and each obstacle. The wizard shows this plan; the job makes what it says.

use serde::{Deserialize, Serialize};

use super::dr_shell_cards::cards;
pub use super::dr_shell_places::is_of_replication;
use super::dr_shell_places::{find_compute, find_folder, find_home, look_at_version};
use super::findings::{Finding, Notes};
use crate::domain::deployment::DatastoreHost;
use crate::domain::dr_shell::{ShellDisk, ShellSpec};
use crate::domain::hardware::{Special, datastore_path};
use crate::domain::inventory::{Datastore, Network, Place};
use crate::domain::machine::Machine;
use crate::domain::moref::{EsxiRef, ManagedRef};

/// What somebody wants. Places are named by their reference or their name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// Its name; none: as at the source.
    pub name: Option<String>,
    /// The cluster or host on which it is to run.
    pub host: Option<String>,
    /// Its folder.
    pub folder: Option<String>,
    /// Its resource pool; none: the root of the cluster or host.
    pub resource_pool: Option<String>,
    /// Where its own files go.
    pub home_datastore: Option<String>,
    /// Networks at the source, and those at the DR site that stand for them. What is not named keeps its name.
    pub networks: Vec<(String, String)>,
    /// Whether its cards get other addresses.
    pub new_macs: bool,
}

/// What is known.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The virtual machine at the source.
    pub source: &'a Machine,
    /// The name of the datastore on which it is protected.
    pub protected_on: &'a str,
    /// The networks of its vCenter.
    pub source_networks: &'a [Network],
    /// Whether the DR vCenter is the same one.
    pub same_vcenter: bool,
    /// Whether it has a shell already.
    pub has_shell: bool,
    /// Of the DR vCenter: places.
    pub places: &'a [Place],
    /// Of the DR vCenter: datastores.
    pub datastores: &'a [Datastore],
    /// Of the DR vCenter: networks.
    pub networks: &'a [Network],
    /// Of the DR vCenter: the names that are taken, with their folders.
    pub taken: &'a [(ManagedRef, String)],
    /// The DR appliance: the address that hosts mount, and its pool.
    pub appliance: (&'a str, &'a str),
}

/// A network card and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CardPlan {
    /// What vSphere calls it.
    pub label: String,
    /// Its network at the source.
    pub source_network: String,
    /// Its network at the DR site; none: choose one.
    pub network: Option<String>,
    /// Its address at the source.
    pub source_mac: Option<String>,
    /// The address that it keeps; none: it gets another one.
    pub mac: Option<String>,
}

/// What will be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShellPlan {
    /// Everything decided; none while something stands in the way.
    pub spec: Option<ShellSpec>,
    /// The hosts that mount the view.
    pub hosts: Vec<DatastoreHost>,
    /// Its network cards.
    pub cards: Vec<CardPlan>,
    /// How it will not be as the source is.
    pub differences: Vec<Finding>,
    /// What stands in the way.
    pub obstacles: Vec<Finding>,
    /// What one should know.
    pub warnings: Vec<Finding>,
}

/// Plans the shell.
pub fn shell(wish: &Wish, facts: &Facts<'_>) -> ShellPlan {
    let (mut notes, mut differences) = (Notes::default(), Vec::new());
    let source = facts.source;
    look_at_source(facts, &mut notes, &mut differences);
    let compute = find_compute(wish, facts, &mut notes);
    let folder = find_folder(wish, facts, &mut notes);
    let name = wish.name.clone().unwrap_or_else(|| source.name.clone());
    if let Some(folder) = &folder {
        let is_taken = |(at, known): &(ManagedRef, String)| *at == ManagedRef::from(folder) && *known == name;
        if facts.taken.iter().any(is_taken) {
            notes.obstacle(
                "name",
                format!("The folder has something called {name:?} already. Choose another name or folder."),
            );
        }
    }
    let home = find_home(wish, facts, compute.as_ref(), &mut notes);
    if let Some(compute) = &compute {
        look_at_version(source, compute, &mut notes);
    }
    let (nics, cards) = cards(wish, facts, (&mut notes, &mut differences));
    let disks = disks(facts, &mut notes);
    let spec = match (&compute, folder, home) {
        (Some(compute), Some(folder), Some(home)) if !notes.is_blocked() => Some(ShellSpec {
            name,
            folder,
            pool: compute.pool.clone(),
            host: compute.host.clone(),
            home_datastore: home.name.clone(),
            guest_id: source.guest_id.clone(),
            version: source.version,
            cpus: source.cpus,
            cores_per_socket: source.cores_per_socket,
            memory_mib: source.memory_mib,
            firmware: source.firmware,
            secure_boot: source.secure_boot,
            shows_disk_uuids: source.shows_disk_uuids,
            boot_order: source.boot_order.clone(),
            controllers: source.hardware.controllers.clone(),
            disks,
            nics,
        }),
        _ => None,
    };
    let hosts = compute.map(|compute| compute.hosts).unwrap_or_default();
    let hosts = hosts
        .into_iter()
        .map(|host| DatastoreHost { moref: EsxiRef::new(&*host.object.id), name: host.name.clone() })
        .collect();
    let (obstacles, warnings) = notes.into_parts();
    ShellPlan { spec, hosts, cards, differences, obstacles, warnings }
}

pub(super) fn look_at_source(facts: &Facts<'_>, notes: &mut Notes, differences: &mut Vec<Finding>) {
    let source = facts.source;
    let name = &source.name;
    if facts.has_shell {
        notes.obstacle("vm", format!("{name} has a DR shell already. Repair or remove that one."));
    }
    if source.template {
        notes.obstacle("vm", format!("{name} is a template."));
    }
    if source.is_encrypted {
        notes.obstacle(
            "vm",
            format!(
                "{name} is encrypted by vSphere: its files cannot be read where its key provider is not. Decrypt it, or \
                 protect it inside the guest."
            ),
        );
    }
    for device in &source.hardware.special {
        let told = device.told();
        match device.special {
            Special::Other => differences.push(Finding {
                field: "devices",
                message: format!("{told} is not rebuilt: the shell does without it."),
            }),
            Special::Tpm => notes.obstacle(
                "devices",
                format!(
                    "{told}: what is sealed in it cannot be rebuilt. Take it out (suspend BitLocker first), or restore \
                     this virtual machine by other means."
                ),
            ),
            Special::Passthrough => notes.obstacle(
                "devices",
                format!("{told}: a device of the host is not at the DR site. Take it out before protecting the machine."),
            ),
            Special::RawDisk => {
                notes.obstacle("disks", format!("{told}: a LUN is not replicated. Replace it by a virtual disk."));
            }
            Special::SharedDisk | Special::SharedBus => notes.obstacle(
                "disks",
                format!("{told}: a disk that several virtual machines write cannot be recovered one by one."),
            ),
            Special::EncryptedDisk => {
                notes.obstacle("disks", format!("{told}: it cannot be read where its key provider is not."));
            }
        }
    }
    if !source.boot_order.is_empty() {
        differences.push(Finding {
            field: "boot_order",
            message: "Its boot order is recorded and set when its disks are attached for a recovery."
                .to_owned(),
        });
    }
    if source.has_snapshot {
        notes.warning(
            "snapshot",
            "It has a VMware snapshot: the shell is proved with the disks as they are in the checkpoint, and has no snapshot.",
        );
    }
}

pub(super) fn disks(facts: &Facts<'_>, notes: &mut Notes) -> Vec<ShellDisk> {
    let mut disks = Vec::new();
    for disk in &facts.source.hardware.disks {
        let Some((datastore, path)) = disk.file.as_deref().and_then(datastore_path) else { continue };
        let parents = disk.parents.iter().filter_map(|file| datastore_path(file));
        let elsewhere =
            std::iter::once((datastore, path)).chain(parents).find(|(on, _)| *on != facts.protected_on);
        if let Some((on, _)) = elsewhere {
            notes.obstacle(
                "disks",
                format!(
                    "{} is on {on}, not on {}: it is not replicated. Move it there first.",
                    disk.label, facts.protected_on
                ),
            );
        }
        let known = facts.source.hardware.controllers.iter().any(|one| one.key == disk.controller);
        if !known {
            notes.obstacle("disks", format!("{} is on a controller of an unknown sort.", disk.label));
        }
        if disk.mode.starts_with("independent") {
            notes.warning("disks", format!("{} is independent; the shell's is an ordinary one.", disk.label));
        }
        disks.push(ShellDisk {
            key: disk.key,
            label: disk.label.clone(),
            controller: disk.controller,
            unit: disk.unit,
            path: path.to_owned(),
            capacity_bytes: disk.capacity_bytes,
        });
    }
    if disks.is_empty() {
        notes.warning("disks", "It has no disks.");
    }
    disks
}

#[cfg(test)]
#[path = "dr_shell_tests.rs"]
mod tests;
