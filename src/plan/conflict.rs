//! Why a replication must not go on by itself, and what a person may choose.
//!
//! A conflict is never "solved" by destroying data. Each one says what was found, and offers ways on
//! that keep every copy.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::dataset::{DatasetKind, Snapshot};
use crate::domain::names::{DatasetName, SnapTag};
use crate::domain::size::format_bytes;

/// What stands in the way of one dataset's replication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "conflict", rename_all = "snake_case")]
pub enum Conflict {
    /// The destination was written to after the newest snapshot that both sides have.
    DestinationModified {
        /// The dataset in question.
        destination: DatasetName,
        /// The common snapshot's tag at the destination.
        base: SnapTag,
        /// Bytes written since, where known.
        written: Option<u64>,
        /// Snapshots there that are newer than the base.
        newer: Vec<SnapTag>,
    },
    /// Both sides have snapshots, but none in common, and no bookmark remembers one.
    NoCommonBase {
        /// The dataset in question.
        destination: DatasetName,
        /// How many snapshots it has.
        snapshots: usize,
        /// Its newest one.
        newest: SnapTag,
        /// Bytes it uses.
        used: u64,
    },
    /// The destination exists and has no snapshot at all: it is no replica of anything.
    DestinationNotAReplica {
        /// The dataset in question.
        destination: DatasetName,
        /// Bytes it uses.
        used: u64,
    },
    /// The destination belongs to another group.
    OtherGroup {
        /// The dataset in question.
        destination: DatasetName,
        /// The group that it belongs to.
        group: String,
    },
    /// The destination is in use for something else than being replicated into.
    InUse {
        /// The dataset in question.
        destination: DatasetName,
        /// What it is used for.
        role: String,
    },
    /// A snapshot with the same name and other contents stands where one has to arrive.
    TagTaken {
        /// The dataset in question.
        destination: DatasetName,
        /// The names in question.
        tags: Vec<SnapTag>,
    },
    /// The source is encrypted, the replica is not: a raw stream cannot continue it.
    ReplicaNotEncrypted {
        /// The dataset in question.
        destination: DatasetName,
    },
    /// The destination lies under an encryption root whose key is not loaded, and the source's stream
    /// is not raw: the destination could not encrypt what arrives.
    DestinationKeyNotLoaded {
        /// The dataset in question.
        destination: DatasetName,
        /// The dataset whose key it is.
        root: DatasetName,
    },
    /// One is a file system and the other a volume.
    KindDiffers {
        /// The dataset in question.
        destination: DatasetName,
        /// What the source is.
        source: DatasetKind,
    },
    /// An interrupted receive of something else waits in the destination, and is all there is in it.
    OthersPartial {
        /// The dataset in question.
        destination: DatasetName,
        /// The snapshot that was being sent, by its name on the host it came from.
        from: String,
    },
    /// One of the two lies in the other.
    Nested {
        /// The dataset in question.
        destination: DatasetName,
        /// What was to be sent.
        source: DatasetName,
    },
    /// Source and destination are the same dataset.
    SameDataset {
        /// The dataset in question.
        destination: DatasetName,
    },
}

/// A way on that a person may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Rename the destination aside, go on from the common snapshot in a clone of it: nothing is lost,
    /// only what is missing travels.
    KeepAndContinue,
    /// Rename the destination aside and send everything anew beside it.
    KeepAndSeed,
    /// Replicate to another dataset.
    PointElsewhere,
    /// Load the key at the destination, then run again.
    LoadKey,
}

impl Choice {
    /// The word on the command line, where the choice can be made there.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeepAndContinue => "keep-and-continue",
            Self::KeepAndSeed => "keep-and-seed",
            Self::PointElsewhere => "point-elsewhere",
            Self::LoadKey => "load-key",
        }
    }
}

impl Conflict {
    /// The dataset that stands in the way.
    pub fn destination(&self) -> &DatasetName {
        match self {
            Self::DestinationModified { destination, .. }
            | Self::NoCommonBase { destination, .. }
            | Self::DestinationNotAReplica { destination, .. }
            | Self::OtherGroup { destination, .. }
            | Self::InUse { destination, .. }
            | Self::TagTaken { destination, .. }
            | Self::ReplicaNotEncrypted { destination }
            | Self::DestinationKeyNotLoaded { destination, .. }
            | Self::KindDiffers { destination, .. }
            | Self::OthersPartial { destination, .. }
            | Self::Nested { destination, .. }
            | Self::SameDataset { destination } => destination,
        }
    }

    /// What may be done, the best first. `encrypted` is whether the destination is encrypted: a clone
    /// of an encrypted dataset cannot take its place without the key, so it can only be seeded anew.
    /// A pool's root dataset cannot be renamed, so nothing of it can be set aside.
    pub fn choices(&self, encrypted: bool) -> Vec<Choice> {
        let mut choices = self.choices_of_a_renamable(encrypted);
        if self.destination().parent().is_none() {
            choices.retain(|choice| !matches!(choice, Choice::KeepAndContinue | Choice::KeepAndSeed));
        }
        choices
    }

    fn choices_of_a_renamable(&self, encrypted: bool) -> Vec<Choice> {
        use Choice::{KeepAndContinue, KeepAndSeed, LoadKey, PointElsewhere};
        match self {
            Self::DestinationModified { .. } | Self::TagTaken { .. } if encrypted => {
                vec![KeepAndSeed, PointElsewhere]
            }
            Self::DestinationModified { .. } => vec![KeepAndContinue, KeepAndSeed, PointElsewhere],
            Self::NoCommonBase { .. }
            | Self::DestinationNotAReplica { .. }
            | Self::TagTaken { .. }
            | Self::ReplicaNotEncrypted { .. } => vec![KeepAndSeed, PointElsewhere],
            Self::DestinationKeyNotLoaded { .. } => vec![LoadKey, PointElsewhere],
            Self::OtherGroup { .. }
            | Self::InUse { .. }
            | Self::KindDiffers { .. }
            | Self::OthersPartial { .. }
            | Self::Nested { .. }
            | Self::SameDataset { .. } => vec![PointElsewhere],
        }
    }

    /// The common snapshot from which a clone could continue.
    pub fn base(&self) -> Option<&SnapTag> {
        match self {
            Self::DestinationModified { base, .. } => Some(base),
            _ => None,
        }
    }

    /// The choices in words, one to a line.
    pub fn advice(&self, encrypted: bool) -> String {
        let mut lines: Vec<String> =
            self.choices(encrypted).into_iter().map(|choice| self.describe(choice)).collect();
        lines.extend(self.by_hand());
        format!("Nothing was changed. You can:\n{}", lines.join("\n"))
    }

    /// A way on that takes a decision which only a person can take, and which is not made here.
    fn by_hand(&self) -> Option<String> {
        match self {
            Self::OtherGroup { destination, .. } => Some(format!(
                "  if that replication is over: rename its replica aside yourself (zfs rename {destination} \
                 {destination}-old) and run this again"
            )),
            Self::OthersPartial { destination, .. } => Some(format!(
                "  if that stream is not wanted any more: drop what arrived of it (zfs receive -A {destination}) \
                 and run this again"
            )),
            _ => None,
        }
    }

    fn describe(&self, choice: Choice) -> String {
        let destination = self.destination();
        match choice {
            Choice::KeepAndContinue => format!(
                "  --on-conflict keep-and-continue   rename {destination} aside with all it holds, and go on from \
                 @{} in its place: nothing is lost, only what is missing travels",
                self.base().map_or("the common snapshot", SnapTag::as_str)
            ),
            Choice::KeepAndSeed => format!(
                "  --on-conflict keep-and-seed       rename {destination} aside with all it holds, and send \
                 everything anew in its place"
            ),
            Choice::PointElsewhere => "  name another destination dataset".to_owned(),
            Choice::LoadKey => match self {
                Self::DestinationKeyNotLoaded { root, .. } => {
                    format!("  load the key there (zfs load-key {root}) and run this again")
                }
                _ => "  load the key there and run this again".to_owned(),
            },
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DestinationModified { destination, base, written, newer } => {
                write!(
                    f,
                    "{destination} has changed since @{base}, the newest snapshot that both sides have"
                )?;
                match written {
                    Some(bytes) => write!(f, ": {} written there", format_bytes(*bytes))?,
                    None => write!(f, ": something was written there")?,
                }
                if newer.is_empty() {
                    return Ok(());
                }
                write!(f, ", with {} of its own: {}", count(newer.len(), "snapshot"), list(newer))
            }
            Self::NoCommonBase { destination, snapshots, newest, used } => write!(
                f,
                "{destination} ({}, {}, newest @{newest}) has no snapshot in common with the source, and no \
                 bookmark remembers one",
                format_bytes(*used),
                count(*snapshots, "snapshot"),
            ),
            Self::DestinationNotAReplica { destination, used } => write!(
                f,
                "{destination} exists already ({}) and has no snapshot: it is not a replica of anything",
                format_bytes(*used)
            ),
            Self::OtherGroup { destination, group } => {
                write!(f, "{destination} is the replica of something else (group {group})")
            }
            Self::InUse { destination, role } => {
                write!(f, "{destination} is marked as {role}: nothing may be received into it")
            }
            Self::TagTaken { destination, tags } => write!(
                f,
                "{destination} has {} with the same name as one of the source but other contents: {}",
                count(tags.len(), "snapshot"),
                list(tags)
            ),
            Self::ReplicaNotEncrypted { destination } => write!(
                f,
                "the source is encrypted and {destination} is not: an encrypted stream cannot continue it"
            ),
            Self::DestinationKeyNotLoaded { destination, root } => write!(
                f,
                "{destination} is encrypted under {root}, whose key is not loaded: it cannot take a stream that \
                 is not encrypted"
            ),
            Self::KindDiffers { destination, source } => {
                let (here, there) = match source {
                    DatasetKind::Filesystem => ("file system", "volume"),
                    DatasetKind::Volume => ("volume", "file system"),
                };
                write!(f, "the source is a {here} and {destination} is a {there}")
            }
            Self::OthersPartial { destination, from } => write!(
                f,
                "{destination} holds the beginning of a stream of {from}, which is not this source: its receive was \
                 interrupted and can still be resumed"
            ),
            Self::Nested { destination, source } if source.below(destination).is_some() => {
                write!(f, "the source {source} lies in {destination} on the same host")
            }
            Self::Nested { destination, source } => write!(
                f,
                "{destination} lies in {source} on the same host, and that is to be sent with all below it: each run \
                 would copy the copies of the run before"
            ),
            Self::SameDataset { destination } => {
                write!(f, "source and destination are the same dataset, {destination}")
            }
        }
    }
}

/// The tags of these snapshots.
pub(super) fn tags<'a>(snapshots: impl IntoIterator<Item = &'a Snapshot>) -> Vec<SnapTag> {
    snapshots.into_iter().map(|snapshot| snapshot.tag.clone()).collect()
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// The first few names, and how many more there are.
fn list(tags: &[SnapTag]) -> String {
    const SHOWN: usize = 5;
    let mut text: Vec<String> = tags.iter().take(SHOWN).map(|tag| format!("@{tag}")).collect();
    if tags.len() > SHOWN {
        text.push(format!("and {} more", tags.len() - SHOWN));
    }
    text.join(", ")
}
