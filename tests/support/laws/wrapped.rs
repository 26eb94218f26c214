//! Steps around steps: run twice, undone twice, failing where they are told to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::Value;
use zerfaux::domain::job::Failure;
use zerfaux::engine::{Definition, Retry, Step, StepContext, UndoKind};

use super::{Differs, Scene};

/// What a wrapped step does beside its own work.
#[derive(Clone)]
pub(super) struct Twist {
    /// Runs and asks again, noting what differs.
    pub(super) twice: bool,
    /// Undoes again, noting what differs.
    pub(super) undo_twice: bool,
    /// Fails at the step with this number.
    pub(super) fail: Option<(usize, Moment)>,
    /// Fails there for the first time only.
    pub(super) once: bool,
    pub(super) failed: Arc<AtomicBool>,
    /// What was found wrong.
    pub(super) found: Arc<Mutex<Vec<String>>>,
}

/// When a step is made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Started, but it has not acted.
    BeforeRun,
    /// It has acted, but that is not recorded.
    AfterRun,
}

impl Twist {
    pub(super) fn none() -> Self {
        let (found, failed) = (Arc::default(), Arc::default());
        Self { twice: false, undo_twice: false, fail: None, once: false, failed, found }
    }

    pub(super) fn failing(step: usize, moment: Moment) -> Self {
        Self { fail: Some((step, moment)), ..Self::none() }
    }

    /// The scene's definition with every step wrapped.
    pub(super) fn definition(&self, scene: &Arc<dyn Scene>) -> Definition {
        let mut definition = scene.definition();
        let steps = std::mem::take(&mut definition.steps).into_iter().enumerate();
        definition.steps = steps
            .map(|(number, step)| {
                let (twist, scene) = (self.clone(), scene.clone());
                Box::new(Wrapped { number, step, twist, scene }) as Box<dyn Step>
            })
            .collect();
        definition
    }
}

struct Wrapped {
    number: usize,
    step: Box<dyn Step>,
    twist: Twist,
    scene: Arc<dyn Scene>,
}

impl Wrapped {
    fn fails(&self, moment: Moment) -> Result<(), Failure> {
        let here = self.twist.fail == Some((self.number, moment));
        if here && !(self.twist.failed.swap(true, Ordering::SeqCst) && self.twist.once) {
            return Err(Failure::permanent(format!("a failure made by the laws, {moment:?}")));
        }
        Ok(())
    }

    fn note_difference(&self, what: &str, before: &impl Differs, after: &impl Differs) {
        if let Some(difference) = before.difference(after) {
            let text = format!("step {:?}: {what}: {difference}", self.step.name());
            self.twist.found.lock().unwrap().push(text);
        }
    }
}

#[async_trait]
impl Step for Wrapped {
    fn name(&self) -> &'static str {
        self.step.name()
    }
    fn percent(&self) -> (u8, u8) {
        self.step.percent()
    }
    fn retry(&self) -> Retry {
        self.step.retry()
    }
    fn undo_kind(&self) -> UndoKind {
        self.step.undo_kind()
    }
    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let before = self.scene.fingerprint().await;
        let intent = self.step.intent(cx).await?;
        self.note_difference(
            "deciding its intent changed something",
            &before,
            &self.scene.fingerprint().await,
        );
        Ok(intent)
    }
    async fn is_done(&self, cx: &StepContext, intent: &Value) -> Result<Option<Value>, Failure> {
        if self.twist.fail.is_some_and(|(number, _)| number == self.number) {
            return Ok(None);
        }
        self.step.is_done(cx, intent).await
    }
    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        self.fails(Moment::BeforeRun)?;
        let mut output = self.step.run(cx, intent).await?;
        if self.twist.twice {
            let before = self.scene.fingerprint().await;
            let again = self.step.run(cx, intent).await.inspect_err(|failure| {
                let text = format!("step {:?}: fails when it is run again: {failure}", self.step.name());
                self.twist.found.lock().unwrap().push(text);
            })?;
            self.note_difference("run again it changed something", &before, &self.scene.fingerprint().await);
            let steady = |output: &Value| self.scene.steady(output.clone());
            self.note_difference("run again it returned something else", &steady(&output), &steady(&again));
            output = again;
        }
        self.fails(Moment::AfterRun)?;
        Ok(output)
    }
    async fn undo(&self, cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        self.step.undo(cx, intent).await?;
        if self.twist.undo_twice {
            let before = self.scene.fingerprint().await;
            self.step.undo(cx, intent).await.inspect_err(|failure| {
                let text = format!("step {:?}: cannot be taken back again: {failure}", self.step.name());
                self.twist.found.lock().unwrap().push(text);
            })?;
            self.note_difference(
                "taken back again it changed more",
                &before,
                &self.scene.fingerprint().await,
            );
        }
        Ok(())
    }
}
