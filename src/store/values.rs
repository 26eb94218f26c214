//! How the house's values stand in columns: ids and JSON as TEXT, times as INTEGER nanoseconds.

use std::error::Error;
use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::Type;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Nanoseconds since 1970-01-01T00:00:00Z. Times beyond the year 2262 become the last one that fits.
pub(in crate::store) fn nanos(time: Timestamp) -> i64 {
    let wide = time.as_nanosecond();
    i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX })
}

/// The time in this column.
pub(in crate::store) fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    let nanos: i64 = row.get(column)?;
    Timestamp::from_nanosecond(i128::from(nanos)).map_err(|error| unreadable(Type::Integer, error))
}

/// The time in this column, if there is one.
pub(in crate::store) fn maybe_time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    match row.get::<_, Option<i64>>(column)? {
        Some(_) => time(row, column).map(Some),
        None => Ok(None),
    }
}

/// What the text in this column stands for.
pub(in crate::store) fn parsed<T>(row: &Row<'_>, column: &str) -> rusqlite::Result<T>
where
    T: FromStr,
    T::Err: Error + Send + Sync + 'static,
{
    row.get::<_, String>(column)?.parse().map_err(|error| unreadable(Type::Text, error))
}

/// The same, for a column that may be NULL.
pub(in crate::store) fn maybe_parsed<T>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>>
where
    T: FromStr,
    T::Err: Error + Send + Sync + 'static,
{
    match row.get::<_, Option<String>>(column)? {
        Some(text) => text.parse().map(Some).map_err(|error| unreadable(Type::Text, error)),
        None => Ok(None),
    }
}

/// The value as JSON text.
pub(in crate::store) fn json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// The value whose JSON is in this column.
pub(in crate::store) fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| unreadable(Type::Text, error))
}

/// The same, for a column that may be NULL.
pub(in crate::store) fn maybe_json<T: DeserializeOwned>(
    row: &Row<'_>,
    column: &str,
) -> rusqlite::Result<Option<T>> {
    match row.get::<_, Option<String>>(column)? {
        Some(text) => serde_json::from_str(&text).map(Some).map_err(|error| unreadable(Type::Text, error)),
        None => Ok(None),
    }
}

/// A column that cannot be read because of `error`.
pub(in crate::store) fn unreadable(
    kind: Type,
    error: impl Into<Box<dyn Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, kind, error.into())
}
