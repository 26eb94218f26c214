//! Guest customisation: what the specification makes of the guest at its next start.

use super::{Address, Vm, World, is_nic};
use crate::sim::vcenter::soap::{Data, Fault, Moref, Value};

/// Guests that can be customised.
fn is_customizable(guest: &str) -> bool {
    [
        "debian",
        "ubuntu",
        "rhel",
        "centos",
        "sles",
        "rocky",
        "alma",
        "windows",
        "oracle",
        "fedora",
        "otherLinux",
        "other5xLinux",
        "other6xLinux",
        "other4xLinux",
        "photon",
    ]
    .iter()
    .any(|known| guest.starts_with(known))
}

/// Refuses a specification that does not fit the machine.
pub(in crate::sim::vcenter) fn check(spec: &Data, vm: &Vm) -> Result<(), Fault> {
    let asked = spec.list("nicSettingMap").len();
    let cards = vm.devices.iter().filter(|device| is_nic(device)).count();
    if asked != cards {
        return Err(Fault::new(
            "NicSettingMismatch",
            "The number of network adapters in the specification does not match those of the virtual machine.",
        )
        .with("numberOfNicsInSpec", asked)
        .with("numberOfNicsInVM", cards));
    }
    if !is_customizable(&vm.guest_id) {
        return Err(Fault::new(
            "UncustomizableGuest",
            "Customization of the guest operating system is not supported.",
        )
        .with("uncustomizableGuestOS", vm.guest_id.clone()));
    }
    let windows = vm.guest_id.starts_with("windows");
    let identity = spec.data("identity").map_or("", |identity| identity.ty);
    if windows == (identity == "CustomizationLinuxPrep") {
        return Err(Fault::invalid_argument("spec.identity"));
    }
    for (index, item) in spec.list("nicSettingMap").iter().filter_map(Value::data).enumerate() {
        let settings = item.data("adapter");
        let ip =
            settings.and_then(|settings| settings.data("ip")).filter(|ip| ip.ty == "CustomizationFixedIp");
        let Some(ip) = ip else { continue };
        let valid = |text: Option<&str>| text.is_some_and(|text| text.parse::<std::net::Ipv4Addr>().is_ok());
        let mask = settings.and_then(|settings| settings.text("subnetMask"));
        if !valid(ip.text("ipAddress")) {
            return Err(Fault::invalid_argument("spec.nicSettingMap.adapter.ip.ipAddress"));
        }
        if !valid(mask) {
            return Err(Fault::invalid_argument("spec.nicSettingMap.adapter.subnetMask")
                .with("invalidProperty", format!("spec.nicSettingMap[{index}].adapter.subnetMask")));
        }
    }
    Ok(())
}

fn prefix(mask: Option<&str>) -> i64 {
    let bits = mask.and_then(|mask| mask.parse::<std::net::Ipv4Addr>().ok()).map_or(0xffff_ff00, u32::from);
    i64::from(bits.leading_ones())
}

fn host_name(identity: &Data, machine: &str) -> Option<String> {
    let name = match identity.ty {
        "CustomizationLinuxPrep" => identity.data("hostName")?,
        _ => identity.data("userData")?.data("computerName")?,
    };
    Some(match name.ty {
        "CustomizationFixedName" => name.text("name")?.to_owned(),
        "CustomizationPrefixName" => format!("{}-1", name.text("base")?),
        _ => machine.replace([' ', '_', '.'], "-"),
    })
}

impl World {
    /// Applies what is pending. Returns whether the guest goes on.
    pub(in crate::sim::vcenter) fn customize_guest(&mut self, moref: &Moref) -> bool {
        let machine = self.name(moref).to_owned();
        let Ok(vm) = self.vm_mut(moref) else { return false };
        let Some(spec) = vm.customization.take() else { return true };
        if vm.extra("sim.customization") == Some("fail") {
            vm.customization_status = "TOOLSDEPLOYPKG_FAILED";
            self.vm_event(
                "CustomizationFailed",
                moref,
                "An error occurred during customization. See the guest's log.",
            );
            // The guest itself goes on, with what it had before.
            return true;
        }
        if let Some(name) = spec.data("identity").and_then(|identity| host_name(identity, &machine)) {
            vm.guest.host_name = Some(name);
        }
        let keys: Vec<_> = vm.nics().filter_map(|nic| nic.int("key")).collect();
        let settings = spec.list("nicSettingMap").iter().filter_map(Value::data);
        vm.guest.fixed = keys
            .into_iter()
            .zip(settings)
            .filter_map(|(key, item)| {
                let adapter = item.data("adapter")?;
                let ip = adapter.data("ip")?.text("ipAddress")?.to_owned();
                let gateway = adapter.list("gateway").first().and_then(Value::text).map(str::to_owned);
                Some((key, Address { ip, prefix: prefix(adapter.text("subnetMask")), gateway }))
            })
            .collect();
        vm.customization_status = "TOOLSDEPLOYPKG_SUCCEEDED";
        self.vm_event("CustomizationSucceeded", moref, "Customization succeeded.");
        true
    }
}
