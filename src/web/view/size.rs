//! Sizes on the pages.

pub use crate::domain::size::{format_bytes as bytes, format_duration as duration, format_rate as rate};

const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// A part of a whole in the whole's unit, one decimal: `4.1 of 8 TiB`. For comparing at a glance; exact bytes
/// belong in [`bytes`].
pub fn part_of(part: u64, whole: u64) -> String {
    let exponent = if whole < 1024 { 0 } else { (63 - whole.leading_zeros()) / 10 };
    let unit = 1u128 << (10 * exponent);
    let tenths = |bytes: u64| (u128::from(bytes) * 10 * 2 + unit) / (unit * 2);
    let show = |bytes: u64| match (tenths(bytes) / 10, tenths(bytes) % 10) {
        (number, 0) => number.to_string(),
        (number, tenth) => format!("{number}.{tenth}"),
    };
    format!("{} of {} {}", show(part), show(whole), UNITS[exponent as usize])
}

/// How much of a whole is used, 0 to 100, rounded half up; 100 only when nothing is left, so that "full" is
/// never said too early.
pub fn percent(part: u64, whole: u64) -> u8 {
    if whole == 0 || part >= whole {
        return if part == 0 { 0 } else { 100 };
    }
    let rounded = (u128::from(part) * 200 + u128::from(whole)) / (u128::from(whole) * 2);
    u8::try_from(rounded.min(99)).unwrap_or(99)
}

/// A count with thin groups of three: `10 000` (narrow no-break spaces, so that it never breaks over a line).
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIB: u64 = 1 << 40;

    #[test]
    fn a_part_is_told_in_the_unit_of_its_whole() {
        assert_eq!(part_of(TIB * 41 / 10, 8 * TIB), "4.1 of 8 TiB");
        assert_eq!(part_of(0, 500 << 30), "0 of 500 GiB");
        assert_eq!(part_of(100, 900), "100 of 900 B");
    }

    #[test]
    fn full_is_only_said_when_it_is_full() {
        assert_eq!(percent(0, 0), 0);
        assert_eq!(percent(999, 1000), 99);
        assert_eq!(percent(1000, 1000), 100);
        assert_eq!(percent(7, 8), 88);
        assert_eq!(percent(u64::MAX / 2, u64::MAX), 50);
    }

    #[test]
    fn large_counts_are_grouped() {
        assert_eq!(count(7), "7");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1\u{202f}000");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
