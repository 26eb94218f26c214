//! Tasks: waiting for one by the property collector, with progress, and cancelling it.
//!
//! A verb hands out the task's reference as soon as the server has it, before anything is waited for, so that
//! it can be recorded. Whoever has the reference can wait, also in another process after a crash.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Client;
use super::error::VsphereError;
use super::fault::{Fault, Reason};
use super::property::{PropertySet, Scope, UpdateStream};
use super::request::Request;
use super::xml::Node;
use crate::domain::moref::{FolderRef, ManagedRef, TaskRef, VmRef};

/// How long one call waits; only says how often the server is asked when nothing happens.
const WAIT: Duration = Duration::from_secs(20);
/// How often in a row the connection may be lost before the wait is given up. With the pauses: five minutes.
const LOSSES: u32 = 35;
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const PATHS: [&str; 4] = ["info.state", "info.progress", "info.error", "info.result"];

/// How a task is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskProgress {
    /// It has begun.
    pub running: bool,
    /// 0 to 100, where the server says it.
    pub percent: Option<u8>,
}

/// What is known of a task so far.
#[derive(Default)]
struct Seen {
    state: String,
    percent: Option<u8>,
    error: Option<Node>,
    result: Option<Node>,
}

impl Client {
    /// Waits until the task ends, and returns what it resulted in. Loses nothing when the connection breaks
    /// or the session expires meanwhile: the task is looked for again.
    ///
    /// When `cancel` fires, the server is asked to stop the task, and its end is still waited for.
    ///
    /// # Errors
    /// [`VsphereError::Fault`] with why the task failed; [`VsphereError::TaskLost`] if the server no longer
    /// knows it; [`VsphereError::Cancelled`]; or if the server stays away for five minutes.
    pub async fn wait_for_task(
        &self,
        task: &TaskRef,
        attempted: &str,
        cancel: &CancellationToken,
        progress: impl FnMut(TaskProgress) + Send,
    ) -> Result<Option<Node>, VsphereError> {
        self.outcome_of_task(task, attempted, cancel, progress).await?
    }

    /// The same, telling how the task ended from not being able to look at it.
    ///
    /// # Errors
    /// If it is not known how the task ended: it may still run.
    pub async fn outcome_of_task(
        &self,
        task: &TaskRef,
        attempted: &str,
        cancel: &CancellationToken,
        mut progress: impl FnMut(TaskProgress) + Send,
    ) -> Result<Result<Option<Node>, VsphereError>, VsphereError> {
        let mut losses = 0;
        let mut asked_to_stop = false;
        loop {
            match self.watch(task, attempted, cancel, &mut asked_to_stop, &mut losses, &mut progress).await {
                Err(error) if is_lost_stream(&error) && losses < LOSSES => {
                    let pause = PAUSE * 2u32.saturating_pow(losses.min(16));
                    losses += 1;
                    tracing::debug!(%task, %error, "lost sight of a task; looking for it again");
                    tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
                }
                looked => return looked,
            }
        }
    }

    /// The outcome of the task; or why it is not known.
    async fn watch(
        &self,
        task: &TaskRef,
        attempted: &str,
        cancel: &CancellationToken,
        asked_to_stop: &mut bool,
        losses: &mut u32,
        progress: &mut (impl FnMut(TaskProgress) + Send),
    ) -> Result<Result<Option<Node>, VsphereError>, VsphereError> {
        let sets = [PropertySet { kind: "Task", paths: PATHS.to_vec() }];
        let scope = Scope::Objects(vec![task.into()]);
        let mut stream = match UpdateStream::open(self, &sets, &scope).await {
            Err(error) if is_missing(&error, task) => return Ok(Err(self.task_lost(attempted))),
            other => other?,
        };
        let mut seen = Seen::default();
        loop {
            let updates = tokio::select! {
                biased;
                () = cancel.cancelled(), if !*asked_to_stop => {
                    *asked_to_stop = true;
                    self.ask_to_stop(task, attempted).await;
                    continue;
                }
                updates = stream.next(WAIT) => updates,
            };
            let updates = match updates {
                Err(error) if is_missing(&error, task) => return Ok(Err(self.task_lost(attempted))),
                other => other?,
            };
            *losses = 0;
            for object in updates.objects {
                if object.change == super::property::Change::Left {
                    return Ok(Err(self.task_lost(attempted)));
                }
                for (path, value) in object.properties {
                    match path.as_str() {
                        "info.state" => seen.state = value.map(|v| v.text().to_owned()).unwrap_or_default(),
                        "info.progress" => seen.percent = value.and_then(|v| v.text().parse().ok()),
                        "info.error" => seen.error = value,
                        "info.result" => seen.result = value,
                        _ => {}
                    }
                }
            }
            match seen.state.as_str() {
                "success" => {
                    progress(TaskProgress { running: true, percent: Some(100) });
                    stream.close().await;
                    return Ok(Ok(seen.result));
                }
                "error" => {
                    stream.close().await;
                    // Also one that may pass, such as a host that does not answer: this task is over.
                    return Ok(Err(self.task_failed(attempted, seen.error.as_ref(), *asked_to_stop)));
                }
                state => progress(TaskProgress { running: state == "running", percent: seen.percent }),
            }
        }
    }

    fn task_failed(&self, attempted: &str, error: Option<&Node>, asked_to_stop: bool) -> VsphereError {
        let (attempted, server) = (attempted.to_owned(), self.server().to_owned());
        let fault = Fault::localized(error.unwrap_or(&Node::default()));
        if asked_to_stop && fault.reason == Reason::Cancelled {
            return VsphereError::Cancelled { attempted, server };
        }
        VsphereError::Fault { attempted, server, fault: Box::new(fault) }
    }

    fn task_lost(&self, attempted: &str) -> VsphereError {
        VsphereError::TaskLost { attempted: attempted.to_owned(), server: self.server().to_owned() }
    }

    async fn ask_to_stop(&self, task: &TaskRef, attempted: &str) {
        let request = Request::new("CancelTask", task, format!("cancel the task of: {attempted}"), |_| ());
        // Some tasks cannot be stopped, and some have just ended: how they end is waited for all the same.
        if let Err(error) = self.call(&request).await {
            tracing::info!(%task, %error, "the task does not stop");
        }
    }

    /// The tasks of one sort that run, or wait to run, on this object now, whoever began them. The sort is a
    /// `descriptionId` such as `VirtualMachine.clone`. An object that is gone has none.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn running_tasks(
        &self,
        object: impl Into<ManagedRef>,
        description: &str,
    ) -> Result<Vec<TaskRef>, VsphereError> {
        let missing = |error: &VsphereError| matches!(error.reason(), Some(Reason::ObjectNotFound { .. }));
        let object = object.into();
        // Some servers take a type for itself alone.
        let kind = match object.kind.as_str() {
            VmRef::KIND => VmRef::KIND,
            FolderRef::KIND => FolderRef::KIND,
            _ => "ManagedEntity",
        };
        let found = match self.properties(object, kind, &["recentTask"]).await {
            Err(error) if missing(&error) => return Ok(Vec::new()),
            other => other?,
        };
        let mut running = Vec::new();
        let recent = found.get("recentTask").map(Node::children).unwrap_or_default();
        for task in recent.iter().filter_map(Node::reference) {
            // One by one: a server forgets ended tasks at any time, and then refuses to tell of the others with it.
            let known =
                match self.properties(task.clone(), "Task", &["info.state", "info.descriptionId"]).await {
                    Err(error) if missing(&error) => continue,
                    other => other?,
                };
            let alive = matches!(known.text("info.state"), Some("queued" | "running"));
            if alive && known.text("info.descriptionId") == Some(description) {
                running.push(TaskRef::new(task.id));
            }
        }
        Ok(running)
    }

    /// Sends a request that makes a task, and returns the task's reference without waiting for it.
    pub(super) async fn start(&self, request: &Request) -> Result<TaskRef, VsphereError> {
        Ok(TaskRef::new(self.call_for_reference(request).await?.id))
    }
}

fn is_missing(error: &VsphereError, task: &TaskRef) -> bool {
    matches!(error.reason(), Some(Reason::ObjectNotFound { object }) if object.as_ref() == Some(&ManagedRef::from(task)))
}

/// Whether the task may be as well as ever, and only our look at it has ended.
fn is_lost_stream(error: &VsphereError) -> bool {
    error.is_transient() || matches!(error.reason(), Some(Reason::ObjectNotFound { .. }))
}
