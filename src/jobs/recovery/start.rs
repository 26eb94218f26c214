//! Powered on tier by tier, in turn, and each proved to run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::checks::wait_for;
use super::guest::{Customise, newest_event, told, went};
use super::prompts::wait_for_answer;
use super::questions::answer_all;
use super::{Ground, RunInput};
use crate::domain::job::{Failure, FailureKind, Level};
use crate::domain::recovery_run::{Moment, Recovered, RunPlan, RunVmPlan, RunVmState};
use crate::domain::recovery_state::Event;
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::failure::not_kept;
use crate::jobs::recovery_record::tell;
use crate::jobs::vsphere_make::Made;
use crate::jobs::vsphere_power::SetPower;
use crate::jobs::vsphere_task::{Among, once};
use crate::vsphere::Client;

/// So many guests are waited for at a time.
const AT_ONCE: usize = 256;

pub(in crate::jobs) struct StartVms(pub(in crate::jobs) Arc<Ground>);

impl StartVms {
    async fn one(
        &self,
        cx: &StepContext,
        client: &Client,
        (plan, vm): (&RunPlan, &RunVmPlan),
        (made, delay): (&Made, Duration),
    ) -> Result<(), Failure> {
        if !delay.is_zero() {
            cx.pause(delay).await?;
        }
        wait_for_answer(cx, &self.0, (plan, vm), Moment::Before).await?;
        let record = self.0.record(cx, plan).of(&vm.source_uuid);
        let name = &vm.spec.name;
        let mut last_event = 0;
        if let Some(guest) = &vm.guest {
            let customise = async {
                let deed = Customise { vm: &made.vm, name, guest };
                once(cx, client, &Among { of: vm.source_uuid.clone(), deed }).await?;
                Ok(((), told(guest)))
            };
            record.step("customise", customise).await?;
            last_event = newest_event(client, &made.vm).await?;
        }
        let power = async {
            let turns = self.0.vcenters.power_ons(plan.dr_vcenter_id, plan.power_ons);
            // Never closed.
            let _turn = turns.acquire().await;
            let power = SetPower { vm: made.vm.clone(), name: name.clone(), on: true, host: None };
            let power = Among { of: vm.source_uuid.clone(), deed: power };
            tokio::select! {
                biased;
                on = once(cx, client, &power) => on?,
                failure = answer_all(cx, client, plan.kind, (&made.vm, name)) => return Err(failure),
            }
            Ok(((), "the vCenter says poweredOn".to_owned()))
        };
        record.step("power_on", power).await?;
        let check = async { Ok(((), wait_for(cx, client, (&made.vm, name), vm.check).await?)) };
        record.step("check", check).await?;
        if vm.guest.is_some() {
            let took = async { Ok(((), went(client, &made.vm, name, last_event).await?.to_owned())) };
            record.step("guest_addresses", took).await?;
        }
        wait_for_answer(cx, &self.0, (plan, vm), Moment::After).await?;
        record.state(RunVmState::Up).await?;
        cx.console(Level::Success, format!("{name:?} runs, and has passed its check."));
        Ok(())
    }

    /// The same; what goes wrong is kept with the virtual machine. True: it is up.
    async fn tried(
        &self,
        cx: &StepContext,
        client: &Client,
        which: (&RunPlan, &RunVmPlan),
        how: (&Made, Duration),
    ) -> Result<bool, Failure> {
        match self.one(cx, client, which, how).await {
            Ok(()) => Ok(true),
            Err(failure) if failure.kind == FailureKind::Cancelled => Err(failure),
            Err(failure) => {
                let record = self.0.record(cx, which.0).of(&which.1.source_uuid);
                record.failed(failure).await?;
                Ok(false)
            }
        }
    }
}

#[async_trait]
impl Step for StartVms {
    fn name(&self) -> &'static str {
        "start_vms"
    }

    fn percent(&self) -> (u8, u8) {
        self.0.percent((55, 100))
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: RunInput = cx.input()?;
        let plan = &input.plan;
        let all: BTreeMap<String, Made> = cx.need("make_vms")?;
        let unconnected: Vec<String> = cx.need("connect_networks")?;
        let client = self.0.client(plan).await?;
        let (up, count) = (AtomicUsize::new(0), input.vms().count());
        for (number, tier) in plan.tiers.iter().enumerate() {
            let mut delay = Duration::ZERO;
            let mut work: Vec<BoxFuture<'_, _>> = Vec::new();
            for vm in input.vms().filter(|vm| vm.tier == tier.number) {
                let Some(made) = all.get(&vm.source_uuid) else { continue };
                if unconnected.contains(&vm.source_uuid) {
                    continue;
                }
                // After the one before it in its tier was.
                delay += Duration::from_secs(vm.delay_seconds.into());
                work.push(self.tried(cx, &client, (plan, vm), (made, delay)).boxed());
            }
            if work.is_empty() {
                continue;
            }
            cx.info(format!("Tier {} ({}) starts, with {}.", tier.number, tier.name, work.len()));
            let mut work = stream::iter(work).buffer_unordered(AT_ONCE);
            while let Some(one) = work.next().await {
                let up = up.fetch_add(usize::from(one?), Ordering::Relaxed);
                #[allow(clippy::cast_precision_loss)]
                cx.progress((up + 1) as f64 / count.max(1) as f64);
            }
            if number + 1 < plan.tiers.len() && tier.delay_after_seconds > 0 {
                cx.pause(Duration::from_secs(tier.delay_after_seconds.into())).await?;
            }
        }
        let now = cx.now();
        let minutes = plan.cleanup_minutes.map(|minutes| SignedDuration::from_mins(minutes.into()));
        let due = minutes.and_then(|minutes| now.checked_add(minutes).ok());
        let store = self.0.vcenters.store();
        store.note_recovery_up(plan.run_id, now, due).await.map_err(not_kept)?;
        let chosen: Recovered = cx.need("choose_checkpoint")?;
        let up = up.into_inner();
        // By the job that made the run, also where another one mends something of it.
        let maker = store.recovery_run(plan.run_id).await.map_err(not_kept)?.map(|run| run.job);
        let vms = store.run_vms(plan.run_id).await.map_err(not_kept)?;
        let event = match vms.iter().all(|vm| vm.state == RunVmState::Up) {
            true => Event::Done(plan.kind.verb(), maker.unwrap_or(cx.job().id)),
            false => Event::EndedIncomplete(plan.kind.verb(), maker.unwrap_or(cx.job().id)),
        };
        tell(cx, store, plan.group_id, event).await?;
        Ok(json!({
            "run_id": plan.run_id, "checkpoint": chosen.snapshot, "vms_up": up, "vms_failed": count - up,
            "datastore": plan.datastore,
        }))
    }

    fn undo_kind(&self) -> UndoKind {
        self.0.taken_back()
    }
}
