//! Moments: relative where one wants to know how long ago, exact on hover, always machine-readable.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::html::Html;
use crate::domain::size::format_duration;

/// How long ago, or in how long, with the exact time in `zone` on hover. app.js keeps it true.
pub fn relative(at: Timestamp, now: Timestamp, zone: &TimeZone) -> Html {
    element(at, &words(at, now), &exact_text(at, zone), true)
}

/// The exact time in the viewer's zone, for logs and reports.
pub fn exact(at: Timestamp, zone: &TimeZone) -> Html {
    element(
        at,
        &at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        &exact_text(at, zone),
        false,
    )
}

/// The time of day alone, for a console whose lines all belong to one job.
pub fn time_of_day(at: Timestamp, zone: &TimeZone) -> Html {
    element(at, &at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string(), &exact_text(at, zone), false)
}

fn exact_text(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

fn element(at: Timestamp, text: &str, title: &str, ticks: bool) -> Html {
    let ticks = if ticks { " data-relative" } else { "" };
    // Everything here was formatted by us from a number: nothing to escape.
    Html(format!("<time datetime=\"{at:.0}\" title=\"{title}\"{ticks}>{text}</time>"))
}

/// `just now`, `4 m 12 s ago`, `in 2 m`. Whole seconds, and never more than has passed: a checkpoint is not
/// called younger or older than it is by rounding up.
fn words(at: Timestamp, now: Timestamp) -> String {
    let distance = now.duration_since(at);
    let seconds = distance.unsigned_abs().as_secs();
    let length = match seconds {
        0 => return "just now".to_owned(),
        1..10 => format!("{seconds} s"),
        10..3600 => format_duration(Duration::from_secs(seconds)),
        3600..86_400 => format_duration(Duration::from_secs(seconds / 60 * 60)),
        _ => format_duration(Duration::from_secs(seconds / 3600 * 3600)),
    };
    if distance.is_negative() { format!("in {length}") } else { format!("{length} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_relative_with_the_exact_time_on_hover() {
        let now: Timestamp = "2026-11-20T14:05:00Z".parse().unwrap();
        let at: Timestamp = "2026-11-20T14:00:48.7Z".parse().unwrap();
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(
            relative(at, now, &berlin).as_str(),
            "<time datetime=\"2026-11-20T14:00:48Z\" title=\"2026-11-20 15:00:48 CET\" data-relative>4 m 11 s ago</time>"
        );
        assert!(exact(at, &berlin).as_str().contains(">2026-11-20 15:00:48</time>"));
        assert!(time_of_day(at, &berlin).as_str().contains(">15:00:48</time>"));
    }

    #[test]
    fn lengths_are_never_rounded_up() {
        let now: Timestamp = "2026-11-20T14:05:00Z".parse().unwrap();
        let cases = [
            ("2026-11-20T14:05:00.4Z", "just now"),
            ("2026-11-20T14:04:57Z", "3 s ago"),
            ("2026-11-20T13:05:01Z", "59 m 59 s ago"),
            ("2026-11-20T12:59:01Z", "1 h 5 m ago"),
            ("2026-11-18T14:05:01Z", "1 d 23 h ago"),
            ("2026-11-20T14:07:00Z", "in 2 m"),
        ];
        for (at, expected) in cases {
            assert_eq!(words(at.parse().unwrap(), now), expected);
        }
    }
}
