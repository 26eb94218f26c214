//! What can be done with every entity: rename, destroy.

use super::reconfigure::rename_check;
use super::register::leave;
use super::{Answer, Ctx};
use crate::sim::vcenter::soap::{Fault, Moref};
use crate::sim::vcenter::world::{Body, Occurrence, Power, World, chain};

pub(super) fn rename(c: &mut Ctx<'_>) -> Answer {
    let (name, this) = (c.text("newName")?, c.this.clone());
    let check = rename_check(c.world, &this, &name);
    c.task(("Rename_Task", "ManagedEntity.rename"), 0.5, check, move |world| {
        rename_check(world, &this, &name)?;
        world.object_mut(&this)?.name = name;
        world.touch(&this);
        if this.kind == "VirtualMachine" {
            world.save(&this)?;
            world.vm_event("VmRenamedEvent", &this, "The virtual machine was renamed.");
        }
        Ok(None)
    })
}

pub(super) fn rename_datastore(c: &mut Ctx<'_>) -> Answer {
    let (name, this) = (c.text("newName")?, c.this.clone());
    rename_check(c.world, &this, &name)?;
    c.world.object_mut(&this)?.name = name;
    c.world.touch(&this);
    Ok(None)
}

pub(super) fn destroy(c: &mut Ctx<'_>) -> Answer {
    let this = c.this.clone();
    let names = match this.kind {
        "VirtualMachine" => ("Destroy_Task", "VirtualMachine.destroy"),
        "Folder" => ("Destroy_Task", "Folder.destroy"),
        "Datastore" => ("Destroy_Task", "Datastore.destroy"),
        _ => ("Destroy_Task", "ManagedEntity.destroy"),
    };
    let check = can_destroy(c.world, &this);
    c.task(names, 1.0, check, move |world| {
        can_destroy(world, &this)?;
        remove(world, &this)?;
        Ok(None)
    })
}

fn can_destroy(world: &World, this: &Moref) -> Result<(), Fault> {
    match &world.object(this)?.body {
        Body::Vm(vm) if vm.power == Power::On => Err(Fault::power_state(Some("poweredOff"), "poweredOn")),
        Body::Vm(_) => Ok(()),
        Body::Folder(_)
            if world.object(this)?.parent.as_ref().is_none_or(|parent| parent.kind == "Datacenter") =>
        {
            Err(Fault::not_supported())
        }
        Body::Folder(folder) => folder.children.iter().try_for_each(|child| can_destroy(world, child)),
        Body::Datastore(_) => unused(world, this),
        Body::Pool(_)
            if world.object(this)?.parent.as_ref().is_some_and(|parent| parent.kind == "ResourcePool") =>
        {
            Ok(())
        }
        Body::Network(_) | Body::Portgroup(_) => {
            let used = world.vms().any(|(_, vm)| world.networks_of(vm).contains(this));
            if used { Err(in_use("Network", world.name(this))) } else { Ok(()) }
        }
        _ => Err(Fault::not_supported()),
    }
}

fn in_use(ty: &'static str, name: &str) -> Fault {
    Fault::new("ResourceInUse", format!("The resource '{name}' is in use."))
        .with("type", ty)
        .with("name", name.to_owned())
}

/// Refuses a datastore on which a registered machine has anything.
pub(super) fn unused(world: &World, datastore: &Moref) -> Result<(), Fault> {
    let used = world.vms().any(|(_, vm)| world.datastores_of(vm).contains(datastore));
    if used { Err(in_use("Datastore", world.name(datastore))) } else { Ok(()) }
}

/// Takes an entity away with all that is below it.
fn remove(world: &mut World, this: &Moref) -> Result<(), Fault> {
    if let Body::Folder(folder) = &world.object(this)?.body {
        for child in folder.children.clone() {
            remove(world, &child)?;
        }
    }
    if this.kind == "VirtualMachine" {
        return destroy_machine(world, this);
    }
    let moved =
        world.vms().filter(|(_, vm)| vm.pool.as_ref() == Some(this)).map(|(object, _)| object.moref.clone());
    let moved: Vec<_> = moved.collect();
    let parent = world.object(this)?.parent.clone();
    for vm in moved {
        world.vm_mut(&vm)?.pool.clone_from(&parent);
    }
    world.remove(this);
    Ok(())
}

/// Deletes what belongs to a machine: its configuration, its logs, and the disks that are attached. What else lies in
/// its directory stays, and so does the directory then.
fn destroy_machine(world: &mut World, this: &Moref) -> Result<(), Fault> {
    let vm = world.vm(this)?.clone();
    for disk in vm.disks() {
        for file in chain(disk) {
            let at = world.datastore_path(&file, None)?;
            if world.exists(&at)? {
                world.delete_disk(&at)?;
            }
        }
    }
    let home = vm.vmx.at(vm.vmx.directory());
    let stem = vm.vmx.path.strip_suffix(".vmx").unwrap_or(&vm.vmx.path);
    for ending in [".vmx", ".nvram", ".vmsd"] {
        let at = vm.vmx.at(format!("{stem}{ending}"));
        if world.exists(&at)? {
            world.remove_file(&at)?;
        }
    }
    if !home.path.is_empty() && world.exists(&home)? && world.list(&home)?.is_empty() {
        world.remove_file(&home)?;
    }
    world.vm_event("VmRemovedEvent", this, "The virtual machine was removed.");
    leave(world, this)
}

pub(super) fn destroy_datastore(c: &mut Ctx<'_>) -> Answer {
    unused(c.world, &c.this)?;
    let this = c.this.clone();
    let name = c.world.name(&this).to_owned();
    let about = Occurrence { datastore: Some(this.clone()), ..Occurrence::default() };
    c.world.event(
        crate::sim::vcenter::soap::data("DatastoreDestroyedEvent"),
        about,
        &format!("Removed datastore {name}."),
    );
    c.world.datastore_gone(&this);
    Ok(None)
}
