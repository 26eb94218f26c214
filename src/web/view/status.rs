//! Status as it is always shown: shape, word and colour together, never colour alone.

use std::borrow::Cow;

use crate::domain::job::JobState;

/// The five shapes. Their words are the defaults; a [`Status`] may carry a word that fits its noun better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// ● As it should be.
    Met,
    /// ⟳ Something is being done.
    Working,
    /// ◌ Nobody can say.
    Unknown,
    /// ▲ Still good, not for long.
    Risk,
    /// ■ Not as it should be.
    Broken,
}

impl Mark {
    /// The class in `app.css` and the symbol in `icons.svg`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Working => "working",
            Self::Unknown => "unknown",
            Self::Risk => "risk",
            Self::Broken => "broken",
        }
    }

    /// The word beside the shape where nothing better fits.
    pub fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Working => "working",
            Self::Unknown => "unknown",
            Self::Risk => "at risk",
            Self::Broken => "broken",
        }
    }
}

/// A mark with its word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Shape and colour.
    pub mark: Mark,
    /// What it says.
    pub word: Cow<'static, str>,
}

impl Status {
    /// This mark with this word.
    pub fn new(mark: Mark, word: impl Into<Cow<'static, str>>) -> Self {
        Self { mark, word: word.into() }
    }

    /// The class in `app.css` and the symbol in `icons.svg`.
    pub fn name(&self) -> &'static str {
        self.mark.name()
    }
}

impl From<Mark> for Status {
    fn from(mark: Mark) -> Self {
        Self::new(mark, mark.word())
    }
}

impl From<JobState> for Status {
    fn from(state: JobState) -> Self {
        let mark = match state {
            JobState::Queued => Mark::Unknown,
            JobState::Running | JobState::Cancelling => Mark::Working,
            JobState::Waiting | JobState::Interrupted => Mark::Risk,
            JobState::Succeeded => Mark::Met,
            JobState::Failed => Mark::Broken,
            JobState::Cancelled => Mark::Unknown,
        };
        Self::new(mark, state.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_waits_for_a_person_does_not_look_finished() {
        for state in JobState::ALL {
            let status = Status::from(state);
            assert_eq!(status.word, state.as_str());
            assert_eq!(status.mark == Mark::Met, state == JobState::Succeeded, "{state}");
            assert_eq!(status.mark == Mark::Broken, state == JobState::Failed, "{state}");
        }
        assert_eq!(Status::from(JobState::Waiting).mark, Mark::Risk);
    }

    #[test]
    fn every_mark_is_drawn_and_coloured() {
        let icons = include_str!("../../../static/icons.svg");
        let sheet = include_str!("../../../static/app.css");
        for mark in [Mark::Met, Mark::Working, Mark::Unknown, Mark::Risk, Mark::Broken] {
            assert!(icons.contains(&format!("id=\"{}\"", mark.name())), "no shape for {mark:?}");
            assert!(sheet.contains(&format!(".status.{} {{", mark.name())), "no colour for {mark:?}");
        }
    }
}
