//! Machines that move: to another datastore, host or pool, running or not.

use std::time::Duration;

use super::devices::change_devices;
use super::disks::set_backing;
use super::provision::{device_changes, mounted};
use super::{Answer, Ctx};
use crate::sim::vcenter::soap::{Data, Fault, Moref, Value, data};
use crate::sim::vcenter::world::{DatastorePath, Plan, World, is_disk};

pub(super) fn relocate(c: &mut Ctx<'_>) -> Answer {
    let spec = c.data("spec")?;
    for field in ["datastore", "pool", "host", "folder"] {
        if let Some(moref) = spec.moref(field) {
            c.sight().must_exist(moref)?;
        }
    }
    let this = c.this.clone();
    let vm = c.world.vm(&this)?;
    let moves = spec.moref("datastore").is_some() || !spec.list("disk").is_empty();
    let capacity: i64 = vm.disks().filter_map(|disk| disk.int("capacityInKB")).sum::<i64>() / (1 << 20);
    let seconds = if moves { 8 + u64::try_from(capacity).unwrap_or(0) / 10 } else { 4 };
    let check = check(c.world, &this, &spec);
    let plan = Plan {
        method: "RelocateVM_Task",
        description: "VirtualMachine.relocate",
        entity: this.clone(),
        lasts: Duration::from_secs(seconds),
        cancelable: true,
        locks: Some(this.clone()),
        check,
        work: Box::new(move |world| {
            check_again(world, &this, &spec)?;
            go(world, &this, &spec)
        }),
    };
    c.start(plan)
}

fn check(world: &World, this: &Moref, spec: &Data) -> Result<(), Fault> {
    let vm = world.vm(this)?;
    let pool = spec.moref("pool").or(vm.pool.as_ref());
    let asked = spec.moref("host");
    let stays = pool.is_some_and(|pool| {
        vm.host.as_ref().is_some_and(|host| world.cluster_of(host) == world.cluster_of(pool))
    });
    let host = match (pool, asked) {
        (Some(pool), Some(_)) => Some(world.place(pool, asked)?),
        (Some(pool), None) if !stays => Some(world.place(pool, None)?),
        _ => vm.host.clone(),
    };
    let Some(host) = host else { return Ok(()) };
    let mut targets: Vec<_> = spec.moref("datastore").into_iter().collect();
    targets.extend(locators(spec).filter_map(|disk| disk.moref("datastore")));
    for datastore in targets {
        mounted(world, &host, datastore)?;
    }
    for disk in locators(spec) {
        if vm.device(disk.int("diskId").unwrap_or(-1)).is_none_or(|device| !is_disk(device)) {
            return Err(Fault::invalid_argument("spec.disk.diskId"));
        }
    }
    Ok(())
}

fn check_again(world: &World, this: &Moref, spec: &Data) -> Result<(), Fault> {
    check(world, this, spec)
}

fn locators(spec: &Data) -> impl Iterator<Item = &Data> {
    spec.list("disk").iter().filter_map(Value::data)
}

fn go(world: &mut World, this: &Moref, spec: &Data) -> Answer {
    world.touch_places(this);
    let name = world.name(this).to_owned();
    if let Some(pool) = spec.moref("pool").cloned() {
        world.vm_mut(this)?.pool = Some(pool);
    }
    let vm = world.vm(this)?;
    if let (Some(pool), Some(host)) = (vm.pool.clone(), vm.host.clone()) {
        let elsewhere = world.cluster_of(&host) != world.cluster_of(&pool);
        if let Some(wanted) = spec.moref("host").cloned() {
            world.vm_mut(this)?.host = Some(wanted);
        } else if elsewhere {
            let host = world.place(&pool, None)?;
            world.vm_mut(this)?.host = Some(host);
        }
    }
    move_files(world, this, &name, spec)?;
    let changes = device_changes(Some(spec));
    let before = world.vm(this)?.clone();
    let vm = change_devices(world, before, &name, &changes)?;
    *world.vm_mut(this)? = vm;
    if let Some(folder) = spec.moref("folder").cloned() {
        world.move_to(this, &folder)?;
    }
    world.touch_places(this);
    world.save(this)?;
    let event = if spec.moref("datastore").is_some() { "VmRelocatedEvent" } else { "VmMigratedEvent" };
    world.vm_event(event, this, "The virtual machine was moved.");
    Ok(None)
}

/// Moves home and disks to where they are wanted. Disks are named after the machine there, as a vCenter does.
fn move_files(world: &mut World, this: &Moref, name: &str, spec: &Data) -> Result<(), Fault> {
    let vm = world.vm(this)?.clone();
    let target = spec.moref("datastore").unwrap_or(&vm.vmx.datastore).clone();
    let old_home = vm.vmx.at(vm.vmx.directory());
    let mut homes: Vec<DatastorePath> = vec![];
    let moves_home = target != vm.vmx.datastore;
    if moves_home {
        homes.push(world.free_directory(&target, name)?);
    } else {
        homes.push(old_home.clone());
    }
    let mut devices = vm.devices.clone();
    for disk in devices.iter_mut().filter(|device| is_disk(device)) {
        let key = disk.int("key");
        let own = locators(spec).find(|locator| locator.int("diskId") == key);
        let wanted = own.and_then(|locator| locator.moref("datastore")).cloned();
        let wanted = wanted.or_else(|| spec.moref("datastore").cloned());
        let Some(file) = disk.data("backing").and_then(|backing| backing.text("fileName")).map(str::to_owned)
        else {
            continue;
        };
        let from = world.datastore_path(&file, None)?;
        let Some(wanted) = wanted.filter(|wanted| *wanted != from.datastore) else { continue };
        if !homes.iter().any(|home| home.datastore == wanted) {
            let home = world.free_directory(&wanted, name)?;
            homes.push(home);
        }
        let Some(home) = homes.iter().find(|home| home.datastore == wanted).cloned() else { continue };
        let to = world.free_disk_name(&home, name)?;
        world.move_disk(&from, &to)?;
        let (backing, capacity) = world.open_disk(&to)?;
        set_backing(disk, backing, capacity);
    }
    world.vm_mut(this)?.devices = devices;
    if moves_home {
        let home = homes[0].clone();
        world.make_directory(&home, true)?;
        for entry in world.list(&old_home)? {
            if entry.name().ends_with(".vmdk") {
                continue;
            }
            let to = home.at(format!("{}/{}", home.path, entry.name()));
            world.move_file(&old_home.at(entry.path.clone()), &to)?;
        }
        let file = vm.vmx.path.rsplit('/').next().unwrap_or_default().to_owned();
        world.vm_mut(this)?.vmx = home.at(format!("{}/{file}", home.path));
        if world.list(&old_home)?.is_empty() {
            world.remove_file(&old_home)?;
        }
    }
    Ok(())
}

/// The older call for a move to another host or pool.
pub(super) fn migrate(c: &mut Ctx<'_>) -> Answer {
    let mut spec = data("VirtualMachineRelocateSpec");
    for field in ["pool", "host"] {
        if let Some(moref) = c.maybe_object(field)? {
            spec.set(if field == "pool" { "pool" } else { "host" }, moref);
        }
    }
    c.args.set("spec", spec);
    relocate(c)
}
