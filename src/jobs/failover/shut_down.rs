//! The guests at the source are shut down, the last tier first, and each is seen to be off. If one of them does not stop, those
//! that were stopped are powered on again: half of a group is worth nothing at either site.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::Value;

use crate::domain::hardware::PowerState;
use crate::domain::job::{Failure, FailureKind, Level};
use crate::domain::moref::VmRef;
use crate::domain::recovery_run::{Before, RecoveryRun, RunOutcome, RunPlan, RunVmPlan, SourceSide};
use crate::domain::recovery_state::Event;
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::failure::not_kept;
use crate::jobs::recovery::{AGAIN, Ground, RunInput};
use crate::jobs::recovery_record::{begin, tell};
use crate::jobs::vsphere_power::SetPower;
use crate::jobs::vsphere_task::{Among, once};
use crate::jobs::vsphere_vm::{PlannedVm, as_planned};
use crate::vsphere::{Client, Reason};

/// The longest pause between two looks.
const LONGEST: Duration = Duration::from_secs(2);

pub(super) struct ShutDownSource(pub(super) Arc<Ground>);

/// A virtual machine of the source.
#[derive(Clone, Copy)]
struct Here<'a> {
    vm: &'a RunVmPlan,
    at: &'a VmRef,
}

impl Here<'_> {
    fn power(&self, on: bool) -> Among<SetPower> {
        let deed = SetPower { vm: self.at.clone(), name: self.vm.name.clone(), on, host: None };
        Among { of: self.vm.source_uuid.clone(), deed }
    }

    /// Whether it runs, once it is seen to be the one that is meant.
    async fn now(&self, client: &Client) -> Result<PowerState, Failure> {
        let meant = PlannedVm {
            vm: self.at.clone(),
            instance_uuid: self.vm.source_uuid.clone(),
            name: self.vm.name.clone(),
            folder: None,
        };
        Ok(as_planned(client, &meant).await?.power)
    }

    /// Asks its guest to shut down and waits until it is off; why it is not.
    async fn shut_down(&self, cx: &StepContext, client: &Client, limit: Duration) -> Result<(), Failure> {
        if let Err(error) = client.shut_down_guest(self.at).await {
            // Off by now, or its outcome shows below.
            let goes_on = matches!(error.reason(), Some(Reason::InvalidPowerState { .. }))
                || error.outcome_is_unknown()
                || error.is_transient();
            if !goes_on {
                return Err(error.into());
            }
        }
        let (mut waited, mut pause) = (Duration::ZERO, Duration::from_millis(100));
        loop {
            match self.now(client).await {
                Ok(PowerState::Off) => return Ok(()),
                Ok(_) => {}
                Err(failure) if failure.kind == FailureKind::Transient && waited < limit => {}
                Err(failure) => return Err(failure),
            }
            if waited >= limit {
                return Err(Failure::permanent(format!(
                    "It still runs {} s after it was asked to.",
                    limit.as_secs()
                )));
            }
            cx.pause(pause).await?;
            (waited, pause) = (waited + pause, (pause * 2).min(LONGEST));
        }
    }
}

fn all(plan: &RunPlan) -> Vec<Here<'_>> {
    plan.vms.iter().filter_map(|vm| Some(Here { vm, at: vm.source.as_ref()? })).collect()
}

/// What a planned failover cannot do without.
fn away(failure: Failure, touched: bool) -> Failure {
    if failure.kind == FailureKind::Cancelled {
        return failure;
    }
    let unchanged = if touched { "" } else { " Nothing was changed." };
    let message = format!("The source cannot be shut down. {}{unchanged}", failure.message);
    Failure { message, ..failure }.advise(
        "Mend that and try again. If the source is lost, fail over without it (disaster failover): it is then not asked for \
         anything.",
    )
}

impl ShutDownSource {
    /// Shuts one down. What was seen.
    async fn one(
        &self,
        cx: &StepContext,
        client: &Client,
        (plan, source): (&RunPlan, &SourceSide),
        here: Here<'_>,
    ) -> Result<(), Failure> {
        let name = &here.vm.name;
        let work = async {
            if here.now(client).await? == PowerState::Off {
                return Ok(((), "the vCenter says poweredOff".to_owned()));
            }
            let limit = Duration::from_secs(source.shutdown_seconds.into());
            let Err(failure) = here.shut_down(cx, client, limit).await else {
                return Ok(((), "its guest was shut down; the vCenter says poweredOff".to_owned()));
            };
            if failure.kind == FailureKind::Cancelled {
                return Err(failure);
            }
            let why = failure.message;
            if !source.then_power_off {
                return Err(Failure::permanent(format!("{name:?} did not shut down. {why}")));
            }
            cx.warn(format!("{name:?} did not shut down and is powered off. {why}"));
            once(cx, client, &here.power(false)).await?;
            Ok((
                (),
                format!(
                    "powered off, because its guest did not shut down ({why}); the vCenter says poweredOff"
                ),
            ))
        };
        self.0.record(cx, plan).of(&here.vm.source_uuid).step("shut_down", work).await
    }

    /// Shuts all down, the last tier first.
    async fn off(
        &self,
        cx: &StepContext,
        plan: &RunPlan,
        source: &SourceSide,
    ) -> Result<((), String), Failure> {
        let store = self.0.vcenters.store();
        let kept = store.run_vms(plan.run_id).await.map_err(not_kept)?;
        let touched = kept.iter().any(|vm| vm.before.source_was_on.is_some());
        let client = &self.0.vcenters.client(source.vcenter_id).await.map_err(|why| away(why, touched))?;
        let vms = all(plan);
        let mut seen = Vec::new();
        for here in &vms {
            let power = here.now(client).await.map_err(|why| away(why, touched))?;
            match power {
                PowerState::On | PowerState::Off => seen.push((here, power == PowerState::On)),
                PowerState::Suspended | PowerState::Unknown => {
                    let word =
                        if power == PowerState::Suspended { "suspended" } else { "in an unknown state" };
                    return Err(away(Failure::permanent(format!("{:?} is {word}.", here.vm.name)), touched));
                }
            }
        }
        for (here, was_on) in seen {
            let before = Before { source_was_on: Some(was_on), ..Before::default() };
            store.note_run_vm_before(plan.run_id, &here.vm.source_uuid, &before).await.map_err(not_kept)?;
        }
        let tiers: BTreeSet<u32> = vms.iter().map(|here| here.vm.tier).collect();
        for tier in tiers.into_iter().rev() {
            let here = vms.iter().filter(|here| here.vm.tier == tier);
            let ends = join_all(here.map(|here| self.one(cx, client, (plan, source), *here))).await;
            let mut failures: Vec<Failure> = ends.into_iter().filter_map(Result::err).collect();
            if let Some(first) = failures.first().cloned() {
                let told: Vec<String> = failures.drain(..).map(|one| one.message).collect();
                return Err(self.given_up(cx, (plan, source), first, &told.join(" ")).await);
            }
        }
        for here in &vms {
            if here.now(client).await? != PowerState::Off {
                let told = format!("{:?} was powered on again by somebody.", here.vm.name);
                return Err(self.given_up(cx, (plan, source), Failure::permanent(&*told), &told).await);
            }
        }
        Ok(((), format!("the vCenter says poweredOff of all {}", vms.len())))
    }

    /// Why it failed, after those that were stopped were powered on again.
    async fn given_up(
        &self,
        cx: &StepContext,
        (plan, source): (&RunPlan, &SourceSide),
        first: Failure,
        told: &str,
    ) -> Failure {
        let end = match self.back_on(&cx.in_any_case(), plan, source).await {
            Ok(()) => "Nothing was failed over; the source runs again.".to_owned(),
            Err(failure) => format!("Nothing was failed over. {}", failure.message),
        };
        let message = format!("{told} {end}");
        if first.kind == FailureKind::Cancelled {
            return Failure { message, ..first };
        }
        Failure::permanent(message).advise(
            "Shut it down by hand or look after its VMware Tools, then fail over again; or allow that it is powered off.",
        )
    }

    /// Powers on what ran before and does not now, the first tier first.
    async fn back_on(&self, cx: &StepContext, plan: &RunPlan, source: &SourceSide) -> Result<(), Failure> {
        let kept = self.0.vcenters.store().run_vms(plan.run_id).await.map_err(not_kept)?;
        let was_on = |here: &Here<'_>| {
            let of = kept.iter().find(|one| one.source_uuid == here.vm.source_uuid);
            of.is_some_and(|one| one.before.source_was_on == Some(true))
        };
        let mut vms: Vec<Here<'_>> = all(plan).into_iter().filter(was_on).collect();
        if vms.is_empty() {
            return Ok(());
        }
        vms.sort_by_key(|here| here.vm.tier);
        let client = &self.0.vcenters.client(source.vcenter_id).await?;
        let mut failed: Vec<(&str, Failure)> = Vec::new();
        for here in vms {
            let name = here.vm.name.as_str();
            let on = async {
                if here.now(client).await? == PowerState::On {
                    return Ok(false);
                }
                once(cx, client, &here.power(true)).await.map(|()| true)
            };
            match on.await {
                Ok(true) => cx.info(format!("{name:?} was powered on again at the source.")),
                Ok(false) => cx.info(format!("{name:?} runs at the source.")),
                Err(failure) => failed.push((name, failure)),
            }
        }
        let Some((_, first)) = failed.first().cloned() else { return Ok(()) };
        let told: Vec<String> =
            failed.iter().map(|(name, why)| format!("{name:?}: {}", why.message)).collect();
        let message = format!("Not everything at the source could be powered on again. {}", told.join(" "));
        Err(Failure { message, ..first })
    }
}

#[async_trait]
impl Step for ShutDownSource {
    fn name(&self) -> &'static str {
        "shut_down_source"
    }

    fn percent(&self) -> (u8, u8) {
        (0, 12)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let RunInput { plan, only } = cx.input()?;
        if !only.is_empty() {
            return Ok(Value::Null);
        }
        let (store, job) = (self.0.vcenters.store(), cx.job());
        begin(cx, store, plan.group_id, Event::Started(plan.kind.verb(), job.id)).await?;
        let run = RecoveryRun::new(plan.clone(), job.id, job.created_by.clone(), job.created_at);
        store.ensure_recovery_run(&run).await.map_err(not_kept)?;
        store.begin_recovery_again(plan.run_id).await.map_err(not_kept)?;
        let Some(source) = &plan.source else {
            cx.info("The source is not asked for anything.");
            return Ok(Value::Null);
        };
        self.0.record(cx, &plan).step(self.name(), self.off(cx, &plan, source)).await?;
        tell(cx, store, plan.group_id, Event::Fenced(true)).await?;
        cx.console(Level::Success, "Every guest at the source is off.");
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    /// The source runs as before, and the group stands as if the failover had never been begun.
    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let RunInput { plan, only } = cx.input()?;
        if !only.is_empty() {
            return Ok(());
        }
        let (store, job) = (self.0.vcenters.store(), cx.job());
        let state = store.recovery_state(plan.group_id).await.map_err(not_kept)?;
        let other = state.and_then(|(state, _)| state.failover_run).is_some_and(|run| run != job.id);
        if other {
            return Err(Failure::refused(
                "The group was failed over by another job since, so the source stays off: its guests would run twice.",
            )
            .advise("Roll that failover back first."));
        }
        if let Some(source) = &plan.source {
            self.back_on(cx, &plan, source).await?;
        }
        tell(cx, store, plan.group_id, Event::Undone(plan.kind.verb(), job.id)).await?;
        store.note_recovery_ended(plan.run_id, RunOutcome::RolledBack, cx.now()).await.map_err(not_kept)
    }
}
