//! Virtual machines: which part answers for which property.

use super::{Sight, part};
use crate::sim::vcenter::soap::{Data, Moref, Value, data, schema};
use crate::sim::vcenter::world::{Object, Snapshot, Vm};

impl Sight<'_> {
    pub(super) fn vm_property(&self, object: &Object, vm: &Vm, name: &str) -> Option<Value> {
        match name {
            "config" => Some(self.vm_config(&object.name, vm).into()),
            "runtime" => Some(self.vm_runtime(vm).into()),
            "guest" => Some(self.vm_guest(object, vm).into()),
            "summary" => Some(self.vm_summary(object, vm).into()),
            "storage" => Some(self.vm_storage(vm).into()),
            "layoutEx" => Some(self.vm_layout(vm).into()),
            "capability" => Some(capability(vm).into()),
            "environmentBrowser" => {
                let cluster = vm.host.as_ref().and_then(|host| self.world.cluster_of(host));
                cluster.map(|cluster| part("EnvironmentBrowser", &cluster).into())
            }
            "resourcePool" => vm.pool.clone().map(Value::Ref),
            "datastore" => Some(self.world.datastores_of(vm).into()),
            "network" => Some(self.world.networks_of(vm).into()),
            "snapshot" => self.snapshot_info(&object.moref, vm).map(Value::Data),
            "rootSnapshot" => Some(self.snapshots_under(vm, None).into()),
            "guestHeartbeatStatus" => Some(if vm.guest.running { "green" } else { "gray" }.into()),
            "resourceConfig" => Some(
                data("ResourceConfigSpec")
                    .with("entity", &object.moref)
                    .with("cpuAllocation", super::vm_config::shares(vm.cpus * 1000))
                    .with("memoryAllocation", super::vm_config::shares(vm.memory_mb * 10))
                    .into(),
            ),
            _ => None,
        }
    }

    fn snapshots_under(&self, vm: &Vm, above: Option<&Moref>) -> Vec<Moref> {
        let under = |moref: &&Moref| {
            self.world.snapshot(moref).is_ok_and(|snapshot| snapshot.above.as_ref() == above)
        };
        vm.snapshots.iter().filter(under).cloned().collect()
    }

    fn snapshot_info(&self, moref: &Moref, vm: &Vm) -> Option<Data> {
        if vm.snapshots.is_empty() {
            return None;
        }
        let tree: Vec<_> = self.snapshot_tree(moref, vm, None, 0);
        Some(
            data("VirtualMachineSnapshotInfo")
                .maybe("currentSnapshot", vm.current_snapshot.clone())
                .with("rootSnapshotList", tree),
        )
    }

    fn snapshot_tree(&self, moref: &Moref, vm: &Vm, above: Option<&Moref>, depth: usize) -> Vec<Data> {
        if depth > 64 {
            return Vec::new();
        }
        let one = |snapshot: Moref| {
            let taken = self.world.snapshot(&snapshot).ok()?;
            Some(
                data("VirtualMachineSnapshotTree")
                    .with("snapshot", &snapshot)
                    .with("vm", moref)
                    .with("name", self.world.name(&snapshot).to_owned())
                    .with("description", &taken.description)
                    .with("id", taken.number)
                    .with("createTime", taken.created)
                    .with("state", taken.power.word())
                    .with("quiesced", taken.quiesced)
                    .with("childSnapshotList", self.snapshot_tree(moref, vm, Some(&snapshot), depth + 1))
                    .with("replaySupported", false),
            )
        };
        self.snapshots_under(vm, above).into_iter().filter_map(one).collect()
    }

    pub(super) fn snapshot_property(
        &self,
        snapshot: &Snapshot,
        object: &Object,
        name: &str,
    ) -> Option<Value> {
        let vm = self.world.vm(&snapshot.vm).ok()?;
        match name {
            "vm" => Some((&snapshot.vm).into()),
            "childSnapshot" => Some(self.snapshots_under(vm, Some(&object.moref)).into()),
            "config" => {
                let mut then = vm.clone();
                then.devices.clone_from(&snapshot.devices);
                Some(self.vm_config(self.world.name(&snapshot.vm), &then).into())
            }
            _ => None,
        }
    }
}

/// What can be done with a machine: what is not named here cannot.
fn capability(vm: &Vm) -> Data {
    let mut found = data("VirtualMachineCapability");
    for field in schema().get(found.ty).iter().flat_map(|ty| &ty.fields).filter(|field| !field.optional) {
        found.set(field.name, false);
    }
    for name in ["snapshotOperationsSupported", "multipleSnapshotsSupported", "snapshotConfigSupported"] {
        found.set(name, true);
    }
    for name in ["poweredOffSnapshotsSupported", "revertToSnapshotSupported", "quiescedSnapshotsSupported"] {
        found.set(name, true);
    }
    found.with("changeTrackingSupported", true).with("secureBootSupported", vm.firmware == "efi")
}
