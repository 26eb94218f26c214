//! The files behind virtual disks: made, attached, grown, copied, deleted.

use crate::sim::vcenter::soap::{Data, Fault, Moref, Value, data};
use crate::sim::vcenter::world::{DatastorePath, World, described, descriptor};

/// What a new disk takes on its datastore at once, out of its capacity: thin, with a little written to it.
const WRITTEN: u64 = 64;

impl World {
    /// A UUID as the SCSI layer of ESXi makes them.
    pub(in crate::sim::vcenter) fn disk_uuid(&mut self) -> String {
        let number = self.fresh("VirtualMachine", "").id.parse::<u64>().unwrap_or(0);
        let mixed = (number ^ self.options.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!(
            "6000c29{:01x}-{:04x}-{:04x}-{:04x}-{:012x}",
            mixed & 15,
            mixed >> 48,
            (mixed >> 32) & 0xffff,
            number & 0xffff,
            mixed & 0xffff_ffff_ffff
        )
    }

    /// Makes the files of a new, empty disk. `capacity` in bytes.
    pub(in crate::sim::vcenter) fn make_disk(
        &mut self,
        at: &DatastorePath,
        capacity: u64,
    ) -> Result<String, Fault> {
        if self.exists(at)? {
            return Err(Fault::file_exists(&at.to_string()));
        }
        let datastore = self.datastore(&at.datastore)?;
        if capacity > datastore.capacity {
            return Err(Fault::new(
                "NoDiskSpace",
                format!("Insufficient disk space on datastore '{}'.", at.name),
            )
            .with("file", at.to_string())
            .with("datastore", at.name.clone()));
        }
        let uuid = self.disk_uuid();
        let extent = extent_of(at);
        let name = extent.path.rsplit('/').next().unwrap_or(&extent.path).to_owned();
        self.write(at, descriptor(&name, capacity, &uuid, None).as_bytes())?;
        self.allocate(&extent, capacity / WRITTEN)?;
        Ok(uuid)
    }

    /// What is behind a disk file: the backing with all that it is based on, and the capacity in bytes.
    pub(in crate::sim::vcenter) fn open_disk(&self, at: &DatastorePath) -> Result<(Data, u64), Fault> {
        self.open_link(at, 0)
    }

    fn open_link(&self, at: &DatastorePath, depth: usize) -> Result<(Data, u64), Fault> {
        let missing = |at: &DatastorePath| Fault::file_not_found(&at.to_string());
        let entry = self.look(at)?.filter(|entry| !entry.directory).ok_or_else(|| missing(at))?;
        let content = self.read(at)?;
        let backing = |ty: &'static str, uuid: String| {
            data(ty)
                .with("fileName", at.to_string())
                .with("datastore", &at.datastore)
                .with("diskMode", "persistent")
                .with("thinProvisioned", true)
                .with("uuid", uuid)
        };
        let beside = |name: &str| match at.directory() {
            "" => at.at(name.to_owned()),
            directory => at.at(format!("{directory}/{name}")),
        };
        let Some(found) = described(&String::from_utf8_lossy(&content)) else {
            // Whoever keeps the files only knows their sizes: the extent says how large the disk is.
            let extent = self.look(&extent_of(at))?.ok_or_else(|| missing(&extent_of(at)))?;
            let capacity = if extent.size > 0 { extent.size } else { entry.size };
            return Ok((backing("VirtualDiskFlatVer2BackingInfo", String::new()), capacity));
        };
        let extent = beside(&found.extent);
        if !self.exists(&extent)? {
            return Err(missing(&extent));
        }
        if depth > 32 {
            return Err(Fault::new("DiskNotSupported", format!("The chain of {at} is too long.")));
        }
        match &found.parent {
            None => Ok((backing("VirtualDiskFlatVer2BackingInfo", found.uuid), found.capacity)),
            Some(parent) => {
                let (parent, _) = self.open_link(&beside(parent), depth + 1)?;
                Ok((
                    backing("VirtualDiskFlatVer2BackingInfo", found.uuid)
                        .with("deltaDiskFormat", "seSparseFormat")
                        .with("parent", parent),
                    found.capacity,
                ))
            }
        }
    }

    /// Writes a larger capacity to a disk's descriptor.
    pub(in crate::sim::vcenter) fn grow_disk(
        &mut self,
        at: &DatastorePath,
        capacity: u64,
    ) -> Result<(), Fault> {
        let content = self.read(at)?;
        let found = described(&String::from_utf8_lossy(&content));
        let uuid = found.as_ref().map(|found| found.uuid.clone()).unwrap_or_default();
        let extent = extent_of(at);
        let name = extent.path.rsplit('/').next().unwrap_or_default().to_owned();
        self.write(at, descriptor(&name, capacity, &uuid, None).as_bytes())
    }

    /// Deletes the files of a disk; of one that is based on others only its own.
    pub(in crate::sim::vcenter) fn delete_disk(&mut self, at: &DatastorePath) -> Result<(), Fault> {
        self.remove_file(at)?;
        for extent in [extent_of(at), delta_of(at)] {
            if self.exists(&extent)? {
                self.remove_file(&extent)?;
            }
        }
        Ok(())
    }

    /// Copies a disk to one file without anything that it is based on, with a UUID of its own.
    pub(in crate::sim::vcenter) fn copy_disk(
        &mut self,
        from: &DatastorePath,
        to: &DatastorePath,
    ) -> Result<String, Fault> {
        let (_, capacity) = self.open_disk(from)?;
        self.make_disk(to, capacity)
    }

    /// Moves a disk's files and keeps its UUID; what it was based on is merged into it.
    pub(in crate::sim::vcenter) fn move_disk(
        &mut self,
        from: &DatastorePath,
        to: &DatastorePath,
    ) -> Result<(), Fault> {
        let (backing, capacity) = self.open_disk(from)?;
        let made = self.make_disk(to, capacity)?;
        let uuid = backing.text("uuid").filter(|uuid| !uuid.is_empty()).unwrap_or(&made).to_owned();
        let extent = extent_of(to);
        let name = extent.path.rsplit('/').next().unwrap_or_default().to_owned();
        self.write(to, descriptor(&name, capacity, &uuid, None).as_bytes())?;
        self.delete_disk(from)
    }

    /// The name of a disk file that is free: `dir/name.vmdk`, `dir/name_1.vmdk`.
    pub(in crate::sim::vcenter) fn free_disk_name(
        &self,
        directory: &DatastorePath,
        name: &str,
    ) -> Result<DatastorePath, Fault> {
        let file = |suffix: String| match directory.path.is_empty() {
            true => directory.at(format!("{name}{suffix}.vmdk")),
            false => directory.at(format!("{}/{name}{suffix}.vmdk", directory.path)),
        };
        let mut at = file(String::new());
        let mut count = 0;
        while self.exists(&at)? {
            count += 1;
            at = file(format!("_{count}"));
        }
        Ok(at)
    }

    /// The machine that is powered on and has this file open, if it is another one than `but`.
    pub(in crate::sim::vcenter) fn holder_of(&self, file: &str, but: &Moref) -> Option<Moref> {
        use crate::sim::vcenter::world::Power;
        let mut running = self.vms().filter(|(object, vm)| object.moref != *but && vm.power == Power::On);
        running
            .find(|(_, vm)| {
                vm.disks().any(|disk| {
                    disk.data("backing").and_then(|backing| backing.text("fileName")) == Some(file)
                })
            })
            .map(|(object, _)| object.moref.clone())
    }
}

/// `web01.vmdk` as `web01-flat.vmdk`.
pub(in crate::sim::vcenter) fn extent_of(at: &DatastorePath) -> DatastorePath {
    at.at(format!("{}-flat.vmdk", at.path.strip_suffix(".vmdk").unwrap_or(&at.path)))
}

/// `web01-000001.vmdk` as `web01-000001-sesparse.vmdk`.
pub(in crate::sim::vcenter) fn delta_of(at: &DatastorePath) -> DatastorePath {
    at.at(format!("{}-sesparse.vmdk", at.path.strip_suffix(".vmdk").unwrap_or(&at.path)))
}

/// The capacity that a client asked for, in bytes.
pub(in crate::sim::vcenter) fn wanted_capacity(disk: &Data) -> Option<u64> {
    let bytes = disk.int("capacityInBytes").filter(|bytes| *bytes > 0);
    let bytes = bytes
        .or_else(|| disk.int("capacityInKB").filter(|kib| *kib > 0).and_then(|kib| kib.checked_mul(1024)));
    bytes.and_then(|bytes| u64::try_from(bytes).ok())
}

/// Puts a backing and a capacity on a disk, and keeps the mode that it was asked to have.
pub(in crate::sim::vcenter) fn set_backing(disk: &mut Data, mut backing: Data, capacity: u64) {
    if let Some(mode) = disk.data("backing").and_then(|old| old.text("diskMode")).map(str::to_owned) {
        backing.set("diskMode", mode);
    }
    disk.set("backing", backing);
    disk.set("capacityInKB", Value::from(capacity / 1024));
    disk.set("capacityInBytes", Value::from(capacity));
}
