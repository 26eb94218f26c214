//! Whether a group is within its recovery point objective (RPO), and when its next run has to start.
//!
//! The RPO is judged by the age of the newest checkpoint that is complete AT the DR side; a snapshot
//! that is still on its way protects nobody. The age counts from when the snapshot was taken.
//!
//! A checkpoint taken at `t` is complete at `t + expected transfer`, and by then its predecessor, taken
//! at `s`, may be `rpo` old at most. Hence the next run starts at `s + rpo − expected − margin`.
//!
//! Clocks are not trusted: a checkpoint dated later than now never puts the next run off by more than
//! one RPO, and a clock that leaps ahead makes one run due, not one for each period that it skipped.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How a group stands against its RPO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RpoState {
    /// Within it, and a run started in time will keep it so.
    Met {
        /// Age of the newest checkpoint at the DR side.
        age: Duration,
    },
    /// Within it, but a run that started only now is not sure to be complete in time.
    AtRisk {
        /// Age of the newest checkpoint at the DR side.
        age: Duration,
        /// What is left until it is broken.
        left: Duration,
    },
    /// The newest checkpoint is older than the RPO.
    Broken {
        /// By how much.
        by: Duration,
    },
    /// Nothing can be said.
    Unknown(UnknownBecause),
}

/// Why nothing can be said about an RPO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownBecause {
    /// No checkpoint is complete at the DR side.
    NoCheckpoint,
    /// The newest checkpoint is dated this much later than now: the clock of the host that took it is
    /// ahead, or ours is behind. Its true age is not known.
    ClocksDisagree(Duration),
}

/// When the next run is to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextStart {
    /// When; never before the `now` that was given.
    pub at: Timestamp,
    /// Whether the RPO can be kept at all: false if a transfer with its margin takes longer than the
    /// RPO allows, so that runs follow each other without a pause and the RPO is broken none the less.
    pub attainable: bool,
}

/// The share of the RPO that is kept in reserve for what the estimate does not know (a slow
/// listing, a connection made anew, a transfer that grows): a tenth, from 5 seconds to 5 minutes. It
/// is also the difference between two clocks that is put up with.
pub fn margin(rpo: Duration) -> Duration {
    (rpo / 10).clamp(Duration::from_secs(5), Duration::from_secs(300))
}

/// How a group stands at `now`: its newest checkpoint at the DR side was taken at `newest`, and a
/// run is expected to take `expected`.
pub fn state(rpo: Duration, newest: Option<Timestamp>, now: Timestamp, expected: Duration) -> RpoState {
    let Some(newest) = newest else {
        return RpoState::Unknown(UnknownBecause::NoCheckpoint);
    };
    let age = now.duration_since(newest);
    if age.is_negative() && age.unsigned_abs() > margin(rpo) {
        return RpoState::Unknown(UnknownBecause::ClocksDisagree(age.unsigned_abs()));
    }
    let age = Duration::try_from(age).unwrap_or(Duration::ZERO);
    if age > rpo {
        RpoState::Broken { by: age - rpo }
    } else if rpo - age < expected.saturating_add(margin(rpo)) {
        RpoState::AtRisk { age, left: rpo - age }
    } else {
        RpoState::Met { age }
    }
}

/// When the next run has to start so that the RPO holds: at once if there is no checkpoint yet or
/// the time has passed.
pub fn next_start(rpo: Duration, newest: Option<Timestamp>, now: Timestamp, expected: Duration) -> NextStart {
    let needed = expected.saturating_add(margin(rpo));
    let attainable = needed < rpo;
    let Some(newest) = newest else {
        return NextStart { at: now, attainable };
    };
    // A checkpoint cannot have been taken after now, whatever its date says.
    let taken = newest.min(now);
    let wait = SignedDuration::try_from(rpo.saturating_sub(needed)).unwrap_or(SignedDuration::MAX);
    let due = taken.checked_add(wait).unwrap_or(Timestamp::MAX);
    NextStart { at: due.max(now), attainable }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const MINUTE: Duration = Duration::from_secs(60);

    fn at(text: &str) -> Timestamp {
        format!("2026-11-20T{text}Z").parse().unwrap()
    }

    #[test]
    fn the_margin_is_a_tenth_within_bounds() {
        let cases = [(60, 6), (10, 5), (300, 30), (3_600, 300), (86_400, 300)];
        for (rpo, expected) in cases {
            assert_eq!(margin(Duration::from_secs(rpo)), Duration::from_secs(expected), "{rpo}");
        }
    }

    #[test]
    fn the_state_follows_the_age_of_the_newest_checkpoint() {
        let newest = Some(at("12:00:00"));
        let cases = [
            ("12:00:00", RpoState::Met { age: Duration::ZERO }),
            ("12:50:00", RpoState::Met { age: 50 * MINUTE }),
            ("12:50:01", RpoState::AtRisk { age: Duration::from_secs(3001), left: Duration::from_secs(599) }),
            ("13:00:00", RpoState::AtRisk { age: HOUR, left: Duration::ZERO }),
            ("13:00:01", RpoState::Broken { by: Duration::from_secs(1) }),
            ("17:00:00", RpoState::Broken { by: 4 * HOUR }),
        ];
        for (now, expected) in cases {
            assert_eq!(state(HOUR, newest, at(now), 5 * MINUTE), expected, "{now}");
        }
        let unknown = state(HOUR, None, at("12:00:00"), MINUTE);
        assert_eq!(unknown, RpoState::Unknown(UnknownBecause::NoCheckpoint));
    }

    #[test]
    fn a_small_difference_of_clocks_is_put_up_with_and_a_large_one_is_named() {
        let now = at("12:00:00");
        assert_eq!(state(HOUR, Some(at("12:04:00")), now, MINUTE), RpoState::Met { age: Duration::ZERO });
        let disagree = RpoState::Unknown(UnknownBecause::ClocksDisagree(HOUR));
        assert_eq!(state(HOUR, Some(at("13:00:00")), now, MINUTE), disagree);
    }

    #[test]
    fn the_next_run_starts_early_enough_to_be_complete_in_time() {
        let next = next_start(HOUR, Some(at("12:00:00")), at("12:10:00"), 5 * MINUTE);
        assert_eq!(next, NextStart { at: at("12:50:00"), attainable: true });
        let first = next_start(HOUR, None, at("12:10:00"), 5 * MINUTE);
        assert_eq!(first, NextStart { at: at("12:10:00"), attainable: true });
    }

    #[test]
    fn a_transfer_longer_than_the_rpo_runs_without_a_pause_and_is_named() {
        let next = next_start(HOUR, Some(at("12:00:00")), at("12:00:30"), 2 * HOUR);
        assert_eq!(next, NextStart { at: at("12:00:30"), attainable: false });
        let endless = next_start(HOUR, Some(at("12:00:00")), at("12:00:30"), Duration::MAX);
        assert!(!endless.attainable);
    }

    #[test]
    fn a_clock_that_jumps_makes_one_run_due_and_puts_none_off_for_long() {
        let newest = Some(at("12:00:00"));
        let ten_years_on: Timestamp = "2036-11-20T12:00:00Z".parse().unwrap();
        assert_eq!(next_start(HOUR, newest, ten_years_on, MINUTE).at, ten_years_on);
        let back = next_start(HOUR, newest, at("11:00:00"), 5 * MINUTE).at;
        assert_eq!(back, at("11:50:00"));
    }

    proptest! {
        #[test]
        fn the_next_run_is_never_in_the_past_nor_more_than_one_rpo_away(
            rpo in 1u64..200_000, newest in prop::option::of(0i64..4_000_000_000),
            now in 0i64..4_000_000_000, expected in 0u64..500_000,
        ) {
            let (rpo, expected) = (Duration::from_secs(rpo), Duration::from_secs(expected));
            let newest = newest.map(|second| Timestamp::from_second(second).unwrap());
            let now = Timestamp::from_second(now).unwrap();
            let next = next_start(rpo, newest, now, expected);
            prop_assert!(next.at >= now);
            prop_assert!(next.at.duration_since(now).unsigned_abs() <= rpo);
            // As soon as a group is at risk or worse, its run is due.
            if !matches!(state(rpo, newest, now, expected), RpoState::Met { .. } | RpoState::Unknown(UnknownBecause::ClocksDisagree(_))) {
                prop_assert_eq!(next.at, now);
            }
        }

        #[test]
        fn a_run_started_when_due_is_complete_within_the_rpo(
            rpo in 60u64..90_000, expected in 0u64..90_000, waited in 0u64..90_000,
        ) {
            let (rpo, expected) = (Duration::from_secs(rpo), Duration::from_secs(expected));
            let taken = Timestamp::from_second(1_700_000_000).unwrap();
            let start_of_wait = taken + Duration::from_secs(waited).min(rpo / 100);
            let next = next_start(rpo, Some(taken), start_of_wait, expected);
            prop_assume!(next.attainable && next.at > start_of_wait);
            prop_assert!((next.at + expected).duration_since(taken).unsigned_abs() <= rpo - margin(rpo));
        }

        #[test]
        fn no_time_makes_it_panic(newest in Timestamp::MIN.as_second()..Timestamp::MAX.as_second(), now in Timestamp::MIN.as_second()..Timestamp::MAX.as_second()) {
            let (newest, now) = (Timestamp::from_second(newest).unwrap(), Timestamp::from_second(now).unwrap());
            let _ = state(Duration::MAX, Some(newest), now, Duration::MAX);
            prop_assert!(next_start(Duration::MAX, Some(newest), now, Duration::ZERO).at >= now);
        }
    }
}
