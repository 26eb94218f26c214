//! How an appliance is, as it was seen last.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::target::ShownHostKey;

/// How an appliance stands. The words are part of the API (CONTRACT: `health_status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Nobody has looked yet.
    Unknown,
    /// Everything that was looked at is well.
    Healthy,
    /// It works, and somebody should look.
    Degraded,
    /// Something that is needed does not work.
    Failed,
    /// It does not answer, or does not let Zerfaux in.
    Unreachable,
}

impl HealthState {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Unknown, Self::Healthy, Self::Degraded, Self::Failed, Self::Unreachable];

    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
        }
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no state of health.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no state of health")]
pub struct UnknownHealth(pub String);

impl FromStr for HealthState {
    type Err = UnknownHealth;
    fn from_str(text: &str) -> Result<Self, UnknownHealth> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| UnknownHealth(text.to_owned()))
    }
}

/// What was found about an appliance at one moment, and what it means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// When it was looked at.
    pub checked_at: Timestamp,
    /// All in one word.
    pub state: HealthState,
    /// Each thing that was looked at.
    pub checks: Vec<HealthCheck>,
    /// What was seen.
    pub facts: HealthFacts,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// What, for a person: `NFS server`, `Pool tank`.
    pub name: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was found, as a sentence.
    pub found: String,
    /// What to do about it, with the command where there is one.
    pub advice: Option<String>,
}

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Well.
    Ok,
    /// Could not be told; nothing follows from it.
    Unknown,
    /// Works, but somebody should look.
    Warn,
    /// Does not work.
    Fail,
}

impl Verdict {
    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What was seen, without judgement.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HealthFacts {
    /// Why nobody got in.
    pub no_contact: Option<Trouble>,
    /// Why OpenZFS could not be used.
    pub no_zfs: Option<Trouble>,
    /// The other host key that it showed.
    pub other_host_key: Option<ShownHostKey>,
    /// Milliseconds from asking to the answer.
    pub answer_ms: Option<u64>,
    /// OpenZFS's release, and that of its kernel module.
    pub release: Option<String>,
    /// See `release`.
    pub module: Option<String>,
    /// Whether the release is one that Zerfaux is made for.
    pub release_is_old: bool,
    /// How commands are run.
    pub rights: Option<Rights>,
    /// All its pools.
    pub pools: Vec<PoolFacts>,
    /// Why they could not be listed.
    pub no_pools: Option<Trouble>,
    /// Whether its NFS server runs; none if that could not be told.
    pub nfs_running: Option<bool>,
    /// What it exports: path and clients; none if that could not be told.
    pub exports: Option<Vec<Export>>,
    /// By how many seconds its clock is ahead; negative: behind.
    pub clock_ahead: Option<i64>,
}

/// What went wrong, in the words of the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What was attempted and what came back.
    pub message: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// How commands are run on an appliance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Rights {
    /// As root.
    Root,
    /// Through sudo without a password.
    Sudo,
    /// By delegation (zfs-allow(8)).
    Delegated {
        /// The user.
        user: String,
        /// The permissions that are missing on the pool; none if they could not be read.
        missing: Option<Vec<String>>,
    },
}

/// A pool as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolFacts {
    /// Its name.
    pub name: String,
    /// `ONLINE`, `DEGRADED` …, as zpool says it.
    pub state: String,
    /// Bytes in all.
    pub size: u64,
    /// Bytes in use.
    pub allocated: u64,
    /// How much its free space is in pieces, in percent.
    pub fragmentation: Option<u8>,
    /// Whether it is imported read-only.
    pub readonly: bool,
    /// Read, write and checksum errors of its devices.
    pub device_errors: u64,
    /// What zpool says of damaged data; none if there is none.
    pub data_errors: Option<String>,
    /// When its last scrub ended; none if it never did, or that could not be read.
    pub scrubbed_at: Option<Timestamp>,
    /// What zpool says when something is wrong.
    pub trouble: Option<String>,
}

/// One export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The directory.
    pub path: String,
    /// Who may mount it, and how, in exports(5)'s words.
    pub clients: String,
}

/// How full a pool was at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapacitySample {
    /// When.
    pub at: Timestamp,
    /// Bytes in use.
    pub used: u64,
    /// Bytes in all.
    pub size: u64,
}
