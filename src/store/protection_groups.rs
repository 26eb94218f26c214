//! Protection groups.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::Store;
use super::audit::append;
use super::drafts;
use super::error::{Problem, Refusal, StoreError};
use super::values::{from_json, json, maybe_time, nanos, parsed, time};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::{DraftId, GroupId};
use crate::domain::inventory::NfsExport;
use crate::domain::protection_group::{DrSide, ProtectionGroup, SourceSide};

impl Store {
    /// Keeps a group: a new one, or the new form of the one with this id.
    ///
    /// # Errors
    /// [`Refusal::AlreadyExists`] if another one has this name or protects this dataset; [`Refusal::NotFound`] if an
    /// appliance or a vCenter of it is gone; or if the database cannot be written.
    pub async fn put_protection_group(
        &self,
        group: &ProtectionGroup,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        let group = group.clone();
        self.write(format!("keep the protection group {:?}", group.name), move |c| {
            put(c, &group)?;
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// Keeps the group that was made of a draft, unless one was made of it before: then that one is answered, and nothing
    /// is kept. One transaction, so that neither a crash nor a second request doubles it.
    ///
    /// # Errors
    /// As [`Store::put_protection_group`].
    pub async fn make_protection_group(
        &self,
        draft: DraftId,
        group: &ProtectionGroup,
        audit: AuditEntry,
    ) -> Result<Option<GroupId>, StoreError> {
        let group = group.clone();
        self.write(format!("make the protection group {:?}", group.name), move |c| {
            let before = drafts::result(c, draft)?;
            if let Some(before) = before.and_then(|before| before.parse().ok()) {
                return Ok(Some(before));
            }
            put(c, &group)?;
            append(c, &audit)?;
            drafts::note(c, draft, Some(&group.id.to_string()))?;
            Ok(None)
        })
        .await
    }

    /// The group with this id, if there is one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn protection_group(&self, id: GroupId) -> Result<Option<ProtectionGroup>, StoreError> {
        self.read(format!("read protection group {id}"), move |c| {
            let mut statement = c.prepare_cached("SELECT * FROM protection_groups WHERE id = ?1")?;
            Ok(statement.query_row([id.to_string()], group_of).optional()?)
        })
        .await
    }

    /// All groups, by name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn protection_groups(&self) -> Result<Vec<ProtectionGroup>, StoreError> {
        self.read("list the protection groups", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM protection_groups ORDER BY name")?;
            Ok(statement.query_map([], group_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Says that no run of a group is started by itself any more, or that they are again.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; or if the database cannot be written.
    pub async fn pause_protection_group(
        &self,
        id: GroupId,
        paused_at: Option<Timestamp>,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        self.write(format!("pause or resume protection group {id}"), move |c| {
            let changed = c
                .prepare_cached("UPDATE protection_groups SET paused_at = ?2 WHERE id = ?1")?
                .execute((id.to_string(), paused_at.map(nanos)))?;
            if changed == 0 {
                return Err(Refusal::NotFound(format!("protection group {id}")).into());
            }
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// Forgets a group, with what is known of its virtual machines and checkpoints; what is on the appliances stays.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; [`Refusal::Needed`] while a job that has not ended works on it, or something refers to it.
    pub async fn delete_protection_group(
        &self,
        group: &ProtectionGroup,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        let group = group.clone();
        self.write(format!("remove the protection group {:?}", group.name), move |c| {
            let needed = super::references::to(c, "protection_groups", &group.id.to_string())?;
            if !forget(c, group.id, needed, &audit)? {
                return Err(Refusal::NotFound(format!("protection group {:?}", group.name)).into());
            }
            Ok(())
        })
        .await
    }
}

/// Forgets a group that nothing needs any more. False: there is none.
pub(in crate::store) fn forget(
    c: &Connection,
    group: GroupId,
    needed: Option<String>,
    audit: &AuditEntry,
) -> Result<bool, Problem> {
    if let Some(needed) = needed {
        return Err(Refusal::Needed(format!("in use by {needed}")).into());
    }
    let id = group.to_string();
    if c.prepare_cached("DELETE FROM protection_groups WHERE id = ?1")?.execute([&id])? == 0 {
        return Ok(false);
    }
    c.prepare_cached("INSERT OR REPLACE INTO deleted_groups (id, deleted_at) VALUES (?1, ?2)")?
        .execute((&id, nanos(audit.at)))?;
    append(c, audit)?;
    Ok(true)
}

pub(in crate::store) fn put(c: &Connection, group: &ProtectionGroup) -> Result<(), Problem> {
    let id = group.id.to_string();
    let clash: Option<String> = c
        .prepare_cached("SELECT name FROM protection_groups WHERE id <> ?1 AND name = ?2")?
        .query_row((&id, &group.name), |row| row.get(0))
        .optional()?;
    if let Some(name) = clash {
        return Err(Refusal::AlreadyExists(format!("a protection group {name:?}")).into());
    }
    let ends = [
        ("source_target", &group.source.target, "source_dataset", &group.source.dataset),
        ("dr_target", &group.dr.target, "dr_dataset", &group.dr.dataset),
    ];
    for (target_column, target, dataset_column, dataset) in ends {
        let sql = format!(
            "SELECT name FROM protection_groups WHERE id <> ?1 AND {target_column} = ?2 AND {dataset_column} = ?3"
        );
        let other: Option<String> = c
            .prepare_cached(&sql)?
            .query_row((&id, target.to_string(), dataset.as_str()), |row| row.get(0))
            .optional()?;
        if let Some(other) = other {
            let what = format!("a protection group for the dataset {dataset}: {other:?}");
            return Err(Refusal::AlreadyExists(what).into());
        }
    }
    for (table, noun, id) in [
        ("vcenters", "vCenter connection", group.source.vcenter.to_string()),
        ("vcenters", "vCenter connection", group.dr.vcenter.to_string()),
        ("targets", "appliance", group.source.target.to_string()),
        ("targets", "appliance", group.dr.target.to_string()),
    ] {
        if !c.prepare_cached(&format!("SELECT 1 FROM {table} WHERE id = ?1"))?.exists([&id])? {
            return Err(Refusal::NotFound(format!("{noun} {id}")).into());
        }
    }
    let export = group.source.export.as_ref();
    c.prepare_cached(
        "INSERT INTO protection_groups (id, name, description, source_vcenter, source_target, source_dataset, \
             export_host, export_path, dr_vcenter, dr_target, dr_dataset, policy, enabled, paused_at, created_by, created_at) \
         VALUES (:id, :name, :description, :source_vcenter, :source_target, :source_dataset, :host, :path, :dr_vcenter, \
             :dr_target, :dr_dataset, :policy, :enabled, :paused, :by, :created) \
         ON CONFLICT (id) DO UPDATE SET name = :name, description = :description, source_vcenter = :source_vcenter, \
             source_target = :source_target, source_dataset = :source_dataset, export_host = :host, export_path = :path, \
             dr_vcenter = :dr_vcenter, dr_target = :dr_target, dr_dataset = :dr_dataset, policy = :policy, \
             enabled = :enabled, paused_at = :paused",
    )?
    .execute(named_params! {
        ":id": id, ":name": group.name, ":description": group.description,
        ":source_vcenter": group.source.vcenter.to_string(), ":source_target": group.source.target.to_string(),
        ":source_dataset": group.source.dataset.as_str(), ":host": export.map(|one| &one.host),
        ":path": export.map(|one| &one.path), ":dr_vcenter": group.dr.vcenter.to_string(),
        ":dr_target": group.dr.target.to_string(), ":dr_dataset": group.dr.dataset.as_str(),
        ":policy": json(&group.policy)?, ":enabled": group.enabled, ":paused": group.paused_at.map(nanos),
        ":by": group.created_by, ":created": nanos(group.created_at),
    })?;
    Ok(())
}

fn group_of(row: &Row<'_>) -> rusqlite::Result<ProtectionGroup> {
    let (host, path): (Option<String>, Option<String>) = (row.get("export_host")?, row.get("export_path")?);
    Ok(ProtectionGroup {
        id: parsed(row, "id")?,
        name: row.get("name")?,
        description: row.get("description")?,
        source: SourceSide {
            vcenter: parsed(row, "source_vcenter")?,
            target: parsed(row, "source_target")?,
            dataset: parsed(row, "source_dataset")?,
            export: host.zip(path).map(|(host, path)| NfsExport { host, path }),
        },
        dr: DrSide {
            vcenter: parsed(row, "dr_vcenter")?,
            target: parsed(row, "dr_target")?,
            dataset: parsed(row, "dr_dataset")?,
        },
        policy: from_json(row, "policy")?,
        enabled: row.get("enabled")?,
        paused_at: maybe_time(row, "paused_at")?,
        created_by: row.get("created_by")?,
        created_at: time(row, "created_at")?,
    })
}
