//! A line of the audit log, and the chain that joins the lines.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: a user's name, `token <name>`, `cli`, `scheduler`, or what was typed at a failed sign-in.
    pub actor: String,
    /// From where: an address, or `cli`.
    pub source: String,
    /// What was done, as `noun.verb`: `user.create`, `job.cancel`.
    pub action: String,
    /// To what, by name or id.
    pub object: String,
    /// How it went.
    pub outcome: Outcome,
    /// What else matters, before and after. Never a secret.
    pub details: Value,
}

/// How an audited action went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done, or the job that does it was made.
    Done,
    /// It was not allowed, or did not go together with how things stood. Nothing was changed.
    Refused,
    /// It was attempted and did not work.
    Failed,
}

impl Outcome {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no outcome of an action")]
pub struct UnknownOutcome(pub String);

impl FromStr for Outcome {
    type Err = UnknownOutcome;
    fn from_str(text: &str) -> Result<Self, UnknownOutcome> {
        [Self::Done, Self::Refused, Self::Failed]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or_else(|| UnknownOutcome(text.to_owned()))
    }
}

/// A line as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// Counts from 1 without a gap.
    pub seq: i64,
    /// What it says.
    pub entry: AuditEntry,
    /// SHA-256, in hexadecimal, over the hash of the line before and [`AuditLine::text`].
    pub hash: String,
}

impl AuditLine {
    /// What a line's hash covers besides the hash before it: its fields as one JSON array, so that no two lines
    /// give the same text. Times are nanoseconds since 1970.
    pub fn text(seq: i64, entry: &AuditEntry) -> String {
        serde_json::json!([
            seq,
            i64::try_from(entry.at.as_nanosecond()).unwrap_or(i64::MAX),
            entry.actor,
            entry.source,
            entry.action,
            entry.object,
            entry.outcome.as_str(),
            entry.details,
        ])
        .to_string()
    }
}

/// What an examination of the whole log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditVerdict {
    /// Lines that were looked at.
    pub lines: i64,
    /// The hash of the last one; write it down elsewhere to prove later that nothing was rewritten.
    pub head: String,
    /// The first thing that is wrong; None means that the chain is whole.
    pub broken: Option<AuditBreak>,
}

/// Where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditBreak {
    /// The line's number.
    pub seq: i64,
    /// What is wrong, as a sentence.
    pub what: String,
}
