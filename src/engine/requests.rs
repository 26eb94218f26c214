//! What a person may ask of a job: make it, stop it, go on with it, take it back, wait for it.

use serde_json::Value;

use super::definition::{AfterSuccess, UndoKind};
use super::error::{EngineError, Fault, state_words};
use super::journal::CancelRequest;
use super::log::{self, Standing};
use super::{Engine, JobUpdate, Watcher};
use crate::domain::ids::JobId;
use crate::domain::job::{Failure, Job, JobState};
use crate::store::JobChange;

impl Engine {
    /// Makes a job and queues it. It is durable when this returns.
    ///
    /// # Errors
    /// When there is no such kind, or the store does not take it.
    pub async fn enqueue(&self, kind: &str, input: Value, created_by: &str) -> Result<JobId, EngineError> {
        let job = self.new_job(kind, input, created_by)?;
        self.read("queue a job", self.inner.store.insert_job(&job).await)?;
        self.inner.hub.tell(JobUpdate::State { job: job.id, state: job.state });
        self.inner.wake.notify_one();
        Ok(job.id)
    }

    /// A job that is not kept yet, for whoever keeps it together with something else; then [`queued`](Self::queued).
    ///
    /// # Errors
    /// When there is no such kind.
    pub fn draft(&self, kind: &str, input: Value, created_by: &str) -> Result<Job, EngineError> {
        self.new_job(kind, input, created_by)
    }

    /// Says that a [`draft`](Self::draft) is kept now, so that it is taken up.
    pub fn queued(&self, job: &Job) {
        self.inner.hub.tell(JobUpdate::State { job: job.id, state: job.state });
        self.inner.wake.notify_one();
    }

    pub(super) fn new_job(&self, kind: &str, input: Value, created_by: &str) -> Result<Job, EngineError> {
        if !self.inner.registry.contains_key(kind) {
            return Err(EngineError::UnknownKind { kind: kind.to_owned() });
        }
        Ok(Job::queued(JobId::new(), kind, input, created_by, self.inner.clock.now()))
    }

    /// Asks a job to stop. A queued one is cancelled when this returns; a running one is told to, and what
    /// was asked survives a restart. What the job did stays, until a [cleanup](Self::cleanup). Asking twice is
    /// no error.
    ///
    /// # Errors
    /// When the job has ended, or is being taken back.
    pub async fn cancel(&self, id: JobId) -> Result<(), EngineError> {
        let _gate = self.inner.gate.lock().await;
        let refuse = |why: &str| Err(EngineError::NotCancellable { job: id, why: why.to_owned() });
        let live = self.inner.live().get(&id).cloned();
        if let Some(live) = live {
            match live.journal.request_cancel().await? {
                CancelRequest::Written => {
                    live.cancelled.cancel();
                    return Ok(());
                }
                CancelRequest::Unwinding => return refuse(UNWINDING),
                CancelRequest::Ended => {}
            }
        }
        let job = self.job(id).await?;
        let finished_at = Some(Some(self.inner.clock.now()));
        let asked = JobChange { cancel_requested: Some(true), ..JobChange::default() };
        let change = match job.state {
            JobState::Queued | JobState::Running if job.unwinding => return refuse(UNWINDING),
            JobState::Queued | JobState::Interrupted => {
                let failure = Some(Some(Failure::cancelled("Cancelled before it went on.")));
                JobChange { state: Some(JobState::Cancelled), failure, finished_at, ..asked }
            }
            // Left by a crash and not taken up yet: it will be, in order to be stopped.
            JobState::Running => JobChange { state: Some(JobState::Cancelling), ..asked },
            JobState::Cancelling => return Ok(()),
            state => return refuse(state_words(state)),
        };
        self.change(id, change).await?;
        self.inner.wake.notify_one();
        Ok(())
    }

    /// Queues a job again that failed or was cancelled; it goes on with the step that was not done.
    ///
    /// # Errors
    /// When the job has not ended, has succeeded, or is half taken back.
    pub async fn retry(&self, id: JobId) -> Result<(), EngineError> {
        let _gate = self.inner.gate.lock().await;
        let job = self.job(id).await?;
        let refuse = |why: &str| Err(EngineError::NotRetriable { job: id, why: why.to_owned() });
        if !matches!(job.state, JobState::Failed | JobState::Cancelled | JobState::Interrupted) {
            return refuse(state_words(job.state));
        }
        if self.standing(id).await?.is_undoing() {
            return refuse("it is half taken back; a cleanup can finish that");
        }
        let change = JobChange { unwinding: Some(false), cancel_requested: Some(false), ..queued_again() };
        self.change(id, change).await?;
        self.inner.wake.notify_one();
        Ok(())
    }

    /// Queues a job to have everything taken back that it did, newest step first. For a job that failed, was
    /// cancelled, was interrupted, or whose taking back did not work the last time; for one that succeeded
    /// only if its kind allows it.
    ///
    /// # Errors
    /// When the job has not ended, when nothing of it is left, or when a step cannot be taken back.
    pub async fn cleanup(&self, id: JobId) -> Result<(), EngineError> {
        let _gate = self.inner.gate.lock().await;
        let job = self.job(id).await?;
        let refuse = |why: String| Err(EngineError::NotUndoable { job: id, why });
        if matches!(job.state, JobState::Queued | JobState::Running | JobState::Cancelling) {
            return refuse(state_words(job.state).to_owned());
        }
        let standing = self.standing(id).await?;
        if let Some(why) = self.why_not_undone(&job, &standing)? {
            return refuse(why);
        }
        self.change(id, JobChange { unwinding: Some(true), ..queued_again() }).await?;
        self.inner.wake.notify_one();
        Ok(())
    }

    fn why_not_undone(&self, job: &Job, standing: &Standing) -> Result<Option<String>, EngineError> {
        let definition = self.definition(&job.kind)?;
        let cannot = |place: usize| match definition.steps[place].undo_kind() {
            UndoKind::Cannot(why) => {
                Some(format!("step {:?} cannot be taken back: {why}", definition.steps[place].name()))
            }
            UndoKind::Undoes | UndoKind::Nothing(_) => None,
        };
        let Some((newest, _)) = standing.newest() else {
            return Ok(Some("nothing of it is left".to_owned()));
        };
        if job.state != JobState::Succeeded {
            return Ok(cannot(newest));
        }
        Ok(match definition.after_success {
            AfterSuccess::Final => Some("it has succeeded, and what it did may be in use".to_owned()),
            AfterSuccess::MayBeUndone => (0..=newest).rev().find_map(cannot),
        })
    }

    /// The steps of a kind with their parts of the progress, in percent from and to; empty for an unknown kind.
    pub fn phases(&self, kind: &str) -> Vec<(&'static str, (u8, u8))> {
        let steps = self.definition(kind).map(|definition| definition.steps.as_slice()).unwrap_or_default();
        steps.iter().map(|step| (step.name(), step.percent())).collect()
    }

    /// Everything that happens to a job from now on.
    pub fn watch(&self, id: JobId) -> Watcher {
        self.inner.hub.watch(Some(id))
    }

    /// Everything that happens to any job from now on.
    pub fn watch_all(&self) -> Watcher {
        self.inner.hub.watch(None)
    }

    /// Waits until a job has ended or waits for a person. Somebody else must run the engine meanwhile.
    ///
    /// # Errors
    /// When there is no such job, or the store cannot be read.
    pub async fn wait(&self, id: JobId) -> Result<Job, EngineError> {
        let mut watcher = self.watch(id);
        loop {
            let job = self.job(id).await?;
            let stopped = matches!(job.state, JobState::Waiting | JobState::Interrupted);
            if job.state.is_final() || stopped {
                return Ok(job);
            }
            while !matches!(watcher.next().await, None | Some(JobUpdate::State { .. } | JobUpdate::Refresh)) {
            }
        }
    }

    /// A job as it is stored.
    ///
    /// # Errors
    /// When there is no such job, or the store cannot be read.
    pub async fn job(&self, id: JobId) -> Result<Job, EngineError> {
        let job = self.read("read a job", self.inner.store.job(id).await)?;
        job.ok_or(EngineError::NoSuchJob { job: id })
    }

    /// Where a job stands according to its log: which steps are done, and what each returned.
    ///
    /// # Errors
    /// When there is no such job, or its log does not fit its kind.
    pub async fn standing(&self, id: JobId) -> Result<Standing, EngineError> {
        let definition = self.definition(&self.job(id).await?.kind)?;
        let events = self.read("read the log of a job", self.inner.store.events(id).await)?;
        let standing = log::fold(&events, &definition.step_names());
        Ok(standing.map_err(|source| Fault::Log { job: id, source })?)
    }

    pub(super) async fn change(&self, id: JobId, change: JobChange) -> Result<(), Fault> {
        self.read("write down how a job stands", self.inner.store.change_job(id, &change).await)?;
        if let Some(state) = change.state {
            self.inner.hub.tell(JobUpdate::State { job: id, state });
        }
        Ok(())
    }
}

const UNWINDING: &str = "what it did is being taken back, which is not stopped half-way";

fn queued_again() -> JobChange {
    JobChange { state: Some(JobState::Queued), finished_at: Some(None), ..JobChange::default() }
}
