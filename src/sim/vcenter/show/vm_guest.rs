//! What VMware Tools tell of the guest.

use super::Sight;
use super::vm_config::guest_name;
use crate::sim::vcenter::soap::{Data, Value, data};
use crate::sim::vcenter::world::{Address, Object, Power, Vm, card_network};

/// Whether tools are installed and run, in the three words that clients ask for: status, version, running.
fn tools(vm: &Vm) -> (&'static str, &'static str, &'static str) {
    match (vm.tools, vm.guest.running) {
        (false, _) => ("toolsNotInstalled", "guestToolsNotInstalled", "guestToolsNotRunning"),
        (true, false) => ("toolsNotRunning", "guestToolsUnmanaged", "guestToolsNotRunning"),
        (true, true) => ("toolsOk", "guestToolsUnmanaged", "guestToolsRunning"),
    }
}

fn family(vm: &Vm) -> &'static str {
    if vm.guest_id.starts_with("windows") { "windowsGuest" } else { "linuxGuest" }
}

/// The first address that is worth showing.
fn primary(vm: &Vm) -> Option<&str> {
    let all = || vm.guest.addresses.iter().map(|(_, address)| address.ip.as_str());
    all().find(|ip| !ip.starts_with("169.254.")).or_else(|| all().next()).filter(|_| vm.guest.running)
}

fn ip_config(address: &Address) -> Data {
    data("NetIpConfigInfo").with(
        "ipAddress",
        vec![
            data("NetIpConfigInfoIpAddress")
                .with("ipAddress", &address.ip)
                .with("prefixLength", address.prefix)
                .with("state", "preferred"),
        ],
    )
}

impl Sight<'_> {
    pub(super) fn vm_guest(&self, object: &Object, vm: &Vm) -> Data {
        let (status, version, running) = tools(vm);
        let up = vm.guest.running;
        let nics = vm.nics().filter(|_| up).map(|nic| {
            let address = vm
                .guest
                .addresses
                .iter()
                .find(|(key, _)| Some(*key) == nic.int("key"))
                .map(|(_, address)| address);
            let network = card_network(self.world, nic).map(|network| self.world.name(&network).to_owned());
            data("GuestNicInfo")
                .maybe("network", network)
                .maybe("ipAddress", address.map(|address| vec![address.ip.clone()]))
                .maybe("macAddress", nic.text("macAddress").map(str::to_owned))
                .with(
                    "connected",
                    nic.data("connectable").and_then(|connect| connect.flag("connected")).unwrap_or(true),
                )
                .with("deviceConfigId", nic.int("key").unwrap_or(0))
                .maybe("ipConfig", address.map(ip_config))
        });
        let gateway = vm.guest.addresses.iter().find_map(|(_, address)| address.gateway.clone());
        let host_name = vm.guest.host_name.clone().filter(|_| up && !vm.guest.addresses.is_empty());
        let stack = data("GuestStackInfo")
            .maybe(
                "dnsConfig",
                host_name.clone().map(|name| {
                    data("NetDnsConfigInfo")
                        .with("dhcp", vm.guest.fixed.is_empty())
                        .with("hostName", name)
                        .with("domainName", "")
                }),
            )
            .maybe(
                "ipRouteConfig",
                gateway.map(|gateway| {
                    let route = data("NetIpRouteConfigInfoIpRoute")
                        .with("network", "0.0.0.0")
                        .with("prefixLength", 0)
                        .with(
                            "gateway",
                            data("NetIpRouteConfigInfoGateway")
                                .with("ipAddress", gateway)
                                .with("device", "0"),
                        );
                    data("NetIpRouteConfigInfo").with("ipRoute", vec![route])
                }),
            );
        data("GuestInfo")
            .with("toolsStatus", status)
            .with("toolsVersionStatus", version)
            .with("toolsVersionStatus2", version)
            .with("toolsRunningStatus", running)
            .with("toolsVersion", if vm.tools { "12389" } else { "0" })
            .maybe("toolsInstallType", vm.tools.then_some("guestToolsTypeOpenVMTools"))
            .maybe("guestId", up.then_some(&vm.guest_id))
            .maybe("guestFamily", up.then_some(family(vm)))
            .maybe("guestFullName", up.then_some(guest_name(&vm.guest_id)))
            .maybe("hostName", host_name)
            .maybe("ipAddress", primary(vm).map(str::to_owned))
            .with("net", nics.collect::<Vec<_>>())
            .maybe("ipStack", up.then(|| Value::List(vec![stack.into()])))
            .with("screen", data("GuestScreenInfo").with("width", 1024).with("height", 768))
            .with(
                "guestState",
                if vm.power != Power::On {
                    "notRunning"
                } else if up {
                    "running"
                } else {
                    "unknown"
                },
            )
            .with("guestOperationsReady", up)
            .with("interactiveGuestOperationsReady", false)
            .with("guestStateChangeSupported", up)
            .with("customizationInfo", self.customization(object, vm))
    }

    fn customization(&self, _: &Object, vm: &Vm) -> Data {
        let failed = vm.customization_status == "TOOLSDEPLOYPKG_FAILED";
        data("GuestInfoCustomizationInfo").with("customizationStatus", vm.customization_status).maybe(
            "errorMsg",
            failed.then_some("The customization script in the guest ended with status 127."),
        )
    }

    pub(super) fn vm_guest_summary(&self, vm: &Vm) -> Data {
        let (status, version, running) = tools(vm);
        let host_name =
            vm.guest.host_name.clone().filter(|_| vm.guest.running && !vm.guest.addresses.is_empty());
        data("VirtualMachineGuestSummary")
            .maybe("guestId", vm.guest.running.then_some(&vm.guest_id))
            .maybe("guestFullName", vm.guest.running.then_some(guest_name(&vm.guest_id)))
            .with("toolsStatus", status)
            .with("toolsVersionStatus", version)
            .with("toolsVersionStatus2", version)
            .with("toolsRunningStatus", running)
            .maybe("hostName", host_name)
            .maybe("ipAddress", primary(vm).map(str::to_owned))
    }
}
