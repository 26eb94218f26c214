//! Folders and resource pools.

use super::{Answer, Ctx};
use crate::sim::vcenter::soap::{Fault, Moref, Value, schema};
use crate::sim::vcenter::world::{Body, Folder, Pool, World};

pub(super) fn create(c: &mut Ctx<'_>) -> Answer {
    let (name, this) = (c.text("name")?, c.this.clone());
    c.world.check_name(&this, &name, None)?;
    let types = c.world.folder(&this)?.types.clone();
    let prefix = match types.as_slice() {
        types if types.contains(&"VirtualMachine") => "group-v",
        types if types.contains(&"Datastore") => "group-s",
        types if types.contains(&"Network") => "group-n",
        types if types.contains(&"Datacenter") => "group-d",
        _ => "group-h",
    };
    let moref = c.world.fresh("Folder", prefix);
    c.world.put(moref.clone(), &name, Some(this), Body::Folder(Folder::of(&types)));
    Ok(Some(moref.into()))
}

fn may_hold(world: &World, folder: &Moref, child: &Moref) -> Result<(), Fault> {
    let types = &world.folder(folder)?.types;
    let same = match &world.object(child)?.body {
        Body::Folder(child) => child.types == *types,
        _ => types.iter().any(|ty| schema().is_a(child.kind, ty)),
    };
    if !same {
        return Err(Fault::not_supported());
    }
    if folder == child || world.ancestors(folder).contains(child) {
        return Err(
            Fault::new("InvalidFolder", "A folder cannot be moved into itself.").with("target", folder)
        );
    }
    world.check_name(folder, &world.object(child)?.name, Some(child))
}

pub(super) fn move_into(c: &mut Ctx<'_>) -> Answer {
    let children: Vec<Moref> = c.args.list("list").iter().filter_map(Value::moref).cloned().collect();
    let this = c.this.clone();
    let check = children.iter().try_for_each(|child| may_hold(c.world, &this, child));
    c.task(("MoveIntoFolder_Task", "Folder.moveInto"), 0.5, check, move |world| {
        for child in &children {
            may_hold(world, &this, child)?;
            world.move_to(child, &this)?;
        }
        Ok(None)
    })
}

pub(super) fn create_pool(c: &mut Ctx<'_>) -> Answer {
    let (name, this) = (c.text("name")?, c.this.clone());
    c.world.check_name(&this, &name, None)?;
    let owner = c.world.pool(&this)?.owner.clone();
    let moref = c.world.fresh("ResourcePool", "resgroup-");
    c.world.put(moref.clone(), &name, Some(this), Body::Pool(Pool { owner, children: Vec::new() }));
    Ok(Some(moref.into()))
}
