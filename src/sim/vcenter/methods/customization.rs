//! Guest customisation: specifications that are kept, and those that a machine gets.

use super::{Answer, Ctx};
use crate::sim::vcenter::soap::{Data, Fault, data};
use crate::sim::vcenter::world::{Power, check_customization};

pub(super) fn spec(c: &mut Ctx<'_>, method: &str) -> Answer {
    let item = c.args.data("item").cloned();
    let name = match &item {
        Some(item) => item.data("info").and_then(|info| info.text("name")).map(str::to_owned),
        None => c.args.text("name").map(str::to_owned),
    };
    let name = name.ok_or_else(|| Fault::invalid_argument("name"))?;
    let known = c.world.specs.contains_key(&name);
    match (method, item) {
        ("DoesCustomizationSpecExist", _) => return Ok(Some(known.into())),
        ("CreateCustomizationSpec", _) if known => {
            return Err(
                Fault::new("AlreadyExists", format!("The specification '{name}' exists.")).with("name", name)
            );
        }
        (_, None) if !known => return Err(Fault::not_found()),
        ("GetCustomizationSpec", _) => return Ok(c.world.specs.get(&name).cloned().map(Into::into)),
        ("DeleteCustomizationSpec", _) => {
            c.world.specs.remove(&name);
        }
        (_, Some(item)) => {
            c.world.specs.insert(name, stamped(item, c));
        }
        _ => {}
    }
    c.world.change += 1;
    Ok(None)
}

fn stamped(mut item: Data, c: &Ctx<'_>) -> Data {
    let info = item.data("info").cloned().unwrap_or_else(|| data("CustomizationSpecInfo"));
    item.set(
        "info",
        info.with("lastUpdateTime", c.world.timestamp()).with("changeVersion", c.world.change.to_string()),
    );
    item
}

pub(super) fn check(c: &mut Ctx<'_>) -> Answer {
    check_customization(&c.data("spec")?, c.world.vm(&c.this)?)?;
    Ok(None)
}

pub(super) fn customize(c: &mut Ctx<'_>) -> Answer {
    let (spec, this) = (c.data("spec")?, c.this.clone());
    let vm = c.world.vm(&this)?;
    let pending = || Fault::new("CustomizationPending", "A customization is already pending.");
    let check = c
        .world
        .must_be(&this, Power::Off)
        .and_then(|()| if vm.customization.is_some() { Err(pending()) } else { Ok(()) })
        .and_then(|()| check_customization(&spec, vm));
    c.task(("CustomizeVM_Task", "VirtualMachine.customize"), 2.0, check, move |world| {
        let vm = world.vm_mut(&this)?;
        vm.customization = Some(spec);
        vm.customization_status = "TOOLSDEPLOYPKG_PENDING";
        world.vm_event("CustomizationStartedEvent", &this, "Started customization of the virtual machine.");
        Ok(None)
    })
}
