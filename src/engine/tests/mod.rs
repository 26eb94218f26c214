//! The engine with an in-memory store and a clock that tests hold in their hands.

mod requests;
mod resuming;
mod running;
mod scheduling;
mod unwinding;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::domain::job::{Failure, Job, JobState};

type Action = Box<dyn Fn(StepContext, Value) -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync>;
type Outcome = Result<Value, Failure>;

/// A step made of closures.
struct Scripted {
    name: &'static str,
    percent: (u8, u8),
    attempts: u32,
    intent: Value,
    done: Option<Value>,
    undo_kind: UndoKind,
    run: Action,
    undo: Action,
}

#[async_trait]
impl Step for Scripted {
    fn name(&self) -> &'static str {
        self.name
    }
    fn percent(&self) -> (u8, u8) {
        self.percent
    }
    fn retry(&self) -> Retry {
        Retry { attempts: self.attempts, pause: Duration::from_secs(10) }
    }
    async fn intent(&self, _cx: &StepContext) -> Result<Value, Failure> {
        Ok(self.intent.clone())
    }
    async fn is_done(&self, _cx: &StepContext, _intent: &Value) -> Result<Option<Value>, Failure> {
        Ok(self.done.clone())
    }
    async fn run(&self, cx: &StepContext, intent: &Value) -> Outcome {
        (self.run)(cx.clone(), intent.clone()).await
    }
    fn undo_kind(&self) -> UndoKind {
        self.undo_kind
    }
    async fn undo(&self, cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        (self.undo)(cx.clone(), intent.clone()).await.map(drop)
    }
}

fn step<F>(name: &'static str, run: impl Fn(StepContext, Value) -> F + Send + Sync + 'static) -> Scripted
where
    F: Future<Output = Outcome> + Send + 'static,
{
    Scripted {
        name,
        percent: (0, 100),
        attempts: 1,
        intent: Value::Null,
        done: None,
        undo_kind: UndoKind::Nothing("a test"),
        run: Box::new(move |cx, intent| Box::pin(run(cx, intent))),
        undo: Box::new(|_, _| Box::pin(async { Ok(Value::Null) })),
    }
}

impl Scripted {
    fn undoing<F>(mut self, undo: impl Fn(StepContext, Value) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.undo_kind = UndoKind::Undoes;
        self.undo = Box::new(move |cx, intent| Box::pin(undo(cx, intent)));
        self
    }
}

/// What happened, in its order.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn write(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }
    fn read(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
    /// A step that writes its name and returns it, and writes `-name` when it is taken back.
    fn step(&self, name: &'static str) -> Scripted {
        let (forward, back) = (self.clone(), self.clone());
        step(name, move |_, _| {
            forward.write(name);
            async move { Ok(json!(name)) }
        })
        .undoing(move |_, _| {
            back.write(format!("-{name}"));
            async { Ok(Value::Null) }
        })
    }
    /// The same, failing the first `times` times.
    fn failing(&self, name: &'static str, times: usize, failure: Failure) -> Scripted {
        let (diary, left) = (self.clone(), Arc::new(Mutex::new(times)));
        let mut scripted = self.step(name);
        scripted.run = Box::new(move |_, _| {
            diary.write(name);
            let mut left = left.lock().unwrap();
            let fails = *left > 0;
            *left = left.saturating_sub(1);
            let failure = failure.clone();
            Box::pin(async move { if fails { Err(failure) } else { Ok(json!(name)) } })
        });
        scripted
    }
}

fn kind(name: &'static str, steps: Vec<Scripted>) -> Definition {
    Definition::new(name, steps.into_iter().map(|step| Box::new(step) as Box<dyn Step>).collect())
}

/// A kind whose lock is named by its input.
fn locked(definition: Definition) -> Definition {
    definition.with_locks(|input| Ok(vec![LockName::host_mounts(input.as_str().unwrap_or("none"))]))
}

fn start_of_time() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A new engine on `store`, as after a restart.
fn engine_on(store: &Store, kinds: Vec<Definition>) -> Engine {
    Engine::new(store.clone(), kinds, Arc::new(ManualClock::sleepless(start_of_time())))
}

fn engine(kinds: Vec<Definition>) -> Engine {
    engine_on(&Store::open_in_memory().unwrap(), kinds)
}

/// Makes a job of `kind` and runs it until it ends or waits.
async fn run(engine: &Engine, kind: &str) -> Job {
    let id = engine.enqueue(kind, Value::Null, "test").await.unwrap();
    engine.run_until_idle().await.unwrap();
    engine.job(id).await.unwrap()
}

/// The names of the events of a job, with their steps.
async fn log_of(engine: &Engine, job: JobId) -> Vec<String> {
    let events = engine.inner.store.events(job).await.unwrap();
    events.iter().map(|record| format!("{} {}", record.step, record.event.name())).collect()
}

/// Drives `engine` until `condition` holds, then stops it as a crash would.
async fn crash_once(engine: &Engine, condition: impl Future<Output = ()>) {
    tokio::select! {
        result = engine.run_until_idle() => panic!("the engine became idle: {result:?}"),
        () = condition => {}
    }
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}
