//! Machines in which something runs ([`crate::sim::machines`]): said when they boot and when they are off.

use super::{Vm, World, is_disk};
use crate::sim::machines::Booted;
use crate::sim::vcenter::soap::{Data, Moref};

/// The option by which a machine says that something runs inside.
const MACHINE: &str = "sim.machine";

/// Serial number, as a guest sees it, and size in bytes.
fn disk(device: &Data) -> Option<(String, u64)> {
    let uuid = device.data("backing")?.text("uuid")?.replace('-', "").to_ascii_lowercase();
    Some((uuid, u64::try_from(device.int("capacityInBytes")?).ok()?))
}

impl World {
    /// Whether something runs in this machine.
    pub(super) fn is_machine(&self, moref: &Moref) -> bool {
        let says = |vm: &Vm| !vm.template && vm.extra(MACHINE).is_some();
        self.options.machines.is_some() && self.vm(moref).is_ok_and(says)
    }

    /// It has booted, and its cards have addresses.
    pub(super) fn machine_up(&mut self, moref: &Moref) {
        let Some(machines) = self.options.machines.clone().filter(|_| self.is_machine(moref)) else { return };
        let name = self.name(moref).to_owned();
        let Ok(vm) = self.vm_mut(moref) else { return };
        let told = vm.extra.iter().filter(|(key, _)| key.starts_with("guestinfo."));
        let booted = Booted {
            id: vm.instance_uuid.clone(),
            host_name: vm.guest.host_name.clone().unwrap_or_else(|| name.clone()),
            name,
            addresses: vm.guest.addresses.iter().filter_map(|(_, address)| address.ip.parse().ok()).collect(),
            disks: vm.devices.iter().filter(|device| is_disk(device)).skip(1).filter_map(disk).collect(),
            told: told.map(|(key, value)| (key.clone(), value.clone())).collect(),
        };
        vm.extra.extend(machines.up(&booted));
    }

    /// It is off.
    pub(super) fn machine_down(&mut self, moref: &Moref) {
        let Some(machines) = self.options.machines.clone().filter(|_| self.is_machine(moref)) else { return };
        if let Ok(vm) = self.vm(moref) {
            machines.down(&vm.instance_uuid);
        }
    }
}
