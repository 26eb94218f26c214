//! The files that a machine consists of.

use super::Sight;
use super::vm_config::disk_chains;
use crate::sim::vcenter::methods::{delta_of, extent_of};
use crate::sim::vcenter::soap::{Data, Value, data};
use crate::sim::vcenter::world::{DatastorePath, Vm};

impl Sight<'_> {
    pub(super) fn vm_layout(&self, vm: &Vm) -> Data {
        let mut files: Vec<Data> = Vec::new();
        let mut add = |name: String, ty: &'static str, size: u64| -> i64 {
            let key = files.len() as i64;
            files.push(
                data("VirtualMachineFileLayoutExFileInfo")
                    .with("key", key)
                    .with("name", name)
                    .with("type", ty)
                    .with("size", size)
                    .with("uniqueSize", size)
                    .with("accessible", true),
            );
            key
        };
        add(vm.vmx.to_string(), "config", 3000);
        let stem = vm.vmx.path.strip_suffix(".vmx").unwrap_or(&vm.vmx.path);
        add(vm.vmx.at(format!("{stem}.nvram")).to_string(), "nvram", 8684);
        add(vm.vmx.at(format!("{stem}.vmsd")).to_string(), "snapshotList", 0);
        let mut disks = Vec::new();
        for (key, chain) in disk_chains(vm) {
            let mut units = Vec::new();
            // The disk that the others are based on stands first.
            for file in chain.iter().rev() {
                let Ok(at) = self.world.datastore_path(file, None) else { continue };
                let size = |at: &DatastorePath| self.world.look(at).ok().flatten().map(|entry| entry.size);
                let descriptor = add(file.clone(), "diskDescriptor", size(&at).unwrap_or(0));
                let extent =
                    [extent_of(&at), delta_of(&at)].into_iter().find(|extent| size(extent).is_some());
                let extent = extent.unwrap_or_else(|| extent_of(&at));
                let extent_key = add(extent.to_string(), "diskExtent", size(&extent).unwrap_or(0));
                units.push(
                    data("VirtualMachineFileLayoutExDiskUnit")
                        .with("fileKey", vec![Value::Int(descriptor), Value::Int(extent_key)]),
                );
            }
            disks.push(data("VirtualMachineFileLayoutExDiskLayout").with("key", key).with("chain", units));
        }
        data("VirtualMachineFileLayoutEx")
            .with("file", files)
            .with("disk", disks)
            .with("timestamp", vm.modified)
    }
}
