//! A virtual machine's hardware, as far as a recovery has to rebuild it.

use serde::{Deserialize, Serialize};

use super::moref::{DatastoreRef, ManagedRef};

/// Whether a virtual machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerState {
    /// Running.
    On,
    /// Powered off.
    Off,
    /// Suspended.
    Suspended,
    /// The server does not know, or says a word that we do not.
    Unknown,
}

impl PowerState {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Suspended => "suspended",
            Self::Unknown => "unknown",
        }
    }

    /// The state with this word.
    pub fn parse(text: &str) -> Self {
        [Self::On, Self::Off, Self::Suspended]
            .into_iter()
            .find(|one| one.as_str() == text)
            .unwrap_or(Self::Unknown)
    }
}

/// How a virtual machine boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Firmware {
    /// BIOS.
    Bios,
    /// UEFI.
    Efi,
}

impl Firmware {
    /// The word, which is vSphere's too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bios => "bios",
            Self::Efi => "efi",
        }
    }
}

/// A controller of disks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controller {
    /// Its key within the virtual machine.
    pub key: i32,
    /// Its type in vSphere's words, such as `ParaVirtualSCSIController`.
    pub kind: String,
    /// Its number among those of its sort.
    pub bus: i32,
}

impl Controller {
    /// Whether it is a SCSI controller, which itself takes up unit 7.
    pub fn is_scsi(&self) -> bool {
        const SCSI: [&str; 4] = [
            "ParaVirtualSCSIController",
            "VirtualLsiLogicController",
            "VirtualLsiLogicSASController",
            "VirtualBusLogicController",
        ];
        SCSI.contains(&self.kind.as_str())
    }
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Its key within the virtual machine.
    pub key: i32,
    /// What vSphere calls it, such as `Hard disk 1`.
    pub label: String,
    /// The key of its controller.
    pub controller: i32,
    /// Its place on the controller.
    pub unit: i32,
    /// Its file as `[datastore] folder/name.vmdk`; none for a disk without a file, such as a raw device.
    pub file: Option<String>,
    /// The files that it builds upon, nearest first: not empty while a VMware snapshot exists.
    pub parents: Vec<String>,
    /// Where the file lies.
    pub datastore: Option<DatastoreRef>,
    /// Its size. Some servers say 0 for a disk that was attached.
    pub capacity_bytes: u64,
    /// Whether space is taken as it is written; none if unknown.
    pub thin: Option<bool>,
    /// `persistent`, or one of the modes that snapshots do not see.
    pub mode: String,
    /// The UUID that a guest with `disk.EnableUUID` sees.
    pub uuid: Option<String>,
}

/// The network that a NIC is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NicNetwork {
    /// A port group of standard switches, known by its name.
    Standard {
        /// The name.
        name: String,
        /// The network, if the server says it.
        network: Option<ManagedRef>,
    },
    /// A port group of a distributed switch.
    Distributed {
        /// The switch's UUID.
        switch: String,
        /// The port group's key.
        portgroup: String,
    },
    /// Another kind, or none.
    Other,
}

impl NicNetwork {
    /// By what it is found among a vCenter's networks: the port group's key, else the network's id, else its name.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Standard { network: Some(network), .. } => Some(&network.id),
            Self::Standard { name, network: None } => Some(name),
            Self::Distributed { portgroup, .. } => Some(portgroup),
            Self::Other => None,
        }
    }
}

/// Whose MAC address it is, by VMware's ranges ("MAC Address Assignment", vSphere Networking, 7.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacRange {
    /// Made up by a host (`00:0c:29`): it belongs to one configuration file.
    Generated,
    /// Given by a vCenter (`00:50:56:80` to `bf`): no host takes it as one that was typed.
    Assigned,
    /// Any other: it can be typed.
    Free,
}

impl MacRange {
    /// The range of an address such as `00:50:56:8a:00:01`.
    pub fn of(mac: &str) -> Self {
        let mac = mac.to_ascii_lowercase();
        let assigned = |rest: &str| rest.get(..1).is_some_and(|digit| ["8", "9", "a", "b"].contains(&digit));
        if mac.starts_with("00:0c:29:") {
            Self::Generated
        } else if mac.strip_prefix("00:50:56:").is_some_and(assigned) {
            Self::Assigned
        } else {
            Self::Free
        }
    }
}

/// A network card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nic {
    /// Its key within the virtual machine.
    pub key: i32,
    /// What vSphere calls it, such as `Network adapter 1`.
    pub label: String,
    /// Its type in vSphere's words, such as `VirtualVmxnet3`.
    pub kind: String,
    /// Its MAC address.
    pub mac: Option<String>,
    /// Whether the address was typed rather than drawn.
    pub mac_is_manual: bool,
    /// The network.
    pub network: NicNetwork,
    /// Whether it is connected when the machine starts.
    pub start_connected: bool,
    /// The key of its controller, and its place there.
    pub place: Option<(i32, i32)>,
}

/// Everything of interest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hardware {
    /// Controllers of disks.
    pub controllers: Vec<Controller>,
    /// Disks.
    pub disks: Vec<Disk>,
    /// Network cards.
    pub nics: Vec<Nic>,
    /// Images in CD drives, as `[datastore] folder/name.iso`.
    pub iso_files: Vec<String>,
    /// What stands in the way of a move, or cannot be rebuilt elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub special: Vec<SpecialDevice>,
}

/// How a device is more than files and settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Special {
    /// A disk that is a LUN (raw device mapping).
    RawDisk,
    /// A disk that several virtual machines write (multi-writer).
    SharedDisk,
    /// A controller whose bus is shared with other virtual machines.
    SharedBus,
    /// A disk that a key server's key encrypts.
    EncryptedDisk,
    /// A virtual TPM: its secrets are bound to a key provider.
    Tpm,
    /// A device of the host handed through.
    Passthrough,
    /// Anything else that a rebuilt virtual machine does not have by itself, such as a serial port.
    Other,
}

/// A device that is more than files and settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecialDevice {
    /// Its key within the virtual machine.
    pub key: i32,
    /// How.
    pub special: Special,
    /// What vSphere calls it, such as `Hard disk 2`.
    pub label: String,
}

impl SpecialDevice {
    /// `Hard disk 2 (raw device mapping)`.
    pub fn told(&self) -> String {
        let word = match self.special {
            Special::RawDisk => "raw device mapping",
            Special::SharedDisk => "multi-writer",
            Special::SharedBus => "shared bus",
            Special::EncryptedDisk => "encrypted",
            Special::Tpm => "virtual TPM",
            Special::Passthrough => "passthrough",
            Special::Other => return self.label.clone(),
        };
        format!("{} ({word})", self.label)
    }
}

/// `[datastore] folder/name` as the datastore's name and the path in it.
pub fn datastore_path(file: &str) -> Option<(&str, &str)> {
    let (datastore, path) = file.strip_prefix('[')?.split_once(']')?;
    Some((datastore, path.trim_start()))
}

/// The unit that a SCSI controller takes up itself.
pub const SCSI_OWN_UNIT: i32 = 7;
/// The units of a SCSI controller: 0 to 15.
const SCSI_UNITS: i32 = 16;

impl Hardware {
    /// A free place for a disk: the first SCSI controller with room, and its lowest free unit, which is never 7.
    pub fn free_scsi_unit(&self) -> Option<(i32, i32)> {
        let mut scsi: Vec<_> = self.controllers.iter().filter(|one| one.is_scsi()).collect();
        scsi.sort_by_key(|one| one.bus);
        scsi.into_iter().find_map(|controller| {
            let taken =
                |unit| self.disks.iter().any(|disk| disk.controller == controller.key && disk.unit == unit);
            (0..SCSI_UNITS)
                .find(|unit| *unit != SCSI_OWN_UNIT && !taken(*unit))
                .map(|unit| (controller.key, unit))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_unit_is_never_the_controllers_own() {
        let controller = |key, bus| Controller { key, kind: "ParaVirtualSCSIController".to_owned(), bus };
        let disk = |controller, unit| Disk {
            key: 2000 + unit,
            label: String::new(),
            controller,
            unit,
            file: None,
            parents: Vec::new(),
            datastore: None,
            capacity_bytes: 0,
            thin: None,
            mode: String::new(),
            uuid: None,
        };
        let mut hardware =
            Hardware { controllers: vec![controller(1001, 1), controller(1000, 0)], ..Hardware::default() };
        let mut found = Vec::new();
        while let Some((key, unit)) = hardware.free_scsi_unit() {
            hardware.disks.push(disk(key, unit));
            found.push((key, unit));
        }
        assert_eq!(found.len(), 30);
        assert!(found.iter().all(|(_, unit)| *unit != SCSI_OWN_UNIT));
        assert_eq!((found[0], found[7], found[15]), ((1000, 0), (1000, 8), (1001, 0)));
        assert_eq!(Hardware::default().free_scsi_unit(), None);
    }
}
