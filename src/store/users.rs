//! Users. Every change comes with its line for the audit log, in one transaction.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

use super::Store;
use super::audit::append;
use super::error::{Problem, Refusal, StoreError};
use super::values::{maybe_time, nanos, parsed, time};
use crate::domain::access::{AccountName, Role, User};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::{SessionId, UserId};

/// What changes in a user's row. What is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Another role.
    pub role: Option<Role>,
    /// Kept out, or let in again.
    pub disabled: Option<bool>,
    /// Another password, as its hash, set at this time.
    pub password: Option<(String, Timestamp)>,
}

impl Store {
    /// How many users there are.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn count_users(&self) -> Result<u64, StoreError> {
        self.read("count the users", |c| Ok(count(c)?)).await
    }

    /// All users, by name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        self.read("list the users", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM users ORDER BY name")?;
            Ok(statement.query_map([], user_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The user with this id, if there is one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.read(format!("read user {id}"), move |c| Ok(find(c, id)?)).await
    }

    /// The user of this name with the hash of the password, if there is one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn user_with_hash(&self, name: &AccountName) -> Result<Option<(User, String)>, StoreError> {
        let name = name.clone();
        self.read(format!("read the user {name}"), move |c| {
            Ok(c.prepare_cached("SELECT * FROM users WHERE name = ?1")?
                .query_row([name.as_str()], |row| Ok((user_of(row)?, row.get("password_hash")?)))
                .optional()?)
        })
        .await
    }

    /// Keeps a new user. With `only_if_first`, only while there is none at all, which also uses the setup code up.
    ///
    /// # Errors
    /// [`Refusal::AlreadyExists`] if there is one of this name, or, with `only_if_first`, any.
    pub async fn insert_user(
        &self,
        user: &User,
        password_hash: String,
        only_if_first: bool,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        let user = user.clone();
        self.write(format!("keep the user {}", user.name), move |c| {
            if only_if_first && count(c)? > 0 {
                return Err(Refusal::AlreadyExists("a user".to_owned()).into());
            }
            let taken =
                c.prepare_cached("SELECT 1 FROM users WHERE name = ?1")?.exists([user.name.as_str()])?;
            if taken {
                return Err(Refusal::AlreadyExists(format!("a user {}", user.name)).into());
            }
            c.prepare_cached(
                "INSERT INTO users (id, name, role, password_hash, disabled, created_at, password_changed_at, \
                                    last_sign_in_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute((
                user.id.to_string(),
                user.name.as_str(),
                user.role.as_str(),
                password_hash,
                user.disabled,
                nanos(user.created_at),
                nanos(user.password_changed_at),
                user.last_sign_in_at.map(nanos),
            ))?;
            c.execute("DELETE FROM setup_codes", [])?;
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// Changes a user and ends their sessions, except `keep`: none that was begun under the old password, role or
    /// standing stays good.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; [`Refusal::Needed`] if nobody would be left who is an admin and may sign in.
    pub async fn change_user(
        &self,
        id: UserId,
        change: UserChange,
        keep: Option<SessionId>,
        audit: AuditEntry,
    ) -> Result<User, StoreError> {
        self.write(format!("change user {id}"), move |c| {
            let Some(user) = find(c, id)? else {
                return Err(Refusal::NotFound(format!("user {id}")).into());
            };
            let role = change.role.unwrap_or(user.role);
            let disabled = change.disabled.unwrap_or(user.disabled);
            c.prepare_cached("UPDATE users SET role = ?2, disabled = ?3 WHERE id = ?1")?.execute((
                id.to_string(),
                role.as_str(),
                disabled,
            ))?;
            if let Some((hash, at)) = change.password {
                c.prepare_cached(
                    "UPDATE users SET password_hash = ?2, password_changed_at = ?3 WHERE id = ?1",
                )?
                .execute((id.to_string(), hash, nanos(at)))?;
            }
            require_an_admin(c)?;
            c.prepare_cached("DELETE FROM sessions WHERE user_id = ?1 AND id IS NOT ?2")?
                .execute((id.to_string(), keep.map(|id| id.to_string())))?;
            append(c, &audit)?;
            find(c, id)?.ok_or_else(|| Refusal::NotFound(format!("user {id}")).into())
        })
        .await
    }

    /// Replaces the hash of an unchanged password by one made with today's parameters.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn rehash_password(&self, id: UserId, old: String, new: String) -> Result<(), StoreError> {
        self.write(format!("renew the password hash of user {id}"), move |c| {
            c.prepare_cached("UPDATE users SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2")?
                .execute((id.to_string(), old, new))?;
            Ok(())
        })
        .await
    }

    /// Remembers what the one-time setup link carries, in place of an earlier one.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn put_setup_code(&self, hash: String) -> Result<(), StoreError> {
        self.write("keep the setup code", move |c| {
            c.execute(
                "INSERT INTO setup_codes (only_row, hash) VALUES (1, ?1) \
                 ON CONFLICT (only_row) DO UPDATE SET hash = excluded.hash",
                [hash],
            )?;
            Ok(())
        })
        .await
    }

    /// The hash of what the setup link carries, if one was printed and there is no user yet.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn setup_code(&self) -> Result<Option<String>, StoreError> {
        self.read("read the setup code", |c| {
            Ok(c.query_row("SELECT hash FROM setup_codes", [], |row| row.get(0)).optional()?)
        })
        .await
    }
}

fn count(c: &Connection) -> rusqlite::Result<u64> {
    c.query_row("SELECT count(*) FROM users", [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

fn require_an_admin(c: &Connection) -> Result<(), Problem> {
    let left = c.prepare_cached("SELECT 1 FROM users WHERE role = 'admin' AND disabled = 0")?.exists([])?;
    if left { Ok(()) } else { Err(Refusal::Needed("the last admin who can sign in".to_owned()).into()) }
}

pub(in crate::store) fn find(c: &Connection, id: UserId) -> rusqlite::Result<Option<User>> {
    c.prepare_cached("SELECT * FROM users WHERE id = ?1")?.query_row([id.to_string()], user_of).optional()
}

pub(in crate::store) fn user_of(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: parsed(row, "id")?,
        name: parsed(row, "name")?,
        role: parsed(row, "role")?,
        disabled: row.get("disabled")?,
        created_at: time(row, "created_at")?,
        password_changed_at: time(row, "password_changed_at")?,
        last_sign_in_at: maybe_time(row, "last_sign_in_at")?,
    })
}
