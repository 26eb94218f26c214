//! ESXi hosts.

use super::compute::MHZ;
use super::{Sight, part, service};
use crate::sim::vcenter::soap::{Data, Value, data};
use crate::sim::vcenter::world::{Host, Object};

impl Sight<'_> {
    pub(super) fn host_property(&self, object: &Object, host: &Host, name: &str) -> Option<Value> {
        match name {
            "runtime" => Some(runtime(host).into()),
            "summary" => Some(self.host_summary(object, host).into()),
            "hardware" => Some(hardware(host).into()),
            "config" => Some(self.host_config(object, host).into()),
            "vm" => Some(self.world.vms_on(&object.moref).into()),
            "datastore" => Some(self.world.datastores_on(&object.moref).into()),
            "network" => Some(self.world.networks_on(&object.moref).into()),
            "datastoreBrowser" => {
                let first = self.world.datastores_on(&object.moref).into_iter().next();
                first.map(|datastore| part("HostDatastoreBrowser", &datastore).into())
            }
            "configManager" => Some(
                data("HostConfigManager")
                    .with("datastoreSystem", part("HostDatastoreSystem", &object.moref))
                    .with("storageSystem", part("HostStorageSystem", &object.moref))
                    .with("networkSystem", part("HostNetworkSystem", &object.moref))
                    .with("advancedOption", part("OptionManager", &object.moref))
                    .into(),
            ),
            _ => None,
        }
    }

    fn host_summary(&self, object: &Object, host: &Host) -> Data {
        let cores = host.cores;
        data("HostListSummary")
            .with("host", &object.moref)
            .with(
                "hardware",
                data("HostHardwareSummary")
                    .with("vendor", "Dell Inc.")
                    .with("model", "PowerEdge R650")
                    .with("uuid", &host.uuid)
                    .with("memorySize", host.memory)
                    .with("cpuModel", "Intel(R) Xeon(R) Gold 6330 CPU @ 2.60GHz")
                    .with("cpuMhz", MHZ)
                    .with("numCpuPkgs", 2)
                    .with("numCpuCores", cores)
                    .with("numCpuThreads", cores * 2)
                    .with("numNics", 4)
                    .with("numHBAs", 2),
            )
            .with("runtime", runtime(host))
            .with(
                "config",
                data("HostConfigSummary")
                    .with("name", object.name.clone())
                    .with("port", 443)
                    .with("product", self.product())
                    .with("vmotionEnabled", true)
                    .with("faultToleranceEnabled", false),
            )
            .with(
                "quickStats",
                data("HostListSummaryQuickStats")
                    .with("overallCpuUsage", cores * MHZ / 5)
                    .with("overallMemoryUsage", host.memory / (1 << 20) / 2)
                    .with("uptime", 864_000),
            )
            .with("overallStatus", self.status(object))
            .with("rebootRequired", false)
    }

    fn product(&self) -> Data {
        data("AboutInfo")
            .with("name", "VMware ESXi")
            .with("fullName", "VMware ESXi 8.0.2 build-22380479")
            .with("vendor", "VMware, Inc.")
            .with("version", "8.0.2")
            .with("build", "22380479")
            .with("osType", "vmnix-x86")
            .with("productLineId", "embeddedEsx")
            .with("apiType", "HostAgent")
            .with("apiVersion", self.world.options.api_version.clone())
    }

    fn host_config(&self, object: &Object, host: &Host) -> Data {
        let options =
            host.settings.iter().map(|(key, value)| service::option(key, Value::typed("long", *value)));
        data("HostConfigInfo")
            .with("host", &object.moref)
            .with("product", self.product())
            .with("fileSystemVolume", self.mounts(&object.moref))
            .with("network", self.network_info(host))
            .with("option", options.collect::<Vec<_>>())
    }

    pub(super) fn network_info(&self, host: &Host) -> Data {
        let groups = host.portgroups.iter().map(|group| {
            data("HostPortGroup")
                .with("key", format!("key-vim.host.PortGroup-{}", group.name))
                .with("computedPolicy", data("HostNetworkPolicy"))
                .with(
                    "spec",
                    data("HostPortGroupSpec")
                        .with("name", &group.name)
                        .with("vlanId", group.vlan)
                        .with("vswitchName", &group.switch)
                        .with("policy", data("HostNetworkPolicy")),
                )
        });
        let address = data("HostIpConfig")
            .with("dhcp", false)
            .with("ipAddress", &host.address)
            .with("subnetMask", "255.255.255.0");
        let nic = data("HostVirtualNic")
            .with("device", "vmk0")
            .with("key", "key-vim.host.VirtualNic-vmk0")
            .with("portgroup", "Management Network")
            .with("spec", data("HostVirtualNicSpec").with("ip", address));
        data("HostNetworkInfo")
            .with("portgroup", groups.collect::<Vec<_>>())
            .with("vnic", vec![nic])
            .with("ipV6Enabled", false)
    }
}

fn runtime(host: &Host) -> Data {
    data("HostRuntimeInfo")
        .with("connectionState", host.connection)
        .with("powerState", if host.connection == "notResponding" { "unknown" } else { "poweredOn" })
        .with("standbyMode", "none")
        .with("inMaintenanceMode", host.maintenance)
        .with("inQuarantineMode", false)
        .with("hostMaxVirtualDiskCapacity", 62_i64 << 40)
}

fn hardware(host: &Host) -> Data {
    data("HostHardwareInfo")
        .with(
            "systemInfo",
            data("HostSystemInfo")
                .with("vendor", "Dell Inc.")
                .with("model", "PowerEdge R650")
                .with("uuid", &host.uuid),
        )
        .with(
            "cpuInfo",
            data("HostCpuInfo")
                .with("numCpuPackages", 2)
                .with("numCpuCores", host.cores)
                .with("numCpuThreads", host.cores * 2)
                .with("hz", MHZ * 1_000_000),
        )
        .with("memorySize", host.memory)
        .with("smcPresent", false)
}
