//! Settings: from the command line, else the environment, else a TOML file, else the default.
//!
//! All are read and checked here, once, at the start; nothing else reads the environment or the file.
//! One name serves all three places: `--data-dir`, `ZERFAUX_DATA_DIR`, `data_dir = "…"`. A key that
//! is not known is an error, since a setting that is silently not in force is worse than none.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::domain::listen::{ListenAddress, TlsMode};
use crate::domain::nearest::nearest;
use crate::telemetry::{LogFilter, LogFormat};

/// The names in the file. In the environment they are in capitals behind `ZERFAUX_`.
const KEYS: [&str; 8] =
    ["data_dir", "log_format", "log", "listen", "tls", "tls_cert", "tls_key", "use_stubs"];
/// Names the file; given on the command line or in the environment only.
const CONFIG_VARIABLE: &str = "ZERFAUX_CONFIG";

/// What the command line said. Nothing where it was silent.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`: the file to read.
    pub config: Option<PathBuf>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--log-format`.
    pub log_format: Option<LogFormat>,
    /// `--log`.
    pub log: Option<LogFilter>,
    /// `--listen`.
    pub listen: Option<ListenAddress>,
    /// `--tls`.
    pub tls: Option<TlsMode>,
    /// `--tls-cert`.
    pub tls_cert: Option<PathBuf>,
    /// `--tls-key`.
    pub tls_key: Option<PathBuf>,
}

/// What is in force.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The directory of the database and the key file. None if nobody named one; commands that need
    /// one then take [`Settings::data_dir_or_default`].
    pub data_dir: Option<PathBuf>,
    /// The form of the log.
    pub log_format: LogFormat,
    /// How much is logged.
    pub log: LogFilter,
    /// Where `serve` listens.
    pub listen: ListenAddress,
    /// Whether `serve` speaks TLS.
    pub tls: TlsMode,
    /// The certificate chain for TLS; a self-signed one is made unless it is given.
    pub tls_cert: Option<PathBuf>,
    /// Its private key.
    pub tls_key: Option<PathBuf>,
    /// Whether the built-in simulated sites are there. Nothing said: for `demo` yes, for `serve` no.
    pub use_stubs: Option<bool>,
}

/// Where a value came from, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// This variable of the environment.
    Environment(&'static str),
    /// This file.
    File(PathBuf),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Environment(variable) => write!(f, "the environment variable {variable}"),
            Self::File(path) => write!(f, "the settings file {}", path.display()),
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("could not read the settings file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("the settings file {} is not valid TOML", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A key that does not exist.
    #[error(
        "the settings file {} has the unknown key {key:?}{}; known are {}",
        path.display(),
        suggestion.map(|known| format!(" (did you mean {known:?}?)")).unwrap_or_default(),
        KEYS.join(", ")
    )]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// What it has.
        key: String,
        /// The key it was likely meant to be.
        suggestion: Option<&'static str>,
    },
    /// A value of the wrong type.
    #[error("{key} in {origin} has to be a text in quotes, not {found}")]
    NotText {
        /// The key.
        key: &'static str,
        /// Where it stands.
        origin: Origin,
        /// The type that it has.
        found: &'static str,
    },
    /// A variable that is not UTF-8.
    #[error("{origin} is not valid UTF-8")]
    NotUtf8 {
        /// Which variable.
        origin: Origin,
    },
    /// A value that is not allowed.
    #[error("{key} in {origin} cannot be used")]
    Value {
        /// The key.
        key: &'static str,
        /// Where it stands.
        origin: Origin,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A relative path in the file.
    #[error(
        "{key} in {origin} is {}, a relative path; a file does not know from where Zerfaux will be started, so write the whole path",
        path.display()
    )]
    RelativePath {
        /// The key.
        key: &'static str,
        /// Where it stands.
        origin: Origin,
        /// What it says.
        path: PathBuf,
    },
}

impl Settings {
    /// Gathers the settings from `flags`, `environment` (asked by name; an empty value counts as not
    /// set) and the file that one of them names.
    ///
    /// # Errors
    /// If the file cannot be read or holds an unknown key, or any value is not allowed, also one that a
    /// stronger place overrides.
    pub fn gather(
        flags: Flags,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Settings, ConfigError> {
        let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
        let file = flags.config.or_else(|| variable(CONFIG_VARIABLE).map(PathBuf::from));
        let file = file.map(|path| read_file(&path)).transpose()?.unwrap_or_default();
        let from_environment = Settings::from_environment(&variable)?;
        Ok(Settings {
            data_dir: flags.data_dir.or(from_environment.data_dir).or(file.data_dir),
            log_format: flags
                .log_format
                .or(from_environment.log_format)
                .or(file.log_format)
                .unwrap_or_default(),
            log: flags.log.or(from_environment.log).or(file.log).unwrap_or_default(),
            listen: flags.listen.or(from_environment.listen).or(file.listen).unwrap_or_default(),
            tls: flags.tls.or(from_environment.tls).or(file.tls).unwrap_or_default(),
            tls_cert: flags.tls_cert.or(from_environment.tls_cert).or(file.tls_cert),
            tls_key: flags.tls_key.or(from_environment.tls_key).or(file.tls_key),
            use_stubs: from_environment.use_stubs.or(file.use_stubs),
        })
    }

    /// The data directory, or where it is if nobody named one: what systemd made for the service
    /// (`STATE_DIRECTORY`), `/var/lib/zerfaux` for root, and `zerfaux` under `XDG_STATE_HOME` or
    /// `~/.local/state` for everybody else.
    pub fn data_dir_or_default(
        &self,
        is_root: bool,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> PathBuf {
        let variable = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(named) = self.data_dir.clone().or_else(|| variable("STATE_DIRECTORY")) {
            return named;
        }
        let state = variable("XDG_STATE_HOME").filter(|path| path.is_absolute());
        match state.or_else(|| variable("HOME").map(|home| home.join(".local/state"))) {
            Some(state) if !is_root => state.join("zerfaux"),
            _ => PathBuf::from("/var/lib/zerfaux"),
        }
    }

    fn from_environment(variable: &impl Fn(&str) -> Option<OsString>) -> Result<Given, ConfigError> {
        let text = |name: &'static str| {
            let not_utf8 = |_| ConfigError::NotUtf8 { origin: Origin::Environment(name) };
            variable(name).map(|value| value.into_string().map_err(not_utf8)).transpose()
        };
        let format = text("ZERFAUX_LOG_FORMAT")?;
        let log = text("ZERFAUX_LOG")?;
        Ok(Given {
            data_dir: variable("ZERFAUX_DATA_DIR").map(PathBuf::from),
            log_format: parse("log_format", format, || Origin::Environment("ZERFAUX_LOG_FORMAT"))?,
            log: parse("log", log, || Origin::Environment("ZERFAUX_LOG"))?,
            listen: parse("listen", text("ZERFAUX_LISTEN")?, || Origin::Environment("ZERFAUX_LISTEN"))?,
            tls: parse("tls", text("ZERFAUX_TLS")?, || Origin::Environment("ZERFAUX_TLS"))?,
            tls_cert: variable("ZERFAUX_TLS_CERT").map(PathBuf::from),
            tls_key: variable("ZERFAUX_TLS_KEY").map(PathBuf::from),
            use_stubs: parse("use_stubs", text("ZERFAUX_USE_STUBS")?, || {
                Origin::Environment("ZERFAUX_USE_STUBS")
            })?,
        })
    }
}

/// What one place says; nothing where it is silent.
#[derive(Debug, Default)]
struct Given {
    data_dir: Option<PathBuf>,
    log_format: Option<LogFormat>,
    log: Option<LogFilter>,
    listen: Option<ListenAddress>,
    tls: Option<TlsMode>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    use_stubs: Option<bool>,
}

fn read_file(path: &Path) -> Result<Given, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let table: toml::Table = toml::from_str(&text)
        .map_err(|source| ConfigError::Toml { path: path.to_owned(), source: Box::new(source) })?;
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let suggestion = nearest(key, &KEYS);
        return Err(ConfigError::UnknownKey { path: path.to_owned(), key: key.clone(), suggestion });
    }
    let origin = || Origin::File(path.to_owned());
    let text = |key: &'static str| match table.get(key) {
        None => Ok(None),
        Some(toml::Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(ConfigError::NotText { key, origin: origin(), found: other.type_str() }),
    };
    let path = |key: &'static str| match text(key)?.map(PathBuf::from) {
        Some(path) if path.is_relative() => Err(ConfigError::RelativePath { key, origin: origin(), path }),
        path => Ok(path),
    };
    Ok(Given {
        data_dir: path("data_dir")?,
        listen: parse("listen", text("listen")?, origin)?,
        tls: parse("tls", text("tls")?, origin)?,
        tls_cert: path("tls_cert")?,
        tls_key: path("tls_key")?,
        use_stubs: parse("use_stubs", text("use_stubs")?, origin)?,
        log_format: parse("log_format", text("log_format")?, origin)?,
        log: parse("log", text("log")?, origin)?,
    })
}

fn parse<T>(
    key: &'static str,
    text: Option<String>,
    origin: impl Fn() -> Origin,
) -> Result<Option<T>, ConfigError>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let refused = |source: T::Err| ConfigError::Value { key, origin: origin(), source: Box::new(source) };
    text.map(|text| text.parse().map_err(refused)).transpose()
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::domain::causes::with_causes;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("zerfaux.toml");
        std::fs::write(&path, text).unwrap();
        (directory, path)
    }

    fn environment<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
    }

    #[test]
    fn the_command_line_wins_then_the_environment_then_the_file() {
        let (_directory, path) = file("data_dir = \"/file\"\nlog_format = \"json\"\nlog = \"error\"\n");
        let path = path.to_str().unwrap();
        let variables = [("ZERFAUX_CONFIG", path), ("ZERFAUX_DATA_DIR", "/env"), ("ZERFAUX_LOG", "warn")];
        let flags = Flags { data_dir: Some("/flag".into()), ..Flags::default() };
        let settings = Settings::gather(flags, environment(&variables)).unwrap();
        assert_eq!(settings.data_dir, Some("/flag".into()));
        assert_eq!(settings.log, "warn".parse().unwrap());
        assert_eq!(settings.log_format, LogFormat::Json);
    }

    #[test]
    fn with_nothing_said_the_defaults_hold_and_empty_variables_say_nothing() {
        let variables = [("ZERFAUX_DATA_DIR", ""), ("ZERFAUX_LOG", ""), ("ZERFAUX_CONFIG", "")];
        let settings = Settings::gather(Flags::default(), environment(&variables)).unwrap();
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn what_is_wrong_with_the_file_is_said_with_its_name_and_the_nearest_key() {
        let cases = [
            ("datadir = \"/x\"", "unknown key \"datadir\" (did you mean \"data_dir\"?); known are"),
            ("[zfs]\nfast = true", "unknown key \"zfs\"; known are data_dir, log_format, log"),
            ("data_dir = 3", "data_dir in the settings file"),
            ("data_dir = 3", "has to be a text in quotes, not integer"),
            ("data_dir = \"x/y\"", "a relative path"),
            ("log_format = \"xml\"", "\"xml\" is not a log format; it is text or json"),
            ("log = \"infos\"", "did you mean \"info\"?"),
            ("log = ", "is not valid TOML: TOML parse error at line 1"),
        ];
        for (text, expected) in cases {
            let (_directory, path) = file(text);
            let flags = Flags { config: Some(path), ..Flags::default() };
            let error = with_causes(&Settings::gather(flags, |_| None).unwrap_err());
            assert!(error.contains(expected) && error.contains("zerfaux.toml"), "{text:?} gave {error:?}");
        }
    }

    #[test]
    fn a_file_that_was_named_has_to_be_there() {
        let flags = Flags { config: Some("/nowhere/zerfaux.toml".into()), ..Flags::default() };
        let error = with_causes(&Settings::gather(flags, |_| None).unwrap_err());
        assert!(error.starts_with("could not read the settings file /nowhere/zerfaux.toml: "), "{error}");
    }

    #[test]
    fn a_bad_value_is_named_with_its_variable_even_where_a_flag_overrides_it() {
        let flags = Flags { log: Some(LogFilter::default()), ..Flags::default() };
        let error = Settings::gather(flags, environment(&[("ZERFAUX_LOG", "loud")])).unwrap_err();
        let text = with_causes(&error);
        assert!(text.contains("environment variable ZERFAUX_LOG cannot be used: \"loud\" is not"), "{text}");
    }

    #[test]
    fn the_data_directory_has_a_place_for_everybody() {
        let named = Settings { data_dir: Some("/named".into()), ..Settings::default() };
        let silent = Settings::default();
        let home = [("HOME", "/home/ann")];
        let xdg = [("HOME", "/home/ann"), ("XDG_STATE_HOME", "/state")];
        let systemd = [("STATE_DIRECTORY", "/var/lib/private/zerfaux")];
        let cases = [
            (&named, true, &systemd[..], "/named"),
            (&silent, false, &systemd[..], "/var/lib/private/zerfaux"),
            (&silent, true, &home[..], "/var/lib/zerfaux"),
            (&silent, false, &home[..], "/home/ann/.local/state/zerfaux"),
            (&silent, false, &xdg[..], "/state/zerfaux"),
            (&silent, false, &[], "/var/lib/zerfaux"),
        ];
        for (settings, is_root, variables, expected) in cases {
            assert_eq!(settings.data_dir_or_default(is_root, environment(variables)), Path::new(expected));
        }
    }
}
