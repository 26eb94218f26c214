//! The machines of a run: powered off; those that it made have their disks taken off with the files kept, are destroyed, and
//! looked for.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::Value;

use super::{AGAIN, ANEW, CleanupInput, Ground};
use crate::domain::job::{Failure, FailureKind, Level};
use crate::domain::moref::VmRef;
use crate::domain::recovery_run::{RecoveryRun, RunPlan, RunVm, RunVmPlan, RunVmState};
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::failure::not_kept;
use crate::jobs::used_shell::{Shell, UNTOUCHED};
use crate::jobs::vsphere_make::Made;
use crate::jobs::vsphere_own::{Destroy, Identity, Loosen};
use crate::jobs::vsphere_power::SetPower;
use crate::jobs::vsphere_task::{Among, let_tasks_end, once};
use crate::store::RunVmChange;
use crate::vsphere::Client;

/// How many are treated at a time.
const AT_ONCE: usize = 8;

/// By what the machine that was made for `vm` is told; none: nobody knows of any.
pub(in crate::jobs) async fn identity(
    client: &Client,
    plan: &RunPlan,
    vm: &RunVmPlan,
    kept: &[RunVm],
) -> Result<Option<Identity>, Failure> {
    let kept = kept.iter().find(|one| one.source_uuid == vm.source_uuid);
    let made = match kept
        .and_then(|one| Some(Made { vm: one.vm.clone()?, instance_uuid: one.instance_uuid.clone() }))
    {
        Some(made) => Some(made),
        // It may have been made and never written down.
        None => client
            .find_child(&vm.spec.folder, &vm.spec.name)
            .await?
            .filter(|child| child.kind == VmRef::KIND)
            .map(|child| Made { vm: VmRef::new(child.id), instance_uuid: None }),
    };
    let noun = if plan.kind.is_failover() { "the recovered machine" } else { "the test machine" };
    let identity = |made| Identity { made, mark: plan.mark(&vm.source_uuid), noun };
    Ok(made.map(identity))
}

/// Powers it off, if it is there and on. False: it is not there.
async fn off(
    cx: &StepContext,
    client: &Client,
    vm: &RunVmPlan,
    identity: &Identity,
) -> Result<bool, Failure> {
    let Some(own) = identity.now(client).await? else { return Ok(false) };
    if !own.is_off {
        let deed = SetPower { vm: own.vm.clone(), name: own.name.clone(), on: false, host: None };
        once(cx, client, &Among { of: vm.source_uuid.clone(), deed }).await?;
    }
    Ok(true)
}

/// Does it for every machine, side by side: one that does not let itself be treated keeps none of the others from it, and is
/// named.
pub(in crate::jobs) async fn each<'a, F>(
    vms: impl IntoIterator<Item = &'a RunVmPlan>,
    verb: &str,
    work: impl Fn(&'a RunVmPlan) -> F,
) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'a,
{
    // A list of boxed ones: the compiler does not see through a stream of them.
    let mut all: Vec<BoxFuture<'_, _>> = Vec::new();
    for (place, vm) in vms.into_iter().enumerate() {
        let one = work(vm);
        all.push(async move { one.await.map_err(|failure| (place, vm.spec.name.as_str(), failure)) }.boxed());
    }
    let ended: Vec<_> = stream::iter(all).buffer_unordered(AT_ONCE).collect().await;
    let mut failed: Vec<(usize, &str, Failure)> = ended.into_iter().filter_map(Result::err).collect();
    failed.sort_by_key(|(place, ..)| *place);
    if let Some(asked) = failed.iter().position(|(.., failure)| failure.kind == FailureKind::Cancelled) {
        return Err(failed.swap_remove(asked).2);
    }
    let Some((.., first)) = failed.first() else { return Ok(()) };
    let told: Vec<String> =
        failed.iter().map(|(_, name, failure)| format!("{name:?}: {}", failure.message)).collect();
    let passes = failed.iter().any(|(.., failure)| failure.kind == FailureKind::Transient);
    Err(Failure {
        kind: if passes { FailureKind::Transient } else { first.kind },
        message: format!("Not everything could be {verb}. {}", told.join(" ")),
        advice: first.advice.clone(),
    })
}

/// The shell of a virtual machine, if it is recovered as one.
pub(in crate::jobs) fn shell_of<'a>(plan: &'a RunPlan, vm: &'a RunVmPlan) -> Option<Shell<'a>> {
    let shell = vm.shell.as_ref()?;
    Some(Shell { shell, name: &vm.spec.name, source: &vm.source_uuid, clone: &plan.datastore })
}

pub(in crate::jobs) struct PowerOff(pub(in crate::jobs) Arc<Ground>);

impl PowerOff {
    async fn one(
        &self,
        cx: &StepContext,
        client: &Client,
        (plan, vm): (&RunPlan, &RunVmPlan),
        kept: &[RunVm],
    ) -> Result<(), Failure> {
        let record = self.0.record(cx, plan).of(&vm.source_uuid);
        if let Some(shell) = shell_of(plan, vm) {
            let known = kept.iter().find(|one| one.source_uuid == vm.source_uuid);
            // What the failover had not come to is left alone, also if somebody runs it.
            let touched = known.is_some_and(|one| one.before.shell_hardware.is_some());
            let work = async {
                match touched {
                    true => Ok(((), shell.off(cx, client).await?)),
                    false => Ok(((), UNTOUCHED.to_owned())),
                }
            };
            return record.step("power_off", work).await;
        }
        let Some(identity) = identity(client, plan, vm, kept).await? else { return Ok(()) };
        let work = async {
            let seen = match off(cx, client, vm, &identity).await? {
                true => "the vCenter says poweredOff",
                false => "the vCenter does not have it",
            };
            Ok(((), seen.to_owned()))
        };
        record.step("power_off", work).await
    }
}

#[async_trait]
impl Step for PowerOff {
    fn name(&self) -> &'static str {
        "power_off"
    }

    fn percent(&self) -> (u8, u8) {
        (0, 25)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: CleanupInput = cx.input()?;
        let plan = &input.plan;
        let client = &self.0.client(plan).await?;
        let (store, job) = (self.0.vcenters.store(), cx.job());
        // A database that was brought back may not know it.
        let run = RecoveryRun::new(plan.clone(), job.id, job.created_by.clone(), job.created_at);
        store.ensure_recovery_run(&run).await.map_err(not_kept)?;
        let kept = &store.run_vms(plan.run_id).await.map_err(not_kept)?;
        // One that is being made right now would come after everybody was looked at.
        for vm in plan.vms.iter().filter(|vm| vm.shell.is_none()) {
            let at = ((&vm.spec.folder).into(), "Folder.createVm");
            let_tasks_end(cx, client, at, &format!("make {:?}", vm.spec.name)).await?;
        }
        each(&plan.vms, "powered off", |vm| self.one(cx, client, (plan, vm), kept)).await?;
        cx.info("No machine of the run is powered on any more.");
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        ANEW
    }
}

/// Takes a machine that the run made away again, and answers what was seen.
pub(in crate::jobs) async fn remove(
    cx: &StepContext,
    client: &Client,
    vm: &RunVmPlan,
    identity: &Identity,
) -> Result<String, Failure> {
    // Somebody may have powered it on since.
    if off(cx, client, vm, identity).await? {
        if let Some(own) = identity.now(client).await? {
            let of = vm.source_uuid.clone();
            once(cx, client, &Among { of, deed: Loosen { identity, own: &own } }).await?;
        }
        // What counts is the configuration as it is read back.
        if let Some(own) = identity.now(client).await? {
            let destroy = Destroy { identity, own: &own };
            destroy.allowed()?;
            once(cx, client, &Among { of: vm.source_uuid.clone(), deed: destroy }).await?;
        }
    }
    match identity.now(client).await? {
        None => Ok("its disks were taken off, their files kept; the vCenter does not have it".to_owned()),
        Some(own) => Err(Failure::transient(format!("{:?} is still in the DR vCenter.", own.name))),
    }
}

pub(super) struct RemoveVms(pub(super) Arc<Ground>);

#[async_trait]
impl Step for RemoveVms {
    fn name(&self) -> &'static str {
        "remove_vms"
    }

    fn percent(&self) -> (u8, u8) {
        (25, 60)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: CleanupInput = cx.input()?;
        let plan = &input.plan;
        let client = &self.0.client(plan).await?;
        let kept = &self.0.vcenters.store().run_vms(plan.run_id).await.map_err(not_kept)?;
        each(&plan.vms, "removed", |vm| async move {
            let record = self.0.record(cx, plan).of(&vm.source_uuid);
            if let Some(identity) = identity(client, plan, vm, kept).await? {
                let work = async { Ok(((), remove(cx, client, vm, &identity).await?)) };
                record.step("remove", work).await?;
            }
            // What went wrong with it in the test stays told.
            record.change(RunVmChange { state: Some(RunVmState::Removed), ..RunVmChange::default() }).await
        })
        .await?;
        cx.console(Level::Success, "No test machine is in the DR vCenter any more.");
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        ANEW
    }
}
