//! Exit statuses, and how trouble is told.

use std::process::ExitCode;

use super::output;

use crate::app::AppError;
use crate::domain::causes::with_causes;
use crate::domain::job::{Failure, FailureKind, Job, JobState};

/// How the process ends (CONTRACT: 0 done, 1 failed, 2 wrong usage, 3 refused to protect data, 130
/// interrupted).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Refused = 3,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// The exit status for a job that has ended.
    pub(super) fn of_job(job: &Job) -> Self {
        match (job.state, job.failure.as_ref().map(|failure| failure.kind)) {
            (JobState::Succeeded, _) => Self::Done,
            (_, Some(FailureKind::Refused)) => Self::Refused,
            (JobState::Cancelled, _) | (_, Some(FailureKind::Cancelled)) => Self::Interrupted,
            _ => Self::Failed,
        }
    }
}

/// What went wrong, for standard error.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) exit: Exit,
    message: String,
    advice: Option<String>,
}

impl Trouble {
    /// The command line asks for something that cannot be.
    pub(super) fn usage(error: &(dyn std::error::Error + 'static)) -> Self {
        Self { exit: Exit::Usage, message: with_causes(error), advice: None }
    }

    /// The same in words.
    pub(super) fn misuse(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into(), advice: None }
    }

    /// It did not work.
    pub(super) fn failed(error: &(dyn std::error::Error + 'static)) -> Self {
        Self { exit: Exit::Failed, message: with_causes(error), advice: None }
    }

    /// A person stopped it.
    pub(super) fn interrupted(message: impl Into<String>) -> Self {
        Self { exit: Exit::Interrupted, message: message.into(), advice: None }
    }

    /// It was refused in order to protect data.
    pub(super) fn refused(error: &(dyn std::error::Error + 'static)) -> Self {
        Self { exit: Exit::Refused, message: with_causes(error), advice: None }
    }

    /// With what to do about it.
    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub(super) fn print(&self) {
        output::remark(format_args!("zerfaux: {}", self.message));
        if let Some(advice) = self.advice.as_deref().filter(|advice| !advice.is_empty()) {
            output::remark(advice);
        }
    }
}

impl From<AppError> for Trouble {
    fn from(error: AppError) -> Self {
        let exit = if error.protects_data() { Exit::Refused } else { Exit::Failed };
        let advice = error.advice().map(str::to_owned);
        Self { exit, message: with_causes(&error), advice }
    }
}

impl From<&Failure> for Trouble {
    fn from(failure: &Failure) -> Self {
        let exit = match failure.kind {
            FailureKind::Refused => Exit::Refused,
            FailureKind::Cancelled => Exit::Interrupted,
            FailureKind::Transient | FailureKind::Permanent => Exit::Failed,
        };
        Self { exit, message: failure.message.clone(), advice: failure.advice.clone() }
    }
}
