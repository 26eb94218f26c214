//! The disks of the machine: blank ones that a pool can be made of, the one it boots from, those of its pools.

use super::State;

/// One disk.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    /// As the kernel calls it: `sdb`.
    pub(crate) name: String,
    /// Bytes.
    pub(crate) size: u64,
    pub(crate) serial: String,
    pub(crate) content: Content,
}

/// What is on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Blank,
    /// The machine's own system.
    System,
    /// A file system or something else that must not be written over.
    Other {
        fstype: String,
        label: String,
    },
    Pool {
        name: String,
        guid: u64,
    },
}

impl Disk {
    /// The world-wide name, where the serial number is one: 32 hexadecimal digits, as VMware gives with
    /// `disk.EnableUUID`.
    pub(crate) fn wwn(&self) -> Option<String> {
        let hex = self.serial.replace(['-', ' '], "").to_ascii_lowercase();
        let is_one = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then(|| format!("0x{hex}"))
    }

    /// Its links in `/dev/disk/by-id`, the most telling first.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids = Vec::new();
        if let Some(wwn) = self.wwn() {
            ids.push(format!("wwn-{wwn}"));
            ids.push(format!("scsi-3{}", &wwn[2..]));
        }
        if !self.serial.is_empty() {
            ids.push(format!("scsi-SVMware_Virtual_disk_{}", self.serial));
        }
        ids
    }

    /// Its partitions: of a disk in a pool the two that OpenZFS makes.
    pub(crate) fn partitions(&self) -> &'static [u32] {
        match self.content {
            Content::Pool { .. } => &[1, 9],
            Content::System => &[1],
            Content::Blank | Content::Other { .. } => &[],
        }
    }
}

impl State {
    /// Adds a disk under the next free name, as when it is plugged in while the machine runs.
    pub(crate) fn add_disk(&mut self, serial: &str, size: u64, content: Content) -> String {
        let taken = |name: &String| self.disks.iter().any(|disk| disk.name == *name);
        let names = ('a'..='z').map(|letter| format!("sd{letter}"));
        let more = ('a'..='z').flat_map(|first| ('a'..='z').map(move |second| format!("sd{first}{second}")));
        let name = names.chain(more).find(|name| !taken(name)).unwrap_or_else(|| "sdzz".to_owned());
        self.disks.push(Disk { name: name.clone(), size, serial: serial.to_owned(), content });
        name
    }

    /// The kernel's name of the disk or partition behind a path in `/dev`, such as `sdb` or `sdb1`.
    pub(crate) fn device(&self, path: &str) -> Option<String> {
        let name = path.strip_prefix("/dev/")?;
        for disk in &self.disks {
            let parts = disk.partitions().iter();
            if disk.name == name || parts.clone().any(|part| format!("{}{part}", disk.name) == name) {
                return Some(name.to_owned());
            }
            let Some(id) = name.strip_prefix("disk/by-id/") else { continue };
            for own in disk.ids() {
                if own == id {
                    return Some(disk.name.clone());
                }
                if let Some(part) = parts.clone().find(|part| format!("{own}-part{part}") == id) {
                    return Some(format!("{}{part}", disk.name));
                }
            }
        }
        None
    }

    /// The links in `/dev/disk/by-id`, with what they lead to.
    pub(crate) fn device_links(&self) -> Vec<(String, String)> {
        let mut links = Vec::new();
        for disk in &self.disks {
            for id in disk.ids() {
                let part = |part: &u32| (format!("{id}-part{part}"), format!("{}{part}", disk.name));
                links.extend(disk.partitions().iter().map(part));
                links.push((id, disk.name.clone()));
            }
        }
        links.sort();
        links
    }

    /// Makes a disk larger; a pool with `autoexpand` grows with it.
    pub(crate) fn grow_disk(&mut self, serial: &str, size: u64) -> bool {
        let Some(disk) = self.disks.iter_mut().find(|disk| disk.serial == serial && disk.size <= size) else {
            return false;
        };
        disk.size = size;
        if let Content::Pool { name, .. } = disk.content.clone() {
            let expands = self
                .pools
                .get(&name)
                .is_some_and(|pool| pool.properties.get("autoexpand").is_some_and(|value| value == "on"));
            if expands {
                self.expand(&name);
            }
        }
        true
    }

    /// Lets a pool use all of its disks.
    pub(crate) fn expand(&mut self, pool: &str) {
        let is_its = |disk: &&Disk| matches!(&disk.content, Content::Pool { name, .. } if name == pool);
        let size = self.disks.iter().filter(is_its).map(|disk| disk.size).sum();
        if let Some(pool) = self.pools.get_mut(pool).filter(|pool| pool.size < size) {
            pool.size = size;
        }
    }

    pub(crate) fn disk(&self, name: &str) -> Option<&Disk> {
        self.disks.iter().find(|disk| disk.name == name)
    }

    pub(crate) fn disk_mut(&mut self, name: &str) -> Option<&mut Disk> {
        self.disks.iter_mut().find(|disk| disk.name == name)
    }
}
