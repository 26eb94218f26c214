//! The bandwidth limit of one stream.

use std::num::NonZeroU64;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The most that goes through at once: one SSH packet.
pub(super) const PIECE: usize = 32 * 1024;

/// How much may be made up after a pause, as time at the set rate: 5 % of a second, so that any second stays
/// within 10 % of the limit (TARGETS P5) although timers and schedulers wake late.
const CREDIT: Duration = Duration::from_millis(50);

/// One piece is at most this much time at the set rate: a slow stream goes in small pieces.
const GRAIN: Duration = Duration::from_millis(20);

/// A token bucket, kept as the time at which it would be exactly full again: over any span of time `t` no more
/// than `rate * (t + CREDIT + GRAIN)` passes.
#[derive(Debug)]
pub(super) struct Throttle {
    limit: watch::Receiver<Option<NonZeroU64>>,
    /// When everything that was let through is paid for.
    paid: Instant,
}

impl Throttle {
    pub(super) fn new(limit: watch::Receiver<Option<NonZeroU64>>) -> Self {
        Self { limit, paid: Instant::now() }
    }

    /// Waits until something may pass and says how many of `wanted` bytes do. A limit that is changed counts at
    /// once, also for those who wait.
    pub(super) async fn permit(&mut self, wanted: usize) -> usize {
        loop {
            let rate = *self.limit.borrow_and_update();
            let now = Instant::now();
            let Some(rate) = rate else {
                self.paid = now;
                return wanted.min(PIECE);
            };
            self.paid = self.paid.max(now.checked_sub(CREDIT).unwrap_or(now));
            if self.paid <= now {
                let bytes = wanted.min(PIECE).min(grain(rate));
                self.paid += cost(bytes, rate);
                return bytes;
            }
            tokio::select! {
                () = sleep_until(self.paid) => {}
                Ok(()) = self.limit.changed() => self.paid = now,
            }
        }
    }
}

/// Bytes in [`GRAIN`] at this rate, at least one.
fn grain(rate: NonZeroU64) -> usize {
    let bytes = u128::from(rate.get()) * GRAIN.as_millis() / 1000;
    usize::try_from(bytes).unwrap_or(usize::MAX).max(1)
}

fn cost(bytes: usize, rate: NonZeroU64) -> Duration {
    let nanos = bytes as u128 * 1_000_000_000 / u128::from(rate.get());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn rate(bytes: u64) -> Option<NonZeroU64> {
        NonZeroU64::new(bytes)
    }

    /// Pushes for `seconds` and gives what passed at which millisecond.
    async fn push(throttle: &mut Throttle, seconds: u64) -> Vec<(u64, u64)> {
        let begin = Instant::now();
        let end = begin + Duration::from_secs(seconds);
        let mut passed = Vec::new();
        while Instant::now() < end {
            let bytes = throttle.permit(1 << 20).await as u64;
            passed.push((begin.elapsed().as_millis() as u64, bytes));
        }
        passed
    }

    /// The least and the most that passed within any span of this length, in steps of 10 ms.
    fn extremes(passed: &[(u64, u64)], span: u64, total: u64) -> (u64, u64) {
        let within = |from: u64| -> u64 {
            passed.iter().filter(|(at, _)| (from..from + span).contains(at)).map(|(_, bytes)| bytes).sum()
        };
        let sums: Vec<u64> = (0..=total - span).step_by(10).map(within).collect();
        (*sums.iter().min().unwrap(), *sums.iter().max().unwrap())
    }

    fn assert_close(value: u64, wanted: u64, percent: u64) {
        assert!(
            value.abs_diff(wanted) * 100 <= wanted * percent,
            "{value} is not within {percent} % of {wanted}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn any_second_keeps_within_10_percent_and_any_ten_within_2() {
        for bytes in [20_000, 300_000, 10_000_000, 80_000_000] {
            let (_sender, receiver) = watch::channel(rate(bytes));
            let mut throttle = Throttle::new(receiver);
            // A long pause before must not turn into a burst.
            tokio::time::advance(Duration::from_secs(60)).await;
            let passed = push(&mut throttle, 12).await;
            let (least, most) = extremes(&passed, 1000, 12_000);
            assert_close(least, bytes, 10);
            assert_close(most, bytes, 10);
            let (least, most) = extremes(&passed, 10_000, 12_000);
            assert_close(least, 10 * bytes, 2);
            assert_close(most, 10 * bytes, 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_waker_makes_up_for_what_it_missed() {
        let (_sender, receiver) = watch::channel(rate(1_000_000));
        let mut throttle = Throttle::new(receiver);
        let begin = Instant::now();
        let mut sum = 0;
        while begin.elapsed() < Duration::from_secs(10) {
            sum += throttle.permit(1 << 20).await as u64;
            // The machine is busy elsewhere for 15 of every 20 ms.
            tokio::time::advance(Duration::from_millis(15)).await;
        }
        assert_close(sum, 10_000_000, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_limit_counts_within_a_second_also_for_who_waits() {
        let (sender, receiver) = watch::channel(rate(1));
        let mut throttle = Throttle::new(receiver);
        throttle.permit(1000).await;
        let begin = Instant::now();
        let waiting = throttle.permit(1000);
        tokio::pin!(waiting);
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("one byte a second was let through at once"),
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
        sender.send(rate(1_000_000)).unwrap();
        assert_eq!(waiting.await, 1000);
        assert!(begin.elapsed() < Duration::from_millis(100));

        sender.send(None).unwrap();
        let begin = Instant::now();
        assert_eq!(throttle.permit(1 << 30).await, PIECE);
        assert_eq!(begin.elapsed(), Duration::ZERO);

        sender.send(rate(100_000)).unwrap();
        let passed = push(&mut throttle, 2).await;
        assert_close(extremes(&passed, 1000, 2000).1, 100_000, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_stays_when_nobody_can_change_it_any_more() {
        let (sender, receiver) = watch::channel(rate(1_000_000));
        drop(sender);
        let mut throttle = Throttle::new(receiver);
        let passed = push(&mut throttle, 3).await;
        assert_close(extremes(&passed, 1000, 3000).1, 1_000_000, 10);
    }
}
