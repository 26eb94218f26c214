//! Jobs, the states they go through, and the events their steps leave behind.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ids::JobId;

/// Where a job stands. The names are part of the API (CONTRACT: `state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Recorded, not begun: waits for its locks or for its turn.
    Queued,
    /// Its steps are being done, or being undone.
    Running,
    /// Waits for a person, or for a cleanup that is not proved yet.
    Waiting,
    /// Found after a restore of the database: looked at by a person, not re-run blindly.
    Interrupted,
    /// Every step done.
    Succeeded,
    /// A step failed for good.
    Failed,
    /// Asked to stop, on its way.
    Cancelling,
    /// Stopped because a person asked.
    Cancelled,
}

impl JobState {
    /// All of them, in the order of a job's life.
    pub const ALL: [JobState; 8] = [
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::Interrupted,
        Self::Cancelling,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Interrupted => "interrupted",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen unless somebody asks for it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no job state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no job state")]
pub struct UnknownJobState(pub String);

impl FromStr for JobState {
    type Err = UnknownJobState;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownJobState(text.to_owned()))
    }
}

/// How bad a line on a job's console is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For the people who build Zerfaux.
    Debug,
    /// What is being done.
    Info,
    /// Something that the operator waited for has come true.
    Success,
    /// Goes on, but somebody should know.
    Warn,
    /// Does not go on.
    Error,
}

impl Level {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Success => "success",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// The level with this name, if there is one.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Debug, Self::Info, Self::Success, Self::Warn, Self::Error]
            .into_iter()
            .find(|level| level.as_str() == text)
    }
}

/// One line of a job's console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleLine {
    /// Counts from 1 within the job.
    pub seq: i64,
    /// When it was written.
    pub at: Timestamp,
    /// How bad it is.
    pub level: Level,
    /// One sentence, readable alone.
    pub message: String,
}

/// Why a step failed, in the words the operator reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What was attempted on what, and what came back.
    pub message: String,
    /// What to do about it.
    pub advice: Option<String>,
    /// How it failed.
    pub kind: FailureKind,
}

/// What may follow a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// May work next time without anybody doing anything: retried as the step says.
    Transient,
    /// Will fail again until somebody changes something.
    Permanent,
    /// Stopped in order to protect data (exit status 3 on the command line).
    Refused,
    /// Stopped because a person asked.
    Cancelled,
}

impl Failure {
    /// A failure that may pass by itself; see [`FailureKind::Transient`].
    pub fn transient(message: impl Into<String>) -> Self {
        Self::of(FailureKind::Transient, message)
    }

    /// A failure that stays until somebody changes something; see [`FailureKind::Permanent`].
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::of(FailureKind::Permanent, message)
    }

    /// A stop in order to protect data; see [`FailureKind::Refused`].
    pub fn refused(message: impl Into<String>) -> Self {
        Self::of(FailureKind::Refused, message)
    }

    /// A stop because a person asked; see [`FailureKind::Cancelled`].
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::of(FailureKind::Cancelled, message)
    }

    fn of(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { message: message.into(), advice: None, kind }
    }

    /// The same failure with what to do about it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// What a step leaves in the log. The state of a job after a crash is a fold of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum StepEvent {
    /// About to act. `intent` holds what has to be known after a crash in order to find out what was
    /// done: a snapshot's name, a clone's path.
    Started {
        /// Decided before acting, and decided once: a later attempt gets the same value.
        intent: Value,
    },
    /// Progress worth keeping across a crash: a vSphere task's reference, a page's cursor.
    Noted {
        /// Replaces the note before it.
        note: Value,
    },
    /// Done.
    Succeeded {
        /// What later steps may read.
        output: Value,
    },
    /// This attempt did not work.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// About to take back what the step did.
    UndoStarted,
    /// Taken back.
    Undone,
    /// Could not be taken back.
    UndoFailed {
        /// Why.
        failure: Failure,
    },
}

impl StepEvent {
    /// The event's name in the database.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Noted { .. } => "noted",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::UndoStarted => "undo_started",
            Self::Undone => "undone",
            Self::UndoFailed { .. } => "undo_failed",
        }
    }
}

/// A [`StepEvent`] in its place in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// The job.
    pub job: JobId,
    /// Counts from 1 within the job, without a gap.
    pub seq: i64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The step's name.
    pub step: String,
    /// What happened.
    #[serde(flatten)]
    pub event: StepEvent,
}

/// A job as it is stored: what was asked for, by whom, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Which definition runs it, for example `replicate`.
    pub kind: String,
    /// What the definition was given.
    pub input: Value,
    /// How it stands.
    pub state: JobState,
    /// The step being done, undone, or failed.
    pub phase: Option<String>,
    /// 0 to 100 over the whole job.
    pub progress_percent: u8,
    /// Kind-specific facts for the page, such as bytes and rate.
    pub details: Value,
    /// What came out of it, once succeeded.
    pub result: Option<Value>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The step in which it failed.
    pub failed_phase: Option<String>,
    /// What did not go well although the job went on.
    pub warnings: Vec<String>,
    /// A person asked it to stop.
    pub cancel_requested: bool,
    /// Its work is being taken back, because somebody asked or because it failed.
    pub unwinding: bool,
    /// Who started it: a user's name, `scheduler`, or `cli`.
    pub created_by: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its first step began.
    pub started_at: Option<Timestamp>,
    /// When it reached a final state.
    pub finished_at: Option<Timestamp>,
}

impl Job {
    /// A job that nothing was done of yet.
    pub fn queued(id: JobId, kind: &str, input: Value, created_by: &str, created_at: Timestamp) -> Self {
        Self {
            id,
            kind: kind.to_owned(),
            input,
            state: JobState::Queued,
            phase: None,
            progress_percent: 0,
            details: Value::Null,
            result: None,
            failure: None,
            failed_phase: None,
            warnings: Vec::new(),
            cancel_requested: false,
            unwinding: false,
            created_by: created_by.to_owned(),
            created_at,
            started_at: None,
            finished_at: None,
        }
    }
}
