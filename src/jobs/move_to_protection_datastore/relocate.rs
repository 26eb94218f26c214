//! The moves themselves: one vSphere task for each virtual machine, a few at once.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::layout::{self, Layout};
use super::{MOST_AT_ONCE, MoveInput};
use crate::domain::job::{Failure, FailureKind, Level};
use crate::domain::moref::{DatastoreRef, ManagedRef, TaskRef, VmRef};
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;
use crate::jobs::vcenters::Vcenters;
use crate::jobs::vsphere_task::{Deed, give_up, once};
use crate::jobs::vsphere_vm::as_planned;
use crate::vsphere::verbs::RelocateVm;
use crate::vsphere::{Client, VsphereError};

/// Where a virtual machine is to be.
enum Goal {
    /// Everything on one datastore.
    On(DatastoreRef),
    /// Where it was.
    Back(Layout),
}

/// One move.
struct Relocate {
    vm: VmRef,
    name: String,
    uuid: String,
    goal: Goal,
    /// How far each move of the step is, in percent, and which of them this one is.
    shared: Arc<Vec<AtomicU8>>,
    own: usize,
}

#[async_trait]
impl Deed for Relocate {
    type Done = Layout;

    fn key(&self) -> Cow<'static, str> {
        let word = match self.goal {
            Goal::On(_) => "to",
            Goal::Back(_) => "back",
        };
        format!("{word}:{}", self.uuid).into()
    }

    fn progress(&self, cx: &StepContext, fraction: f64) {
        // In 0..=100 by construction.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let percent = (fraction.clamp(0.0, 1.0) * 100.0) as u8;
        self.shared[self.own].fetch_max(percent, Ordering::Relaxed);
        let all: u32 = self.shared.iter().map(|one| u32::from(one.load(Ordering::Relaxed))).sum();
        let count = u32::try_from(self.shared.len()).unwrap_or(u32::MAX).max(1);
        cx.progress(f64::from(all) / f64::from(count) / 100.0);
    }

    fn what(&self) -> String {
        match &self.goal {
            Goal::On(datastore) => format!("move the files of {:?} to {datastore}", self.name),
            Goal::Back(_) => format!("move the files of {:?} back", self.name),
        }
    }

    fn entity(&self) -> ManagedRef {
        (&self.vm).into()
    }

    fn description(&self) -> &'static str {
        "VirtualMachine.relocate"
    }

    async fn look(&self, client: &Client, _result: Option<&ManagedRef>) -> Result<Option<Layout>, Failure> {
        let now = layout::read(client, &self.vm).await?;
        let there = match &self.goal {
            Goal::On(datastore) => now.is_all_on(datastore),
            Goal::Back(before) => now.is_like(before),
        };
        Ok(there.then_some(now))
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        let to = match &self.goal {
            Goal::On(datastore) => RelocateVm { datastore: Some(datastore.clone()), ..RelocateVm::default() },
            Goal::Back(before) => RelocateVm {
                datastore: Some(before.home.clone()),
                disks: before.disks.iter().map(|disk| (disk.key, disk.datastore.clone())).collect(),
                ..RelocateVm::default()
            },
        };
        client.relocate_vm(&self.vm, &to).await
    }
}

/// What became of one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Moved {
    pub(super) name: String,
    pub(super) layout: Layout,
    /// False: it was there before.
    pub(super) moved: bool,
}

pub(super) struct Move(pub(super) Arc<Vcenters>);

impl Move {
    async fn one(
        (cx, client, input): (StepContext, Client, Arc<MoveInput>),
        before: Layout,
        (shared, own): (Arc<Vec<AtomicU8>>, usize),
    ) -> Result<Moved, Failure> {
        let (cx, client, planned) = (&cx, &client, &input.vms[own]);
        let now = as_planned(client, planned).await?;
        let deed = Relocate {
            vm: now.vm,
            name: now.name.clone(),
            uuid: planned.instance_uuid.clone(),
            goal: Goal::On(input.datastore.clone()),
            shared,
            own,
        };
        let moved = !before.is_all_on(&input.datastore);
        if moved {
            cx.info(format!("Moving {:?} to {:?}.", now.name, input.datastore_name));
        }
        let layout = once(cx, client, &deed).await?;
        deed.progress(cx, 1.0);
        if moved {
            cx.console(Level::Success, format!("{:?} is on {:?}.", now.name, input.datastore_name));
        }
        Ok(Moved { name: now.name, layout, moved })
    }
}

#[async_trait]
impl Step for Move {
    fn name(&self) -> &'static str {
        "move"
    }

    fn percent(&self) -> (u8, u8) {
        (5, 95)
    }

    fn retry(&self) -> Retry {
        Retry { attempts: 3, pause: Duration::from_secs(10) }
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: Arc<MoveInput> = Arc::new(cx.input()?);
        let before: Vec<Layout> = cx.need("look")?;
        let client = self.0.client(input.vcenter_id).await?;
        let shared: Arc<Vec<AtomicU8>> = Arc::new(input.vms.iter().map(|_| AtomicU8::new(0)).collect());
        let ground = (cx.clone(), client, Arc::clone(&input));
        let moves = before.into_iter().enumerate().map(|(own, before)| {
            let (ground, shared) = (ground.clone(), Arc::clone(&shared));
            async move { (own, Self::one(ground, before, (shared, own)).await) }
        });
        let at_once = usize::from(input.at_once.clamp(1, MOST_AT_ONCE));
        let mut outcomes: Vec<_> = stream::iter(moves).buffer_unordered(at_once).collect().await;
        outcomes.sort_by_key(|(own, _)| *own);
        let (mut moved, mut left) = (Vec::new(), Vec::new());
        for (own, outcome) in outcomes {
            match outcome {
                Ok(one) => moved.push(one),
                Err(failure) => left.push((input.vms[own].name.clone(), failure)),
            }
        }
        if left.is_empty() { recorded(moved) } else { Err(what_remains(&input, &moved, left)) }
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let input: MoveInput = cx.input()?;
        let before: Vec<Layout> = cx.need("look")?;
        let client = self.0.client(input.vcenter_id).await?;
        let shared: Arc<Vec<AtomicU8>> = Arc::new(input.vms.iter().map(|_| AtomicU8::new(0)).collect());
        for (own, (planned, before)) in input.vms.iter().zip(before).enumerate() {
            let now = as_planned(&client, planned).await?;
            let deed = |goal| Relocate {
                vm: now.vm.clone(),
                name: now.name.clone(),
                uuid: planned.instance_uuid.clone(),
                goal,
                shared: Arc::clone(&shared),
                own,
            };
            // A move that is still under way is stopped, and then leaves everything where it was.
            give_up(cx, &client, &deed(Goal::On(input.datastore.clone()))).await?;
            if layout::read(&client, &now.vm).await?.is_like(&before) {
                continue;
            }
            cx.info(format!("Moving {:?} back to where it was.", now.name));
            once(cx, &client, &deed(Goal::Back(before))).await?;
        }
        Ok(())
    }
}

/// One failure for all that were not moved, with what stands where now.
fn what_remains(input: &MoveInput, moved: &[Moved], left: Vec<(String, Failure)>) -> Failure {
    let done = match moved.len() {
        0 => "None of them was moved".to_owned(),
        _ => {
            let names: Vec<&str> = moved.iter().map(|one| one.name.as_str()).collect();
            format!("On {:?} are: {}", input.datastore_name, names.join(", "))
        }
    };
    let kind = [FailureKind::Cancelled, FailureKind::Refused, FailureKind::Permanent]
        .into_iter()
        .find(|kind| left.iter().any(|(_, failure)| failure.kind == *kind))
        .unwrap_or(FailureKind::Transient);
    let names: Vec<&str> = left.iter().map(|(name, _)| name.as_str()).collect();
    let told: Vec<String> =
        left.iter().map(|(name, failure)| format!("{name}: {}", failure.message)).collect();
    let message = if kind == FailureKind::Cancelled {
        format!(
            "Asked to stop. {done}. Still where they were, as a Storage vMotion that is stopped leaves everything: {}.",
            names.join(", ")
        )
    } else {
        format!("{done}. Not moved: {}", told.join(" "))
    };
    let advice = left.iter().find_map(|(_, failure)| failure.advice.clone()).unwrap_or_else(|| {
        "A retry moves those that are left; those on the datastore are not touched again.".to_owned()
    });
    Failure { kind, message, advice: Some(advice) }
}
