//! What a preflight of a protection group found, as it is kept until the next one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::names::DatasetName;

/// What is known of a group's dataset on its source appliance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetSeen {
    /// Whether it is there.
    pub exists: bool,
    /// Datasets below it.
    pub children: Vec<DatasetName>,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// The last preflight of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preflight {
    /// When everything was looked at.
    pub checked_at: Timestamp,
    /// The dataset as the source appliance showed it; none: that did not answer.
    pub seen: Option<DatasetSeen>,
    /// What would hurt, in the order in which it was found.
    pub obstacles: Vec<KnownObstacle>,
    /// How many of its virtual machines can be recovered, as far as that does not change by the minute.
    pub ready: u64,
    /// How many there are.
    pub vms: u64,
}

impl Preflight {
    /// How many obstacles came since the preflight before and were not looked at by a person.
    pub fn new_ones(&self) -> usize {
        self.obstacles.iter().filter(|one| one.is_new).count()
    }
}

/// Something that would hurt later, and since when that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownObstacle {
    /// A name for programs.
    pub kind: String,
    /// What it is about.
    pub object: String,
    /// Why it hurts, as a sentence.
    pub why: String,
    /// What to do about it, as a sentence.
    pub advice: String,
    /// When it was found first.
    pub since: Timestamp,
    /// Whether it came after the first preflight, and nobody has said that it was seen.
    pub is_new: bool,
}
