//! Sealed secrets, as the vault made them. This room cannot open them.

use std::fmt;

use rusqlite::{OptionalExtension, Row};

use super::Store;
use super::error::{Refusal, StoreError};
use super::values::parsed;
use crate::domain::ids::SecretId;

/// A sealed secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// Its id, which is sealed in as well, so that rows cannot be swapped.
    pub id: SecretId,
    /// What it is for; no other secret has this name.
    pub name: String,
    /// The data key it is sealed under.
    pub key_id: String,
    /// The envelope.
    pub sealed: Vec<u8>,
}

impl fmt::Debug for SecretRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretRow")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// A data key, wrapped under the recovery key that was printed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The data key's id.
    pub key_id: String,
    /// What the vault's `recovery_wrap` made.
    pub wrapped: Vec<u8>,
}

impl Store {
    /// Keeps a secret: a new one, or another one in place of the one with this id.
    ///
    /// # Errors
    /// [`Refusal::AlreadyExists`] if another secret has this name; or if the database cannot be written.
    pub async fn put_secret(&self, secret: &SecretRow) -> Result<(), StoreError> {
        let secret = secret.clone();
        self.write(format!("keep the secret {:?}", secret.name), move |c| {
            let taken = c
                .prepare_cached("SELECT 1 FROM secrets WHERE name = ?1 AND id <> ?2")?
                .exists((&secret.name, secret.id.to_string()))?;
            if taken {
                return Err(Refusal::AlreadyExists(format!("a secret {:?}", secret.name)).into());
            }
            c.prepare_cached(
                "INSERT INTO secrets (id, name, key_id, sealed) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (id) DO UPDATE SET name = ?2, key_id = ?3, sealed = ?4",
            )?
            .execute((secret.id.to_string(), &secret.name, &secret.key_id, &secret.sealed))?;
            Ok(())
        })
        .await
    }

    /// The secret with this id, if there is one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn secret(&self, id: SecretId) -> Result<Option<SecretRow>, StoreError> {
        self.read(format!("read secret {id}"), move |c| {
            Ok(c.prepare_cached("SELECT * FROM secrets WHERE id = ?1")?
                .query_row([id.to_string()], secret_of)
                .optional()?)
        })
        .await
    }

    /// The secret of this name, if there is one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn secret_named(&self, name: &str) -> Result<Option<SecretRow>, StoreError> {
        let name = name.to_owned();
        self.read(format!("read the secret {name:?}"), move |c| {
            Ok(c.prepare_cached("SELECT * FROM secrets WHERE name = ?1")?
                .query_row([name], secret_of)
                .optional()?)
        })
        .await
    }

    /// All secrets, by name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn secrets(&self) -> Result<Vec<SecretRow>, StoreError> {
        self.read("list the secrets", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM secrets ORDER BY name")?;
            Ok(statement.query_map([], secret_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The secrets that are sealed under another data key than this one: what a rotation has left to do.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn secrets_not_under(&self, key_id: &str) -> Result<Vec<SecretRow>, StoreError> {
        let key_id = key_id.to_owned();
        self.read("list the secrets under older keys", move |c| {
            let mut statement = c.prepare_cached("SELECT * FROM secrets WHERE key_id <> ?1 ORDER BY id")?;
            Ok(statement.query_map([key_id], secret_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Replaces a secret's envelope by one of the same content under another key, if it still is `old`.
    /// `false`, and nothing done, if somebody set or deleted the secret meanwhile.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn reseal(&self, old: &SecretRow, key_id: &str, sealed: Vec<u8>) -> Result<bool, StoreError> {
        let (old, key_id) = (old.clone(), key_id.to_owned());
        self.write(format!("seal the secret {:?} under another key", old.name), move |c| {
            let changed = c
                .prepare_cached("UPDATE secrets SET key_id = ?3, sealed = ?4 WHERE id = ?1 AND sealed = ?2")?
                .execute((old.id.to_string(), &old.sealed, key_id, sealed))?;
            Ok(changed > 0)
        })
        .await
    }

    /// Deletes a secret. Whether there was one is the result.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn delete_secret(&self, id: SecretId) -> Result<bool, StoreError> {
        self.write(format!("delete secret {id}"), move |c| {
            Ok(c.prepare_cached("DELETE FROM secrets WHERE id = ?1")?.execute([id.to_string()])? > 0)
        })
        .await
    }

    /// Keeps a wrapped data key, in place of an earlier one with the same id.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn put_wrapped_key(&self, key: &WrappedKey) -> Result<(), StoreError> {
        let key = key.clone();
        self.write("keep the wrapped data key", move |c| {
            c.prepare_cached(
                "INSERT INTO wrapped_keys (key_id, wrapped) VALUES (?1, ?2) \
                 ON CONFLICT (key_id) DO UPDATE SET wrapped = excluded.wrapped",
            )?
            .execute((key.key_id, key.wrapped))?;
            Ok(())
        })
        .await
    }

    /// All wrapped data keys.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn wrapped_keys(&self) -> Result<Vec<WrappedKey>, StoreError> {
        self.read("list the wrapped data keys", |c| {
            let mut statement =
                c.prepare_cached("SELECT key_id, wrapped FROM wrapped_keys ORDER BY key_id")?;
            let keys = statement.query_map([], |row| {
                Ok(WrappedKey { key_id: row.get("key_id")?, wrapped: row.get("wrapped")? })
            })?;
            Ok(keys.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Forgets a wrapped data key, once no secret and no backup needs it.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn delete_wrapped_key(&self, key_id: &str) -> Result<(), StoreError> {
        let key_id = key_id.to_owned();
        self.write("forget a wrapped data key", move |c| {
            c.prepare_cached("DELETE FROM wrapped_keys WHERE key_id = ?1")?.execute([key_id])?;
            Ok(())
        })
        .await
    }
}

fn secret_of(row: &Row<'_>) -> rusqlite::Result<SecretRow> {
    Ok(SecretRow {
        id: parsed(row, "id")?,
        name: row.get("name")?,
        key_id: row.get("key_id")?,
        sealed: row.get("sealed")?,
    })
}
