//! DR shells.

use rusqlite::{OptionalExtension, Row, named_params};

use super::Store;
use super::error::{Refusal, StoreError};
use super::values::{from_json, json, maybe_json, nanos, parsed, time};
use crate::domain::dr_shell::DrShell;
use crate::domain::ids::{DrShellId, GroupId, VcenterId};
use crate::domain::moref::VmRef;

impl Store {
    /// Keeps a shell: a new one, or the same one as it is now.
    ///
    /// # Errors
    /// [`Refusal::AlreadyExists`] if the group has another one for that virtual machine; or if the database cannot be
    /// written.
    pub async fn put_dr_shell(&self, shell: &DrShell) -> Result<(), StoreError> {
        let shell = shell.clone();
        self.write(format!("keep the DR shell {:?}", shell.spec.name), move |c| {
            let (id, group) = (shell.id.to_string(), shell.group.to_string());
            let other: bool = c
                .prepare_cached(
                    "SELECT 1 FROM dr_shells WHERE group_id = ?1 AND source_uuid = ?2 AND id <> ?3",
                )?
                .exists([&group, &shell.source_uuid, &id])?;
            if other {
                return Err(Refusal::AlreadyExists("a DR shell of that virtual machine".to_owned()).into());
            }
            c.prepare_cached(
                "INSERT INTO dr_shells (id, group_id, source_vcenter, source_uuid, dr_vcenter, vm, instance_uuid, \
                     spec, disks, checkpoint, view, made_by, made_at) \
                 VALUES (:id, :group, :source, :uuid, :dr, :vm, :instance, :spec, :disks, :checkpoint, :view, :by, :at) \
                 ON CONFLICT (id) DO UPDATE SET vm = :vm, instance_uuid = :instance, spec = :spec, disks = :disks, \
                     checkpoint = :checkpoint, view = :view",
            )?
            .execute(named_params! {
                ":id": id, ":group": group, ":source": shell.source_vcenter.to_string(),
                ":uuid": shell.source_uuid, ":dr": shell.dr_vcenter.to_string(), ":vm": shell.vm.id(),
                ":instance": shell.instance_uuid, ":spec": json(&shell.spec)?, ":disks": json(&shell.disks)?,
                ":checkpoint": shell.checkpoint.to_string(),
                ":view": shell.view.as_ref().map(json).transpose()?,
                ":by": shell.made_by.to_string(), ":at": nanos(shell.made_at),
            })?;
            Ok(())
        })
        .await
    }

    /// The shell with this id.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn dr_shell(&self, id: DrShellId) -> Result<Option<DrShell>, StoreError> {
        self.read(format!("read the DR shell {id}"), move |c| {
            let mut statement = c.prepare_cached("SELECT * FROM dr_shells WHERE id = ?1")?;
            Ok(statement.query_row([id.to_string()], shell_of).optional()?)
        })
        .await
    }

    /// The shells of a group, by the instance UUIDs of what they stand for.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn dr_shells(&self, group: GroupId) -> Result<Vec<DrShell>, StoreError> {
        self.read(format!("list the DR shells of group {group}"), move |c| {
            let mut statement =
                c.prepare_cached("SELECT * FROM dr_shells WHERE group_id = ?1 ORDER BY source_uuid")?;
            Ok(statement.query_map([group.to_string()], shell_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The shells of all groups that are in a vCenter.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn dr_shells_in(&self, vcenter: VcenterId) -> Result<Vec<DrShell>, StoreError> {
        self.read(format!("list the DR shells in vCenter {vcenter}"), move |c| {
            let mut statement =
                c.prepare_cached("SELECT * FROM dr_shells WHERE dr_vcenter = ?1 ORDER BY source_uuid")?;
            Ok(statement.query_map([vcenter.to_string()], shell_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Forgets a shell; the virtual machine is the caller's business.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn forget_dr_shell(&self, id: DrShellId) -> Result<(), StoreError> {
        self.write(format!("forget the DR shell {id}"), move |c| {
            c.prepare_cached("DELETE FROM dr_shells WHERE id = ?1")?.execute([id.to_string()])?;
            Ok(())
        })
        .await
    }
}

fn shell_of(row: &Row<'_>) -> rusqlite::Result<DrShell> {
    Ok(DrShell {
        id: parsed(row, "id")?,
        group: parsed(row, "group_id")?,
        source_vcenter: parsed(row, "source_vcenter")?,
        source_uuid: row.get("source_uuid")?,
        dr_vcenter: parsed(row, "dr_vcenter")?,
        vm: VmRef::new(row.get::<_, String>("vm")?),
        instance_uuid: row.get("instance_uuid")?,
        spec: from_json(row, "spec")?,
        disks: from_json(row, "disks")?,
        checkpoint: parsed(row, "checkpoint")?,
        view: maybe_json(row, "view")?,
        made_by: parsed(row, "made_by")?,
        made_at: time(row, "made_at")?,
    })
}
