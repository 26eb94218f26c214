//! What a running job writes: events, console lines, progress. The only way from a job to the store.
//!
//! Events are written at once and one after the other. Console lines are told live, and written a moment later
//! together, but always before the next event, so that the store never shows an outcome without the lines
//! that led to it. Progress is told live and written now and then.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Notify;

use super::clock::Clock;
use super::crashpoint::Recording;
use super::error::Fault;
use super::events::{Hub, JobUpdate};
use super::log::Standing;
use crate::domain::causes::with_causes;
use crate::domain::ids::JobId;
use crate::domain::job::{ConsoleLine, EventRecord, Failure, Job, JobState, Level, StepEvent};
use crate::store::{JobChange, Store};

/// How long console lines may wait for company before they are written.
const LINES_WAIT: Duration = Duration::from_millis(100);
/// How long progress may wait before it is written.
const PROGRESS_WAIT: Duration = Duration::from_millis(500);

/// What a running job writes.
pub(super) struct Journal {
    job: JobId,
    store: Store,
    hub: Hub,
    clock: Arc<dyn Clock>,
    /// Held while a note is read and replaced.
    pub(super) noting: tokio::sync::Mutex<()>,
    /// Whose turn it is to write to the store.
    turn: tokio::sync::Mutex<Turn>,
    standing: Mutex<Standing>,
    pending: Mutex<Pending>,
    something_pending: Notify,
}

/// What was written that decides whether the job can still be stopped.
#[derive(Default)]
struct Turn {
    ended: bool,
    unwinding: bool,
}

/// What became of the wish to stop a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CancelRequest {
    /// It is on the disk.
    Written,
    /// The job ended before.
    Ended,
    /// The job is being taken back, which goes on.
    Unwinding,
}

/// Told, but not written yet.
#[derive(Default)]
struct Pending {
    lines: Vec<ConsoleLine>,
    next_line: i64,
    percent: Option<u8>,
    shown_percent: u8,
    details: Option<Value>,
    warnings: Vec<String>,
}

impl Journal {
    /// The journal of `job`, whose log folds to `standing` and whose last console line is `last_line`.
    pub(super) fn new(
        job: &Job,
        standing: Standing,
        last_line: i64,
        (store, hub, clock): (Store, Hub, Arc<dyn Clock>),
    ) -> Self {
        let shown_percent = job.progress_percent;
        let pending = Pending { next_line: last_line + 1, shown_percent, ..Pending::default() };
        Self {
            job: job.id,
            store,
            hub,
            clock,
            noting: tokio::sync::Mutex::default(),
            turn: tokio::sync::Mutex::new(Turn { ended: false, unwinding: job.unwinding }),
            standing: Mutex::new(standing),
            pending: Mutex::new(pending),
            something_pending: Notify::new(),
        }
    }

    /// Where the job stands: every event that was recorded, folded.
    pub(super) fn standing(&self) -> Standing {
        lock(&self.standing).clone()
    }

    /// Records `event` of `step` together with `change` and whatever is pending, in one transaction.
    pub(super) async fn record(&self, step: &str, event: StepEvent, change: JobChange) -> Result<(), Fault> {
        let mut turn = self.turn.lock().await;
        self.write_lines().await?;
        let mut next = self.standing();
        let seq = next.last_seq() + 1;
        next.apply(seq, step, &event).map_err(|source| Fault::Log { job: self.job, source })?;
        let record = EventRecord { job: self.job, seq, at: self.clock.now(), step: step.to_owned(), event };
        let change = self.with_pending(change);
        let recording = Recording::begin();
        self.store.record_event(&record, &change).await.map_err(|source| {
            self.put_back(&change);
            Fault::Store { attempted: format!("record what step {step:?} of job {} did", self.job), source }
        })?;
        recording.end();
        *lock(&self.standing) = next;
        turn.see(&change);
        self.tell(&change);
        Ok(())
    }

    /// Changes the job's row, with whatever is pending, without an event.
    pub(super) async fn change(&self, change: JobChange) -> Result<(), Fault> {
        let mut turn = self.turn.lock().await;
        self.write_lines().await?;
        self.write_change(change, &mut turn).await
    }

    /// Writes down that a person wants the job to stop, if that is still possible.
    pub(super) async fn request_cancel(&self) -> Result<CancelRequest, Fault> {
        let mut turn = self.turn.lock().await;
        if turn.ended {
            return Ok(CancelRequest::Ended);
        }
        if turn.unwinding {
            return Ok(CancelRequest::Unwinding);
        }
        let state = Some(JobState::Cancelling);
        let change = JobChange { cancel_requested: Some(true), state, ..JobChange::default() };
        self.write_change(change, &mut turn).await?;
        Ok(CancelRequest::Written)
    }

    /// Records a note of `step`.
    pub(super) async fn note(&self, step: &str, note: Value) -> Result<(), Failure> {
        self.record(step, StepEvent::Noted { note }, JobChange::default()).await.map_err(|fault| {
            Failure::transient(format!(
                "Keeping a note of step {step:?} did not work: {}.",
                with_causes(&fault)
            ))
        })
    }

    pub(super) fn last_note(&self, step: &str) -> Option<Value> {
        let standing = lock(&self.standing);
        let top = standing.top().map(|(entry, _)| entry);
        top.filter(|entry| entry.step == step).and_then(|entry| entry.note.clone())
    }

    pub(super) fn console(&self, level: Level, message: String) {
        let line = {
            let mut pending = lock(&self.pending);
            let line = ConsoleLine { seq: pending.next_line, at: self.clock.now(), level, message };
            pending.next_line += 1;
            pending.lines.push(line.clone());
            line
        };
        self.hub.tell(JobUpdate::Console { job: self.job, line });
        self.something_pending.notify_one();
    }

    pub(super) fn warn(&self, message: String) {
        lock(&self.pending).warnings.push(message.clone());
        self.console(Level::Warn, message);
    }

    /// What a person has seen never goes back: a step that starts again shows nothing until it is further.
    pub(super) fn progress(&self, percent: u8) {
        let mut pending = lock(&self.pending);
        if percent <= pending.shown_percent {
            return;
        }
        pending.percent = Some(percent);
        pending.shown_percent = percent;
        self.hub.tell(JobUpdate::Progress { job: self.job, percent, details: Value::Null });
        self.something_pending.notify_one();
    }

    pub(super) fn details(&self, details: Value) {
        let mut pending = lock(&self.pending);
        pending.details = Some(details.clone());
        self.hub.tell(JobUpdate::Progress { job: self.job, percent: pending.shown_percent, details });
        self.something_pending.notify_one();
    }

    /// Writes what is pending now and then, for as long as it is polled. What cannot be written stays pending,
    /// and the next event reports why.
    pub(super) async fn keep_writing(&self) -> Infallible {
        let mut progress_written: Option<Instant> = None;
        loop {
            self.something_pending.notified().await;
            tokio::time::sleep(LINES_WAIT).await;
            let mut turn = self.turn.lock().await;
            if self.write_lines().await.is_err() || !lock(&self.pending).has_progress() {
                continue;
            }
            if progress_written.is_some_and(|at| at.elapsed() < PROGRESS_WAIT) {
                self.something_pending.notify_one();
                continue;
            }
            progress_written = Some(Instant::now());
            let _ = self.write_change(JobChange::default(), &mut turn).await;
        }
    }

    async fn write_change(&self, change: JobChange, turn: &mut Turn) -> Result<(), Fault> {
        let change = self.with_pending(change);
        self.store.change_job(self.job, &change).await.map_err(|source| {
            self.put_back(&change);
            Fault::Store { attempted: format!("write down how job {} stands", self.job), source }
        })?;
        turn.see(&change);
        self.tell(&change);
        Ok(())
    }

    async fn write_lines(&self) -> Result<(), Fault> {
        let lines = std::mem::take(&mut lock(&self.pending).lines);
        if lines.is_empty() {
            return Ok(());
        }
        self.store.write_console(self.job, &lines).await.map_err(|source| {
            let mut pending = lock(&self.pending);
            let newer = std::mem::replace(&mut pending.lines, lines);
            pending.lines.extend(newer);
            Fault::Store { attempted: format!("write the console of job {}", self.job), source }
        })
    }

    fn with_pending(&self, mut change: JobChange) -> JobChange {
        let mut pending = lock(&self.pending);
        let waiting = pending.percent.take();
        match change.progress_percent {
            Some(percent) => {
                pending.shown_percent = pending.shown_percent.max(percent);
                change.progress_percent = Some(pending.shown_percent);
            }
            None => change.progress_percent = waiting,
        }
        let details = pending.details.take();
        change.details = change.details.or(details);
        let mut warnings = std::mem::take(&mut pending.warnings);
        warnings.append(&mut change.add_warnings);
        change.add_warnings = warnings;
        change
    }

    /// Keeps the warnings of a change that was not written. Progress is told again soon enough.
    fn put_back(&self, change: &JobChange) {
        let mut pending = lock(&self.pending);
        pending.warnings.splice(0..0, change.add_warnings.iter().cloned());
    }

    fn tell(&self, change: &JobChange) {
        let job = self.job;
        if let Some(phase) = &change.phase {
            self.hub.tell(JobUpdate::Phase { job, phase: phase.clone() });
        }
        if change.progress_percent.is_some() {
            // While it was being written the step may have told more.
            let pending = lock(&self.pending);
            let percent = pending.shown_percent;
            self.hub.tell(JobUpdate::Progress { job, percent, details: Value::Null });
        }
        if let Some(state) = change.state {
            self.hub.tell(JobUpdate::State { job, state });
        }
    }
}

impl Pending {
    fn has_progress(&self) -> bool {
        self.percent.is_some() || self.details.is_some() || !self.warnings.is_empty()
    }
}

impl Turn {
    fn see(&mut self, change: &JobChange) {
        let stops = |state: JobState| state.is_final() || state == JobState::Waiting;
        self.ended |= change.state.is_some_and(stops);
        self.unwinding = change.unwinding.unwrap_or(self.unwinding);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
