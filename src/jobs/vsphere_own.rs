//! What is done to a virtual machine that a job of ours made, whenever: powered off, its disks taken off, destroyed. It is told
//! by its identity and by the option that says what made it; nothing is done to one that does not say so.

use std::borrow::Cow;

use async_trait::async_trait;

use super::vsphere_make::{Made, Own, own};
use super::vsphere_task::Deed;
use crate::domain::job::Failure;
use crate::domain::moref::{ManagedRef, TaskRef};
use crate::vsphere::verbs::{DeviceChange, Reconfigure};
use crate::vsphere::{Client, VsphereError};

/// By what it is told.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) made: Made,
    /// What its option says of who made it.
    pub(super) mark: String,
    /// What it is, for people, such as `the shell`.
    pub(super) noun: &'static str,
}

impl Identity {
    /// As its vCenter has it now; none: it is gone.
    pub(super) async fn now(&self, client: &Client) -> Result<Option<Own>, Failure> {
        own(client, &self.made, &self.mark).await
    }
}

/// Every disk that lies elsewhere than beside it is taken off it; the files stay.
pub(super) struct Loosen<'a> {
    pub(super) identity: &'a Identity,
    pub(super) own: &'a Own,
}

#[async_trait]
impl Deed for Loosen<'_> {
    type Done = ();

    fn key(&self) -> Cow<'static, str> {
        "loosen".into()
    }

    fn what(&self) -> String {
        format!("detach the disks from {} {:?}", self.identity.noun, self.own.name)
    }

    fn entity(&self) -> ManagedRef {
        (&self.own.vm).into()
    }

    fn description(&self) -> &'static str {
        "VirtualMachine.reconfigure"
    }

    async fn look(&self, client: &Client, _result: Option<&ManagedRef>) -> Result<Option<()>, Failure> {
        let now = self.identity.now(client).await?;
        Ok(now.is_none_or(|own| own.foreign.is_empty()).then_some(()))
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        let devices = self.own.foreign.iter().cloned().map(DeviceChange::DetachDisk).collect();
        client.reconfigure(&self.own.vm, &Reconfigure { devices, ..Reconfigure::default() }).await
    }
}

/// It is destroyed: its own files go with it.
pub(super) struct Destroy<'a> {
    pub(super) identity: &'a Identity,
    pub(super) own: &'a Own,
}

impl Destroy<'_> {
    /// Refuses while a disk is attached that lies elsewhere: destroying would delete it.
    pub(super) fn allowed(&self) -> Result<(), Failure> {
        let Some(disk) = self.own.foreign.first() else { return Ok(()) };
        Err(Failure::refused(format!(
            "The disk {} is attached to {} {:?}, so it is not destroyed: that would delete the disk.",
            disk.file.as_deref().unwrap_or(&disk.label),
            self.identity.noun,
            self.own.name
        ))
        .advise("Somebody attached it meanwhile. Detach it in vCenter, keeping its file, then retry."))
    }
}

#[async_trait]
impl Deed for Destroy<'_> {
    type Done = ();

    fn key(&self) -> Cow<'static, str> {
        "destroy".into()
    }

    fn what(&self) -> String {
        format!("destroy {} {:?}", self.identity.noun, self.own.name)
    }

    fn entity(&self) -> ManagedRef {
        (&self.own.vm).into()
    }

    fn description(&self) -> &'static str {
        "VirtualMachine.destroy"
    }

    async fn look(&self, client: &Client, _result: Option<&ManagedRef>) -> Result<Option<()>, Failure> {
        Ok(self.identity.now(client).await?.is_none().then_some(()))
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        client.destroy_vm(&self.own.vm).await
    }
}
