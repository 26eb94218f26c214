//! Makes the jobs of schedules that are due.
//!
//! When that is, `due.rs` decides. Here: looking often enough that a clock that was set is noticed, and
//! the store's promise that a job and the schedule's next slot are written together, so that a crash
//! neither doubles nor loses a run.

use std::time::Duration;

use jiff::Timestamp;

use super::Engine;
use super::due::{Decision, Rule, decide, put_back};
use super::error::{EngineError, Fault};
use super::journal::chain;
use crate::store::{Due, Schedule};

/// The longest time between two looks. A schedule is late by no more than this when the clock was set, or
/// when it was changed behind the scheduler.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The clocks at the last look.
#[derive(Clone, Copy)]
struct Look {
    wall: Timestamp,
    passed: Duration,
}

impl Engine {
    /// Looks at the schedules again and again.
    pub(super) async fn schedule(&self) {
        let mut last = self.look();
        loop {
            if let Err(error) = self.make_due_jobs(&mut last).await {
                tracing::error!("the schedules could not be looked at: {}", chain(&error));
            }
            self.inner.clock.sleep(self.wait_for_next().await).await;
        }
    }

    fn look(&self) -> Look {
        Look { wall: self.inner.clock.now(), passed: self.inner.clock.passed() }
    }

    /// Makes what is due now. Each schedule for itself: one that cannot be followed does not stop the others.
    async fn make_due_jobs(&self, last: &mut Look) -> Result<(), EngineError> {
        let now = self.look();
        let back = put_back(last.wall, now.wall, now.passed.saturating_sub(last.passed));
        let schedules = self.read("list the schedules", self.inner.store.schedules().await)?;
        for mut schedule in schedules.into_iter().filter(|schedule| schedule.enabled) {
            if back.is_positive() && schedule.every_seconds.is_some() {
                let moved = schedule.next_due_at.and_then(|due| due.checked_sub(back).ok());
                self.move_to(&mut schedule, moved).await?;
            }
            if let Err(error) = self.serve_schedule(&mut schedule, now.wall).await {
                tracing::error!(schedule = schedule.name, "a schedule makes no jobs: {}", chain(&*error));
            }
        }
        // Only now: what a fault above left undone is seen as put back again.
        *last = now;
        Ok(())
    }

    async fn serve_schedule(
        &self,
        schedule: &mut Schedule,
        now: Timestamp,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let rule = rule_of(schedule)?;
        let busy = self.is_busy(schedule).await?;
        let decide =
            |schedule: &Schedule| decide(&rule, schedule.next_due_at, schedule.last_enqueued_at, busy, now);
        let mut decision = decide(schedule);
        if let Decision::Move(due) = decision {
            self.move_to(schedule, due).await?;
            decision = decide(schedule);
        }
        if let Decision::Run { next_due } = decision {
            let job = self.new_job(&schedule.kind, schedule.input.clone(), "scheduler")?;
            let served = self.inner.store.serve_due(schedule, &job, now, next_due).await;
            if self.read("make the job of a schedule", served)? == Due::Enqueued {
                self.inner.hub.tell(super::JobUpdate::State { job: job.id, state: job.state });
                self.inner.wake.notify_one();
            }
        }
        Ok(())
    }

    /// Whether the schedule's last job has not ended.
    async fn is_busy(&self, schedule: &Schedule) -> Result<bool, Fault> {
        let Some(last) = schedule.last_job else { return Ok(false) };
        let job = self.read("read the last job of a schedule", self.inner.store.job(last).await)?;
        Ok(job.is_some_and(|job| !job.state.is_final()))
    }

    async fn move_to(&self, schedule: &mut Schedule, due: Option<Timestamp>) -> Result<(), Fault> {
        if self.read("move a schedule", self.inner.store.move_schedule(schedule, due).await)? {
            schedule.next_due_at = due;
        }
        Ok(())
    }

    /// Until the first slot to come, but never longer than [`LONGEST_WAIT`].
    async fn wait_for_next(&self) -> Duration {
        let now = self.inner.clock.now();
        let schedules = self.inner.store.schedules().await.unwrap_or_default();
        let slots = schedules.iter().filter(|schedule| schedule.enabled).filter_map(|s| s.next_due_at);
        let first = slots.filter(|due| *due > now).min();
        let wait = first.and_then(|due| Duration::try_from(due.duration_since(now)).ok());
        wait.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
    }
}

fn rule_of(schedule: &Schedule) -> Result<Rule, super::due::RuleError> {
    Rule::parse(schedule.every_seconds, schedule.calendar.as_deref(), &schedule.time_zone)
}
