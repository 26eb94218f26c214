//! The laws that every kind of job keeps, as a library: give it a [`World`] for a kind, and it enumerates the
//! steps and events by itself.
//!
//! 1. Each step run twice changes nothing more, and the job ends as without.
//! 2. A failure at each step, before and after it acted, unwinds and leaves nothing behind; and a retry
//!    instead ends as without the failure.
//! 3. Each undo run twice changes nothing more, and fails neither time.
//! 4. The process killed before and after each recorded event, and restarted, ends the same.

mod kill;
mod steps;
mod wrapped;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use zerfaux::domain::job::Job;
use zerfaux::engine::Definition;

use wrapped::Moment;

pub use kill::{Child, SelfChild, Story, kill_around_each_event, run_as_child};
pub use steps::{fail_at_each_step, retry_after_each_failure, run_each_step_twice, undo_each_step_twice};

/// What a user would care about, by name: a file with its content, a dataset with its GUID, a hold, a mount.
pub type Facts = BTreeMap<String, String>;

/// Where a kind of job can be tried.
#[async_trait]
pub trait World: Send + Sync {
    /// The kind, as its definition says.
    fn kind(&self) -> &'static str;

    /// Builds a new scene. `place` is an empty directory for its own notes, the same for
    /// [`open`](Self::open) later.
    async fn build(&self, place: &Path) -> Arc<dyn Scene>;

    /// Opens the scene that was built in `place`, perhaps by another process.
    fn open(&self, place: &Path) -> Arc<dyn Scene>;

    /// Takes away what a scene left outside of `place`.
    async fn remove(&self, _place: &Path) {}
}

/// One trial: everything that one job touches.
#[async_trait]
pub trait Scene: Send + Sync {
    /// The kind's definition, working on this scene.
    fn definition(&self) -> Definition;

    /// The input of the job.
    fn input(&self) -> Value;

    /// What is there now. Must not depend on which scene it is: no random names, no times, no paths of `place`;
    /// but one more of anything must show.
    async fn fingerprint(&self) -> Facts;

    /// Facts that may differ after everything was taken back: how their names begin, and why that is right.
    fn may_remain(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }

    /// What of a step's output must be the same whenever it was run: what a step measures, such as how fast a host
    /// answered, is left out.
    fn steady(&self, output: Value) -> Value {
        output
    }

    /// What must be the same about the job itself, whatever happened on its way.
    fn outcome(&self, job: &Job) -> Value {
        json!({"state": job.state, "result": self.steady(json!(job.result))})
    }
}

/// Which of the many points of a law are tried.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Every so many.
    pub every: usize,
    /// Beginning so far in, so that different tests try different points.
    pub offset: usize,
}

impl Sample {
    /// All of them.
    pub const ALL: Sample = Sample { every: 1, offset: 0 };

    fn takes(self, number: usize) -> bool {
        number % self.every == self.offset % self.every
    }

    /// The steps to fail at, and on which side of their run.
    fn of(self, steps: usize) -> Vec<(usize, Moment)> {
        let points = (0..steps).flat_map(|step| [(step, Moment::BeforeRun), (step, Moment::AfterRun)]);
        points.enumerate().filter(|(number, _)| self.takes(*number)).map(|(_, point)| point).collect()
    }
}

/// What a law found.
#[derive(Debug, Default)]
#[must_use]
pub struct Report {
    /// How many trials there were.
    pub points: usize,
    /// What went wrong, one sentence each.
    pub failures: Vec<String>,
}

impl Report {
    /// Panics with everything that went wrong, or when nothing was tried at all.
    pub fn assert_kept(&self, law: &str) {
        assert!(self.points > 0, "{law}: nothing was tried");
        assert!(self.failures.is_empty(), "{law}: {self}");
    }

    /// Counts one trial, and says which, for those who watch a long run.
    fn point(&mut self, at: &str) {
        self.points += 1;
        eprintln!("{:4} {at}", self.points);
    }

    fn check(&mut self, at: &str, what: &str, expected: &impl Differs, found: &impl Differs) {
        if let Some(difference) = expected.difference(found) {
            self.failures.push(format!("{at}: {what}: {difference}"));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} trials did not end as they should", self.failures.len(), self.points)?;
        self.failures.iter().try_for_each(|failure| write!(f, "\n- {failure}"))
    }
}

/// Says how two things differ, in words short enough for a list.
trait Differs {
    /// None: they do not. Both must be of one type, which `as_facts` makes comparable.
    fn difference(&self, found: &impl Differs) -> Option<String> {
        let (expected, found) = (self.as_facts(), found.as_facts());
        let gone = expected.iter().filter(|(name, value)| found.get(*name) != Some(value));
        let new = found.iter().filter(|(name, value)| expected.get(*name) != Some(value));
        let lines: Vec<_> = gone
            .map(|(name, value)| format!("expected {name} = {value}"))
            .chain(new.map(|(name, value)| format!("found {name} = {value}")))
            .collect();
        (!lines.is_empty()).then(|| lines.join("; "))
    }
    fn as_facts(&self) -> Facts;
}

impl Differs for Facts {
    fn as_facts(&self) -> Facts {
        self.clone()
    }
}

impl Differs for Value {
    fn as_facts(&self) -> Facts {
        Facts::from([("the job".to_owned(), self.to_string())])
    }
}

/// `facts` without those that may remain after an unwinding.
fn without_remains(scene: &dyn Scene, mut facts: Facts) -> Facts {
    let may_remain = scene.may_remain();
    facts.retain(|name, _| !may_remain.iter().any(|(prefix, _)| name.starts_with(prefix)));
    facts
}

/// What is wrong with a definition by itself.
pub fn defects(definition: &Definition) -> Vec<String> {
    use zerfaux::engine::UndoKind;
    let mut found = Vec::new();
    let (mut names, mut reached) = (Vec::new(), 0);
    for step in &definition.steps {
        let (name, (from, to)) = (step.name(), step.percent());
        if names.contains(&name) {
            found.push(format!("two steps are called {name:?}"));
        }
        if from < reached || to < from || to > 100 {
            found.push(format!("step {name:?} goes from {from} % to {to} %, after {reached} %"));
        }
        if let UndoKind::Nothing("") | UndoKind::Cannot("") = step.undo_kind() {
            found.push(format!("step {name:?} gives no reason for having no undo"));
        }
        names.push(name);
        reached = to;
    }
    if names.is_empty() || reached != 100 {
        found.push(format!("{} steps reach {reached} %", names.len()));
    }
    found
}
