//! How a pool is.

use std::collections::HashMap;

use crate::domain::names::DatasetName;

use super::error::ZfsError;
use super::parse::{Unreadable, number};
use super::{Zfs, verbs};

/// How a pool stands (zpoolconcepts(7)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolState {
    /// Every device works.
    Online,
    /// It works, but a device does not.
    Degraded,
    /// It does not work.
    Faulted,
    /// It has stopped I/O until somebody runs `zpool clear`.
    Suspended,
    /// Another state, in its own word.
    Other(String),
}

impl PoolState {
    fn parse(text: &str) -> Self {
        match text {
            "ONLINE" => Self::Online,
            "DEGRADED" => Self::Degraded,
            "FAULTED" | "UNAVAIL" => Self::Faulted,
            "SUSPENDED" => Self::Suspended,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A pool's state, room and errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolStatus {
    /// Its name.
    pub pool: String,
    /// How it stands.
    pub state: PoolState,
    /// Bytes in all, parity included where there is some.
    pub size: u64,
    /// Bytes in use.
    pub allocated: u64,
    /// Bytes free.
    pub free: u64,
    /// Percent in use.
    pub capacity: u8,
    /// How much its free space is in pieces, in percent; none where the pool cannot tell.
    pub fragmentation: Option<u8>,
    /// Whether it is imported read-only.
    pub readonly: bool,
    /// What `zpool status` says after `errors:`; none for "No known data errors".
    pub errors: Option<String>,
    /// What it says after `scan:`, for example of the last scrub; none if there was none.
    pub scan: Option<String>,
    /// What it says after `status:` when something is wrong, in one line.
    pub trouble: Option<String>,
}

impl Zfs {
    /// The state of the pool that `dataset` lies in (a pool's name alone is its root dataset).
    ///
    /// # Errors
    /// If there is no such pool.
    pub async fn pool_status(&self, dataset: &DatasetName) -> Result<PoolStatus, ZfsError> {
        let properties = verbs::pool_properties(dataset);
        let status = verbs::pool_status(dataset);
        let (facts, told) = futures_util::future::try_join(self.run(&properties), self.run(&status)).await?;
        let bad = |bad: Unreadable| self.unreadable(&properties, bad);
        read(dataset.pool(), &facts, &told).map_err(bad)
    }
}

pub(super) fn read(pool: &str, facts: &str, told: &str) -> Result<PoolStatus, Unreadable> {
    let facts: HashMap<&str, &str> = facts.lines().filter_map(|line| line.split_once('\t')).collect();
    let word = |key: &str| {
        facts.get(key).copied().ok_or_else(|| Unreadable::new(format!("no value for {key}"), pool))
    };
    let percent = |key: &str| word(key).map(|value| value.trim_end_matches('%').parse::<u8>().ok());
    let capacity = word("capacity")?;
    Ok(PoolStatus {
        pool: pool.to_owned(),
        state: PoolState::parse(word("health")?),
        size: number(word("size")?, "size", pool)?,
        allocated: number(word("allocated")?, "allocated", pool)?,
        free: number(word("free")?, "free", pool)?,
        capacity: percent("capacity")?
            .ok_or_else(|| Unreadable::new("the capacity is no percentage", capacity))?,
        fragmentation: percent("fragmentation")?,
        readonly: word("readonly")? == "on",
        errors: section(told, "errors").filter(|text| text != "No known data errors"),
        scan: section(told, "scan"),
        trouble: section(told, "status"),
    })
}

/// The text after `name:` and in the lines indented below it, in one line.
pub(super) fn section(text: &str, name: &str) -> Option<String> {
    let begins = |line: &&str| line.trim_start().strip_prefix(name).is_some_and(|rest| rest.starts_with(':'));
    let mut lines = text.lines().skip_while(|line| !begins(line));
    let (_, first) = lines.next()?.split_once(':')?;
    let more = lines.take_while(|line| line.starts_with('\t')).map(str::trim);
    let words: Vec<&str> =
        std::iter::once(first.trim()).chain(more).filter(|text| !text.is_empty()).collect();
    Some(words.join(" "))
}
