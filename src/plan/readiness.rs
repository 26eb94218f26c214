//! What is done, and what is still to be done, until a protected virtual machine can be recovered.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::domain::inventory::{Drift, Vm};

/// The check list of one virtual machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ready {
    /// Its lines, in the order in which they are done.
    pub items: Vec<ReadyItem>,
}

impl Ready {
    /// Whether every line is done.
    pub fn is_ready(&self) -> bool {
        !self.items.iter().any(|item| item.state.is_open())
    }
}

/// One line of the check list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadyItem {
    /// A name for programs.
    pub key: &'static str,
    /// How it stands.
    pub state: ReadyState,
    /// What was found, as a sentence.
    pub text: String,
    /// What to do about it, as a sentence; none where nothing is to be done.
    pub advice: Option<&'static str>,
}

/// How a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadyState {
    /// Done.
    Done,
    /// Nothing keeps it from being recovered, but somebody should know.
    Caution,
    /// Still to be done.
    Missing,
    /// It cannot be told.
    Unknown,
}

impl ReadyState {
    /// Whether a recovery may fail by it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Missing | Self::Unknown)
    }

    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Caution => "caution",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known of the shell of a virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShellFacts {
    /// Whether the DR vCenter has it.
    pub is_there: bool,
    /// Whether its hardware is that of the source.
    pub matches: bool,
    /// Whether each of its cards has a network.
    pub networks_mapped: bool,
}

/// What is known of a virtual machine.
#[derive(Debug, Clone)]
pub struct VmFacts<'a> {
    /// As the inventory saw it; none: it is gone.
    pub vm: Option<&'a Vm>,
    /// How its disks lie; none: the group's datastore was not seen, or it has no disks.
    pub drift: Option<&'a Drift>,
    /// The group's RPO, where it has one.
    pub rpo_seconds: Option<u64>,
    /// When the group's newest checkpoint at the DR side was taken.
    pub newest: Option<Timestamp>,
    /// When it was assigned to its group.
    pub added_at: Timestamp,
    /// Its shell, once one was made.
    pub shell: Option<ShellFacts>,
    /// When it last came up in a test or a failover.
    pub tested: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

/// The line that changes by the minute.
pub const REPLICATED: &str = "replicated";

/// The check list.
pub fn readiness(facts: &VmFacts<'_>) -> Ready {
    Ready { items: vec![datastore(facts), replicated(facts), shell(facts), networks(facts), tested(facts)] }
}

fn item(
    key: &'static str,
    state: ReadyState,
    text: impl Into<String>,
    advice: Option<&'static str>,
) -> ReadyItem {
    ReadyItem { key, state, text: text.into(), advice }
}

fn datastore(facts: &VmFacts<'_>) -> ReadyItem {
    const KEY: &str = "protection_datastore";
    const MOVE: &str = "Move its disks to the protection datastore.";
    let Some(_vm) = facts.vm else {
        let advice = "If it was removed on purpose, remove it from the group. Else register it again.";
        return item(
            KEY,
            ReadyState::Missing,
            "The vCenter does not have this virtual machine any more.",
            Some(advice),
        );
    };
    match facts.drift {
        None => item(
            KEY,
            ReadyState::Unknown,
            "It is not known where its disks lie.",
            Some("Synchronise the vCenter, and look whether hosts mount the group's dataset."),
        ),
        Some(Drift::None) => {
            item(KEY, ReadyState::Done, "All its disks are on the protection datastore.", None)
        }
        Some(Drift::Left) => {
            item(KEY, ReadyState::Missing, "None of its disks is on the protection datastore.", Some(MOVE))
        }
        Some(Drift::Elsewhere { disks }) => {
            let names: Vec<String> = disks
                .iter()
                .map(|disk| match &disk.datastore_name {
                    Some(datastore) => format!("{} on {datastore}", disk.label),
                    None => disk.label.clone(),
                })
                .collect();
            let text = format!("Not on the protection datastore: {}.", names.join(", "));
            item(KEY, ReadyState::Missing, text, Some(MOVE))
        }
    }
}

fn replicated(facts: &VmFacts<'_>) -> ReadyItem {
    const KEY: &str = REPLICATED;
    let Some(newest) = facts.newest else {
        return item(
            KEY,
            ReadyState::Missing,
            "No checkpoint is at the DR side yet.",
            Some("Run the group now."),
        );
    };
    if newest < facts.added_at {
        let text = "The newest checkpoint is older than its membership of the group.";
        return item(KEY, ReadyState::Missing, text, Some("Wait for the next run, or run the group now."));
    }
    let Some(rpo) = facts.rpo_seconds else {
        return item(KEY, ReadyState::Done, "It is in the newest checkpoint at the DR side.", None);
    };
    let age = facts.now.duration_since(newest);
    if age <= SignedDuration::from_secs(i64::try_from(rpo).unwrap_or(i64::MAX)) {
        item(KEY, ReadyState::Done, "It is replicated within the RPO.", None)
    } else {
        let text = "The newest checkpoint at the DR side is older than the RPO.";
        item(KEY, ReadyState::Missing, text, Some("Look why the last runs of the group failed."))
    }
}

fn shell(facts: &VmFacts<'_>) -> ReadyItem {
    const KEY: &str = "dr_shell";
    match facts.shell {
        None => item(KEY, ReadyState::Missing, "It has no DR shell.", Some("Create its DR shell.")),
        Some(ShellFacts { is_there: false, .. }) => {
            let text = "Its DR shell is not in the DR vCenter any more.";
            let advice = "Remove what is left of it, then create it anew.";
            item(KEY, ReadyState::Missing, text, Some(advice))
        }
        Some(ShellFacts { matches: false, .. }) => {
            let text = "Its DR shell has other hardware than the virtual machine.";
            item(KEY, ReadyState::Missing, text, Some("Repair its DR shell."))
        }
        Some(_) => item(KEY, ReadyState::Done, "Its DR shell has the virtual machine's hardware.", None),
    }
}

fn networks(facts: &VmFacts<'_>) -> ReadyItem {
    const KEY: &str = "networks";
    match facts.shell {
        None => item(KEY, ReadyState::Unknown, "Its networks are mapped with its DR shell.", None),
        Some(ShellFacts { networks_mapped: true, .. }) => {
            item(KEY, ReadyState::Done, "Each of its cards has a network at the DR side.", None)
        }
        Some(_) => {
            let advice = Some("Choose a network for each of its cards.");
            item(KEY, ReadyState::Missing, "A card of it has no network at the DR side.", advice)
        }
    }
}

/// After so many days a test says little: what runs and how has changed since.
const TEST_DAYS: i64 = 90;

fn tested(facts: &VmFacts<'_>) -> ReadyItem {
    const KEY: &str = "tested";
    const TEST: &str = "Test the group.";
    let Some(at) = facts.tested else {
        return item(KEY, ReadyState::Caution, "It never came up in a test.", Some(TEST));
    };
    let days = facts.now.duration_since(at).as_hours() / 24;
    let text = match days {
        0 => "It came up in a test today.".to_owned(),
        1 => "It last came up in a test 1 day ago.".to_owned(),
        days => format!("It last came up in a test {days} days ago."),
    };
    match days > TEST_DAYS {
        true => item(KEY, ReadyState::Caution, text, Some(TEST)),
        false => item(KEY, ReadyState::Done, text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> VmFacts<'static> {
        VmFacts {
            vm: None,
            drift: None,
            rpo_seconds: Some(60),
            newest: None,
            added_at: "2026-11-28T12:00:00Z".parse().unwrap(),
            shell: None,
            tested: None,
            now: "2026-11-28T12:10:00Z".parse().unwrap(),
        }
    }

    fn state(facts: &VmFacts<'_>, key: &str) -> ReadyState {
        readiness(facts).items.into_iter().find(|item| item.key == key).unwrap().state
    }

    #[test]
    fn a_machine_is_replicated_once_a_checkpoint_that_has_it_is_young_enough() {
        let newest = |at: Option<&str>| VmFacts { newest: at.map(|at| at.parse().unwrap()), ..facts() };
        for (at, expected) in [
            (None, ReadyState::Missing),
            (Some("2026-11-28T11:59:59Z"), ReadyState::Missing),
            (Some("2026-11-28T12:08:59Z"), ReadyState::Missing),
            (Some("2026-11-28T12:09:00Z"), ReadyState::Done),
        ] {
            assert_eq!(state(&newest(at), "replicated"), expected, "{at:?}");
        }
    }

    #[test]
    fn a_shell_counts_only_while_it_is_there_and_like_its_source() {
        let with = |is_there, matches, networks_mapped| VmFacts {
            shell: Some(ShellFacts { is_there, matches, networks_mapped }),
            ..facts()
        };
        assert_eq!(state(&facts(), "dr_shell"), ReadyState::Missing);
        assert_eq!(state(&with(false, true, true), "dr_shell"), ReadyState::Missing);
        assert_eq!(state(&with(true, false, true), "dr_shell"), ReadyState::Missing);
        assert_eq!(state(&with(true, true, false), "dr_shell"), ReadyState::Done);
        assert_eq!(state(&with(true, true, false), "networks"), ReadyState::Missing);
    }

    #[test]
    fn a_test_that_is_missing_or_long_ago_is_said_and_keeps_nobody_from_being_ready() {
        let tested = |at: Option<&str>| VmFacts { tested: at.map(|at| at.parse().unwrap()), ..facts() };
        for (at, expected) in [
            (None, ReadyState::Caution),
            (Some("2026-01-01T12:00:00Z"), ReadyState::Caution),
            (Some("2026-11-27T12:00:00Z"), ReadyState::Done),
        ] {
            assert_eq!(state(&tested(at), "tested"), expected, "{at:?}");
        }
        assert!(!ReadyState::Caution.is_open());
    }
}
