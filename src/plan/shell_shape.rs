//! The settings and devices of a DR shell that a repair changes: what it has to have, and which change makes it so.

use serde::{Deserialize, Serialize};

use crate::domain::dr_shell::ShellSpec;
use crate::domain::hardware::{Controller, Firmware, Hardware, MacRange, Nic, NicNetwork};
use crate::domain::machine::Machine;

/// What a shell has to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Virtual CPUs.
    pub cpus: u32,
    /// Cores of each socket.
    pub cores_per_socket: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// The guest operating system's id; none: it does not matter.
    pub guest_id: Option<String>,
    /// How it boots.
    pub firmware: Firmware,
    /// Whether UEFI checks what it boots.
    pub secure_boot: bool,
    /// Whether its guest sees the UUIDs of its disks.
    pub shows_disk_uuids: bool,
    /// Its controllers of disks, but for those that every virtual machine has.
    pub controllers: Vec<Controller>,
    /// Its network cards, in their order.
    pub nics: Vec<ShapeNic>,
}

/// A network card that a shell has to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShapeNic {
    /// Its type in vSphere's words.
    pub kind: String,
    /// Its network.
    pub network: NicNetwork,
    /// Its address; none: any.
    pub mac: Option<String>,
    /// Whether it is connected when the machine starts.
    pub start_connected: bool,
}

impl ShapeNic {
    fn is_that_card(&self, nic: &Nic) -> bool {
        let address = self
            .mac
            .as_deref()
            .is_none_or(|mac| nic.mac.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(mac)));
        self.kind == nic.kind && address
    }

    fn is_on_its_network(&self, nic: &Nic) -> bool {
        self.network.key() == nic.network.key()
    }
}

fn without_given(controllers: &[Controller]) -> Vec<Controller> {
    controllers.iter().filter(|one| one.kind != "VirtualIDEController").cloned().collect()
}

fn is_same(one: &Controller, other: &Controller) -> bool {
    one.kind == other.kind && one.bus == other.bus
}

/// How devices have to be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceChanges {
    /// Controllers that go.
    pub drop_controllers: Vec<Controller>,
    /// Controllers that come.
    pub add_controllers: Vec<Controller>,
    /// Cards that go.
    pub drop_nics: Vec<Nic>,
    /// Cards that come, in this order.
    pub add_nics: Vec<ShapeNic>,
    /// Cards that are connected elsewhere.
    pub connect_nics: Vec<(Nic, NicNetwork)>,
}

impl Shape {
    /// As it is specified.
    pub fn of_spec(spec: &ShellSpec) -> Self {
        let nic = |nic: &crate::domain::dr_shell::ShellNic| ShapeNic {
            kind: nic.kind.clone(),
            network: nic.network.clone(),
            mac: nic.mac.clone(),
            start_connected: nic.start_connected,
        };
        Self {
            cpus: spec.cpus,
            cores_per_socket: spec.cores_per_socket,
            memory_mib: spec.memory_mib,
            guest_id: spec.guest_id.clone(),
            firmware: spec.firmware,
            secure_boot: spec.secure_boot,
            shows_disk_uuids: spec.shows_disk_uuids,
            controllers: without_given(&spec.controllers),
            nics: spec.nics.iter().map(nic).collect(),
        }
    }

    /// As a virtual machine is, to be brought back to that.
    pub fn of_machine(machine: &Machine) -> Self {
        let nic = |nic: &Nic| ShapeNic {
            kind: nic.kind.clone(),
            network: nic.network.clone(),
            // One that a host made up belongs to one configuration file and cannot be typed.
            mac: nic.mac.clone().filter(|mac| MacRange::of(mac) != MacRange::Generated),
            start_connected: nic.start_connected,
        };
        Self {
            cpus: machine.cpus,
            cores_per_socket: machine.cores_per_socket,
            memory_mib: machine.memory_mib,
            guest_id: machine.guest_id.clone(),
            firmware: machine.firmware,
            secure_boot: machine.secure_boot,
            shows_disk_uuids: machine.shows_disk_uuids,
            controllers: without_given(&machine.hardware.controllers),
            nics: machine.hardware.nics.iter().map(nic).collect(),
        }
    }

    /// Whether a virtual machine is so.
    pub fn is_had_by(&self, now: &Machine) -> bool {
        let settings = (self.cpus, self.cores_per_socket, self.memory_mib, self.firmware, self.secure_boot)
            == (now.cpus, now.cores_per_socket, now.memory_mib, now.firmware, now.secure_boot);
        settings
            && self.guest_id.as_ref().is_none_or(|id| now.guest_id.as_ref() == Some(id))
            && self.shows_disk_uuids == now.shows_disk_uuids
            && self.devices(&now.hardware) == DeviceChanges::default()
    }

    /// What of its devices has to be changed. Cards are told apart by their order, so where one of them has to be another,
    /// all are made anew.
    pub fn devices(&self, now: &Hardware) -> DeviceChanges {
        let has = without_given(&now.controllers);
        let missing = |all: &[Controller], from: &[Controller]| -> Vec<Controller> {
            from.iter().filter(|one| !all.iter().any(|other| is_same(one, other))).cloned().collect()
        };
        let mut changes = DeviceChanges {
            drop_controllers: missing(&self.controllers, &has),
            add_controllers: missing(&has, &self.controllers),
            ..DeviceChanges::default()
        };
        let pairs = || self.nics.iter().zip(&now.nics);
        if self.nics.len() == now.nics.len() && pairs().all(|(wanted, nic)| wanted.is_that_card(nic)) {
            changes.connect_nics = pairs()
                .filter(|(wanted, nic)| !wanted.is_on_its_network(nic))
                .map(|(wanted, nic)| (nic.clone(), wanted.network.clone()))
                .collect();
        } else {
            changes.drop_nics = now.nics.clone();
            changes.add_nics = self.nics.clone();
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn controller(key: i32, bus: i32) -> Controller {
        Controller { key, kind: "ParaVirtualSCSIController".to_owned(), bus }
    }

    fn nic(key: i32, kind: &str, network: &str) -> Nic {
        Nic {
            key,
            label: format!("Network adapter {key}"),
            kind: kind.to_owned(),
            mac: Some("00:50:56:01:02:03".to_owned()),
            mac_is_manual: true,
            network: NicNetwork::Standard { name: network.to_owned(), network: None },
            start_connected: true,
            place: None,
        }
    }

    fn machine(nics: Vec<Nic>) -> Machine {
        Machine {
            name: "erp".to_owned(),
            instance_uuid: None,
            bios_uuid: None,
            guest_id: Some("debian12_64Guest".to_owned()),
            version: None,
            cpus: 2,
            cores_per_socket: 1,
            memory_mib: 4096,
            firmware: Firmware::Efi,
            secure_boot: false,
            boot_order: Vec::new(),
            shows_disk_uuids: false,
            is_encrypted: false,
            template: false,
            has_snapshot: false,
            home: None,
            hardware: Hardware { controllers: vec![controller(1000, 0)], nics, ..Hardware::default() },
        }
    }

    #[test]
    fn what_is_as_it_has_to_be_is_not_changed() {
        let now = machine(vec![nic(4000, "VirtualVmxnet3", "Servers")]);
        let shape = Shape::of_machine(&now);
        assert!(shape.is_had_by(&now));
        assert!(!Shape { cpus: 4, ..shape.clone() }.is_had_by(&now));
        let mut with_ide = now.clone();
        let ide = Controller { key: 200, kind: "VirtualIDEController".to_owned(), bus: 0 };
        with_ide.hardware.controllers.push(ide);
        assert!(shape.is_had_by(&with_ide), "those are there in every virtual machine");
    }

    #[test]
    fn a_card_on_another_network_is_connected_and_another_card_is_made_anew_with_all() {
        let now =
            machine(vec![nic(4000, "VirtualVmxnet3", "Servers"), nic(4001, "VirtualVmxnet3", "Backup")]);
        let mut shape = Shape::of_machine(&now);
        shape.nics[1].network = NicNetwork::Standard { name: "DR".to_owned(), network: None };
        let found = shape.devices(&now.hardware);
        assert_eq!((found.connect_nics.len(), found.drop_nics.len(), found.add_nics.len()), (1, 0, 0));
        shape.nics[0].kind = "VirtualE1000e".to_owned();
        let found = shape.devices(&now.hardware);
        assert_eq!((found.connect_nics.len(), found.drop_nics.len(), found.add_nics.len()), (0, 2, 2));
    }

    #[test]
    fn controllers_are_told_by_type_and_bus() {
        let now = machine(Vec::new());
        let mut shape = Shape::of_machine(&now);
        shape.controllers = vec![controller(7, 1)];
        let found = shape.devices(&now.hardware);
        assert_eq!((found.drop_controllers[0].bus, found.add_controllers[0].bus), (0, 1));
    }
}
