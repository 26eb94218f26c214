//! Bandwidth limits as people write them.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::size::UNITS;

/// A bandwidth limit in bytes per second, never 0.
///
/// Read from `--bwlimit`: a number, with or without a fraction, then `k`, `M`, `G` or `T` in either
/// case, which are powers of 1024, or `KiB`, `MiB`, `GiB`, `TiB`, or `B`; then, if you like, `/s`.
/// `10M`, `10MiB/s`, `10 m` and `10485760` are the same limit. `MB` is refused because it means
/// 1000² to some and 1024² to others; bits are refused because nothing else in ZFS counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(NonZeroU64);

/// Why a text is not a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// It does not begin with a number.
    #[error("the rate {text:?} does not begin with a number; write for example 10M for 10 MiB per second")]
    NoNumber {
        /// What was given.
        text: String,
    },
    /// A unit that is not known.
    #[error(
        "the rate {text:?} has the unit {unit:?}; known are k, M, G and T (powers of 1024, bytes per second)"
    )]
    Unit {
        /// What was given.
        text: String,
        /// What follows the number.
        unit: String,
    },
    /// `MB` and the like.
    #[error(
        "the rate {text:?} has the unit {unit:?}, which means powers of 1000 to some and of 1024 to others; write {letter} or {letter}iB for powers of 1024"
    )]
    Ambiguous {
        /// What was given.
        text: String,
        /// What follows the number.
        unit: String,
        /// The letter of the unit.
        letter: char,
    },
    /// Bits, not bytes.
    #[error("the rate {text:?} is in bits; give bytes per second, which are an eighth of that")]
    Bits {
        /// What was given.
        text: String,
    },
    /// Nothing would ever be sent.
    #[error("the rate {text:?} is less than 1 byte per second; leave the limit out to have none")]
    Zero {
        /// What was given.
        text: String,
    },
    /// More than a 64-bit number of bytes per second.
    #[error("the rate {text:?} is too large to be a limit; leave the limit out to have none")]
    TooLarge {
        /// What was given.
        text: String,
    },
}

impl Rate {
    /// The rate of so many bytes per second.
    pub const fn new(bytes_per_second: NonZeroU64) -> Self {
        Self(bytes_per_second)
    }

    /// Bytes per second.
    pub const fn bytes_per_second(self) -> NonZeroU64 {
        self.0
    }
}

/// Exact, so that it reads back as the same rate: `10 MiB/s`, `1536 KiB/s`, `1000 B/s`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // TiB is the largest unit that is read.
        let exponent = (self.0.trailing_zeros() / 10).min(4);
        write!(f, "{} {}/s", self.0.get() >> (10 * exponent), UNITS[exponent as usize])
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(given: &str) -> Result<Self, RateError> {
        let text = || given.to_owned();
        let trimmed = given.trim();
        let end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(end);
        let shift = rate_unit(given, unit.trim())?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(RateError::NoNumber { text: text() });
        }
        let whole = digits(whole).filter(|whole| *whole <= u128::from(u64::MAX));
        let whole = whole.ok_or_else(|| RateError::TooLarge { text: text() })? << shift;
        // Digits beyond the twelfth cannot matter: a TiB has less than 2^41 bytes.
        let fraction = &fraction[..fraction.len().min(12)];
        let places = 10u128.pow(u32::try_from(fraction.len()).unwrap_or(0));
        let part = (digits(fraction).unwrap_or(0) << shift) / places;
        let bytes = u64::try_from(whole + part).map_err(|_| RateError::TooLarge { text: text() })?;
        NonZeroU64::new(bytes).map(Self).ok_or_else(|| RateError::Zero { text: text() })
    }
}

/// A run of ASCII digits as a number; 0 for none, nothing if it does not fit.
fn digits(text: &str) -> Option<u128> {
    if text.is_empty() { Some(0) } else { text.parse().ok() }
}

/// By how many bits the unit shifts its number.
fn rate_unit(given: &str, unit: &str) -> Result<u32, RateError> {
    let text = || given.to_owned();
    let per_second = unit.strip_suffix("/s").unwrap_or(unit).trim_end();
    let lower = per_second.to_lowercase();
    if lower.contains("bit") || lower.ends_with("bps") || lower.ends_with("ibs") {
        return Err(RateError::Bits { text: text() });
    }
    let (letter, rest) = match lower.chars().next() {
        None => return Ok(0),
        Some('b') if per_second == "B" => return Ok(0),
        Some(first) => (first, per_second.get(first.len_utf8()..).unwrap_or_default()),
    };
    let power = "kmgt".find(letter).and_then(|index| u32::try_from(index + 1).ok());
    match (power, rest) {
        (Some(power), "" | "i" | "iB") => Ok(10 * power),
        (Some(_), "B") => {
            let unit = per_second.to_owned();
            Err(RateError::Ambiguous { text: text(), unit, letter: letter.to_ascii_uppercase() })
        }
        (Some(_), "b" | "ib") => Err(RateError::Bits { text: text() }),
        _ if !given.trim().starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            Err(RateError::NoNumber { text: text() })
        }
        _ => Err(RateError::Unit { text: text(), unit: per_second.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_read_in_the_documented_forms() {
        let cases = [
            ("10M", 10 << 20),
            ("10m", 10 << 20),
            ("10MiB/s", 10 << 20),
            ("10 MiB/s", 10 << 20),
            ("10485760", 10 << 20),
            ("10485760 B/s", 10 << 20),
            ("1.5k", 1536),
            (".5K", 512),
            ("2G", 2 << 30),
            ("1T", 1 << 40),
            ("0.0009765625k", 1),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Rate>().unwrap().bytes_per_second().get(), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_rate_is_said_in_words() {
        let cases = [
            ("", "does not begin with a number"),
            ("fast", "does not begin with a number"),
            (".", "does not begin with a number"),
            ("-1M", "does not begin with a number"),
            ("1.2.3M", "does not begin with a number"),
            ("10x", "unit \"x\""),
            ("10 MB", "write M or MiB"),
            ("10 MiB / s", "unit"),
            ("800kbit", "in bits"),
            ("10Mb/s", "in bits"),
            ("10Mbps", "in bits"),
            ("10Mib", "in bits"),
            ("0", "less than 1 byte"),
            ("0.0001k", "less than 1 byte"),
            ("99999999999999T", "too large"),
            ("99999999999999999999999999999999999999999999999", "too large"),
            ("1é", "unit \"é\""),
        ];
        for (text, expected) in cases {
            let error = text.parse::<Rate>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?} gave {error:?}");
        }
    }

    proptest! {
        #[test]
        fn a_rate_reads_back_what_it_prints(value in 1u64.., shift in 0u32..50) {
            let value = (value >> shift << shift).max(1);
            let rate = Rate::new(NonZeroU64::new(value).unwrap());
            prop_assert_eq!(rate.to_string().parse::<Rate>(), Ok(rate));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC*") {
            let _ = text.parse::<Rate>();
        }
    }
}
