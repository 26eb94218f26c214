//! A machine's configuration.

use super::{Sight, service};
use crate::sim::vcenter::soap::{Data, Value, data};
use crate::sim::vcenter::world::{Vm, chain};

/// The name of a guest operating system by its id.
pub(super) fn guest_name(id: &str) -> &'static str {
    match id {
        "debian12_64Guest" => "Debian GNU/Linux 12 (64-bit)",
        "debian11_64Guest" => "Debian GNU/Linux 11 (64-bit)",
        "ubuntu64Guest" => "Ubuntu Linux (64-bit)",
        "rhel9_64Guest" => "Red Hat Enterprise Linux 9 (64-bit)",
        "windows2019srvNext_64Guest" => "Microsoft Windows Server 2022 (64-bit)",
        "windows2019srv_64Guest" => "Microsoft Windows Server 2019 (64-bit)",
        "windows11_64Guest" => "Microsoft Windows 11 (64-bit)",
        "otherLinux64Guest" => "Other Linux (64-bit)",
        _ => "Other (32-bit)",
    }
}

pub(super) fn shares(shares: i64) -> Data {
    data("ResourceAllocationInfo")
        .with("reservation", 0)
        .with("expandableReservation", false)
        .with("limit", -1)
        .with("shares", data("SharesInfo").with("shares", shares).with("level", "normal"))
}

impl Sight<'_> {
    pub(super) fn vm_config(&self, name: &str, vm: &Vm) -> Data {
        let home = vm.vmx.at(vm.vmx.directory()).to_string();
        let extra = vm.public_extra().map(|(key, value)| service::option(key, Value::typed("string", value)));
        let urls = self.world.datastores_of(vm).into_iter().filter_map(|moref| {
            let url = self.world.datastore(&moref).ok()?.url();
            let name = self.world.name(&moref).to_owned();
            Some(
                data("VirtualMachineConfigInfoDatastoreUrlPair")
                    .with("name", name)
                    .with("url", url.trim_start_matches("ds://").to_owned()),
            )
        });
        let urls: Vec<_> = urls.collect();
        data("VirtualMachineConfigInfo")
            .with("changeVersion", vm.change_version())
            .with("modified", vm.modified)
            .with("name", name.to_owned())
            .with("guestFullName", guest_name(&vm.guest_id))
            .with("version", &vm.version)
            .with("uuid", &vm.uuid)
            .with("createDate", vm.created)
            .with("instanceUuid", &vm.instance_uuid)
            .with("locationId", "")
            .with("template", vm.template)
            .with("guestId", &vm.guest_id)
            .with("alternateGuestName", "")
            .with("annotation", &vm.annotation)
            .with(
                "files",
                data("VirtualMachineFileInfo")
                    .with("vmPathName", vm.vmx.to_string())
                    .with("snapshotDirectory", format!("{home}/"))
                    .with("suspendDirectory", format!("{home}/"))
                    .with("logDirectory", format!("{home}/")),
            )
            .with(
                "tools",
                data("ToolsConfigInfo")
                    .with("toolsVersion", if vm.tools { 12_389 } else { 0 })
                    .with("afterPowerOn", true)
                    .with("afterResume", true)
                    .with("beforeGuestStandby", true)
                    .with("beforeGuestShutdown", true)
                    .with("toolsUpgradePolicy", "manual")
                    .with("syncTimeWithHost", false),
            )
            .with("flags", flags(vm))
            .with(
                "defaultPowerOps",
                data("VirtualMachineDefaultPowerOpInfo")
                    .with("powerOffType", "soft")
                    .with("suspendType", "hard")
                    .with("resetType", "soft")
                    .with("standbyAction", "checkpoint"),
            )
            .with(
                "hardware",
                data("VirtualHardware")
                    .with("numCPU", vm.cpus)
                    .with("numCoresPerSocket", vm.cores_per_socket)
                    .with("memoryMB", vm.memory_mb)
                    .with("virtualICH7MPresent", false)
                    .with("virtualSMCPresent", false)
                    .with("device", vm.all_devices()),
            )
            .with("cpuAllocation", shares(vm.cpus * 1000))
            .with("memoryAllocation", shares(vm.memory_mb * 10))
            .with("latencySensitivity", data("LatencySensitivity").with("level", "normal"))
            .with("memoryHotAddEnabled", vm.memory_hot_add)
            .with("cpuHotAddEnabled", vm.cpu_hot_add)
            .with("cpuHotRemoveEnabled", false)
            .with("extraConfig", extra.collect::<Vec<_>>())
            .with("datastoreUrl", urls)
            .with("swapPlacement", "inherit")
            .with(
                "bootOptions",
                data("VirtualMachineBootOptions")
                    .with("bootDelay", 0)
                    .with("enterBIOSSetup", false)
                    .with("efiSecureBootEnabled", vm.secure_boot)
                    .with("bootRetryEnabled", false)
                    .with("bootRetryDelay", 10_000)
                    .with("bootOrder", vm.boot_order.clone())
                    .with("networkBootProtocol", "ipv4"),
            )
            .with("vAssertsEnabled", false)
            .with("changeTrackingEnabled", vm.change_tracking)
            .with("firmware", &vm.firmware)
            .with("maxMksConnections", 40)
            .with("guestAutoLockEnabled", true)
            .with("memoryReservationLockedToMax", false)
            .with("nestedHVEnabled", false)
            .with("vPMCEnabled", false)
    }
}

fn flags(vm: &Vm) -> Data {
    data("VirtualMachineFlagInfo")
        .with("disableAcceleration", false)
        .with("enableLogging", true)
        .with("useToe", false)
        .with("runWithDebugInfo", false)
        .with("monitorType", "release")
        .with("htSharing", "any")
        .with("snapshotDisabled", false)
        .with("snapshotLocked", false)
        .with(
            "diskUuidEnabled",
            vm.extra("disk.EnableUUID").is_some_and(|flag| flag.eq_ignore_ascii_case("true")),
        )
        .with("virtualMmuUsage", "automatic")
        .with("virtualExecUsage", "hvAuto")
        .with("snapshotPowerOffBehavior", "powerOff")
        .with("vbsEnabled", false)
}

/// The files of every disk of a machine, with the key of the disk; of each the newest first.
pub(super) fn disk_chains(vm: &Vm) -> Vec<(i64, Vec<String>)> {
    vm.disks().map(|disk| (disk.int("key").unwrap_or(0), chain(disk))).collect()
}
