//! A deed on a vCenter that becomes one task and is done once, whatever happens to this process, the connection or
//! the vCenter meanwhile. Every step that starts a vSphere task does it through [`once`].
//!
//! In which order, and why:
//! 1. The world is asked first: what is so already is not done again.
//! 2. That the request is about to be sent is noted, then it is sent, then the task's reference is noted, and only
//!    then is it waited for.
//! 3. A process that takes over with a reference waits for that task. One that finds only "about to be sent" lets the
//!    tasks end that run at the same place, and asks the world.
//! 4. A task that vCenter no longer knows (it was restarted) proves nothing: the world is asked.
//! 5. What a task resulted in is looked at, not believed.
//!
//! In: the order. Out: what the deeds are; the making of virtual machines is in `vsphere_make.rs`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::domain::job::{Failure, FailureKind};
use crate::domain::moref::{ManagedRef, TaskRef};
use crate::engine::StepContext;
use crate::vsphere::{Client, Reason, VsphereError};

/// How often a request is sent in all whose fate is unknown, or that came at a bad moment.
const ATTEMPTS: u32 = 6;
/// The pause before it is sent again; it doubles.
const PAUSE: Duration = Duration::from_secs(1);

/// Something to be done on a vCenter by one task.
#[async_trait]
pub trait Deed: Send + Sync {
    /// What is known once it is done.
    type Done: Send;

    /// Tells it from other deeds of the same step. Never changes once released: an unfinished job's log has it.
    fn key(&self) -> Cow<'static, str>;

    /// Told how far the task is, 0 to 1. A step with several deeds at once adds them up.
    fn progress(&self, cx: &StepContext, fraction: f64) {
        cx.progress(fraction);
    }

    /// Completes "could not …".
    fn what(&self) -> String;

    /// The object at which vCenter lists the task while it runs.
    fn entity(&self) -> ManagedRef;

    /// The task's `descriptionId`, such as `VirtualMachine.clone`.
    fn description(&self) -> &'static str;

    /// Asks the world whether it is done. `result` is what the task that just ended resulted in.
    ///
    /// # Errors
    /// If the vCenter does not answer, or if what is there stands in the way.
    async fn look(&self, client: &Client, result: Option<&ManagedRef>)
    -> Result<Option<Self::Done>, Failure>;

    /// Sends the request.
    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError>;
}

/// The same deed as one of several of its sort within a step, told from the others by `of`.
pub struct Among<D> {
    /// Of which of them.
    pub of: String,
    /// It.
    pub deed: D,
}

#[async_trait]
impl<D: Deed> Deed for Among<D> {
    type Done = D::Done;

    fn key(&self) -> Cow<'static, str> {
        format!("{} {}", self.deed.key(), self.of).into()
    }

    // Of several at once the step itself says how far it is.
    fn progress(&self, _cx: &StepContext, _fraction: f64) {}

    fn what(&self) -> String {
        self.deed.what()
    }

    fn entity(&self) -> ManagedRef {
        self.deed.entity()
    }

    fn description(&self) -> &'static str {
        self.deed.description()
    }

    async fn look(
        &self,
        client: &Client,
        result: Option<&ManagedRef>,
    ) -> Result<Option<Self::Done>, Failure> {
        self.deed.look(client, result).await
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        self.deed.send(client).await
    }
}

/// How far a deed has come, as it is noted in the job's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
enum Stage {
    /// The request is about to be sent, or was sent.
    Sending,
    /// The vCenter has made this task of it.
    Task { task: TaskRef },
    /// It came to nothing: the next attempt begins anew.
    Over,
}

type Stages = BTreeMap<String, Stage>;

fn stages(cx: &StepContext) -> Result<Stages, Failure> {
    Ok(cx.last_note()?.unwrap_or_default())
}

/// Other deeds of the step may be under way beside it: their stages stay.
async fn note(cx: &StepContext, key: &str, stage: Stage) -> Result<(), Failure> {
    if stages(cx)?.get(key) == Some(&stage) {
        return Ok(());
    }
    cx.change_note(|all: Option<Stages>| {
        let mut all = all.unwrap_or_default();
        all.insert(key.to_owned(), stage);
        all
    })
    .await
}

/// Sees to it that the deed is done, once. The step's notes belong to its deeds.
///
/// # Errors
/// Why it could not be done; `Cancelled` when a person asked to stop and the task went along, or was not sent yet.
pub async fn once<D: Deed>(cx: &StepContext, client: &Client, deed: &D) -> Result<D::Done, Failure> {
    match stages(cx)?.remove(&*deed.key()) {
        Some(Stage::Task { task }) => {
            cx.info(format!("Looking for the task {task} that was started earlier."));
            if let End::Done(done) = ended(cx, client, deed, &task).await? {
                return Ok(done);
            }
        }
        Some(Stage::Sending) => {
            cx.info("It is not known whether the last request arrived; looking.");
            let_run(cx, client, deed).await?;
        }
        Some(Stage::Over) | None => {}
    }
    let mut pause = PAUSE;
    for attempt in 1..=ATTEMPTS {
        if let Some(done) = deed.look(client, None).await? {
            return Ok(done);
        }
        if cx.cancelled().is_cancelled() {
            return Err(Failure::cancelled(format!("Asked to stop before it was begun to {}.", deed.what())));
        }
        note(cx, &deed.key(), Stage::Sending).await?;
        let error = match deed.send(client).await {
            Ok(task) => {
                note(cx, &deed.key(), Stage::Task { task: task.clone() }).await?;
                match ended(cx, client, deed, &task).await? {
                    End::Done(done) => return Ok(done),
                    End::Lost => continue,
                    End::Nothing => return Err(vanished(deed)),
                }
            }
            Err(error) => error,
        };
        if !error.outcome_is_unknown() {
            // It was refused, so there is no task. But what it was refused for may be our own doing: a request whose
            // answer was lost made what now has the name.
            note(cx, &deed.key(), Stage::Over).await?;
            if is_taken(&error) {
                return deed.look(client, None).await?.ok_or_else(|| error.into());
            }
        }
        if !(error.is_transient() || error.outcome_is_unknown()) || attempt == ATTEMPTS {
            return Err(error.into());
        }
        cx.warn(format!("{}. Looking again in {} s.", Failure::from(error).message, pause.as_secs()));
        cx.pause(pause).await?;
        pause *= 2;
        let_run(cx, client, deed).await?;
    }
    Err(vanished(deed))
}

/// Ends what the deed has under way, if anything: to be called before it is taken back. What it made is for the
/// caller to look for. The next attempt begins anew.
///
/// # Errors
/// If the vCenter does not answer.
pub async fn give_up<D: Deed>(cx: &StepContext, client: &Client, deed: &D) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    stop.cancel();
    match stages(cx)?.remove(&*deed.key()) {
        Some(Stage::Task { task }) => {
            // However it ended: what it left is for the caller to look for.
            let _outcome = client.outcome_of_task(&task, &deed.what(), &stop, |_| ()).await?;
            note(cx, &deed.key(), Stage::Over).await
        }
        Some(Stage::Sending) => {
            // Whose the running tasks are is not known, so they are waited for and not stopped.
            let_run(cx, client, deed).await?;
            note(cx, &deed.key(), Stage::Over).await
        }
        Some(Stage::Over) | None => Ok(()),
    }
}

/// How the wait for a task ended, if not with a fault.
enum End<T> {
    Done(T),
    /// The vCenter does not know it any more, and what it was to do is not done.
    Lost,
    /// It ended well, and what it was to do is not there.
    Nothing,
}

async fn ended<D: Deed>(
    cx: &StepContext,
    client: &Client,
    deed: &D,
    task: &TaskRef,
) -> Result<End<D::Done>, Failure> {
    let progress = |seen: crate::vsphere::TaskProgress| {
        if let Some(percent) = seen.percent {
            deed.progress(cx, f64::from(percent) / 100.0);
        }
    };
    // If it cannot be looked at, it may still run, and the note stays.
    let outcome = client.outcome_of_task(task, &deed.what(), &cx.cancelled(), progress).await?;
    match outcome {
        Ok(result) => {
            let made = result.and_then(|node| node.reference());
            Ok(deed.look(client, made.as_ref()).await?.map_or(End::Nothing, End::Done))
        }
        Err(VsphereError::TaskLost { .. }) => {
            cx.warn(format!(
                "{} no longer knows the task {task}: it was restarted, or the task ended long ago. Looking at what \
                 it did.",
                client.server()
            ));
            let_run(cx, client, deed).await?;
            if let Some(done) = deed.look(client, None).await? {
                return Ok(End::Done(done));
            }
            note(cx, &deed.key(), Stage::Over).await?;
            Ok(End::Lost)
        }
        Err(error) => {
            note(cx, &deed.key(), Stage::Over).await?;
            if is_taken(&error)
                && let Some(done) = deed.look(client, None).await?
            {
                // By our own doing: an earlier request of ours was carried out although no answer said so.
                return Ok(End::Done(done));
            }
            Err(error.into())
        }
    }
}

/// Waits until no task of this sort runs at the deed's place.
async fn let_run<D: Deed>(cx: &StepContext, client: &Client, deed: &D) -> Result<(), Failure> {
    let_tasks_end(cx, client, (deed.entity(), deed.description()), &deed.what()).await
}

/// Waits until no task of this sort (its `descriptionId`) runs at an object, whoever started it.
///
/// # Errors
/// If the vCenter does not answer; `Cancelled` when a person asked to stop.
pub async fn let_tasks_end(
    cx: &StepContext,
    client: &Client,
    (entity, description): (ManagedRef, &str),
    what: &str,
) -> Result<(), Failure> {
    for task in client.running_tasks(entity, description).await? {
        cx.info(format!("The task {task} is under way there; waiting for it."));
        // It may be somebody else's: it is never asked to stop, and however it ends is fine.
        let (never, stopped) = (CancellationToken::new(), cx.cancelled());
        tokio::select! {
            biased;
            () = stopped.cancelled() => {
                return Err(Failure::cancelled(format!(
                    "Asked to stop while waiting for the task {task}, which goes on."
                )));
            }
            outcome = client.outcome_of_task(&task, what, &never, |_| ()) => drop(outcome?),
        }
    }
    Ok(())
}

fn is_taken(error: &VsphereError) -> bool {
    matches!(
        error.reason(),
        Some(
            Reason::DuplicateName { .. }
                | Reason::AlreadyExists { .. }
                | Reason::FileAlreadyExists { .. }
                | Reason::InvalidPowerState { .. }
        )
    )
}

fn vanished(deed: &impl Deed) -> Failure {
    Failure {
        kind: FailureKind::Permanent,
        message: format!(
            "The vCenter says that it has ended, but nothing shows it: could not {}.",
            deed.what()
        ),
        advice: Some("Look in vCenter who changed it meanwhile, and try again.".to_owned()),
    }
}
