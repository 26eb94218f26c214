//! Waits for the address of the NIC that was configured.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Ground;
use super::clone::Cloned;
use super::guest::GuestNow;
use super::wait_tools::pause_after;
use crate::domain::deployment::Deployment;
use crate::domain::job::{Failure, Level};
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;

const PATIENCE: Duration = Duration::from_secs(300);

pub(super) struct WaitIp(pub(super) Arc<Ground>);

/// The address.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Detected {
    /// Where the appliance is.
    pub(super) detected_ip: IpAddr,
}

#[async_trait]
impl Step for WaitIp {
    fn name(&self) -> &'static str {
        "wait_ip"
    }

    fn percent(&self) -> (u8, u8) {
        (35, 40)
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let (input, cloned): (Deployment, Cloned) = (cx.input()?, cx.need("clone")?);
        let detected_ip = match input.guest.fixed {
            // Proved by the SSH server's answer, in the next step.
            Some(fixed) => fixed.address.into(),
            None => self.by_dhcp(cx, &input, &cloned).await?,
        };
        cx.details(json!({ "detected_ip": detected_ip, "cloned_vm_moref": cloned.vm_moref }));
        cx.console(Level::Success, format!("The address of {:?} is {detected_ip}.", input.vm_name));
        recorded(Detected { detected_ip })
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("it only waits")
    }
}

impl WaitIp {
    async fn by_dhcp(
        &self,
        cx: &StepContext,
        input: &Deployment,
        cloned: &Cloned,
    ) -> Result<IpAddr, Failure> {
        let client = self.0.vcenters.client(input.vcenter_id).await?;
        let (mut waited, mut looks) = (Duration::ZERO, 0);
        loop {
            let guest = GuestNow::read(&client, &cloned.vm_moref).await?;
            if let Some(address) = guest.usable(cloned.mac.as_deref()) {
                return Ok(address);
            }
            if waited >= PATIENCE {
                let seen: Vec<String> = guest.addresses().iter().map(ToString::to_string).collect();
                let seen = if seen.is_empty() { "none".to_owned() } else { seen.join(", ") };
                let place = match &input.place.vlan {
                    Some(vlan) => format!("VLAN {vlan}"),
                    None => format!("the network {:?}", input.place.network_name),
                };
                return Err(Failure::permanent(format!(
                    "No IP by DHCP within {} s; the guest has {seen}.",
                    PATIENCE.as_secs()
                ))
                .advise(format!("Check the DHCP server on {place}, then retry; or use a static IP.")));
            }
            cx.progress(waited.as_secs_f64() / PATIENCE.as_secs_f64());
            let pause = pause_after(looks);
            cx.pause(pause).await?;
            (waited, looks) = (waited + pause, looks + 1);
        }
    }
}
