//! Chooses which jobs run now, and starts them.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::definition::Definition;
use super::error::Fault;
use super::journal::Journal;
use super::locks::Claims;
use super::log;
use super::runner::{Runner, panic_words};
use super::{Engine, Live};
use crate::domain::causes::with_causes;
use crate::domain::ids::JobId;
use crate::domain::job::{ConsoleLine, Failure, Job, JobState, Level};
use crate::store::{JobChange, LockOutcome, StoreError};

/// How long a job rests whose events could not be recorded, before it is taken up again.
pub(super) const REST: Duration = Duration::from_secs(10);

/// The jobs running now, each in a task of its own. Dropped, they stop as in a crash.
pub(super) type Tasks = JoinSet<Result<(), Fault>>;

impl Engine {
    /// Starts every job that may run now: first those that a crash left running, then the queue, oldest
    /// first. After a fault a job rests for `rest`.
    pub(super) async fn dispatch(&self, tasks: &mut Tasks, rest: Duration) -> Result<(), Fault> {
        let mut told = self.inner.gate.lock().await;
        // First who runs here, then what the store says: a job that ends in between is then not taken for one
        // that a crash left running.
        let live: HashSet<JobId> = self.inner.live().keys().copied().collect();
        let jobs = self.read("list the unfinished jobs", self.inner.store.unfinished_jobs().await)?;
        let (left_running, queued) = sort(jobs, &live);
        let mut claims = self.held_by_the_living(live, &left_running).await?;
        for job in left_running.into_iter().chain(queued) {
            if self.inner.live().len() >= self.inner.options.max_running {
                break;
            }
            let Some((definition, locks)) = self.requirements(&job).await? else { continue };
            match claims.claim(job.id, &locks) {
                Err((lock, holder)) => {
                    if told.insert((job.id, holder)) {
                        self.tell_waiting(&job, &lock, holder).await?;
                    }
                }
                Ok(()) => {
                    told.retain(|(waiting, _)| *waiting != job.id);
                    if self.take_locks(&job, &locks).await? {
                        self.start(definition, job, tasks, rest).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The locks that are held by jobs that run or will be taken up again. Whatever else is in the table was
    /// left by a crash, or by a job that waits for a person, and is let go.
    async fn held_by_the_living(
        &self,
        mut living: HashSet<JobId>,
        left_running: &[Job],
    ) -> Result<Claims, Fault> {
        living.extend(left_running.iter().map(|job| job.id));
        let locks = self.read("list the locks", self.inner.store.locks().await)?;
        let (held, left): (Vec<_>, Vec<_>) = locks.into_iter().partition(|lock| living.contains(&lock.job));
        for job in left.into_iter().map(|lock| lock.job).collect::<HashSet<_>>() {
            self.read("let go what an ended job held", self.inner.store.release_locks(job).await)?;
        }
        Ok(Claims::beside(held.into_iter().map(|lock| (lock.name, lock.job))))
    }

    /// The definition of a job and the locks it needs; without them the job is put aside.
    async fn requirements(&self, job: &Job) -> Result<Option<(Arc<Definition>, Vec<String>)>, Fault> {
        let Some(definition) = self.inner.registry.get(job.kind.as_str()).cloned() else {
            let message = format!("This version of Zerfaux knows no kind of job called {:?}.", job.kind);
            self.put_aside(job, JobState::Interrupted, Failure::permanent(message)).await?;
            return Ok(None);
        };
        match (definition.locks)(&job.input) {
            Ok(names) => Ok(Some((definition, names.into_iter().map(String::from).collect()))),
            Err(failure) => {
                self.put_aside(job, JobState::Failed, failure).await?;
                Ok(None)
            }
        }
    }

    async fn take_locks(&self, job: &Job, names: &[String]) -> Result<bool, Fault> {
        if names.is_empty() {
            return Ok(true);
        }
        let outcome = self.inner.store.acquire_locks(job.id, names).await;
        Ok(self.read("take the locks of a job", outcome)? == LockOutcome::Acquired)
    }

    async fn start(
        &self,
        definition: Arc<Definition>,
        job: Job,
        tasks: &mut Tasks,
        rest: Duration,
    ) -> Result<(), Fault> {
        let events = self.read("read the log of a job", self.inner.store.events(job.id).await)?;
        let standing = match log::fold(&events, &definition.step_names()) {
            Ok(standing) => standing,
            Err(source) => {
                let fault = Fault::Log { job: job.id, source };
                let failure = Failure::permanent(format!("{}.", with_causes(&fault)));
                return self.put_aside(&job, JobState::Interrupted, failure).await;
            }
        };
        let last_line =
            self.read("read the console of a job", self.inner.store.last_console_seq(job.id).await)?;
        let cancelled = CancellationToken::new();
        let mut state = JobState::Running;
        if job.cancel_requested && !job.unwinding {
            cancelled.cancel();
            state = JobState::Cancelling;
        }
        let (store, hub, clock) = (&self.inner.store, &self.inner.hub, &self.inner.clock);
        let journal =
            Arc::new(Journal::new(&job, standing, last_line, (store.clone(), hub.clone(), clock.clone())));
        if job.state != JobState::Queued {
            journal
                .console(Level::Info, "Zerfaux was restarted; the job goes on from where it was.".to_owned());
        }
        let started_at = job.started_at.is_none().then(|| clock.now());
        journal.change(JobChange { state: Some(state), started_at, ..JobChange::default() }).await?;
        let live = Live { journal: journal.clone(), cancelled: cancelled.clone() };
        let (job, clock, wake) = (Arc::new(job), clock.clone(), Arc::clone(&self.inner.wake));
        let runner = Runner { definition, job, journal, clock, cancelled, wake };
        tasks.spawn(self.clone().run_one(runner, live, rest));
        Ok(())
    }

    /// The task of one job. Registers the job before its first await, through the argument.
    fn run_one(
        self,
        runner: Runner,
        live: Live,
        rest: Duration,
    ) -> impl Future<Output = Result<(), Fault>> + Send {
        let job = runner.job.id;
        self.inner.live().insert(job, live);
        let place = Place { engine: self, job };
        async move {
            let outcome = AssertUnwindSafe(runner.run()).catch_unwind().await.unwrap_or_else(|panic| {
                tracing::error!(%job, "the engine panicked: {}", panic_words(&*panic));
                Ok(())
            });
            if let Err(fault) = &outcome {
                tracing::error!(%job, "a job rests because it could not be recorded: {}", with_causes(fault));
                if !rest.is_zero() {
                    place.engine.inner.clock.sleep(rest).await;
                }
            }
            outcome
        }
    }

    /// Ends a job that cannot even begin.
    async fn put_aside(&self, job: &Job, state: JobState, failure: Failure) -> Result<(), Fault> {
        let finished_at = state.is_final().then(|| Some(self.inner.clock.now()));
        let change = JobChange {
            state: Some(state),
            failure: Some(Some(failure)),
            finished_at,
            ..JobChange::default()
        };
        self.change(job.id, change).await
    }

    async fn tell_waiting(&self, job: &Job, lock: &str, holder: JobId) -> Result<(), Fault> {
        let seq =
            self.read("read the console of a job", self.inner.store.last_console_seq(job.id).await)? + 1;
        let message = format!("Waits for {lock}, which job {holder} has or waited for first.");
        let line = ConsoleLine { seq, at: self.inner.clock.now(), level: Level::Info, message };
        let written = self.inner.store.write_console(job.id, std::slice::from_ref(&line)).await;
        self.read("write the console of a job", written)?;
        self.inner.hub.tell(super::JobUpdate::Console { job: job.id, line });
        Ok(())
    }

    /// Gives a store's answer the words for what was attempted.
    pub(super) fn read<T>(&self, attempted: &str, answer: Result<T, StoreError>) -> Result<T, Fault> {
        answer.map_err(|source| Fault::Store { attempted: attempted.to_owned(), source })
    }
}

/// The jobs that were running when the process before this one died, and those in the queue.
fn sort(jobs: Vec<Job>, live: &HashSet<JobId>) -> (Vec<Job>, Vec<Job>) {
    jobs.into_iter()
        .filter(|job| !live.contains(&job.id))
        .filter(|job| matches!(job.state, JobState::Running | JobState::Cancelling | JobState::Queued))
        .partition(|job| job.state != JobState::Queued)
}

/// A job's place among the running ones, given up when its task ends, however it ends.
struct Place {
    engine: Engine,
    job: JobId,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.engine.inner.live().remove(&self.job);
        self.engine.inner.wake.notify_one();
    }
}
