//! The machines: those of a test, and of what has no DR shell, are made; a shell that is there gets the disks. All of them have the
//! hardware of the checkpoint, disks of the clone, and cards that are disconnected.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::Value;

use super::shell::{BootOrder, take_shell};
use super::{Ground, RunInput};
use crate::domain::job::{Failure, FailureKind, Level};
use crate::domain::recovery_run::{RunPlan, RunVmPlan, RunVmState};
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::create_dr_shell::disks::{Disks, compare};
use crate::jobs::create_dr_shell::machine::request;
use crate::jobs::failure::recorded;
use crate::jobs::recovery_record::Record;
use crate::jobs::vsphere_make::{Made, MakeVm, Making};
use crate::jobs::vsphere_task::{Among, once};
use crate::store::RunVmChange;
use crate::vsphere::Client;

/// How many are made, or connected, at a time.
pub(super) const AT_ONCE: usize = 16;
/// How often one is tried in all, while what goes wrong may pass.
const ATTEMPTS: u32 = 3;

pub(in crate::jobs) struct MakeVms(pub(in crate::jobs) Arc<Ground>);

/// What is made, the same in every attempt.
fn making(plan: &RunPlan, vm: &RunVmPlan) -> MakeVm {
    let annotation = match plan.kind.is_failover() {
        true => format!(
            "{} from {}, failed over. Made by Zerfaux, which takes it away again if the failover is rolled back.",
            vm.name, plan.group_name
        ),
        false => format!(
            "A test of {} from {}. Made by Zerfaux, which takes it away again; do not use it for anything else.",
            vm.name, plan.group_name
        ),
    };
    let mut create = request(&vm.spec, annotation);
    create.config.uuid.clone_from(&vm.bios_uuid);
    MakeVm::new(Making::Create(create), plan.mark(&vm.source_uuid))
}

/// Makes the machine of one that has no shell.
async fn create(
    cx: &StepContext,
    client: &Client,
    record: Record<'_>,
    (plan, vm): (&RunPlan, &RunVmPlan),
) -> Result<Made, Failure> {
    let create = async {
        let deed = Among { of: vm.source_uuid.clone(), deed: making(plan, vm) };
        let made = once(cx, client, &deed).await?;
        let identity = match &vm.bios_uuid {
            Some(uuid) => format!("with the BIOS UUID {uuid}"),
            None => "with a new identity".to_owned(),
        };
        let uuid = made.instance_uuid.as_deref().unwrap_or("not told");
        let seen = format!("{:?} is {}, {identity} (instance UUID {uuid})", vm.spec.name, made.vm);
        Ok((made, seen))
    };
    record.step("create", create).await
}

impl MakeVms {
    async fn one(
        &self,
        cx: &StepContext,
        client: &Client,
        plan: &RunPlan,
        vm: &RunVmPlan,
    ) -> Result<Made, Failure> {
        let record = self.0.record(cx, plan).of(&vm.source_uuid);
        record.state(RunVmState::Working).await?;
        let made = match &vm.shell {
            Some(shell) => take_shell(cx, client, record, (plan, vm, shell)).await?,
            None => create(cx, client, record, (plan, vm)).await?,
        };
        let kept = RunVmChange {
            made: Some((made.vm.clone(), made.instance_uuid.clone())),
            ..RunVmChange::default()
        };
        record.change(kept).await?;
        let attach = async {
            let disks = Disks {
                vm: made.vm.clone(),
                spec: &vm.spec,
                datastore: plan.datastore.clone(),
                attach: true,
            };
            let proved = once(cx, client, &Among { of: vm.source_uuid.clone(), deed: disks }).await?;
            compare(cx, &vm.spec, &proved)?;
            let order = BootOrder { vm: &made.vm, spec: &vm.spec };
            once(cx, client, &Among { of: vm.source_uuid.clone(), deed: order }).await?;
            let files: Vec<&str> = proved.iter().map(|disk| disk.file.as_str()).collect();
            Ok(((), format!("{} disks open: {}", proved.len(), files.join(", "))))
        };
        record.step("attach_disks", attach).await?;
        cx.console(Level::Success, format!("{:?} is made, with its disks, disconnected.", vm.spec.name));
        Ok(made)
    }

    /// The same, tried again while that may help; what stays wrong is kept with the virtual machine.
    async fn tried(
        &self,
        cx: &StepContext,
        client: &Client,
        plan: &RunPlan,
        vm: &RunVmPlan,
    ) -> Result<Option<(String, Made)>, Failure> {
        for attempt in 1.. {
            match self.one(cx, client, plan, vm).await {
                Ok(made) => return Ok(Some((vm.source_uuid.clone(), made))),
                Err(failure) if failure.kind == FailureKind::Transient && attempt < ATTEMPTS => {
                    cx.info(format!("{:?}: {} It is tried again.", vm.spec.name, failure.message));
                    cx.pause(super::AGAIN.pause).await?;
                }
                Err(failure) => {
                    let message = format!("{:?} was not made. {}", vm.spec.name, failure.message);
                    let record = self.0.record(cx, plan).of(&vm.source_uuid);
                    record.failed(Failure { message, ..failure }).await?;
                    break;
                }
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl Step for MakeVms {
    fn name(&self) -> &'static str {
        "make_vms"
    }

    fn percent(&self) -> (u8, u8) {
        self.0.percent((25, 50))
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: RunInput = cx.input()?;
        let client = self.0.client(&input.plan).await?;
        let all: Vec<&RunVmPlan> = input.vms().collect();
        let (count, mut done) = (all.len(), 0_usize);
        let mut work: Vec<BoxFuture<'_, _>> = Vec::new();
        for vm in all {
            work.push(self.tried(cx, &client, &input.plan, vm).boxed());
        }
        let mut work = stream::iter(work).buffer_unordered(AT_ONCE);
        let mut made = BTreeMap::new();
        while let Some(one) = work.next().await {
            made.extend(one?);
            done += 1;
            #[allow(clippy::cast_precision_loss)]
            cx.progress(done as f64 / count as f64);
        }
        recorded(made)
    }

    fn undo_kind(&self) -> UndoKind {
        self.0.taken_back()
    }
}
