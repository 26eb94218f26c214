//! One recovery of a group: what was to be done, what was done to each virtual machine, and what a person said of it.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::checkpoint::{CheckpointKind, UnknownWord};
use super::dataset::Guid;
use super::hardware::Hardware;
use super::ids::{JobId, RecoveryRunId};
use super::machine::BootItem;
use super::moref::VmRef;
use super::names::SnapTag;

mod plan;
pub use plan::{
    CheckpointWish, GuestNetwork, GuestSettings, LeftOut, Moment, RunKind, RunNetwork, RunPlan, RunTier,
    RunVmPlan, SourceSide, UsedShell,
};

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

/// What became of a run in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// A test, and everything of it was seen to be gone.
    CleanedUp,
    /// A failover, and both sides are as they were before.
    RolledBack,
    /// A failover, and its machines are the group's now.
    Committed,
}

impl RunOutcome {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CleanedUp => "cleaned_up",
            Self::RolledBack => "rolled_back",
            Self::Committed => "committed",
        }
    }
}

impl FromStr for RunOutcome {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let all = [Self::CleanedUp, Self::RolledBack, Self::Committed];
        all.into_iter().find(|one| one.as_str() == text).ok_or_else(|| UnknownWord(text.to_owned()))
    }
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
    pub plan: RunPlan,
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
    /// When a test is cleaned up by itself.
    pub cleanup_due: Option<Timestamp>,
    /// The job that takes it away again: the cleanup of a test, the rollback of a failover.
    pub cleanup_job: Option<JobId>,
    /// How often that has failed.
    pub cleanup_tries: u32,
    /// When it is tried again.
    pub cleanup_next: Option<Timestamp>,
    /// Since when nothing of it is left to be taken away or decided.
    pub cleaned_at: Option<Timestamp>,
    /// What became of it then.
    pub outcome: Option<RunOutcome>,
}

impl RecoveryRun {
    /// A run that begins.
    pub fn new(plan: RunPlan, job: JobId, created_by: String, created_at: Timestamp) -> Self {
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
            outcome: None,
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

/// As a virtual machine was before a failover touched it: what a rollback brings back. What is not known yet is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Before {
    /// The hardware of its DR shell.
    pub shell_hardware: Option<Hardware>,
    /// What the shell tried to start from.
    pub shell_boot_order: Option<Vec<BootItem>>,
    /// The BIOS UUID of the shell.
    pub shell_bios_uuid: Option<String>,
    /// Whether it ran at the source.
    pub source_was_on: Option<bool>,
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
    /// As it was before a failover touched it.
    pub before: Before,
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

/// That a person has done what a prompt asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptAnswer {
    /// At which virtual machine, by the instance UUID of the protected one.
    pub source_uuid: String,
    /// Which of its prompts.
    pub moment: Moment,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}
