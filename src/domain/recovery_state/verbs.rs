//! What is done to a group, and the words for where it stands.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is done to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Start copies of its virtual machines at the DR site, beside everything else.
    Test,
    /// Take a test away.
    Cleanup,
    /// Move to the other site, the source going along: nothing is lost.
    PlannedFailover,
    /// Go on at the other site, whatever the source does.
    DisasterFailover,
    /// Take a failover back that was not committed.
    Rollback,
    /// Stay at the other site.
    Commit,
    /// Replicate the other way round.
    Reprotect,
    /// Move back to the home site.
    Failback,
}

/// Where it stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its virtual machines run where they belong, and are replicated to the other site.
    Protected,
    /// The same, and a test is there.
    Testing,
    /// A failover works, or stopped on its way.
    FailingOver,
    /// It runs at the other site, on a clone, and can still be taken back.
    FailedOverUncommitted,
    /// It runs at the other site for good, and is not replicated.
    FailedOver,
    /// Replication is turned round.
    Reprotecting,
    /// It is on its way home.
    FailingBack,
}

/// How a verb stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// A job works.
    Running,
    /// Of a test: it is up, whole, and there until it is cleaned up.
    Standing,
    /// It ended and left something undone: a virtual machine that did not start, a host that gave no proof. What is done, is.
    Incomplete,
    /// It stopped. The group stands as before; what was begun is still there.
    Failed,
}

impl Verb {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 8] = [
        Self::Test,
        Self::Cleanup,
        Self::PlannedFailover,
        Self::DisasterFailover,
        Self::Commit,
        Self::Rollback,
        Self::Reprotect,
        Self::Failback,
    ];

    /// Whether it belongs to the test, not to the line.
    pub fn is_of_test(self) -> bool {
        matches!(self, Self::Test | Self::Cleanup)
    }

    /// Whether a rollback takes it back.
    pub(super) fn is_failover(self) -> bool {
        matches!(self, Self::PlannedFailover | Self::DisasterFailover | Self::Failback)
    }

    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Cleanup => "cleanup",
            Self::PlannedFailover => "planned_failover",
            Self::DisasterFailover => "disaster_failover",
            Self::Rollback => "rollback",
            Self::Commit => "commit",
            Self::Reprotect => "reprotect",
            Self::Failback => "failback",
        }
    }
}

impl fmt::Display for Verb {
    /// As the beginning or in the middle of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Test => "the test",
            Self::Cleanup => "the cleanup of the test",
            Self::PlannedFailover => "the planned failover",
            Self::DisasterFailover => "the disaster failover",
            Self::Rollback => "the rollback",
            Self::Commit => "the commit",
            Self::Reprotect => "the reprotection",
            Self::Failback => "the failback",
        })
    }
}

impl Phase {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Protected => "protected",
            Self::Testing => "testing",
            Self::FailingOver => "failing_over",
            Self::FailedOverUncommitted => "failed_over_uncommitted",
            Self::FailedOver => "failed_over",
            Self::Reprotecting => "reprotecting",
            Self::FailingBack => "failing_back",
        }
    }
}

impl Progress {
    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Standing => "standing",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
        }
    }
}
