//! Counting what goes through.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The rate is the mean over this time.
const WINDOW: Duration = Duration::from_secs(5);
/// How finely that time is divided.
const SLOT: Duration = Duration::from_millis(250);

/// Counts the bytes of one stream, for its progress display and for noticing that it stands still.
#[derive(Debug)]
pub struct Meter {
    bytes: AtomicU64,
    recent: Mutex<Recent>,
}

#[derive(Debug)]
struct Recent {
    since: Instant,
    last_activity: Instant,
    /// When a slot began and what was counted in it, the newest last.
    slots: VecDeque<(Instant, u64)>,
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

impl Meter {
    /// Nothing counted yet; time runs from now.
    pub fn new() -> Self {
        Self::begun(Instant::now())
    }

    fn begun(now: Instant) -> Self {
        let recent = Recent { since: now, last_activity: now, slots: VecDeque::new() };
        Self { bytes: AtomicU64::new(0), recent: Mutex::new(recent) }
    }

    /// Bytes that were handed on so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts bytes that were handed on.
    pub fn add(&self, bytes: u64) {
        self.add_at(Instant::now(), bytes);
    }

    fn add_at(&self, now: Instant, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.last_activity = now;
        match recent.slots.back_mut() {
            Some((begun, counted)) if now.duration_since(*begun) < SLOT => *counted += bytes,
            _ => {
                recent.slots.push_back((now, bytes));
                recent.forget_old(now);
            }
        }
    }

    /// Something moved, though no byte was handed on: the stream was started or its limit was changed.
    pub fn note_activity(&self) {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).last_activity = Instant::now();
    }

    /// Bytes per second over the last 5 seconds, or since the beginning if that is less.
    pub fn rate(&self) -> u64 {
        self.rate_at(Instant::now())
    }

    fn rate_at(&self, now: Instant) -> u64 {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.forget_old(now);
        let counted: u64 = recent.slots.iter().map(|(_, bytes)| bytes).sum();
        let over = now.duration_since(recent.since).clamp(SLOT, WINDOW);
        (counted as f64 / over.as_secs_f64()) as u64
    }

    /// Time since the last byte. After five minutes a stream counts as stalled: that is shown, and nothing is
    /// ended for it.
    pub fn idle(&self) -> Duration {
        self.idle_at(Instant::now())
    }

    fn idle_at(&self, now: Instant) -> Duration {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        now.duration_since(recent.last_activity)
    }
}

impl Recent {
    fn forget_old(&mut self, now: Instant) {
        while self.slots.front().is_some_and(|(begun, _)| now.duration_since(*begun) >= WINDOW) {
            self.slots.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds_and_falls_to_nothing() {
        let mut now = Instant::now();
        let meter = Meter::begun(now);
        for _ in 0..100 {
            meter.add_at(now, 10_000);
            now += Duration::from_millis(100);
        }
        assert_eq!(meter.bytes(), 1_000_000);
        let rate = meter.rate_at(now);
        assert!((95_000..=105_000).contains(&rate), "{rate}");
        assert_eq!(meter.rate_at(now + Duration::from_secs(6)), 0);
    }

    #[test]
    fn a_young_stream_is_measured_over_its_own_age() {
        let begun = Instant::now();
        let meter = Meter::begun(begun);
        meter.add_at(begun + Duration::from_millis(500), 1_000_000);
        assert_eq!(meter.rate_at(begun + Duration::from_secs(1)), 1_000_000);
    }

    #[test]
    fn idleness_counts_from_the_last_activity() {
        let begun = Instant::now();
        let meter = Meter::begun(begun);
        assert_eq!(meter.idle_at(begun + Duration::from_secs(300)), Duration::from_secs(300));
        meter.add_at(begun + Duration::from_secs(299), 1);
        assert_eq!(meter.idle_at(begun + Duration::from_secs(300)), Duration::from_secs(1));
    }
}
