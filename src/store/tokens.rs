//! Tokens of programs. Found by the hash of what the program sends.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};

use super::Store;
use super::audit::append;
use super::error::{Refusal, StoreError};
use super::values::{maybe_time, nanos, parsed, time};
use crate::domain::access::{AccountName, Token};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::TokenId;

impl Store {
    /// Keeps a new token.
    ///
    /// # Errors
    /// [`Refusal::AlreadyExists`] if there is one of this name.
    pub async fn insert_token(
        &self,
        token: &Token,
        secret_hash: String,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        let token = token.clone();
        self.write(format!("keep the token {}", token.name), move |c| {
            let taken =
                c.prepare_cached("SELECT 1 FROM tokens WHERE name = ?1")?.exists([token.name.as_str()])?;
            if taken {
                return Err(Refusal::AlreadyExists(format!("a token {}", token.name)).into());
            }
            c.prepare_cached(
                "INSERT INTO tokens (id, name, role, secret_hash, prefix, created_by, created_at, expires_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute((
                token.id.to_string(),
                token.name.as_str(),
                token.role.as_str(),
                secret_hash,
                &token.prefix,
                &token.created_by,
                nanos(token.created_at),
                token.expires_at.map(nanos),
            ))?;
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// The token whose text has this hash.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn token_by_hash(&self, hash: &str) -> Result<Option<Token>, StoreError> {
        let hash = hash.to_owned();
        self.read("read the token", move |c| {
            Ok(c.prepare_cached("SELECT * FROM tokens WHERE secret_hash = ?1")?
                .query_row([hash], token_of)
                .optional()?)
        })
        .await
    }

    /// All tokens, by name; revoked ones too.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        self.read("list the tokens", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM tokens ORDER BY name")?;
            Ok(statement.query_map([], token_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Notes that a token was used.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn touch_token(&self, id: TokenId, at: Timestamp) -> Result<(), StoreError> {
        self.write("note that a token is in use", move |c| {
            c.prepare_cached("UPDATE tokens SET last_used_at = ?2 WHERE id = ?1")?
                .execute((id.to_string(), nanos(at)))?;
            Ok(())
        })
        .await
    }

    /// Revokes the token of this name, for good.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if there is none that is still good.
    pub async fn revoke_token(
        &self,
        name: &AccountName,
        at: Timestamp,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        let name = name.clone();
        self.write(format!("revoke the token {name}"), move |c| {
            let changed = c
                .prepare_cached("UPDATE tokens SET revoked_at = ?2 WHERE name = ?1 AND revoked_at IS NULL")?
                .execute((name.as_str(), nanos(at)))?;
            if changed == 0 {
                return Err(Refusal::NotFound(format!("token {name} that is not revoked")).into());
            }
            append(c, &audit)?;
            Ok(())
        })
        .await
    }
}

fn token_of(row: &Row<'_>) -> rusqlite::Result<Token> {
    Ok(Token {
        id: parsed(row, "id")?,
        name: parsed(row, "name")?,
        role: parsed(row, "role")?,
        prefix: row.get("prefix")?,
        created_by: row.get("created_by")?,
        created_at: time(row, "created_at")?,
        expires_at: maybe_time(row, "expires_at")?,
        last_used_at: maybe_time(row, "last_used_at")?,
        revoked_at: maybe_time(row, "revoked_at")?,
    })
}
