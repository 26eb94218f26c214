//! SSH keys: their public half and the sealed secret that holds the private one.

use rusqlite::{OptionalExtension, Row};

use super::Store;
use super::audit::append;
use super::error::{Refusal, StoreError};
use super::values::{nanos, parsed, time};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::SshKeyId;
use crate::domain::ssh_key::SshKey;

impl Store {
    /// Keeps a new key, whose secret is kept already.
    ///
    /// # Errors
    /// [`Refusal::AlreadyExists`] if there is one of this name.
    pub async fn insert_ssh_key(&self, key: &SshKey, audit: AuditEntry) -> Result<(), StoreError> {
        let key = key.clone();
        self.write(format!("keep the SSH key {:?}", key.name), move |c| {
            if c.prepare_cached("SELECT 1 FROM ssh_keys WHERE name = ?1")?.exists([&key.name])? {
                return Err(Refusal::AlreadyExists(format!("an SSH key {:?}", key.name)).into());
            }
            c.prepare_cached(
                "INSERT INTO ssh_keys (id, name, algorithm, fingerprint, public_key, secret_id, created_by, created_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute((
                key.id.to_string(),
                &key.name,
                &key.algorithm,
                &key.fingerprint,
                &key.public_key,
                key.secret.to_string(),
                &key.created_by,
                nanos(key.created_at),
            ))?;
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// All keys, by name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn ssh_keys(&self) -> Result<Vec<SshKey>, StoreError> {
        self.read("list the SSH keys", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM ssh_keys ORDER BY name")?;
            Ok(statement.query_map([], key_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The key with this id, if there is one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn ssh_key(&self, id: SshKeyId) -> Result<Option<SshKey>, StoreError> {
        self.read(format!("read SSH key {id}"), move |c| {
            Ok(c.prepare_cached("SELECT * FROM ssh_keys WHERE id = ?1")?
                .query_row([id.to_string()], key_of)
                .optional()?)
        })
        .await
    }

    /// Deletes a key and its secret.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; [`Refusal::Needed`] while an appliance or a template uses it, or a job that has not ended
    /// names it.
    pub async fn delete_ssh_key(&self, key: &SshKey, audit: AuditEntry) -> Result<(), StoreError> {
        let key = key.clone();
        self.write(format!("delete the SSH key {:?}", key.name), move |c| {
            let used: Option<String> = c
                .prepare_cached(
                    "SELECT id FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled') \
                     AND instr(input, ?1) > 0 LIMIT 1",
                )?
                .query_row([key.secret.to_string()], |row| row.get(0))
                .optional()?;
            if let Some(job) = used {
                return Err(Refusal::Needed(format!("in use by job {job}, which has not ended")).into());
            }
            let user: Option<String> = c
                .prepare_cached("SELECT name FROM targets WHERE ssh_key = ?1 ORDER BY name LIMIT 1")?
                .query_row([key.id.to_string()], |row| row.get(0))
                .optional()?;
            if let Some(appliance) = user {
                return Err(Refusal::Needed(format!("the key of the appliance {appliance:?}")).into());
            }
            let template: Option<String> = c
                .prepare_cached("SELECT name FROM templates WHERE ssh_key = ?1 ORDER BY name LIMIT 1")?
                .query_row([key.id.to_string()], |row| row.get(0))
                .optional()?;
            if let Some(template) = template {
                return Err(Refusal::Needed(format!("the key of the template {template:?}")).into());
            }
            let next: Option<String> = c
                .prepare_cached("SELECT secret_id FROM ssh_key_successors WHERE key = ?1")?
                .query_row([key.id.to_string()], |row| row.get(0))
                .optional()?;
            if c.prepare_cached("DELETE FROM ssh_keys WHERE id = ?1")?.execute([key.id.to_string()])? == 0 {
                return Err(Refusal::NotFound(format!("SSH key {:?}", key.name)).into());
            }
            for secret in next.into_iter().chain([key.secret.to_string()]) {
                c.prepare_cached("DELETE FROM secrets WHERE id = ?1")?.execute([secret])?;
            }
            append(c, &audit)?;
            Ok(())
        })
        .await
    }
}

fn key_of(row: &Row<'_>) -> rusqlite::Result<SshKey> {
    Ok(SshKey {
        id: parsed(row, "id")?,
        name: row.get("name")?,
        algorithm: row.get("algorithm")?,
        fingerprint: row.get("fingerprint")?,
        public_key: row.get("public_key")?,
        secret: parsed(row, "secret_id")?,
        created_by: row.get("created_by")?,
        created_at: time(row, "created_at")?,
    })
}
