//! Which groups start a run now: facts of all groups, the time and the limits in; what to start, and what waits for what, out.
//!
//! The rules, in this order of weight: a group never has two runs; none is started that may not be; where not all can start,
//! the one whose time has passed the longest goes first, and priority is worth one period at most, so that nobody starves;
//! what is late is said.
//!
//! Clocks are not trusted. What is dated later than now counts as if it were not known, and a run too early is harmless; a
//! clock that leaps ahead makes one run due for each group, not one for each period that it skipped.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::rpo::{self, RpoState, margin, next_start};
use crate::domain::ids::{GroupId, TargetId, VcenterId};
use crate::domain::settings::Settings;

/// The first pause after a run that failed; it doubles with each that follows.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// The longest pause after runs that failed.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(10);
/// How long a run is taken to last before there was one.
const UNKNOWN_LASTS: Duration = Duration::from_secs(30);
/// From so many runs on, nine in ten of them are covered; of fewer, half.
const MANY: usize = 10;

/// When a group wants to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Early enough that no more than this is lost.
    Rpo(Duration),
    /// At a time of its calendar; none: never again.
    At(Option<Timestamp>),
}

/// What is known of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFacts {
    /// Its id.
    pub id: GroupId,
    /// When it wants to run.
    pub want: Want,
    /// Whether runs are started by themselves.
    pub runs: bool,
    /// Whether it has a run that has not ended.
    pub busy: bool,
    /// When its newest checkpoint at the DR side was taken, by the source's clock.
    pub newest: Option<Timestamp>,
    /// When its last run that brought a checkpoint was queued, by our clock. Never later than that checkpoint.
    pub last_good_start: Option<Timestamp>,
    /// When its last run was queued.
    pub last_start: Option<Timestamp>,
    /// How many runs failed since the last good one.
    pub failures: u32,
    /// How long a run is expected to last.
    pub expected: Duration,
    /// From when on its timetable lets runs start; none: never.
    pub allowed_from: Option<Timestamp>,
    /// 0 to 100.
    pub priority: u8,
    /// The appliances that it works.
    pub appliances: [TargetId; 2],
    /// The vCenter that has its virtual machines.
    pub vcenter: VcenterId,
}

/// How many runs may go on at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// On one appliance, as source or as DR side.
    pub per_appliance: usize,
    /// Of one vCenter.
    pub per_vcenter: usize,
}

impl From<&Settings> for Limits {
    fn from(settings: &Settings) -> Self {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            per_appliance: count(settings.runs_per_appliance),
            per_vcenter: count(settings.runs_per_vcenter),
        }
    }
}

/// What a group does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A run starts now.
    Start,
    /// A run goes on.
    Busy,
    /// A run starts at this time.
    At(Timestamp),
    /// It is due, and its appliance or vCenter has as many runs as it may.
    WaitsForRoom,
    /// It is due, and its timetable lets it start at this time; none: never.
    Closed(Option<Timestamp>),
    /// No run is started by itself.
    Never,
}

/// When the newest checkpoint was taken, as far as clocks can be trusted: by the source's clock, but not after now, and not
/// before the run was queued that brought it.
pub fn taken(
    newest: Option<Timestamp>,
    last_good_start: Option<Timestamp>,
    now: Timestamp,
    rpo: Duration,
) -> Option<Timestamp> {
    newest?;
    let bound = now.checked_add(margin(rpo)).unwrap_or(Timestamp::MAX);
    let newest = newest.filter(|at| *at <= bound).map(|at| at.min(now));
    newest.max(last_good_start.filter(|at| *at <= now))
}

/// How a group stands against its RPO; none if it has none.
pub fn standing(group: &GroupFacts, now: Timestamp) -> Option<RpoState> {
    let Want::Rpo(rpo) = group.want else { return None };
    let taken = taken(group.newest, group.last_good_start, now, rpo);
    // If nothing can be trusted, the state says by how much the clocks disagree.
    Some(rpo::state(rpo, taken.or(group.newest), now, group.expected))
}

/// Whether a run is expected to take longer than half the RPO: said before it is broken.
pub fn is_tight(group: &GroupFacts) -> bool {
    matches!(group.want, Want::Rpo(rpo) if group.expected > rpo / 2)
}

/// How long a run is expected to last, from how long the recent ones did.
pub fn expected(mut recent: Vec<Duration>) -> Duration {
    recent.sort_unstable();
    let at = match recent.len() {
        0 => return UNKNOWN_LASTS,
        few if few < MANY => few / 2,
        many => (many * 9).div_ceil(10) - 1,
    };
    recent.get(at).copied().unwrap_or(UNKNOWN_LASTS)
}

/// When a group is due, whatever its timetable says; none: never.
fn due(group: &GroupFacts, now: Timestamp) -> Option<Timestamp> {
    let wanted = match group.want {
        Want::At(at) => at?,
        Want::Rpo(rpo) => {
            let taken = taken(group.newest, group.last_good_start, now, rpo);
            next_start(rpo, taken, now, group.expected).at
        }
    };
    if group.failures == 0 {
        return Some(wanted);
    }
    let doublings = group.failures.saturating_sub(1).min(10);
    let pause = FIRST_PAUSE.checked_mul(1 << doublings).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
    // A start that lies ahead was dated by a clock that has been put back since.
    let again = group.last_start.filter(|at| *at <= now).and_then(|at| at.checked_add(pause).ok());
    Some(again.map_or(wanted, |again| wanted.max(again)))
}

/// Until when a group would be done at best, less what its priority is worth: the smaller, the earlier it goes.
fn turn(group: &GroupFacts, now: Timestamp) -> Timestamp {
    let (due, period) = match group.want {
        Want::At(at) => (at, Duration::from_secs(3600)),
        Want::Rpo(rpo) => {
            let taken = taken(group.newest, group.last_good_start, now, rpo);
            let due = taken.and_then(|at| at.checked_add(rpo.saturating_sub(group.expected)).ok());
            (due.or_else(|| now.checked_sub(rpo).ok()), rpo.min(Duration::from_secs(86_400)))
        }
    };
    let worth = period.mul_f64(f64::from(group.priority.min(100)) / 100.0);
    due.unwrap_or(now).checked_sub(worth).unwrap_or(Timestamp::MIN)
}

/// What each group does next, in the order of `groups`.
pub fn decide(groups: &[GroupFacts], now: Timestamp, limits: Limits) -> Vec<(GroupId, Next)> {
    let mut on_appliance: HashMap<TargetId, usize> = HashMap::new();
    let mut of_vcenter: HashMap<VcenterId, usize> = HashMap::new();
    for group in groups.iter().filter(|group| group.busy) {
        group.appliances.iter().for_each(|one| *on_appliance.entry(*one).or_default() += 1);
        *of_vcenter.entry(group.vcenter).or_default() += 1;
    }
    let mut next: Vec<(GroupId, Next)> = Vec::with_capacity(groups.len());
    let mut waiting: Vec<usize> = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let does = match due(group, now) {
            _ if group.busy => Next::Busy,
            _ if !group.runs => Next::Never,
            None => Next::Never,
            Some(due) => match group.allowed_from {
                None => Next::Closed(None),
                Some(from) if due <= now && from > now => Next::Closed(Some(from)),
                Some(from) if due > now => Next::At(due.max(from)),
                Some(_) => {
                    waiting.push(index);
                    Next::WaitsForRoom
                }
            },
        };
        next.push((group.id, does));
    }
    waiting.sort_by_key(|index| groups.get(*index).map(|group| (turn(group, now), group.id)));
    for index in waiting {
        let (Some(group), Some(slot)) = (groups.get(index), next.get_mut(index)) else { continue };
        let room = group
            .appliances
            .iter()
            .all(|one| on_appliance.get(one).copied().unwrap_or(0) < limits.per_appliance)
            && of_vcenter.get(&group.vcenter).copied().unwrap_or(0) < limits.per_vcenter;
        if room {
            group.appliances.iter().for_each(|one| *on_appliance.entry(*one).or_default() += 1);
            *of_vcenter.entry(group.vcenter).or_default() += 1;
            slot.1 = Next::Start;
        }
    }
    next
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
