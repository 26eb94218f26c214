//! Changing a virtual machine's configuration.

use super::device::DeviceChange;
use crate::domain::hardware::Firmware;
use crate::domain::machine::BootItem;
use crate::domain::moref::{TaskRef, VmRef};
use crate::vsphere::xml::Xml;
use crate::vsphere::{Client, Request, VsphereError};

/// What is to change. What is `None` or empty stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconfigure {
    /// The version of the configuration that the change was decided upon: it is refused if that has changed.
    pub change_version: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// The hardware version, such as `vmx-19`. Only for one that is made: an existing one is upgraded instead.
    pub version: Option<String>,
    /// The BIOS UUID.
    pub uuid: Option<String>,
    /// The instance UUID.
    pub instance_uuid: Option<String>,
    /// The guest operating system's id.
    pub guest_id: Option<String>,
    /// Remarks.
    pub annotation: Option<String>,
    /// Number of virtual CPUs.
    pub cpus: Option<i32>,
    /// Cores per socket.
    pub cores_per_socket: Option<i32>,
    /// Memory in MiB.
    pub memory_mib: Option<i64>,
    /// How it boots.
    pub firmware: Option<Firmware>,
    /// Whether UEFI checks what it boots.
    pub secure_boot: Option<bool>,
    /// What it tries to start from, by the keys of its own devices; empty: as it is.
    pub boot_order: Vec<BootItem>,
    /// Whether it tries to start from nothing in particular any more, but as its firmware likes.
    pub clear_boot_order: bool,
    /// Devices.
    pub devices: Vec<DeviceChange>,
    /// Options such as `disk.EnableUUID`. An empty value deletes one.
    pub extra_config: Vec<(String, String)>,
}

impl Reconfigure {
    /// Writes the inside of a `VirtualMachineConfigSpec`, with `files` between remarks and CPUs.
    pub(super) fn write(&self, xml: &mut Xml, home: Option<&str>) {
        xml.maybe("changeVersion", self.change_version.as_deref()).maybe("name", self.name.as_deref());
        xml.maybe("version", self.version.as_deref());
        xml.maybe("uuid", self.uuid.as_deref()).maybe("instanceUuid", self.instance_uuid.as_deref());
        xml.maybe("guestId", self.guest_id.as_deref()).maybe("annotation", self.annotation.as_deref());
        if let Some(home) = home {
            xml.element("files", |xml| {
                xml.text("vmPathName", home);
            });
        }
        if let Some(cpus) = self.cpus {
            xml.number("numCPUs", cpus);
        }
        if let Some(cores) = self.cores_per_socket {
            xml.number("numCoresPerSocket", cores);
        }
        if let Some(memory) = self.memory_mib {
            xml.number("memoryMB", memory);
        }
        for (change, number) in self.devices.iter().zip(0..) {
            change.write(number, xml);
        }
        for (key, value) in &self.extra_config {
            xml.typed("extraConfig", "OptionValue", |xml| {
                xml.text("key", key).string("value", value);
            });
        }
        if self.secure_boot.is_some() || !self.boot_order.is_empty() || self.clear_boot_order {
            xml.element("bootOptions", |xml| {
                if let Some(secure) = self.secure_boot {
                    xml.flag("efiSecureBootEnabled", secure);
                }
                if self.clear_boot_order {
                    // An empty list says "as it is". A device of no kind says "none": it is not in the API's documentation,
                    // but what VMware's own tools send (govmomi, `device.boot -order -`).
                    xml.typed("bootOrder", "VirtualMachineBootOptionsBootableDevice", |_| ());
                }
                for item in &self.boot_order {
                    write_boot_item(item, xml);
                }
            });
        }
        xml.maybe("firmware", self.firmware.map(Firmware::as_str));
    }

    /// The request for this virtual machine.
    pub fn request(&self, vm: &VmRef) -> Request {
        Request::new("ReconfigVM_Task", vm, format!("change the configuration of {vm}"), |xml| {
            xml.element("spec", |xml| self.write(xml, None));
        })
    }
}

fn write_boot_item(item: &BootItem, xml: &mut Xml) {
    let (kind, key) = match item {
        BootItem::Disk { key } => ("DiskDevice", Some(*key)),
        BootItem::Nic { key } => ("EthernetDevice", Some(*key)),
        BootItem::Cd => ("CdromDevice", None),
        BootItem::Floppy => ("FloppyDevice", None),
    };
    xml.typed("bootOrder", &format!("VirtualMachineBootOptionsBootable{kind}"), |xml| {
        if let Some(key) = key {
            xml.number("deviceKey", key);
        }
    });
}

impl Client {
    /// Changes the configuration of a virtual machine.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn reconfigure(&self, vm: &VmRef, change: &Reconfigure) -> Result<TaskRef, VsphereError> {
        self.start(&change.request(vm)).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::device::NewDisk;
    use super::*;
    use crate::domain::hardware::Disk;

    #[test]
    fn a_detached_disk_keeps_its_file_and_the_order_is_the_schemas() {
        let disk = Disk {
            key: 2000,
            label: "Hard disk 1".to_owned(),
            controller: 1000,
            unit: 0,
            file: Some("[ds] a/a.vmdk".to_owned()),
            parents: Vec::new(),
            datastore: None,
            capacity_bytes: 1 << 30,
            thin: None,
            mode: "persistent".to_owned(),
            uuid: None,
        };
        let new = NewDisk { controller: 1000, unit: 8, capacity_bytes: 4096, thin: true, file: None };
        let change = Reconfigure {
            cpus: Some(2),
            memory_mib: Some(8192),
            firmware: Some(Firmware::Efi),
            devices: vec![DeviceChange::DetachDisk(disk), DeviceChange::AddDisk(new)],
            extra_config: vec![("disk.EnableUUID".to_owned(), "<TRUE>".to_owned())],
            ..Reconfigure::default()
        };
        let request = change.request(&VmRef::new("vm-1"));
        let written = request.arguments();
        let detached =
            "<deviceChange><operation>remove</operation><device xsi:type=\"VirtualDisk\"><key>2000</key>";
        assert!(written.contains(detached), "{written}");
        assert_eq!(
            written.matches("fileOperation").count(),
            2,
            "only the new disk's opening and closing: {written}"
        );
        let order = ["<numCPUs>2<", "<memoryMB>8192<", "remove", "create", "&lt;TRUE&gt;", "<firmware>efi<"];
        let places: Vec<_> = order.iter().map(|piece| written.find(piece).unwrap()).collect();
        assert!(places.is_sorted(), "{places:?}");
    }
}
