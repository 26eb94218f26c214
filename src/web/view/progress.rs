//! How far something is: one line of progress, and the phases of a job.

use super::html::Html;

/// A line of progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// 0 to 100; None while nobody can say.
    pub percent: Option<u8>,
    /// What it is of, for screen readers.
    pub label: String,
    /// What else is known: `38.0 MiB/s, 1 m left`.
    pub rest: Option<String>,
}

/// How a phase stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseState {
    /// Not begun.
    Waiting,
    /// Being done.
    Running,
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Not needed this time.
    Skipped,
    /// Done, and taken back.
    Undone,
}

impl PhaseState {
    /// The class in `app.css`, and in `icons.svg` after `phase-`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Undone => "undone",
        }
    }
}

/// One phase of a job as it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// Its name in the log and on the console.
    pub name: String,
    /// How it stands.
    pub state: PhaseState,
    /// When it began, or how long it took.
    pub took: Option<Html>,
    /// How far it is, while it runs.
    pub progress: Option<Progress>,
    /// One sentence: what is being waited for, why it failed, why it was skipped.
    pub note: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_a_phase_is_drawn() {
        let icons = include_str!("../../../static/icons.svg");
        use PhaseState::{Done, Failed, Running, Skipped, Undone, Waiting};
        for state in [Waiting, Running, Done, Failed, Skipped, Undone] {
            assert!(icons.contains(&format!("id=\"phase-{}\"", state.name())), "{state:?}");
        }
    }
}
