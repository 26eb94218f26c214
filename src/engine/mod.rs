//! Runs jobs durably: claims them, runs their steps, records every event, resumes after a crash, schedules.
//!
//! In: what is true of every job. Out: HTTP, vSphere, ZFS; those are for the jobs themselves.
//!
//! What holds, whatever happens to the process:
//! - A job's log is written before and after each step acts; its standing is a fold of that log ([`log`]).
//! - A job ends as it would have without the crash, because every step is idempotent and its intent is
//!   decided once; `tests/laws.rs` holds every kind of job to that.
//! - Two jobs that name the same lock never run at the same time ([`locks`]).
//!
//! Reading order: [`definition`], [`log`], `runner.rs` and `unwind.rs`, `dispatch.rs`, `requests.rs`.

pub mod clock;
pub mod context;
mod crashpoint;
pub mod definition;
mod dispatch;
pub mod due;
mod error;
mod events;
mod journal;
pub mod locks;
pub mod log;
pub mod reconcile;
mod requests;
mod runner;
mod scheduler;
#[cfg(test)]
mod tests;
mod unwind;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use clock::{Clock, ManualClock, SystemClock};
pub use context::StepContext;
pub use definition::{AfterFailure, AfterSuccess, Definition, Retry, Step, UndoKind};
pub use error::{EngineError, Fault};
pub use events::{JobUpdate, Watcher};
pub use locks::LockName;

use crate::domain::causes::with_causes;
use crate::domain::ids::JobId;
use crate::store::Store;
use dispatch::{REST, Tasks};
use events::Hub;
use journal::Journal;

/// Runs jobs. Cheap to clone; the clones are one engine.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

/// How an engine runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many jobs run at the same time; more wait in the queue.
    pub max_running: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_running: 64 }
    }
}

struct Inner {
    store: Store,
    registry: BTreeMap<&'static str, Arc<Definition>>,
    clock: Arc<dyn Clock>,
    options: Options,
    hub: Hub,
    /// Something may have become possible: a job was queued, a lock let go.
    wake: Arc<Notify>,
    /// One at a time changes the state of a job that does not run. Holds which job was told whom it waits for.
    gate: tokio::sync::Mutex<HashSet<(JobId, JobId)>>,
    /// One at a time drives the jobs.
    driver: tokio::sync::Mutex<()>,
    live: Mutex<HashMap<JobId, Live>>,
}

/// A job that runs in this process.
#[derive(Clone)]
struct Live {
    journal: Arc<Journal>,
    cancelled: CancellationToken,
}

impl Inner {
    fn live(&self) -> MutexGuard<'_, HashMap<JobId, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// An engine for the kinds in `registry`. Of two with the same name the last one stays.
    pub fn new(store: Store, registry: Vec<Definition>, clock: Arc<dyn Clock>) -> Self {
        Self::with_options(store, registry, clock, Options::default())
    }

    /// The same, run as `options` say.
    pub fn with_options(
        store: Store,
        registry: Vec<Definition>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Self {
        let registry = registry.into_iter().map(|kind| (kind.kind, Arc::new(kind))).collect();
        let inner = Inner {
            store,
            registry,
            clock,
            options,
            hub: Hub::new(),
            wake: Arc::default(),
            gate: tokio::sync::Mutex::default(),
            driver: tokio::sync::Mutex::default(),
            live: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Runs what is queued, and what a crash left running, until nothing more can be done now.
    ///
    /// # Errors
    /// At the first fault; the jobs still running then stop as in a crash.
    pub async fn run_until_idle(&self) -> Result<(), EngineError> {
        let _driver = self.inner.driver.lock().await;
        let mut tasks = Tasks::new();
        loop {
            self.dispatch(&mut tasks, Duration::ZERO).await?;
            tokio::select! {
                ended = tasks.join_next() => match ended {
                    None => return Ok(()),
                    Some(Ok(outcome)) => outcome?,
                    Some(Err(error)) => tracing::error!("the task of a job was lost: {error}"),
                },
                () = self.inner.wake.notified() => {}
            }
        }
    }

    /// Runs jobs and makes those that are scheduled, until `shutdown` fires. Jobs running then stop as in a
    /// crash, and go on at the next start.
    pub async fn serve(&self, shutdown: CancellationToken) {
        let _driver = self.inner.driver.lock().await;
        let mut tasks = Tasks::new();
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            ((), ()) = async { tokio::join!(self.drive(&mut tasks), self.schedule()) } => {}
        }
        tasks.shutdown().await;
    }

    async fn drive(&self, tasks: &mut Tasks) {
        loop {
            if let Err(fault) = self.dispatch(tasks, REST).await {
                tracing::error!("no job can be started now: {}", with_causes(&fault));
                self.inner.clock.sleep(REST).await;
                continue;
            }
            tokio::select! {
                Some(_) = tasks.join_next() => {}
                () = self.inner.wake.notified() => {}
            }
        }
    }

    fn definition(&self, kind: &str) -> Result<&Arc<Definition>, EngineError> {
        self.inner.registry.get(kind).ok_or_else(|| EngineError::UnknownKind { kind: kind.to_owned() })
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("kinds", &self.inner.registry.keys()).finish_non_exhaustive()
    }
}
