//! Attempts to sign in, counted before the password is looked at. What the counts mean is decided by `auth`.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::Store;
use super::error::StoreError;
use super::values::{nanos, time};

/// How often somebody tried from one source, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    /// Attempts since the count was last cleared.
    pub attempts: i64,
    /// The last one.
    pub last_at: Timestamp,
    /// Until when no further one is looked at.
    pub blocked_until: Timestamp,
}

impl Store {
    /// Asks `rule` for each source what to keep about one more attempt, given what is known about the source; all
    /// in one transaction, so that attempts at the same time count one after the other. If `rule` refuses one
    /// source with a time, nothing is changed and that time is the result.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn count_attempt<F>(
        &self,
        sources: Vec<String>,
        rule: F,
    ) -> Result<Result<(), Timestamp>, StoreError>
    where
        F: Fn(&str, Option<Attempts>) -> Result<Attempts, Timestamp> + Send + 'static,
    {
        self.write("count the attempt to sign in", move |c| {
            let mut counted = Vec::with_capacity(sources.len());
            for source in &sources {
                match rule(source, find(c, source)?) {
                    Ok(attempts) => counted.push((source, attempts)),
                    Err(until) => return Ok(Err(until)),
                }
            }
            for (source, attempts) in counted {
                c.prepare_cached(
                    "INSERT INTO sign_in_attempts (source, attempts, last_at, blocked_until) \
                     VALUES (?1, ?2, ?3, ?4) ON CONFLICT (source) DO UPDATE SET \
                     attempts = excluded.attempts, last_at = excluded.last_at, blocked_until = excluded.blocked_until",
                )?
                .execute((
                    source,
                    attempts.attempts,
                    nanos(attempts.last_at),
                    nanos(attempts.blocked_until),
                ))?;
            }
            Ok(Ok(()))
        })
        .await
    }
}

/// Clears the counts of these sources: somebody there knew the password.
pub(in crate::store) fn forgive(c: &Connection, sources: &[String]) -> rusqlite::Result<()> {
    for source in sources {
        c.prepare_cached("DELETE FROM sign_in_attempts WHERE source = ?1")?.execute([source])?;
    }
    Ok(())
}

fn find(c: &Connection, source: &str) -> rusqlite::Result<Option<Attempts>> {
    c.prepare_cached("SELECT attempts, last_at, blocked_until FROM sign_in_attempts WHERE source = ?1")?
        .query_row([source], |row| {
            Ok(Attempts {
                attempts: row.get("attempts")?,
                last_at: time(row, "last_at")?,
                blocked_until: time(row, "blocked_until")?,
            })
        })
        .optional()
}
