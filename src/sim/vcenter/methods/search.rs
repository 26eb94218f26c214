//! The search index. What is not found is no fault, it is absent.

use super::{Answer, Ctx};
use crate::sim::vcenter::soap::{Moref, Value};

/// One or all, as the method asks.
fn found(all: Vec<Moref>, method: &str) -> Answer {
    match method.starts_with("FindAll") {
        true => Ok(Some(all.into())),
        false => Ok(all.into_iter().next().map(Value::Ref)),
    }
}

fn in_scope(c: &Ctx<'_>, moref: &Moref) -> bool {
    c.args
        .moref("datacenter")
        .is_none_or(|datacenter| c.world.datacenter_of(moref).as_ref() == Some(datacenter))
}

pub(super) fn by_uuid(c: &mut Ctx<'_>, method: &str) -> Answer {
    c.maybe_object("datacenter")?;
    let uuid = c.text("uuid")?.to_ascii_lowercase();
    let instance = c.args.flag("instanceUuid").unwrap_or(false);
    let mut all: Vec<Moref> = match c.args.flag("vmSearch") {
        Some(true) => c
            .world
            .vms()
            .filter(|(_, vm)| uuid == if instance { &vm.instance_uuid } else { &vm.uuid }.as_str())
            .map(|(object, _)| object.moref.clone())
            .collect(),
        _ => c
            .world
            .of_kind("HostSystem")
            .filter(|object| c.world.host(&object.moref).is_ok_and(|host| host.uuid == uuid))
            .map(|object| object.moref.clone())
            .collect(),
    };
    all.retain(|moref| in_scope(c, moref));
    all.sort_by_key(crate::sim::vcenter::world::age);
    found(all, method)
}

pub(super) fn by_path(c: &mut Ctx<'_>) -> Answer {
    let path = c.text("inventoryPath")?;
    let mut at = c.world.root.clone();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let part = part.replace("%2f", "/").replace("%5c", "\\").replace("%25", "%");
        let next = c.world.children(&at).into_iter().find(|child| c.world.name(child) == part);
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at.into()))
}

pub(super) fn by_datastore_path(c: &mut Ctx<'_>) -> Answer {
    let datacenter = c.object("datacenter")?;
    let path = c.world.datastore_path(&c.text("path")?, Some(&datacenter))?;
    let vm = c.world.vms().find(|(_, vm)| vm.vmx == path).map(|(object, _)| object.moref.clone());
    Ok(vm.map(Value::Ref))
}

pub(super) fn by_guest(c: &mut Ctx<'_>, method: &str) -> Answer {
    let by_ip = method.ends_with("Ip");
    let wanted = if by_ip { c.text("ip")? } else { c.text("dnsName")? };
    let mut all: Vec<_> = c
        .world
        .vms()
        .filter(|(_, vm)| match by_ip {
            true => vm.guest.addresses.iter().any(|(_, address)| address.ip == wanted),
            false => vm.guest.host_name.as_deref() == Some(&wanted),
        })
        .map(|(object, _)| object.moref.clone())
        .collect();
    all.sort_by_key(crate::sim::vcenter::world::age);
    found(all, method)
}

pub(super) fn child(c: &mut Ctx<'_>) -> Answer {
    let entity = c.object("entity")?;
    let name = c.text("name")?;
    Ok(c.world.children(&entity).into_iter().find(|child| c.world.name(child) == name).map(Value::Ref))
}
