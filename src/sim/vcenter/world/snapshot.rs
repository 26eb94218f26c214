//! Snapshots of machines, with the delta disks that they leave.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::vm::chain;
use super::{Power, World, described, descriptor, is_disk};
use crate::sim::vcenter::methods::delta_of;
use crate::sim::vcenter::soap::{Data, Fault, Moref, Value, data};

/// A snapshot.
#[derive(Debug, Clone)]
pub(in crate::sim::vcenter) struct Snapshot {
    pub(in crate::sim::vcenter) vm: Moref,
    pub(in crate::sim::vcenter) above: Option<Moref>,
    pub(in crate::sim::vcenter) description: String,
    pub(in crate::sim::vcenter) number: i64,
    pub(in crate::sim::vcenter) created: Timestamp,
    pub(in crate::sim::vcenter) power: Power,
    pub(in crate::sim::vcenter) quiesced: bool,
    /// The devices at that moment.
    pub(in crate::sim::vcenter) devices: Vec<Data>,
    /// CPUs, their cores per socket, and memory in MiB at that moment.
    size: (i64, i64, i64),
    /// Options at that moment.
    extra: BTreeMap<String, String>,
}

impl World {
    pub(in crate::sim::vcenter) fn take_snapshot(
        &mut self,
        moref: &Moref,
        name: &str,
        description: &str,
        quiesced: bool,
    ) -> Result<Moref, Fault> {
        let snapshot = self.fresh("VirtualMachineSnapshot", "snapshot-");
        let now = self.timestamp();
        let vm = self.vm(moref)?;
        let number = vm.snapshots.len() as i64 + 1;
        let taken = Snapshot {
            vm: moref.clone(),
            above: vm.current_snapshot.clone(),
            description: description.to_owned(),
            number,
            created: now,
            power: vm.power,
            quiesced,
            devices: vm.devices.clone(),
            size: (vm.cpus, vm.cores_per_socket, vm.memory_mb),
            extra: vm.extra.clone(),
        };
        let mut devices = vm.devices.clone();
        for disk in devices.iter_mut().filter(|device| is_disk(device)) {
            self.put_delta(disk)?;
        }
        self.put(snapshot.clone(), name, None, super::Body::Snapshot(taken));
        let vm = self.vm_mut(moref)?;
        vm.devices = devices;
        vm.snapshots.push(snapshot.clone());
        vm.current_snapshot = Some(snapshot.clone());
        self.save(moref)?;
        Ok(snapshot)
    }

    /// Lets a disk write to a new file from now on.
    fn put_delta(&mut self, disk: &mut Data) -> Result<(), Fault> {
        let Some(backing) = disk.data("backing").cloned() else { return Ok(()) };
        let file = backing.text("fileName").unwrap_or_default().to_owned();
        let at = self.datastore_path(&file, None)?;
        let stem = at.path.strip_suffix(".vmdk").unwrap_or(&at.path);
        // `web01-000001` is based on `web01`, and so is its own delta.
        let stem = match stem.rsplit_once('-') {
            Some((base, digits))
                if digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_digit()) =>
            {
                base
            }
            _ => stem,
        };
        let mut count = 1;
        let mut delta = at.at(format!("{stem}-{count:06}.vmdk"));
        while self.exists(&delta)? {
            count += 1;
            delta = at.at(format!("{stem}-{count:06}.vmdk"));
        }
        let capacity = u64::try_from(disk.int("capacityInKB").unwrap_or(0)).unwrap_or(0) * 1024;
        let extent = delta_of(&delta);
        let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        let uuid = backing.text("uuid").unwrap_or_default().to_owned();
        let text = descriptor(&name(&extent.path), capacity, &uuid, Some(&name(&at.path)));
        self.write(&delta, text.as_bytes())?;
        self.allocate(&extent, 1 << 20)?;
        let next = data("VirtualDiskFlatVer2BackingInfo")
            .with("fileName", delta.to_string())
            .with("datastore", &delta.datastore)
            .with("diskMode", backing.text("diskMode").unwrap_or("persistent").to_owned())
            .with("uuid", uuid)
            .with("deltaDiskFormat", "seSparseFormat")
            .with("parent", backing);
        disk.set("backing", next);
        Ok(())
    }

    /// Takes a snapshot away; with `children` those under it too.
    pub(in crate::sim::vcenter) fn drop_snapshot(
        &mut self,
        snapshot: &Moref,
        children: bool,
        consolidate: bool,
    ) -> Result<(), Fault> {
        let Snapshot { vm, above, .. } = self.snapshot(snapshot)?.clone();
        let under: Vec<_> = self
            .vm(&vm)?
            .snapshots
            .iter()
            .filter(|other| self.snapshot(other).is_ok_and(|other| other.above.as_ref() == Some(snapshot)))
            .cloned()
            .collect();
        let newest = under.is_empty() && self.vm(&vm)?.current_snapshot.as_ref() == Some(snapshot);
        for child in under {
            match children {
                true => self.drop_snapshot(&child, true, consolidate)?,
                false => self.snapshot_mut(&child)?.above = above.clone(),
            }
        }
        self.remove(snapshot);
        let machine = self.vm_mut(&vm)?;
        machine.snapshots.retain(|other| other != snapshot);
        if machine.current_snapshot.as_ref() == Some(snapshot) {
            machine.current_snapshot = above;
        }
        let left = machine.snapshots.is_empty();
        if !consolidate {
            machine.consolidation_needed = true;
        } else if left {
            self.consolidate(&vm)?;
        } else if newest {
            self.merge_newest(&vm)?;
        }
        Ok(())
    }

    /// Merges what a machine has written since its newest snapshot into the files that were frozen by it.
    fn merge_newest(&mut self, moref: &Moref) -> Result<(), Fault> {
        let mut devices = self.vm(moref)?.devices.clone();
        for disk in devices.iter_mut().filter(|device| is_disk(device)) {
            let Some(frozen) = disk.data("backing").and_then(|backing| backing.data("parent")).cloned()
            else {
                continue;
            };
            if let Some(newest) = chain(disk).first() {
                let delta = self.datastore_path(newest, None)?;
                self.delete_disk(&delta)?;
            }
            disk.set("backing", Value::Data(frozen));
        }
        self.vm_mut(moref)?.devices = devices;
        self.save(moref)
    }

    /// Merges every disk of a machine without snapshots into the file that it began with.
    pub(in crate::sim::vcenter) fn consolidate(&mut self, moref: &Moref) -> Result<(), Fault> {
        if !self.vm(moref)?.snapshots.is_empty() {
            self.vm_mut(moref)?.consolidation_needed = false;
            return Ok(());
        }
        let mut devices = self.vm(moref)?.devices.clone();
        for disk in devices.iter_mut().filter(|device| is_disk(device)) {
            let files = chain(disk);
            let Some((base, deltas)) = files.split_last() else { continue };
            if deltas.is_empty() {
                continue;
            }
            let capacity = disk.int("capacityInKB").unwrap_or(0);
            let mut at = disk.data("backing");
            while let Some(parent) = at.and_then(|backing| backing.data("parent")) {
                at = Some(parent);
            }
            let Some(bottom) = at.cloned() else { continue };
            for delta in deltas {
                let delta = self.datastore_path(delta, None)?;
                self.delete_disk(&delta)?;
            }
            let base = self.datastore_path(base, None)?;
            let content = self.read(&base)?;
            let was = described(&String::from_utf8_lossy(&content)).map(|found| found.capacity / 1024);
            if was.is_some_and(|was| i64::try_from(was) != Ok(capacity)) {
                self.grow_disk(&base, u64::try_from(capacity).unwrap_or(0) * 1024)?;
            }
            disk.set("backing", Value::Data(bottom));
        }
        let vm = self.vm_mut(moref)?;
        vm.devices = devices;
        vm.consolidation_needed = false;
        self.save(moref)
    }

    /// Makes a machine what it was when a snapshot was taken.
    pub(in crate::sim::vcenter) fn revert(&mut self, snapshot: &Moref) -> Result<(), Fault> {
        let taken = self.snapshot(snapshot)?.clone();
        let mut devices = taken.devices;
        for disk in devices.iter_mut().filter(|device| is_disk(device)) {
            self.put_delta(disk)?;
        }
        self.stop(&taken.vm);
        let vm = self.vm_mut(&taken.vm)?;
        let before = std::mem::replace(&mut vm.devices, devices);
        (vm.cpus, vm.cores_per_socket, vm.memory_mb) = taken.size;
        vm.extra = taken.extra;
        vm.current_snapshot = Some(snapshot.clone());
        for disk in before.iter().filter(|device| is_disk(device)) {
            if let [newest, _, ..] = chain(disk).as_slice() {
                let at = self.datastore_path(newest, None)?;
                self.delete_disk(&at)?;
            }
        }
        self.save(&taken.vm)
    }
}
