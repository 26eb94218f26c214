//! A machine's run-time state and its summary.

use super::Sight;
use super::compute::MHZ;
use super::vm_config::guest_name;
use crate::sim::vcenter::soap::{Data, Value, data};
use crate::sim::vcenter::world::{Object, Power, Question, Vm};

fn question(question: &Question) -> Data {
    let choices = question.choices.iter().map(|(key, label)| {
        data("ElementDescription").with("label", *label).with("summary", *label).with("key", *key)
    });
    data("VirtualMachineQuestionInfo")
        .with("id", &question.id)
        .with("text", &question.text)
        .with(
            "choice",
            data("ChoiceOption")
                .with("choiceInfo", choices.collect::<Vec<_>>())
                .with("defaultIndex", question.default),
        )
        .with(
            "message",
            vec![data("VirtualMachineMessage").with("id", question.message_id).with("text", &question.text)],
        )
}

impl Sight<'_> {
    pub(super) fn vm_runtime(&self, vm: &Vm) -> Data {
        data("VirtualMachineRuntimeInfo")
            .maybe("host", vm.host.as_ref())
            .with("connectionState", self.connection(vm))
            .with("powerState", vm.power.word())
            .with("faultToleranceState", "notConfigured")
            .with("toolsInstallerMounted", false)
            .maybe("bootTime", vm.boot_time)
            .with("suspendInterval", 0)
            .maybe("question", vm.question.as_ref().map(question))
            .with("memoryOverhead", 0)
            .with("maxCpuUsage", vm.cpus * MHZ)
            .with("maxMemoryUsage", vm.memory_mb)
            .with("numMksConnections", 0)
            .with("recordReplayState", "inactive")
            .maybe("cleanPowerOff", (vm.power == Power::Off && vm.boots > 0).then_some(true))
            .with("onlineStandby", false)
            .with("consolidationNeeded", vm.consolidation_needed)
            .with("paused", false)
            .with("snapshotInBackground", false)
    }

    /// A machine on a host that does not answer cannot be reached either.
    fn connection(&self, vm: &Vm) -> &'static str {
        let host = vm.host.as_ref().and_then(|host| self.world.host(host).ok());
        match host {
            Some(host) if host.connection != "connected" => "disconnected",
            _ => vm.connection,
        }
    }

    pub(super) fn vm_summary(&self, object: &Object, vm: &Vm) -> Data {
        let storage = self.vm_storage(vm);
        let sum = |field: &str| -> i64 {
            storage.list("perDatastoreUsage").iter().filter_map(|usage| usage.data()?.int(field)).sum()
        };
        data("VirtualMachineSummary")
            .with("vm", &object.moref)
            .with("runtime", self.vm_runtime(vm))
            .with("guest", self.vm_guest_summary(vm))
            .with(
                "config",
                data("VirtualMachineConfigSummary")
                    .with("name", object.name.clone())
                    .with("template", vm.template)
                    .with("vmPathName", vm.vmx.to_string())
                    .with("memorySizeMB", vm.memory_mb)
                    .with("cpuReservation", 0)
                    .with("memoryReservation", 0)
                    .with("numCpu", vm.cpus)
                    .with("numEthernetCards", vm.nics().count())
                    .with("numVirtualDisks", vm.disks().count())
                    .with("uuid", &vm.uuid)
                    .with("instanceUuid", &vm.instance_uuid)
                    .with("guestId", &vm.guest_id)
                    .with("guestFullName", guest_name(&vm.guest_id))
                    .with("annotation", &vm.annotation)
                    .with("installBootRequired", false),
            )
            .with(
                "storage",
                data("VirtualMachineStorageSummary")
                    .with("committed", sum("committed"))
                    .with("uncommitted", sum("uncommitted"))
                    .with("unshared", sum("unshared"))
                    .with("timestamp", vm.modified),
            )
            .with("quickStats", quick_stats(vm))
            .with("overallStatus", "green")
    }

    pub(super) fn vm_storage(&self, vm: &Vm) -> Data {
        let usage = self.world.datastores_of(vm).into_iter().map(|datastore| {
            let on = |disk: &&Data| {
                disk.data("backing").and_then(|backing| backing.moref("datastore")) == Some(&datastore)
            };
            let capacity: i64 =
                vm.disks().filter(on).filter_map(|disk| disk.int("capacityInKB")).sum::<i64>() * 1024;
            let committed = capacity / 64 + 1_048_576;
            data("VirtualMachineUsageOnDatastore")
                .with("datastore", datastore)
                .with("committed", committed)
                .with("uncommitted", (capacity - committed).max(0))
                .with("unshared", committed)
        });
        let usage: Vec<Value> = usage.map(Value::Data).collect();
        data("VirtualMachineStorageInfo").with("perDatastoreUsage", usage).with("timestamp", vm.modified)
    }
}

fn quick_stats(vm: &Vm) -> Data {
    let on = i64::from(vm.power == Power::On);
    data("VirtualMachineQuickStats")
        .with("overallCpuUsage", on * vm.cpus * 120)
        .with("guestMemoryUsage", on * vm.memory_mb / 5)
        .with("hostMemoryUsage", on * vm.memory_mb / 2)
        .with("guestHeartbeatStatus", if vm.guest.running { "green" } else { "gray" })
        .with("uptimeSeconds", on * 3600)
}
