//! Reading the tables that `zfs` prints with `-Hp`: one line per row, a tab between columns, `-` for
//! what does not apply, numbers in full.

use jiff::Timestamp;

/// A line that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) why: String,
    pub(super) line: String,
}

impl Unreadable {
    pub(super) fn new(why: impl Into<String>, line: &str) -> Self {
        Self { why: why.into(), line: line.to_owned() }
    }
}

/// The columns of one line, exactly `N`.
pub(super) fn columns<const N: usize>(line: &str) -> Result<[&str; N], Unreadable> {
    let all: Vec<&str> = line.split('\t').collect();
    let count = all.len();
    all.try_into().map_err(|_| Unreadable::new(format!("{count} columns instead of {N}"), line))
}

/// A value, none for `-`.
pub(super) fn given(value: &str) -> Option<&str> {
    (value != "-" && !value.is_empty()).then_some(value)
}

/// A number that has to be there.
pub(super) fn number(value: &str, column: &str, line: &str) -> Result<u64, Unreadable> {
    value.parse().map_err(|_| Unreadable::new(format!("column {column} is {value:?}, not a number"), line))
}

/// A number, 0 where it does not apply.
pub(super) fn number_or_zero(value: &str, column: &str, line: &str) -> Result<u64, Unreadable> {
    given(value).map_or(Ok(0), |value| number(value, column, line))
}

/// Seconds since 1970.
pub(super) fn time(value: &str, column: &str, line: &str) -> Result<Timestamp, Unreadable> {
    let bad = || Unreadable::new(format!("column {column} is {value:?}, not a time"), line);
    let seconds: i64 = value.parse().map_err(|_| bad())?;
    Timestamp::from_second(seconds).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_to_have_its_columns_and_its_numbers() {
        assert_eq!(columns::<2>("tank/a b\t-").unwrap(), ["tank/a b", "-"]);
        assert!(columns::<2>("tank").is_err());
        assert!(columns::<2>("tank\t1\t2").is_err());
        assert_eq!(number_or_zero("-", "used", "").unwrap(), 0);
        assert!(number("-", "guid", "").is_err());
        assert!(number("1.5K", "used", "").is_err());
        assert_eq!(number("18335394755198032283", "guid", "").unwrap(), 18_335_394_755_198_032_283);
        assert!(time("yesterday", "creation", "").is_err());
    }
}
