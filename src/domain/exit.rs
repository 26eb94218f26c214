//! How a command ended, and what it said.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a command ended. A connection that breaks gives neither: that is an error, never an exit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// The command ended by itself with this status.
    Code(u32),
    /// The command was ended by this signal, named as in RFC 4254, section 6.10: `KILL`, not `SIGKILL`.
    Signal(String),
}

impl Exit {
    /// Whether the status is 0.
    pub fn is_success(&self) -> bool {
        *self == Exit::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit status {code}"),
            Exit::Signal(name) => write!(f, "signal {name}"),
        }
    }
}

/// A command that ended, with what it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub exit: Exit,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error; of a very long one the beginning and the end.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Standard output as text; bytes that are not UTF-8 are replaced.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text without blank space at its ends; bytes that are not UTF-8 are replaced.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_status_zero_is_success() {
        assert!(Exit::Code(0).is_success());
        assert!(!Exit::Code(1).is_success());
        assert!(!Exit::Signal("KILL".into()).is_success());
    }

    #[test]
    fn an_exit_reads_as_a_sentence_part() {
        assert_eq!(Exit::Code(2).to_string(), "exit status 2");
        assert_eq!(Exit::Signal("TERM".into()).to_string(), "signal TERM");
    }
}
