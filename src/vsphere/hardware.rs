//! Reads a virtual machine's devices. What it does not know it passes over.

use super::xml::Node;
use crate::domain::hardware::{Controller, Disk, Hardware, Nic, NicNetwork, Special, SpecialDevice};
use crate::domain::moref::DatastoreRef;

/// The most parents that a chain of snapshots has; vSphere allows 32.
const LONGEST_CHAIN: usize = 64;

/// What the types of controllers of disks have in their names.
const CONTROLLERS: [&str; 6] = ["SCSI", "LsiLogic", "BusLogic", "IDE", "AHCI", "NVME"];

/// Devices that every rebuilt virtual machine has, or does without, by the beginnings of their types.
const PLAIN: [&str; 11] = [
    "VirtualIDE",
    "VirtualPS2",
    "VirtualPCIController",
    "VirtualSIO",
    "VirtualKeyboard",
    "VirtualPointingDevice",
    "VirtualMachineVideoCard",
    "VirtualMachineVMCIDevice",
    "VirtualCdrom",
    "VirtualFloppy",
    "VirtualUSB",
];

/// How a device is more than files and settings, if it is.
fn special(device: &Node) -> Option<Special> {
    let kind = device.kind();
    let backing = device.child("backing");
    if kind == "VirtualDisk" {
        let backing = backing?;
        return if backing.kind().contains("RawDisk") {
            Some(Special::RawDisk)
        } else if backing.text_at("sharing") == Some("sharingMultiWriter") {
            Some(Special::SharedDisk)
        } else {
            backing.child("keyId").map(|_| Special::EncryptedDisk)
        };
    }
    match kind {
        "VirtualTPM" => return Some(Special::Tpm),
        _ if kind.contains("Passthrough") || kind.contains("Sriov") => return Some(Special::Passthrough),
        _ => {}
    }
    if CONTROLLERS.iter().any(|one| kind.contains(one)) {
        let shared = device.text_at("sharedBus").is_some_and(|bus| bus != "noSharing");
        return shared.then_some(Special::SharedBus);
    }
    let is_card = device.child("macAddress").is_some() || device.child("addressType").is_some();
    let plain = is_card || PLAIN.iter().any(|one| kind.starts_with(one));
    (!plain).then_some(Special::Other)
}

/// Reads `config.hardware.device`.
pub fn read_hardware(devices: &Node) -> Hardware {
    let mut hardware = Hardware::default();
    for device in devices.children() {
        let kind = device.kind();
        let Some(key) = device.parse_at("key") else { continue };
        if let Some(special) = special(device) {
            let label = Some(label(device)).filter(|label| !label.is_empty());
            let label = label.unwrap_or_else(|| kind.to_owned());
            hardware.special.push(SpecialDevice { key, special, label });
        }
        if kind == "VirtualDisk" {
            hardware.disks.push(disk(key, device));
        } else if device.child("macAddress").is_some() || device.child("addressType").is_some() {
            hardware.nics.push(nic(key, device));
        } else if let Some(bus) =
            device.parse_at("busNumber").filter(|_| CONTROLLERS.iter().any(|one| kind.contains(one)))
        {
            hardware.controllers.push(Controller { key, kind: kind.to_owned(), bus });
        } else if device.at("backing").is_some_and(|backing| backing.kind() == "VirtualCdromIsoBackingInfo") {
            hardware.iso_files.extend(device.string_at("backing.fileName"));
        }
    }
    hardware
}

fn disk(key: i32, device: &Node) -> Disk {
    let backing = device.child("backing");
    let mut parents = Vec::new();
    let mut parent = backing.and_then(|backing| backing.child("parent"));
    while let Some(one) = parent.filter(|_| parents.len() < LONGEST_CHAIN) {
        parents.extend(one.string_at("fileName"));
        parent = one.child("parent");
    }
    let kilobytes = device.parse_at::<u64>("capacityInKB").unwrap_or(0);
    Disk {
        key,
        label: label(device),
        controller: device.parse_at("controllerKey").unwrap_or(-1),
        unit: device.parse_at("unitNumber").unwrap_or(-1),
        file: device.string_at("backing.fileName"),
        parents,
        datastore: device.text_at("backing.datastore").map(DatastoreRef::new),
        capacity_bytes: device.parse_at("capacityInBytes").unwrap_or_else(|| kilobytes.saturating_mul(1024)),
        thin: device.flag_at("backing.thinProvisioned"),
        mode: device.string_at("backing.diskMode").unwrap_or_default(),
        uuid: device.string_at("backing.uuid"),
    }
}

fn nic(key: i32, device: &Node) -> Nic {
    let network = match device.child("backing") {
        Some(backing) => match (backing.string_at("port.switchUuid"), backing.string_at("port.portgroupKey"))
        {
            (Some(switch), Some(portgroup)) => NicNetwork::Distributed { switch, portgroup },
            _ => match backing.string_at("deviceName") {
                Some(name) => NicNetwork::Standard { name, network: backing.reference_at("network") },
                None => NicNetwork::Other,
            },
        },
        None => NicNetwork::Other,
    };
    Nic {
        key,
        label: label(device),
        kind: device.kind().to_owned(),
        mac: device.string_at("macAddress"),
        mac_is_manual: device.text_at("addressType") == Some("manual"),
        network,
        start_connected: device.flag_at("connectable.startConnected").unwrap_or(true),
        place: device.parse_at("controllerKey").zip(device.parse_at("unitNumber")),
    }
}

fn label(device: &Node) -> String {
    device.string_at("deviceInfo.label").unwrap_or_default()
}
