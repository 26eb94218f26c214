//! A protection group: virtual machines that share one protection datastore, one DR side, and one promise of how much may
//! be lost.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{GroupId, TargetId, VcenterId};
use super::inventory::NfsExport;
use super::names::DatasetName;
use super::rate::Rate;
use super::retention::Retention;
use super::timetable::Timetable;
use super::transport::Transport;

/// The shortest RPO in minutes.
pub const LEAST_RPO_MINUTES: u32 = 1;
/// The longest RPO in minutes: a day.
pub const MOST_RPO_MINUTES: u32 = 24 * 60;
/// The RPO in minutes unless said otherwise.
pub const DEFAULT_RPO_MINUTES: u32 = 15;
/// The priority unless said otherwise.
pub const DEFAULT_PRIORITY: u8 = 50;
/// The highest priority.
pub const MOST_PRIORITY: u8 = 100;
/// Quiesced at least once in so many checkpoints, where it is quiesced at all.
pub const MOST_QUIESCE_EVERY: u32 = 1000;

/// A protection group as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProtectionGroup {
    /// Its id, which the datasets carry too.
    pub id: GroupId,
    /// What people call it; no other group has this name.
    pub name: String,
    /// What people say about it.
    pub description: Option<String>,
    /// Where its virtual machines run.
    pub source: SourceSide,
    /// Where they are recovered.
    pub dr: DrSide,
    /// How it is replicated.
    pub policy: Policy,
    /// Whether it is replicated at all. One that is switched off is kept for its checkpoints.
    pub enabled: bool,
    /// Since when no run is started by itself; none: runs are.
    pub paused_at: Option<Timestamp>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// Where the virtual machines of a group run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSide {
    /// The vCenter that has them.
    pub vcenter: VcenterId,
    /// The appliance whose export is their datastore.
    pub target: TargetId,
    /// The dataset behind it. No other group has it.
    pub dataset: DatasetName,
    /// What hosts mount; none while no datastore of it was seen.
    pub export: Option<NfsExport>,
}

/// Where the virtual machines of a group are recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrSide {
    /// The vCenter in which.
    pub vcenter: VcenterId,
    /// The appliance that has the replica.
    pub target: TargetId,
    /// The replica. It is received into, and never mounted.
    pub dataset: DatasetName,
}

/// How a group is replicated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// When runs start.
    pub rhythm: Rhythm,
    /// Which checkpoints stay at the source.
    pub keep_source: Retention,
    /// Which checkpoints stay at the DR side.
    pub keep_dr: Retention,
    /// Which way streams go.
    pub transport: Transport,
    /// The most that is sent, outside of the timetable.
    pub bandwidth_limit: Option<Rate>,
    /// When less, or nothing, is sent.
    pub timetable: Option<Timetable>,
    /// Whether the guests are asked to be at rest.
    pub quiesce: Quiesce,
    /// Who goes first where not all can: 0 to [`MOST_PRIORITY`], the higher the earlier.
    pub priority: u8,
}

/// When the runs of a group start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Rhythm {
    /// Early enough that no more than this is ever lost.
    Rpo {
        /// How old the newest checkpoint at the DR side may become, in minutes.
        minutes: u32,
    },
    /// At the times of a calendar.
    Calendar {
        /// Five fields of cron: minute, hour, day of month, month, weekday.
        pattern: String,
        /// The IANA name of the time zone in which they hold.
        time_zone: String,
    },
}

impl Rhythm {
    /// How old the newest checkpoint may become, in seconds, where that was promised.
    pub fn rpo_seconds(&self) -> Option<u64> {
        match self {
            Self::Rpo { minutes } => Some(u64::from(*minutes) * 60),
            Self::Calendar { .. } => None,
        }
    }

    /// In words, to follow "runs": `so that no more than 15 minutes are lost`.
    pub fn describe(&self) -> String {
        match self {
            Self::Rpo { minutes: 1 } => "so that no more than 1 minute is lost".to_owned(),
            Self::Rpo { minutes } => format!("so that no more than {minutes} minutes are lost"),
            Self::Calendar { pattern, time_zone } => format!("by the calendar {pattern} in {time_zone}"),
        }
    }
}

/// Whether the guests are asked to be at rest when a checkpoint is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quiesce {
    /// Never: checkpoints are as after a loss of power.
    Never,
    /// Every so many checkpoints.
    Every(u32),
}

impl ProtectionGroup {
    /// Whether runs are started by themselves.
    pub fn runs(&self) -> bool {
        self.enabled && self.paused_at.is_none()
    }
}

/// Where the replica of a group lies: below what was named, or else in the pool's own place for replicas.
///
/// # Errors
/// If that is no name of a dataset, because it would be too long.
pub fn replica_dataset(
    pool: &DatasetName,
    parent: Option<&DatasetName>,
    group: GroupId,
) -> Result<DatasetName, super::names::NameError> {
    match parent {
        Some(parent) => parent.child(&group.to_string()),
        None => pool.child(&format!("zerfaux/replica/{group}")),
    }
}
