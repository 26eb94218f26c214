//! Networks, distributed port groups and switches.

use super::{Sight, list};
use crate::sim::vcenter::soap::{Data, Moref, Value, data};
use crate::sim::vcenter::world::{Network, Object, Portgroup, Switch, Vlan};

impl Sight<'_> {
    fn network_common(&self, object: &Object, name: &str) -> Option<Value> {
        match name {
            "host" => Some(self.world.hosts_of_network(&object.moref).into()),
            "vm" => {
                let mut vms: Vec<Moref> = self
                    .world
                    .vms()
                    .filter(|(_, vm)| self.world.networks_of(vm).contains(&object.moref))
                    .map(|(object, _)| object.moref.clone())
                    .collect();
                vms.sort_by_key(crate::sim::vcenter::world::age);
                Some(vms.into())
            }
            "summary" => Some(
                data("NetworkSummary")
                    .with("network", &object.moref)
                    .with("name", object.name.clone())
                    .with("accessible", true)
                    .with("ipPoolName", "")
                    .into(),
            ),
            _ => None,
        }
    }

    pub(super) fn network_property(&self, object: &Object, _: &Network, name: &str) -> Option<Value> {
        self.network_common(object, name)
    }

    pub(super) fn portgroup_property(
        &self,
        object: &Object,
        portgroup: &Portgroup,
        name: &str,
    ) -> Option<Value> {
        match name {
            "key" => Some((&portgroup.key).into()),
            "portKeys" => Some(Value::List((0..8).map(|port| Value::from(port.to_string())).collect())),
            "config" => Some(portgroup_config(object, portgroup).into()),
            _ => self.network_common(object, name),
        }
    }

    pub(super) fn switch_property(&self, object: &Object, switch: &Switch, name: &str) -> Option<Value> {
        match name {
            "uuid" => Some((&switch.uuid).into()),
            "portgroup" => Some(switch.portgroups.clone().into()),
            "capability" => Some(data("DVSCapability").with("dvsOperationSupported", true).into()),
            "runtime" => Some(data("DVSRuntimeInfo").into()),
            "summary" => Some(
                data("DVSSummary")
                    .with("name", object.name.clone())
                    .with("uuid", &switch.uuid)
                    .with("numPorts", 512)
                    .with("hostMember", switch.hosts.clone())
                    .with("productInfo", product())
                    .with("numHosts", switch.hosts.len())
                    .into(),
            ),
            "config" => Some(self.switch_config(object, switch).into()),
            "networkResourcePool" => list([]),
            _ => None,
        }
    }

    fn switch_config(&self, object: &Object, switch: &Switch) -> Data {
        let uplinks: Vec<_> = switch
            .portgroups
            .iter()
            .filter(|moref| self.world.portgroup(moref).is_ok_and(|portgroup| portgroup.uplink))
            .cloned()
            .collect();
        data("VMwareDVSConfigInfo")
            .with("uuid", &switch.uuid)
            .with("name", object.name.clone())
            .with("numStandalonePorts", 0)
            .with("numPorts", 512)
            .with("maxPorts", i32::MAX)
            .with(
                "uplinkPortPolicy",
                data("DVSNameArrayUplinkPortPolicy")
                    .with("uplinkPortName", vec!["Uplink 1".to_owned(), "Uplink 2".to_owned()]),
            )
            .with("uplinkPortgroup", uplinks)
            .with("defaultPortConfig", setting(&Vlan::Id(0)))
            .with("productInfo", product())
            .with("contact", data("DVSContactInfo"))
            .with("extensionKey", "")
            .with("configVersion", "1")
            .with("createTime", jiff::Timestamp::UNIX_EPOCH)
            .with("networkResourceManagementEnabled", true)
            .with("policy", data("DVSPolicy"))
            .with("maxMtu", 9000)
    }
}

fn product() -> Data {
    data("DistributedVirtualSwitchProductSpec")
        .with("name", "DVS")
        .with("vendor", "VMware, Inc.")
        .with("version", "8.0.0")
        .with("forwardingClass", "etherswitch")
}

fn setting(vlan: &Vlan) -> Data {
    let vlan = match vlan {
        Vlan::Id(id) => {
            data("VmwareDistributedVirtualSwitchVlanIdSpec").with("inherited", false).with("vlanId", *id)
        }
        Vlan::Private(id) => {
            data("VmwareDistributedVirtualSwitchPvlanSpec").with("inherited", false).with("pvlanId", *id)
        }
        Vlan::Trunk(first, last) => data("VmwareDistributedVirtualSwitchTrunkVlanSpec")
            .with("inherited", false)
            .with("vlanId", vec![data("NumericRange").with("start", *first).with("end", *last)]),
    };
    data("VMwareDVSPortSetting").with("vlan", vlan)
}

fn portgroup_config(object: &Object, portgroup: &Portgroup) -> Data {
    data("DVPortgroupConfigInfo")
        .with("key", &portgroup.key)
        .with("name", object.name.clone())
        .with("numPorts", 8)
        .with("distributedVirtualSwitch", &portgroup.switch)
        .with("defaultPortConfig", setting(&portgroup.vlan))
        .with("description", "")
        .with("type", "earlyBinding")
        .with("backingType", "standard")
        .with("policy", policy())
        .with("configVersion", "1")
        .with("autoExpand", true)
        .with("uplink", portgroup.uplink)
}

fn policy() -> Data {
    data("VMwareDVSPortgroupPolicy")
        .with("blockOverrideAllowed", true)
        .with("shapingOverrideAllowed", false)
        .with("vendorConfigOverrideAllowed", false)
        .with("livePortMovingAllowed", false)
        .with("portConfigResetAtDisconnect", true)
        .with("vlanOverrideAllowed", false)
        .with("uplinkTeamingOverrideAllowed", false)
        .with("securityPolicyOverrideAllowed", false)
}
