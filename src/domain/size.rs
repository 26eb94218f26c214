//! Bytes, rates and times as people read them.
//!
//! One rule for every size in Zerfaux: units are powers of 1024 and say so (KiB, MiB, GiB …), three
//! significant digits, rounded half up. Bytes below 1 KiB are exact. All arithmetic is in integers, so
//! the same number prints the same everywhere.

use std::time::Duration;

use jiff::Timestamp;

pub(super) const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// A number of bytes, for example `512 B`, `1.50 GiB`, `15.0 GiB`, `150 GiB`, `1010 GiB`.
pub fn format_bytes(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut exponent: u32 = (63 - bytes.leading_zeros()) / 10;
    loop {
        let unit = 1u128 << (10 * exponent);
        let text = three_digits(u128::from(bytes), unit);
        // 1023.7 MiB rounds to 1024 MiB, which is 1.00 GiB. No u64 reaches 1024 EiB.
        if text != "1024" {
            return format!("{text} {}", UNITS[exponent as usize]);
        }
        exponent += 1;
    }
}

/// `bytes / unit` with three significant digits (four from 1000 on), rounded half up.
fn three_digits(bytes: u128, unit: u128) -> String {
    let rounded = |scale: u128| (bytes * scale * 2 + unit) / (unit * 2);
    let hundredths = rounded(100);
    if hundredths < 1000 {
        return format!("{}.{:02}", hundredths / 100, hundredths % 100);
    }
    let tenths = rounded(10);
    if tenths < 1000 {
        return format!("{}.{}", tenths / 10, tenths % 10);
    }
    rounded(1).to_string()
}

/// Bytes per second, by the rule of [`format_bytes`]: `12.3 MiB/s`.
pub fn format_rate(bytes_per_second: u64) -> String {
    format!("{}/s", format_bytes(bytes_per_second))
}

/// How long something took or will take: the two largest units, rounded half up to the smaller, the
/// smaller left out where it is 0. Below ten seconds tenths are shown. `0.4 s`, `41 s`, `4 m 12 s`,
/// `3 h 5 m`, `2 d 4 h`, `5 m`.
pub fn format_duration(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    if tenths < 100 {
        return match tenths {
            0 if duration.is_zero() => "0 s".to_owned(),
            0 => "< 0.1 s".to_owned(),
            // Known by the second only, or to the point.
            _ if duration.subsec_nanos() == 0 => format!("{} s", duration.as_secs()),
            _ => format!("{}.{} s", tenths / 10, tenths % 10),
        };
    }
    let rounded_to = |unit_ms: u128| (duration.as_millis() + unit_ms / 2) / unit_ms;
    let (seconds, minutes, hours) = (rounded_to(1_000), rounded_to(60_000), rounded_to(3_600_000));
    if seconds < 60 {
        format!("{seconds} s")
    } else if seconds < 3600 {
        two_units(seconds, 60, "m", "s")
    } else if minutes < 24 * 60 {
        two_units(minutes, 60, "h", "m")
    } else {
        two_units(hours, 24, "d", "h")
    }
}

fn two_units(count: u128, per_large: u128, large: &str, small: &str) -> String {
    match count % per_large {
        0 => format!("{} {large}", count / per_large),
        rest => format!("{} {large} {rest} {small}", count / per_large),
    }
}

/// How long ago `then` was, seen from `now`: `4 m 12 s ago`, `just now` below a second, and
/// `4 m 12 s in the future` where a clock is wrong.
pub fn format_age(then: Timestamp, now: Timestamp) -> String {
    let age = now.duration_since(then);
    let length = age.unsigned_abs();
    if length < Duration::from_secs(1) {
        "just now".to_owned()
    } else if age.is_negative() {
        format!("{} in the future", format_duration(length))
    } else {
        format!("{} ago", format_duration(length))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_have_three_digits_and_say_their_unit() {
        const GIB: u64 = 1 << 30;
        let cases = [
            (0, "0 B"),
            (1, "1 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1029, "1.00 KiB"),
            (1030, "1.01 KiB"),
            (10 * 1024 - 1, "10.0 KiB"),
            (102_348, "99.9 KiB"),
            (102_349, "100 KiB"),
            (1_048_063, "1023 KiB"),
            (1_048_064, "1.00 MiB"),
            (GIB - 1, "1.00 GiB"),
            (GIB * 3 / 2, "1.50 GiB"),
            (15 * GIB, "15.0 GiB"),
            (150 * GIB, "150 GiB"),
            (1010 * GIB, "1010 GiB"),
            (500_000_000_000, "466 GiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(format_bytes(bytes), expected, "{bytes}");
        }
        assert_eq!(format_rate(12_897_485), "12.3 MiB/s");
    }

    #[test]
    fn durations_show_two_units_and_never_sixty_of_one() {
        let cases = [
            (0, "0 s"),
            (10, "< 0.1 s"),
            (50, "0.1 s"),
            (2_000, "2 s"),
            (2_001, "2.0 s"),
            (2_100, "2.1 s"),
            (9_949, "9.9 s"),
            (9_950, "10 s"),
            (41_000, "41 s"),
            (59_499, "59 s"),
            (59_500, "1 m"),
            (252_000, "4 m 12 s"),
            (300_000, "5 m"),
            (3_599_499, "59 m 59 s"),
            (3_599_500, "1 h"),
            (11_100_000, "3 h 5 m"),
            (86_369_999, "23 h 59 m"),
            (86_370_000, "1 d"),
            (187_200_000, "2 d 4 h"),
        ];
        for (milliseconds, expected) in cases {
            assert_eq!(format_duration(Duration::from_millis(milliseconds)), expected, "{milliseconds}");
        }
    }

    #[test]
    fn an_age_is_told_from_now_even_when_a_clock_is_wrong() {
        let now: Timestamp = "2026-11-20T14:05:00Z".parse().unwrap();
        let cases = [
            ("2026-11-20T14:05:00Z", "just now"),
            ("2026-11-20T14:00:48Z", "4 m 12 s ago"),
            ("2026-11-20T15:05:00Z", "1 h in the future"),
            ("-009999-01-02T01:59:59Z", "4392363 d 12 h ago"),
        ];
        for (then, expected) in cases {
            assert_eq!(format_age(then.parse().unwrap(), now), expected);
        }
    }

    proptest! {

        #[test]
        fn a_printed_size_is_off_by_half_a_unit_of_its_last_digit_at_most(bytes in 0u64.., shift in 0u32..64) {
            let bytes = bytes >> shift;
            let text = format_bytes(bytes);
            let (number, unit) = text.split_once(' ').unwrap();
            let power = UNITS.iter().position(|known| *known == unit).unwrap();
            let places = number.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            let scale = 10i128.pow(u32::try_from(places).unwrap());
            let printed: i128 = number.replace('.', "").parse().unwrap();
            let unit = 1i128 << (10 * power);
            // |printed/scale·unit − bytes| ≤ unit/(2·scale), without division.
            let off = (printed * unit - i128::from(bytes) * scale).abs();
            prop_assert!(off * 2 <= unit, "{} printed as {}", bytes, text);
            prop_assert!(printed < 1024 || places > 0, "{} printed as {}", bytes, text);
        }
    }
}
