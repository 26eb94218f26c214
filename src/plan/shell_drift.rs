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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::dr_shell::ShellDisk;
    use crate::domain::hardware::{Firmware, PowerState};
    use crate::domain::moref::{FolderRef, PoolRef, VmRef};

    fn controller() -> Controller {
        Controller { key: 1000, kind: "ParaVirtualSCSIController".to_owned(), bus: 0 }
    }

    fn vm(disks: Vec<Disk>) -> Vm {
        Vm {
            object: VmRef::new("vm-1"),
            name: "erp".to_owned(),
            parent: None,
            template: false,
            instance_uuid: None,
            bios_uuid: None,
            power: PowerState::Off,
            guest: None,
            guest_id: Some("debian12_64Guest".to_owned()),
            guest_host_name: None,
            guest_ip: None,
            tools: None,
            cpus: 2,
            memory_bytes: 4 << 30,
            firmware: Some(Firmware::Efi),
            path: None,
            host: None,
            pool: None,
            has_snapshot: false,
            has_question: false,
            datastores: Vec::new(),
            hardware: Hardware { controllers: vec![controller()], disks, ..Hardware::default() },
        }
    }

    fn disk(unit: i32, file: &str) -> Disk {
        Disk {
            key: 2000 + unit,
            label: format!("Hard disk {unit}"),
            controller: 1000,
            unit,
            file: Some(format!("[protected] {file}")),
            parents: Vec::new(),
            datastore: None,
            capacity_bytes: 1 << 30,
            thin: None,
            mode: "persistent".to_owned(),
            uuid: None,
        }
    }

    fn spec() -> ShellSpec {
        ShellSpec {
            name: "erp".to_owned(),
            folder: FolderRef::new("group-v1"),
            pool: PoolRef::new("resgroup-1"),
            host: None,
            home_datastore: "local".to_owned(),
            guest_id: None,
            version: None,
            cpus: 2,
            cores_per_socket: 1,
            memory_mib: 4096,
            firmware: Firmware::Efi,
            secure_boot: false,
            shows_disk_uuids: false,
            boot_order: Vec::new(),
            controllers: vec![controller()],
            disks: vec![ShellDisk {
                key: 2000,
                label: "Hard disk 0".to_owned(),
                controller: 1000,
                unit: 0,
                path: "erp/erp.vmdk".to_owned(),
                capacity_bytes: 1 << 30,
            }],
            nics: Vec::new(),
        }
    }

    #[test]
    fn a_shell_without_its_disks_attached_is_as_its_source() {
        let source = vm(vec![disk(0, "erp/erp.vmdk")]);
        assert_eq!(drift(&source, &vm(Vec::new()), &spec()), []);
    }

    #[test]
    fn what_changed_at_the_source_is_told_with_both_sides() {
        let mut source = vm(vec![disk(0, "erp/erp.vmdk"), disk(1, "erp/erp_1.vmdk")]);
        source.cpus = 8;
        let found = drift(&source, &vm(Vec::new()), &spec());
        let fields: Vec<_> = found.iter().map(|one| one.field).collect();
        assert_eq!(fields, ["cpus", "disks"]);
        assert_eq!(found[0].message, "Virtual CPUs: 8 at the source, 2 in the shell.");
        assert!(found[1].message.contains("erp/erp_1.vmdk at ParaVirtualSCSIController 0:1"), "{found:?}");
        // The same files elsewhere on the controller are another machine to the guest.
        source = vm(vec![disk(5, "erp/erp.vmdk")]);
        assert_eq!(drift(&source, &vm(Vec::new()), &spec()).len(), 1);
    }
}
