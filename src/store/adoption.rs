//! Groups that were found on appliances, and what contradicts what is known of groups.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::Row;

use super::Store;
use super::audit::append;
use super::error::{Refusal, StoreError};
use super::values::{nanos, parsed, time};
use super::{protected_vms, protection_groups};
use crate::domain::agreement::Finding;
use crate::domain::audit::AuditEntry;
use crate::domain::ids::GroupId;
use crate::domain::protected_vm::ProtectedVm;
use crate::domain::protection_group::ProtectionGroup;

impl Store {
    /// Keeps a group that was found, with its epoch and its virtual machines: all of it, or nothing.
    ///
    /// # Errors
    /// As [`Store::put_protection_group`] and [`Store::add_protected_vms`]; [`Refusal::AlreadyExists`] if the group is here.
    pub async fn adopt_protection_group(
        &self,
        group: &ProtectionGroup,
        epoch: u32,
        vms: Vec<ProtectedVm>,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        let group = group.clone();
        self.write(format!("take over the protection group {:?}", group.name), move |c| {
            let id = group.id.to_string();
            if c.prepare_cached("SELECT 1 FROM protection_groups WHERE id = ?1")?.exists([&id])? {
                return Err(Refusal::AlreadyExists(format!("the protection group {:?}", group.name)).into());
            }
            protection_groups::put(c, &group)?;
            c.prepare_cached("UPDATE protection_groups SET epoch = ?2 WHERE id = ?1")?
                .execute((&id, epoch))?;
            c.prepare_cached("DELETE FROM deleted_groups WHERE id = ?1")?.execute([&id])?;
            for vm in &vms {
                protected_vms::add(c, vm)?;
            }
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// Keeps what one side of a group says against what is known, in place of what it said before. What it said before keeps
    /// its time.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn settle_findings(
        &self,
        group: GroupId,
        side: &'static str,
        found: Vec<Finding>,
    ) -> Result<(), StoreError> {
        self.write(format!("keep what contradicts protection group {group}"), move |c| {
            let id = group.to_string();
            let mut known = c.prepare_cached("SELECT * FROM group_findings WHERE group_id = ?1 AND side = ?2")?;
            let known: Vec<Finding> =
                known.query_map((&id, side), finding_of)?.collect::<rusqlite::Result<_>>()?;
            for old in known.iter().filter(|old| !found.iter().any(|new| new.is(old))) {
                c.prepare_cached(
                    "DELETE FROM group_findings WHERE group_id = ?1 AND side = ?2 AND object = ?3 AND why = ?4",
                )?
                .execute((&id, side, &old.object, &old.why))?;
            }
            for new in found.iter().filter(|new| !known.iter().any(|old| new.is(old))) {
                c.prepare_cached(
                    "INSERT OR IGNORE INTO group_findings (group_id, side, object, why, advice, found_at) \
                     SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM protection_groups WHERE id = ?1)",
                )?
                .execute((&id, side, &new.object, &new.why, &new.advice, nanos(new.found_at)))?;
            }
            Ok(())
        })
        .await
    }

    /// The groups that were deleted here.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn deleted_groups(&self) -> Result<Vec<String>, StoreError> {
        self.read("list the deleted protection groups", |c| {
            let mut statement = c.prepare_cached("SELECT id FROM deleted_groups ORDER BY id")?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// What contradicts, by group.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn group_findings(&self) -> Result<BTreeMap<GroupId, Vec<Finding>>, StoreError> {
        self.read("list what contradicts protection groups", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM group_findings ORDER BY found_at, object")?;
            let rows = statement.query_map([], |row| Ok((parsed(row, "group_id")?, finding_of(row)?)))?;
            let mut all: BTreeMap<GroupId, Vec<Finding>> = BTreeMap::new();
            for row in rows {
                let (group, finding) = row?;
                all.entry(group).or_default().push(finding);
            }
            Ok(all)
        })
        .await
    }
}

fn finding_of(row: &Row<'_>) -> rusqlite::Result<Finding> {
    let found_at: Timestamp = time(row, "found_at")?;
    Ok(Finding { object: row.get("object")?, why: row.get("why")?, advice: row.get("advice")?, found_at })
}
