//! When a schedule is due: pure functions of the schedule and the wall clock, which may have been set.
//!
//! The rules, in this order of weight: no run is made twice for one slot; none is forgotten; runs that were
//! missed (machine off, previous run still busy, clock put forward) become one run, never a burst.

use std::str::FromStr;

use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A clock put back by no more than this keeps the calendar slots it repeats as done. Beyond, the clock had
/// been wrong, and the calendar is read anew. Covers an hour of summer time and the usual correction.
const REPEATED_SLOTS: SignedDuration = SignedDuration::from_hours(2);

/// When a schedule wants to run.
#[derive(Debug, Clone)]
pub enum Rule {
    /// Again after this much time.
    Every(SignedDuration),
    /// At the wall-clock times of a cron pattern.
    Calendar {
        /// Five fields: minute, hour, day of month, month, day of week.
        pattern: Box<croner::Cron>,
        /// Where those wall-clock times hold.
        zone: TimeZone,
    },
}

/// A rule that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Neither or both of interval and calendar.
    #[error("a schedule needs either an interval or a calendar pattern, not both and not neither")]
    Shape,
    /// An interval that does not move on.
    #[error("an interval of {0} s is not possible; the shortest is 1 s, the longest ten years")]
    Interval(i64),
    /// Not a cron pattern.
    #[error("the calendar pattern {pattern:?} does not read as minute, hour, day, month, weekday: {why}")]
    Pattern {
        /// As it was given.
        pattern: String,
        /// The parser's words.
        why: String,
    },
    /// Not in the time zone database.
    #[error("there is no time zone {0:?}; a name such as Europe/Berlin is expected")]
    Zone(String),
}

impl Rule {
    /// Reads the columns of a schedule: an interval in seconds, or a cron pattern in a time zone.
    ///
    /// # Errors
    /// See [`RuleError`].
    pub fn parse(every_seconds: Option<i64>, calendar: Option<&str>, zone: &str) -> Result<Self, RuleError> {
        match (every_seconds, calendar) {
            (Some(seconds @ 1..=315_360_000), None) => Ok(Self::Every(SignedDuration::from_secs(seconds))),
            (Some(seconds), None) => Err(RuleError::Interval(seconds)),
            (None, Some(pattern)) => {
                let parser =
                    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
                let parsed = parser.parse(pattern).map_err(|error| RuleError::Pattern {
                    pattern: pattern.to_owned(),
                    why: error.to_string(),
                })?;
                let zone = TimeZone::get(zone).map_err(|_| RuleError::Zone(zone.to_owned()))?;
                Ok(Self::Calendar { pattern: Box::new(parsed), zone })
            }
            _ => Err(RuleError::Shape),
        }
    }

    /// The first slot after `moment`. None when the calendar has no more (30 February).
    ///
    /// A fixed wall-clock time that summer time skips comes at the end of the gap; one that occurs twice
    /// comes once. Patterns with wildcard hours follow the wall clock.
    pub fn next_due(&self, moment: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(interval) => moment.checked_add(*interval).ok(),
            Self::Calendar { pattern, zone } => {
                let start = moment.to_zoned(zone.clone());
                pattern.find_next_occurrence(&start, false).ok().map(|slot| slot.timestamp())
            }
        }
    }
}

impl FromStr for Rule {
    type Err = RuleError;
    /// A cron pattern in UTC.
    fn from_str(pattern: &str) -> Result<Self, RuleError> {
        Self::parse(None, Some(pattern), "UTC")
    }
}

/// What to do with a schedule now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing before this moment; None: nothing ever.
    Wait(Option<Timestamp>),
    /// Nothing, but the slot that is stored is wrong (new, or made under a wrong clock): store this one.
    Move(Option<Timestamp>),
    /// It is due, but its last job has not ended. It stays due.
    Busy,
    /// Make a job, and store the next slot with it.
    Run {
        /// The slot after this one.
        next_due: Option<Timestamp>,
    },
}

/// Decides for a schedule with `rule` whose next slot is stored as `due` and which last made a job at
/// `last_run`. `busy`: that job has not ended.
pub fn decide(
    rule: &Rule,
    due: Option<Timestamp>,
    last_run: Option<Timestamp>,
    busy: bool,
    now: Timestamp,
) -> Decision {
    match (rule, due) {
        (Rule::Every(_), None) => run_unless(busy, rule.next_due(now)),
        (Rule::Every(interval), Some(due)) => interval_at(rule, *interval, due, busy, now),
        (Rule::Calendar { .. }, None) => match rule.next_due(now) {
            None => Decision::Wait(None),
            first => Decision::Move(first),
        },
        (Rule::Calendar { .. }, Some(due)) if due <= now => run_unless(busy, rule.next_due(now)),
        (Rule::Calendar { .. }, Some(due)) => {
            let repeated =
                last_run.is_some_and(|last| last > now && last.duration_since(now) <= REPEATED_SLOTS);
            match rule.next_due(now) {
                Some(expected) if expected < due && !repeated => Decision::Move(Some(expected)),
                _ => Decision::Wait(Some(due)),
            }
        }
    }
}

fn interval_at(
    rule: &Rule,
    interval: SignedDuration,
    due: Timestamp,
    busy: bool,
    now: Timestamp,
) -> Decision {
    let wait = due.duration_since(now);
    if wait > interval {
        // The clock was put back while nobody looked, by an unknown amount: a run too early is harmless.
        return run_unless(busy, rule.next_due(now));
    }
    if wait > SignedDuration::ZERO {
        return Decision::Wait(Some(due));
    }
    // A little late keeps the rhythm; much late begins a new one, so that two runs never come close together.
    let late = -wait;
    let next = if late < interval / 2 { rule.next_due(due) } else { rule.next_due(now) };
    run_unless(busy, next)
}

fn run_unless(busy: bool, next_due: Option<Timestamp>) -> Decision {
    if busy { Decision::Busy } else { Decision::Run { next_due } }
}

/// By how much the wall clock was put back between two looks at it, beyond a second of noise. `passed` is
/// what really went by. Zero when it was not.
///
/// A clock put forward needs nothing: what it skips is overdue and runs once.
pub fn put_back(before: Timestamp, now: Timestamp, passed: std::time::Duration) -> SignedDuration {
    let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
    let shift = passed.saturating_sub(now.duration_since(before));
    if shift > SignedDuration::from_secs(1) { shift } else { SignedDuration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }
    fn daily(zone: &str) -> Rule {
        Rule::parse(None, Some("30 2 * * *"), zone).unwrap()
    }

    #[test]
    fn a_nightly_run_happens_once_on_the_day_that_summer_time_skips_its_hour() {
        let rule = daily("Europe/Berlin");
        // 2026-03-29 02:00 CET is followed by 03:00 CEST: 02:30 does not exist.
        let gap = rule.next_due(at("2026-03-28T12:00:00Z")).unwrap();
        assert_eq!(gap, at("2026-03-29T01:00:00Z"), "the first moment after the gap");
        assert_eq!(rule.next_due(gap).unwrap(), at("2026-03-30T00:30:00Z"));
    }

    #[test]
    fn a_nightly_run_happens_once_on_the_day_that_has_its_hour_twice() {
        let rule = daily("Europe/Berlin");
        let first = rule.next_due(at("2026-10-24T12:00:00Z")).unwrap();
        assert_eq!(first, at("2026-10-25T00:30:00Z"), "02:30 CEST, the first of the two");
        assert_eq!(
            rule.next_due(first).unwrap(),
            at("2026-10-26T01:30:00Z"),
            "not 02:30 CET of the same night"
        );
    }

    #[test]
    fn an_hourly_pattern_runs_every_real_hour_over_both_changes() {
        let rule = Rule::parse(None, Some("0 * * * *"), "Europe/Berlin").unwrap();
        for start in ["2026-03-28T22:00:00Z", "2026-10-24T22:00:00Z"] {
            let mut slot = at(start);
            for _ in 0..6 {
                let next = rule.next_due(slot).unwrap();
                assert_eq!(next.duration_since(slot), SignedDuration::from_hours(1), "after {slot}");
                slot = next;
            }
        }
    }

    #[test]
    fn missed_intervals_become_one_run_and_the_next_one_keeps_its_distance() {
        let rule = Rule::parse(Some(900), None, "UTC").unwrap();
        let now = at("2036-01-01T00:00:00Z");
        let Decision::Run { next_due } = decide(&rule, Some(at("2026-01-01T00:00:00Z")), None, false, now)
        else {
            panic!("ten years late is due");
        };
        assert_eq!(next_due, Some(at("2036-01-01T00:15:00Z")));
    }

    #[test]
    fn a_run_a_little_late_keeps_the_rhythm() {
        let rule = Rule::parse(Some(900), None, "UTC").unwrap();
        let decision =
            decide(&rule, Some(at("2026-01-01T00:00:00Z")), None, false, at("2026-01-01T00:00:20Z"));
        assert_eq!(decision, Decision::Run { next_due: Some(at("2026-01-01T00:15:00Z")) });
    }

    #[test]
    fn a_due_schedule_whose_last_job_runs_stays_due() {
        let rule = daily("UTC");
        let decision =
            decide(&rule, Some(at("2026-01-01T02:30:00Z")), None, true, at("2026-01-01T03:00:00Z"));
        assert_eq!(decision, Decision::Busy);
    }

    #[test]
    fn a_calendar_made_under_a_wrong_clock_is_read_anew() {
        let rule = daily("UTC");
        let (far, now) = (at("2036-01-02T02:30:00Z"), at("2026-01-01T12:00:00Z"));
        let right = Decision::Move(Some(at("2026-01-02T02:30:00Z")));
        assert_eq!(decide(&rule, Some(far), None, false, now), right);
        assert_eq!(decide(&rule, Some(far), Some(at("2036-01-01T02:30:00Z")), false, now), right);
    }

    #[test]
    fn a_slot_repeated_by_a_clock_put_back_is_not_run_again() {
        let rule = daily("UTC");
        let (last, due) = (at("2026-01-01T02:30:00Z"), at("2026-01-02T02:30:00Z"));
        let now = at("2026-01-01T01:45:00Z");
        assert_eq!(decide(&rule, Some(due), Some(last), false, now), Decision::Wait(Some(due)));
    }

    #[test]
    fn rules_that_cannot_be_followed_are_refused_in_words() {
        let error = |every, calendar, zone| Rule::parse(every, calendar, zone).unwrap_err().to_string();
        assert!(error(None, None, "UTC").contains("either an interval or a calendar"));
        assert!(error(Some(0), None, "UTC").contains("interval of 0 s"));
        assert!(error(None, Some("99 * * * *"), "UTC").contains("\"99 * * * *\""));
        assert!(error(None, Some("0 0 0 * * *"), "UTC").contains("minute, hour, day"), "six fields");
        assert!(error(None, Some("0 0 * * *"), "Mars/Olympus").contains("Mars/Olympus"));
    }

    #[test]
    fn a_day_that_never_comes_waits_for_ever() {
        let rule: Rule = "0 0 30 2 *".parse().unwrap();
        assert_eq!(decide(&rule, None, None, false, at("2026-01-01T00:00:00Z")), Decision::Wait(None));
    }

    #[test]
    fn only_a_clock_put_back_counts_as_put_back() {
        let (before, second) = (at("2026-01-01T12:00:00Z"), std::time::Duration::from_secs(10));
        assert_eq!(put_back(before, at("2026-01-01T12:00:10Z"), second), SignedDuration::ZERO);
        assert_eq!(put_back(before, at("2026-01-01T13:00:10Z"), second), SignedDuration::ZERO);
        assert_eq!(put_back(before, at("2026-01-01T11:00:10Z"), second), SignedDuration::from_hours(1));
    }
}
