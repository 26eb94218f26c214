//! Snapshots of machines.

use super::{Answer, Ctx};
use crate::sim::vcenter::soap::{Fault, Moref};
use crate::sim::vcenter::world::{Plan, Power, World};
use std::time::Duration;

/// How many snapshots may lie on one another.
const DEEPEST: usize = 32;

pub(super) fn create(c: &mut Ctx<'_>, method: &str) -> Answer {
    let name = c.text("name")?;
    let description = c.args.text("description").unwrap_or_default().to_owned();
    let memory = c.args.flag("memory").unwrap_or(false);
    let quiesce = match method {
        "CreateSnapshotEx_Task" => c.args.data("quiesceSpec").is_some(),
        _ => c.args.flag("quiesce").unwrap_or(false),
    };
    let this = c.this.clone();
    let check = check(c.world, &this, &name, quiesce && !memory);
    let seconds = if quiesce { 5.0 } else { 1.5 };
    c.task(("CreateSnapshot_Task", "VirtualMachine.createSnapshot"), seconds, check, move |world| {
        // Where no Tools run, the wish is ignored without a word.
        let vm = world.vm(&this)?;
        let heard = vm.power == Power::On && vm.guest.running;
        let snapshot = world.take_snapshot(&this, &name, &description, quiesce && heard && !memory)?;
        Ok(Some(snapshot.into()))
    })
}

fn check(world: &World, this: &Moref, name: &str, quiesce: bool) -> Result<(), Fault> {
    let vm = world.vm(this)?;
    if name.is_empty() || name.chars().count() > 80 {
        return Err(Fault::invalid_name(name));
    }
    if vm.template {
        return Err(Fault::not_supported());
    }
    if vm.snapshots.len() >= DEEPEST {
        return Err(Fault::new("TooManySnapshotLevels", "There are too many snapshots on one another."));
    }
    if !quiesce || vm.power != Power::On || !vm.guest.running {
        return Ok(());
    }
    if vm.extra("sim.quiesce") == Some("fail") {
        return Err(Fault::new(
            "ApplicationQuiesceFault",
            "An error occurred while quiescing the virtual machine. See the virtual machine's event log for details.",
        ));
    }
    Ok(())
}

/// Starts a task on the machine of a snapshot.
fn on_machine(
    c: &mut Ctx<'_>,
    (method, description): (&'static str, &'static str),
    vm: Moref,
    work: impl FnOnce(&mut World) -> Answer + Send + 'static,
) -> Answer {
    let plan = Plan {
        method,
        description,
        entity: vm.clone(),
        lasts: Duration::from_secs(2),
        cancelable: false,
        locks: Some(vm),
        check: Ok(()),
        work: Box::new(work),
    };
    c.start(plan)
}

pub(super) fn remove(c: &mut Ctx<'_>) -> Answer {
    let this = c.this.clone();
    let vm = c.world.snapshot(&this)?.vm.clone();
    let children = c.args.flag("removeChildren").unwrap_or(false);
    let consolidate = c.args.flag("consolidate").unwrap_or(true);
    on_machine(c, ("RemoveSnapshot_Task", "vm.Snapshot.remove"), vm, move |world| {
        world.drop_snapshot(&this, children, consolidate)?;
        Ok(None)
    })
}

pub(super) fn remove_all(c: &mut Ctx<'_>) -> Answer {
    let this = c.this.clone();
    let consolidate = c.args.flag("consolidate").unwrap_or(true);
    c.task(("RemoveAllSnapshots_Task", "VirtualMachine.removeAllSnapshots"), 2.0, Ok(()), move |world| {
        for snapshot in world.vm(&this)?.snapshots.clone().into_iter().rev() {
            world.drop_snapshot(&snapshot, false, consolidate)?;
        }
        Ok(None)
    })
}

pub(super) fn revert(c: &mut Ctx<'_>, method: &str) -> Answer {
    let snapshot = match method {
        "RevertToSnapshot_Task" => Some(c.this.clone()),
        _ => c.world.vm(&c.this)?.current_snapshot.clone(),
    };
    let snapshot = snapshot.ok_or_else(Fault::not_found)?;
    let vm = c.world.snapshot(&snapshot)?.vm.clone();
    on_machine(c, ("RevertToSnapshot_Task", "vm.Snapshot.revert"), vm, move |world| {
        world.revert(&snapshot)?;
        Ok(None)
    })
}

pub(super) fn rename(c: &mut Ctx<'_>) -> Answer {
    let this = c.this.clone();
    if let Some(name) = c.args.text("name").map(str::to_owned) {
        c.world.object_mut(&this)?.name = name;
    }
    if let Some(description) = c.args.text("description").map(str::to_owned) {
        c.world.snapshot_mut(&this)?.description = description;
    }
    let vm = c.world.snapshot(&this)?.vm.clone();
    c.world.touch(&vm);
    Ok(None)
}

pub(super) fn consolidate(c: &mut Ctx<'_>) -> Answer {
    let this = c.this.clone();
    c.task(("ConsolidateVMDisks_Task", "VirtualMachine.consolidateDisks"), 2.0, Ok(()), move |world| {
        world.consolidate(&this)?;
        Ok(None)
    })
}
