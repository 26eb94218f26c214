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

/// What a longer pause took is made up slowly, this part of what passes, so that ten seconds stay within 2 % of the limit
/// on either side: too little because of the pause, or too much because of what is made up for it.
const SLOWLY: u32 = 80;
/// At most this much is made up slowly.
const DEBT: Duration = Duration::from_millis(200);

/// One piece is at most this much time at the set rate: a slow stream goes in small pieces.
const GRAIN: Duration = Duration::from_millis(20);

/// The limit of one stream, which may be changed while it runs.
#[derive(Debug)]
pub(super) struct Throttle {
    limit: watch::Receiver<Option<NonZeroU64>>,
    bucket: Bucket,
}

impl Throttle {
    pub(super) fn new(limit: watch::Receiver<Option<NonZeroU64>>) -> Self {
        Self { limit, bucket: Bucket::new(Instant::now()) }
    }

    /// Waits until something may pass and says how many of `wanted` bytes do. A limit that is changed counts at
    /// once, also for those who wait.
    pub(super) async fn permit(&mut self, wanted: usize) -> usize {
        loop {
            let rate = *self.limit.borrow_and_update();
            let until = match self.bucket.take(Instant::now(), rate, wanted) {
                Ok(bytes) => return bytes,
                Err(until) => until,
            };
            tokio::select! {
                () = sleep_until(until) => {}
                Ok(()) = self.limit.changed() => self.bucket.forgive(Instant::now()),
            }
        }
    }
}

/// A token bucket, kept as the time at which everything that passed is paid for: over any span of time `t` no more
/// than `rate * (t + CREDIT + GRAIN + min(t / SLOWLY, DEBT))` passes.
#[derive(Debug)]
struct Bucket {
    paid: Instant,
    /// Time that was lost in pauses and is still to be made up slowly.
    lost: Duration,
}

impl Bucket {
    fn new(now: Instant) -> Self {
        Self { paid: now, lost: Duration::ZERO }
    }

    /// How many of `wanted` bytes may pass now, or when some may.
    fn take(&mut self, now: Instant, rate: Option<NonZeroU64>, wanted: usize) -> Result<usize, Instant> {
        let Some(rate) = rate else {
            *self = Self::new(now);
            return Ok(wanted.min(PIECE));
        };
        let earliest = now.checked_sub(CREDIT).unwrap_or(now);
        if self.paid < earliest {
            // Whoever slept through it was not held back by the limit; the stream may well have had nothing to send.
            self.lost = (self.lost + (earliest - self.paid)).min(DEBT);
            self.paid = earliest;
        }
        if self.paid > now {
            return Err(self.paid);
        }
        let bytes = wanted.min(PIECE).min(grain(rate));
        let cost = cost(bytes, rate);
        let relief = (cost / SLOWLY).min(self.lost);
        self.lost -= relief;
        self.paid += cost - relief;
        Ok(bytes)
    }

    /// What passed at the old rate is not charged at the new one.
    fn forgive(&mut self, now: Instant) {
        *self = Self::new(now);
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

    /// Pushes for `seconds` on a clock of its own, waking `late` after each wait, and gives what passed at which
    /// microsecond.
    fn push(bucket: &mut Bucket, begin: Instant, rate: u64, seconds: u64, late: Duration) -> Vec<(u64, u64)> {
        let end = begin + Duration::from_secs(seconds);
        let mut now = begin;
        let mut passed = Vec::new();
        while now < end {
            match bucket.take(now, NonZeroU64::new(rate), 1 << 20) {
                Ok(bytes) => passed.push(((now - begin).as_micros() as u64, bytes as u64)),
                Err(until) => now = until + late,
            }
        }
        passed
    }

    /// The least and the most that passed within any span of this many seconds, in steps of 10 ms.
    fn extremes(passed: &[(u64, u64)], span: u64, total: u64) -> (u64, u64) {
        let (span, total) = (span * 1_000_000, total * 1_000_000);
        let within = |from: u64| -> u64 {
            let begin = passed.partition_point(|(at, _)| *at < from);
            let end = passed.partition_point(|(at, _)| *at < from + span);
            passed[begin..end].iter().map(|(_, bytes)| bytes).sum()
        };
        let sums: Vec<u64> = (0..=total - span).step_by(10_000).map(within).collect();
        (*sums.iter().min().unwrap(), *sums.iter().max().unwrap())
    }

    fn assert_close(value: u64, wanted: u64, percent: u64) {
        assert!(
            value.abs_diff(wanted) * 100 <= wanted * percent,
            "{value} is not within {percent} % of {wanted}"
        );
    }

    #[test]
    fn any_second_keeps_within_10_percent_and_any_ten_within_2() {
        // A timer of tokio wakes up to a millisecond or two late; a busy machine more.
        for late in [0, 2, 30] {
            for bytes in [20_000, 300_000, 10_000_000, 80_000_000] {
                let begin = Instant::now();
                // A long pause before must not turn into a burst.
                let mut bucket = Bucket::new(begin);
                let passed = push(
                    &mut bucket,
                    begin + Duration::from_secs(60),
                    bytes,
                    12,
                    Duration::from_millis(late),
                );
                let (least, most) = extremes(&passed, 1, 12);
                assert_close(least, bytes, 10);
                assert_close(most, bytes, 10);
                let (least, most) = extremes(&passed, 10, 12);
                assert_close(least, 10 * bytes, 2);
                assert_close(most, 10 * bytes, 2);
            }
        }
    }

    #[test]
    fn a_machine_that_stops_a_quarter_of_a_second_now_and_then_still_keeps_ten_seconds() {
        let (bytes, begin) = (10_000_000, Instant::now());
        let mut bucket = Bucket::new(begin);
        let end = begin + Duration::from_secs(30);
        let (mut now, mut passed, mut next_stop) = (begin, Vec::new(), begin + Duration::from_secs(3));
        while now < end {
            if now >= next_stop {
                now += Duration::from_millis(250);
                next_stop = now + Duration::from_secs(10);
            }
            match bucket.take(now, rate(bytes), 1 << 20) {
                Ok(bytes) => passed.push(((now - begin).as_micros() as u64, bytes as u64)),
                Err(until) => now = until,
            }
        }
        let (least, most) = extremes(&passed, 10, 30);
        assert_close(least, 10 * bytes, 2);
        assert_close(most, 10 * bytes, 2);
        assert_close(extremes(&passed, 1, 30).1, bytes, 10);
    }

    #[test]
    fn a_new_rate_is_kept_from_the_first_second_on() {
        let begin = Instant::now();
        let mut bucket = Bucket::new(begin);
        for bytes in [80_000_000, 50_000, 3_000_000] {
            bucket.forgive(begin);
            let passed = push(&mut bucket, begin, bytes, 2, Duration::ZERO);
            assert_close(extremes(&passed, 1, 2).0, bytes, 10);
            assert_close(extremes(&passed, 1, 2).1, bytes, 10);
        }
    }

    #[test]
    fn without_a_limit_whole_packets_pass_at_once() {
        let now = Instant::now();
        let mut bucket = Bucket::new(now);
        for _ in 0..1000 {
            assert_eq!(bucket.take(now, None, 1 << 30), Ok(PIECE));
        }
        assert_eq!(bucket.take(now, None, 5), Ok(5));
    }

    #[tokio::test]
    async fn who_waits_for_a_small_limit_goes_on_when_it_is_raised() {
        let (sender, receiver) = watch::channel(rate(1));
        let mut throttle = Throttle::new(receiver);
        while throttle.bucket.take(Instant::now(), rate(1), 1000).is_ok() {}
        {
            let waiting = throttle.permit(1000);
            tokio::pin!(waiting);
            assert!(tokio::time::timeout(Duration::from_millis(10), &mut waiting).await.is_err());
            sender.send(rate(1_000_000)).unwrap();
            assert_eq!(waiting.await, 1000);
        }
        // Nobody who could change it is left: it stays.
        drop(sender);
        let mut passed = 0;
        while passed < 100_000 {
            passed += throttle.permit(1000).await;
        }
    }
}
