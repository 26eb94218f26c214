//! Clones of machines and templates.

use std::time::Duration;

use super::devices::change_devices;
use super::disks::set_backing;
use super::provision::{device_changes, enter, mounted};
use super::reconfigure::apply_config;
use super::{Answer, Ctx};
use crate::sim::vcenter::soap::{Data, Fault, Moref, data};
use crate::sim::vcenter::world::{
    DatastorePath, Guest, Plan, Power, Vm, World, check_customization, is_disk, is_nic,
};

/// What a clone is to become.
struct Wish {
    source: Moref,
    folder: Moref,
    name: String,
    spec: Data,
    pool: Option<Moref>,
    host: Option<Moref>,
    datastore: Moref,
}

pub(super) fn clone(c: &mut Ctx<'_>) -> Answer {
    let (folder, name, spec) = (c.object("folder")?, c.text("name")?, c.data("spec")?);
    let source = c.this.clone();
    let location = spec.data("location").cloned().unwrap_or_else(|| data("VirtualMachineRelocateSpec"));
    for field in ["pool", "host", "datastore", "folder"] {
        if let Some(moref) = location.moref(field) {
            c.sight().must_exist(moref)?;
        }
    }
    if let Some(snapshot) = spec.moref("snapshot") {
        c.world.snapshot(snapshot)?;
    }
    let vm = c.world.vm(&source)?;
    let template = spec.flag("template").unwrap_or(false);
    let pool = location.moref("pool").cloned().or_else(|| vm.pool.clone());
    if pool.is_none() && !template {
        return Err(Fault::invalid_argument("spec.location.pool"));
    }
    let wish = Wish {
        datastore: location.moref("datastore").unwrap_or(&vm.vmx.datastore).clone(),
        host: location.moref("host").cloned(),
        source: source.clone(),
        folder,
        name,
        spec,
        pool,
    };
    let check = check(c.world, &wish);
    let capacity: i64 = vm.disks().filter_map(|disk| disk.int("capacityInKB")).sum::<i64>() / (1 << 20);
    let plan = Plan {
        method: "CloneVM_Task",
        description: "VirtualMachine.clone",
        entity: source,
        // About a gigabyte in a tenth of a second, as thin disks are.
        lasts: Duration::from_secs(6) + Duration::from_millis(u64::try_from(capacity).unwrap_or(0) * 50),
        cancelable: true,
        locks: None,
        check,
        work: Box::new(move |world| make(world, &wish)),
    };
    c.start(plan)
}

fn check(world: &World, wish: &Wish) -> Result<(), Fault> {
    world.check_name(&wish.folder, &wish.name, None)?;
    if let Some(spec) = wish.spec.data("customization") {
        check_customization(spec, world.vm(&wish.source)?)?;
    }
    if let Some(pool) = &wish.pool {
        let host = world.place(pool, wish.host.as_ref())?;
        mounted(world, &host, &wish.datastore)?;
    }
    Ok(())
}

fn make(world: &mut World, wish: &Wish) -> Answer {
    check(world, wish)?;
    let source = world.vm(&wish.source)?.clone();
    let directory = world.free_directory(&wish.datastore, &wish.name)?;
    let vmx = directory.at(format!("{}/{}.vmx", directory.path, wish.name));
    let mut vm = Vm {
        uuid: world.new_uuid("4238"),
        instance_uuid: world.new_uuid("5038"),
        template: false,
        vmx,
        pool: wish.pool.clone(),
        host: match &wish.pool {
            Some(pool) => Some(world.place(pool, wish.host.as_ref())?),
            None => source.host.clone(),
        },
        power: Power::Off,
        boots: 0,
        boot_time: None,
        created: world.timestamp(),
        revision: 0,
        guest: Guest::default(),
        question: None,
        uprooted: false,
        snapshots: Vec::new(),
        current_snapshot: None,
        consolidation_needed: false,
        customization: None,
        customization_status: "TOOLSDEPLOYPKG_IDLE",
        busy: None,
        ..source
    };
    vm.extra.retain(|key, _| !key.starts_with("sim.lease.") && !key.starts_with("guestinfo."));
    if let Some(snapshot) = wish.spec.moref("snapshot") {
        vm.devices.clone_from(&world.snapshot(snapshot)?.devices);
    }
    let made = copy_devices(world, &mut vm, wish, &directory);
    let finished = made.and_then(|()| finish(world, vm, wish));
    if finished.is_err() && world.exists(&directory).unwrap_or(false) {
        // Half a clone is worth nothing to anybody.
        let _ = world.remove_file(&directory);
    }
    let moref = finished?;
    if wish.spec.flag("powerOn").unwrap_or(false) {
        world.boot(&moref);
        for key in world.vm(&moref)?.nics().filter_map(|nic| nic.int("key")).collect::<Vec<_>>() {
            if let Some(nic) = world.vm_mut(&moref)?.device_mut(key) {
                nic.set("connectable", super::power::connected());
            }
        }
        world.vm_event("VmPoweredOnEvent", &moref, "The virtual machine is powered on.");
    }
    Ok(Some(moref.into()))
}

fn copy_devices(world: &mut World, vm: &mut Vm, wish: &Wish, directory: &DatastorePath) -> Result<(), Fault> {
    world.make_directory(directory, true)?;
    let mut devices = std::mem::take(&mut vm.devices);
    for device in &mut devices {
        if is_disk(device) {
            let file = device
                .data("backing")
                .and_then(|backing| backing.text("fileName"))
                .unwrap_or_default()
                .to_owned();
            let from = world.datastore_path(&file, None)?;
            let to = world.free_disk_name(directory, &wish.name)?;
            world.copy_disk(&from, &to)?;
            let (backing, capacity) = world.open_disk(&to)?;
            set_backing(device, backing, capacity);
        } else if is_nic(device) {
            let mac = world.new_mac();
            device.set("macAddress", mac);
            device.set("addressType", "assigned");
        }
    }
    vm.devices = devices;
    Ok(())
}

fn finish(world: &mut World, mut vm: Vm, wish: &Wish) -> Result<Moref, Fault> {
    if let Some(config) = wish.spec.data("config") {
        apply_config(world, &mut vm, config, None)?;
    }
    let mut changes = device_changes(wish.spec.data("config"));
    changes.extend(device_changes(wish.spec.data("location")));
    let mut vm = change_devices(world, vm, &wish.name, &changes)?;
    if let Some(spec) = wish.spec.data("customization") {
        check_customization(spec, &vm)?;
        vm.customization = Some(spec.clone());
        vm.customization_status = "TOOLSDEPLOYPKG_PENDING";
    }
    if wish.spec.flag("template").unwrap_or(false) {
        vm.template = true;
        vm.pool = None;
    }
    let moref = enter(world, &wish.folder, &wish.name, vm)?;
    let from = world.name(&wish.source).to_owned();
    world.vm_event("VmClonedEvent", &moref, &format!("The virtual machine was cloned from {from}."));
    Ok(moref)
}
