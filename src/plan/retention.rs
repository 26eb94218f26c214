//! Which checkpoints a retention policy keeps on one dataset, and why.
//!
//! In: the dataset's snapshots, the policy, what must not go. Out: one verdict per snapshot. Nothing
//! is destroyed here; whoever acts on a verdict checks the owner once more on the host.
//!
//! Only a snapshot that Zerfaux made for this very group is ever to be destroyed. The rules:
//!
//! - `last` keeps the newest n of our snapshots, in the order in which the pool made them (`createtxg`),
//!   which no clock can disturb;
//! - `hourly`, `daily`, `weekly`, `monthly` keep the newest snapshot of each of the newest n spans that
//!   have one. Spans are those of UTC, weeks those of ISO 8601, so a change of time zone or to summer
//!   time moves nothing;
//! - the newest is always kept; so is whatever is protected, held or cloned;
//! - snapshots dated later than now (a clock was wrong) are judged by the same rules, but among
//!   themselves: they neither push others out nor pile up.

use std::collections::{HashMap, HashSet};
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::domain::dataset::{Guid, Owner, Snapshot};
use crate::domain::names::{DatasetName, SnapTag};
use crate::domain::retention::Retention;

/// Why a snapshot stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Somebody else's, or another group's. No policy of ours applies.
    NotOurs,
    /// The newest of ours.
    Newest,
    /// Replication needs it: the common base, one in flight, or the cursor.
    Protected,
    /// The policy keeps everything.
    KeepsAll,
    /// Among the newest so many.
    Last,
    /// The newest of its hour.
    Hourly,
    /// The newest of its day.
    Daily,
    /// The newest of its ISO week.
    Weekly,
    /// The newest of its calendar month.
    Monthly,
    /// This many holds are on it. The policy may not want it.
    Held(u64),
    /// These datasets are clones of it. The policy may not want it.
    HasClones(Vec<DatasetName>),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => f.write_str("not made by Zerfaux for this group"),
            Self::Newest => f.write_str("the newest"),
            Self::Protected => f.write_str("needed by replication"),
            Self::KeepsAll => f.write_str("the policy keeps everything"),
            Self::Last => f.write_str("one of the last"),
            Self::Hourly => f.write_str("hourly"),
            Self::Daily => f.write_str("daily"),
            Self::Weekly => f.write_str("weekly"),
            Self::Monthly => f.write_str("monthly"),
            Self::Held(1) => f.write_str("held by 1 hold (zfs holds shows whose)"),
            Self::Held(count) => write!(f, "held by {count} holds (zfs holds shows whose)"),
            Self::HasClones(clones) => {
                let names: Vec<&str> = clones.iter().map(DatasetName::as_str).collect();
                write!(f, "cloned as {}", names.join(", "))
            }
        }
    }
}

/// Whether a snapshot stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It stays, for each of these reasons; there is at least one.
    Keep(Vec<Reason>),
    /// It is ours and nothing wants it.
    Destroy,
}

/// What is decided about one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Which snapshot.
    pub guid: Guid,
    /// Its name on this dataset.
    pub tag: SnapTag,
    /// Whether it is dated later than now: the clock of the host that took it was ahead, or ours is
    /// behind. Shown, because the times of such a snapshot are not to be trusted.
    pub dated_in_future: bool,
    /// Whether it stays.
    pub decision: Decision,
}

impl Verdict {
    /// Whether the snapshot is to be destroyed.
    pub fn destroys(&self) -> bool {
        self.decision == Decision::Destroy
    }

    /// Whether only a hold or a clone keeps it, which is shown to the operator: the space does not
    /// come back until somebody releases it.
    pub fn kept_against_policy(&self) -> bool {
        match &self.decision {
            Decision::Keep(reasons) => {
                reasons.iter().all(|reason| matches!(reason, Reason::Held(_) | Reason::HasClones(_)))
            }
            Decision::Destroy => false,
        }
    }
}

/// Judges each of a dataset's `snapshots` for the group with the id `group`; the verdicts come in
/// the order of `snapshots`, on which they do not depend. `protected` are the snapshots that
/// replication needs, whatever the policy says.
pub fn decide(
    snapshots: &[Snapshot],
    group: &str,
    policy: &Retention,
    protected: &HashSet<Guid>,
    now: Timestamp,
) -> Vec<Verdict> {
    let mut ours: Vec<&Snapshot> = snapshots.iter().filter(|snapshot| is_ours(snapshot, group)).collect();
    ours.sort_by_key(|snapshot| std::cmp::Reverse((snapshot.createtxg, snapshot.created_at, snapshot.guid)));
    let (ahead, past): (Vec<&Snapshot>, Vec<&Snapshot>) =
        ours.iter().partition(|snapshot| snapshot.created_at > now);

    let mut wanted: HashMap<Guid, Vec<Reason>> = HashMap::new();
    if let Some(newest) = ours.first() {
        wanted.entry(newest.guid).or_default().push(Reason::Newest);
    }
    for series in [&past, &ahead] {
        for (guid, reason) in wanted_by_policy(series, policy) {
            wanted.entry(guid).or_default().push(reason);
        }
    }

    let verdict = |snapshot: &Snapshot| {
        let reasons = if is_ours(snapshot, group) {
            let mut reasons = wanted.get(&snapshot.guid).cloned().unwrap_or_default();
            reasons.extend(obstacles(snapshot, protected));
            reasons
        } else {
            vec![Reason::NotOurs]
        };
        Verdict {
            guid: snapshot.guid,
            tag: snapshot.tag.clone(),
            dated_in_future: snapshot.created_at > now,
            decision: if reasons.is_empty() { Decision::Destroy } else { Decision::Keep(reasons) },
        }
    };
    snapshots.iter().map(verdict).collect()
}

fn is_ours(snapshot: &Snapshot, group: &str) -> bool {
    matches!(&snapshot.owner, Owner::Zerfaux(owner) if owner == group)
}

/// What keeps a snapshot whatever the policy says.
fn obstacles(snapshot: &Snapshot, protected: &HashSet<Guid>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if protected.contains(&snapshot.guid) {
        reasons.push(Reason::Protected);
    }
    if snapshot.holds > 0 {
        reasons.push(Reason::Held(snapshot.holds));
    }
    if !snapshot.clones.is_empty() {
        reasons.push(Reason::HasClones(snapshot.clones.clone()));
    }
    reasons
}

/// What the policy wants of a series of snapshots, newest first.
fn wanted_by_policy(newest_first: &[&Snapshot], policy: &Retention) -> Vec<(Guid, Reason)> {
    if policy.keeps_all() {
        return newest_first.iter().map(|snapshot| (snapshot.guid, Reason::KeepsAll)).collect();
    }
    let last = newest_first.iter().take(policy.last as usize);
    let mut wanted: Vec<(Guid, Reason)> = last.map(|snapshot| (snapshot.guid, Reason::Last)).collect();
    let mut span = |count: u32, reason: &Reason, span_of: fn(Timestamp) -> Span| {
        let newest = newest_of_each_span(newest_first, count, span_of);
        wanted.extend(newest.into_iter().map(|guid| (guid, reason.clone())));
    };
    span(policy.hourly, &Reason::Hourly, hour);
    span(policy.daily, &Reason::Daily, day);
    span(policy.weekly, &Reason::Weekly, iso_week);
    span(policy.monthly, &Reason::Monthly, month);
    wanted
}

/// An hour, day, week or month as a pair that sorts by time: its date, and the hour where it matters.
pub(super) type Span = (Date, i8);

/// The newest snapshot of each of the newest `count` spans that have one.
fn newest_of_each_span(newest_first: &[&Snapshot], count: u32, span_of: fn(Timestamp) -> Span) -> Vec<Guid> {
    let mut newest: HashMap<Span, Guid> = HashMap::new();
    for snapshot in newest_first {
        newest.entry(span_of(snapshot.created_at)).or_insert(snapshot.guid);
    }
    // By the calendar, not by `createtxg`: after a clock was set back the two orders differ.
    let mut spans: Vec<(Span, Guid)> = newest.into_iter().collect();
    spans.sort_by_key(|(span, _)| std::cmp::Reverse(*span));
    spans.into_iter().take(count as usize).map(|(_, guid)| guid).collect()
}

pub(super) fn hour(at: Timestamp) -> Span {
    let utc = at.to_zoned(TimeZone::UTC);
    (utc.date(), utc.hour())
}

pub(super) fn day(at: Timestamp) -> Span {
    (at.to_zoned(TimeZone::UTC).date(), 0)
}

/// Named by its Monday, not by year and number, so that it sorts across the turn of the year.
pub(super) fn iso_week(at: Timestamp) -> Span {
    let date = at.to_zoned(TimeZone::UTC).date();
    let since_monday = i64::from(date.weekday().to_monday_zero_offset());
    (date.saturating_sub(jiff::Span::new().days(since_monday)), 0)
}

pub(super) fn month(at: Timestamp) -> Span {
    (at.to_zoned(TimeZone::UTC).date().first_of_month(), 0)
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
