//! Time as the engine sees it, so that tests can hold it in their hands.
//!
//! Two times are told apart: the wall clock, which people set and which jumps, and the time that has passed
//! since the process began, which only grows. Waiting is measured in the second one.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// Where the engine gets the time from.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The wall clock. May jump either way at any moment.
    fn now(&self) -> Timestamp;

    /// What has passed since some fixed moment in this process. Never goes back.
    fn passed(&self) -> Duration;

    /// Returns once `wait` more has [passed](Self::passed).
    async fn sleep(&self, wait: Duration);
}

/// The machine's clock.
#[derive(Debug, Clone)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// The machine's clock, counting what passes from now on.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn passed(&self) -> Duration {
        self.start.elapsed()
    }

    async fn sleep(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }
}

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct ManualClock {
    wall: Mutex<Timestamp>,
    passed: watch::Sender<Duration>,
    auto: bool,
}

impl ManualClock {
    /// A clock that stands at `start`; sleepers wait for [`advance`](Self::advance).
    pub fn at(start: Timestamp) -> Self {
        Self { wall: Mutex::new(start), passed: watch::Sender::new(Duration::ZERO), auto: false }
    }

    /// A clock on which whoever sleeps moves the time on himself and goes on at once.
    pub fn sleepless(start: Timestamp) -> Self {
        Self { auto: true, ..Self::at(start) }
    }

    /// Lets time pass: the wall clock and all sleepers see it.
    pub fn advance(&self, by: Duration) {
        self.shift(SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX));
        self.passed.send_modify(|passed| *passed = passed.saturating_add(by));
    }

    /// Somebody sets the wall clock: no time passes. Beyond the range of timestamps nothing happens.
    pub fn shift(&self, by: SignedDuration) {
        let mut wall = self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(moved) = wall.checked_add(by) {
            *wall = moved;
        }
    }

    /// How many tasks sleep on this clock.
    pub fn sleepers(&self) -> usize {
        self.passed.receiver_count()
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.wall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn passed(&self) -> Duration {
        *self.passed.borrow()
    }

    async fn sleep(&self, wait: Duration) {
        if self.auto {
            self.advance(wait);
            return tokio::task::yield_now().await;
        }
        let until = self.passed().saturating_add(wait);
        let mut passed = self.passed.subscribe();
        // The sender lives in `self`, so this cannot fail while we are borrowed.
        let _ = passed.wait_for(|passed| *passed >= until).await;
    }
}
