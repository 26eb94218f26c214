//! Checkpoints of a group, its runs, and what is kept of how it stood against its RPO.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::dataset::Guid;
use super::ids::{GroupId, JobId};
use super::names::SnapTag;

/// A snapshot of a group's dataset that was complete at the DR side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checkpoint {
    /// Whose.
    pub group: GroupId,
    /// The snapshot's GUID, the same on both sides.
    pub guid: Guid,
    /// The snapshot's name on both sides, after the `@`.
    pub snapshot: SnapTag,
    /// When it was taken, by the source appliance's clock.
    pub taken_at: Timestamp,
    /// When it was known to be complete at the DR side.
    pub complete_at: Timestamp,
    /// How much was sent for it, in bytes.
    pub bytes: u64,
    /// What the guests knew of it.
    pub kind: CheckpointKind,
    /// The run that made it.
    pub job: Option<JobId>,
    /// Since when the DR side has it no more; none: it is there.
    pub gone_at: Option<Timestamp>,
}

/// What the guests knew of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckpointKind {
    /// Nothing: it is as after a loss of power.
    CrashConsistent,
    /// All of them were at rest.
    Quiesced,
    /// Some of them were at rest.
    Partly,
}

impl CheckpointKind {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CrashConsistent => "crash_consistent",
            Self::Quiesced => "quiesced",
            Self::Partly => "partly",
        }
    }
}

/// A word of the database that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not known here")]
pub struct UnknownWord(pub String);

impl FromStr for CheckpointKind {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        [Self::CrashConsistent, Self::Quiesced, Self::Partly]
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// One run of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupRun {
    /// The job that did it.
    pub job: JobId,
    /// Whose.
    pub group: GroupId,
    /// When it was queued.
    pub started_at: Timestamp,
    /// When it was seen to have ended; none: it has not.
    pub finished_at: Option<Timestamp>,
    /// How long its steps took, in milliseconds, without what it waited for its turn; none: it has not ended.
    pub took_ms: Option<u64>,
    /// Whether it brought a checkpoint to the DR side; none: it has not ended.
    pub succeeded: Option<bool>,
    /// How much it sent, in bytes.
    pub bytes: u64,
}

/// How a group stood against its RPO on one day (UTC).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RpoDay {
    /// The day, as `2026-11-28`.
    pub day: String,
    /// For how long it was watched, in seconds.
    pub watched_seconds: u64,
    /// For how long of that it was broken.
    pub broken_seconds: u64,
    /// The greatest age of the newest checkpoint, in seconds.
    pub worst_age_seconds: u64,
}

/// A time during which the RPO was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// Whose.
    pub group: GroupId,
    /// When the newest checkpoint became older than the RPO.
    pub began_at: Timestamp,
    /// When a newer one was complete; none: not yet.
    pub ended_at: Option<Timestamp>,
    /// The greatest age of the newest checkpoint, in seconds.
    pub worst_age_seconds: u64,
}
