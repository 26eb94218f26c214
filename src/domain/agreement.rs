//! What a group's datasets say against what is known of it.

use jiff::Timestamp;
use serde::Serialize;

/// One contradiction as it is kept: it holds its group until it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The dataset or snapshot.
    pub object: String,
    /// What contradicts what.
    pub why: String,
    /// What to do about it.
    pub advice: String,
    /// Since when it is known.
    pub found_at: Timestamp,
}

impl Finding {
    /// Whether it is the same, whenever it was found.
    pub fn is(&self, other: &Self) -> bool {
        (&self.object, &self.why) == (&other.object, &other.why)
    }
}
