//! A disk as the system of a host sees it.

use serde::{Deserialize, Serialize};

/// A disk, with what is on it (lsblk(8)).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockDevice {
    /// The kernel's name, such as `sdb`. Another disk may have it after the next start.
    pub name: String,
    /// Its file, such as `/dev/sdb`.
    pub path: String,
    /// `disk`, `part`, `rom`, `loop` and what else there is.
    pub kind: String,
    /// Bytes.
    pub size: u64,
    /// The serial number.
    pub serial: Option<String>,
    /// The world-wide name, beginning with `0x`.
    pub wwn: Option<String>,
    /// What is on it: a file system, a member of a pool or an array.
    pub fstype: Option<String>,
    /// Its partition table.
    pub pttype: Option<String>,
    /// Where it is mounted.
    pub mountpoints: Vec<String>,
    /// Partitions, and whatever else is built on it.
    pub children: Vec<BlockDevice>,
    /// Its lasting names: the files in `/dev/disk/by-id` that lead to it, without those of partitions.
    pub ids: Vec<String>,
}

impl BlockDevice {
    /// Whether nothing at all is on it, as far as the system can tell.
    pub fn is_blank(&self) -> bool {
        self.fstype.is_none()
            && self.pttype.is_none()
            && self.mountpoints.is_empty()
            && self.children.is_empty()
    }

    /// Whether it is the disk with this UUID: 32 hexadecimal digits in lower case. The serial number that a guest of
    /// VMware sees with `disk.EnableUUID`, and its world-wide name, are the UUID of the VMDK.
    pub fn has_uuid(&self, uuid: &str) -> bool {
        let plain = |text: &String| text.to_ascii_lowercase().replace(['-', ' '], "");
        let serial = self.serial.as_ref().map(plain);
        let wwn = self.wwn.as_ref().map(plain);
        let is = |text: &str| text == uuid;
        // `3` stands in front of identifiers of the NAA sort (SPC-3, page 83h).
        serial.is_some_and(|serial| is(&serial) || serial.strip_prefix('3').is_some_and(is))
            || wwn.is_some_and(|wwn| wwn.strip_prefix("0x").is_some_and(is))
    }

    /// The lasting name that says most: by the world-wide name, else by the serial number.
    pub fn lasting_name(&self) -> Option<&str> {
        let rank = |id: &&String| {
            let file = id.rsplit('/').next().unwrap_or(id);
            ["wwn-", "nvme-eui.", "scsi-3", "scsi-S", "scsi-", "nvme-", "virtio-", "ata-"]
                .iter()
                .position(|sort| file.starts_with(sort))
                .unwrap_or(usize::MAX)
        };
        self.ids.iter().min_by_key(|id| (rank(id), id.len(), (*id).clone())).map(String::as_str)
    }

    /// One line about it, for people: name, size, serial number, what is on it.
    pub fn told(&self) -> String {
        let mut what: Vec<String> = Vec::new();
        what.extend(self.pttype.as_ref().map(|table| format!("partition table {table}")));
        what.extend(self.fstype.clone());
        what.extend(self.children.iter().map(|child| match &child.fstype {
            Some(fstype) => format!("{} {fstype}", child.name),
            None => child.name.clone(),
        }));
        what.extend(self.mountpoints.iter().map(|point| format!("mounted at {point}")));
        let what = if what.is_empty() { "blank".to_owned() } else { what.join(", ") };
        let serial = self.serial.as_deref().unwrap_or("no serial number");
        format!("{} {} bytes, {serial}: {what}", self.path, self.size)
    }
}

/// The UUID of a VMDK (`6000C29a-1b2c-…`) as a guest shows it: lower case, without dashes. None if it is none.
pub fn guest_uuid(vmdk: &str) -> Option<String> {
    let plain = vmdk.to_ascii_lowercase().replace(['-', ' '], "");
    (plain.len() == 32 && plain.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "6000c29a1b2c3d4e5f60718293a4b5c6";

    #[test]
    fn a_vmdk_is_known_by_serial_number_or_world_wide_name_however_they_are_written() {
        assert_eq!(guest_uuid("6000C29a-1b2c-3d4e-5f60-718293a4b5c6").as_deref(), Some(UUID));
        assert_eq!(guest_uuid("6000C29a"), None);
        assert_eq!(guest_uuid(""), None);
        let with = |serial: Option<&str>, wwn: Option<&str>| BlockDevice {
            serial: serial.map(str::to_owned),
            wwn: wwn.map(str::to_owned),
            ..BlockDevice::default()
        };
        for (serial, wwn) in [
            (Some(UUID), None),
            (Some("6000C29A1B2C3D4E5F60718293A4B5C6"), None),
            (Some("36000c29a1b2c3d4e5f60718293a4b5c6"), None),
            (None, Some("0x6000c29a1b2c3d4e5f60718293a4b5c6")),
        ] {
            assert!(with(serial, wwn).has_uuid(UUID), "{serial:?} {wwn:?}");
        }
        // Half of it may be another disk's half.
        for (serial, wwn) in [(None, None), (None, Some("0x6000c29a1b2c3d4e")), (Some("6000c29a"), None)] {
            assert!(!with(serial, wwn).has_uuid(UUID), "{serial:?} {wwn:?}");
        }
    }

    #[test]
    fn the_lasting_name_is_by_the_world_wide_name_where_there_is_one() {
        let ids =
            ["/dev/disk/by-id/scsi-SVMware_x", "/dev/disk/by-id/wwn-0x6000", "/dev/disk/by-id/scsi-36000"];
        let device = BlockDevice { ids: ids.map(str::to_owned).to_vec(), ..BlockDevice::default() };
        assert_eq!(device.lasting_name(), Some("/dev/disk/by-id/wwn-0x6000"));
        assert_eq!(BlockDevice::default().lasting_name(), None);
    }
}
