//! Whether a DR shell still is as what it stands for: derived from the inventory each time, never kept.

use super::findings::Finding;
use crate::domain::dr_shell::ShellSpec;
use crate::domain::hardware::{Controller, Disk, Hardware, datastore_path};
use crate::domain::inventory::Vm;

/// In what the shell differs from the source as both are now. Its disks are compared as they are recorded, because they are
/// attached only when they are needed. Empty: in nothing.
pub fn drift(source: &Vm, shell: &Vm, spec: &ShellSpec) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut differs = |field: &'static str, what: &str, at_source: String, at_shell: String| {
        if at_source != at_shell {
            let message = format!("{what}: {at_source} at the source, {at_shell} in the shell.");
            found.push(Finding { field, message });
        }
    };
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    differs("cpus", "Virtual CPUs", source.cpus.to_string(), shell.cpus.to_string());
    differs("memory", "Memory", mib(source.memory_bytes), mib(shell.memory_bytes));
    let firmware = |vm: &Vm| vm.firmware.map_or("unknown", |one| one.as_str()).to_owned();
    differs("firmware", "Firmware", firmware(source), firmware(shell));
    let guest = |vm: &Vm| vm.guest_id.clone().unwrap_or_default();
    differs("guest_id", "Guest operating system", guest(source), guest(shell));
    differs("controllers", "Controllers", controllers(&source.hardware), controllers(&shell.hardware));
    differs("disks", "Disks", disks(&source.hardware), recorded(spec));
    let cards = |hardware: &Hardware| {
        let kinds: Vec<&str> = hardware.nics.iter().map(|nic| nic.kind.as_str()).collect();
        if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") }
    };
    differs("nics", "Network cards", cards(&source.hardware), cards(&shell.hardware));
    found
}

/// Whether each card of the shell is on the network that was chosen for it.
pub fn networks_are_mapped(shell: &Vm, spec: &ShellSpec) -> bool {
    let all = shell.hardware.nics.iter().zip(&spec.nics);
    shell.hardware.nics.len() == spec.nics.len()
        && all.into_iter().all(|(nic, wanted)| nic.network.key() == wanted.network.key())
}

fn told(mut all: Vec<String>) -> String {
    all.sort();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

/// IDE controllers are there in every virtual machine, whether it says so or not.
fn controllers(hardware: &Hardware) -> String {
    let plain = hardware.controllers.iter().filter(|one| one.kind != "VirtualIDEController");
    told(plain.map(|one| format!("{} {}", one.kind, one.bus)).collect())
}

fn place(controllers: &[Controller], key: i32, unit: i32) -> String {
    let found = controllers.iter().find(|one| one.key == key);
    found.map_or_else(|| format!("? {unit}"), |one| format!("{} {}:{unit}", one.kind, one.bus))
}

fn disks(hardware: &Hardware) -> String {
    let one = |disk: &Disk| {
        let path = disk.file.as_deref().and_then(datastore_path).map_or("?", |(_, path)| path);
        format!("{path} at {}", place(&hardware.controllers, disk.controller, disk.unit))
    };
    told(hardware.disks.iter().map(one).collect())
}

fn recorded(spec: &ShellSpec) -> String {
    let one = |disk: &crate::domain::dr_shell::ShellDisk| {
        format!("{} at {}", disk.path, place(&spec.controllers, disk.controller, disk.unit))
    };
    told(spec.disks.iter().map(one).collect())
}
