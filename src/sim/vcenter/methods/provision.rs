//! Machines that are made new, and templates.

use super::devices::change_devices;
use super::reconfigure::apply_config;
use super::{Answer, Ctx};
use crate::sim::vcenter::soap::{Data, Fault, Moref, Value};
use crate::sim::vcenter::world::{Body, DatastorePath, Power, Vm, World};

/// The virtual machine folder that a call is made on.
fn vm_folder(world: &World, folder: &Moref) -> Result<(), Fault> {
    match world.folder(folder)?.types.contains(&"VirtualMachine") {
        true => Ok(()),
        false => Err(Fault::not_supported()),
    }
}

/// Where the configuration file of a new machine goes, by what the client said.
pub(super) fn home(
    world: &World,
    said: &str,
    name: &str,
    datacenter: Option<&Moref>,
) -> Result<DatastorePath, Fault> {
    let at = world.datastore_path(said, datacenter)?;
    if at.path.ends_with(".vmx") {
        return match world.exists(&at)? {
            true => Err(Fault::file_exists(&at.to_string())),
            false => Ok(at),
        };
    }
    let directory = match at.path.is_empty() {
        true => world.free_directory(&at.datastore, name)?,
        false => at,
    };
    Ok(directory.at(format!("{}/{name}.vmx", directory.path)))
}

/// Refuses a host that has not mounted a datastore.
pub(super) fn mounted(world: &World, host: &Moref, datastore: &Moref) -> Result<(), Fault> {
    match world.datastore(datastore)?.hosts.contains(host) {
        true => Ok(()),
        false => Err(Fault::new(
            "InvalidDatastore",
            format!("Datastore '{}' is not on the host.", world.name(datastore)),
        )
        .with("datastore", datastore)
        .with("name", world.name(datastore).to_owned())),
    }
}

/// Enters a machine in the inventory and writes its files.
pub(super) fn enter(world: &mut World, folder: &Moref, name: &str, vm: Vm) -> Result<Moref, Fault> {
    let moref = world.fresh("VirtualMachine", "vm-");
    let stem = vm.vmx.path.strip_suffix(".vmx").unwrap_or(&vm.vmx.path).to_owned();
    for (ending, size) in [(".nvram", 8684), (".vmsd", 0)] {
        let at = vm.vmx.at(format!("{stem}{ending}"));
        if !world.exists(&at)? {
            world.allocate(&at, size)?;
        }
    }
    world.put(moref.clone(), name, Some(folder.clone()), Body::Vm(Box::new(vm)));
    world.save(&moref)?;
    world.touch_places(&moref);
    Ok(moref)
}

pub(super) fn create(c: &mut Ctx<'_>, method: &str) -> Answer {
    let config = c.data("config")?;
    let (folder, pool) = match method {
        "CreateVM_Task" => (c.this.clone(), c.object("pool")?),
        _ => {
            let datacenter = c.world.datacenter_of(&c.this).ok_or_else(|| Fault::gone(&c.this))?;
            (c.world.datacenter(&datacenter)?.vm_folder.clone(), c.this.clone())
        }
    };
    vm_folder(c.world, &folder)?;
    let wanted = c.maybe_object("host")?;
    let name =
        config.text("name").map(str::to_owned).ok_or_else(|| Fault::invalid_argument("config.name"))?;
    let said = config.data("files").and_then(|files| files.text("vmPathName")).map(str::to_owned);
    let said = said.ok_or_else(|| Fault::invalid_argument("config.files.vmPathName"))?;
    let check = c.world.check_name(&folder, &name, None);
    let this = c.this.clone();
    c.task(("CreateVM_Task", "Folder.createVm"), 2.0, check, move |world| {
        world.check_name(&folder, &name, None)?;
        let datacenter = world.datacenter_of(&folder);
        let host = world.place(&pool, wanted.as_ref())?;
        let vmx = home(world, &said, &name, datacenter.as_ref())?;
        mounted(world, &host, &vmx.datastore)?;
        let vm = build(world, &name, vmx, &config)?;
        let vm = Vm { pool: Some(pool), host: Some(host), ..vm };
        let moref = enter(world, &folder, &name, vm)?;
        world.vm_event("VmCreatedEvent", &moref, "The virtual machine was created.");
        let _ = this;
        Ok(Some(moref.into()))
    })
}

/// A machine with new identifiers, as a specification wants it.
fn build(world: &mut World, name: &str, vmx: DatastorePath, config: &Data) -> Result<Vm, Fault> {
    let mut vm = Vm::new(vmx, world.timestamp());
    vm.uuid = world.new_uuid("4238");
    vm.instance_uuid = world.new_uuid("5038");
    apply_config(world, &mut vm, config, None)?;
    change_devices(world, vm, name, config.list("deviceChange"))
}

pub(super) fn mark_template(c: &mut Ctx<'_>) -> Answer {
    c.world.must_be(&c.this, Power::Off)?;
    let this = c.this.clone();
    let vm = c.world.vm_mut(&this)?;
    if vm.template {
        return Err(Fault::invalid_state("It is a template already."));
    }
    vm.template = true;
    let pool = vm.pool.take();
    if let Some(pool) = pool {
        c.world.touch(&pool);
    }
    c.world.save(&this)?;
    Ok(None)
}

pub(super) fn mark_machine(c: &mut Ctx<'_>) -> Answer {
    let pool = c.object("pool")?;
    let wanted = c.maybe_object("host")?;
    let this = c.this.clone();
    if !c.world.vm(&this)?.template {
        return Err(Fault::invalid_state("It is no template."));
    }
    let host = c.world.place(&pool, wanted.as_ref())?;
    let vm = c.world.vm_mut(&this)?;
    vm.template = false;
    vm.pool = Some(pool);
    vm.host = Some(host);
    c.world.save(&this)?;
    c.world.touch_places(&this);
    Ok(None)
}

/// The device changes of a specification.
pub(super) fn device_changes(spec: Option<&Data>) -> Vec<Value> {
    spec.map(|spec| spec.list("deviceChange").to_vec()).unwrap_or_default()
}
