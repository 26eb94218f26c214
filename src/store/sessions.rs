//! Signed-in browsers. A session is found by the hash of what its cookie holds.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};

use super::Store;
use super::audit::append;
use super::error::StoreError;
use super::users::find as find_user;
use super::values::{nanos, parsed, time};
use crate::domain::access::{Session, User};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::{SessionId, UserId};

impl Store {
    /// Keeps a new session, notes the sign-in with the user and in the audit log, and clears what `forgiven` had
    /// counted against them.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn insert_session(
        &self,
        session: &Session,
        secret_hash: String,
        forgiven: Vec<String>,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        let session = session.clone();
        self.write("keep the session", move |c| {
            c.prepare_cached(
                "INSERT INTO sessions (id, secret_hash, user_id, created_at, last_seen_at, confirmed_at, address, \
                                       agent) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute((
                session.id.to_string(),
                secret_hash,
                session.user.to_string(),
                nanos(session.created_at),
                nanos(session.last_seen_at),
                nanos(session.confirmed_at),
                &session.address,
                &session.agent,
            ))?;
            c.prepare_cached("UPDATE users SET last_sign_in_at = ?2 WHERE id = ?1")?
                .execute((session.user.to_string(), nanos(session.created_at)))?;
            super::sign_ins::forgive(c, &forgiven)?;
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// The session whose cookie has this hash, with its user.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn session_by_hash(&self, hash: &str) -> Result<Option<(Session, User)>, StoreError> {
        let hash = hash.to_owned();
        self.read("read the session", move |c| {
            let session = c
                .prepare_cached("SELECT * FROM sessions WHERE secret_hash = ?1")?
                .query_row([hash], session_of)
                .optional()?;
            let Some(session) = session else { return Ok(None) };
            Ok(find_user(c, session.user)?.map(|user| (session, user)))
        })
        .await
    }

    /// A user's sessions, the one seen last first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>, StoreError> {
        self.read(format!("list the sessions of user {user}"), move |c| {
            let mut statement =
                c.prepare_cached("SELECT * FROM sessions WHERE user_id = ?1 ORDER BY last_seen_at DESC")?;
            Ok(statement.query_map([user.to_string()], session_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Notes that a session is in use.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn touch_session(&self, id: SessionId, at: Timestamp) -> Result<(), StoreError> {
        self.write("note that a session is in use", move |c| {
            c.prepare_cached("UPDATE sessions SET last_seen_at = ?2 WHERE id = ?1")?
                .execute((id.to_string(), nanos(at)))?;
            Ok(())
        })
        .await
    }

    /// Notes that the password was typed again in this session.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn confirm_session(
        &self,
        id: SessionId,
        at: Timestamp,
        forgiven: Vec<String>,
    ) -> Result<(), StoreError> {
        self.write("note that the password was confirmed", move |c| {
            c.prepare_cached("UPDATE sessions SET confirmed_at = ?2 WHERE id = ?1")?
                .execute((id.to_string(), nanos(at)))?;
            super::sign_ins::forgive(c, &forgiven)?;
            Ok(())
        })
        .await
    }

    /// Ends a session of this user. Whether there was one is the result; only then is the line written.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn delete_session(
        &self,
        id: SessionId,
        user: UserId,
        audit: AuditEntry,
    ) -> Result<bool, StoreError> {
        self.write("end the session", move |c| {
            let ended = c
                .prepare_cached("DELETE FROM sessions WHERE id = ?1 AND user_id = ?2")?
                .execute((id.to_string(), user.to_string()))?;
            if ended > 0 {
                append(c, &audit)?;
            }
            Ok(ended > 0)
        })
        .await
    }

    /// Forgets sessions that are over: not seen since `idle`, or begun before `absolute`.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn forget_sessions(&self, idle: Timestamp, absolute: Timestamp) -> Result<(), StoreError> {
        self.write("forget sessions that are over", move |c| {
            c.prepare_cached("DELETE FROM sessions WHERE last_seen_at < ?1 OR created_at < ?2")?
                .execute((nanos(idle), nanos(absolute)))?;
            Ok(())
        })
        .await
    }
}

fn session_of(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: parsed(row, "id")?,
        user: parsed(row, "user_id")?,
        created_at: time(row, "created_at")?,
        last_seen_at: time(row, "last_seen_at")?,
        confirmed_at: time(row, "confirmed_at")?,
        address: row.get("address")?,
        agent: row.get("agent")?,
    })
}
