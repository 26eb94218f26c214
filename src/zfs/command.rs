//! One command for `zfs` or `zpool`: its words, what it attempts, what a delegated user needs for it.

use std::fmt::Display;
use std::time::Duration;

use crate::domain::names::DatasetName;

use super::property::Property;

/// Long enough for a listing of a pool whose disks are busy.
const READING: Duration = Duration::from_secs(180);
/// A change waits for a transaction group, and a destroy for the freeing of what it can free at once.
const CHANGING: Duration = Duration::from_secs(600);

/// Which program runs a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// `zfs`.
    Zfs,
    /// `zpool`.
    Zpool,
    /// `date`, for the host's clock.
    Date,
}

/// One command. Only the functions of [`super::verbs`] make one, so what is not there is never run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    tool: Tool,
    words: Vec<String>,
    what: String,
    needs: Option<(&'static str, DatasetName)>,
    deadline: Duration,
    reads: bool,
}

impl Command {
    /// A command that changes nothing; `options` are the program's own words.
    pub(super) fn reads(tool: Tool, options: &[&'static str], what: impl Into<String>) -> Self {
        let words = options.iter().map(|word| (*word).to_owned()).collect();
        Self { tool, words, what: what.into(), needs: None, deadline: READING, reads: true }
    }

    /// A `zfs` command that changes something; for that a user who is not root needs `permissions` on
    /// `dataset` (zfs-allow(8)).
    pub(super) fn changes(
        options: &[&'static str],
        what: impl Into<String>,
        permissions: &'static str,
        dataset: &DatasetName,
    ) -> Self {
        let needs = Some((permissions, dataset.clone()));
        Self { needs, deadline: CHANGING, reads: false, ..Self::reads(Tool::Zfs, options, what) }
    }

    /// A `zpool` command that changes something; only root may.
    pub(super) fn changes_pool(options: &[&'static str], what: impl Into<String>) -> Self {
        Self { deadline: CHANGING, ..Self::reads(Tool::Zpool, options, what) }
    }

    /// Appends names, tags or tokens: types whose text cannot begin with `-`.
    #[must_use]
    pub(super) fn on<T: Display>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.words.extend(names.into_iter().map(|name| name.to_string()));
        self
    }

    /// Appends `-o name=value` for each property.
    #[must_use]
    pub(super) fn with(mut self, properties: &[Property]) -> Self {
        for property in properties {
            self.words.extend(["-o".to_owned(), property.to_string()]);
        }
        self
    }

    /// Which program runs it.
    pub fn tool(&self) -> Tool {
        self.tool
    }

    /// The words after the program's name.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// What it attempts, to follow "could not".
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What a delegated user needs, and on which dataset.
    pub fn needs(&self) -> Option<&(&'static str, DatasetName)> {
        self.needs.as_ref()
    }

    /// Whether it changes nothing, so that it may be run again where its outcome is not known.
    pub(super) fn only_reads(&self) -> bool {
        self.reads
    }

    /// How long it may take.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }
}

/// Names for a message: all of a few, the first of many.
pub(super) fn a_few<T: Display>(names: &[T]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => one.to_string(),
        [one, two] => format!("{one} and {two}"),
        [first, rest @ ..] => format!("{first} and {} others", rest.len()),
    }
}
