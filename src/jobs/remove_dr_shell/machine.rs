//! The virtual machine of a shell: looked at, its disks detached with their files kept, and destroyed.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{AGAIN, ANEW, Ground, RemoveInput};
use crate::domain::job::{Failure, Level};
use crate::domain::moref::{ManagedRef, TaskRef};
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::vsphere_make::Own;
use crate::jobs::vsphere_task::{Deed, once};
use crate::vsphere::verbs::{DeviceChange, Reconfigure};
use crate::vsphere::{Client, VsphereError};

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

/// Every disk that lies elsewhere than beside the shell is taken off it.
struct Loosen<'a> {
    input: &'a RemoveInput,
    own: &'a Own,
}

#[async_trait]
impl Deed for Loosen<'_> {
    type Done = ();

    fn key(&self) -> Cow<'static, str> {
        "loosen".into()
    }

    fn what(&self) -> String {
        format!("detach the disks from the shell {:?}", self.own.name)
    }

    fn entity(&self) -> ManagedRef {
        (&self.own.vm).into()
    }

    fn description(&self) -> &'static str {
        "VirtualMachine.reconfigure"
    }

    async fn look(&self, client: &Client, _result: Option<&ManagedRef>) -> Result<Option<()>, Failure> {
        let now = self.input.now(client).await?;
        Ok(now.is_none_or(|own| own.foreign.is_empty()).then_some(()))
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        let devices = self.own.foreign.iter().cloned().map(DeviceChange::DetachDisk).collect();
        client.reconfigure(&self.own.vm, &Reconfigure { devices, ..Reconfigure::default() }).await
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
        once(cx, &client, &Loosen { input: &input, own: &own }).await?;
        cx.info("No disk is attached to it; the files of those that were stay.");
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        ANEW
    }
}

/// The machine is destroyed: its own files go with it.
struct Gone<'a> {
    input: &'a RemoveInput,
    own: &'a Own,
}

#[async_trait]
impl Deed for Gone<'_> {
    type Done = ();

    fn key(&self) -> Cow<'static, str> {
        "destroy".into()
    }

    fn what(&self) -> String {
        format!("destroy the shell {:?}", self.own.name)
    }

    fn entity(&self) -> ManagedRef {
        (&self.own.vm).into()
    }

    fn description(&self) -> &'static str {
        "VirtualMachine.destroy"
    }

    async fn look(&self, client: &Client, _result: Option<&ManagedRef>) -> Result<Option<()>, Failure> {
        Ok(self.input.now(client).await?.is_none().then_some(()))
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        client.destroy_vm(&self.own.vm).await
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
        if let Some(disk) = own.foreign.first() {
            return Err(Failure::refused(format!(
                "The disk {} is attached to the shell {:?}, so it is not destroyed: that would delete the disk.",
                disk.file.as_deref().unwrap_or(&disk.label),
                own.name
            ))
            .advise("Somebody attached it meanwhile. Detach it in vCenter, keeping its file, then retry."));
        }
        once(cx, &client, &Gone { input: &input, own: &own }).await?;
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
