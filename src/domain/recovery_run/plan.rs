//! What a run is to do, as it was decided; the input of its jobs.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::checkpoint::UnknownWord;
use crate::domain::deployment::DatastoreHost;
use crate::domain::dr_shell::ShellSpec;
use crate::domain::ids::{DrShellId, GroupId, JobId, RecoveryRunId, TargetId, VcenterId};
use crate::domain::moref::{ManagedRef, VmRef};
use crate::domain::names::{DatasetName, SnapTag};
use crate::domain::networks::Networks;
use crate::domain::recovery_plan::BootCheck;
use crate::domain::recovery_state::Verb;

/// Which checkpoint is recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "which", rename_all = "snake_case")]
pub enum CheckpointWish {
    /// The newest one.
    Newest,
    /// The newest one whose guests all were at rest.
    NewestQuiesced,
    /// This one.
    This {
        /// Its name after the `@`.
        snapshot: SnapTag,
    },
}

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// To see whether the group can be recovered: machines of its own, taken away afterwards.
    #[default]
    Test,
    /// The group is to live at the other site: its guests are shut down at the source first, so that nothing is lost.
    PlannedFailover,
    /// The same from a checkpoint, without the source, which is not waited for.
    DisasterFailover,
}

impl RunKind {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::PlannedFailover => "planned_failover",
            Self::DisasterFailover => "disaster_failover",
        }
    }

    /// Whether the group itself is recovered, and not only tried.
    pub fn is_failover(self) -> bool {
        self != Self::Test
    }

    /// The verb that the run is of.
    pub fn verb(self) -> Verb {
        match self {
            Self::Test => Verb::Test,
            Self::PlannedFailover => Verb::PlannedFailover,
            Self::DisasterFailover => Verb::DisasterFailover,
        }
    }

    /// The verb that takes it away again.
    pub fn taken_back_by(self) -> Verb {
        match self {
            Self::Test => Verb::Cleanup,
            Self::PlannedFailover | Self::DisasterFailover => Verb::Rollback,
        }
    }
}

impl FromStr for RunKind {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let all = [Self::Test, Self::PlannedFailover, Self::DisasterFailover];
        all.into_iter().find(|one| one.as_str() == text).ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// The side that a planned failover leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSide {
    /// Its vCenter.
    pub vcenter_id: VcenterId,
    /// Its appliance.
    pub target_id: TargetId,
    /// The group's dataset there.
    pub dataset: DatasetName,
    /// How many seconds a guest is given to shut down by itself.
    pub shutdown_seconds: u32,
    /// Whether one that has not is powered off then; otherwise the failover is given up and the source goes on.
    pub then_power_off: bool,
}

/// The DR shell that a virtual machine is recovered as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedShell {
    /// The shell.
    pub id: DrShellId,
    /// Which virtual machine of the DR vCenter it is.
    pub vm: VmRef,
    /// Its instance UUID there.
    pub instance_uuid: Option<String>,
}

/// The network that a card is connected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunNetwork {
    /// The network at the source.
    pub source: String,
    /// The network at the DR site.
    pub object: ManagedRef,
    /// Its name when it was chosen: one that is called otherwise now is not connected to.
    pub name: String,
}

/// One virtual machine as it is to be recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunVmPlan {
    /// The instance UUID of the protected one.
    pub source_uuid: String,
    /// That one's name.
    pub name: String,
    /// Tiers are started one after the other, the lowest first.
    pub tier: u32,
    /// Seconds to wait before it is powered on, within its tier.
    pub delay_seconds: u32,
    /// What proves that it runs.
    pub check: BootCheck,
    /// What is made, or what the shell is to have; its cards are disconnected at first.
    pub spec: ShellSpec,
    /// For each card of `spec`, the network that it is connected to once that is verified; none: it stays disconnected.
    pub networks: Vec<Option<RunNetwork>>,
    /// The shell that gets the disks; none: a machine is made, and taken away again if the run is.
    #[serde(default)]
    pub shell: Option<UsedShell>,
    /// The BIOS UUID that it keeps; none: it has one of its own.
    #[serde(default)]
    pub bios_uuid: Option<String>,
    /// What a person is asked to do and confirm before it is powered on; empty: nothing.
    #[serde(default)]
    pub prompt_before: String,
    /// The same after its check.
    #[serde(default)]
    pub prompt_after: String,
    /// What its guest is told at its start; none: it is left as it is.
    #[serde(default)]
    pub guest: Option<GuestSettings>,
    /// In a planned failover: which virtual machine is shut down at the source.
    #[serde(default)]
    pub source: Option<VmRef>,
}

impl RunVmPlan {
    /// What a person is asked then; none: nothing.
    pub fn prompt(&self, moment: Moment) -> Option<&str> {
        let text = match moment {
            Moment::Before => self.prompt_before.trim(),
            Moment::After => self.prompt_after.trim(),
        };
        (!text.is_empty()).then_some(text)
    }
}

/// What a Linux guest is told at its start, by VMware's customisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestSettings {
    /// Its host name, without domain: that which it has.
    pub host_name: String,
    /// Its domain.
    pub domain: String,
    /// For each card of the machine, in their order.
    pub nics: Vec<GuestNetwork>,
    /// Name servers, the first asked first.
    pub dns: Vec<IpAddr>,
}

/// How a guest gets the address of a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GuestNetwork {
    /// By DHCP.
    Dhcp,
    /// This one.
    Static {
        /// The address.
        address: Ipv4Addr,
        /// How many of its first bits are the network's.
        prefix: u8,
        /// The gateway.
        gateway: Option<Ipv4Addr>,
    },
}

/// When a person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before the virtual machine is powered on.
    Before,
    /// After its check.
    After,
}

impl Moment {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Before, Self::After];

    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }

    /// The step in which a run waits for the answer.
    pub fn step(self) -> &'static str {
        match self {
            Self::Before => "ask_before",
            Self::After => "ask_after",
        }
    }
}

impl FromStr for Moment {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|one| one.as_str() == text).ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// A tier of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTier {
    /// Its number; 1 for the first.
    pub number: u32,
    /// What people call it.
    pub name: String,
    /// How many seconds pass between its last check and the next tier.
    pub delay_after_seconds: u32,
}

/// One that is not recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// A run as it was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPlan {
    /// The run.
    pub run_id: RecoveryRunId,
    /// What it is for.
    #[serde(default)]
    pub kind: RunKind,
    /// The group.
    pub group_id: GroupId,
    /// Its name, for people.
    pub group_name: String,
    /// The side that is left, if it goes along.
    #[serde(default)]
    pub source: Option<SourceSide>,
    /// The DR vCenter.
    pub dr_vcenter_id: VcenterId,
    /// The DR appliance.
    pub dr_target_id: TargetId,
    /// The group's replica there.
    pub replica: DatasetName,
    /// Which checkpoint.
    pub checkpoint: CheckpointWish,
    /// The clone.
    pub clone: DatasetName,
    /// Its name as a datastore.
    pub datastore: String,
    /// Who may mount it.
    pub nfs_clients: Networks,
    /// The hosts that mount it.
    pub hosts: Vec<DatastoreHost>,
    /// The tiers, in their order.
    pub tiers: Vec<RunTier>,
    /// The virtual machines, in the order of their tiers.
    pub vms: Vec<RunVmPlan>,
    /// Those that are not recovered.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    /// How many may be powered on at a time in the vCenter.
    pub power_ons: u32,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Minutes after which a test is cleaned up by itself, from when everything that could be started was.
    #[serde(default)]
    pub cleanup_minutes: Option<u32>,
}

impl RunPlan {
    /// By what everything of the run says that it is the run's: as if a job of that id had made it.
    pub fn maker(&self) -> JobId {
        JobId::from_bytes(*self.run_id.as_bytes())
    }

    /// What the machine that is made for a virtual machine says of who made it.
    pub fn mark(&self, source_uuid: &str) -> String {
        let word = if self.kind.is_failover() { "recovery" } else { "test" };
        format!("{}/{word}/{source_uuid}", self.run_id)
    }

    /// Where the clone is mounted on the appliance, and exported.
    pub fn path(&self) -> String {
        let name = self.clone.as_str();
        format!("/srv/zerfaux/{}", name.rsplit('/').next().unwrap_or(name))
    }
}
