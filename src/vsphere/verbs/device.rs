//! Changes of devices: disks added, attached and detached, NICs added and moved to another network.

use crate::domain::hardware::{Controller, Disk, MacRange, Nic, NicNetwork};
use crate::vsphere::xml::Xml;

/// A disk that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDisk {
    /// The key of its controller.
    pub controller: i32,
    /// Its place there; see [`crate::domain::hardware::Hardware::free_scsi_unit`].
    pub unit: i32,
    /// Its size; a multiple of 1024.
    pub capacity_bytes: u64,
    /// Whether space is taken as it is written.
    pub thin: bool,
    /// `[datastore]` or `[datastore] folder/name.vmdk`; none: beside the virtual machine.
    pub file: Option<String>,
}

/// An existing VMDK that becomes a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachDisk {
    /// The key of its controller.
    pub controller: i32,
    /// Its place there.
    pub unit: i32,
    /// `[datastore] folder/name.vmdk`.
    pub file: String,
    /// Its size, if known.
    pub capacity_bytes: Option<u64>,
}

/// Where a NIC is to be connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NicConnection {
    /// A port group of standard switches, by its name.
    Standard {
        /// The name.
        name: String,
    },
    /// A port group of a distributed switch.
    Distributed {
        /// The switch's UUID.
        switch: String,
        /// The port group's key.
        portgroup: String,
    },
}

impl NicConnection {
    /// The connection that a NIC has now, if it can be made again.
    pub fn of(network: &NicNetwork) -> Option<Self> {
        match network {
            NicNetwork::Standard { name, .. } => Some(Self::Standard { name: name.clone() }),
            NicNetwork::Distributed { switch, portgroup } => {
                Some(Self::Distributed { switch: switch.clone(), portgroup: portgroup.clone() })
            }
            NicNetwork::Other => None,
        }
    }

    fn write(&self, xml: &mut Xml) {
        match self {
            Self::Standard { name } => {
                xml.typed("backing", "VirtualEthernetCardNetworkBackingInfo", |xml| {
                    xml.text("deviceName", name);
                });
            }
            Self::Distributed { switch, portgroup } => {
                xml.typed("backing", "VirtualEthernetCardDistributedVirtualPortBackingInfo", |xml| {
                    xml.element("port", |xml| {
                        xml.text("switchUuid", switch).text("portgroupKey", portgroup);
                    });
                });
            }
        }
    }
}

/// A network card that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicSpec {
    /// Its type in vSphere's words, such as `VirtualVmxnet3`.
    pub kind: String,
    /// Where it is connected.
    pub connection: NicConnection,
    /// Its address; none: one is drawn.
    pub mac: Option<String>,
    /// Whether it is connected when the machine starts.
    pub start_connected: bool,
}

/// One change of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceChange {
    /// Adds a SCSI or other disk controller: type, bus number, and the (negative) key by which other changes of
    /// the same request name it.
    AddController {
        /// The key within the request.
        key: i32,
        /// Its type in vSphere's words.
        kind: String,
        /// Its bus number.
        bus: i32,
    },
    /// Takes a controller out, on which nothing may be.
    RemoveController(Controller),
    /// Makes a disk.
    AddDisk(NewDisk),
    /// Attaches an existing VMDK.
    AttachDisk(AttachDisk),
    /// Takes a disk out. Its files are kept, always.
    DetachDisk(Disk),
    /// Adds a network card.
    AddNic(NicSpec),
    /// Connects a network card elsewhere. Its address stays.
    ConnectNic(Nic, NicConnection),
    /// Takes a network card out.
    RemoveNic(Nic),
}

impl DeviceChange {
    /// Writes a `deviceChange`. `number` tells the changes of one request apart.
    pub(super) fn write(&self, number: i32, xml: &mut Xml) {
        let new_key = -1000 - number;
        xml.element("deviceChange", |xml| match self {
            Self::AddController { key, kind, bus } => {
                xml.text("operation", "add");
                xml.typed("device", kind, |xml| {
                    xml.number("key", *key).number("busNumber", *bus);
                    if kind.contains("SCSI") || kind.contains("Logic") {
                        xml.text("sharedBus", "noSharing");
                    }
                });
            }
            Self::RemoveController(controller) => {
                xml.text("operation", "remove");
                xml.typed("device", &controller.kind, |xml| {
                    xml.number("key", controller.key).number("busNumber", controller.bus);
                    if controller.is_scsi() {
                        xml.text("sharedBus", "noSharing");
                    }
                });
            }
            Self::AddDisk(disk) => {
                xml.text("operation", "add").text("fileOperation", "create");
                xml.typed("device", "VirtualDisk", |xml| {
                    xml.number("key", new_key);
                    write_backing(xml, disk.file.as_deref().unwrap_or_default(), Some(disk.thin));
                    xml.number("controllerKey", disk.controller).number("unitNumber", disk.unit);
                    xml.number("capacityInKB", disk.capacity_bytes / 1024);
                    xml.number("capacityInBytes", disk.capacity_bytes);
                });
            }
            Self::AttachDisk(disk) => {
                // Without a file operation the file is taken as it is.
                xml.text("operation", "add");
                xml.typed("device", "VirtualDisk", |xml| {
                    xml.number("key", new_key);
                    write_backing(xml, &disk.file, None);
                    xml.number("controllerKey", disk.controller).number("unitNumber", disk.unit);
                    xml.number("capacityInKB", disk.capacity_bytes.unwrap_or(0) / 1024);
                    if let Some(bytes) = disk.capacity_bytes {
                        xml.number("capacityInBytes", bytes);
                    }
                });
            }
            Self::DetachDisk(disk) => {
                // No file operation, ever: with `destroy` here the file would be deleted.
                xml.text("operation", "remove");
                xml.typed("device", "VirtualDisk", |xml| {
                    xml.number("key", disk.key);
                    xml.number("controllerKey", disk.controller).number("unitNumber", disk.unit);
                    xml.number("capacityInKB", disk.capacity_bytes / 1024);
                });
            }
            Self::AddNic(nic) => {
                xml.text("operation", "add");
                xml.typed("device", &nic.kind, |xml| {
                    xml.number("key", new_key);
                    nic.connection.write(xml);
                    write_connectable(xml, nic.start_connected);
                    match &nic.mac {
                        Some(mac) => {
                            let assigned = MacRange::of(mac) == MacRange::Assigned;
                            let word = if assigned { "assigned" } else { "manual" };
                            xml.text("addressType", word).text("macAddress", mac)
                        }
                        None => xml.text("addressType", "generated"),
                    };
                });
            }
            Self::ConnectNic(nic, connection) => {
                xml.text("operation", "edit");
                xml.typed("device", &nic.kind, |xml| {
                    xml.number("key", nic.key);
                    xml.typed("deviceInfo", "Description", |xml| {
                        xml.text("label", &nic.label).text("summary", "");
                    });
                    connection.write(xml);
                    write_connectable(xml, nic.start_connected);
                    if let Some((controller, unit)) = nic.place {
                        xml.number("controllerKey", controller).number("unitNumber", unit);
                    }
                    xml.text("addressType", if nic.mac_is_manual { "manual" } else { "assigned" });
                    xml.maybe("macAddress", nic.mac.as_deref());
                });
            }
            Self::RemoveNic(nic) => {
                xml.text("operation", "remove");
                xml.typed("device", &nic.kind, |xml| {
                    xml.number("key", nic.key);
                });
            }
        });
    }
}

fn write_backing(xml: &mut Xml, file: &str, thin: Option<bool>) {
    xml.typed("backing", "VirtualDiskFlatVer2BackingInfo", |xml| {
        xml.text("fileName", file).text("diskMode", "persistent");
        if let Some(thin) = thin {
            xml.flag("thinProvisioned", thin);
        }
    });
}

fn write_connectable(xml: &mut Xml, start_connected: bool) {
    xml.element("connectable", |xml| {
        // What is to be disconnected is not connected by its guest either.
        xml.flag("startConnected", start_connected).flag("allowGuestControl", start_connected);
        xml.flag("connected", start_connected);
    });
}
