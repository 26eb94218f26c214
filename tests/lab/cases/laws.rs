//! The laws (`tests/support/laws`) for the job kind `replicate`, on real OpenZFS and, where a process is
//! killed, with the real binary.
//!
//! In two worlds, because a first run and a later one take different ways: the first creates parents and the
//! replica; the later one builds on a common base, moves the holds forward and lets retention destroy.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use zerfaux::domain::job::Job;
use zerfaux::engine::Definition;
use zerfaux::jobs::hosts::Hosts;
use zerfaux::jobs::replicate;

use crate::lab;
use crate::laws::{
    self, Facts, Scene, World, fail_at_each_step, kill_around_each_event, retry_after_each_failure,
    run_each_step_twice, undo_each_step_twice,
};
use crate::replicated::{self, COLUMNS, GROUP, JobRun, Things, kept, run_once};
use crate::zerfaux_cli::location;

/// Where `replicate` is tried.
struct Replication {
    later: bool,
    hosts: Arc<Hosts>,
    scenes: Mutex<HashMap<PathBuf, Arc<Trial>>>,
}

/// One source and one destination.
struct Trial {
    lab: lab::Scene,
    hosts: Arc<Hosts>,
}

impl Replication {
    fn new(later: bool) -> Self {
        Self { later, hosts: Arc::new(Hosts::new(None, None)), scenes: Mutex::default() }
    }
}

#[async_trait]
impl World for Replication {
    fn kind(&self) -> &'static str {
        "replicate"
    }

    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        let scene = lab::Scene::new(if self.later { "laws-later" } else { "laws-first" });
        scene.source.play("+ data\nw data one 256K\n@ data by-hand\nw data two 128K");
        let trial = Arc::new(Trial { lab: scene, hosts: Arc::clone(&self.hosts) });
        if self.later {
            for _ in 0..2 {
                run_once(trial.as_ref()).await;
            }
            trial.lab.source.play("w data three 64K");
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
            "source": location(&self.lab.source, "root", "data"),
            "destination": location(&self.lab.target, "root", "backup/data"),
            "group": GROUP,
            "keep_source": { "last": 1 },
            "keep_destination": { "last": 2 },
        })
    }

    async fn fingerprint(&self) -> Facts {
        replicated::fingerprint(&seen(&self.lab.source), &seen(&self.lab.target))
    }

    fn may_remain(&self) -> Vec<(&'static str, &'static str)> {
        replicated::may_remain()
    }

    fn outcome(&self, job: &Job) -> Value {
        replicated::outcome(job)
    }
}

/// Everything below a side's root.
fn seen(side: &lab::Side) -> Things {
    let root = side.name(".");
    let text = side.host.root(&format!(
        "zfs list -Hpr -t filesystem,volume,snapshot,bookmark -o {COLUMNS} {root}
         echo ==
         zfs get -Hpr -s local -t filesystem,snapshot -o name,property,value zerfaux:group,zerfaux:role {root}
         echo ==
         zfs list -Hpr -t snapshot -o name,userrefs {root} | awk -F'\\t' '$2 > 0 {{ print $1 }}' |
           tr '\\n' '\\0' | xargs -0r zfs holds -H | cut -f1,2"
    ));
    let mut parts = text.split("==\n");
    let (list, marks, holds) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    replicated::read(&root, list, marks, holds)
}

async fn the_laws_of_steps(later: bool) {
    let world = Replication::new(later);
    let sample = |offset| crate::sample(9, offset + usize::from(later));
    kept("each step run twice", &run_each_step_twice(&world).await);
    if !later && !crate::is_campaign() {
        eprintln!("the other laws of steps are tried in this world by tests/campaign laws");
        return;
    }
    kept("a failure at each step, taken back", &fail_at_each_step(&world, sample(0)).await);
    kept("a failure at each step, tried again", &retry_after_each_failure(&world, sample(2)).await);
    kept("each undo run twice", &undo_each_step_twice(&world, sample(4)).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab: tests/run"]
async fn a_first_replication_keeps_the_laws_of_steps() {
    the_laws_of_steps(false).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab: tests/run"]
async fn a_later_replication_keeps_the_laws_of_steps() {
    the_laws_of_steps(true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab: tests/run"]
async fn a_first_replication_killed_around_its_events_ends_the_same() {
    let report = kill_around_each_event(&Replication::new(false), &JobRun, crate::sample(24, 13)).await;
    kept("killed around each event, first run", &report);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab: tests/run"]
async fn a_later_replication_killed_around_its_events_ends_the_same() {
    let report = kill_around_each_event(&Replication::new(true), &JobRun, crate::sample(12, 3)).await;
    kept("killed around each event, later run", &report);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn the_definition_is_sound() {
    let definition = replicate::definition(Arc::new(Hosts::new(None, None)));
    assert_eq!(laws::defects(&definition), Vec::<String>::new());
}
