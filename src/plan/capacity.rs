//! When a pool will be full if it goes on like this: a straight line through what was measured.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::health::CapacitySample;

/// Only what was measured within this time counts: what a pool did a year ago says little about next week.
const WINDOW: SignedDuration = SignedDuration::from_hours(14 * 24);
/// A line through less than this says nothing.
const LEAST: SignedDuration = SignedDuration::from_hours(6);
/// And through fewer points.
const FEWEST: usize = 4;
/// Beyond this nobody plans.
const HORIZON: f64 = 365.0 * 86_400.0;

/// Where the use of a pool is going.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Forecast {
    /// Not enough was measured yet.
    TooEarly,
    /// It does not grow, or it takes more than a year.
    NotInSight,
    /// It will be full then.
    Full {
        /// When.
        at: Timestamp,
        /// How long that is from the newest measurement.
        left: Duration,
    },
}

impl Forecast {
    /// `full in about 9 days at this rate`, where it is going to be full.
    pub fn words(&self) -> Option<String> {
        let Self::Full { left, .. } = self else { return None };
        let hours = left.as_secs() / 3600;
        let about = match hours {
            0 => return Some("full within the hour at this rate".to_owned()),
            1 => "1 hour".to_owned(),
            2..48 => format!("{hours} hours"),
            48..1440 => format!("{} days", (hours + 12) / 24),
            _ => format!("{} weeks", (hours + 84) / 168),
        };
        Some(format!("full in about {about} at this rate"))
    }
}

/// Where the line through the newest two weeks of `samples` (oldest first) leads.
pub fn forecast(samples: &[CapacitySample]) -> Forecast {
    let Some(newest) = samples.last() else { return Forecast::TooEarly };
    let recent: Vec<&CapacitySample> =
        samples.iter().filter(|sample| newest.at.duration_since(sample.at) <= WINDOW).collect();
    let span = recent.first().map_or(SignedDuration::ZERO, |first| newest.at.duration_since(first.at));
    if span < LEAST || recent.len() < FEWEST {
        return Forecast::TooEarly;
    }
    let Some(per_second) = slope(&recent, newest.at) else { return Forecast::TooEarly };
    if newest.used >= newest.size {
        return Forecast::Full { at: newest.at, left: Duration::ZERO };
    }
    if per_second <= 0.0 {
        return Forecast::NotInSight;
    }
    let seconds = (newest.size - newest.used) as f64 / per_second;
    if !seconds.is_finite() || seconds > HORIZON {
        return Forecast::NotInSight;
    }
    let left = Duration::from_secs_f64(seconds);
    let ahead = SignedDuration::try_from(left).unwrap_or(SignedDuration::ZERO);
    Forecast::Full { at: newest.at.saturating_add(ahead).unwrap_or(Timestamp::MAX), left }
}

/// Bytes a second, by least squares.
fn slope(samples: &[&CapacitySample], newest: Timestamp) -> Option<f64> {
    let point =
        |sample: &&CapacitySample| (sample.at.duration_since(newest).as_secs_f64(), sample.used as f64);
    let points: Vec<(f64, f64)> = samples.iter().map(point).collect();
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), (px, py)| (x + px / count, y + py / count));
    let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), (px, py)| {
        (above + (px - x) * (py - y), below + (px - x) * (px - x))
    });
    (below > 0.0).then(|| above / below)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const GIB: u64 = 1 << 30;

    fn sample(second: i64, used: u64) -> CapacitySample {
        CapacitySample { at: Timestamp::from_second(second).unwrap(), used, size: 100 * GIB }
    }

    #[test]
    fn a_pool_that_grows_evenly_is_full_when_the_line_says_so() {
        let samples: Vec<_> = (0..11).map(|day| sample(day * DAY, (50 + day as u64 * 4) * GIB)).collect();
        let Forecast::Full { at, left } = forecast(&samples) else { panic!("{:?}", forecast(&samples)) };
        assert_eq!(left.as_secs() / 3600, 60, "10 GiB are left at 4 GiB a day");
        assert_eq!(at.as_second(), 10 * DAY + left.as_secs() as i64);
        assert_eq!(forecast(&samples).words().unwrap(), "full in about 3 days at this rate");
    }

    #[test]
    fn too_little_says_nothing_and_a_pool_that_shrinks_has_time() {
        assert_eq!(forecast(&[]), Forecast::TooEarly);
        let hour: Vec<_> = (0..60).map(|minute| sample(minute * 60, minute as u64 * GIB)).collect();
        assert_eq!(forecast(&hour), Forecast::TooEarly);
        let shrinks: Vec<_> = (0..9).map(|day| sample(day * DAY, (90 - day as u64) * GIB)).collect();
        assert_eq!(forecast(&shrinks), Forecast::NotInSight);
        let crawls: Vec<_> = (0..9).map(|day| sample(day * DAY, GIB + day as u64)).collect();
        assert_eq!(forecast(&crawls), Forecast::NotInSight);
        let same: Vec<_> = (0..9).map(|_| sample(5, GIB)).collect();
        assert_eq!(forecast(&same), Forecast::TooEarly);
    }

    #[test]
    fn what_lies_longer_back_does_not_count_and_full_is_full() {
        let mut samples = vec![sample(0, 99 * GIB)];
        samples.extend((60..70).map(|day| sample(day * DAY, (10 + day as u64) * GIB)));
        assert!(matches!(forecast(&samples), Forecast::Full { .. }), "{:?}", forecast(&samples));
        let full: Vec<_> = (0..9).map(|day| sample(day * DAY, 100 * GIB)).collect();
        assert_eq!(forecast(&full).words().unwrap(), "full within the hour at this rate");
    }
}
