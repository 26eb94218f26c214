//! What a job's log says about the job: a pure fold of its events, and the order events may come in.
//!
//! The log is a stack. Steps are put on it in their order; only the newest one can be acted upon; taking
//! back removes the newest one, and a step that was taken back is as if it had never been started. So at any
//! moment there are steps that are done, at most one on top that is under way, and nothing after it.

use serde_json::Value;

use crate::domain::job::{EventRecord, Failure, StepEvent};

/// A step that was started: what it intended, noted and returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The step's name.
    pub step: String,
    /// What it decided before acting.
    pub intent: Value,
    /// Its newest note.
    pub note: Option<Value>,
    /// What it returned, if it has succeeded (also while it is being taken back).
    pub output: Option<Value>,
}

/// How the step on top stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopState {
    /// Started; no outcome recorded. After a crash: perhaps done, half done, or not begun.
    Running,
    /// The last attempt did not work.
    Failed(Failure),
    /// Being taken back; after a crash: perhaps completely, half, or not.
    Undoing,
    /// The last attempt to take it back did not work.
    UndoFailed(Failure),
}

impl TopState {
    fn words(&self) -> &'static str {
        match self {
            Self::Running => "is under way",
            Self::Failed(_) => "has failed",
            Self::Undoing => "is being taken back",
            Self::UndoFailed(_) => "could not be taken back",
        }
    }
}

/// Where a job stands according to its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    steps: Vec<String>,
    done: Vec<Entry>,
    top: Option<(Entry, TopState)>,
    last_seq: i64,
    failure: Option<(String, Failure)>,
}

/// An event that cannot follow the events before it. The log was not written by this engine, or not for
/// these steps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IllegalEvent {
    /// Events are missing or double.
    #[error("event {found} follows where event {expected} should")]
    Sequence {
        /// The number that should come.
        expected: i64,
        /// The number that came.
        found: i64,
    },
    /// No step of this kind has that name.
    #[error("event {seq} is about step {step:?}, which this kind of job does not have")]
    UnknownStep {
        /// The event's number.
        seq: i64,
        /// The name in the event.
        step: String,
    },
    /// The stack does not allow this event now.
    #[error("event {seq} says {event:?} of step {step:?}, but {standing}")]
    Order {
        /// The event's number.
        seq: i64,
        /// The name in the event.
        step: String,
        /// The event's name.
        event: &'static str,
        /// How things stood.
        standing: String,
    },
    /// An intent is decided once.
    #[error("event {seq} starts step {step:?} again with another intent than before")]
    IntentChanged {
        /// The event's number.
        seq: i64,
        /// The name in the event.
        step: String,
    },
}

/// Folds `events`, oldest first, for a kind of job with these `steps`.
///
/// # Errors
/// At the first event that cannot follow the ones before it.
pub fn fold(events: &[EventRecord], steps: &[&str]) -> Result<Standing, IllegalEvent> {
    let mut standing = Standing::new(steps);
    for record in events {
        standing.apply(record.seq, &record.step, &record.event)?;
    }
    Ok(standing)
}

impl Standing {
    /// A job of a kind with these `steps`, before its first event.
    pub fn new(steps: &[&str]) -> Self {
        Self {
            steps: steps.iter().map(|&step| step.to_owned()).collect(),
            done: Vec::new(),
            top: None,
            last_seq: 0,
            failure: None,
        }
    }

    /// The steps that have succeeded and have not been taken back.
    pub fn done(&self) -> &[Entry] {
        &self.done
    }

    /// The step under way, failed, or being taken back.
    pub fn top(&self) -> Option<(&Entry, &TopState)> {
        self.top.as_ref().map(|(entry, state)| (entry, state))
    }

    /// The number of the last event; 0 without any.
    pub fn last_seq(&self) -> i64 {
        self.last_seq
    }

    /// The failure that stopped the way forward, with its step. Survives the unwinding that it causes, and is
    /// gone when the step succeeds after all.
    pub fn failure(&self) -> Option<(&str, &Failure)> {
        self.failure.as_ref().map(|(step, failure)| (step.as_str(), failure))
    }

    /// Whether nothing of this job is left: not begun, or taken back completely.
    pub fn is_clean(&self) -> bool {
        self.done.is_empty() && self.top.is_none()
    }

    /// Whether every step has succeeded.
    pub fn is_complete(&self) -> bool {
        self.done.len() == self.steps.len()
    }

    /// Whether a step is half taken back, so that the job can only be taken back further.
    pub fn is_undoing(&self) -> bool {
        matches!(self.top, Some((_, TopState::Undoing | TopState::UndoFailed(_))))
    }

    /// The step that an unwinding takes back next, by its place in the definition.
    pub fn newest(&self) -> Option<(usize, &Entry)> {
        match &self.top {
            Some((entry, _)) => Some((self.done.len(), entry)),
            None => self.done.last().map(|entry| (self.done.len() - 1, entry)),
        }
    }

    /// Adds the event with number `seq` about `step`. Nothing changes when it is refused.
    ///
    /// # Errors
    /// When the event cannot follow the ones before it.
    pub fn apply(&mut self, seq: i64, step: &str, event: &StepEvent) -> Result<(), IllegalEvent> {
        let expected = self.last_seq + 1;
        if seq != expected {
            return Err(IllegalEvent::Sequence { expected, found: seq });
        }
        let Some(place) = self.steps.iter().position(|known| known == step) else {
            return Err(IllegalEvent::UnknownStep { seq, step: step.to_owned() });
        };
        let allowed = match event {
            StepEvent::Started { intent } => self.start(seq, place, intent)?,
            StepEvent::Noted { note } => self.note(step, note),
            StepEvent::Succeeded { output } => self.succeed(step, output),
            StepEvent::Failed { failure } => self.fail(place, failure),
            StepEvent::UndoStarted => self.start_undo(step),
            StepEvent::Undone => self.finish_undo(step),
            StepEvent::UndoFailed { failure } => self.fail_undo(step, failure),
        };
        if !allowed {
            let (step, event) = (step.to_owned(), event.name());
            return Err(IllegalEvent::Order { seq, step, event, standing: self.words() });
        }
        self.last_seq = seq;
        Ok(())
    }

    fn start(&mut self, seq: i64, place: usize, intent: &Value) -> Result<bool, IllegalEvent> {
        if place != self.done.len() {
            return Ok(false);
        }
        match &mut self.top {
            None => {
                let step = self.steps[place].clone();
                let entry = Entry { step, intent: intent.clone(), note: None, output: None };
                self.top = Some((entry, TopState::Running));
            }
            Some((_, TopState::Undoing | TopState::UndoFailed(_))) => return Ok(false),
            Some((entry, _)) if entry.intent != *intent => {
                return Err(IllegalEvent::IntentChanged { seq, step: entry.step.clone() });
            }
            Some((_, state)) => *state = TopState::Running,
        }
        Ok(true)
    }

    fn note(&mut self, step: &str, note: &Value) -> bool {
        match &mut self.top {
            Some((entry, TopState::Running | TopState::Undoing)) if entry.step == step => {
                entry.note = Some(note.clone());
                true
            }
            _ => false,
        }
    }

    fn succeed(&mut self, step: &str, output: &Value) -> bool {
        match self.top.take() {
            Some((mut entry, TopState::Running)) if entry.step == step => {
                entry.output = Some(output.clone());
                self.done.push(entry);
                self.failure = None;
                true
            }
            other => {
                self.top = other;
                false
            }
        }
    }

    /// A step may fail before it is started, while it decides what to do: then nothing is put on the stack.
    fn fail(&mut self, place: usize, failure: &Failure) -> bool {
        match &mut self.top {
            _ if place != self.done.len() => return false,
            None => {}
            Some((_, state @ TopState::Running)) => *state = TopState::Failed(failure.clone()),
            Some(_) => return false,
        }
        self.failure = Some((self.steps[place].clone(), failure.clone()));
        true
    }

    fn start_undo(&mut self, step: &str) -> bool {
        match &mut self.top {
            Some((entry, state)) if entry.step == step => *state = TopState::Undoing,
            Some(_) => return false,
            None => match self.done.pop_if(|entry| entry.step == step) {
                Some(entry) => self.top = Some((entry, TopState::Undoing)),
                None => return false,
            },
        }
        true
    }

    fn finish_undo(&mut self, step: &str) -> bool {
        let undone = matches!(&self.top, Some((entry, TopState::Undoing)) if entry.step == step);
        if undone {
            self.top = None;
        }
        undone
    }

    fn fail_undo(&mut self, step: &str, failure: &Failure) -> bool {
        match &mut self.top {
            Some((entry, state @ TopState::Undoing)) if entry.step == step => {
                *state = TopState::UndoFailed(failure.clone());
                true
            }
            _ => false,
        }
    }

    fn words(&self) -> String {
        match (&self.top, self.done.last()) {
            (Some((entry, state)), _) => format!("step {:?} {}", entry.step, state.words()),
            (None, Some(entry)) => format!("step {:?} is done and the next one not begun", entry.step),
            (None, None) => "no step was begun".to_owned(),
        }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
