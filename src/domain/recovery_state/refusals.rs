//! Why something may not be begun, or does not fit.

use super::verbs::Verb;
use crate::domain::ids::JobId;

/// Why a verb may not be begun as things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// It works already.
    #[error("{0} is under way")]
    Running(Verb),
    /// Another one works.
    #[error("{0} is under way; wait until it has ended, or cancel it")]
    Busy(Verb),
    /// Another one stopped short.
    #[error("{verb} {how}; run it again{or} first")]
    Pending {
        /// Which.
        verb: Verb,
        /// `failed` or `left something undone`.
        how: &'static str,
        /// ` or take it back`, where that can be.
        or: &'static str,
    },
    /// A test has to be taken away first.
    #[error("a test is there; clean it up first")]
    TestThere,
    /// There is none.
    #[error("there is no test")]
    NoTest,
    /// There is no failover that could be committed or taken back.
    #[error("there is no failover that is not committed")]
    NothingUncommitted,
    /// It runs where it belongs.
    #[error("the group was not failed over for good; commit a failover first")]
    NotFailedOver,
    /// It is at home.
    #[error("the group lives at its home site")]
    AtHome,
    /// It lives elsewhere: the planned way home is another verb.
    #[error("the group lives at the other site; the planned way back is the failback")]
    Away,
    /// A failover has to be decided first.
    #[error("the group runs at the other site, uncommitted; commit it or roll it back first")]
    Uncommitted,
    /// It has no replica to go to.
    #[error("the group is not replicated since its failover; reprotect it first")]
    Unprotected,
}

/// An event that does not fit: a bug, or a job of another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The verb may not be begun.
    #[error(transparent)]
    NotNow(#[from] NotNow),
    /// Nothing of the kind is under way.
    #[error("{verb} by job {run} is not what is under way")]
    Stranger {
        /// Which.
        verb: Verb,
        /// The job.
        run: JobId,
    },
}
