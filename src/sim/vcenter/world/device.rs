//! Virtual devices: those that every machine has, keys and places of the others, and the networks of cards.

use super::{Body, Vm, World};
use crate::sim::vcenter::soap::{Data, Fault, Moref, Value, data, schema};

/// Controllers that every machine has: PCI, two IDE, PS/2, super I/O.
pub(in crate::sim::vcenter) const FIXED_CONTROLLERS: [i64; 5] = [100, 200, 201, 300, 400];

pub(in crate::sim::vcenter) fn is_disk(device: &Data) -> bool {
    device.ty == "VirtualDisk"
}

pub(in crate::sim::vcenter) fn is_nic(device: &Data) -> bool {
    schema().is_a(device.ty, "VirtualEthernetCard")
}

pub(in crate::sim::vcenter) fn is_controller(device: &Data) -> bool {
    schema().is_a(device.ty, "VirtualController")
}

pub(in crate::sim::vcenter) fn is_scsi(device: &Data) -> bool {
    schema().is_a(device.ty, "VirtualSCSIController")
}

fn describe(label: String, summary: String) -> Data {
    data("Description").with("label", label).with("summary", summary)
}

/// The devices that every machine has, as they stand before the others.
pub(in crate::sim::vcenter) fn fixed() -> Vec<Data> {
    let controller = |ty: &'static str, key: i64, bus: i64, label: &str| {
        data(ty)
            .with("key", key)
            .with("deviceInfo", describe(label.to_owned(), label.to_owned()))
            .with("busNumber", bus)
    };
    let child = |ty: &'static str, key: i64, controller: i64, unit: i64, label: &str| {
        data(ty)
            .with("key", key)
            .with("deviceInfo", describe(label.to_owned(), label.to_owned()))
            .with("controllerKey", controller)
            .with("unitNumber", unit)
    };
    vec![
        controller("VirtualIDEController", 200, 0, "IDE 0"),
        controller("VirtualIDEController", 201, 1, "IDE 1"),
        controller("VirtualPS2Controller", 300, 0, "PS2 controller 0"),
        controller("VirtualPCIController", 100, 0, "PCI controller 0"),
        controller("VirtualSIOController", 400, 0, "SIO controller 0"),
        child("VirtualKeyboard", 600, 300, 0, "Keyboard"),
        child("VirtualPointingDevice", 700, 300, 1, "Pointing device").with(
            "backing",
            data("VirtualPointingDeviceDeviceBackingInfo")
                .with("deviceName", "")
                .with("hostPointingDevice", "autodetect"),
        ),
        child("VirtualMachineVideoCard", 500, 100, 0, "Video card").with("videoRamSizeInKB", 8192),
        child("VirtualMachineVMCIDevice", 12000, 100, 17, "VMCI device").with("id", -1),
    ]
}

/// The lowest key and the highest bus number of controllers of this type.
pub(in crate::sim::vcenter) fn controller_range(ty: &str) -> Option<(i64, i64)> {
    Some(match ty {
        ty if schema().is_a(ty, "VirtualSCSIController") => (1000, 4),
        ty if schema().is_a(ty, "VirtualSATAController") => (15000, 4),
        "VirtualNVMEController" => (31000, 4),
        "VirtualUSBController" => (7000, 1),
        "VirtualUSBXHCIController" => (14000, 1),
        _ => return None,
    })
}

/// The unit numbers that a controller has, and the one that it takes itself.
pub(in crate::sim::vcenter) fn units(controller: &Data) -> (i64, Option<i64>) {
    match controller.ty {
        "ParaVirtualSCSIController" => (64, Some(7)),
        "VirtualAHCIController" | "VirtualSATAController" => (30, None),
        "VirtualNVMEController" => (15, None),
        "VirtualIDEController" => (2, None),
        _ => (16, Some(7)),
    }
}

/// The key of a device by its place, as ESXi numbers them.
pub(in crate::sim::vcenter) fn key_at(controller: i64, unit: i64) -> i64 {
    match controller {
        200..=201 => 3000 + (controller - 200) * 2 + unit,
        15000..=15999 => 16000 + (controller - 15000) * 30 + unit,
        31000..=31999 => 32000 + (controller - 31000) * 15 + unit,
        _ if unit > 15 => 131_072 + (controller - 1000) * 64 + unit,
        _ => 2000 + (controller - 1000) * 16 + unit,
    }
}

impl Vm {
    /// A device that is not one of the fixed ones.
    pub(in crate::sim::vcenter) fn device(&self, key: i64) -> Option<&Data> {
        self.devices.iter().find(|device| device.int("key") == Some(key))
    }

    pub(in crate::sim::vcenter) fn device_mut(&mut self, key: i64) -> Option<&mut Data> {
        self.devices.iter_mut().find(|device| device.int("key") == Some(key))
    }

    /// All devices as a client sees them: controllers with what is on them, labels numbered.
    pub(in crate::sim::vcenter) fn all_devices(&self) -> Vec<Data> {
        let mut found = fixed();
        for device in &self.devices {
            found.push(device.clone());
        }
        let on = |controller: i64| -> Vec<i64> {
            found
                .iter()
                .filter(|device| device.int("controllerKey") == Some(controller))
                .filter_map(|device| device.int("key"))
                .collect()
        };
        let children: Vec<_> =
            found.iter().map(|device| device.int("key").map(&on).unwrap_or_default()).collect();
        let (mut disks, mut cards) = (0, 0);
        for (device, children) in found.iter_mut().zip(children) {
            if is_controller(device) && !children.is_empty() {
                let keys = children.into_iter().map(Value::from).collect::<Vec<_>>();
                device.set("device", keys);
            }
            if is_disk(device) {
                disks += 1;
                let summary = format!("{} KB", device.int("capacityInKB").unwrap_or(0));
                device.set("deviceInfo", describe(format!("Hard disk {disks}"), summary));
            } else if is_nic(device) {
                cards += 1;
                let network = device.data("backing").and_then(|backing| backing.text("deviceName"));
                let summary = network.map_or_else(|| "DVSwitch".to_owned(), str::to_owned);
                device.set("deviceInfo", describe(format!("Network adapter {cards}"), summary));
            } else if is_scsi(device) {
                let bus = device.int("busNumber").unwrap_or(0);
                let word = match device.ty {
                    "ParaVirtualSCSIController" => "VMware paravirtual SCSI",
                    "VirtualLsiLogicSASController" => "LSI Logic SAS",
                    _ => "LSI Logic",
                };
                device.set("deviceInfo", describe(format!("SCSI controller {bus}"), word.to_owned()));
                device.set("controllerKey", 100);
                device.set("unitNumber", 3 + bus);
                device.set("scsiCtlrUnitNumber", 7);
                device.set("hotAddRemove", true);
            } else if device.get("deviceInfo").is_none() {
                let label = device.ty.trim_start_matches("Virtual").to_owned();
                device.set("deviceInfo", describe(label.clone(), label));
            }
        }
        found
    }

    /// A unit number that nothing on the controller has yet.
    pub(in crate::sim::vcenter) fn free_unit(&self, controller: &Data) -> Option<i64> {
        let key = controller.int("key")?;
        let (count, own) = units(controller);
        let taken = |unit: i64| {
            self.devices.iter().any(|device| {
                device.int("controllerKey") == Some(key) && device.int("unitNumber") == Some(unit)
            })
        };
        (0..count).find(|unit| Some(*unit) != own && !taken(*unit))
    }
}

/// The network that a card is on.
pub(in crate::sim::vcenter) fn card_network(world: &World, nic: &Data) -> Option<Moref> {
    let backing = nic.data("backing")?;
    if let Some(port) = backing.data("port") {
        return world.portgroup_of_key(port.text("portgroupKey")?);
    }
    match backing.moref("network") {
        Some(network) => world.objects.contains_key(&network.id).then(|| network.clone()),
        None => world.standard_network(None, backing.text("deviceName")?),
    }
}

/// What puts a card on a network.
pub(in crate::sim::vcenter) fn network_backing(world: &World, network: &Moref) -> Data {
    match world.objects.get(&network.id).map(|object| &object.body) {
        Some(Body::Portgroup(portgroup)) => {
            let switch =
                world.switch(&portgroup.switch).map(|switch| switch.uuid.clone()).unwrap_or_default();
            data("VirtualEthernetCardDistributedVirtualPortBackingInfo").with(
                "port",
                data("DistributedVirtualSwitchPortConnection")
                    .with("switchUuid", switch)
                    .with("portgroupKey", &portgroup.key),
            )
        }
        _ => data("VirtualEthernetCardNetworkBackingInfo")
            .with("deviceName", world.name(network).to_owned())
            .with("network", network),
    }
}

impl World {
    /// What a client said about a card's network, checked against what there is.
    pub(in crate::sim::vcenter) fn check_card(
        &mut self,
        nic: &mut Data,
        index: usize,
        datacenter: Option<&Moref>,
    ) -> Result<(), Fault> {
        let backing = nic.data("backing").ok_or_else(|| {
            Fault::new("InvalidDeviceSpec", "The card has no backing.")
                .with("property", "backing")
                .with("deviceIndex", index)
        })?;
        let network = match (backing.data("port"), backing.text("deviceName")) {
            (Some(port), _) => {
                let key = port.text("portgroupKey").unwrap_or_default();
                let network = self.portgroup_of_key(key).ok_or_else(Fault::not_found)?;
                let switch = self.portgroup(&network)?.switch.clone();
                if port.text("switchUuid") != Some(&*self.switch(&switch)?.uuid) {
                    return Err(Fault::invalid_argument("spec.deviceChange.device.port.switchUuid"));
                }
                network
            }
            (None, Some(name)) => self.standard_network(datacenter, name).ok_or_else(|| {
                Fault::new("InvalidDeviceBacking", format!("There is no network '{name}'."))
                    .with("property", "deviceChange.device.backing")
                    .with("deviceIndex", index)
            })?,
            (None, None) => return Err(Fault::invalid_device(index, "deviceChange.device.backing")),
        };
        let mut backing = network_backing(self, &network);
        if let Body::Portgroup(portgroup) = &mut self.object_mut(&network)?.body {
            portgroup.ports += 1;
            let number = portgroup.ports;
            let port = backing.take("port").and_then(|port| port.data().cloned());
            let port = port.map(|port| {
                port.with("portKey", number.to_string())
                    .with("connectionCookie", number * 7919 % 2_000_000_000)
            });
            backing = backing.maybe("port", port);
        }
        nic.set("backing", backing);
        Ok(())
    }
}
