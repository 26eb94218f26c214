//! Reconcilers: small tasks that make the world match what the database wants.
//!
//! A reconciler has no input, so that its way after a crash is the same as always. It is idempotent. It is woken
//! by a signal and by a timer, runs one at a time, and does not retry by itself: the timer does. How its
//! last run went is kept for people to look at.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::runner::panic_words;
use crate::domain::job::Failure;

/// Makes one part of the world match what the database wants.
#[async_trait]
pub trait Reconciler: Send + Sync {
    /// Unique; what people see.
    fn name(&self) -> &'static str;

    /// How long after a run it runs again without a signal.
    fn every(&self) -> Duration;

    /// Looks, and changes what differs. Returns one sentence on what it did. Killed at any moment, it must
    /// find its way by running again.
    async fn run(&self) -> Result<String, Failure>;

    /// Ends what it has set going, before the process lets go of the database. It does not run any more then.
    async fn stop(&self) {}
}

/// How a reconciler is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Status {
    /// Whether it runs now.
    pub running: bool,
    /// How often it has run since the process began.
    pub runs: u64,
    /// When its last run ended.
    pub last_run: Option<Timestamp>,
    /// What its last good run did.
    pub last_result: Option<String>,
    /// Why its last run failed; gone after a good one.
    pub last_error: Option<Failure>,
}

struct Entry {
    reconciler: Arc<dyn Reconciler>,
    signal: Arc<Notify>,
    status: Arc<Mutex<Status>>,
}

/// The reconcilers of this process.
pub struct Reconcilers {
    clock: Arc<dyn Clock>,
    entries: BTreeMap<&'static str, Entry>,
}

impl Reconcilers {
    /// `reconcilers`, on `clock`. Of two with the same name the last one stays.
    pub fn new(clock: Arc<dyn Clock>, reconcilers: Vec<Arc<dyn Reconciler>>) -> Self {
        let entry = |reconciler: Arc<dyn Reconciler>| {
            (reconciler.name(), Entry { reconciler, signal: Arc::default(), status: Arc::default() })
        };
        Self { clock, entries: reconcilers.into_iter().map(entry).collect() }
    }

    /// Makes the one with this name run as soon as it can. A signal during a run causes one more run. False:
    /// there is none with this name.
    pub fn wake(&self, name: &str) -> bool {
        self.entries.get(name).inspect(|entry| entry.signal.notify_one()).is_some()
    }

    /// How each is doing, by name.
    pub fn statuses(&self) -> BTreeMap<&'static str, Status> {
        self.entries.iter().map(|(&name, entry)| (name, lock(&entry.status).clone())).collect()
    }

    /// Runs them all, each once at the beginning, until `shutdown` fires. Nothing of theirs runs afterwards.
    pub async fn serve(&self, shutdown: CancellationToken) {
        let mut tasks = JoinSet::new();
        for entry in self.entries.values() {
            let (reconciler, signal) = (entry.reconciler.clone(), entry.signal.clone());
            tasks.spawn(run_for_ever(reconciler, signal, entry.status.clone(), self.clock.clone()));
        }
        shutdown.cancelled().await;
        tasks.shutdown().await;
        for entry in self.entries.values() {
            entry.reconciler.stop().await;
        }
    }
}

async fn run_for_ever(
    reconciler: Arc<dyn Reconciler>,
    signal: Arc<Notify>,
    status: Arc<Mutex<Status>>,
    clock: Arc<dyn Clock>,
) {
    loop {
        lock(&status).running = true;
        let outcome = AssertUnwindSafe(reconciler.run()).catch_unwind().await.unwrap_or_else(|panic| {
            Err(Failure::permanent(format!("{} panicked: {}", reconciler.name(), panic_words(&*panic))))
        });
        {
            let mut status = lock(&status);
            status.running = false;
            status.runs += 1;
            status.last_run = Some(clock.now());
            match outcome {
                Ok(result) => (status.last_result, status.last_error) = (Some(result), None),
                Err(failure) => {
                    tracing::warn!(reconciler = reconciler.name(), %failure, "a reconciler failed");
                    status.last_error = Some(failure);
                }
            }
        }
        tokio::select! {
            () = signal.notified() => {}
            () = clock.sleep(reconciler.every()) => {}
        }
    }
}

fn lock(status: &Mutex<Status>) -> MutexGuard<'_, Status> {
    status.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::sync::mpsc;

    use super::*;
    use crate::engine::ManualClock;

    /// Fails on its first run, panics on its second, then works.
    struct Flaky {
        runs: AtomicU64,
        ran: mpsc::UnboundedSender<u64>,
        stopped: Arc<AtomicU64>,
    }

    #[async_trait]
    impl Reconciler for Flaky {
        fn name(&self) -> &'static str {
            "flaky"
        }
        fn every(&self) -> Duration {
            Duration::from_secs(60)
        }
        async fn run(&self) -> Result<String, Failure> {
            let run = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
            self.ran.send(run).unwrap();
            match run {
                1 => Err(Failure::transient("no answer")),
                2 => panic!("a bug"),
                _ => Ok("nothing differed".to_owned()),
            }
        }
        async fn stop(&self) {
            self.stopped.fetch_add(1, Ordering::SeqCst);
        }
    }

    async fn until(condition: impl Fn() -> bool) {
        while !condition() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_reconciler_is_woken_by_signal_and_timer_and_outlives_failures_and_panics() {
        let (ran, mut runs) = mpsc::unbounded_channel();
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let stopped = Arc::new(AtomicU64::new(0));
        let flaky = Arc::new(Flaky { runs: AtomicU64::new(0), ran, stopped: Arc::clone(&stopped) });
        let reconcilers = Arc::new(Reconcilers::new(clock.clone(), vec![flaky]));
        let (shutdown, served) = (CancellationToken::new(), reconcilers.clone());
        let token = shutdown.clone();
        let task = tokio::spawn(async move { served.serve(token).await });
        let status = || reconcilers.statuses()["flaky"].clone();

        assert_eq!(runs.recv().await, Some(1));
        until(|| status().runs == 1).await;
        assert_eq!(status().last_error.unwrap().message, "no answer");

        assert!(reconcilers.wake("flaky") && !reconcilers.wake("nobody"));
        assert_eq!(runs.recv().await, Some(2));
        until(|| status().runs == 2 && clock.sleepers() == 1).await;
        assert!(status().last_error.unwrap().message.contains("a bug"));

        clock.advance(Duration::from_secs(60));
        assert_eq!(runs.recv().await, Some(3));
        until(|| status().runs == 3).await;
        assert_eq!((status().last_error, status().last_result.as_deref()), (None, Some("nothing differed")));

        assert_eq!(stopped.load(Ordering::SeqCst), 0);
        shutdown.cancel();
        task.await.unwrap();
        assert_eq!(stopped.load(Ordering::SeqCst), 1);
    }
}
