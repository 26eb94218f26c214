//! What tells cheaply that nothing has happened: one short line for each dataset, none for its snapshots.

use std::collections::BTreeMap;

use crate::domain::names::DatasetName;

use super::batch::Part;
use super::parse::{columns, number_or_zero};
use super::{Command, Zfs, ZfsError, verbs};

/// When the snapshots of each dataset of a tree last changed, by property `snapshots_changed` (zfsprops(7)), whole seconds
/// of the host's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signs {
    /// The host's clock before they were read.
    read_at: u64,
    /// Name → GUID and time.
    changed: BTreeMap<String, (String, u64)>,
}

impl Signs {
    /// Whether these are the same datasets with the same snapshots.
    pub fn same_as(&self, other: &Signs) -> bool {
        self.changed == other.changed
    }

    /// Whether a later change will show: one within the same second would not.
    pub fn are_certain(&self) -> bool {
        self.changed.values().all(|(_, changed)| changed + 2 <= self.read_at)
    }
}

impl Zfs {
    /// The signs of the tree; none if this OpenZFS has no such property (before 2.2), or there is no such dataset.
    ///
    /// # Errors
    /// If the host cannot be reached, or the output is not understood.
    pub async fn signs(&self, root: &DatasetName) -> Result<Option<Signs>, ZfsError> {
        let knows = |release: Option<&super::Release>| release.is_none_or(|release| release.at_least(2, 2));
        if self.version().is_none() || !knows(self.version()) || !knows(self.kernel_version()) {
            return Ok(None);
        }
        let (clock, list) = (verbs::clock(), verbs::signs(root));
        let answers = self.ask_all(&[Part::may(clock), Part::may(list.clone())]).await?;
        let [clock, listed] = &answers[..] else { return Ok(None) };
        if !listed.succeeded() {
            return Ok(None);
        }
        let Ok(read_at) = clock.stdout.trim().parse() else { return Ok(None) };
        let mut changed = BTreeMap::new();
        for line in listed.stdout.lines() {
            let read = || {
                let [name, guid, time] = columns(line)?;
                Ok((name.to_owned(), (guid.to_owned(), number_or_zero(time, "snapshots_changed", line)?)))
            };
            changed.extend([read().map_err(|bad| self.unreadable(&list, bad))?]);
        }
        Ok(Some(Signs { read_at, changed }))
    }

    /// What changes about a dataset as soon as something below it is written, received or destroyed, as one line; none if
    /// there is no such dataset.
    ///
    /// # Errors
    /// If the host cannot be reached.
    pub async fn weight(&self, root: &DatasetName) -> Result<Option<String>, ZfsError> {
        let command: Command = verbs::weight(root);
        let text = self.table(&command).await?;
        Ok(text.lines().next().map(str::to_owned))
    }
}
