//! Changes of a machine's configuration.

use super::devices::change_devices;
use super::{Answer, Ctx};
use crate::sim::vcenter::soap::{Data, Fault, Moref, Value};
use crate::sim::vcenter::world::{Power, Vm, World};

/// The largest machine.
const MOST_CPUS: i64 = 768;
const MOST_MEMORY_MB: i64 = 24 << 20;

fn wrong(property: &'static str) -> Fault {
    Fault::invalid_argument(property)
}

/// Takes over everything of a specification but devices and name. `on` is the machine if it is in the inventory.
pub(super) fn apply_config(world: &World, vm: &mut Vm, spec: &Data, on: Option<&Moref>) -> Result<(), Fault> {
    let running = vm.power != Power::Off;
    let cold = |hot: bool| match running && !hot {
        true => Err(Fault::power_state(Some("poweredOff"), vm.power.word())),
        false => Ok(()),
    };
    if let Some(cpus) = spec.int("numCPUs").filter(|cpus| *cpus != vm.cpus) {
        if !(1..=MOST_CPUS).contains(&cpus) {
            return Err(wrong("spec.numCPUs"));
        }
        cold(vm.cpu_hot_add && cpus > vm.cpus)?;
        vm.cpus = cpus;
    }
    if let Some(cores) = spec.int("numCoresPerSocket").filter(|cores| *cores != vm.cores_per_socket) {
        cold(false)?;
        if cores < 0 || cores > 0 && vm.cpus % cores != 0 {
            return Err(wrong("spec.numCoresPerSocket"));
        }
        vm.cores_per_socket = cores.max(1);
    }
    if let Some(memory) = spec.int("memoryMB").filter(|memory| *memory != vm.memory_mb) {
        if !(4..=MOST_MEMORY_MB).contains(&memory) || memory % 4 != 0 {
            return Err(wrong("spec.memoryMB"));
        }
        cold(vm.memory_hot_add && memory > vm.memory_mb)?;
        vm.memory_mb = memory;
    }
    if let Some(firmware) = spec.text("firmware").filter(|firmware| *firmware != vm.firmware) {
        if !matches!(firmware, "bios" | "efi") {
            return Err(wrong("spec.firmware"));
        }
        cold(false)?;
        vm.firmware = firmware.to_owned();
    }
    if let Some(secure) = spec.data("bootOptions").and_then(|boot| boot.flag("efiSecureBootEnabled")) {
        if secure && vm.firmware != "efi" {
            return Err(wrong("spec.bootOptions.efiSecureBootEnabled"));
        }
        vm.secure_boot = secure;
    }
    for (field, own) in [("uuid", 0), ("instanceUuid", 1)] {
        let Some(uuid) = spec.text(field).filter(|uuid| !uuid.is_empty()) else { continue };
        let uuid = uuid.to_ascii_lowercase();
        if uuid.len() != 36 || uuid.matches('-').count() != 4 {
            return Err(wrong(if own == 0 { "spec.uuid" } else { "spec.instanceUuid" }));
        }
        if own == 0 {
            vm.uuid = uuid;
        } else {
            let taken =
                world.vms().any(|(object, other)| Some(&object.moref) != on && other.instance_uuid == uuid);
            // A vCenter gives a new one where the wanted one is taken.
            if !taken {
                vm.instance_uuid = uuid;
            }
        }
    }
    let texts =
        [("guestId", &mut vm.guest_id), ("annotation", &mut vm.annotation), ("version", &mut vm.version)];
    for (field, own) in texts {
        if let Some(text) = spec.text(field) {
            *own = text.to_owned();
        }
    }
    if !vm.version.starts_with("vmx-") {
        return Err(wrong("spec.version"));
    }
    let flags = [
        ("memoryHotAddEnabled", &mut vm.memory_hot_add),
        ("cpuHotAddEnabled", &mut vm.cpu_hot_add),
        ("changeTrackingEnabled", &mut vm.change_tracking),
    ];
    for (field, own) in flags {
        if let Some(flag) = spec.flag(field) {
            *own = flag;
        }
    }
    for option in spec.list("extraConfig").iter().filter_map(Value::data) {
        let (Some(key), Some(value)) = (option.text("key"), option.get("value")) else { continue };
        let value = match value.int() {
            Some(number) => number.to_string(),
            None => value.text().unwrap_or_default().to_owned(),
        };
        match value.is_empty() {
            true => vm.extra.remove(key),
            false => vm.extra.insert(key.to_owned(), value),
        };
    }
    Ok(())
}

pub(super) fn reconfigure(c: &mut Ctx<'_>) -> Answer {
    let (spec, this) = (c.data("spec")?, c.this.clone());
    let wanted = spec.text("changeVersion").filter(|version| !version.is_empty());
    let check = match wanted {
        Some(wanted) if wanted != c.world.vm(&this)?.change_version() => Err(Fault::new(
            "ConcurrentAccess",
            "The virtual machine was changed by another client meanwhile.",
        )),
        _ => Ok(()),
    };
    c.task(("ReconfigVM_Task", "VirtualMachine.reconfigure"), 1.0, check, move |world| {
        apply(world, &this, &spec)
    })
}

/// The order that is asked for; empty: the one that there is stays.
fn boot_order(spec: &Data) -> Vec<Data> {
    let options = spec.data("bootOptions");
    options.into_iter().flat_map(|boot| boot.list("bootOrder")).filter_map(Value::data).cloned().collect()
}

/// What is gone is not started from. A device of no kind clears the order.
fn set_boot_order(vm: &mut Vm, wanted: Vec<Data>) -> Result<(), Fault> {
    let keys: Vec<i64> = vm.devices.iter().filter_map(|device| device.int("key")).collect();
    let is_there = |item: &Data| item.int("deviceKey").is_none_or(|key| keys.contains(&key));
    if !wanted.iter().all(is_there) {
        return Err(wrong("spec.bootOptions.bootOrder"));
    }
    if !wanted.is_empty() {
        vm.boot_order = wanted;
    }
    vm.boot_order.retain(|item| is_there(item) && item.ty != "VirtualMachineBootOptionsBootableDevice");
    Ok(())
}

fn apply(world: &mut World, this: &Moref, spec: &Data) -> Answer {
    let mut vm = world.vm(this)?.clone();
    if let Some(name) = spec.text("name") {
        rename_check(world, this, name)?;
    }
    apply_config(world, &mut vm, spec, Some(this))?;
    let order = boot_order(spec);
    let name = world.name(this).to_owned();
    world.touch_places(this);
    let mut vm = change_devices(world, vm, &name, spec.list("deviceChange"))?;
    set_boot_order(&mut vm, order)?;
    *world.vm_mut(this)? = vm;
    if let Some(name) = spec.text("name") {
        world.object_mut(this)?.name = name.to_owned();
    }
    world.touch_places(this);
    world.save(this)?;
    world.vm_event("VmReconfiguredEvent", this, "The virtual machine was reconfigured.");
    Ok(None)
}

/// Refuses a name that the machine cannot get where it is.
pub(super) fn rename_check(world: &World, moref: &Moref, name: &str) -> Result<(), Fault> {
    match world.object(moref)?.parent.clone() {
        Some(parent) => world.check_name(&parent, name, Some(moref)),
        None => Ok(()),
    }
}

pub(super) fn upgrade(c: &mut Ctx<'_>) -> Answer {
    let (this, version) = (c.this.clone(), c.args.text("version").unwrap_or("vmx-21").to_owned());
    let check = c.world.must_be(&this, Power::Off);
    c.task(("UpgradeVM_Task", "VirtualMachine.upgradeVirtualHardware"), 1.0, check, move |world| {
        world.vm_mut(&this)?.version = version;
        world.save(&this)?;
        Ok(None)
    })
}
