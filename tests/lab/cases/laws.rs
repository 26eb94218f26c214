//! The laws (`tests/support/laws`) for the job kind `replicate`, on real OpenZFS and, where a process is
//! killed, with the real binary.
//!
//! In two worlds, because a first run and a later one take different ways: the first creates parents and the
//! replica; the later one builds on a common base, moves the holds forward and lets retention destroy.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use zerfaux::domain::job::Job;
use zerfaux::engine::{Definition, Engine, SystemClock};
use zerfaux::jobs::hosts::Hosts;
use zerfaux::jobs::replicate;
use zerfaux::store::{JobFilter, Store};

use crate::lab;
use crate::laws::{
    self, Child, Facts, Report, Scene, World, fail_at_each_step, kill_around_each_event,
    retry_after_each_failure, run_each_step_twice, undo_each_step_twice,
};
use crate::zerfaux_cli::{BINARY, location};

const GROUP: &str = "01937c5e-0000-7000-8000-0000c0ffee00";

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
                let job = run_once(&trial).await;
                assert!(job.failure.is_none(), "the scene could not be set: {:?}", job.failure);
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

async fn run_once(trial: &Trial) -> Job {
    let engine =
        Engine::new(Store::open_in_memory().unwrap(), vec![trial.definition()], Arc::new(SystemClock::new()));
    let id = engine.enqueue("replicate", trial.input(), "the scene").await.unwrap();
    engine.run_until_idle().await.unwrap();
    engine.job(id).await.unwrap()
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

    /// Every dataset, snapshot and bookmark with its holds and marks. What has arrived at the destination, and
    /// what it came from, is named so: it may remain after everything was taken back.
    async fn fingerprint(&self) -> Facts {
        let (here, there) = (seen(&self.lab.source), seen(&self.lab.target));
        let mut facts = Facts::new();
        for (side, things, others) in [("source", &here, &there), ("destination", &there, &here)] {
            let is_there = |thing: &Seen| others.values().any(|other| other.guid == thing.guid);
            // Retention may let go of what an older bookmark remembers; that it had arrived, a newer one shows.
            let newest =
                things.iter().filter(|(_, thing)| is_there(thing)).filter_map(|(name, _)| cursor(name)).max();
            for (name, thing) in things {
                // What others made at the source was there before, and is named the same ever after.
                let may_arrive = side == "destination" || name.contains("zx-");
                let arrived = (may_arrive && is_there(thing))
                    || cursor(name).is_some_and(|number| Some(number) < newest)
                    || (side == "destination"
                        && things.keys().any(|other| holds_arrived(name, other, things, others)));
                let prefix = if arrived { "arrived " } else { "" };
                facts.insert(format!("{prefix}{side} {}", undated(name)), thing.facts.clone());
            }
        }
        facts
    }

    fn may_remain(&self) -> Vec<(&'static str, &'static str)> {
        vec![("arrived ", "what arrived is complete, and the next run builds on it")]
    }

    fn outcome(&self, job: &Job) -> Value {
        let destroyed = job.result.as_ref().map(|result| result["destroyed_at_destination"].clone());
        json!({ "state": job.state, "destroyed_at_destination": destroyed })
    }
}

/// Whether `name` is a dataset at the destination that stands because something below it, or a snapshot of it, arrived.
fn holds_arrived(
    name: &str,
    other: &str,
    things: &BTreeMap<String, Seen>,
    others: &BTreeMap<String, Seen>,
) -> bool {
    let below = other.strip_prefix(name).is_some_and(|rest| rest.starts_with(['/', '@']));
    below && others.values().any(|sent| sent.guid == things[other].guid)
}

struct Seen {
    guid: String,
    facts: String,
}

/// Everything below a side's root, by name without the root.
fn seen(side: &lab::Side) -> BTreeMap<String, Seen> {
    let root = side.name(".");
    let text = side.host.root(&format!(
        "zfs list -Hpr -t filesystem,volume,snapshot,bookmark -o name,guid,readonly,canmount,receive_resume_token,mounted {root}
         echo ==
         zfs get -Hpr -s local -t filesystem,snapshot -o name,property,value zerfaux:group,zerfaux:role {root}
         echo ==
         zfs list -Hpr -t snapshot -o name,userrefs {root} | awk -F'\\t' '$2 > 0 {{ print $1 }}' |
           tr '\\n' '\\0' | xargs -0r zfs holds -H | cut -f1,2"
    ));
    let mut parts = text.split("==\n");
    let (list, marks, holds) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let mut things = BTreeMap::new();
    for line in list.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let name = fields[0].strip_prefix(&root).unwrap().to_owned();
        let mut facts = vec![format!("readonly={} canmount={} mounted={}", fields[2], fields[3], fields[5])];
        facts.push(format!("partial={}", fields[4] != "-"));
        facts.extend(marks.lines().chain(holds.lines()).filter_map(|line| {
            let rest = line.strip_prefix(fields[0])?.strip_prefix('\t')?;
            Some(rest.replace('\t', "="))
        }));
        facts.sort();
        things.insert(name, Seen { guid: fields[1].to_owned(), facts: facts.join(" ") });
    }
    // The case's own root says nothing.
    things.remove("");
    things
}

/// The number in the name of one of the group's bookmarks.
fn cursor(name: &str) -> Option<u64> {
    let (_, tag) = name.split_once("#zx-")?;
    tag.rsplit('-').next()?.parse().ok()
}

/// `data@zx-c0ffee00-20261120T171500Z-3` without its time.
fn undated(name: &str) -> String {
    match name.rsplit_once("Z-") {
        Some((before, sequence)) if name.contains("zx-") => {
            format!("{}{sequence}", &before[..before.len() - "20261120T171500".len()])
        }
        _ => name.to_owned(),
    }
}

/// The real binary, working off the queue of a data directory in which the job was put.
struct JobRun;

impl Child for JobRun {
    fn command(&self, scene: &dyn Scene, _place: &Path, data: &Path) -> Command {
        std::thread::scope(|scope| {
            scope.spawn(|| enqueue_if_empty(scene, data)).join().unwrap();
        });
        let mut command = Command::new(BINARY);
        command.args(["job", "run", "--data-dir"]).arg(data);
        command
    }
}

fn enqueue_if_empty(scene: &dyn Scene, data: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(data).unwrap();
        if store.jobs(&JobFilter::default()).await.unwrap().is_empty() {
            let engine = Engine::new(store.clone(), vec![scene.definition()], Arc::new(SystemClock::new()));
            engine.enqueue("replicate", scene.input(), "the law").await.unwrap();
        }
        store.close().await;
    });
}

fn tell(law: &str, report: &Report) {
    eprintln!("replicate, {law}: {} points, {} failures", report.points, report.failures.len());
    report.assert_kept(law);
}

async fn the_laws_of_steps(later: bool) {
    let world = Replication::new(later);
    let sample = |offset| crate::sample(9, offset + usize::from(later));
    tell("each step run twice", &run_each_step_twice(&world).await);
    if !later && !crate::is_campaign() {
        eprintln!("the other laws of steps are tried in this world by tests/campaign laws");
        return;
    }
    tell("a failure at each step, taken back", &fail_at_each_step(&world, sample(0)).await);
    tell("a failure at each step, tried again", &retry_after_each_failure(&world, sample(2)).await);
    tell("each undo run twice", &undo_each_step_twice(&world, sample(4)).await);
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
    tell("killed around each event, first run", &report);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab: tests/run"]
async fn a_later_replication_killed_around_its_events_ends_the_same() {
    let report = kill_around_each_event(&Replication::new(true), &JobRun, crate::sample(12, 3)).await;
    tell("killed around each event, later run", &report);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn the_definition_is_sound() {
    let definition = replicate::definition(Arc::new(Hosts::new(None, None)));
    assert_eq!(laws::defects(&definition), Vec::<String>::new());
}
