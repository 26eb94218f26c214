//! A virtual machine with everything that rebuilding it elsewhere needs.

use serde::{Deserialize, Serialize};

use super::hardware::{Firmware, Hardware};

/// What it tries to start from, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum BootItem {
    /// The disk with this key.
    Disk {
        /// Its key.
        key: i32,
    },
    /// The network, by the card with this key.
    Nic {
        /// Its key.
        key: i32,
    },
    /// A CD drive.
    Cd,
    /// A floppy drive.
    Floppy,
}

/// A virtual machine as its vCenter describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// The UUID by which vCenter tells it from others.
    pub instance_uuid: Option<String>,
    /// The UUID that its guest sees.
    pub bios_uuid: Option<String>,
    /// The guest operating system's id, such as `debian12_64Guest`.
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
    /// What it tries to start from; empty: as the firmware likes.
    pub boot_order: Vec<BootItem>,
    /// Whether its guest sees the UUIDs of its disks.
    pub shows_disk_uuids: bool,
    /// Whether a key server's key encrypts its configuration.
    pub is_encrypted: bool,
    /// Whether it is a template.
    pub template: bool,
    /// Whether it has a snapshot of vSphere's.
    pub has_snapshot: bool,
    /// Its configuration file.
    pub home: Option<String>,
    /// Its devices.
    pub hardware: Hardware,
}

/// `vmx-19` as 19.
pub fn hardware_version(text: &str) -> Option<u32> {
    text.strip_prefix("vmx-")?.parse().ok()
}

/// The highest hardware version that an ESXi host of this version runs (VMware's knowledge base, article 315655).
/// None: one that is not known, which is newer than all of these.
pub fn newest_hardware_of(esxi: &str) -> Option<u32> {
    const KNOWN: [(&str, u32); 10] = [
        ("6.0", 11),
        ("6.5", 13),
        ("6.7.0", 14),
        ("6.7", 15),
        ("7.0.0", 17),
        ("7.0.1", 18),
        ("7.0", 19),
        ("8.0.0", 20),
        ("8.0.1", 20),
        ("8.0", 21),
    ];
    KNOWN
        .iter()
        .find(|(version, _)| esxi == *version || esxi.starts_with(&format!("{version}.")))
        .map(|(_, v)| *v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_run_what_their_release_knows() {
        let known =
            ["6.5.0", "6.7.0", "6.7.3", "7.0.0", "7.0.3", "8.0.1", "8.0.2", "9.0.0"].map(newest_hardware_of);
        let expected = [Some(13), Some(14), Some(15), Some(17), Some(19), Some(20), Some(21), None];
        assert_eq!(known, expected);
        assert_eq!((hardware_version("vmx-19"), hardware_version("19")), (Some(19), None));
    }
}
