//! Law 4: a real process, killed and restarted.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use zerfaux::domain::job::{Job, JobState};
use zerfaux::engine::{Engine, SystemClock};
use zerfaux::store::{JobFilter, Store};

use super::wrapped::{Moment, Twist};
use super::{Facts, Report, Sample, Scene, World};

/// How the process that is killed is started. It keeps its database in `data`; started on an empty one it
/// makes the scene's job, started again it goes on; it ends when the job has ended.
pub trait Child {
    /// The command. The law adds `ZERFAUX_CRASH_AT`, which the engine in it obeys.
    fn command(&self, scene: &dyn Scene, place: &Path, data: &Path) -> Command;

    /// How the job ended in `data`, and how many events it took. The default reads the database.
    fn ended(&self, data: &Path) -> Ended {
        let look = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(ended(data))
        };
        // On a thread of its own, because the caller may be in a runtime already.
        std::thread::scope(|scope| scope.spawn(look).join().unwrap())
    }
}

/// What is in the database after the process has ended.
pub struct Ended {
    /// The one job there is.
    pub job: Job,
    /// How many events its log has.
    pub events: usize,
    /// What a finished job must not leave: locks, other jobs.
    pub left: Vec<String>,
}

async fn ended(data: &Path) -> Ended {
    let store = Store::open(data).unwrap();
    let mut jobs = store.jobs(&JobFilter::default()).await.unwrap();
    let locks = store.locks().await.unwrap();
    let mut left: Vec<_> = locks.into_iter().map(|lock| format!("lock {}", lock.name)).collect();
    left.extend(jobs.iter().skip(1).map(|job| format!("a second job {}", job.id)));
    let job = jobs.pop().expect("the process made its job");
    let events = store.events(job.id).await.unwrap().len();
    Ended { job, events, left }
}

/// Law 4.
pub async fn kill_around_each_event(world: &dyn World, child: &dyn Child, sample: Sample) -> Report {
    let clean = trial(world, child, None).await.expect("undisturbed, it ends");
    let mut report = Report::default();
    for number in (1..=clean.events).filter(|number| sample.takes(*number)) {
        for side in ["before", "after"] {
            let at = format!("{} killed {side} event {number} of {}", world.kind(), clean.events);
            report.point(&at);
            match trial(world, child, Some(format!("{number}:{side}"))).await {
                Err(trouble) => report.failures.push(format!("{at}: {trouble}")),
                Ok(end) => {
                    report.check(&at, "the end", &clean.facts, &end.facts);
                    report.check(&at, "the outcome", &clean.outcome, &end.outcome);
                    report.failures.extend(end.left.iter().map(|left| format!("{at}: {left} is left")));
                }
            }
        }
    }
    report
}

struct End {
    facts: Facts,
    outcome: Value,
    events: usize,
    left: Vec<String>,
}

/// One scene, one process killed where `crash_at` says, and one that goes on.
async fn trial(world: &dyn World, child: &dyn Child, crash_at: Option<String>) -> Result<End, String> {
    let root = tempfile::tempdir().unwrap();
    let (place, data) = (root.path().join("place"), root.path().join("data"));
    std::fs::create_dir(&place).unwrap();
    std::fs::create_dir(&data).unwrap();
    let scene = world.build(&place).await;
    let command = || child.command(scene.as_ref(), &place, &data);
    let end = match crash_at {
        Some(crash_at) => die(command(), &crash_at).and_then(|()| live(command())),
        None => live(command()),
    };
    let end = match end {
        Ok(()) => {
            let Ended { job, events, left } = child.ended(&data);
            Ok(End { facts: scene.fingerprint().await, outcome: scene.outcome(&job), events, left })
        }
        Err(trouble) => Err(trouble),
    };
    world.remove(&place).await;
    end
}

/// Runs a process that must be killed by its own crashpoint.
fn die(mut command: Command, crash_at: &str) -> Result<(), String> {
    let output = command.env("ZERFAUX_CRASH_AT", crash_at).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{command:?} could not be started: {error}"))?;
    match output.status.signal() {
        Some(9) => Ok(()),
        _ => Err(format!("was not killed but ended with {}: {}", output.status, words(&output))),
    }
}

/// Runs a process that must end well.
fn live(mut command: Command) -> Result<(), String> {
    let output = command.env_remove("ZERFAUX_CRASH_AT").stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{command:?} could not be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("restarted, it ended with {}: {}", output.status, words(&output)))
}

fn words(output: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Which way the job in a [`SelfChild`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Story {
    /// To its end.
    Succeeds,
    /// Its last step fails after it acted, and everything is taken back.
    Unwinds,
}

/// This test program itself, started again to run only its test `entry`, which calls [`run_as_child`].
pub struct SelfChild {
    /// The path of a `#[test]` in this program.
    pub entry: &'static str,
    /// Which way the job takes.
    pub story: Story,
}

const WORLD: &str = "ZERFAUX_LAW_WORLD";
const PLACE: &str = "ZERFAUX_LAW_PLACE";
const DATA: &str = "ZERFAUX_LAW_DATA";
const STORY: &str = "ZERFAUX_LAW_STORY";

impl Child for SelfChild {
    fn command(&self, scene: &dyn Scene, place: &Path, data: &Path) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([self.entry, "--exact", "--nocapture", "--test-threads=1"]);
        command.env(WORLD, scene.definition().kind).env(PLACE, place).env(DATA, data);
        command.env(STORY, format!("{:?}", self.story));
        command
    }
}

/// The child's side of [`SelfChild`]: does nothing unless this process was started by it.
pub fn run_as_child(worlds: &[Arc<dyn World>]) {
    let Ok(kind) = std::env::var(WORLD) else { return };
    let world = worlds.iter().find(|world| world.kind() == kind).expect("a world of this program");
    let variable = |name| PathBuf::from(std::env::var_os(name).expect("set by the parent"));
    let scene = world.open(&variable(PLACE));
    let unwinds = std::env::var(STORY).is_ok_and(|story| story == format!("{:?}", Story::Unwinds));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(live_one_life(scene, &variable(DATA), unwinds));
}

async fn live_one_life(scene: Arc<dyn Scene>, data: &Path, unwinds: bool) {
    let last = scene.definition().steps.len() - 1;
    let twist = if unwinds { Twist::failing(last, Moment::AfterRun) } else { Twist::none() };
    let definition = twist.definition(&scene);
    let (store, kind) = (Store::open(data).unwrap(), definition.kind);
    let engine = Engine::new(store.clone(), vec![definition], Arc::new(SystemClock::new()));
    let id = match store.jobs(&JobFilter::default()).await.unwrap().first() {
        Some(job) => job.id,
        None => engine.enqueue(kind, scene.input(), "laws").await.unwrap(),
    };
    engine.run_until_idle().await.unwrap();
    let failed = engine.job(id).await.unwrap().state == JobState::Failed;
    if unwinds && failed && !engine.standing(id).await.unwrap().is_clean() {
        engine.cleanup(id).await.unwrap();
        engine.run_until_idle().await.unwrap();
    }
    let job = engine.job(id).await.unwrap();
    let expected = if unwinds { JobState::Failed } else { JobState::Succeeded };
    assert_eq!(job.state, expected, "{:?}", job.failure);
    // A child that failed of anything else would prove nothing.
    let why = job.failure.map(|failure| failure.message).unwrap_or_default();
    assert_eq!(unwinds, why.contains("made by the laws"), "{why}");
}
