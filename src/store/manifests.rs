//! What is in each checkpoint of a group.

use rusqlite::{Connection, OptionalExtension, Row};

use super::Store;
use super::error::StoreError;
use super::values::{from_json, json, nanos};
use crate::domain::dataset::Guid;
use crate::domain::ids::GroupId;
use crate::domain::manifest::Manifest;

impl Store {
    /// Keeps the manifest of the snapshot with this GUID, or its new form. Passed over if its group is gone.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn put_manifest(&self, guid: Guid, manifest: &Manifest) -> Result<(), StoreError> {
        let manifest = manifest.clone();
        self.write(format!("keep the manifest of checkpoint {guid}"), move |c| {
            let group = manifest.group.to_string();
            c.prepare_cached(
                "INSERT INTO manifests (group_id, guid, taken_at, kind, body) SELECT ?1, ?2, ?3, ?4, ?5 \
                 WHERE EXISTS (SELECT 1 FROM protection_groups WHERE id = ?1) \
                 ON CONFLICT (group_id, guid) DO UPDATE SET taken_at = ?3, kind = ?4, body = ?5",
            )?
            .execute((
                &group,
                guid.to_string(),
                nanos(manifest.taken_at),
                manifest.kind.as_str(),
                json(&manifest)?,
            ))?;
            c.prepare_cached("UPDATE checkpoints SET kind = ?3 WHERE group_id = ?1 AND guid = ?2")?
                .execute((group, guid.to_string(), manifest.kind.as_str()))?;
            Ok(())
        })
        .await
    }

    /// The manifest of a checkpoint; none if none is known.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn manifest(&self, group: GroupId, guid: Guid) -> Result<Option<Manifest>, StoreError> {
        self.read(format!("read the manifest of checkpoint {guid}"), move |c| {
            let mut statement =
                c.prepare_cached("SELECT body FROM manifests WHERE group_id = ?1 AND guid = ?2")?;
            Ok(statement.query_row((group.to_string(), guid.to_string()), manifest_of).optional()?)
        })
        .await
    }

    /// The newest manifest of a group; none if none is known.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn newest_manifest(&self, group: GroupId) -> Result<Option<Manifest>, StoreError> {
        self.read(format!("read the newest manifest of protection group {group}"), move |c| {
            let mut statement = c.prepare_cached(
                "SELECT body FROM manifests WHERE group_id = ?1 ORDER BY taken_at DESC LIMIT 1",
            )?;
            Ok(statement.query_row([group.to_string()], manifest_of).optional()?)
        })
        .await
    }

    /// The checkpoints of a group of which a manifest is known.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn manifests_known(&self, group: GroupId) -> Result<Vec<Guid>, StoreError> {
        self.read(format!("list the manifests of protection group {group}"), move |c| {
            let mut statement = c.prepare_cached("SELECT guid FROM manifests WHERE group_id = ?1")?;
            let rows = statement.query_map([group.to_string()], |row| row.get::<_, String>(0))?;
            let guids: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
            Ok(guids.iter().filter_map(|guid| guid.parse().ok().map(Guid)).collect())
        })
        .await
    }

    /// Counts the changes of direction of a group, from 1; none if there is no such group.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn group_epoch(&self, group: GroupId) -> Result<Option<u32>, StoreError> {
        self.read(format!("read the epoch of protection group {group}"), move |c| {
            let mut statement = c.prepare_cached("SELECT epoch FROM protection_groups WHERE id = ?1")?;
            Ok(statement.query_row([group.to_string()], |row| row.get(0)).optional()?)
        })
        .await
    }
}

/// Forgets the manifests of checkpoints that are gone, and those of before `forget` that belong to none.
pub(in crate::store) fn forget_orphans(c: &Connection, group: GroupId, forget: i64) -> rusqlite::Result<()> {
    c.prepare_cached(
        "DELETE FROM manifests WHERE group_id = ?1 AND ( \
             EXISTS (SELECT 1 FROM checkpoints x WHERE x.group_id = ?1 AND x.guid = manifests.guid \
                 AND x.gone_at IS NOT NULL) \
             OR (taken_at < ?2 AND NOT EXISTS ( \
                 SELECT 1 FROM checkpoints x WHERE x.group_id = ?1 AND x.guid = manifests.guid)))",
    )?
    .execute((group.to_string(), forget))?;
    Ok(())
}

fn manifest_of(row: &Row<'_>) -> rusqlite::Result<Manifest> {
    from_json(row, "body")
}
