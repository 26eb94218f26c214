//! What ZFS says of a dataset, its snapshots and its bookmarks.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::names::{DatasetName, SnapTag};

/// The user property that names the group a dataset or snapshot belongs to. Only where its source is
/// `local` does it mean anything: user properties are inherited by all snapshots below.
pub const PROPERTY_GROUP: &str = "zerfaux:group";
/// The user property with the role of a dataset: see [`Role`].
pub const PROPERTY_ROLE: &str = "zerfaux:role";
/// The user property by which a clone says which run it belongs to.
pub const PROPERTY_RUN: &str = "zerfaux:run";
/// The prefix of every hold tag that Zerfaux sets; the group's id follows.
pub const HOLD_PREFIX: &str = "zerfaux:";
/// What the tags of the holds of recoveries begin with, before the run.
pub const RUN_HOLD_PREFIX: &str = "zerfaux-run:";

/// What the tags of the holds begin with that keep the last state of what was put aside, before the group.
pub const KEEP_HOLD_PREFIX: &str = "zerfaux-keep:";

/// The 64-bit number that ZFS gives a dataset, snapshot or bookmark. A snapshot keeps it when it is
/// sent, renamed, or bookmarked, so two of them with one GUID hold the same data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Guid(pub u64);

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whose a snapshot is: the value of [`PROPERTY_GROUP`] where its source is `local`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// Zerfaux made it (or received and marked it) for the group with this id.
    Zerfaux(String),
    /// Somebody else's: never destroyed, never renamed, never released.
    Foreign,
}

/// A snapshot as `zfs list` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What follows the `@`.
    pub tag: SnapTag,
    /// Same GUID, same data.
    pub guid: Guid,
    /// Transaction group in which it was made: the order of snapshots within one pool.
    pub createtxg: u64,
    /// When it was made, by the clock of the host on which it was taken first.
    pub created_at: Timestamp,
    /// Whose it is.
    pub owner: Owner,
    /// How many holds keep it (property `userrefs`).
    pub holds: u64,
    /// Bytes that only this snapshot keeps.
    pub used: u64,
    /// Bytes that it refers to.
    pub referenced: u64,
    /// Bytes written between the snapshot before it and itself.
    #[serde(default)]
    pub written: u64,
    /// Datasets cloned from it; while there is one, it cannot be destroyed.
    pub clones: Vec<DatasetName>,
}

/// A bookmark as `zfs list -t bookmark` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookmark {
    /// What follows the `#`.
    pub tag: SnapTag,
    /// The GUID of the snapshot that it remembers.
    pub guid: Guid,
    /// The `createtxg` of the snapshot that it remembers.
    pub createtxg: u64,
    /// When the snapshot that it remembers was made.
    pub created_at: Timestamp,
}

/// What an incremental stream starts from, at the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// A snapshot.
    Snapshot(SnapTag),
    /// A bookmark: the snapshot itself is gone at the source. No intermediates from here: `zfs send -I`
    /// refuses a bookmark.
    Bookmark(SnapTag),
}

impl Base {
    /// As `zfs send -i` takes it: `@tag` or `#tag`.
    pub fn word(&self) -> String {
        match self {
            Self::Snapshot(tag) => format!("@{tag}"),
            Self::Bookmark(tag) => format!("#{tag}"),
        }
    }
}

/// Filesystem or volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetKind {
    /// A file system.
    Filesystem,
    /// A block device (zvol).
    Volume,
}

/// How a dataset is encrypted (zfs-load-key(8)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// Not at all.
    Off,
    /// Under the key of `root`.
    On {
        /// The dataset whose key it is.
        root: DatasetName,
        /// Whether the key is loaded, by property `keystatus`.
        key_loaded: bool,
    },
}

impl Encryption {
    /// Whether streams of it have to be raw (`zfs send -w`) to stay encrypted.
    pub fn is_on(&self) -> bool {
        matches!(self, Self::On { .. })
    }
}

/// What a dataset is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// VMs run on it.
    Live,
    /// It is received into and never mounted.
    Replica,
    /// A clone on which a recovery runs.
    Run,
    /// Put aside by Zerfaux, for a person to look at and discard.
    Keep,
}

impl Role {
    /// The property's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Replica => "replica",
            Self::Run => "run",
            Self::Keep => "keep",
        }
    }

    /// The role with this value, if there is one.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Live, Self::Replica, Self::Run, Self::Keep].into_iter().find(|role| role.as_str() == text)
    }
}

/// A partly received stream that can be resumed (zfs-receive(8), `-s`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialReceive {
    /// Property `receive_resume_token`, opaque.
    pub token: String,
    /// What the token says, as `zfs send -nvt` prints it; none if that could not be read.
    pub contents: Option<TokenContents>,
}

/// What a resume token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenContents {
    /// GUID of the snapshot that was being sent.
    pub to_guid: Guid,
    /// Its name at the time, on the sending host.
    pub to_name: String,
    /// GUID of the base, none for a full stream.
    pub from_guid: Option<Guid>,
    /// Bytes received so far.
    pub bytes: u64,
    /// Whether the stream was raw.
    pub raw: bool,
}

/// One dataset with everything that planning a replication needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// Its name.
    pub name: DatasetName,
    /// Its own GUID (not a snapshot's).
    pub guid: Guid,
    /// File system or volume.
    pub kind: DatasetKind,
    /// How it is encrypted.
    pub encryption: Encryption,
    /// Whether it is mounted now. A volume never is.
    pub mounted: bool,
    /// Property `readonly`.
    pub readonly: bool,
    /// Bytes it uses with its snapshots and children.
    pub used: u64,
    /// Bytes it refers to.
    pub referenced: u64,
    /// Bytes it could still take.
    pub available: u64,
    /// Bytes written since its newest snapshot.
    pub written: u64,
    /// The snapshot that it is a clone of, as `pool/fs@tag`.
    pub origin: Option<String>,
    /// A partly received stream waiting to be resumed.
    pub partial: Option<PartialReceive>,
    /// [`PROPERTY_GROUP`] where its source is `local`.
    pub group: Option<String>,
    /// [`PROPERTY_ROLE`] where its source is `local`.
    pub role: Option<Role>,
    /// [`PROPERTY_EPOCH`](super::epoch::PROPERTY_EPOCH) where its source is `local`.
    #[serde(default)]
    pub epoch: Option<String>,
    /// What describes the group's [terms](super::terms::PROPERTY_TERMS) where its source is `local`.
    #[serde(default)]
    pub terms: Option<String>,
    /// Oldest first, by `createtxg`.
    pub snapshots: Vec<Snapshot>,
    /// Oldest first, by `createtxg`.
    pub bookmarks: Vec<Bookmark>,
}

impl Dataset {
    /// The newest snapshot.
    pub fn newest(&self) -> Option<&Snapshot> {
        self.snapshots.last()
    }

    /// The snapshot with this GUID.
    pub fn snapshot_by_guid(&self, guid: Guid) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| snapshot.guid == guid)
    }

    /// The snapshot with this tag.
    pub fn snapshot_by_tag(&self, tag: &SnapTag) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| &snapshot.tag == tag)
    }
}
