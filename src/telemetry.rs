//! Logs: where they go, in which form, and how much of them.
//!
//! In: one subscriber for the process, text or JSON, one event per line, on stderr (stdout belongs to
//! results). Out: files and rotation, which journald and its like do better.
//!
//! Secrets stay out of the log by type, not by filtering: a password is a `SecretString`, a key hides
//! itself from `Debug`, and command input is never logged. Libraries are held to `debug`, because at
//! `trace` one of them may print the bytes that it carries.

use std::fmt;
use std::io::{self, IsTerminal};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Level};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::domain::nearest::nearest;

/// The target under which everything of ours is logged.
const OURS: &str = "zerfaux";
/// What libraries may say unless [`LogFilter`] names them.
const LIBRARIES: LevelFilter = LevelFilter::WARN;
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
const FORMATS: [&str; 2] = ["text", "json"];

/// The form of a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people: time, level, where from, message, fields.
    #[default]
    Text,
    /// For machines: one JSON object per line.
    Json,
}

/// Not one of the forms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a log format; it is {}", FORMATS.join(" or "))]
pub struct LogFormatError {
    given: String,
}

impl FromStr for LogFormat {
    type Err = LogFormatError;
    fn from_str(text: &str) -> Result<Self, LogFormatError> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(LogFormatError { given: other.to_owned() }),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// How much is logged: a level for Zerfaux, and levels for parts of it or for libraries:
/// `debug`, or `info,zerfaux::ssh=trace,russh=debug`. Without a level Zerfaux logs at `info`;
/// libraries that are not named log at `warn`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter {
    level: LevelFilter,
    parts: Vec<(String, LevelFilter)>,
}

/// Why a text is not a [`LogFilter`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogFilterError {
    /// No such level.
    #[error(
        "{given:?} is not a log level{}; the levels are {}",
        suggestion.map(|known| format!(" (did you mean {known:?}?)")).unwrap_or_default(),
        LEVELS.join(", ")
    )]
    Level {
        /// What was given.
        given: String,
        /// The level it was likely meant to be.
        suggestion: Option<&'static str>,
    },
    /// Nothing between two commas, or before `=`.
    #[error("the log filter {text:?} has an empty part; write for example info or info,zerfaux::ssh=debug")]
    Empty {
        /// What was given.
        text: String,
    },
    /// A library at `trace`.
    #[error("the library {target:?} may be logged at debug, not at trace, where it could print secrets")]
    LibraryTrace {
        /// The library.
        target: String,
    },
}

impl Default for LogFilter {
    fn default() -> Self {
        Self { level: LevelFilter::INFO, parts: Vec::new() }
    }
}

impl LogFilter {
    fn targets(&self) -> Targets {
        let targets = Targets::new().with_default(LIBRARIES.min(self.level)).with_target(OURS, self.level);
        targets.with_targets(self.parts.iter().cloned())
    }
}

impl FromStr for LogFilter {
    type Err = LogFilterError;

    fn from_str(text: &str) -> Result<Self, LogFilterError> {
        let mut filter = Self::default();
        for part in text.split(',').map(str::trim) {
            match part.split_once('=').map(|(target, level)| (target.trim(), level.trim())) {
                None if part.is_empty() => return Err(LogFilterError::Empty { text: text.to_owned() }),
                None => filter.level = level(part)?,
                Some(("", _)) => return Err(LogFilterError::Empty { text: text.to_owned() }),
                Some((target, wanted)) => {
                    let wanted = level(wanted)?;
                    let ours = target == OURS || target.starts_with("zerfaux::");
                    if !ours && wanted == LevelFilter::TRACE {
                        return Err(LogFilterError::LibraryTrace { target: target.to_owned() });
                    }
                    filter.parts.push((target.to_owned(), wanted));
                }
            }
        }
        Ok(filter)
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.level)?;
        self.parts.iter().try_for_each(|(target, level)| write!(f, ",{target}={level}"))
    }
}

fn level(text: &str) -> Result<LevelFilter, LogFilterError> {
    match text.to_ascii_lowercase().as_str() {
        "off" => Ok(LevelFilter::OFF),
        "error" => Ok(Level::ERROR.into()),
        "warn" => Ok(Level::WARN.into()),
        "info" => Ok(Level::INFO.into()),
        "debug" => Ok(Level::DEBUG.into()),
        "trace" => Ok(Level::TRACE.into()),
        other => Err(LogFilterError::Level { given: text.to_owned(), suggestion: nearest(other, &LEVELS) }),
    }
}

/// Logs of this process are already set up; there can be one set-up only.
#[derive(Debug, thiserror::Error)]
#[error("could not set up the log: this process has one already")]
pub struct AlreadySetUp(#[source] tracing::dispatcher::SetGlobalDefaultError);

/// Sends the logs of the whole process to stderr, in colour where stderr is a terminal and the
/// environment does not set `NO_COLOR` (no-color.org).
///
/// # Errors
/// If it was called before in this process.
pub fn init(format: LogFormat, filter: &LogFilter) -> Result<(), AlreadySetUp> {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = io::stderr().is_terminal() && !no_color;
    tracing::dispatcher::set_global_default(subscriber(format, filter, colour, io::stderr))
        .map_err(AlreadySetUp)
}

/// The subscriber that [`init`] sets up, with another place to write to.
pub fn subscriber<W>(format: LogFormat, filter: &LogFilter, colour: bool, writer: W) -> Dispatch
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let registry = tracing_subscriber::registry().with(filter.targets());
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text => Dispatch::new(registry.with(lines.with_ansi(colour))),
        LogFormat::Json => Dispatch::new(registry.with(lines.with_ansi(false).json().flatten_event(true))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use secrecy::SecretString;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written while `work` runs.
    fn logged(format: LogFormat, filter: &str, work: impl FnOnce()) -> String {
        let lines = Lines::default();
        let made = lines.clone();
        let dispatch = subscriber(format, &filter.parse().unwrap(), false, move || made.clone());
        tracing::dispatcher::with_default(&dispatch, work);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_is_one_object_with_its_fields_on_top() {
        let text = logged(LogFormat::Json, "info", || {
            tracing::warn!(host = "zfs-a", "the \"clock\"\nis ahead");
        });
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["host"], "zfs-a");
        assert_eq!(line["message"], "the \"clock\"\nis ahead");
        assert!(line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_level_is_for_zerfaux_and_libraries_stay_at_warn_unless_named() {
        let speak = || {
            tracing::debug!("ours");
            tracing::debug!(target: "russh::client", "library debug");
            tracing::warn!(target: "russh::client", "library warning");
        };
        let debug = logged(LogFormat::Text, "debug", speak);
        assert!(debug.contains("ours") && debug.contains("library warning"), "{debug}");
        assert!(!debug.contains("library debug"), "{debug}");
        let named = logged(LogFormat::Text, "info,russh=debug", speak);
        assert!(!named.contains("ours") && named.contains("library debug"), "{named}");
        assert_eq!(logged(LogFormat::Text, "off", speak), "");
    }

    #[test]
    fn a_secret_does_not_show_in_any_format() {
        let secret = SecretString::from("canary-4711");
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = logged(format, "trace", || tracing::info!(password = ?secret, "connecting"));
            assert!(text.contains("connecting") && !text.contains("canary-4711"), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_filter_is_said_in_words() {
        let cases = [
            ("verbose", "\"verbose\" is not a log level; the levels are off"),
            ("inof", "is not a log level"),
            ("debgu,zerfaux=info", "is not a log level"),
            ("infos", "did you mean \"info\"?"),
            ("info,,debug", "has an empty part"),
            ("", "has an empty part"),
            ("=info", "has an empty part"),
            ("russh=trace", "not at trace"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<LogFilter>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?} gave {error:?}");
        }
        let filter: LogFilter = "DEBUG, zerfaux::ssh=trace".parse().unwrap();
        assert_eq!(filter.to_string(), "debug,zerfaux::ssh=trace");
        assert_eq!(filter.to_string().parse::<LogFilter>().unwrap(), filter);
        assert!("xml".parse::<LogFormat>().unwrap_err().to_string().contains("text or json"));
    }
}
