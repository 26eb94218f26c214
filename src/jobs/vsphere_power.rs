//! Power of a virtual machine, as a deed that is done once: what already is on is not powered on again.

use std::borrow::Cow;

use async_trait::async_trait;

use super::vsphere_task::Deed;
use crate::domain::job::Failure;
use crate::domain::moref::{EsxiRef, ManagedRef, TaskRef, VmRef};
use crate::vsphere::{Client, VsphereError};

/// Power on, or cut the power. Use it with [`super::vsphere_task::once`], after
/// [`super::vsphere_vm::as_planned`] has said that it is the virtual machine that is meant.
#[derive(Debug, Clone)]
pub struct SetPower {
    /// Of which.
    pub vm: VmRef,
    /// Its name, for people.
    pub name: String,
    /// On or off.
    pub on: bool,
    /// The host to start it on; none: as the vCenter likes.
    pub host: Option<EsxiRef>,
}

#[async_trait]
impl Deed for SetPower {
    type Done = ();

    fn key(&self) -> Cow<'static, str> {
        if self.on { "power_on" } else { "power_off" }.into()
    }

    fn what(&self) -> String {
        format!("power {} {:?}", if self.on { "on" } else { "off" }, self.name)
    }

    fn entity(&self) -> ManagedRef {
        (&self.vm).into()
    }

    fn description(&self) -> &'static str {
        if self.on { "VirtualMachine.powerOn" } else { "VirtualMachine.powerOff" }
    }

    async fn look(&self, client: &Client, _result: Option<&ManagedRef>) -> Result<Option<()>, Failure> {
        let found = client.properties(&self.vm, VmRef::KIND, &["runtime.powerState"]).await?;
        let wanted = if self.on { "poweredOn" } else { "poweredOff" };
        Ok((found.text("runtime.powerState") == Some(wanted)).then_some(()))
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        if self.on {
            client.power_on(&self.vm, self.host.as_ref()).await
        } else {
            client.power_off(&self.vm).await
        }
    }
}
