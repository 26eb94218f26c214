//! How many checkpoints are kept, and how far apart.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::nearest::nearest;

/// Keep the newest `last`, and the newest of each of so many hours, days, weeks and months that have
/// one. A snapshot is kept if any rule wants it. All zero keeps everything: an empty policy must not
/// be read as "destroy all".
///
/// On the command line it is written `last=3,hourly=24,daily=7`, in any order, or `all`; what
/// [`fmt::Display`] prints reads back as the same policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// The newest so many.
    pub last: u32,
    /// One an hour for so many hours that have one.
    pub hourly: u32,
    /// One a day.
    pub daily: u32,
    /// One an ISO week.
    pub weekly: u32,
    /// One a calendar month.
    pub monthly: u32,
}

/// The word for the policy that keeps everything.
const ALL: &str = "all";
/// The names of the rules, in the order in which they are printed.
const RULES: [&str; 5] = ["last", "hourly", "daily", "weekly", "monthly"];

/// Why a text is not a retention policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetentionError {
    /// Nothing there, or nothing between two commas.
    #[error("the retention policy {text:?} has an empty part; write for example last=3,daily=7, or {ALL}")]
    Empty {
        /// What was given.
        text: String,
    },
    /// A part without `=`.
    #[error("{part:?} in the retention policy is not of the form rule=number; write for example daily=7")]
    NotAPair {
        /// The part.
        part: String,
    },
    /// No such rule.
    #[error(
        "there is no retention rule {name:?}{}; the rules are {}",
        suggestion.map(|known| format!(" (did you mean {known:?}?)")).unwrap_or_default(),
        RULES.join(", ")
    )]
    UnknownRule {
        /// What was given.
        name: String,
        /// The rule it was likely meant to be.
        suggestion: Option<&'static str>,
    },
    /// One rule given twice.
    #[error("the retention rule {name} is given twice; give it once")]
    Twice {
        /// The rule.
        name: &'static str,
    },
    /// Not a number that fits.
    #[error("{value:?} for the retention rule {name} is not a whole number from 0 to {}", u32::MAX)]
    NotANumber {
        /// The rule.
        name: &'static str,
        /// What was given.
        value: String,
    },
    /// Every rule given is 0, which could be taken for "keep nothing".
    #[error(
        "the retention policy {text:?} names nothing to keep; write {ALL} to keep everything, or give a rule a number above 0"
    )]
    KeepsNothing {
        /// What was given.
        text: String,
    },
}

impl Retention {
    /// Whether this policy keeps everything.
    pub fn keeps_all(&self) -> bool {
        *self == Self::default()
    }

    /// The policy in plain words, to follow a verb: "the newest 3, one an hour for 24 hours".
    pub fn describe(&self) -> String {
        if self.keeps_all() {
            return "every checkpoint".to_owned();
        }
        let mut parts = Vec::new();
        match self.last {
            0 => {}
            1 => parts.push("the newest".to_owned()),
            count => parts.push(format!("the newest {count}")),
        }
        let spans = [
            (self.hourly, "one an hour", "hour"),
            (self.daily, "one a day", "day"),
            (self.weekly, "one a week", "week"),
            (self.monthly, "one a month", "month"),
        ];
        for (count, rule, unit) in spans {
            match count {
                0 => {}
                1 => parts.push(format!("{rule} for 1 {unit}")),
                count => parts.push(format!("{rule} for {count} {unit}s")),
            }
        }
        parts.join(", ")
    }

    /// The rules with their names, in the order of [`RULES`].
    fn rules(&self) -> [(&'static str, u32); 5] {
        let counts = [self.last, self.hourly, self.daily, self.weekly, self.monthly];
        std::array::from_fn(|index| (RULES[index], counts[index]))
    }

    fn rule_mut(&mut self, name: &str) -> Option<&mut u32> {
        match name {
            "last" => Some(&mut self.last),
            "hourly" => Some(&mut self.hourly),
            "daily" => Some(&mut self.daily),
            "weekly" => Some(&mut self.weekly),
            "monthly" => Some(&mut self.monthly),
            _ => None,
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.keeps_all() {
            return f.write_str(ALL);
        }
        let given = self.rules().into_iter().filter(|(_, count)| *count > 0);
        let parts: Vec<String> = given.map(|(name, count)| format!("{name}={count}")).collect();
        f.write_str(&parts.join(","))
    }
}

impl FromStr for Retention {
    type Err = RetentionError;

    fn from_str(text: &str) -> Result<Self, RetentionError> {
        if text.trim() == ALL {
            return Ok(Self::default());
        }
        let mut policy = Self::default();
        let mut seen: Vec<&'static str> = Vec::new();
        for part in text.split(',').map(str::trim) {
            if part.is_empty() {
                return Err(RetentionError::Empty { text: text.to_owned() });
            }
            let Some((name, value)) = part.split_once('=') else {
                return Err(RetentionError::NotAPair { part: part.to_owned() });
            };
            let (name, value) = (name.trim(), value.trim());
            let unknown =
                || RetentionError::UnknownRule { name: name.to_owned(), suggestion: nearest(name, &RULES) };
            let rule = RULES.into_iter().find(|rule| *rule == name).ok_or_else(unknown)?;
            if seen.contains(&rule) {
                return Err(RetentionError::Twice { name: rule });
            }
            seen.push(rule);
            let not_a_number = || RetentionError::NotANumber { name: rule, value: value.to_owned() };
            // `u32::from_str` would also take "+3".
            let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            let count = value.parse().ok().filter(|_| digits).ok_or_else(not_a_number)?;
            *policy.rule_mut(rule).ok_or_else(unknown)? = count;
        }
        if policy.keeps_all() {
            return Err(RetentionError::KeepsNothing { text: text.to_owned() });
        }
        Ok(policy)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_command_line_form_reads_in_any_order() {
        let policy: Retention = "daily=7, last=3,monthly=12".parse().unwrap();
        assert_eq!(policy, Retention { last: 3, daily: 7, monthly: 12, ..Retention::default() });
        assert_eq!(policy.to_string(), "last=3,daily=7,monthly=12");
        assert!("all".parse::<Retention>().unwrap().keeps_all());
    }

    #[test]
    fn what_is_wrong_with_a_policy_is_said_in_words() {
        let cases = [
            ("", "has an empty part"),
            ("last=3,,daily=1", "has an empty part"),
            ("last", "not of the form rule=number"),
            ("dayly=3", "no retention rule \"dayly\" (did you mean \"daily\"?)"),
            ("yearly=3", "no retention rule \"yearly\"; the rules are last, hourly"),
            ("last=3,last=4", "last is given twice"),
            ("last=many", "\"many\" for the retention rule last is not a whole number"),
            ("last=-1", "is not a whole number"),
            ("last=+1", "is not a whole number"),
            ("last=", "is not a whole number"),
            ("last=4294967296", "is not a whole number"),
            ("last=0", "names nothing to keep; write all to keep everything"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<Retention>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?} gave {error:?}");
        }
    }

    #[test]
    fn a_policy_is_described_in_plain_words() {
        let cases = [
            ("all", "every checkpoint"),
            ("last=1", "the newest"),
            ("last=3,hourly=24,daily=1", "the newest 3, one an hour for 24 hours, one a day for 1 day"),
            ("weekly=4,monthly=12", "one a week for 4 weeks, one a month for 12 months"),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Retention>().unwrap().describe(), expected);
        }
    }

    proptest! {
        #[test]
        fn a_policy_reads_back_what_it_prints(
            last in 0u32.., hourly in 0u32..50, daily in 0u32..50, weekly in 0u32..3, monthly in 0u32..3,
        ) {
            let policy = Retention { last, hourly, daily, weekly, monthly };
            prop_assert_eq!(policy.to_string().parse::<Retention>().unwrap(), policy);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".*") {
            let _ = text.parse::<Retention>();
        }
    }
}
