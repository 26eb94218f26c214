//! The laws (`tests/support/laws`) for the job kind `replicate`, against simulated appliances: every point, in
//! seconds. `tests/lab/cases/laws.rs` tries the same on real OpenZFS.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/appliances.rs"]
#[allow(dead_code)]
mod appliances;

#[path = "support/laws/mod.rs"]
#[allow(dead_code, unused_imports)]
mod laws;

#[path = "support/replicated.rs"]
mod replicated;

use appliances::Two;
use laws::{
    Sample, fail_at_each_step, kill_around_each_event, retry_after_each_failure, run_each_step_twice,
    undo_each_step_twice,
};
use replicated::{Ground, JobRun, Things, kept, seen_on};
use serde_json::Value;

impl Ground for Two {
    const SAME_HOSTS: bool = false;

    fn new(_later: bool) -> Self {
        let two = Two::new();
        two.source.root("zfs create src/data");
        two.source.fill("src/data", "one", 256 << 10, 1);
        two.source.root("zfs snapshot src/data@by-hand");
        two.source.fill("src/data", "two", 128 << 10, 2);
        two
    }

    fn write_more(&self) {
        self.source.fill("src/data", "three", 64 << 10, 3);
    }

    fn locations(&self) -> (Value, Value) {
        (self.location(&self.source, "src/data"), self.location(&self.target, "dst/backup/data"))
    }

    fn seen(&self) -> (Things, Things) {
        (seen_on(|script| self.source.root(script), "src"), seen_on(|script| self.target.root(script), "dst"))
    }
}

type Replication = replicated::Replication<Two>;

/// Every point with `ZERFAUX_LAB_EVERY=1`, otherwise every so many: a killed process costs most of a second.
fn sample(every: usize, offset: usize) -> Sample {
    let wanted = std::env::var("ZERFAUX_LAB_EVERY").ok().and_then(|text| text.parse().ok());
    Sample { every: wanted.unwrap_or(every), offset }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_run_twice_changes_nothing_more() {
    for later in [false, true] {
        kept("each step run twice", &run_each_step_twice(&Replication::new(later)).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_at_each_step_is_taken_back() {
    for later in [false, true] {
        kept("a failure at each step", &fail_at_each_step(&Replication::new(later), Sample::ALL).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_after_a_failure_at_each_step_ends_as_without_it() {
    for later in [false, true] {
        kept("tried again", &retry_after_each_failure(&Replication::new(later), Sample::ALL).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_undo_run_twice_changes_nothing_more() {
    for later in [false, true] {
        kept("each undo run twice", &undo_each_step_twice(&Replication::new(later), Sample::ALL).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_replication_killed_around_its_events_ends_the_same() {
    let report = kill_around_each_event(&Replication::new(false), &JobRun, sample(8, 5)).await;
    kept("killed around each event, first run", &report);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_replication_killed_around_its_events_ends_the_same() {
    let report = kill_around_each_event(&Replication::new(true), &JobRun, sample(8, 3)).await;
    kept("killed around each event, later run", &report);
}
