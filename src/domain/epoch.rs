//! Which way a group is replicated, and since which change of direction: written on both sides, so that a side that was
//! away when it changed is found out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::dataset::Guid;

/// The user property with the epoch of a dataset.
pub const PROPERTY_EPOCH: &str = "zerfaux:epoch";

/// `3:1234`: the third direction of the group, in which the dataset with the GUID 1234 is the live one. The GUID and no id of
/// ours, so that it means the same to an installation that lost its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Epoch {
    /// Counts up with each change of direction, from 1.
    pub counter: u32,
    /// The dataset on which the virtual machines run.
    pub live: Guid,
}

/// What is not an epoch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an epoch")]
pub struct NotAnEpoch(String);

impl Epoch {
    /// The first counter.
    pub const FIRST: u32 = 1;
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.counter, self.live)
    }
}

impl FromStr for Epoch {
    type Err = NotAnEpoch;
    fn from_str(text: &str) -> Result<Self, NotAnEpoch> {
        let wrong = || NotAnEpoch(text.chars().take(100).collect());
        let (counter, live) = text.split_once(':').ok_or_else(wrong)?;
        let (counter, live) = (counter.parse().map_err(|_| wrong())?, live.parse().map_err(|_| wrong())?);
        Ok(Self { counter, live: Guid(live) })
    }
}

impl From<Epoch> for String {
    fn from(epoch: Epoch) -> Self {
        epoch.to_string()
    }
}

impl TryFrom<String> for Epoch {
    type Error = NotAnEpoch;
    fn try_from(text: String) -> Result<Self, NotAnEpoch> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_reads_back_what_it_prints_and_nothing_else() {
        let epoch = Epoch { counter: 3, live: Guid(u64::MAX) };
        assert_eq!(epoch.to_string().parse(), Ok(epoch));
        for text in ["", "3", "x:y", "-1:9", "3:"] {
            assert!(text.parse::<Epoch>().is_err(), "{text}");
        }
    }
}
