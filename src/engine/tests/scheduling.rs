//! Schedules under a clock that is set: nothing missed, nothing doubled, no storm.

use jiff::SignedDuration;

use super::*;
use crate::domain::ids::ScheduleId;
use crate::store::Schedule;

/// An engine that is served, with a schedule, and a clock that is moved by hand.
struct Bench {
    clock: Arc<ManualClock>,
    store: Store,
    runs: Diary,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Bench {
    async fn with(every_seconds: Option<i64>, calendar: Option<&str>, zone: &str, start: &str) -> Self {
        let store = Store::open_in_memory().unwrap();
        let schedule = Schedule {
            id: ScheduleId::new(),
            name: "s".to_owned(),
            kind: "k".to_owned(),
            input: Value::Null,
            every_seconds,
            calendar: calendar.map(str::to_owned),
            time_zone: zone.to_owned(),
            enabled: true,
            next_due_at: None,
            last_enqueued_at: None,
            last_job: None,
        };
        store.put_schedule(&schedule).await.unwrap();
        Self::on(store, Diary::default(), start.parse().unwrap()).await
    }

    /// As after a restart at this moment.
    async fn on(store: Store, runs: Diary, start: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::at(start));
        let diary = runs.clone();
        let work = step("work", move |cx, _| {
            diary.write(cx.now().to_string());
            async { Ok(Value::Null) }
        });
        let engine = Engine::new(store.clone(), vec![kind("k", vec![work])], clock.clone());
        let shutdown = CancellationToken::new();
        let token = shutdown.clone();
        let task = tokio::spawn(async move { engine.serve(token).await });
        let bench = Self { clock, store, runs, shutdown, task };
        bench.settle().await;
        bench
    }

    /// Until the scheduler sleeps again and every job has ended.
    async fn settle(&self) {
        loop {
            until(|| self.clock.sleepers() == 1).await;
            if self.store.unfinished_jobs().await.unwrap().is_empty() && self.clock.sleepers() == 1 {
                return;
            }
        }
    }

    /// Lets `minutes` pass, long times in larger pieces, and returns how many runs there were meanwhile.
    async fn pass(&self, minutes: u64) -> usize {
        let before = self.runs.read().len();
        let piece = if minutes > 60 { 600 } else { 30 };
        for _ in 0..minutes * 60 / piece {
            self.clock.advance(Duration::from_secs(piece));
            self.settle().await;
        }
        self.runs.read().len() - before
    }

    /// Somebody sets the clock; the scheduler notices half a minute later.
    async fn set_by(&self, shift: SignedDuration) -> usize {
        self.clock.shift(shift);
        let before = self.runs.read().len();
        self.clock.advance(Duration::from_secs(30));
        self.settle().await;
        self.runs.read().len() - before
    }

    async fn restarted_at(self, moment: &str) -> Self {
        self.shutdown.cancel();
        self.task.await.unwrap();
        Self::on(self.store, self.runs, moment.parse().unwrap()).await
    }
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const TEN_YEARS: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

async fn quarter_hourly() -> Bench {
    let bench = Bench::with(Some(900), None, "UTC", "2026-01-01T00:00:00Z").await;
    assert_eq!(bench.runs.read().len(), 1, "a new interval begins with a run");
    assert_eq!(bench.pass(60).await, 4);
    bench
}

#[tokio::test]
async fn an_interval_goes_on_in_its_rhythm_when_the_clock_is_put_back() {
    for back in [HOUR, TEN_YEARS] {
        let bench = quarter_hourly().await;
        assert_eq!(bench.set_by(-back).await, 0);
        assert_eq!(bench.pass(60).await, 4, "none missed, none doubled, back by {back}");
    }
}

#[tokio::test]
async fn an_interval_makes_up_for_a_clock_put_forward_with_one_run() {
    for forward in [HOUR, TEN_YEARS] {
        let bench = quarter_hourly().await;
        assert_eq!(bench.set_by(forward).await, 1, "what was skipped is one run, not a storm");
        assert_eq!(bench.pass(60).await, 4);
    }
}

#[tokio::test]
async fn an_interval_survives_restarts_under_another_clock() {
    let bench = quarter_hourly().await.restarted_at("2026-01-01T01:05:00Z").await;
    assert_eq!(bench.runs.read().len(), 5, "not yet due");
    assert_eq!(bench.pass(10).await, 1);
    let bench = bench.restarted_at("2025-06-01T00:00:00Z").await;
    assert_eq!(bench.pass(60).await, 4, "a clock put back while nobody looked");
    let bench = bench.restarted_at("2036-01-01T00:00:00Z").await;
    assert_eq!(bench.runs.read().len(), 6 + 1 + 4 + 1, "one run for ten years");
}

#[tokio::test]
async fn a_nightly_run_is_neither_missed_nor_doubled_when_the_clock_is_set() {
    for (shift, left_today) in [(HOUR, 0), (-HOUR, 0)] {
        let bench = Bench::with(None, Some("30 2 * * *"), "UTC", "2026-01-01T00:00:00Z").await;
        assert_eq!(bench.pass(180).await, 1, "the run of the first night");
        assert_eq!(bench.set_by(shift).await, 0);
        assert_eq!(bench.pass(6 * 60).await, left_today, "no second one in the same night");
        assert_eq!(bench.pass(20 * 60).await, 1, "the next night");
    }
    let bench = Bench::with(None, Some("30 2 * * *"), "UTC", "2026-01-01T02:00:00Z").await;
    assert_eq!(bench.set_by(HOUR).await, 1, "a slot that was jumped over");
    assert_eq!(bench.pass(60).await, 0);
    assert_eq!(bench.set_by(TEN_YEARS).await, 1, "one run for ten years");
    assert_eq!(bench.set_by(-TEN_YEARS).await, 0, "and back");
    assert_eq!(bench.pass(24 * 60).await, 1, "not ten years without a run");
}

#[tokio::test]
async fn a_nightly_run_happens_once_in_each_night_of_summer_time() {
    for evening in ["2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z"] {
        let bench = Bench::with(None, Some("30 2 * * *"), "Europe/Berlin", evening).await;
        assert_eq!(bench.pass(12 * 60).await, 1, "the night of the change after {evening}");
        assert_eq!(bench.pass(24 * 60).await, 1, "the night after it");
    }
}

#[tokio::test]
async fn a_schedule_whose_last_job_has_not_ended_makes_no_second_one() {
    let bench = Bench::with(Some(60), None, "UTC", "2026-01-01T00:00:00Z").await;
    let waiting = bench.store.schedules().await.unwrap()[0].last_job.unwrap();
    let waits = |state| crate::store::JobChange { state: Some(state), ..Default::default() };
    bench.store.change_job(waiting, &waits(JobState::Waiting)).await.unwrap();
    bench.clock.advance(Duration::from_secs(600));
    until(|| bench.clock.sleepers() == 1).await;
    assert_eq!(bench.runs.read().len(), 1);
    bench.store.change_job(waiting, &waits(JobState::Succeeded)).await.unwrap();
    assert_eq!(bench.set_by(SignedDuration::ZERO).await, 1, "one run, as soon as it can");
}

#[tokio::test]
async fn a_schedule_that_cannot_be_followed_does_not_stop_the_others() {
    let bench = Bench::with(Some(900), None, "UTC", "2026-01-01T00:00:00Z").await;
    let mut broken = bench.store.schedules().await.unwrap().remove(0);
    broken.id = ScheduleId::new();
    (broken.name, broken.kind) = ("a, before the other".to_owned(), "nonsense".to_owned());
    broken.next_due_at = None;
    bench.store.put_schedule(&broken).await.unwrap();
    assert_eq!(bench.pass(30).await, 2);
}
