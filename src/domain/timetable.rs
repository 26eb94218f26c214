//! A weekly timetable: when less than usual, or nothing, is sent.

use serde::{Deserialize, Serialize};

use super::rate::Rate;

/// Minutes of a day.
pub const DAY_MINUTES: u16 = 24 * 60;
/// Most windows of a timetable.
pub const MOST_WINDOWS: usize = 50;

/// A weekly timetable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timetable {
    /// The IANA name of the time zone in which its times hold.
    pub time_zone: String,
    /// Its windows. Where several cover a moment, the strictest counts.
    pub windows: Vec<Window>,
}

/// A part of some days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// On which days it begins.
    pub days: Vec<Weekday>,
    /// From this minute of the day.
    pub from: u16,
    /// Up to this minute, which is not in it. Not after `from`: that of the next day.
    pub to: u16,
    /// What is sent then.
    pub allows: Allows,
}

/// What is sent during a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allows {
    /// No run is started.
    Nothing,
    /// At most so much.
    AtMost(Rate),
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // The names say it.
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    /// All of them, Monday first.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mon => "mon",
            Self::Tue => "tue",
            Self::Wed => "wed",
            Self::Thu => "thu",
            Self::Fri => "fri",
            Self::Sat => "sat",
            Self::Sun => "sun",
        }
    }

    /// The day with this word, in either case, also written out.
    pub fn parse(text: &str) -> Option<Self> {
        let word = text.trim().to_lowercase();
        let full = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"].iter();
        Self::ALL
            .into_iter()
            .zip(full)
            .find(|(day, full)| day.as_str() == word || **full == word)
            .map(|(day, _)| day)
    }
}

/// The minute of the day that `HH:MM` means; `24:00` is the end of it.
pub fn minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let digits =
        |part: &str| (part.len() <= 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok());
    let (hours, minutes): (u16, u16) = (digits(hours)??, digits(minutes)??);
    let all = hours.checked_mul(60)?.checked_add(minutes)?;
    (minutes < 60 && all <= DAY_MINUTES).then_some(all)
}

/// The same the other way.
pub fn clock_of(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_and_days_are_read_as_people_write_them() {
        for (text, minute) in [("00:00", 0), ("8:05", 485), ("23:59", 1439), ("24:00", 1440)] {
            assert_eq!(minute_of_day(text), Some(minute), "{text}");
        }
        for text in ["", "8", "24:01", "08:60", "-1:00", "+8:00", "8:0x", "008:00"] {
            assert_eq!(minute_of_day(text), None, "{text}");
        }
        assert_eq!(clock_of(485), "08:05");
        assert_eq!(
            (Weekday::parse("Mon"), Weekday::parse("sunday")),
            (Some(Weekday::Mon), Some(Weekday::Sun))
        );
        assert_eq!(Weekday::parse("someday"), None);
    }
}
