//! How far the recovery of a protection group is: where its virtual machines live, which verb works on it, and what may come
//! next. All transitions are in [`RecoveryState::after`], and nowhere else.
//!
//! Two things go on beside each other. The **line** is the group's one way: failover, rollback, commit, reprotect, failback,
//! of which one works at a time. A **test** hangs beside it, on clones of its own, and neither hinders a disaster failover nor
//! is it hindered by one.
//!
//! In: the states and the rules that need nothing else. Out: conditions of the world, such as whether a site answers
//! (`plan/recovery_verbs.rs`), and doing anything.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::JobId;

mod refusals;
mod verbs;
pub use refusals::{Misfit, NotNow};
pub use verbs::{Phase, Progress, Verb};

/// The two sites, as the group began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Home {
    /// The site that it was protected at first.
    Own,
    /// The other one.
    Other,
}

/// Where the line stands between two verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stand {
    Protected,
    Uncommitted,
    FailedOver,
}

/// A verb that works, or that ended otherwise than it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doing {
    /// Which.
    pub verb: Verb,
    /// How it stands.
    pub progress: Progress,
    /// The job.
    pub run: JobId,
    /// Since when.
    pub since: Timestamp,
}

/// A verb that was ended, for people and for steps that are done twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Which.
    pub verb: Verb,
    /// The job.
    pub run: JobId,
    /// When.
    pub at: Timestamp,
}

/// How far a group is. JSON in the database: what a later version adds has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecoveryState {
    stand: Stand,
    /// At which site its virtual machines live. A failover that is not committed does not change it.
    pub live: Home,
    /// Counts the changes of direction, from [`Epoch::FIRST`](super::epoch::Epoch::FIRST).
    pub epoch: u32,
    line: Option<Doing>,
    test: Option<Doing>,
    /// The job whose clones the test has, while there is one. No other job may run it again.
    pub test_run: Option<JobId>,
    /// The job whose clone the group is failed over to, until that is committed or taken back.
    pub failover_run: Option<JobId>,
    /// What was done last, whole.
    pub last: Option<Ended>,
    /// Whether the virtual machines of the side that was left are proved to be off; none: nothing was left.
    pub fenced: Option<bool>,
}

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A job of this verb begins, or goes on after it had failed.
    Started(Verb, JobId),
    /// It is done, whole.
    Done(Verb, JobId),
    /// It ended and left something undone.
    EndedIncomplete(Verb, JobId),
    /// It failed, or was cancelled.
    Failed(Verb, JobId),
    /// What it had begun was taken back, whole: as if it had never been.
    Undone(Verb, JobId),
    /// The virtual machines of the side that was left are proved to be off, or are not.
    Fenced(bool),
}

impl Default for RecoveryState {
    fn default() -> Self {
        Self {
            stand: Stand::Protected,
            live: Home::Own,
            epoch: super::epoch::Epoch::FIRST,
            line: None,
            test: None,
            test_run: None,
            failover_run: None,
            last: None,
            fenced: None,
        }
    }
}

impl RecoveryState {
    /// Where it stands, in one word.
    pub fn phase(&self) -> Phase {
        match (self.line.map(|line| line.verb), self.stand) {
            (Some(Verb::Failback), Stand::Protected) => Phase::FailingBack,
            (Some(Verb::Reprotect), _) => Phase::Reprotecting,
            (Some(_), Stand::Protected) => Phase::FailingOver,
            (None, Stand::Protected) if self.test.is_some() => Phase::Testing,
            (None, Stand::Protected) => Phase::Protected,
            (_, Stand::Uncommitted) => Phase::FailedOverUncommitted,
            (_, Stand::FailedOver) => Phase::FailedOver,
        }
    }

    /// The verb of the line that works or stopped short.
    pub fn line(&self) -> Option<&Doing> {
        self.line.as_ref()
    }

    /// The test that is there: it works, stands, or is being cleaned up.
    pub fn test(&self) -> Option<&Doing> {
        self.test.as_ref()
    }

    /// Whether something of a test is left that a cleanup has not proved to be gone.
    pub fn cleanup_pending(&self) -> bool {
        self.test.is_some_and(|test| test.verb == Verb::Cleanup && test.progress != Progress::Running)
    }

    /// Whether a job works on it.
    pub fn is_working(&self) -> bool {
        self.line.iter().chain(&self.test).any(|doing| doing.progress == Progress::Running)
    }

    /// Whether a verb may be begun as things stand, as far as the group itself goes.
    ///
    /// # Errors
    /// Why not.
    pub fn may(&self, verb: Verb) -> Result<(), NotNow> {
        if verb.is_of_test() {
            return self.may_of_test(verb);
        }
        if let Some(line) = self.line {
            if line.progress == Progress::Running {
                return Err(match line.verb == verb {
                    true => NotNow::Running(verb),
                    false => NotNow::Busy(line.verb),
                });
            }
            if line.verb == verb {
                // A failed verb can always be run again.
                return Ok(());
            }
            return self.may_after(line, verb);
        }
        match (verb, self.stand, self.live) {
            (Verb::PlannedFailover, Stand::Protected, Home::Other) => Err(NotNow::Away),
            (Verb::Failback, Stand::Protected, Home::Own) => Err(NotNow::AtHome),
            (Verb::PlannedFailover | Verb::Failback, Stand::Protected, _) if self.test.is_some() => {
                Err(NotNow::TestThere)
            }
            (Verb::PlannedFailover | Verb::Failback | Verb::DisasterFailover, stand, _) => match stand {
                Stand::Protected => Ok(()),
                Stand::Uncommitted => Err(NotNow::Uncommitted),
                Stand::FailedOver => Err(NotNow::Unprotected),
            },
            (Verb::Commit | Verb::Rollback, Stand::Uncommitted, _) => Ok(()),
            (Verb::Commit | Verb::Rollback, ..) => Err(NotNow::NothingUncommitted),
            (Verb::Reprotect, Stand::FailedOver, _) => Ok(()),
            (Verb::Reprotect, Stand::Uncommitted, _) => Err(NotNow::Uncommitted),
            (Verb::Reprotect, Stand::Protected, _) => Err(NotNow::NotFailedOver),
            (Verb::Test | Verb::Cleanup, ..) => self.may_of_test(verb),
        }
    }

    /// Whether `verb` may follow upon one of the line that stopped short.
    fn may_after(&self, line: Doing, verb: Verb) -> Result<(), NotNow> {
        let left_undone = line.progress == Progress::Incomplete;
        let may = match (line.verb, verb) {
            // The source that was to go along does not any more.
            (Verb::PlannedFailover | Verb::Failback, Verb::DisasterFailover) => {
                self.stand == Stand::Protected && !left_undone
            }
            (failover, Verb::Rollback) if failover.is_failover() => true,
            // Those that run are what there is; a person decides.
            (failover, Verb::Commit) if failover.is_failover() => self.stand == Stand::Uncommitted,
            // One that failed has promoted nothing; one that left something undone has.
            (Verb::Commit, Verb::Rollback) => !left_undone,
            _ => false,
        };
        if may {
            return Ok(());
        }
        let can_be_taken_back = line.verb.is_failover() || line.verb == Verb::Commit && !left_undone;
        Err(NotNow::Pending {
            verb: line.verb,
            how: if left_undone { "left something undone" } else { "failed" },
            or: if can_be_taken_back { " or roll it back" } else { "" },
        })
    }

    fn may_of_test(&self, verb: Verb) -> Result<(), NotNow> {
        let Some(test) = self.test else {
            return match (verb, self.stand, self.line) {
                (Verb::Cleanup, ..) => Err(NotNow::NoTest),
                (_, _, Some(line)) if line.progress == Progress::Running => Err(NotNow::Busy(line.verb)),
                (_, _, Some(line)) => self.may_after(line, verb),
                (_, Stand::Protected, None) => Ok(()),
                (_, Stand::Uncommitted, None) => Err(NotNow::Uncommitted),
                (_, Stand::FailedOver, None) => Err(NotNow::Unprotected),
            };
        };
        match (test.verb, test.progress) {
            (works, Progress::Running) if works == verb => Err(NotNow::Running(verb)),
            (works, Progress::Running) => Err(NotNow::Busy(works)),
            (_, _) if verb == Verb::Cleanup => Ok(()),
            (Verb::Test, Progress::Failed | Progress::Incomplete) => Ok(()),
            _ => Err(NotNow::TestThere),
        }
    }

    /// The state after an event. Events that were taken before change nothing, so that steps may be done twice.
    ///
    /// # Errors
    /// If the event does not fit; the state stays.
    pub fn after(&self, event: Event, at: Timestamp) -> Result<Self, Misfit> {
        let mut next = self.clone();
        let (verb, run) = match event {
            Event::Fenced(fenced) => {
                next.fenced = Some(fenced);
                return Ok(next);
            }
            Event::Started(verb, run)
            | Event::Done(verb, run)
            | Event::EndedIncomplete(verb, run)
            | Event::Failed(verb, run)
            | Event::Undone(verb, run) => (verb, run),
        };
        let slot = if verb.is_of_test() { self.test } else { self.line };
        let own = slot.filter(|doing| doing.verb == verb && doing.run == run);
        if let Event::Started(..) = event {
            if own.is_some_and(|doing| doing.progress == Progress::Running) {
                return Ok(next);
            }
            self.may(verb)?;
            if verb == Verb::Test && self.test_run.is_some_and(|other| other != run) {
                // Its clones would be nobody's.
                return Err(NotNow::TestThere.into());
            }
            next.put(verb, Some(Doing { verb, progress: Progress::Running, run, since: at }));
            if verb == Verb::Test {
                next.test_run = Some(run);
            } else if verb.is_failover() {
                next.failover_run = Some(run);
            }
            return Ok(next);
        }
        let Some(own) = own else {
            // What was ended before is ended.
            return match self.last.is_some_and(|last| last.verb == verb && last.run == run) {
                true => Ok(next),
                false => Err(Misfit::Stranger { verb, run }),
            };
        };
        match event {
            Event::Done(..) => {
                next.put(verb, None);
                next.last = Some(Ended { verb, run, at });
                next.arrive(verb, own, at);
            }
            Event::EndedIncomplete(..) => {
                next.put(verb, Some(Doing { progress: Progress::Incomplete, since: at, ..own }));
                if matches!(verb, Verb::PlannedFailover | Verb::DisasterFailover) {
                    next.stand = Stand::Uncommitted;
                }
            }
            Event::Failed(..) => {
                // What a retry had already reached is not lost by its failing.
                next.put(verb, Some(Doing { progress: Progress::Failed, since: at, ..own }));
            }
            Event::Undone(..) => {
                next.put(verb, None);
                next.last = Some(Ended { verb, run, at });
                next.leave(verb, own, at);
            }
            Event::Started(..) | Event::Fenced(_) => {}
        }
        Ok(next)
    }

    fn put(&mut self, verb: Verb, doing: Option<Doing>) {
        if verb.is_of_test() {
            self.test = doing;
        } else {
            self.line = doing;
        }
    }

    /// Where a verb leads that was done.
    fn arrive(&mut self, verb: Verb, own: Doing, at: Timestamp) {
        match verb {
            // Until it is cleaned up.
            Verb::Test => {
                self.test = Some(Doing { progress: Progress::Standing, since: at, ..own });
            }
            Verb::Cleanup => self.test_run = None,
            Verb::PlannedFailover | Verb::DisasterFailover => self.stand = Stand::Uncommitted,
            Verb::Rollback => self.come_back(),
            Verb::Commit => {
                self.stand = Stand::FailedOver;
                self.failover_run = None;
                self.turn();
            }
            Verb::Reprotect => {
                self.stand = Stand::Protected;
                self.fenced = None;
            }
            Verb::Failback => {
                self.failover_run = None;
                self.turn();
            }
        }
    }

    /// Where a verb leads that was taken back.
    fn leave(&mut self, verb: Verb, own: Doing, at: Timestamp) {
        match verb {
            Verb::Test => self.test_run = None,
            Verb::PlannedFailover | Verb::DisasterFailover | Verb::Failback => self.come_back(),
            // What took something away cannot be taken back: the rest is still to be taken away.
            Verb::Cleanup => self.test = Some(Doing { progress: Progress::Failed, since: at, ..own }),
            Verb::Rollback => self.line = Some(Doing { progress: Progress::Failed, since: at, ..own }),
            Verb::Commit | Verb::Reprotect => {}
        }
    }

    fn come_back(&mut self) {
        self.stand = Stand::Protected;
        self.fenced = None;
        self.failover_run = None;
    }

    fn turn(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
        self.live = match self.live {
            Home::Own => Home::Other,
            Home::Other => Home::Own,
        };
    }
}

#[cfg(test)]
mod tests;
