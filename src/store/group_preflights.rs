//! The last preflight of each group.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use super::Store;
use super::audit::append;
use super::error::{Refusal, StoreError};
use super::values::{from_json, json, nanos, parsed};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::GroupId;
use crate::domain::preflight::Preflight;

impl Store {
    /// The last preflight of each group that had one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn group_preflights(&self) -> Result<BTreeMap<GroupId, Preflight>, StoreError> {
        self.read("list the preflights of protection groups", |c| {
            let mut statement = c.prepare_cached("SELECT group_id, body FROM group_preflights")?;
            let rows =
                statement.query_map([], |row| Ok((parsed(row, "group_id")?, from_json(row, "body")?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The last preflight of a group; none: it had none.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn group_preflight(&self, group: GroupId) -> Result<Option<Preflight>, StoreError> {
        self.read(format!("read the preflight of protection group {group}"), move |c| Ok(find(c, group)?))
            .await
    }

    /// Keeps what `of` makes of the preflight before: in one transaction, so that of two looks neither takes the other's news
    /// for its own. Gives what is kept; none: there is no such group any more.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn keep_group_preflight(
        &self,
        group: GroupId,
        of: impl FnOnce(Option<&Preflight>) -> Preflight + Send + 'static,
    ) -> Result<Option<Preflight>, StoreError> {
        self.write(format!("keep the preflight of protection group {group}"), move |c| {
            if !c
                .prepare_cached("SELECT 1 FROM protection_groups WHERE id = ?1")?
                .exists([group.to_string()])?
            {
                return Ok(None);
            }
            let kept = of(find(c, group)?.as_ref());
            put(c, group, &kept)?;
            Ok(Some(kept))
        })
        .await
    }

    /// Says that somebody has seen what is new for a group.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if it had no preflight; or if the database cannot be written.
    pub async fn see_group_preflight(&self, group: GroupId, audit: AuditEntry) -> Result<(), StoreError> {
        self.write(format!("note that the preflight of protection group {group} was seen"), move |c| {
            let Some(mut preflight) = find(c, group)? else {
                return Err(Refusal::NotFound(format!("a preflight of protection group {group}")).into());
            };
            if preflight.new_ones() == 0 {
                return Ok(());
            }
            preflight.obstacles.iter_mut().for_each(|one| one.is_new = false);
            put(c, group, &preflight)?;
            append(c, &audit)?;
            Ok(())
        })
        .await
    }
}

fn find(c: &Connection, group: GroupId) -> rusqlite::Result<Option<Preflight>> {
    c.prepare_cached("SELECT body FROM group_preflights WHERE group_id = ?1")?
        .query_row([group.to_string()], |row| from_json(row, "body"))
        .optional()
}

fn put(c: &Connection, group: GroupId, preflight: &Preflight) -> Result<(), super::error::Problem> {
    c.prepare_cached(
        "INSERT OR REPLACE INTO group_preflights (group_id, checked_at, body) VALUES (?1, ?2, ?3)",
    )?
    .execute((group.to_string(), nanos(preflight.checked_at), json(preflight)?))?;
    Ok(())
}
