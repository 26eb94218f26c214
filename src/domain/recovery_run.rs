//! One recovery of a group: what was to be done, what was done to each virtual machine, and what a person said of it.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::checkpoint::{CheckpointKind, UnknownWord};
use super::dataset::Guid;
use super::deployment::DatastoreHost;
use super::dr_shell::ShellSpec;
use super::ids::{GroupId, JobId, RecoveryRunId, TargetId, VcenterId};
use super::moref::{ManagedRef, VmRef};
use super::names::{DatasetName, SnapTag};
use super::networks::Networks;
use super::recovery_plan::BootCheck;

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

/// The network that a card of a test is connected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestNetwork {
    /// The network at the source.
    pub source: String,
    /// The network at the DR site.
    pub object: ManagedRef,
    /// Its name when it was chosen: one that is called otherwise now is not connected to.
    pub name: String,
}

/// One virtual machine as it is to be tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestVm {
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
    /// What is made; its cards are disconnected when it is made.
    pub spec: ShellSpec,
    /// For each card of `spec`, the network that it is connected to once that is verified; none: it stays disconnected.
    pub networks: Vec<Option<TestNetwork>>,
}

/// A tier of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestTier {
    /// Its number; 1 for the first.
    pub number: u32,
    /// What people call it.
    pub name: String,
    /// How many seconds pass between its last check and the next tier.
    pub delay_after_seconds: u32,
}

/// One that is not tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// A test as it was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestPlan {
    /// The run.
    pub run_id: RecoveryRunId,
    /// The group.
    pub group_id: GroupId,
    /// Its name, for people.
    pub group_name: String,
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
    pub tiers: Vec<TestTier>,
    /// The virtual machines, in the order of their tiers.
    pub vms: Vec<TestVm>,
    /// Those that are not tested.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    /// How many may be powered on at a time in the vCenter.
    pub power_ons: u32,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Minutes after which it is cleaned up by itself, from when everything that could be started was.
    #[serde(default)]
    pub cleanup_minutes: Option<u32>,
}

impl TestPlan {
    /// By what everything of the run says that it is the run's: as if a job of that id had made it.
    pub fn maker(&self) -> JobId {
        JobId::from_bytes(*self.run_id.as_bytes())
    }

    /// What the test machine of a virtual machine says of who made it.
    pub fn mark(&self, source_uuid: &str) -> String {
        format!("{}/test/{source_uuid}", self.run_id)
    }

    /// Where the clone is mounted on the appliance, and exported.
    pub fn path(&self) -> String {
        let name = self.clone.as_str();
        format!("/srv/zerfaux/{}", name.rsplit('/').next().unwrap_or(name))
    }
}

/// What a person says of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// What was recovered can be used.
    Passed,
    /// It cannot.
    Failed,
}

impl Verdict {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for Verdict {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let all = [Self::Passed, Self::Failed];
        all.into_iter().find(|one| one.as_str() == text).ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// A verdict, with who gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// It.
    pub verdict: Verdict,
    /// What else there is to say.
    pub remarks: Option<String>,
    /// Who gave it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// The checkpoint that is recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// Its name after the `@`.
    pub snapshot: SnapTag,
    /// Its GUID.
    pub guid: Guid,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// What its guests knew of it; none: not known.
    pub quality: Option<CheckpointKind>,
}

/// A run as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryRun {
    /// Its plan, with its id and its group.
    pub plan: TestPlan,
    /// Who asked for it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// The job that does it.
    pub job: JobId,
    /// The checkpoint, once it is chosen.
    pub checkpoint: Option<Recovered>,
    /// Since when everything that could be started was.
    pub up_at: Option<Timestamp>,
    /// What a person said.
    pub verdict: Option<Judged>,
    /// When it is cleaned up by itself.
    pub cleanup_due: Option<Timestamp>,
    /// The job that cleans up.
    pub cleanup_job: Option<JobId>,
    /// How often that has failed.
    pub cleanup_tries: u32,
    /// When it is tried again.
    pub cleanup_next: Option<Timestamp>,
    /// Since when everything was seen to be gone.
    pub cleaned_at: Option<Timestamp>,
}

impl RecoveryRun {
    /// A run that begins.
    pub fn new(plan: TestPlan, job: JobId, created_by: String, created_at: Timestamp) -> Self {
        Self {
            plan,
            created_by,
            created_at,
            job,
            checkpoint: None,
            up_at: None,
            verdict: None,
            cleanup_due: None,
            cleanup_job: None,
            cleanup_tries: 0,
            cleanup_next: None,
            cleaned_at: None,
        }
    }

    /// Its id.
    pub fn id(&self) -> RecoveryRunId {
        self.plan.run_id
    }
}

/// How far a virtual machine of a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunVmState {
    /// Nothing was done yet.
    Waiting,
    /// Something is done.
    Working,
    /// It runs, and its check was passed.
    Up,
    /// Something went wrong.
    Failed,
    /// It was taken away.
    Removed,
}

impl RunVmState {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Working => "working",
            Self::Up => "up",
            Self::Failed => "failed",
            Self::Removed => "removed",
        }
    }
}

impl FromStr for RunVmState {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        [Self::Waiting, Self::Working, Self::Up, Self::Failed, Self::Removed]
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// A virtual machine of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunVm {
    /// The instance UUID of the protected one.
    pub source_uuid: String,
    /// That one's name.
    pub name: String,
    /// Its own name.
    pub test_name: String,
    /// Its tier.
    pub tier: u32,
    /// How far it is.
    pub state: RunVmState,
    /// Which virtual machine was made.
    pub vm: Option<VmRef>,
    /// That one's instance UUID.
    pub instance_uuid: Option<String>,
    /// What went wrong.
    pub failure: Option<String>,
    /// What to do about it.
    pub advice: Option<String>,
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunStep {
    /// Of which virtual machine, by the instance UUID of the protected one; none: of the run as a whole.
    pub source_uuid: Option<String>,
    /// What, in one word.
    pub step: String,
    /// When it began.
    pub begun_at: Timestamp,
    /// When it ended; none: it has not.
    pub ended_at: Option<Timestamp>,
    /// Whether it went well; none: it has not ended.
    pub ok: Option<bool>,
    /// What was seen.
    pub evidence: String,
}
