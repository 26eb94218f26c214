//! Power, guests and questions.

use super::{Answer, Ctx};
use crate::sim::vcenter::soap::{Data, Fault, Moref, Value, data};
use crate::sim::vcenter::world::{Power, World};

/// What stands in the way of powering a machine on.
fn can_start(world: &World, moref: &Moref) -> Result<(), Fault> {
    let vm = world.vm(moref)?;
    if vm.template {
        return Err(Fault::invalid_state("A template cannot be powered on.").retyped("InvalidState"));
    }
    if vm.power == Power::On {
        return Err(Fault::power_state(Some("poweredOff"), "poweredOn"));
    }
    let Some(host) = &vm.host else { return Err(Fault::invalid_state("The virtual machine is on no host.")) };
    for datastore in world.datastores_of(vm) {
        if !world.datastore(&datastore)?.hosts.contains(host) {
            return Err(Fault::new(
                "InvalidDatastoreState",
                format!("Datastore '{}' is not mounted on the host.", world.name(&datastore)),
            )
            .retyped("InvalidState"));
        }
    }
    if !world.exists(&vm.vmx)? {
        return Err(Fault::file_not_found(&vm.vmx.to_string()));
    }
    for disk in vm.disks() {
        let Some(file) = disk.data("backing").and_then(|backing| backing.text("fileName")) else { continue };
        let at = world.datastore_path(file, None)?;
        world.open_disk(&at)?;
        if world.holder_of(file, moref).is_some() {
            return Err(Fault::new(
                "FileLocked",
                format!("Unable to access file {file} since it is locked."),
            )
            .with("file", file.to_owned()));
        }
    }
    fits(world, moref)
}

/// Whether the host has the memory. Hosts may be overcommitted by half.
fn fits(world: &World, moref: &Moref) -> Result<(), Fault> {
    let vm = world.vm(moref)?;
    let Some(host) = &vm.host else { return Ok(()) };
    let used: i64 = world
        .vms()
        .filter(|(_, vm)| vm.host.as_ref() == Some(host) && vm.power == Power::On)
        .map(|(_, vm)| vm.memory_mb)
        .sum();
    let most = world.host(host)?.memory / (1 << 20) * 3 / 2;
    if used + vm.memory_mb <= most {
        return Ok(());
    }
    Err(Fault::new("InsufficientMemoryResourcesFault", "The host does not have sufficient memory resources.")
        .with("unreserved", (most - used).max(0) * (1 << 20))
        .with("requested", vm.memory_mb * (1 << 20)))
}

fn connect_cards(world: &mut World, moref: &Moref, on: bool) {
    let Ok(vm) = world.vm_mut(moref) else { return };
    for device in &mut vm.devices {
        let Some(connect) = device.data("connectable").cloned() else { continue };
        let connected = on && connect.flag("startConnected").unwrap_or(true);
        let status = if connected { "ok" } else { "untried" };
        device.set("connectable", connect.with("connected", connected).with("status", status));
    }
}

fn started(world: &mut World, moref: &Moref) -> Answer {
    can_start(world, moref)?;
    world.boot(moref);
    connect_cards(world, moref, true);
    world.vm_event("VmPoweredOnEvent", moref, "The virtual machine is powered on.");
    Ok(None)
}

/// Moves a machine off a host that cannot run it.
fn rehost(c: &mut Ctx<'_>, moref: &Moref) -> Result<(), Fault> {
    let wanted = c.maybe_object("host")?;
    let vm = c.world.vm(moref)?;
    let Some(pool) = vm.pool.clone() else { return Ok(()) };
    let usable = vm.host.as_ref().is_some_and(|host| c.world.host(host).is_ok_and(|host| host.is_usable()));
    if usable && wanted.is_none() {
        return Ok(());
    }
    let host = c.world.place(&pool, wanted.as_ref())?;
    c.world.vm_mut(moref)?.host = Some(host);
    Ok(())
}

pub(super) fn on(c: &mut Ctx<'_>) -> Answer {
    let this = c.this.clone();
    let check = rehost(c, &this).and_then(|()| can_start(c.world, &this));
    if check.is_ok() {
        c.world.vm_event("VmStartingEvent", &this, "The virtual machine is starting.");
        c.world.ask_if_moved(&this);
    }
    c.task(("PowerOnVM_Task", "VirtualMachine.powerOn"), 3.0, check, move |world| started(world, &this))
}

/// Starts several machines; the result says which task works on which.
pub(super) fn on_many(c: &mut Ctx<'_>) -> Answer {
    let vms: Vec<Moref> = c.args.list("vm").iter().filter_map(Value::moref).cloned().collect();
    let outer = c.this.clone();
    for vm in vms {
        c.world.vm(&vm)?;
        c.this = vm;
        on(c)?;
    }
    c.this = outer;
    c.task(("PowerOnMultiVM_Task", "Datacenter.powerOnVm"), 1.0, Ok(()), |_| Ok(None))
}

pub(super) fn off(c: &mut Ctx<'_>) -> Answer {
    let this = c.this.clone();
    let check = match c.world.vm(&this)?.power {
        Power::Off => Err(Fault::power_state(Some("poweredOn"), "poweredOff")),
        _ => Ok(()),
    };
    c.task(("PowerOffVM_Task", "VirtualMachine.powerOff"), 1.0, check, move |world| {
        if world.vm(&this)?.power == Power::Off {
            return Err(Fault::power_state(Some("poweredOn"), "poweredOff"));
        }
        world.stop(&this);
        connect_cards(world, &this, false);
        world.vm_event("VmPoweredOffEvent", &this, "The virtual machine is powered off.");
        Ok(None)
    })
}

pub(super) fn reset(c: &mut Ctx<'_>) -> Answer {
    let this = c.this.clone();
    let check = c.world.must_be(&this, Power::On);
    c.task(("ResetVM_Task", "VirtualMachine.reset"), 1.0, check, move |world| {
        world.must_be(&this, Power::On)?;
        world.boot(&this);
        world.vm_event("VmResettingEvent", &this, "The virtual machine was reset.");
        Ok(None)
    })
}

pub(super) fn suspend(c: &mut Ctx<'_>) -> Answer {
    let this = c.this.clone();
    let check = c.world.must_be(&this, Power::On);
    c.task(("SuspendVM_Task", "VirtualMachine.suspend"), 3.0, check, move |world| {
        world.must_be(&this, Power::On)?;
        world.stop(&this);
        world.vm_mut(&this)?.power = Power::Suspended;
        world.vm_event("VmSuspendedEvent", &this, "The virtual machine is suspended.");
        Ok(None)
    })
}

pub(super) fn guest(c: &mut Ctx<'_>, method: &str) -> Answer {
    c.world.must_be(&c.this, Power::On)?;
    let vm = c.world.vm(&c.this)?;
    if let Some(task) = &vm.busy {
        return Err(Fault::busy(task));
    }
    if !vm.guest.running {
        return Err(Fault::new(
            "ToolsUnavailable",
            "Cannot complete operation because VMware Tools is not running in this virtual machine.",
        ));
    }
    let this = c.this.clone();
    match method {
        "RebootGuest" => c.world.boot(&this),
        _ => {
            c.world.vm_event("VmGuestShutdownEvent", &this, "The guest is shutting down.");
            c.world.shut_down(&this);
        }
    }
    Ok(None)
}

pub(super) fn answer(c: &mut Ctx<'_>) -> Answer {
    let (id, choice) = (c.text("questionId")?, c.text("answerChoice")?);
    let this = c.this.clone();
    let vm = c.world.vm(&this)?;
    let question = vm.question.as_ref().filter(|question| question.id == id);
    let question = question.ok_or_else(|| Fault::invalid_argument("questionId"))?;
    if !question.choices.iter().any(|(key, _)| *key == choice) {
        return Err(Fault::invalid_argument("answerChoice"));
    }
    let moved_or_copied = question.message_id == "msg.uuid.altered";
    let busy = vm.busy.clone();
    let nics: Vec<i64> = vm.nics().filter_map(|nic| nic.int("key")).collect();
    let vm = c.world.vm_mut(&this)?;
    vm.question = None;
    if moved_or_copied && choice != "0" {
        vm.uprooted = false;
    }
    if moved_or_copied && choice == "2" {
        let uuid = c.world.new_uuid("564d");
        c.world.vm_mut(&this)?.uuid = uuid;
        for key in nics {
            let mac = c.world.new_mac();
            if let Some(nic) =
                c.world.vm_mut(&this)?.device_mut(key).filter(|nic| nic.text("addressType") != Some("manual"))
            {
                nic.set("macAddress", mac);
            }
        }
    }
    c.world.save(&this)?;
    if let Some(task) = busy {
        if choice == "0" {
            c.world.fail_task(
                &task,
                Fault::new("GenericVmConfigFault", "The question was answered with cancel.")
                    .with("reason", "msg.uuid.altered"),
            );
        }
        c.world.resume(&task);
    }
    Ok(None)
}

/// A connection that is as it is after power-on, for machines that are made running.
pub(in crate::sim::vcenter) fn connected() -> Data {
    data("VirtualDeviceConnectInfo")
        .with("startConnected", true)
        .with("allowGuestControl", true)
        .with("connected", true)
        .with("status", "ok")
}
