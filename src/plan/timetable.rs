//! What a weekly timetable allows at a moment.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::domain::protection_group::Policy;
use crate::domain::rate::Rate;
use crate::domain::timetable::{Allows, Timetable, Weekday, Window};

/// What may be sent at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// Everything.
    All,
    /// At most so much.
    AtMost(Rate),
    /// No run is started.
    Nothing,
}

/// What `timetable` allows at `moment`: the strictest of its windows that cover it. A time zone that is not known any
/// more is read as UTC.
pub fn allowed(timetable: Option<&Timetable>, moment: Timestamp) -> Allowed {
    let Some(timetable) = timetable else { return Allowed::All };
    let zone = TimeZone::get(&timetable.time_zone).unwrap_or(TimeZone::UTC);
    let local = moment.to_zoned(zone);
    let day = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
    let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap_or(0);
    let strictest =
        timetable.windows.iter().filter(|one| covers(one, day, minute)).map(|one| one.allows).min();
    match strictest {
        None => Allowed::All,
        Some(Allows::Nothing) => Allowed::Nothing,
        Some(Allows::AtMost(rate)) => Allowed::AtMost(rate),
    }
}

fn covers(window: &Window, day: usize, minute: u16) -> bool {
    let on = |day: usize| window.days.contains(&Weekday::ALL[day % 7]);
    if window.from < window.to {
        return on(day) && (window.from..window.to).contains(&minute);
    }
    // Over midnight: the evening of its own day, or the morning after.
    on(day) && minute >= window.from || on(day + 6) && minute < window.to
}

/// The limit of a run that starts at `moment`: the stricter of the group's own and the timetable's.
pub fn limit(policy: &Policy, moment: Timestamp) -> Option<Rate> {
    match (policy.bandwidth_limit, allowed(policy.timetable.as_ref(), moment)) {
        (Some(own), Allowed::AtMost(rate)) => Some(own.min(rate)),
        (None, Allowed::AtMost(rate)) => Some(rate),
        (own, Allowed::All | Allowed::Nothing) => own,
    }
}

/// The first moment from `moment` on at which runs may start: at most a week and a day is looked through, in minutes,
/// because summer time moves the windows. None if the timetable never allows anything.
pub fn next_allowed(timetable: Option<&Timetable>, moment: Timestamp) -> Option<Timestamp> {
    const MINUTES: i64 = 8 * 24 * 60;
    if allowed(timetable, moment) != Allowed::Nothing {
        return Some(moment);
    }
    let whole = Timestamp::from_second(moment.as_second() - moment.as_second().rem_euclid(60)).ok()?;
    (1..=MINUTES)
        .filter_map(|minute| whole.checked_add(SignedDuration::from_mins(minute)).ok())
        .find(|at| allowed(timetable, *at) != Allowed::Nothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn table(days: &[Weekday], from: u16, to: u16, allows: Allows) -> Timetable {
        let window = Window { days: days.to_vec(), from, to, allows };
        Timetable { time_zone: "Europe/Berlin".to_owned(), windows: vec![window] }
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        let friday_night = table(&[Weekday::Fri], 22 * 60, 6 * 60, Allows::Nothing);
        // 2026-11-27 is a Friday; Berlin is an hour ahead of UTC.
        for (moment, closed) in [
            ("2026-11-27T04:00:00Z", false),
            ("2026-11-27T20:59:00Z", false),
            ("2026-11-27T21:00:00Z", true),
            ("2026-11-28T04:59:00Z", true),
            ("2026-11-28T05:00:00Z", false),
            ("2026-11-28T22:00:00Z", false),
        ] {
            assert_eq!(allowed(Some(&friday_night), at(moment)) == Allowed::Nothing, closed, "{moment}");
        }
        let opens = next_allowed(Some(&friday_night), at("2026-11-27T21:00:30Z"));
        assert_eq!(opens, Some(at("2026-11-28T05:00:00Z")));
    }

    #[test]
    fn the_strictest_of_two_windows_and_of_the_groups_own_limit_counts() {
        let rate = |text: &str| text.parse::<Rate>().unwrap();
        let mut one = table(&Weekday::ALL, 0, 1440, Allows::AtMost(rate("10M")));
        one.windows.push(Window { allows: Allows::AtMost(rate("2M")), ..one.windows[0].clone() });
        assert_eq!(allowed(Some(&one), at("2026-11-27T12:00:00Z")), Allowed::AtMost(rate("2M")));
        one.windows.push(Window { allows: Allows::Nothing, ..one.windows[0].clone() });
        assert_eq!(allowed(Some(&one), at("2026-11-27T12:00:00Z")), Allowed::Nothing);
        assert_eq!(next_allowed(Some(&one), at("2026-11-27T12:00:00Z")), None, "never");
    }

    #[test]
    fn a_blackout_that_summer_time_shortens_ends_by_the_wall_clock() {
        // On 2026-03-29 Berlin goes from 02:00 to 03:00.
        let night = table(&Weekday::ALL, 60, 4 * 60, Allows::Nothing);
        let opens = next_allowed(Some(&night), at("2026-03-29T00:30:00Z"));
        assert_eq!(opens, Some(at("2026-03-29T02:00:00Z")));
    }
}
