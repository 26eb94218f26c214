//! How the steps reach the appliance once it has an address and its host key is known.

use std::net::IpAddr;

use super::Ground;
use super::ssh_connect::Connected;
use crate::domain::deployment::{Deployment, Login};
use crate::domain::endpoint::Endpoint;
use crate::domain::ids::SecretId;
use crate::domain::job::Failure;
use crate::domain::location::{HostKeysRef, HostRef, IdentityRef};
use crate::engine::StepContext;
use crate::jobs::failure::not_kept;
use crate::zfs::Zfs;

/// Where its SSH server is.
pub(super) fn endpoint(login: &Login, address: IpAddr) -> Result<Endpoint, Failure> {
    Endpoint::new(login.ssh_username.as_str(), &address.to_string(), login.ssh_port)
        .map_err(|error| Failure::permanent(format!("The appliance cannot be reached: {error}.")))
}

impl Ground {
    /// The sealed private half of the key that the deployment names.
    pub(super) async fn key(&self, login: &Login) -> Result<SecretId, Failure> {
        let key = self.store.ssh_key(login.ssh_key_id).await.map_err(not_kept)?;
        key.map(|key| key.secret).ok_or_else(|| {
            Failure::permanent("The SSH key of this deployment is gone.")
                .advise("Clean up, and deploy anew with another key.")
        })
    }

    /// The appliance as a host.
    pub(super) async fn host_ref(
        &self,
        input: &Deployment,
        connected: &Connected,
    ) -> Result<HostRef, Failure> {
        Ok(HostRef::Ssh {
            endpoint: endpoint(&input.login, connected.address)?,
            identities: vec![IdentityRef::Vault(self.key(&input.login).await?)],
            host_keys: HostKeysRef::Pinned(connected.host_key.clone()),
        })
    }

    /// OpenZFS on the appliance.
    pub(super) async fn zfs(&self, cx: &StepContext, input: &Deployment) -> Result<Zfs, Failure> {
        let connected: Connected = cx.need("ssh_connect")?;
        let host = self.host_ref(input, &connected).await?;
        self.hosts.zfs(&host).await
    }
}
