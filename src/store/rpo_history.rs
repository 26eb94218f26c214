//! How groups stood against their RPO: a row for each day, and one for each time that it was broken.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};

use super::Store;
use super::error::StoreError;
use super::values::{maybe_time, nanos, parsed, time};
use crate::domain::checkpoint::{Breach, RpoDay};
use crate::domain::ids::GroupId;

/// One look at a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpoSample {
    /// Whose.
    pub group: GroupId,
    /// Since the look before, in seconds.
    pub watched_seconds: u64,
    /// The age of the newest checkpoint; none: there is none.
    pub age_seconds: Option<u64>,
    /// Since when the RPO is broken, if it is.
    pub broken_since: Option<Timestamp>,
}

impl Store {
    /// Adds one look at each of some groups to their history, and answers which were found broken anew and which are
    /// not broken any more.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn record_rpo(
        &self,
        now: Timestamp,
        samples: Vec<RpoSample>,
    ) -> Result<(Vec<GroupId>, Vec<GroupId>), StoreError> {
        self.write("keep how protection groups stand", move |c| {
            let day = now.strftime("%Y-%m-%d").to_string();
            let (mut broken, mut mended) = (Vec::new(), Vec::new());
            for sample in &samples {
                let group = sample.group.to_string();
                // Of a group that was removed meanwhile nothing is kept.
                if !c.prepare_cached("SELECT 1 FROM protection_groups WHERE id = ?1")?.exists([&group])? {
                    continue;
                }
                let (watched, age) = (signed(sample.watched_seconds), signed(sample.age_seconds.unwrap_or(0)));
                let broken_for = if sample.broken_since.is_some() { watched } else { 0 };
                c.prepare_cached(
                    "INSERT INTO rpo_days (group_id, day, watched_seconds, broken_seconds, worst_age_seconds) \
                     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (group_id, day) DO UPDATE SET \
                         watched_seconds = watched_seconds + ?3, broken_seconds = broken_seconds + ?4, \
                         worst_age_seconds = max(worst_age_seconds, ?5)",
                )?
                .execute((&group, &day, watched, broken_for, age))?;
                let open: Option<i64> = c
                    .prepare_cached("SELECT began_at FROM rpo_breaches WHERE group_id = ?1 AND ended_at IS NULL")?
                    .query_row([&group], |row| row.get(0))
                    .optional()?;
                match (open, sample.broken_since) {
                    (None, None) => {}
                    (None, Some(since)) => {
                        c.prepare_cached(
                            "INSERT INTO rpo_breaches (group_id, began_at, worst_age_seconds) VALUES (?1, ?2, ?3) \
                             ON CONFLICT (group_id, began_at) DO UPDATE SET ended_at = NULL",
                        )?
                        .execute((&group, nanos(since), age))?;
                        broken.push(sample.group);
                    }
                    (Some(began), Some(_)) => {
                        c.prepare_cached(
                            "UPDATE rpo_breaches SET worst_age_seconds = max(worst_age_seconds, ?3) \
                             WHERE group_id = ?1 AND began_at = ?2",
                        )?
                        .execute((&group, began, age))?;
                    }
                    (Some(began), None) => {
                        c.prepare_cached("UPDATE rpo_breaches SET ended_at = ?3 WHERE group_id = ?1 AND began_at = ?2")?
                            .execute((&group, began, nanos(now)))?;
                        mended.push(sample.group);
                    }
                }
            }
            Ok((broken, mended))
        })
        .await
    }

    /// The days of a group, newest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn rpo_days(&self, group: GroupId, most: u32) -> Result<Vec<RpoDay>, StoreError> {
        self.read(format!("read the history of protection group {group}"), move |c| {
            let mut statement =
                c.prepare_cached("SELECT * FROM rpo_days WHERE group_id = ?1 ORDER BY day DESC LIMIT ?2")?;
            Ok(statement.query_map((group.to_string(), most), day_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The times during which groups were broken, newest first; of one group, or of all; only those that go on.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn rpo_breaches(
        &self,
        group: Option<GroupId>,
        only_open: bool,
        most: u32,
    ) -> Result<Vec<Breach>, StoreError> {
        self.read("list when protection groups were broken", move |c| {
            let mut statement = c.prepare_cached(
                "SELECT * FROM rpo_breaches WHERE (?1 IS NULL OR group_id = ?1) AND (NOT ?2 OR ended_at IS NULL) \
                 ORDER BY began_at DESC LIMIT ?3",
            )?;
            let rows = statement.query_map((group.map(|id| id.to_string()), only_open, most), breach_of)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|number| u64::try_from(number).unwrap_or(0))
}

fn day_of(row: &Row<'_>) -> rusqlite::Result<RpoDay> {
    Ok(RpoDay {
        day: row.get("day")?,
        watched_seconds: unsigned(row, "watched_seconds")?,
        broken_seconds: unsigned(row, "broken_seconds")?,
        worst_age_seconds: unsigned(row, "worst_age_seconds")?,
    })
}

fn breach_of(row: &Row<'_>) -> rusqlite::Result<Breach> {
    Ok(Breach {
        group: parsed(row, "group_id")?,
        began_at: time(row, "began_at")?,
        ended_at: maybe_time(row, "ended_at")?,
        worst_age_seconds: unsigned(row, "worst_age_seconds")?,
    })
}
