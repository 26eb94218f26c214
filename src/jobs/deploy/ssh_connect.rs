//! Connects to the appliance for the first time, with a host key that the guest has published, or else with the one that
//! it shows first and never another.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Ground;
use super::clone::Cloned;
use super::guest::GuestNow;
use super::reach::endpoint;
use super::wait_ip::Detected;
use crate::domain::argv::Argv;
use crate::domain::causes::with_causes;
use crate::domain::deployment::Deployment;
use crate::domain::job::{Failure, Level};
use crate::domain::location::IdentityRef;
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;
use crate::jobs::targets::shown_host_key;
use crate::ssh::ConnectError;

const DEADLINE: Duration = Duration::from_secs(30);

pub(super) struct SshConnect(pub(super) Arc<Ground>);

/// How the appliance is reached.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Connected {
    /// Its address.
    pub(super) address: IpAddr,
    /// The fingerprint of its host key.
    pub(super) host_key: String,
    /// Whether the guest published it; else it was taken as it was shown first.
    pub(super) published: bool,
    /// What the guest calls itself.
    pub(super) hostname: String,
}

/// The key that was shown first.
#[derive(Debug, Serialize, Deserialize)]
struct FirstShown {
    host_key: String,
}

#[async_trait]
impl Step for SshConnect {
    fn name(&self) -> &'static str {
        "ssh_connect"
    }

    fn percent(&self) -> (u8, u8) {
        (40, 50)
    }

    fn retry(&self) -> Retry {
        Retry { attempts: 6, pause: Duration::from_secs(15) }
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let (input, cloned): (Deployment, Cloned) = (cx.input()?, cx.need("clone")?);
        let Detected { detected_ip: address } = cx.need("wait_ip")?;
        let at = endpoint(&input.login, address)?;
        let client = self.0.vcenters.client(input.vcenter_id).await?;
        let published = GuestNow::read(&client, &cloned.vm_moref).await?.host_key(&cloned.nonce);
        let host_key = match (&published, cx.last_note::<FirstShown>()?) {
            (Some(told), _) => {
                cx.info(format!("The guest has published its host key: {told}."));
                told.clone()
            }
            (None, Some(first)) => first.host_key,
            (None, None) => {
                let shown = shown_host_key(&at).await.map_err(|error| told(error, &input))?;
                cx.warn(format!(
                    "The guest has not published its host key, so the one that it shows now is taken and no other from \
                     here on: {shown}. Compare it on its console (ssh-keygen -lf \
                     /etc/ssh/ssh_host_ed25519_key.pub)."
                ));
                // On the disk before anything is sent there.
                cx.note(FirstShown { host_key: shown.fingerprint.clone() }).await?;
                shown.fingerprint
            }
        };
        let key = IdentityRef::Vault(self.0.key(&input.login).await?);
        self.0.hosts.try_login(&at, &key, &host_key).await?.map_err(|error| told(error, &input))?;
        let connected =
            Connected { address, host_key, published: published.is_some(), hostname: String::new() };
        let host = self.0.hosts.host(&self.0.host_ref(&input, &connected).await?).await?;
        let argv = Argv::new(["hostname"]).map_err(|error| Failure::permanent(error.to_string()))?;
        let hostname = host.run(&argv, None, DEADLINE).await?.stdout_text().trim().to_owned();
        cx.console(Level::Success, format!("Logged in to {at}; it calls itself {hostname}."));
        recorded(Connected { hostname, ..connected })
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    /// Lets go of the connection, which would be found by another machine with that address.
    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let input: Deployment = cx.input()?;
        if let Some(connected) = cx.output::<Connected>("ssh_connect")? {
            self.0.hosts.forget(&self.0.host_ref(&input, &connected).await?).await;
        }
        Ok(())
    }
}

/// What the operator reads.
fn told(error: ConnectError, input: &Deployment) -> Failure {
    match &error {
        ConnectError::KeyRejected { .. } => Failure::permanent(format!(
            "{:?} rejects the key for the user {}. {}",
            input.vm_name,
            input.login.ssh_username,
            with_causes(&error)
        ))
        .advise(
            "Is the key in authorized_keys of the template? The preparation script puts it there. Then clean up and \
             deploy anew.",
        ),
        ConnectError::HostKeyChanged { .. } => Failure::from(error).advise(
            "Another machine may have this address, or stands in between: nothing was sent to it. Check that the address \
             is not taken, then clean up and deploy anew.",
        ),
        _ => Failure::from(error)
            .advise("Is SSH enabled in the template, and does the network let Zerfaux reach it?"),
    }
}
