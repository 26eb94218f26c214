//! Which disk of a host is the one that was attached to it. What is not blank is never chosen, and no disk is chosen by
//! its name: names are dealt out anew at each start.

use crate::domain::disk::BlockDevice;

/// The disk that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The UUID of its VMDK as a guest shows it, if it is known.
    pub uuid: Option<String>,
    /// Its size in bytes.
    pub size: u64,
}

/// Why no disk was chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoDisk {
    /// It is there, and something is on it.
    #[error("the disk that was attached is not blank: {0}")]
    NotBlank(String),
    /// No disk has that UUID, and the guest shows serial numbers.
    #[error("no disk has the serial number {uuid} of the one that was attached; the host sees: {seen}")]
    NotFound {
        /// What was looked for.
        uuid: String,
        /// The disks that there are.
        seen: String,
    },
    /// The guest shows no serial numbers, and no blank disk has that size.
    #[error("no blank disk has {size} bytes; the host sees: {seen}")]
    NoneOfThatSize {
        /// What was looked for.
        size: u64,
        /// The disks that there are.
        seen: String,
    },
    /// The guest shows no serial numbers, and several blank disks have that size.
    #[error("{} blank disks have {size} bytes, and the host shows no serial numbers to tell them apart: {}", among.len(), among.join(", "))]
    Several {
        /// What was looked for.
        size: u64,
        /// Those.
        among: Vec<String>,
    },
    /// It has no lasting name by which a pool could find it again.
    #[error("{0} has no name in /dev/disk/by-id")]
    NoLastingName(String),
}

impl NoDisk {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NotBlank(_) => {
                "Nothing was written. If what is on it is not needed, wipe it by hand (wipefs -a), then retry."
            }
            Self::NotFound { .. } | Self::NoneOfThatSize { .. } => {
                "Check in vCenter that the disk is attached to the virtual machine, and that the template's kernel sees \
                 its controller; then retry."
            }
            Self::Several { .. } => {
                "Detach the disks that do not belong to it, or have the virtual machine show serial numbers: \
                 disk.EnableUUID = TRUE, effective after the next power-on. Then retry."
            }
            Self::NoLastingName(_) => {
                "A disk without a serial number has none: have the virtual machine show serial numbers (disk.EnableUUID = \
                 TRUE, effective after the next power-on), and check that udev runs in the template. Then retry."
            }
        }
    }
}

/// The disk, and the lasting name by which a pool is to know it.
///
/// # Errors
/// If it is not there, not blank, or cannot be told from others.
pub fn choose<'a>(wanted: &Wanted, seen: &'a [BlockDevice]) -> Result<(&'a BlockDevice, &'a str), NoDisk> {
    let disks: Vec<&BlockDevice> = seen.iter().filter(|device| device.kind == "disk").collect();
    let told = || match disks.is_empty() {
        true => "no disks".to_owned(),
        false => disks.iter().map(|disk| disk.told()).collect::<Vec<_>>().join("; "),
    };
    let by_uuid =
        wanted.uuid.as_ref().and_then(|uuid| disks.iter().find(|disk| disk.has_uuid(uuid)).copied());
    let found = match (by_uuid, &wanted.uuid) {
        (Some(disk), _) => disk,
        // A guest that shows the serial number of one disk would show that of ours.
        (None, Some(uuid)) if disks.iter().any(|disk| disk.serial.is_some() || disk.wwn.is_some()) => {
            return Err(NoDisk::NotFound { uuid: uuid.clone(), seen: told() });
        }
        (None, _) => {
            let size = wanted.size;
            let same: Vec<&BlockDevice> =
                disks.iter().filter(|disk| disk.size == size && disk.is_blank()).copied().collect();
            match same.as_slice() {
                [one] => *one,
                [] => return Err(NoDisk::NoneOfThatSize { size, seen: told() }),
                several => {
                    let among = several.iter().map(|disk| disk.path.clone()).collect();
                    return Err(NoDisk::Several { size, among });
                }
            }
        }
    };
    if !found.is_blank() {
        return Err(NoDisk::NotBlank(found.told()));
    }
    match found.lasting_name() {
        Some(name) => Ok((found, name)),
        None => Err(NoDisk::NoLastingName(found.path.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "6000c29a1b2c3d4e5f60718293a4b5c6";
    const SIZE: u64 = 500 << 30;

    fn disk(name: &str, serial: Option<&str>, size: u64) -> BlockDevice {
        BlockDevice {
            name: name.to_owned(),
            path: format!("/dev/{name}"),
            kind: "disk".to_owned(),
            size,
            serial: serial.map(str::to_owned),
            ids: vec![format!("/dev/disk/by-id/scsi-{name}-id")],
            ..BlockDevice::default()
        }
    }

    fn system(name: &str, serial: Option<&str>) -> BlockDevice {
        let part = BlockDevice {
            name: format!("{name}1"),
            kind: "part".to_owned(),
            fstype: Some("ext4".to_owned()),
            mountpoints: vec!["/".to_owned()],
            ..BlockDevice::default()
        };
        BlockDevice { pttype: Some("gpt".to_owned()), children: vec![part], ..disk(name, serial, SIZE) }
    }

    fn wanted() -> Wanted {
        Wanted { uuid: Some(UUID.to_owned()), size: SIZE }
    }

    #[test]
    fn the_disk_is_found_by_its_uuid_whatever_it_is_called() {
        // The new disk came first: names follow no order.
        let seen = [disk("sda", Some(UUID), SIZE), system("sdb", Some("6000c290"))];
        let (found, name) = choose(&wanted(), &seen).unwrap();
        assert_eq!((found.name.as_str(), name), ("sda", "/dev/disk/by-id/scsi-sda-id"));
    }

    #[test]
    fn a_disk_with_anything_on_it_is_never_chosen() {
        let pool = BlockDevice { fstype: Some("zfs_member".to_owned()), ..disk("sdb", Some(UUID), SIZE) };
        let table = BlockDevice { pttype: Some("gpt".to_owned()), ..disk("sdb", Some(UUID), SIZE) };
        let mounted = BlockDevice { mountpoints: vec!["/mnt".to_owned()], ..disk("sdb", Some(UUID), SIZE) };
        for used in [pool, table, mounted, system("sdb", Some(UUID))] {
            let refused = choose(&wanted(), std::slice::from_ref(&used));
            assert!(matches!(refused, Err(NoDisk::NotBlank(_))), "{used:?}: {refused:?}");
        }
    }

    #[test]
    fn with_serial_numbers_another_disk_of_the_same_size_is_not_taken() {
        let seen = [system("sda", Some("6000c290")), disk("sdb", Some("6000c291"), SIZE)];
        assert!(matches!(choose(&wanted(), &seen), Err(NoDisk::NotFound { .. })));
        // Also where only one disk shows one.
        let seen = [system("sda", Some("6000c290")), disk("sdb", None, SIZE)];
        assert!(matches!(choose(&wanted(), &seen), Err(NoDisk::NotFound { .. })));
    }

    #[test]
    fn without_serial_numbers_the_one_blank_disk_of_exactly_that_size_is_taken() {
        let seen = [system("sda", None), disk("sdb", None, SIZE), disk("sdc", None, SIZE + 512)];
        assert_eq!(choose(&wanted(), &seen).unwrap().0.name, "sdb");
        let unknown = Wanted { uuid: None, size: SIZE };
        assert_eq!(choose(&unknown, &seen).unwrap().0.name, "sdb");
        let two = [system("sda", None), disk("sdb", None, SIZE), disk("sdc", None, SIZE)];
        assert!(matches!(choose(&wanted(), &two), Err(NoDisk::Several { among, .. }) if among.len() == 2));
        let none = [system("sda", None), disk("sdb", None, SIZE - 512)];
        assert!(matches!(choose(&wanted(), &none), Err(NoDisk::NoneOfThatSize { .. })));
        assert!(matches!(choose(&wanted(), &[]), Err(NoDisk::NoneOfThatSize { .. })));
    }

    #[test]
    fn a_drive_for_discs_and_a_disk_without_a_lasting_name_are_passed_over() {
        let rom = BlockDevice { kind: "rom".to_owned(), ..disk("sr0", None, SIZE) };
        assert!(matches!(choose(&wanted(), &[rom]), Err(NoDisk::NoneOfThatSize { .. })));
        let nameless = BlockDevice { ids: Vec::new(), ..disk("sdb", Some(UUID), SIZE) };
        let refused = choose(&wanted(), &[nameless]).unwrap_err();
        assert!(matches!(refused, NoDisk::NoLastingName(_)));
        // Seen on a real host: without a serial number udev makes no name.
        assert!(refused.advice().contains("disk.EnableUUID"));
    }
}
