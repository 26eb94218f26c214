//! Where the laws try `replicate`, and what they look at: the same on real hosts and on simulated ones.

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

use super::laws::{Child, Facts, Report, Scene, World};

const GROUP: &str = "01937c5e-0000-7000-8000-0000c0ffee00";

/// A source and a destination, with `data` at the source.
pub trait Ground: Send + Sync + 'static {
    /// Whether all of them are on the same hosts, so that connections may be shared.
    const SAME_HOSTS: bool;
    /// A new one; `later` says for which of the two worlds.
    fn new(later: bool) -> Self;
    /// Something more is written at the source.
    fn write_more(&self);
    /// The source and the destination as a job's input has them.
    fn locations(&self) -> (Value, Value);
    /// Everything there is on both.
    fn seen(&self) -> (Things, Things);
}

/// The world of `replicate`. There are two, because a first run and a later one take different ways: the first creates
/// parents and the replica; the later one builds on a common base, moves the holds forward and lets retention destroy.
pub struct Replication<G> {
    later: bool,
    hosts: Arc<Hosts>,
    scenes: Mutex<HashMap<PathBuf, Arc<Trial<G>>>>,
}

struct Trial<G> {
    ground: G,
    hosts: Arc<Hosts>,
}

impl<G> Replication<G> {
    pub fn new(later: bool) -> Self {
        Self { later, hosts: Arc::new(Hosts::new(None, None)), scenes: Mutex::default() }
    }
}

#[async_trait]
impl<G: Ground> World for Replication<G> {
    fn kind(&self) -> &'static str {
        "replicate"
    }

    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        let hosts = if G::SAME_HOSTS { Arc::clone(&self.hosts) } else { Arc::new(Hosts::new(None, None)) };
        let trial = Arc::new(Trial { ground: G::new(self.later), hosts });
        if self.later {
            for _ in 0..2 {
                run_once(trial.as_ref()).await;
            }
            trial.ground.write_more();
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
impl<G: Ground> Scene for Trial<G> {
    fn definition(&self) -> Definition {
        replicate::definition(Arc::clone(&self.hosts))
    }

    fn input(&self) -> Value {
        let (source, destination) = self.ground.locations();
        json!({
            "source": source,
            "destination": destination,
            "group": GROUP,
            "keep_source": { "last": 1 },
            "keep_destination": { "last": 2 },
        })
    }

    async fn fingerprint(&self) -> Facts {
        let (here, there) = self.ground.seen();
        fingerprint(&here, &there)
    }

    fn may_remain(&self) -> Vec<(&'static str, &'static str)> {
        vec![("arrived ", "what arrived is complete, and the next run builds on it")]
    }

    fn outcome(&self, job: &Job) -> Value {
        let destroyed = |side: &str| job.result.as_ref().map(|result| result[side].clone());
        json!({
            "state": job.state,
            "destroyed": [destroyed("destroyed_at_source"), destroyed("destroyed_at_destination")],
        })
    }
}

/// A dataset, snapshot or bookmark.
pub struct Seen {
    guid: String,
    facts: String,
}

/// Everything below a root, by name without the root.
pub type Things = BTreeMap<String, Seen>;

/// The columns of the list that [`read`] reads.
pub const COLUMNS: &str = "name,guid,readonly,canmount,receive_resume_token,mounted";

/// Reads `zfs list -Hpr -o COLUMNS`, `zfs get -H -s local -o name,property,value`, and lines of snapshot and hold tag.
pub fn read(root: &str, list: &str, marks: &str, holds: &str) -> Things {
    let mut things = Things::new();
    for line in list.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let name = fields[0].strip_prefix(root).unwrap().to_owned();
        let mut facts = vec![format!("readonly={} canmount={} mounted={}", fields[2], fields[3], fields[5])];
        facts.push(format!("partial={}", fields[4] != "-"));
        facts.extend(marks.lines().chain(holds.lines()).filter_map(|line| {
            let rest = line.strip_prefix(fields[0])?.strip_prefix('\t')?;
            Some(rest.replace('\t', "="))
        }));
        facts.sort();
        things.insert(name, Seen { guid: fields[1].to_owned(), facts: facts.join(" ") });
    }
    // The root itself says nothing.
    things.remove("");
    things
}

/// Everything below a pool, by what `root` says of it.
#[allow(dead_code)]
pub fn seen_on(root: impl Fn(&str) -> String, pool: &str) -> Things {
    let list = root(&format!("zfs list -Hpr -t filesystem,volume,snapshot,bookmark -o {COLUMNS} {pool}"));
    let marks = root(&format!(
        "zfs get -Hpr -s local -t filesystem,snapshot -o name,property,value zerfaux:group,zerfaux:role,zerfaux:checkpoint {pool}"
    ));
    let names = list.lines().filter_map(|line| line.split('\t').next()).filter(|name| name.contains('@'));
    let holds: String = names.map(|name| root(&format!("zfs holds -H '{name}' | cut -f1,2"))).collect();
    read(pool, &list, &marks, &holds)
}

/// Every dataset, snapshot and bookmark with its holds and marks. What has arrived at the destination, and
/// what it came from, is named so: it may remain after everything was taken back.
pub fn fingerprint(here: &Things, there: &Things) -> Facts {
    let mut facts = Facts::new();
    for (side, things, others) in [("source", here, there), ("destination", there, here)] {
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

/// Runs the scene's job once, undisturbed.
async fn run_once(scene: &dyn Scene) {
    let clock = Arc::new(SystemClock::new());
    let engine = Engine::new(Store::open_in_memory().unwrap(), vec![scene.definition()], clock);
    let id = engine.enqueue("replicate", scene.input(), "the scene").await.unwrap();
    engine.run_until_idle().await.unwrap();
    let job = engine.job(id).await.unwrap();
    assert!(job.failure.is_none(), "the scene could not be set: {:?}", job.failure);
}

/// Whether `name` is a dataset at the destination that stands because something below it, or a snapshot of it, arrived.
fn holds_arrived(name: &str, other: &str, things: &Things, others: &Things) -> bool {
    let below = other.strip_prefix(name).is_some_and(|rest| rest.starts_with(['/', '@']));
    below && others.values().any(|sent| sent.guid == things[other].guid)
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
pub struct JobRun;

impl Child for JobRun {
    fn command(&self, scene: &dyn Scene, _place: &Path, data: &Path) -> Command {
        std::thread::scope(|scope| {
            scope.spawn(|| enqueue_if_empty(scene, data)).join().unwrap();
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_zerfaux"));
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

/// Says how many points were tried, and panics with everything that went wrong.
pub fn kept(law: &str, report: &Report) {
    eprintln!("replicate, {law}: {} points, {} failures", report.points, report.failures.len());
    report.assert_kept(law);
}
