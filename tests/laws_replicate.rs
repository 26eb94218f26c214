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

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use appliances::{Sim, Two};
use async_trait::async_trait;
use laws::{
    Facts, Sample, Scene, World, fail_at_each_step, kill_around_each_event, retry_after_each_failure,
    run_each_step_twice, undo_each_step_twice,
};
use replicated::{COLUMNS, GROUP, JobRun, Things, kept, run_once};
use serde_json::{Value, json};
use zerfaux::domain::job::Job;
use zerfaux::engine::Definition;
use zerfaux::jobs::hosts::Hosts;
use zerfaux::jobs::replicate;

/// Where `replicate` is tried: a first run creates parents and the replica; a later one builds on a common base,
/// moves the holds forward and lets retention destroy.
struct Replication {
    later: bool,
    scenes: Mutex<HashMap<PathBuf, Arc<Trial>>>,
}

struct Trial {
    two: Two,
    hosts: Arc<Hosts>,
}

impl Replication {
    fn new(later: bool) -> Self {
        Self { later, scenes: Mutex::default() }
    }
}

#[async_trait]
impl World for Replication {
    fn kind(&self) -> &'static str {
        "replicate"
    }

    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        let two = Two::new();
        two.source.root("zfs create src/data");
        two.source.fill("src/data", "one", 256 << 10, 1);
        two.source.root("zfs snapshot src/data@by-hand");
        two.source.fill("src/data", "two", 128 << 10, 2);
        let trial = Arc::new(Trial { two, hosts: Arc::new(Hosts::new(None, None)) });
        if self.later {
            for _ in 0..2 {
                run_once(trial.as_ref()).await;
            }
            trial.two.source.fill("src/data", "three", 64 << 10, 3);
        }
        self.scenes.lock().unwrap().insert(place.to_owned(), Arc::clone(&trial));
        trial
    }

    fn open(&self, place: &Path) -> Arc<dyn Scene> {
        Arc::clone(&self.scenes.lock().unwrap()[place]) as Arc<dyn Scene>
    }

    async fn remove(&self, place: &Path) {
        self.scenes.lock().unwrap().remove(place);
    }
}

#[async_trait]
impl Scene for Trial {
    fn definition(&self) -> Definition {
        replicate::definition(Arc::clone(&self.hosts))
    }

    fn input(&self) -> Value {
        json!({
            "source": self.two.location(&self.two.source, "src/data"),
            "destination": self.two.location(&self.two.target, "dst/backup/data"),
            "group": GROUP,
            "keep_source": { "last": 1 },
            "keep_destination": { "last": 2 },
        })
    }

    async fn fingerprint(&self) -> Facts {
        replicated::fingerprint(&seen(&self.two.source, "src"), &seen(&self.two.target, "dst"))
    }

    fn may_remain(&self) -> Vec<(&'static str, &'static str)> {
        replicated::may_remain()
    }

    fn outcome(&self, job: &Job) -> Value {
        replicated::outcome(job)
    }
}

/// Everything below a pool.
fn seen(side: &Sim, pool: &str) -> Things {
    let list =
        side.root(&format!("zfs list -Hpr -t filesystem,volume,snapshot,bookmark -o {COLUMNS} {pool}"));
    let marks = side.root(&format!(
        "zfs get -Hpr -s local -t filesystem,snapshot -o name,property,value zerfaux:group,zerfaux:role {pool}"
    ));
    let names = list.lines().filter_map(|line| line.split('\t').next()).filter(|name| name.contains('@'));
    let holds: String = names.map(|name| side.root(&format!("zfs holds -H '{name}' | cut -f1,2"))).collect();
    replicated::read(pool, &list, &marks, &holds)
}

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
