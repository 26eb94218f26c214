//! Device changes of a reconfiguration: add, edit, remove, with what they do to files.

use crate::sim::vcenter::soap::{Data, Fault, Moref, Value, schema};
use crate::sim::vcenter::world::{
    DatastorePath, FIXED_CONTROLLERS, Power, Vm, World, controller_range, fixed, is_controller, is_disk,
    is_nic, key_at, units,
};

use super::disks::{set_backing, wanted_capacity};

/// The longest list of cards.
const MOST_CARDS: usize = 10;

/// What a set of changes does, until it is known that all of it can be done.
struct Draft<'a> {
    world: &'a mut World,
    vm: Vm,
    name: String,
    datacenter: Option<Moref>,
    /// Temporary keys of the client, and what they became.
    keys: Vec<(i64, i64)>,
    /// Disks whose files were made, to be taken away again if the rest fails.
    made: Vec<DatastorePath>,
    /// Disks whose files go when all is well.
    doomed: Vec<DatastorePath>,
}

/// Applies device changes to a machine that is not in the inventory yet, or to a copy of one that is.
pub(in crate::sim::vcenter) fn change_devices(
    world: &mut World,
    vm: Vm,
    name: &str,
    changes: &[Value],
) -> Result<Vm, Fault> {
    let datacenter = world.datacenter_of(&vm.vmx.datastore);
    let mut draft = Draft {
        world,
        vm,
        name: name.to_owned(),
        datacenter,
        keys: Vec::new(),
        made: Vec::new(),
        doomed: Vec::new(),
    };
    for (index, change) in changes.iter().filter_map(Value::data).enumerate() {
        if let Err(fault) = draft.one(index, change) {
            for file in std::mem::take(&mut draft.made) {
                // What could not be taken away again is left, as on a host that lost its datastore.
                let _ = draft.world.delete_disk(&file);
            }
            return Err(fault);
        }
    }
    for file in std::mem::take(&mut draft.doomed) {
        draft.world.delete_disk(&file)?;
    }
    Ok(draft.vm)
}

impl Draft<'_> {
    fn one(&mut self, index: usize, change: &Data) -> Result<(), Fault> {
        let Some(device) = change.data("device").cloned() else {
            return Err(Fault::invalid_device(index, "deviceChange.device"));
        };
        let files = change.text("fileOperation");
        match change.text("operation") {
            Some("add") => self.add(index, device, files),
            Some("remove") => self.remove(index, &device, files),
            Some("edit") => self.edit(index, &device),
            _ => Err(Fault::invalid_device(index, "deviceChange.operation")),
        }
    }

    fn add(&mut self, index: usize, mut device: Data, files: Option<&str>) -> Result<(), Fault> {
        let asked = device.int("key");
        if is_controller(&device) {
            self.add_controller(index, &mut device)?;
        } else if is_disk(&device) {
            self.seat(index, &mut device)?;
            self.back(index, &mut device, files)?;
        } else if is_nic(&device) {
            self.add_card(index, &mut device)?;
        } else {
            self.add_other(index, &mut device)?;
        }
        if let (Some(asked), Some(key)) = (asked, device.int("key")) {
            self.keys.push((asked, key));
        }
        self.vm.devices.push(device);
        Ok(())
    }

    fn add_controller(&mut self, index: usize, device: &mut Data) -> Result<(), Fault> {
        if device.int("key").is_some_and(|key| FIXED_CONTROLLERS.contains(&key)) {
            return Err(Fault::invalid_device(index, "deviceChange.device.key"));
        }
        let (base, most) =
            controller_range(device.ty).ok_or_else(|| Fault::invalid_device(index, "deviceChange.device"))?;
        let taken: Vec<_> = self
            .vm
            .devices
            .iter()
            .filter(|other| controller_range(other.ty) == Some((base, most)))
            .filter_map(|other| other.int("busNumber"))
            .collect();
        let free = (0..most).find(|bus| !taken.contains(bus));
        let asked = device.int("busNumber").filter(|bus| (0..most).contains(bus) && !taken.contains(bus));
        let bus =
            asked.or(free).ok_or_else(|| Fault::invalid_device(index, "deviceChange.device.busNumber"))?;
        device.set("busNumber", bus);
        device.set("key", base + bus);
        Ok(())
    }

    /// A controller of the machine, by the key that the client used for it.
    fn controller(&self, index: usize, key: Option<i64>) -> Result<Data, Fault> {
        let key = key.ok_or_else(|| Fault::invalid_device(index, "deviceChange.device.controllerKey"))?;
        let real = self.keys.iter().rev().find(|(asked, _)| *asked == key).map_or(key, |(_, real)| *real);
        let own = self.vm.device(real).filter(|device| is_controller(device)).cloned();
        let found = own.or_else(|| fixed().into_iter().find(|device| device.int("key") == Some(real)));
        found.ok_or_else(|| {
            Fault::new("InvalidController", format!("There is no controller with the key {key}."))
                .with("property", "deviceChange.device.controllerKey")
                .with("deviceIndex", index)
                .with("controllerKey", key)
        })
    }

    /// Finds a disk its place on a controller.
    fn seat(&mut self, index: usize, device: &mut Data) -> Result<(), Fault> {
        let controller = self.controller(index, device.int("controllerKey"))?;
        let key = controller.int("key").unwrap_or(0);
        let (count, own) = units(&controller);
        let wrong = || Fault::invalid_device(index, "deviceChange.device.unitNumber");
        let unit = match device.int("unitNumber").filter(|unit| *unit >= 0) {
            None => self.vm.free_unit(&controller).ok_or_else(wrong)?,
            Some(unit) if unit >= count || Some(unit) == own => return Err(wrong()),
            Some(unit) => unit,
        };
        let taken =
            self.vm.devices.iter().any(|other| {
                other.int("controllerKey") == Some(key) && other.int("unitNumber") == Some(unit)
            });
        if taken {
            return Err(wrong());
        }
        device.set("controllerKey", key);
        device.set("unitNumber", unit);
        device.set("key", key_at(key, unit));
        Ok(())
    }

    fn file(&self, device: &Data) -> Result<Option<DatastorePath>, Fault> {
        let backing = device.data("backing");
        let Some(text) = backing.and_then(|backing| backing.text("fileName")).filter(|text| !text.is_empty())
        else {
            return Ok(None);
        };
        self.world.datastore_path(text, self.datacenter.as_ref()).map(Some)
    }

    /// Makes a disk's files, or finds those that are there.
    fn back(&mut self, index: usize, device: &mut Data, files: Option<&str>) -> Result<(), Fault> {
        let named = self.file(device)?;
        match files {
            None => {
                let at = named.filter(|at| !at.path.is_empty());
                let at =
                    at.ok_or_else(|| Fault::invalid_device(index, "deviceChange.device.backing.fileName"))?;
                let (backing, capacity) = self.world.open_disk(&at)?;
                set_backing(device, backing, capacity);
                Ok(())
            }
            Some("create") => {
                let capacity = wanted_capacity(device)
                    .ok_or_else(|| Fault::invalid_device(index, "deviceChange.device.capacityInKB"))?;
                let at = match named {
                    Some(at) if at.path.ends_with(".vmdk") => at,
                    other => self.new_disk_name(other.as_ref(), device)?,
                };
                self.world.make_disk(&at, capacity)?;
                self.made.push(at.clone());
                let (backing, _) = self.world.open_disk(&at)?;
                set_backing(device, backing, capacity);
                Ok(())
            }
            Some(other) => Err(Fault::invalid_device(index, "deviceChange.fileOperation")
                .with("badFileOp", other.to_owned())
                .retyped("InvalidDeviceOperation")),
        }
    }

    fn new_disk_name(&self, on: Option<&DatastorePath>, device: &Data) -> Result<DatastorePath, Fault> {
        let home = self.vm.vmx.at(self.vm.vmx.directory());
        let asked = device.data("backing").and_then(|backing| backing.moref("datastore"));
        let directory = match (on, asked) {
            (Some(on), _) if on.datastore != home.datastore => on.at(home.path.clone()),
            (None, Some(asked)) if *asked != home.datastore => self.world.path_on(asked, home.path.clone()),
            _ => home,
        };
        self.world.free_disk_name(&directory, &self.name)
    }

    fn add_card(&mut self, index: usize, device: &mut Data) -> Result<(), Fault> {
        let count = self.vm.nics().count();
        if count >= MOST_CARDS {
            return Err(Fault::invalid_device(index, "deviceChange.device"));
        }
        let datacenter = self.datacenter.clone();
        self.world.check_card(device, index, datacenter.as_ref())?;
        let key = (4000..).find(|key| self.vm.device(*key).is_none()).unwrap_or(4000);
        device.set("key", key);
        device.set("controllerKey", 100);
        device.set("unitNumber", key - 4000 + 7);
        match device.text("macAddress").filter(|mac| !mac.is_empty()) {
            Some(mac) if !is_mac(mac) => {
                return Err(Fault::invalid_device(index, "deviceChange.device.macAddress"));
            }
            Some(mac) => {
                let mac = mac.to_ascii_lowercase();
                device.set("macAddress", mac);
                if device.get("addressType").is_none() {
                    device.set("addressType", "manual");
                }
            }
            None => {
                let mac = self.world.new_mac();
                device.set("macAddress", mac);
                device.set("addressType", "assigned");
            }
        }
        connect(device, self.vm.power == Power::On);
        Ok(())
    }

    fn add_other(&mut self, index: usize, device: &mut Data) -> Result<(), Fault> {
        if let Some(file) = self.file(device)?
            && schema().is_a(device.ty, "VirtualCdrom")
            && !self.world.exists(&file)?
        {
            return Err(Fault::file_not_found(&file.to_string()));
        }
        if device.int("controllerKey").is_some() && schema().is_a(device.ty, "VirtualCdrom") {
            return self.seat(index, device);
        }
        let base = if schema().is_a(device.ty, "VirtualSerialPort") { 9000 } else { 13000 };
        let key = (base..).find(|key| self.vm.device(*key).is_none()).unwrap_or(base);
        device.set("key", key);
        Ok(())
    }

    fn remove(&mut self, index: usize, device: &Data, files: Option<&str>) -> Result<(), Fault> {
        let key = device.int("key").unwrap_or(-1);
        let at = self.vm.devices.iter().position(|own| own.int("key") == Some(key));
        let at = at.ok_or_else(|| Fault::invalid_device(index, "deviceChange.device.key"))?;
        if is_controller(&self.vm.devices[at]) {
            let used = self.vm.devices.iter().any(|own| own.int("controllerKey") == Some(key));
            if used {
                return Err(Fault::new("ResourceInUse", "The controller has devices.")
                    .with("type", self.vm.devices[at].ty)
                    .with("name", format!("device {key}")));
            }
        }
        let gone = self.vm.devices.remove(at);
        if files == Some("destroy") && is_disk(&gone) {
            self.doomed.extend(self.file(&gone)?);
        }
        Ok(())
    }

    fn edit(&mut self, index: usize, asked: &Data) -> Result<(), Fault> {
        let key = asked.int("key").unwrap_or(-1);
        let own = self.vm.device(key).filter(|own| own.ty == asked.ty).cloned();
        let mut own = own.ok_or_else(|| Fault::invalid_device(index, "deviceChange.device.key"))?;
        if is_disk(&own) {
            let before = wanted_capacity(&own).unwrap_or(0);
            let file = self.file(asked)?;
            if file.is_some() && file != self.file(&own)? {
                return Err(Fault::invalid_device(index, "deviceChange.device.backing"));
            }
            if let Some(after) = wanted_capacity(asked).filter(|after| *after != before) {
                if after < before || !self.vm.snapshots.is_empty() {
                    return Err(Fault::invalid_device(index, "deviceChange.device.capacityInKB"));
                }
                if let Some(file) = self.file(&own)? {
                    self.world.grow_disk(&file, after)?;
                }
                own.set("capacityInKB", after / 1024);
                own.set("capacityInBytes", after);
            }
        } else if is_nic(&own) {
            if let Some(backing) = asked.get("backing") {
                own.set("backing", backing.clone());
                let datacenter = self.datacenter.clone();
                self.world.check_card(&mut own, index, datacenter.as_ref())?;
            }
            if let Some(mac) = asked.text("macAddress").filter(|mac| Some(*mac) != own.text("macAddress")) {
                if self.vm.power == Power::On {
                    return Err(Fault::power_state(Some("poweredOff"), "poweredOn"));
                }
                if !is_mac(mac) {
                    return Err(Fault::invalid_device(index, "deviceChange.device.macAddress"));
                }
                let mac = mac.to_ascii_lowercase();
                own.set("macAddress", mac);
            }
            for field in ["addressType", "connectable", "wakeOnLanEnabled"] {
                if let Some(value) = asked.get(field) {
                    own.set(field, value.clone());
                }
            }
            connect(&mut own, self.vm.power == Power::On);
        } else {
            for field in ["backing", "connectable"] {
                if let Some(value) = asked.get(field) {
                    own.set(field, value.clone());
                }
            }
        }
        if let Some(place) = self.vm.device_mut(key) {
            *place = own;
        }
        Ok(())
    }
}

fn is_mac(text: &str) -> bool {
    let parts: Vec<_> = text.split(':').collect();
    parts.len() == 6
        && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Fills in how a card is connected where the client did not say.
fn connect(device: &mut Data, on: bool) {
    use crate::sim::vcenter::soap::data;
    let asked = device.data("connectable").cloned().unwrap_or_else(|| data("VirtualDeviceConnectInfo"));
    let start = asked.flag("startConnected").unwrap_or(true);
    let connected = on && asked.flag("connected").unwrap_or(start);
    device.set(
        "connectable",
        data("VirtualDeviceConnectInfo")
            .with("startConnected", start)
            .with("allowGuestControl", asked.flag("allowGuestControl").unwrap_or(true))
            .with("connected", connected)
            .with("status", if connected { "ok" } else { "untried" }),
    );
}
