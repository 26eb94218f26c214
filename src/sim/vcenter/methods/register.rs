//! Machines that come into the inventory with the files they have, and go without losing them.

use super::disks::set_backing;
use super::provision::mounted;
use super::{Answer, Ctx};
use crate::sim::vcenter::soap::{Fault, Moref};
use crate::sim::vcenter::world::{Body, DatastorePath, Power, Vm, World, is_disk, is_nic, key_at, parse_vmx};

pub(super) fn register(c: &mut Ctx<'_>) -> Answer {
    let (path, name) = (c.text("path")?, c.args.text("name").map(str::to_owned));
    let template = c.args.flag("asTemplate").unwrap_or(false);
    let (pool, host) = (c.maybe_object("pool")?, c.maybe_object("host")?);
    let folder = c.this.clone();
    if !c.world.folder(&folder)?.types.contains(&"VirtualMachine") {
        return Err(Fault::not_supported());
    }
    if pool.is_none() && !template {
        return Err(Fault::invalid_argument("pool"));
    }
    let datacenter = c.world.datacenter_of(&folder);
    let check = c.world.datastore_path(&path, datacenter.as_ref()).and_then(|at| free(c.world, &at));
    c.task(("RegisterVM_Task", "Folder.registerVm"), 1.5, check, move |world| {
        let at = world.datastore_path(&path, datacenter.as_ref())?;
        free(world, &at)?;
        let (found, mut vm) = read(world, &at)?;
        let name = name.unwrap_or(found);
        world.check_name(&folder, &name, None)?;
        vm.host = match &pool {
            Some(pool) => Some(world.place(pool, host.as_ref())?),
            None => host,
        };
        if let Some(host) = &vm.host {
            mounted(world, host, &at.datastore)?;
        }
        vm.pool = pool.filter(|_| !template);
        vm.template = template;
        let moref = world.fresh("VirtualMachine", "vm-");
        world.put(moref.clone(), &name, Some(folder), Body::Vm(Box::new(vm)));
        world.touch_places(&moref);
        world.vm_event("VmRegisteredEvent", &moref, "The virtual machine was registered.");
        Ok(Some(moref.into()))
    })
}

/// Refuses a configuration file that is not there, or that a machine has already.
fn free(world: &World, at: &DatastorePath) -> Result<(), Fault> {
    if !world.exists(at)? {
        return Err(Fault::file_not_found(&at.to_string()));
    }
    match world.vms().find(|(_, vm)| vm.vmx == *at) {
        Some((object, _)) => Err(Fault::new("AlreadyExists", "The virtual machine is registered already.")
            .with("name", object.name.clone())),
        None => Ok(()),
    }
}

/// Reads a configuration file into a machine. Disks that are not there come along, as in life, and fail later.
fn read(world: &mut World, at: &DatastorePath) -> Result<(String, Vm), Fault> {
    let mut vm = Vm::new(at.clone(), world.timestamp());
    let content = world.read(at)?;
    let text = String::from_utf8_lossy(&content).into_owned();
    let name = parse_vmx(&text, &mut vm).ok_or_else(|| {
        Fault::new("VmConfigFault", format!("The configuration file {at} is not valid."))
            .retyped("GenericVmConfigFault")
            .with("reason", "invalid")
    })?;
    if vm.uuid.is_empty() {
        vm.uuid = world.new_uuid("564d");
    }
    let taken = world.vms().any(|(_, other)| other.instance_uuid == vm.instance_uuid);
    if taken || vm.instance_uuid.is_empty() {
        vm.instance_uuid = world.new_uuid("5038");
    }
    let mut devices = std::mem::take(&mut vm.devices);
    let mut card = 4000;
    for device in &mut devices {
        if is_disk(device) {
            let said = device
                .data("backing")
                .and_then(|backing| backing.text("fileName"))
                .unwrap_or_default()
                .to_owned();
            let file = match said.starts_with('[') {
                true => world.datastore_path(&said, None),
                false => Ok(at.at(format!("{}/{said}", at.directory()))),
            };
            let (controller, unit) =
                (device.int("controllerKey").unwrap_or(1000), device.int("unitNumber").unwrap_or(0));
            device.set("key", key_at(controller, unit));
            if let Ok((file, (backing, capacity))) =
                file.and_then(|file| Ok((file.clone(), world.open_disk(&file)?)))
            {
                let _ = file;
                set_backing(device, backing, capacity);
            } else {
                device.set("capacityInKB", 0);
            }
        } else if is_nic(device) {
            device.set("key", card);
            device.set("controllerKey", 100);
            device.set("unitNumber", card - 4000 + 7);
            card += 1;
        }
    }
    vm.devices = devices;
    Ok((name, vm))
}

/// Takes a machine out of the inventory and leaves its files.
pub(super) fn leave(world: &mut World, moref: &Moref) -> Result<(), Fault> {
    world.touch_places(moref);
    for snapshot in world.vm(moref)?.snapshots.clone() {
        world.remove(&snapshot);
    }
    world.remove(moref);
    Ok(())
}

pub(super) fn unregister(c: &mut Ctx<'_>) -> Answer {
    let vm = c.world.vm(&c.this)?;
    if vm.power == Power::On {
        return Err(Fault::power_state(Some("poweredOff"), "poweredOn"));
    }
    if let Some(task) = &vm.busy {
        return Err(Fault::busy(task));
    }
    let this = c.this.clone();
    c.world.vm_event("VmRemovedEvent", &this, "The virtual machine was removed from the inventory.");
    leave(c.world, &this)?;
    Ok(None)
}
