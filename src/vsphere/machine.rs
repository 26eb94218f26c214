//! Reads a virtual machine with everything that rebuilding it elsewhere needs.

use super::xml::Node;
use super::{Client, VsphereError, read_hardware};
use crate::domain::hardware::Firmware;
use crate::domain::machine::{BootItem, Machine, hardware_version};
use crate::domain::moref::VmRef;

impl Client {
    /// The virtual machine as it is configured now.
    ///
    /// # Errors
    /// If it is gone, the server does not answer, or does not say how it is configured.
    pub async fn machine(&self, vm: &VmRef) -> Result<Machine, VsphereError> {
        // The whole of it, because older servers refuse paths that they do not know.
        let paths = ["name", "config", "snapshot.rootSnapshotList"];
        let found = self.properties(vm, VmRef::KIND, &paths).await?;
        let Some(config) = found.get("config") else {
            return Err(VsphereError::Incomplete {
                attempted: format!("read the configuration of {vm}"),
                server: self.server().to_owned(),
                missing: "configuration of the virtual machine",
            });
        };
        let name = found.text("name").unwrap_or_default().to_owned();
        let snapshots = found.get("snapshot.rootSnapshotList");
        let has_snapshot = snapshots.is_some_and(|list| !list.children().is_empty());
        Ok(Machine { has_snapshot, ..read_machine(name, config) })
    }
}

fn read_machine(name: String, config: &Node) -> Machine {
    // What is no device there has no key.
    let hardware = config.child("hardware").map(read_hardware).unwrap_or_default();
    let option = |key: &str| {
        let mut options = config.all("extraConfig");
        options.find(|one| one.text_at("key") == Some(key)).and_then(|one| one.string_at("value"))
    };
    let cpus = config.parse_at("hardware.numCPU").unwrap_or(1);
    Machine {
        name,
        instance_uuid: config.string_at("instanceUuid"),
        bios_uuid: config.string_at("uuid"),
        guest_id: config.string_at("guestId"),
        version: config.text_at("version").and_then(hardware_version),
        cpus,
        cores_per_socket: config
            .parse_at("hardware.numCoresPerSocket")
            .filter(|cores| *cores > 0)
            .unwrap_or(1),
        memory_mib: config.parse_at("hardware.memoryMB").unwrap_or(0),
        firmware: if config.text_at("firmware") == Some("efi") { Firmware::Efi } else { Firmware::Bios },
        secure_boot: config.flag_at("bootOptions.efiSecureBootEnabled").unwrap_or(false),
        boot_order: config
            .at("bootOptions")
            .map(|boot| boot.all("bootOrder").filter_map(boot_item).collect())
            .unwrap_or_default(),
        shows_disk_uuids: option("disk.EnableUUID").is_some_and(|flag| flag.eq_ignore_ascii_case("true")),
        is_encrypted: config.child("keyId").is_some(),
        template: config.flag_at("template").unwrap_or(false),
        has_snapshot: false,
        home: config.string_at("files.vmPathName"),
        hardware,
    }
}

fn boot_item(node: &Node) -> Option<BootItem> {
    match node.kind() {
        "VirtualMachineBootOptionsBootableDiskDevice" => {
            Some(BootItem::Disk { key: node.parse_at("deviceKey")? })
        }
        "VirtualMachineBootOptionsBootableEthernetDevice" => {
            Some(BootItem::Nic { key: node.parse_at("deviceKey")? })
        }
        "VirtualMachineBootOptionsBootableCdromDevice" => Some(BootItem::Cd),
        "VirtualMachineBootOptionsBootableFloppyDevice" => Some(BootItem::Floppy),
        _ => None,
    }
}
