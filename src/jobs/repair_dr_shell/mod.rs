//! `repair_dr_shell`: makes a DR shell again as what it stands for is now, and its view, if it has one, of the newest checkpoint.
//!
//! look → view → export → mount → loosen → reshape → attach → detach → record → drop_old_view → take_view_away. It is the way
//! of `create_dr_shell`, with the machine changed instead of made: the disks are proved anew from a new clone. Until the new
//! view is recorded the old one stands, so everything before can be taken back.

mod record;
mod reshape;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::create_dr_shell::{Ground, ShellInput, disks, mark_of, take_view_away, view};
use super::remove_dr_shell::locks;
use super::targets::Targets;
use super::vcenters::Vcenters;
use super::vsphere_make::{Made, Own, own};
use crate::domain::dr_shell::DrShell;
use crate::domain::job::Failure;
use crate::engine::{Definition, Retry, Step, StepContext, UndoKind};
use crate::vsphere::Client;

/// The name of this kind of job.
pub const KIND: &str = "repair_dr_shell";

const AGAIN: Retry = Retry { attempts: 3, pause: Duration::from_secs(5) };

/// What the job is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairInput {
    /// How it is to be, as when it is made.
    #[serde(flatten)]
    pub wish: ShellInput,
    /// The shell as it is kept.
    pub shell: DrShell,
}

impl RepairInput {
    fn made(&self) -> Made {
        Made { vm: self.shell.vm.clone(), instance_uuid: self.shell.instance_uuid.clone() }
    }

    /// The shell as the DR vCenter has it now, if it may be changed.
    async fn now(&self, client: &Client) -> Result<Own, Failure> {
        let found = own(client, &self.made(), &mark_of(self.shell.made_by)).await?;
        let found = found.ok_or_else(|| {
            Failure::permanent(format!(
                "The shell {:?} is not in the DR vCenter any more.",
                self.shell.spec.name
            ))
            .advise("Remove what is left of it, then create it anew.")
        })?;
        match found.is_off {
            true => Ok(found),
            false => Err(Failure::refused(format!(
                "The shell {:?} is not powered off, so it is left as it is.",
                found.name
            ))
            .advise("Somebody uses it, or powered it on by hand. Power it off in vCenter, then retry.")),
        }
    }
}

/// The definition of the job.
pub fn definition(targets: Targets, vcenters: Vcenters) -> Definition {
    let ground = Arc::new(Ground::new(targets, vcenters));
    let ground = || Arc::clone(&ground);
    Definition::new(
        KIND,
        vec![
            Box::new(Look(ground())),
            Box::new(view::View(ground())),
            Box::new(view::Export(ground())),
            Box::new(view::Mount(ground())),
            Box::new(reshape::Loosen(ground())),
            Box::new(reshape::Reshape(ground())),
            Box::new(disks::Attach(ground())),
            Box::new(disks::Detach(ground())),
            Box::new(record::Record(ground())),
            Box::new(record::DropOldView(ground())),
            Box::new(take_view_away::TakeViewAway(ground())),
        ],
    )
    .with_locks(|input| {
        let input = RepairInput::deserialize(input)
            .map_err(|error| Failure::permanent(format!("The input could not be read: {error}.")))?;
        locks(&input.shell, &input.wish.hosts)
    })
}

/// Checks that it is there, ours and off, before anything is made for it.
struct Look(Arc<Ground>);

#[async_trait]
impl Step for Look {
    fn name(&self) -> &'static str {
        "look"
    }

    fn percent(&self) -> (u8, u8) {
        (0, 0)
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: RepairInput = cx.input()?;
        let client = self.0.vcenters.client(input.wish.dr_vcenter_id).await?;
        let found = input.now(&client).await?;
        cx.info(format!("{:?} is off, and says that Zerfaux made it.", found.name));
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("it only looks")
    }
}
