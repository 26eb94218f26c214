//! The virtual machines that a planned failover shut down at the source: powered on again, tier by tier, each only once its
//! recovered machine is proved to be off.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::{Ground, RollbackInput};
use crate::domain::hardware::PowerState;
use crate::domain::job::{Failure, FailureKind, Level};
use crate::domain::moref::VmRef;
use crate::domain::recovery_run::{RunPlan, RunVm, RunVmPlan, SourceSide};
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::clean_up_test::machines::{each, identity, shell_of};
use crate::jobs::clean_up_test::{AGAIN, ANEW};
use crate::jobs::failure::not_kept;
use crate::jobs::vsphere_power::SetPower;
use crate::jobs::vsphere_task::{Among, once};
use crate::jobs::vsphere_vm::{PlannedVm, VmNow, as_planned};
use crate::vsphere::Client;

/// Between two looks at a guest that may still be shutting down.
const EVERY: Duration = Duration::from_secs(2);

pub(super) struct RestartSource {
    pub(super) ground: Arc<Ground>,
    /// The first time comes as soon as nothing of the clone runs, so that production does not wait until the DR side is
    /// tidy; what does not start then keeps nothing from being taken away, and is tried again in the end.
    pub(super) is_first: bool,
}

/// What the steps of a virtual machine need.
struct Site<'a> {
    plan: &'a RunPlan,
    source: &'a SourceSide,
    /// Of the DR side, and of the source.
    clients: (&'a Client, &'a Client),
    kept: &'a [RunVm],
}

/// Refuses while the recovered machine of `vm` runs.
async fn is_off(site: &Site<'_>, vm: &RunVmPlan) -> Result<(), Failure> {
    let (client, plan) = (site.clients.0, site.plan);
    let known = site.kept.iter().find(|one| one.source_uuid == vm.source_uuid);
    if vm.shell.is_some() && known.is_none_or(|one| one.before.shell_hardware.is_none()) {
        // The failover had not come to it: whatever it does is not the failover's doing.
        return Ok(());
    }
    let runs = match shell_of(plan, vm) {
        Some(shell) => {
            shell.now(client).await?.filter(|now| now.power != PowerState::Off).map(|now| now.machine.name)
        }
        None => match identity(client, plan, vm, site.kept).await? {
            Some(identity) => identity.now(client).await?.filter(|own| !own.is_off).map(|own| own.name),
            None => None,
        },
    };
    match runs {
        None => Ok(()),
        Some(name) => Err(Failure::refused(format!(
            "{name:?} is powered on at the DR site, so {:?} is not started at the source: the same machine would run twice.",
            vm.name
        ))
        .advise("Somebody powered it on meanwhile. Power it off in the DR vCenter, then retry.")),
    }
}

impl RestartSource {
    /// One that was asked to shut down just before the failover stopped may go off a moment later: waited for as long as the
    /// failover would have.
    async fn settled(
        &self,
        cx: &StepContext,
        site: &Site<'_>,
        (planned, source_uuid): (&PlannedVm, &str),
    ) -> Result<VmNow, Failure> {
        let store = self.ground.vcenters.store();
        let steps = store.run_steps(site.plan.run_id).await.map_err(not_kept)?;
        let asked = steps.iter().find(|one| {
            one.source_uuid.as_deref() == Some(source_uuid) && one.step == SHUT_DOWN && one.ok != Some(true)
        });
        let limit = Duration::from_secs(site.source.shutdown_seconds.into());
        let end = asked.and_then(|step| step.begun_at.checked_add(limit).ok());
        loop {
            let now = as_planned(site.clients.1, planned).await?;
            let left = end.filter(|end| *end > cx.now());
            if now.power != PowerState::On || left.is_none() {
                return Ok(now);
            }
            cx.pause(EVERY).await?;
        }
    }

    async fn one(
        &self,
        cx: &StepContext,
        site: &Site<'_>,
        (vm, source): (&RunVmPlan, &VmRef),
    ) -> Result<String, Failure> {
        is_off(site, vm).await?;
        let planned = PlannedVm {
            vm: source.clone(),
            instance_uuid: vm.source_uuid.clone(),
            name: vm.name.clone(),
            folder: None,
        };
        let now = self.settled(cx, site, (&planned, &vm.source_uuid)).await?;
        for remark in &now.remarks {
            cx.info(remark.clone());
        }
        if now.power == PowerState::On {
            return Ok("it runs at the source".to_owned());
        }
        let turns = self.ground.vcenters.power_ons(site.source.vcenter_id, site.plan.power_ons);
        // Never closed.
        let _turn = turns.acquire().await;
        let power = SetPower { vm: now.vm, name: now.name, on: true, host: None };
        once(cx, site.clients.1, &Among { of: vm.source_uuid.clone(), deed: power }).await?;
        Ok("it was powered on at the source; its vCenter says poweredOn".to_owned())
    }

    async fn all(&self, cx: &StepContext, site: &Site<'_>) -> Result<(), Failure> {
        let mut first: Option<Failure> = None;
        for (number, tier) in site.plan.tiers.iter().enumerate() {
            let was_on = |vm: &&RunVmPlan| {
                let known = site.kept.iter().find(|one| one.source_uuid == vm.source_uuid);
                vm.tier == tier.number && known.is_some_and(|one| one.before.source_was_on == Some(true))
            };
            let vms: Vec<&RunVmPlan> = site.plan.vms.iter().filter(was_on).collect();
            if vms.is_empty() {
                continue;
            }
            let started = each(vms, "started again at the source", |vm| async move {
                let Some(source) = &vm.source else { return Ok(()) };
                let record = self.ground.record(cx, site.plan).of(&vm.source_uuid);
                let work = async { Ok(((), self.one(cx, site, (vm, source)).await?)) };
                record.step("restart_source", work).await
            });
            // One that does not start keeps none of the later tiers from it: what can run is to run.
            match started.await {
                Ok(()) => {}
                Err(failure) if failure.kind == FailureKind::Cancelled => return Err(failure),
                Err(failure) => {
                    cx.warn(failure.message.clone());
                    first.get_or_insert(failure);
                }
            }
            if number + 1 < site.plan.tiers.len() && tier.delay_after_seconds > 0 {
                cx.pause(Duration::from_secs(tier.delay_after_seconds.into())).await?;
            }
        }
        first.map_or(Ok(()), Err)
    }
}

/// By what the run says that a virtual machine was asked to shut down.
const SHUT_DOWN: &str = "shut_down";

#[async_trait]
impl Step for RestartSource {
    fn name(&self) -> &'static str {
        if self.is_first { "restart_source" } else { "see_source_run" }
    }

    fn percent(&self) -> (u8, u8) {
        if self.is_first { (25, 32) } else { (95, 98) }
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: RollbackInput = cx.input()?;
        let plan = &input.plan;
        let Some(source) = &plan.source else {
            cx.info("The source was not touched by the failover, so nothing is done there.");
            return Ok(Value::Null);
        };
        let kept = &self.ground.vcenters.store().run_vms(plan.run_id).await.map_err(not_kept)?;
        if !kept.iter().any(|vm| vm.before.source_was_on == Some(true)) {
            cx.info("No virtual machine had been shut down at the source.");
            return Ok(Value::Null);
        }
        let restarted = async {
            let (dr, left) =
                (self.ground.client(plan).await?, self.ground.vcenters.client(source.vcenter_id).await?);
            self.all(cx, &Site { plan, source, clients: (&dr, &left), kept }).await
        };
        match restarted.await {
            Ok(()) => {}
            Err(failure) if self.is_first && failure.kind != FailureKind::Cancelled => {
                cx.warn(format!("{} It is tried again in the end.", failure.message));
                return Ok(Value::Null);
            }
            Err(failure) => return Err(failure),
        }
        cx.console(Level::Success, "The virtual machines that ran at the source before run there again.");
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        ANEW
    }
}
