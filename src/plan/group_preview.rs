//! What a protection group's policy will come to: which checkpoints there will be, how much space they take, how long the
//! first transfer lasts. For people who fill in a form, before anything is done.
//!
//! The checkpoints are those that [`retention`](super::retention) keeps once the policy has gone on for so long that it is
//! full, with runs evenly apart. Space and time rest on assumptions, which the words say.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::retention::{day, hour, iso_week, month};
use crate::domain::rate::Rate;
use crate::domain::retention::Retention;
use crate::domain::size::{format_bytes, format_duration};

/// Of each rule no more is looked at: nobody reads the difference, and a typing error must not keep the machine busy.
const MOST: u32 = 20_000;
/// A first transfer is taken to run at this many bytes a second, where no limit says less: a line of 1 Gbit/s.
const ASSUMED_RATE: u64 = 100 << 20;
/// Of what is stored, so many parts of a hundred are taken to change in a day while nothing is known.
const ASSUMED_CHANGE: u64 = 5;
/// Less time than this says nothing about how much changes.
const LEAST_MEASURED: i64 = 3600;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// The checkpoints that are there once a policy has gone on for long, by age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// In seconds, the newest first: it has 0.
    ages: Vec<u64>,
    /// Whether a rule asks for more than was looked at.
    more: bool,
}

/// The day of a time and what else tells its span from the others.
type SpanOf = fn(Timestamp) -> (Date, i8);

/// Which checkpoints `policy` keeps when one is taken `every` so often, the last at `newest`. None: it keeps all, so their
/// number has no end.
pub fn kept(policy: &Retention, every: Duration, newest: Timestamp) -> Option<Kept> {
    if policy.keeps_all() {
        return None;
    }
    let every = every.as_secs().max(1);
    let newest = newest.as_second();
    let mut places: BTreeSet<u64> = (0..u64::from(policy.last.clamp(1, MOST))).collect();
    let rules: [(u32, SpanOf); 4] =
        [(policy.hourly, hour), (policy.daily, day), (policy.weekly, iso_week), (policy.monthly, month)];
    for (count, span_of) in rules {
        let mut place = 0;
        for _ in 0..count.min(MOST) {
            places.insert(place);
            // The next span with one is that of the last checkpoint before this span began.
            let Some(began) = began(newest, place * every, span_of) else { break };
            place = u64::try_from(newest - began).unwrap_or(0) / every + 1;
        }
    }
    let counts = [policy.last, policy.hourly, policy.daily, policy.weekly, policy.monthly];
    Some(Kept {
        ages: places.into_iter().map(|place| place * every).collect(),
        more: counts.into_iter().any(|count| count > MOST),
    })
}

/// When the span began that has the moment `age` before `newest`, in seconds since 1970.
fn began(newest: i64, age: u64, span_of: SpanOf) -> Option<i64> {
    let at = Timestamp::from_second(newest.checked_sub(i64::try_from(age).ok()?)?).ok()?;
    let (date, hour) = span_of(at);
    Some(date.at(hour, 0, 0, 0).to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

impl Kept {
    /// How many.
    pub fn count(&self) -> usize {
        self.ages.len()
    }

    /// How old the oldest is.
    pub fn oldest(&self) -> Duration {
        Duration::from_secs(self.ages.last().copied().unwrap_or(0))
    }

    /// Each one's age in seconds, the newest first.
    pub fn ages(&self) -> &[u64] {
        &self.ages
    }
}

/// Which checkpoints will exist, in words.
pub fn words(policy: &Retention, every: Duration, newest: Timestamp) -> String {
    let Some(kept) = kept(policy, every, newest) else {
        let a_day = (DAY / every.as_secs().max(1)).max(1);
        return format!(
            "Every checkpoint, about {a_day} more each day, without end: the space that they take grows until the pool is full."
        );
    };
    let about = if kept.more { "more than" } else { "about" };
    let what = sentence(&policy.describe());
    match kept.count() {
        1 => format!("{what}: 1 checkpoint."),
        count => format!(
            "{what}: {about} {count} checkpoints, the oldest about {} old.",
            span(kept.oldest().as_secs())
        ),
    }
}

fn sentence(text: &str) -> String {
    let mut all = text.chars();
    all.next().map(|first| first.to_uppercase().chain(all).collect()).unwrap_or_default()
}

/// A length of time as one says it.
fn span(seconds: u64) -> String {
    let many = |count: u64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    let of = |unit: u64| (seconds + unit / 2) / unit;
    match seconds {
        0..7_200 => many(of(60), "minute"),
        7_200..172_800 => many(of(HOUR), "hour"),
        172_800..5_184_000 => many(of(DAY), "day"),
        5_184_000..63_072_000 => many(of(DAY * 30), "month"),
        _ => many(of(DAY * 365), "year"),
    }
}

/// How much changes in a day, and whether that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Bytes a day.
    pub a_day: u64,
    /// Whether checkpoints said so; else it is taken for a part of what is stored.
    pub measured: bool,
}

impl Change {
    /// What is taken for it while nothing is known.
    pub fn assumed(stored: u64) -> Self {
        Self { a_day: stored / 100 * ASSUMED_CHANGE, measured: false }
    }

    /// What checkpoints say, given as when each was taken and how much was sent for it. The first had to send everything
    /// and does not count. None: they say too little.
    pub fn measured(checkpoints: &[(Timestamp, u64)]) -> Option<Self> {
        let mut all = checkpoints.to_vec();
        all.sort_unstable();
        let (first, last) = (all.first()?.0.as_second(), all.last()?.0.as_second());
        let seconds = last - first;
        if seconds < LEAST_MEASURED {
            return None;
        }
        let bytes: u128 = all.iter().skip(1).map(|(_, bytes)| u128::from(*bytes)).sum();
        let a_day = bytes * u128::from(DAY) / u128::try_from(seconds).ok()?;
        Some(Self { a_day: u64::try_from(a_day).unwrap_or(u64::MAX), measured: true })
    }
}

/// How much older checkpoints keep beside the newest state, in bytes, at the most: as if no two changes met. Between two of
/// them no more can have changed than there is.
pub fn older(kept: &Kept, stored: u64, change: Change) -> u64 {
    let between = |pair: &[u64]| {
        let gap = u128::from(pair[1] - pair[0]);
        u64::try_from(u128::from(change.a_day) * gap / u128::from(DAY)).unwrap_or(u64::MAX).min(stored)
    };
    kept.ages.windows(2).map(between).fold(0, u64::saturating_add)
}

/// How much space one side takes, in words with the assumption. `stored` is how much the dataset has; none: not known.
pub fn space(kept: Option<&Kept>, stored: Option<u64>, change: Option<Change>) -> String {
    let Some(stored) = stored else {
        return "How much space it takes is not known: the source appliance did not say how large the dataset is."
            .to_owned();
    };
    let change = change.unwrap_or_else(|| Change::assumed(stored));
    let why = match change.measured {
        true => format!("{} change in a day, as its checkpoints have shown", format_bytes(change.a_day)),
        false => format!(
            "{} change in a day, which is assumed: {ASSUMED_CHANGE} % of what is stored",
            format_bytes(change.a_day)
        ),
    };
    match kept {
        None => format!(
            "{} now, and {} more each day, if {why}.",
            format_bytes(stored),
            format_bytes(change.a_day)
        ),
        Some(kept) => format!(
            "{} for the newest state, and up to {} for the older ones, if {why}.",
            format_bytes(stored),
            format_bytes(older(kept, stored, change))
        ),
    }
}

/// How long the first transfer takes, in words with the assumption.
pub fn first_transfer(stored: Option<u64>, limit: Option<Rate>) -> String {
    let Some(stored) = stored else {
        return "unknown: the source appliance did not say how large the dataset is".to_owned();
    };
    let limit = limit.map(|rate| rate.bytes_per_second().get()).filter(|rate| *rate < ASSUMED_RATE);
    let (rate, why) = match limit {
        Some(limit) => (limit, "the bandwidth limit"),
        None => (ASSUMED_RATE, "what a line of 1 Gbit/s carries, if nothing else is slower"),
    };
    let takes = format_duration(Duration::from_secs((stored / rate).max(1)));
    format!("about {takes} for {}, at {}/s: {why}", format_bytes(stored), format_bytes(rate))
}

#[cfg(test)]
#[path = "group_preview_tests.rs"]
mod tests;
