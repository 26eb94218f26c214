//! The virtual machine of a shell: looked at, its disks detached with their files kept, and destroyed.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{AGAIN, ANEW, Ground, RemoveInput};
use crate::domain::job::{Failure, Level};
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::vsphere_make::Own;
use crate::jobs::vsphere_own::{self, Loosen};
use crate::jobs::vsphere_task::once;

/// It runs: whoever powered it on may be using it.
fn running(own: &Own) -> Failure {
    Failure::refused(format!("The shell {:?} is not powered off, so it is left as it is.", own.name))
        .advise("Somebody uses it, or powered it on by hand. Power it off in vCenter, then retry.")
}

pub(super) struct Look(pub(super) Arc<Ground>);

#[async_trait]
impl Step for Look {
    fn name(&self) -> &'static str {
        "look"
    }

    fn percent(&self) -> (u8, u8) {
        (0, 10)
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: RemoveInput = cx.input()?;
        let client = self.0.vcenters.client(input.shell.dr_vcenter).await?;
        match input.now(&client).await? {
            Some(own) if !own.is_off => return Err(running(&own)),
            Some(own) => cx.info(format!(
                "{:?} is off, and says that Zerfaux made it. Disks attached to it: {}.",
                own.name,
                own.foreign.len()
            )),
            None => cx.info("The DR vCenter does not have it any more."),
        }
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("it only looks")
    }
}

pub(super) struct Detach(pub(super) Arc<Ground>);

#[async_trait]
impl Step for Detach {
    fn name(&self) -> &'static str {
        "detach"
    }

    fn percent(&self) -> (u8, u8) {
        (10, 35)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: RemoveInput = cx.input()?;
        let client = self.0.vcenters.client(input.shell.dr_vcenter).await?;
        let Some(own) = input.now(&client).await? else { return Ok(Value::Null) };
        once(cx, &client, &Loosen { identity: &input.identity(), own: &own }).await?;
        cx.info("No disk is attached to it; the files of those that were stay.");
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        ANEW
    }
}

pub(super) struct Destroy(pub(super) Arc<Ground>);

#[async_trait]
impl Step for Destroy {
    fn name(&self) -> &'static str {
        "destroy"
    }

    fn percent(&self) -> (u8, u8) {
        (35, 60)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: RemoveInput = cx.input()?;
        let client = self.0.vcenters.client(input.shell.dr_vcenter).await?;
        let Some(own) = input.now(&client).await? else { return Ok(Value::Null) };
        if !own.is_off {
            return Err(running(&own));
        }
        let identity = input.identity();
        let gone = vsphere_own::Destroy { identity: &identity, own: &own };
        gone.allowed()?;
        once(cx, &client, &gone).await?;
        cx.console(
            Level::Success,
            format!("The virtual machine {:?} is gone from the DR vCenter.", own.name),
        );
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        ANEW
    }
}
