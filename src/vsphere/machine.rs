//! Reads a virtual machine with everything that rebuilding it elsewhere needs.

use super::xml::Node;
use super::{Client, ObjectContent, PropertySet, Scope, VsphereError, read_hardware};
use crate::domain::hardware::{Firmware, PowerState};
use crate::domain::machine::{BootItem, Machine, hardware_version};
use crate::domain::moref::{VmRef, VmSnapshotRef};

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

/// A virtual machine with what says whether it could be brought to rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineNow {
    /// Which.
    pub vm: VmRef,
    /// What it is made of.
    pub machine: Machine,
    /// Whether it runs.
    pub power: PowerState,
    /// Whether VMware Tools run in it, without which a guest is not brought to rest: vSphere then takes its snapshot all the
    /// same and says nothing ("the quiesce flag is ignored", `CreateSnapshot_Task`).
    pub tools_run: bool,
}

impl Client {
    /// These virtual machines as they are configured now, in one question. One that has no configuration, because its host or
    /// its datastore is away, is absent.
    ///
    /// # Errors
    /// If one of them is gone, or the server does not answer.
    pub async fn machines(&self, vms: &[VmRef]) -> Result<Vec<MachineNow>, VsphereError> {
        if vms.is_empty() {
            return Ok(Vec::new());
        }
        let paths = vec![
            "name",
            "config",
            "snapshot.rootSnapshotList",
            "runtime.powerState",
            "guest.toolsRunningStatus",
        ];
        let sets = [PropertySet { kind: VmRef::KIND, paths }];
        let found = self.retrieve(&sets, &Scope::Objects(vms.iter().map(Into::into).collect())).await?;
        Ok(found.iter().filter_map(machine_now).collect())
    }

    /// The virtual machine as it was when this snapshot was made: its disks are those that it froze.
    ///
    /// # Errors
    /// If the snapshot is gone, the server does not answer, or does not say it.
    pub async fn machine_at(&self, snapshot: &VmSnapshotRef, name: &str) -> Result<Machine, VsphereError> {
        let found = self.properties(snapshot, VmSnapshotRef::KIND, &["config"]).await?;
        let Some(config) = found.get("config") else {
            return Err(VsphereError::Incomplete {
                attempted: format!("read what {name:?} was at the snapshot {snapshot}"),
                server: self.server().to_owned(),
                missing: "configuration at that time",
            });
        };
        Ok(read_machine(name.to_owned(), config))
    }
}

fn machine_now(found: &ObjectContent) -> Option<MachineNow> {
    let config = found.get("config")?;
    let name = found.text("name").unwrap_or_default().to_owned();
    let snapshots = found.get("snapshot.rootSnapshotList");
    let has_snapshot = snapshots.is_some_and(|list| !list.children().is_empty());
    Some(MachineNow {
        vm: VmRef::new(found.object.id.clone()),
        machine: Machine { has_snapshot, ..read_machine(name, config) },
        power: match found.text("runtime.powerState") {
            Some("poweredOn") => PowerState::On,
            Some("poweredOff") => PowerState::Off,
            Some("suspended") => PowerState::Suspended,
            _ => PowerState::Unknown,
        },
        tools_run: found.text("guest.toolsRunningStatus") == Some("guestToolsRunning"),
    })
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
