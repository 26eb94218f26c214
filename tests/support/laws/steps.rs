//! Laws 1 to 3: within one process.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use zerfaux::domain::job::{Job, JobState};
use zerfaux::engine::{Definition, Engine, ManualClock, UndoKind};
use zerfaux::store::Store;

use super::wrapped::Twist;
use super::{Facts, Report, Sample, Scene, World, without_remains};

/// A scene with an engine on it.
struct Trial {
    world_place: tempfile::TempDir,
    scene: Arc<dyn Scene>,
    /// How it was before the job.
    before: Facts,
    engine: Engine,
    job: Job,
}

impl Trial {
    /// Builds a scene and runs its job, with `twist`, until it ends or waits.
    async fn run(world: &dyn World, twist: &Twist) -> Self {
        let world_place = tempfile::tempdir().unwrap();
        let scene = world.build(world_place.path()).await;
        let before = scene.fingerprint().await;
        let definition = twist.definition(&scene);
        assert_eq!(definition.kind, world.kind());
        // It stands still, so that a step that is run twice says the same; ahead of the hosts' clocks, which go on, so
        // that what they make is not dated in the future.
        let clock = ManualClock::sleepless(jiff::Timestamp::now() + Duration::from_secs(3600));
        let clock = Arc::new(clock);
        let engine = Engine::new(Store::open_in_memory().unwrap(), vec![definition], clock);
        let id = engine.enqueue(world.kind(), scene.input(), "laws").await.unwrap();
        engine.run_until_idle().await.unwrap();
        let job = engine.job(id).await.unwrap();
        Self { world_place, scene, before, engine, job }
    }

    async fn go_on(&mut self) {
        self.engine.run_until_idle().await.unwrap();
        self.job = self.engine.job(self.job.id).await.unwrap();
    }

    fn outcome(&self) -> Value {
        self.scene.outcome(&self.job)
    }

    async fn end(self, world: &dyn World) {
        drop(self.engine);
        world.remove(self.world_place.path()).await;
    }
}

/// The end that every trial is held against.
struct CleanEnd {
    facts: Facts,
    outcome: Value,
    definition: Definition,
}

async fn clean_end(world: &dyn World) -> CleanEnd {
    let trial = Trial::run(world, &Twist::none()).await;
    assert_eq!(trial.job.state, JobState::Succeeded, "an undisturbed job: {:?}", trial.job.failure);
    let facts = trial.scene.fingerprint().await;
    let (outcome, definition) = (trial.outcome(), trial.scene.definition());
    assert_ne!(facts, trial.before, "the job changes nothing that the fingerprint shows");
    trial.end(world).await;
    CleanEnd { facts, outcome, definition }
}

/// Law 1.
pub async fn run_each_step_twice(world: &dyn World) -> Report {
    let clean = clean_end(world).await;
    let twist = Twist { twice: true, ..Twist::none() };
    let trial = Trial::run(world, &twist).await;
    let mut report = Report { points: clean.definition.steps.len(), ..Report::default() };
    report.failures.append(&mut twist.found.lock().unwrap());
    report.check("each step run twice", "the end", &clean.facts, &trial.scene.fingerprint().await);
    report.check("each step run twice", "the outcome", &clean.outcome, &trial.outcome());
    trial.end(world).await;
    report
}

/// Law 2.
pub async fn fail_at_each_step(world: &dyn World, sample: Sample) -> Report {
    let clean = clean_end(world).await;
    let mut report = Report::default();
    for (step, moment) in sample.of(clean.definition.steps.len()) {
        let at = format!("step {:?} made to fail {moment:?}", clean.definition.steps[step].name());
        unwind_from(world, &clean, step, &Twist::failing(step, moment), &at, &mut report).await;
    }
    report
}

/// Law 2, the other way: after the failure a person asks for a retry.
pub async fn retry_after_each_failure(world: &dyn World, sample: Sample) -> Report {
    let clean = clean_end(world).await;
    let mut report = Report::default();
    for (step, moment) in sample.of(clean.definition.steps.len()) {
        let name = clean.definition.steps[step].name();
        let at = format!("retried after step {name:?} was made to fail {moment:?}");
        report.point(&at);
        let mut trial = Trial::run(world, &Twist { once: true, ..Twist::failing(step, moment) }).await;
        match trial.engine.retry(trial.job.id).await {
            Ok(()) => trial.go_on().await,
            Err(error) => report.failures.push(format!("{at}: {error}")),
        }
        report.check(&at, "the end", &clean.facts, &trial.scene.fingerprint().await);
        report.check(&at, "the outcome", &clean.outcome, &trial.outcome());
        trial.end(world).await;
    }
    report
}

/// Law 3.
pub async fn undo_each_step_twice(world: &dyn World, sample: Sample) -> Report {
    let clean = clean_end(world).await;
    let mut report = Report::default();
    for (step, moment) in sample.of(clean.definition.steps.len()) {
        let twist = Twist { undo_twice: true, ..Twist::failing(step, moment) };
        let name = clean.definition.steps[step].name();
        let at = format!("undone twice after {name:?} was made to fail {moment:?}");
        unwind_from(world, &clean, step, &twist, &at, &mut report).await;
    }
    report
}

/// Lets the job fail at `step`, takes it back, and looks at what is left.
async fn unwind_from(
    world: &dyn World,
    clean: &CleanEnd,
    step: usize,
    twist: &Twist,
    at: &str,
    report: &mut Report,
) {
    report.point(at);
    let mut trial = Trial::run(world, twist).await;
    let failed_at = trial.job.failed_phase.clone().unwrap_or_default();
    if failed_at != clean.definition.steps[step].name() {
        report.failures.push(format!("{at}: the job failed at step {failed_at:?}: {:?}", trial.job.failure));
    }
    let left = trial.engine.standing(trial.job.id).await.unwrap();
    let barrier = clean.definition.steps[..=step]
        .iter()
        .rposition(|step| matches!(step.undo_kind(), UndoKind::Cannot(_)));
    if !left.is_clean() && trial.job.state == JobState::Failed && barrier != Some(step) {
        match trial.engine.cleanup(trial.job.id).await {
            Ok(()) => trial.go_on().await,
            // An unwinding by itself has already come down to what cannot be taken back.
            Err(_) if barrier.is_some() => {}
            Err(error) => report.failures.push(format!("{at}: {error}")),
        }
    }
    report.failures.extend(twist.found.lock().unwrap().drain(..).map(|found| format!("{at}: {found}")));
    if trial.job.state != JobState::Failed {
        report.failures.push(format!("{at}: the job is {} because {:?}", trial.job.state, trial.job.failure));
    }
    if barrier.is_none() {
        let scene = trial.scene.as_ref();
        let expected = without_remains(scene, trial.before.clone());
        let found = without_remains(scene, scene.fingerprint().await);
        report.check(at, "left behind", &expected, &found);
    }
    trial.end(world).await;
}
