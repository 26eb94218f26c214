//! The file manager and the virtual disk manager.

use std::time::Duration;

use super::{Answer, Ctx};
use crate::sim::vcenter::soap::{Fault, Moref};
use crate::sim::vcenter::world::{DatastorePath, Plan, World};

fn named(c: &Ctx<'_>, file: &'static str, datacenter: &'static str) -> Result<DatastorePath, Fault> {
    let datacenter = c.maybe_object(datacenter)?;
    c.world.datastore_path(&c.text(file)?, datacenter.as_ref())
}

/// The manager itself is no entity: tasks on files have the root folder's.
fn run(
    c: &mut Ctx<'_>,
    method: &'static str,
    description: &'static str,
    check: Result<(), Fault>,
    work: impl FnOnce(&mut World) -> Answer + Send + 'static,
) -> Answer {
    let plan = Plan {
        method,
        description,
        entity: c.this.clone(),
        lasts: Duration::from_secs(1),
        cancelable: true,
        locks: None,
        check,
        work: Box::new(work),
    };
    c.start(plan)
}

fn there(world: &World, at: &DatastorePath) -> Result<(), Fault> {
    match world.exists(at)? {
        true => Ok(()),
        false => Err(Fault::file_not_found(&at.to_string())),
    }
}

/// Refuses a file that a machine has open.
fn unlocked(world: &World, at: &DatastorePath) -> Result<(), Fault> {
    let nobody = Moref::new("VirtualMachine", "");
    match world.holder_of(&at.to_string(), &nobody) {
        Some(_) => Err(Fault::new("FileLocked", format!("Unable to access file {at} since it is locked."))
            .with("file", at.to_string())),
        None => Ok(()),
    }
}

pub(super) fn transfer(c: &mut Ctx<'_>, method: &str) -> Answer {
    let from = named(c, "sourceName", "sourceDatacenter")?;
    let datacenter = c.maybe_object("destinationDatacenter")?.or(c.maybe_object("sourceDatacenter")?);
    let to = c.world.datastore_path(&c.text("destinationName")?, datacenter.as_ref())?;
    let force = c.args.flag("force").unwrap_or(false);
    let moves = method == "MoveDatastoreFile_Task";
    let (name, description) = match moves {
        true => ("MoveDatastoreFile_Task", "FileManager.moveFile"),
        false => ("CopyDatastoreFile_Task", "FileManager.copyFile"),
    };
    let check = there(c.world, &from).and_then(|()| unlocked(c.world, &from));
    run(c, name, description, check, move |world| {
        there(world, &from)?;
        if world.exists(&to)? {
            match force {
                true => world.remove_file(&to)?,
                false => return Err(Fault::file_exists(&to.to_string())),
            }
        }
        match moves {
            true => world.move_file(&from, &to)?,
            false => world.copy_file(&from, &to)?,
        }
        Ok(None)
    })
}

pub(super) fn delete(c: &mut Ctx<'_>) -> Answer {
    let at = named(c, "name", "datacenter")?;
    let check = there(c.world, &at).and_then(|()| unlocked(c.world, &at));
    run(c, "DeleteDatastoreFile_Task", "FileManager.deleteFile", check, move |world| {
        world.remove_file(&at)?;
        Ok(None)
    })
}

pub(super) fn make_directory(c: &mut Ctx<'_>) -> Answer {
    let at = named(c, "name", "datacenter")?;
    let parents = c.args.flag("createParentDirectories").unwrap_or(false);
    if c.world.exists(&at)? {
        return Err(Fault::file_exists(&at.to_string()));
    }
    c.world.make_directory(&at, parents)?;
    Ok(None)
}

pub(super) fn virtual_disk(c: &mut Ctx<'_>, method: &str) -> Answer {
    let source = if method.starts_with("Copy") || method.starts_with("Move") { "sourceName" } else { "name" };
    let datacenter = if source == "name" { "datacenter" } else { "sourceDatacenter" };
    let at = named(c, source, datacenter)?;
    let target = match c.args.text("destName").map(str::to_owned) {
        Some(text) => {
            let datacenter = c.maybe_object("destDatacenter")?.or(c.maybe_object("sourceDatacenter")?);
            Some(c.world.datastore_path(&text, datacenter.as_ref())?)
        }
        None => None,
    };
    match method {
        "QueryVirtualDiskUuid" => {
            let (backing, _) = c.world.open_disk(&at)?;
            let uuid = backing.text("uuid").unwrap_or_default().replace('-', "");
            let pairs: Vec<_> = uuid.as_bytes().chunks(2).map(String::from_utf8_lossy).collect();
            let (first, second) = pairs.split_at(pairs.len().min(8));
            Ok(Some(format!("{}-{}", first.join(" "), second.join(" ")).into()))
        }
        "CreateVirtualDisk_Task" => {
            let kib = c.data("spec").ok().and_then(|spec| spec.int("capacityKb")).filter(|kib| *kib > 0);
            let kib = kib.ok_or_else(|| Fault::invalid_argument("spec.capacityKb"))?;
            run(c, "CreateVirtualDisk_Task", "VirtualDiskManager.createVirtualDisk", Ok(()), move |world| {
                world.make_disk(&at, u64::try_from(kib).unwrap_or(0) * 1024)?;
                Ok(Some(at.to_string().into()))
            })
        }
        "DeleteVirtualDisk_Task" => {
            let check = there(c.world, &at).and_then(|()| unlocked(c.world, &at));
            run(c, "DeleteVirtualDisk_Task", "VirtualDiskManager.deleteVirtualDisk", check, move |world| {
                world.delete_disk(&at)?;
                Ok(None)
            })
        }
        "ExtendVirtualDisk_Task" => {
            let kib = c.args.int("newCapacityKb").unwrap_or(0);
            let check = c.world.open_disk(&at).and_then(|(_, capacity)| {
                match u64::try_from(kib).unwrap_or(0).saturating_mul(1024) > capacity {
                    true => Ok(()),
                    false => Err(Fault::invalid_argument("newCapacityKb")),
                }
            });
            run(c, "ExtendVirtualDisk_Task", "VirtualDiskManager.extendVirtualDisk", check, move |world| {
                world.grow_disk(&at, u64::try_from(kib).unwrap_or(0) * 1024)?;
                Ok(None)
            })
        }
        _ => {
            let to = target.ok_or_else(|| Fault::invalid_argument("destName"))?;
            let check = there(c.world, &at);
            let moves = method.starts_with("Move");
            let (name, description) = match moves {
                true => ("MoveVirtualDisk_Task", "VirtualDiskManager.moveVirtualDisk"),
                false => ("CopyVirtualDisk_Task", "VirtualDiskManager.copyVirtualDisk"),
            };
            run(c, name, description, check, move |world| {
                match moves {
                    true => world.move_disk(&at, &to)?,
                    false => world.copy_disk(&at, &to).map(|_| ())?,
                }
                Ok(Some(to.to_string().into()))
            })
        }
    }
}
