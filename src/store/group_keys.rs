//! Which groups have a key for their encrypted datasets. The keys are among the secrets.

use rusqlite::{OptionalExtension, Row};

use super::Store;
use super::audit::append;
use super::error::{Refusal, StoreError};
use super::values::{maybe_time, nanos, parsed, time};
use crate::domain::audit::AuditEntry;
use crate::domain::group_key::GroupKey;
use crate::domain::ids::GroupId;
use crate::domain::names::DatasetName;

impl Store {
    /// Keeps which secret is the key of a group, in place of an earlier one, which is deleted with it.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if there is no such group; or if the database cannot be written.
    pub async fn put_group_key(&self, key: &GroupKey, audit: AuditEntry) -> Result<(), StoreError> {
        let key = key.clone();
        self.write(format!("keep the key of protection group {}", key.group), move |c| {
            let group = key.group.to_string();
            if !c.prepare_cached("SELECT 1 FROM protection_groups WHERE id = ?1")?.exists([&group])? {
                return Err(Refusal::NotFound(format!("protection group {group}")).into());
            }
            c.prepare_cached(
                "INSERT INTO group_keys (group_id, secret_id, tried_on, tried_at, set_by, set_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (group_id) DO UPDATE SET \
                 secret_id = ?2, tried_on = ?3, tried_at = ?4, set_by = ?5, set_at = ?6",
            )?
            .execute((
                group,
                key.secret.to_string(),
                key.tried.as_ref().map(|(root, _)| root.to_string()),
                key.tried.as_ref().map(|(_, at)| nanos(*at)),
                &key.set_by,
                nanos(key.set_at),
            ))?;
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// The key of a group, if one is kept.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn group_key(&self, group: GroupId) -> Result<Option<GroupKey>, StoreError> {
        self.read(format!("read the key of protection group {group}"), move |c| {
            Ok(c.prepare_cached("SELECT * FROM group_keys WHERE group_id = ?1")?
                .query_row([group.to_string()], key_of)
                .optional()?)
        })
        .await
    }

    /// Forgets the key of a group, for good.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if none is kept; or if the database cannot be written.
    pub async fn delete_group_key(&self, group: GroupId, audit: AuditEntry) -> Result<(), StoreError> {
        self.write(format!("forget the key of protection group {group}"), move |c| {
            let mut statement = c.prepare_cached("DELETE FROM group_keys WHERE group_id = ?1")?;
            if statement.execute([group.to_string()])? == 0 {
                return Err(Refusal::NotFound(format!("a key of protection group {group}")).into());
            }
            append(c, &audit)?;
            Ok(())
        })
        .await
    }
}

fn key_of(row: &Row<'_>) -> rusqlite::Result<GroupKey> {
    let on: Option<String> = row.get("tried_on")?;
    let on: Option<DatasetName> = match on {
        Some(_) => Some(parsed(row, "tried_on")?),
        None => None,
    };
    Ok(GroupKey {
        group: parsed(row, "group_id")?,
        secret: parsed(row, "secret_id")?,
        tried: on.zip(maybe_time(row, "tried_at")?),
        set_by: row.get("set_by")?,
        set_at: time(row, "set_at")?,
    })
}
