//! `move_to_protection_datastore`: Storage vMotion of virtual machines, running or not, to the datastore on which they are
//! protected.
//!
//! look → move → verify. What is there already is not touched. Each virtual machine is told by its instance UUID from another
//! one that got its reference. The move of each is one vSphere task, whose reference is on the disk before it is waited for.
//! Taking back moves those that were moved to where they were.

mod layout;
mod relocate;
mod verify;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::failure::recorded;
use super::vcenters::Vcenters;
use super::vsphere_vm::{PlannedVm, as_planned};
use crate::domain::ids::VcenterId;
use crate::domain::job::Failure;
use crate::domain::moref::DatastoreRef;
use crate::domain::vcenter::ApiKind;
use crate::engine::{Definition, LockName, Step, StepContext, UndoKind};
use crate::plan::placement::place;
use layout::{Layout, placed, required};

/// The name of this kind of job.
pub const KIND: &str = "move_to_protection_datastore";
/// How many are moved at once where nothing else is said: VMware allows two for each host ("Limits on Simultaneous
/// Migrations", vCenter Server and Host Management, 7.0).
pub const AT_ONCE: u8 = 2;
/// The most that may be moved at once: eight for each datastore, by the same page.
pub const MOST_AT_ONCE: u8 = 8;

/// What the job is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveInput {
    /// The vCenter.
    pub vcenter_id: VcenterId,
    /// Where to.
    pub datastore: DatastoreRef,
    /// Its name, for people.
    pub datastore_name: String,
    /// Which virtual machines, as the plan saw them.
    pub vms: Vec<PlannedVm>,
    /// How many at once.
    pub at_once: u8,
}

/// The definition of the job.
pub fn definition(vcenters: Vcenters) -> Definition {
    let vcenters = Arc::new(vcenters);
    let ground = || Arc::clone(&vcenters);
    Definition::new(
        KIND,
        vec![
            Box::new(Look(ground())),
            Box::new(relocate::Move(ground())),
            Box::new(verify::Verify(ground())),
        ],
    )
    .with_locks(|input| {
        let input = MoveInput::deserialize(input)
            .map_err(|error| Failure::permanent(format!("The input could not be read: {error}.")))?;
        input.vms.iter().map(lock_of).collect()
    })
}

/// The lock of a virtual machine that a plan names.
pub(super) fn lock_of(vm: &PlannedVm) -> Result<LockName, Failure> {
    let uuid = vm.instance_uuid.parse::<uuid::Uuid>().map_err(|error| {
        Failure::permanent(format!("The instance UUID of {:?} cannot be read: {error}.", vm.name))
    })?;
    Ok(LockName::vm(&uuid))
}

/// Checks everything before anything is touched, with the plan that the wizard has shown.
struct Look(Arc<Vcenters>);

#[async_trait]
impl Step for Look {
    fn name(&self) -> &'static str {
        "look"
    }

    fn percent(&self) -> (u8, u8) {
        (0, 5)
    }

    /// Where each was before: the step that moves is taken back to this.
    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: MoveInput = cx.input()?;
        let client = self.0.client(input.vcenter_id).await?;
        let single_host = client.about().kind == ApiKind::HostAgent;
        let required = required(&client, &input.datastore).await?;
        let (mut layouts, mut refusals) = (Vec::<Layout>::new(), Vec::new());
        for planned in &input.vms {
            let now = as_planned(&client, planned).await?;
            now.remarks.into_iter().for_each(|remark| cx.warn(remark));
            let plan = place(&placed(&client, &now.vm).await?, &required, single_host);
            for warning in &plan.warnings {
                cx.warn(format!("{}: {}", plan.vm, warning.message));
            }
            match plan.refusal() {
                Some(why) => refusals.push(format!("{}: {why}", plan.vm)),
                None if plan.compliant => {
                    cx.info(format!("{} is on {} already.", plan.vm, required.name));
                }
                None => cx.info(format!(
                    "{}: {} to be moved to {}.",
                    plan.vm,
                    crate::domain::size::format_bytes(plan.moves_bytes),
                    required.name
                )),
            }
            layouts.push(layout::read(&client, &now.vm).await?);
        }
        if !refusals.is_empty() {
            return Err(Failure::permanent(refusals.join(" "))
                .advise("Nothing was moved. Clear away what is named, then retry."));
        }
        recorded(layouts)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("it only looks")
    }
}
