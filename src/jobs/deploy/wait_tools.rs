//! Waits until VMware Tools run and the customisation has ended.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Ground;
use super::clone::Cloned;
use super::guest::GuestNow;
use super::reach::endpoint;
use crate::domain::deployment::Deployment;
use crate::domain::job::Failure;
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;
use crate::jobs::targets::shown_host_key;
use crate::vsphere::Client;
use crate::vsphere::verbs::CustomizationOutcome;

/// How long one attempt waits.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long the end of the customisation is waited for once the tools run. Not every server tells it.
const CUSTOMISING: Duration = Duration::from_secs(120);
/// The pause after so many looks: short at first, because what takes seconds is the rule in a small place.
pub(super) fn pause_after(looks: u32) -> Duration {
    const LONGEST: Duration = Duration::from_secs(5);
    Duration::from_millis(100).saturating_mul(1 << looks.min(6)).min(LONGEST)
}

pub(super) struct WaitTools(pub(super) Arc<Ground>);

/// How it came out.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Waited {
    /// False: only SSH answers.
    tools: bool,
}

#[async_trait]
impl Step for WaitTools {
    fn name(&self) -> &'static str {
        "wait_tools"
    }

    fn percent(&self) -> (u8, u8) {
        (25, 35)
    }

    fn retry(&self) -> Retry {
        Retry { attempts: 2, pause: Duration::ZERO }
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let (input, cloned): (Deployment, Cloned) = (cx.input()?, cx.need("clone")?);
        let client = self.0.vcenters.client(input.vcenter_id).await?;
        let (mut waited, mut looks) = (Duration::ZERO, 0);
        loop {
            customised_well(cx, &client, &input, &cloned).await?;
            if GuestNow::read(&client, &cloned.vm_moref).await?.tools_run {
                break;
            }
            if waited >= PATIENCE {
                if answers_by_itself(&client, &input, &cloned).await? {
                    cx.warn(format!(
                        "VMware Tools do not run in {:?}, but its SSH server answers at the configured address with the \
                         host key that the guest published. Going on.",
                        input.vm_name
                    ));
                    return recorded(Waited { tools: false });
                }
                return Err(Failure::transient(format!(
                    "VMware Tools not responding in {:?} after {} s.",
                    input.vm_name,
                    PATIENCE.as_secs()
                ))
                .advise("The guest may not have booted: look at its console in vCenter. Check that open-vm-tools is \
                         installed in the template."));
            }
            cx.progress(0.9 * waited.as_secs_f64() / PATIENCE.as_secs_f64());
            let pause = pause_after(looks);
            cx.pause(pause).await?;
            (waited, looks) = (waited + pause, looks + 1);
        }
        cx.info("VMware Tools run.");
        let (mut waited, mut looks) = (Duration::ZERO, 0);
        while !customised_well(cx, &client, &input, &cloned).await? {
            if waited >= CUSTOMISING {
                cx.info(
                    "The server does not say how the customisation ended; its result shows in the address.",
                );
                break;
            }
            let pause = pause_after(looks);
            cx.pause(pause).await?;
            (waited, looks) = (waited + pause, looks + 1);
        }
        recorded(Waited { tools: true })
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("it only waits")
    }
}

/// True: it has ended well. False: it has not ended, as far as the server says.
async fn customised_well(
    cx: &StepContext,
    client: &Client,
    input: &Deployment,
    cloned: &Cloned,
) -> Result<bool, Failure> {
    match client.customization_outcome(&cloned.vm_moref, 0).await? {
        None => Ok(false),
        Some(CustomizationOutcome::Succeeded) => Ok(true),
        Some(CustomizationOutcome::Failed { kind, message, log }) => {
            cx.warn(format!("{kind}: {message}"));
            let log = log.unwrap_or_else(|| "/var/log/vmware-imc/toolsDeployPkg.log".to_owned());
            // A guest that is half customised may have an address that is another machine's.
            let task = client.power_off(&cloned.vm_moref).await?;
            let off = client
                .wait_for_task(&task, "power it off", &tokio_util::sync::CancellationToken::new(), |_| ())
                .await;
            let state = if off.is_ok() { "It was powered off." } else { "It could not be powered off." };
            Err(Failure::permanent(format!(
                "The guest customisation of {:?} failed: {message} {state}",
                input.vm_name
            ))
            .advise(format!(
                "Look at the guest's log of it ({log}). Check that perl and open-vm-tools are in the template, and no \
                 cloud-init that works against it. Then clean up and deploy anew."
            )))
        }
    }
}

/// With a fixed address the tools are not needed to find it: whether SSH answers there with the key that the guest told.
async fn answers_by_itself(client: &Client, input: &Deployment, cloned: &Cloned) -> Result<bool, Failure> {
    let Some(fixed) = input.guest.fixed else { return Ok(false) };
    let guest = GuestNow::read(client, &cloned.vm_moref).await?;
    let Some(expected) = guest.host_key(&cloned.nonce) else { return Ok(false) };
    let Ok(endpoint) = endpoint(&input.login, fixed.address.into()) else { return Ok(false) };
    Ok(shown_host_key(&endpoint).await.is_ok_and(|shown| shown.fingerprint == expected))
}
