//! Powers the clone on.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Ground;
use super::clone::Cloned;
use crate::domain::deployment::Deployment;
use crate::domain::job::{Failure, FailureKind};
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::vsphere_power::SetPower;
use crate::jobs::vsphere_task::once;
use crate::jobs::vsphere_vm::as_planned;
use crate::vsphere::Client;

pub(super) struct PowerOn(pub(super) Arc<Ground>);

/// The deed, once it is seen that the virtual machine still is the one that this job made.
async fn power(
    cx: &StepContext,
    client: &Client,
    input: &Deployment,
    cloned: &Cloned,
    on: bool,
) -> Result<SetPower, Failure> {
    let vm = match cloned.planned(input) {
        Some(planned) => {
            let now = as_planned(client, &planned).await?;
            now.remarks.into_iter().for_each(|remark| cx.warn(remark));
            now.vm
        }
        None => cloned.vm_moref.clone(),
    };
    Ok(SetPower { vm, name: input.vm_name.clone(), on, host: None })
}

#[async_trait]
impl Step for PowerOn {
    fn name(&self) -> &'static str {
        "power_on"
    }

    fn percent(&self) -> (u8, u8) {
        (20, 25)
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let (input, cloned): (Deployment, Cloned) = (cx.input()?, cx.need("clone")?);
        let client = self.0.vcenters.client(input.vcenter_id).await?;
        let deed = power(cx, &client, &input, &cloned, true).await?;
        once(cx, &client, &deed).await.map_err(|failure| match failure.kind {
            FailureKind::Permanent => Failure {
                message: format!("{:?} failed to power on. {}", input.vm_name, failure.message),
                advice: Some("Check the cluster's resources and its DRS settings, then retry.".to_owned()),
                ..failure
            },
            _ => failure,
        })?;
        cx.info(format!("{:?} is powered on.", input.vm_name));
        Ok(json!({}))
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let (input, cloned): (Deployment, Cloned) = (cx.input()?, cx.need("clone")?);
        let client = self.0.vcenters.client(input.vcenter_id).await?;
        let deed = power(cx, &client, &input, &cloned, false).await?;
        once(cx, &client, &deed).await
    }
}
