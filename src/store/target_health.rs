//! How appliances are, and how full their pools were.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use super::Store;
use super::error::{Problem, StoreError};
use super::values::{from_json, json, nanos, parsed, time};
use crate::domain::health::{CapacitySample, Health, HealthState};
use crate::domain::ids::TargetId;

/// A measurement is kept if the one before it is this old.
const SPACING: SignedDuration = SignedDuration::from_mins(5);
/// What is older is thinned to one an hour.
const HOURLY_AFTER: SignedDuration = SignedDuration::from_hours(48);
/// What is older is thinned to one a day.
const DAILY_AFTER: SignedDuration = SignedDuration::from_hours(60 * 24);
/// What is older goes.
const GONE_AFTER: SignedDuration = SignedDuration::from_hours(800 * 24);

impl Store {
    /// Keeps what was found about an appliance, in place of what was found before, and how full its pools are.
    /// Nothing if it was removed meanwhile, or a later look is kept already.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn put_target_health(&self, id: TargetId, health: &Health) -> Result<(), StoreError> {
        let health = health.clone();
        self.write(format!("keep how appliance {id} is"), move |c| {
            let id = id.to_string();
            if !c.prepare_cached("SELECT 1 FROM targets WHERE id = ?1")?.exists([&id])? {
                return Ok(());
            }
            c.prepare_cached(
                "INSERT INTO target_health (target, state, checked_at, report) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (target) DO UPDATE SET state = ?2, checked_at = ?3, report = ?4 \
                 WHERE checked_at <= ?3",
            )?
            .execute((&id, health.state.as_str(), nanos(health.checked_at), json(&health)?))?;
            for pool in &health.facts.pools {
                let sample = CapacitySample { at: health.checked_at, used: pool.allocated, size: pool.size };
                measure(c, &id, &pool.name, sample)?;
            }
            Ok(())
        })
        .await
    }

    /// How an appliance is; none if nobody has looked yet.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn target_health(&self, id: TargetId) -> Result<Option<Health>, StoreError> {
        self.read(format!("read how appliance {id} is"), move |c| {
            Ok(c.prepare_cached("SELECT report FROM target_health WHERE target = ?1")?
                .query_row([id.to_string()], |row| from_json(row, "report"))
                .optional()?)
        })
        .await
    }

    /// How all appliances are that were looked at.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn targets_health(&self) -> Result<Vec<(TargetId, Health)>, StoreError> {
        self.read("read how the appliances are", |c| {
            let mut statement = c.prepare_cached("SELECT target, report FROM target_health")?;
            let rows =
                statement.query_map([], |row| Ok((parsed(row, "target")?, from_json(row, "report")?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// How many active appliances stand in which state.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn count_targets_by_health(&self) -> Result<Vec<(HealthState, u64)>, StoreError> {
        self.read("count the appliances", |c| {
            let mut statement = c.prepare_cached(
                "SELECT coalesce(h.state, 'unknown') AS state, count(*) AS number FROM targets t \
                 LEFT JOIN target_health h ON h.target = t.id WHERE t.is_active = 1 GROUP BY 1",
            )?;
            let rows = statement.query_map([], |row| {
                let number: i64 = row.get("number")?;
                Ok((parsed(row, "state")?, u64::try_from(number).unwrap_or(0)))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// How full a pool was, oldest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn target_capacity(
        &self,
        id: TargetId,
        pool: &str,
        since: Timestamp,
    ) -> Result<Vec<CapacitySample>, StoreError> {
        let pool = pool.to_owned();
        self.read(format!("read how full {pool} of appliance {id} was"), move |c| {
            let mut statement = c.prepare_cached(
                "SELECT at, used, size FROM target_capacity WHERE target = ?1 AND pool = ?2 AND at >= ?3 ORDER BY at",
            )?;
            let rows = statement.query_map((id.to_string(), pool, nanos(since)), |row| {
                let bytes = |column: &str| {
                    let number: i64 = row.get(column)?;
                    Ok::<_, rusqlite::Error>(u64::try_from(number).unwrap_or(0))
                };
                Ok(CapacitySample { at: time(row, "at")?, used: bytes("used")?, size: bytes("size")? })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

/// Keeps a measurement unless the last one is younger than five minutes, and thins the older ones.
fn measure(c: &Connection, id: &str, pool: &str, sample: CapacitySample) -> Result<(), Problem> {
    let before = |ago: SignedDuration| nanos(sample.at.saturating_sub(ago).unwrap_or(Timestamp::MIN));
    let recent = c
        .prepare_cached("SELECT 1 FROM target_capacity WHERE target = ?1 AND pool = ?2 AND at > ?3")?
        .exists((id, pool, before(SPACING)))?;
    if recent {
        return Ok(());
    }
    let whole = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    c.prepare_cached(
        "INSERT INTO target_capacity (target, pool, at, used, size) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((id, pool, nanos(sample.at), whole(sample.used), whole(sample.size)))?;
    for (ago, width) in [(HOURLY_AFTER, 3600i64), (DAILY_AFTER, 86_400)] {
        // Of each hour, then of each day, the last one stays.
        c.prepare_cached(
            "DELETE FROM target_capacity AS old WHERE target = ?1 AND pool = ?2 AND at < ?3 AND EXISTS ( \
                 SELECT 1 FROM target_capacity AS later WHERE later.target = old.target AND later.pool = old.pool \
                 AND later.at > old.at AND later.at < (old.at / ?4 + 1) * ?4)",
        )?
        .execute((id, pool, before(ago), width * 1_000_000_000))?;
    }
    c.prepare_cached("DELETE FROM target_capacity WHERE target = ?1 AND pool = ?2 AND at < ?3")?
        .execute((id, pool, before(GONE_AFTER)))?;
    Ok(())
}
