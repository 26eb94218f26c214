//! How many checkpoints are kept, and how far apart.

use serde::{Deserialize, Serialize};

/// Keep the newest `last`, and the newest of each of so many hours, days, weeks and months that have
/// one. A snapshot is kept if any rule wants it. All zero keeps everything: an empty policy must not
/// be read as "destroy all".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// The newest so many.
    pub last: u32,
    /// One an hour for so many hours that have one.
    pub hourly: u32,
    /// One a day.
    pub daily: u32,
    /// One an ISO week.
    pub weekly: u32,
    /// One a calendar month.
    pub monthly: u32,
}

impl Retention {
    /// Whether this policy keeps everything.
    pub fn keeps_all(&self) -> bool {
        *self == Self::default()
    }
}
