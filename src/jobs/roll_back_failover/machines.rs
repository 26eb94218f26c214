//! The machines of the failover: those that it made go, and the shells become what they were.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Ground, RollbackInput};
use crate::domain::job::{Failure, Level};
use crate::domain::recovery_run::{Before, RunPlan, RunVm, RunVmPlan, RunVmState};
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::clean_up_test::machines::{each, identity, remove, shell_of};
use crate::jobs::clean_up_test::{AGAIN, ANEW};
use crate::jobs::failure::not_kept;
use crate::store::RunVmChange;
use crate::vsphere::Client;

pub(super) struct GiveBackMachines(pub(super) Arc<Ground>);

impl GiveBackMachines {
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
            let before = known.map_or_else(Before::default, |one| one.before.clone());
            let work = async { Ok(((), shell.give_back(cx, client, &before).await?)) };
            record.step("give_back", work).await?;
        } else if let Some(identity) = identity(client, plan, vm, kept).await? {
            let work = async { Ok(((), remove(cx, client, vm, &identity).await?)) };
            record.step("give_back", work).await?;
        }
        // What went wrong with it in the failover stays told.
        record.change(RunVmChange { state: Some(RunVmState::Removed), ..RunVmChange::default() }).await
    }
}

#[async_trait]
impl Step for GiveBackMachines {
    fn name(&self) -> &'static str {
        "give_back_machines"
    }

    fn percent(&self) -> (u8, u8) {
        (32, 60)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: RollbackInput = cx.input()?;
        let plan = &input.plan;
        let client = &self.0.client(plan).await?;
        let kept = &self.0.vcenters.store().run_vms(plan.run_id).await.map_err(not_kept)?;
        each(&plan.vms, "given back", |vm| self.one(cx, client, (plan, vm), kept)).await?;
        cx.console(
            Level::Success,
            "Every shell is what it was, and no other machine of the failover is there.",
        );
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        ANEW
    }
}
