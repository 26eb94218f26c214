//! Drafts: what somebody has filled in of a wizard.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde_json::Value;

use super::Store;
use super::error::StoreError;
use super::values::{from_json, json, nanos, parsed, time};
use crate::domain::ids::DraftId;

/// A draft as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its id.
    pub id: DraftId,
    /// Of which wizard.
    pub kind: String,
    /// Whose it is.
    pub owner: String,
    /// What was filled in.
    pub form: Value,
    /// Whether it was sent off.
    pub started: bool,
    /// What was made of it: an id.
    pub result: Option<String>,
    /// When it was saved last.
    pub saved_at: Timestamp,
}

impl Store {
    /// Keeps a draft, and forgets those that were saved before `oldest`. One that was sent off is not changed any more.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn put_draft(&self, draft: &Draft, oldest: Timestamp) -> Result<(), StoreError> {
        let draft = draft.clone();
        self.write(format!("keep the draft {}", draft.id), move |c| {
            c.prepare_cached("DELETE FROM drafts WHERE saved_at < ?1")?.execute([nanos(oldest)])?;
            c.prepare_cached(
                "INSERT INTO drafts (id, kind, owner, form, started, saved_at) \
                 VALUES (:id, :kind, :owner, :form, 0, :saved) \
                 ON CONFLICT (id) DO UPDATE SET form = :form, saved_at = :saved WHERE started = 0",
            )?
            .execute(named_params! {
                ":id": draft.id.to_string(), ":kind": draft.kind, ":owner": draft.owner,
                ":form": json(&draft.form)?, ":saved": nanos(draft.saved_at),
            })?;
            Ok(())
        })
        .await
    }

    /// The draft with this id, if there is one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn draft(&self, id: DraftId) -> Result<Option<Draft>, StoreError> {
        self.read(format!("read the draft {id}"), move |c| {
            let mut statement = c.prepare_cached("SELECT * FROM drafts WHERE id = ?1")?;
            Ok(statement.query_row([id.to_string()], draft_of).optional()?)
        })
        .await
    }

    /// Says that a draft is sent off now. False: it was before, by somebody who was quicker.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn claim_draft(&self, id: DraftId) -> Result<bool, StoreError> {
        self.write(format!("send off the draft {id}"), move |c| {
            let changed = c
                .prepare_cached("UPDATE drafts SET started = 1 WHERE id = ?1 AND started = 0")?
                .execute([id.to_string()])?;
            Ok(changed > 0)
        })
        .await
    }

    /// Notes what was made of a draft that was sent off; without it, it may be sent off again.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn note_draft_result(&self, id: DraftId, result: Option<String>) -> Result<(), StoreError> {
        self.write(format!("note what was made of the draft {id}"), move |c| {
            note(c, id, result.as_deref())?;
            Ok(())
        })
        .await
    }
}

/// What was made of a draft, if something was.
pub(super) fn result(c: &Connection, id: DraftId) -> rusqlite::Result<Option<String>> {
    let found = c
        .prepare_cached("SELECT result FROM drafts WHERE id = ?1")?
        .query_row([id.to_string()], |row| row.get(0));
    Ok(found.optional()?.flatten())
}

/// Notes what was made of a draft.
pub(super) fn note(c: &Connection, id: DraftId, result: Option<&str>) -> rusqlite::Result<()> {
    c.prepare_cached("UPDATE drafts SET started = ?2, result = ?3 WHERE id = ?1")?.execute((
        id.to_string(),
        result.is_some(),
        result,
    ))?;
    Ok(())
}

fn draft_of(row: &Row<'_>) -> rusqlite::Result<Draft> {
    Ok(Draft {
        id: parsed(row, "id")?,
        kind: row.get("kind")?,
        owner: row.get("owner")?,
        form: from_json(row, "form")?,
        started: row.get("started")?,
        result: row.get("result")?,
        saved_at: time(row, "saved_at")?,
    })
}
