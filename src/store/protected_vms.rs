//! Virtual machines that protection groups protect.

use rusqlite::{Connection, OptionalExtension, Row};

use super::Store;
use super::audit::append;
use super::error::{Problem, Refusal, StoreError};
use super::values::{nanos, parsed, time};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::{GroupId, ProtectedVmId};
use crate::domain::moref::VmRef;
use crate::domain::protected_vm::ProtectedVm;

impl Store {
    /// Assigns virtual machines to their group: all of them, or none. One that the group has already stays as it is.
    ///
    /// # Errors
    /// [`Refusal::Needed`] if another group has one of them; [`Refusal::NotFound`] if the group is gone; or if the
    /// database cannot be written.
    pub async fn add_protected_vms(
        &self,
        vms: Vec<ProtectedVm>,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        self.write("assign virtual machines to a protection group", move |c| {
            for vm in &vms {
                add(c, vm)?;
            }
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// The virtual machines of a group, or of all groups, by name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn protected_vms(&self, group: Option<GroupId>) -> Result<Vec<ProtectedVm>, StoreError> {
        self.read("list the protected virtual machines", move |c| {
            let mut statement = c.prepare_cached(
                "SELECT * FROM protected_vms WHERE ?1 IS NULL OR group_id = ?1 ORDER BY name COLLATE NOCASE, id",
            )?;
            let rows = statement.query_map([group.map(|id| id.to_string())], protected_vm_of)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The protected virtual machine with this id, if there is one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn protected_vm(&self, id: ProtectedVmId) -> Result<Option<ProtectedVm>, StoreError> {
        self.read(format!("read the protected virtual machine {id}"), move |c| {
            let mut statement = c.prepare_cached("SELECT * FROM protected_vms WHERE id = ?1")?;
            Ok(statement.query_row([id.to_string()], protected_vm_of).optional()?)
        })
        .await
    }

    /// Takes a virtual machine out of its group. It and its disks stay where they are.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; [`Refusal::Needed`] while a job that has not ended works on it, or something refers to it.
    pub async fn remove_protected_vm(&self, vm: &ProtectedVm, audit: AuditEntry) -> Result<(), StoreError> {
        let vm = vm.clone();
        self.write(format!("take the virtual machine {:?} out of its group", vm.name), move |c| {
            let id = vm.id.to_string();
            if let Some(needed) = super::references::to(c, "protected_vms", &id)? {
                return Err(Refusal::Needed(format!("in use by {needed}")).into());
            }
            if c.prepare_cached("DELETE FROM protected_vms WHERE id = ?1")?.execute([&id])? == 0 {
                return Err(Refusal::NotFound(format!("protected virtual machine {:?}", vm.name)).into());
            }
            append(c, &audit)?;
            Ok(())
        })
        .await
    }
}

pub(in crate::store) fn add(c: &Connection, vm: &ProtectedVm) -> Result<(), Problem> {
    let group = vm.group.to_string();
    if !c.prepare_cached("SELECT 1 FROM protection_groups WHERE id = ?1")?.exists([&group])? {
        return Err(Refusal::NotFound(format!("protection group {group}")).into());
    }
    let there: Option<(String, String)> = c
        .prepare_cached(
            "SELECT v.group_id, g.name FROM protected_vms v JOIN protection_groups g ON g.id = v.group_id \
             WHERE v.instance_uuid = ?1",
        )?
        .query_row([&vm.instance_uuid], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match there {
        Some((other, _)) if other == group => return Ok(()),
        Some((_, name)) => {
            let needed = format!("protected by the group {name:?}: {:?}. Remove it there first", vm.name);
            return Err(Refusal::Needed(needed).into());
        }
        None => {}
    }
    c.prepare_cached(
        "INSERT INTO protected_vms (id, group_id, vcenter, instance_uuid, moref, name, added_by, added_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((
        vm.id.to_string(),
        group,
        vm.vcenter.to_string(),
        &vm.instance_uuid,
        vm.moref.id(),
        &vm.name,
        &vm.added_by,
        nanos(vm.added_at),
    ))?;
    Ok(())
}

fn protected_vm_of(row: &Row<'_>) -> rusqlite::Result<ProtectedVm> {
    Ok(ProtectedVm {
        id: parsed(row, "id")?,
        group: parsed(row, "group_id")?,
        vcenter: parsed(row, "vcenter")?,
        instance_uuid: row.get("instance_uuid")?,
        moref: VmRef::new(row.get::<_, String>("moref")?),
        name: row.get("name")?,
        added_by: row.get("added_by")?,
        added_at: time(row, "added_at")?,
    })
}
