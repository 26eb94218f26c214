//! What an operator set, by name, as JSON.

use rusqlite::OptionalExtension;
use serde_json::Value;

use super::Store;
use super::audit::append;
use super::error::StoreError;
use super::values::{from_json, json};
use crate::domain::audit::AuditEntry;
use crate::domain::settings::Settings;

impl Store {
    /// The setting of this name, if it was ever set.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn setting(&self, key: &str) -> Result<Option<Value>, StoreError> {
        let key = key.to_owned();
        self.read(format!("read the setting {key:?}"), move |c| {
            Ok(c.prepare_cached("SELECT value FROM settings WHERE key = ?1")?
                .query_row([key], |row| from_json(row, "value"))
                .optional()?)
        })
        .await
    }

    /// What an administrator set for the whole installation. What an older or newer version left out has its default.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn installation_settings(&self) -> Result<Settings, StoreError> {
        let saved = self.setting(Settings::KEY).await?;
        Ok(saved.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default())
    }

    /// Every setting that was set, by name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn settings(&self) -> Result<Vec<(String, Value)>, StoreError> {
        self.read("list the settings", |c| {
            let mut statement = c.prepare_cached("SELECT key, value FROM settings ORDER BY key")?;
            let rows = statement.query_map([], |row| Ok((row.get("key")?, from_json(row, "value")?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Sets one, with its line in the audit log.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn save_setting(&self, key: &str, value: &Value, audit: AuditEntry) -> Result<(), StoreError> {
        let (key, value) = (key.to_owned(), value.clone());
        self.write(format!("keep the setting {key:?}"), move |c| {
            c.prepare_cached(
                "INSERT INTO settings (key, value) VALUES (?1, ?2) \
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?
            .execute((key, json(&value)?))?;
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// Sets one, or takes it back with `None`.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn put_setting(&self, key: &str, value: Option<&Value>) -> Result<(), StoreError> {
        let (key, value) = (key.to_owned(), value.cloned());
        self.write(format!("keep the setting {key:?}"), move |c| {
            match value {
                Some(value) => c
                    .prepare_cached(
                        "INSERT INTO settings (key, value) VALUES (?1, ?2) \
                         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    )?
                    .execute((key, json(&value)?))?,
                None => c.prepare_cached("DELETE FROM settings WHERE key = ?1")?.execute([key])?,
            };
            Ok(())
        })
        .await
    }
}
