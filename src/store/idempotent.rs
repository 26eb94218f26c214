//! Answers to creating requests that carried an `Idempotency-Key`.

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use super::Store;
use super::error::StoreError;
use super::values::nanos;

/// What is known about a request that carries a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repeat {
    /// Nothing; it is now noted as being done.
    First,
    /// The first one is still being done.
    UnderWay,
    /// The key was used for another request.
    Other,
    /// This was answered.
    Answered(KeptAnswer),
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The `Location`, if it had one.
    pub location: Option<String>,
    /// The body.
    pub body: String,
}

impl Store {
    /// Notes a request as being done, unless one with its key is known. Forgets those from before `forget`.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn begin_request(
        &self,
        (owner, key, request): (String, String, String),
        now: Timestamp,
        forget: Timestamp,
    ) -> Result<Repeat, StoreError> {
        self.write("look for an earlier request with this key", move |c| {
            c.prepare_cached("DELETE FROM idempotent_requests WHERE created_at < ?1")?
                .execute([nanos(forget)])?;
            let known = c
                .prepare_cached(
                    "SELECT request, status, location, body FROM idempotent_requests WHERE owner = ?1 AND key = ?2",
                )?
                .query_row((&owner, &key), |row| {
                    let status: Option<u16> = row.get(1)?;
                    Ok((row.get::<_, String>(0)?, status, row.get(2)?, row.get::<_, Option<String>>(3)?))
                })
                .optional()?;
            Ok(match known {
                Some((other, ..)) if other != request => Repeat::Other,
                Some((_, Some(status), location, body)) => {
                    Repeat::Answered(KeptAnswer { status, location, body: body.unwrap_or_default() })
                }
                Some(_) => Repeat::UnderWay,
                None => {
                    c.prepare_cached(
                        "INSERT INTO idempotent_requests (owner, key, request, created_at) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute((owner, key, request, nanos(now)))?;
                    Repeat::First
                }
            })
        })
        .await
    }

    /// Keeps the answer to a request, or with `None` forgets the request, so that it may be tried again.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn end_request(
        &self,
        owner: String,
        key: String,
        answer: Option<KeptAnswer>,
    ) -> Result<(), StoreError> {
        self.write("keep the answer to a request", move |c| {
            match answer {
                Some(answer) => c
                    .prepare_cached(
                        "UPDATE idempotent_requests SET status = ?3, location = ?4, body = ?5 \
                         WHERE owner = ?1 AND key = ?2",
                    )?
                    .execute((owner, key, answer.status, answer.location, answer.body))?,
                None => c
                    .prepare_cached("DELETE FROM idempotent_requests WHERE owner = ?1 AND key = ?2")?
                    .execute((owner, key))?,
            };
            Ok(())
        })
        .await
    }
}
