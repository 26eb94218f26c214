//! SSH keys that are to take the place of others.

use rusqlite::{OptionalExtension, Row};

use super::Store;
use super::audit::append;
use super::error::{Refusal, StoreError};
use super::secrets::SecretRow;
use super::values::{nanos, parsed, time};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::SshKeyId;
use crate::domain::ssh_key::{SshKey, SshKeySuccessor};

impl Store {
    /// Keeps a key that is to take another one's place, whose secret is kept already.
    ///
    /// # Errors
    /// [`Refusal::AlreadyExists`] if there is one for it.
    pub async fn insert_ssh_key_successor(
        &self,
        next: &SshKeySuccessor,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        let next = next.clone();
        self.write("keep a new SSH key", move |c| {
            let key = next.key.to_string();
            if c.prepare_cached("SELECT 1 FROM ssh_key_successors WHERE key = ?1")?.exists([&key])? {
                return Err(Refusal::AlreadyExists("a new key to take its place".to_owned()).into());
            }
            c.prepare_cached(
                "INSERT INTO ssh_key_successors (key, algorithm, fingerprint, public_key, secret_id, created_by, created_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((
                key,
                &next.algorithm,
                &next.fingerprint,
                &next.public_key,
                next.secret.to_string(),
                &next.created_by,
                nanos(next.created_at),
            ))?;
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// The key that is to take this one's place, if there is one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn ssh_key_successor(&self, key: SshKeyId) -> Result<Option<SshKeySuccessor>, StoreError> {
        self.read(format!("read what takes the place of SSH key {key}"), move |c| {
            Ok(c.prepare_cached("SELECT * FROM ssh_key_successors WHERE key = ?1")?
                .query_row([key.to_string()], successor_of)
                .optional()?)
        })
        .await
    }

    /// Forgets a key that was to take another one's place, with its secret.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if it is gone already.
    pub async fn delete_ssh_key_successor(
        &self,
        next: &SshKeySuccessor,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        let next = next.clone();
        self.write("forget a new SSH key", move |c| {
            let gone = c
                .prepare_cached("DELETE FROM ssh_key_successors WHERE key = ?1 AND secret_id = ?2")?
                .execute((next.key.to_string(), next.secret.to_string()))?;
            if gone == 0 {
                return Err(Refusal::NotFound("new key any more".to_owned()).into());
            }
            c.prepare_cached("DELETE FROM secrets WHERE id = ?1")?.execute([next.secret.to_string()])?;
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// Puts the new key in the old one's place: its envelope `sealed` under the old one's id, its public half in the
    /// row. The old private half is gone with that.
    ///
    /// # Errors
    /// [`Refusal::Changed`] if the rotation was given up or begun anew meanwhile.
    pub async fn succeed_ssh_key(
        &self,
        key: &SshKey,
        next: &SshKeySuccessor,
        sealed: SecretRow,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        let (key, next) = (key.clone(), next.clone());
        self.write(format!("put a new key in the place of {:?}", key.name), move |c| {
            let gone = c
                .prepare_cached("DELETE FROM ssh_key_successors WHERE key = ?1 AND secret_id = ?2")?
                .execute((key.id.to_string(), next.secret.to_string()))?;
            if gone == 0 {
                return Err(Refusal::Changed("the rotation of this key".to_owned()).into());
            }
            c.prepare_cached("UPDATE secrets SET key_id = ?2, sealed = ?3 WHERE id = ?1")?.execute((
                key.secret.to_string(),
                &sealed.key_id,
                &sealed.sealed,
            ))?;
            c.prepare_cached("DELETE FROM secrets WHERE id = ?1")?.execute([next.secret.to_string()])?;
            c.prepare_cached(
                "UPDATE ssh_keys SET algorithm = ?2, fingerprint = ?3, public_key = ?4 WHERE id = ?1",
            )?
            .execute((
                key.id.to_string(),
                &next.algorithm,
                &next.fingerprint,
                &next.public_key,
            ))?;
            append(c, &audit)?;
            Ok(())
        })
        .await
    }
}

fn successor_of(row: &Row<'_>) -> rusqlite::Result<SshKeySuccessor> {
    Ok(SshKeySuccessor {
        key: parsed(row, "key")?,
        algorithm: row.get("algorithm")?,
        fingerprint: row.get("fingerprint")?,
        public_key: row.get("public_key")?,
        secret: parsed(row, "secret_id")?,
        created_by: row.get("created_by")?,
        created_at: time(row, "created_at")?,
    })
}
