//! The appliances that jobs work on: from an id to a host that can be reached, and first contact with one that is not
//! kept yet.

use std::sync::Arc;

use super::failure::not_kept;
use super::hosts::Hosts;
use crate::domain::endpoint::Endpoint;
use crate::domain::ids::{SecretId, TargetId};
use crate::domain::job::Failure;
use crate::domain::location::{HostRef, IdentityRef};
use crate::domain::target::{ShownHostKey, Target};
use crate::ssh::{ConnectError, ConnectOptions, HostKey, Link, NoneKnown};
use crate::store::Store;
use crate::zfs::Zfs;

/// Finds appliances and reaches them. Cheap to clone.
#[derive(Clone)]
pub struct Targets {
    store: Store,
    hosts: Arc<Hosts>,
}

/// What came of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Contact {
    /// The login worked.
    In,
    /// It is not the host key that was accepted. Nothing but the key exchange was sent.
    HostKeyChanged {
        /// The accepted one.
        pinned: String,
        /// What the host shows now.
        found: ShownHostKey,
    },
}

impl Targets {
    /// The appliances in this store, reached through these hosts.
    pub fn new(store: Store, hosts: Arc<Hosts>) -> Self {
        Self { store, hosts }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// The appliance, and how it is reached, for a job that is to work on it.
    ///
    /// # Errors
    /// If there is none with this id, it is switched off, or its key is gone.
    pub async fn host_ref(&self, id: TargetId) -> Result<(Target, HostRef), Failure> {
        let (target, host) = self.any_host_ref(id).await?;
        if !target.is_active {
            return Err(Failure::permanent(format!("The appliance {} is switched off.", target.name))
                .advise("Switch it on: edit it and tick \u{201c}Active\u{201d}."));
        }
        Ok((target, host))
    }

    /// The same, whether it is switched on or not.
    ///
    /// # Errors
    /// If there is none with this id, or its key is gone.
    pub async fn any_host_ref(&self, id: TargetId) -> Result<(Target, HostRef), Failure> {
        let target = self.store.target(id).await.map_err(not_kept)?.ok_or_else(|| {
            Failure::permanent(format!("There is no appliance {id}."))
                .advise("It was removed. Start the operation anew with another one.")
        })?;
        let key = self.store.ssh_key(target.ssh_key).await.map_err(not_kept)?.ok_or_else(|| {
            Failure::permanent(format!("The SSH key of the appliance {} is gone.", target.name))
                .advise("Edit the appliance and choose another key.")
        })?;
        let host = target.host(key.secret);
        Ok((target, host))
    }

    /// OpenZFS on the appliance, over the connection that is kept to it.
    ///
    /// # Errors
    /// If it cannot be used, be reached, or has no OpenZFS.
    pub async fn zfs(&self, id: TargetId) -> Result<Zfs, Failure> {
        let (_, host) = self.host_ref(id).await?;
        self.hosts.zfs(&host).await
    }

    /// Lets go of the connection to a host that is reached in another way now.
    pub async fn forget(&self, host: &HostRef) {
        self.hosts.forget(host).await;
    }

    /// Logs in with a sealed key where only this host key is accepted, and out again.
    ///
    /// # Errors
    /// If there is no answer, or a refusal that is not about the host key. [`ConnectError`] says which.
    pub async fn contact(
        &self,
        endpoint: &Endpoint,
        key: SecretId,
        pinned: &str,
    ) -> Result<Result<Contact, ConnectError>, Failure> {
        let came = self.hosts.try_login(endpoint, &IdentityRef::Vault(key), pinned).await?;
        Ok(match came {
            Ok(()) => Ok(Contact::In),
            Err(ConnectError::HostKeyChanged { presented, .. }) => {
                Ok(Contact::HostKeyChanged { pinned: pinned.to_owned(), found: shown(&presented) })
            }
            Err(error) => Err(error),
        })
    }
}

/// The host key that a server shows now, to be compared by a person. Nothing but the key exchange is sent to it.
///
/// # Errors
/// If it cannot be reached.
pub async fn shown_host_key(endpoint: &Endpoint) -> Result<ShownHostKey, ConnectError> {
    let link = Link::new(endpoint.clone(), ConnectOptions::new(Vec::new(), Arc::new(NoneKnown)));
    match link.connect().await {
        Err(ConnectError::HostKeyUnknown { presented, .. }) => Ok(shown(&presented)),
        Err(error) => Err(error),
        // Nobody gets in while no key is known.
        Ok(()) => {
            let why = "the host let somebody in before its key was judged".to_owned();
            Err(ConnectError::Protocol { endpoint: endpoint.clone(), stage: "exchanging keys", why })
        }
    }
}

pub(super) fn shown(key: &HostKey) -> ShownHostKey {
    ShownHostKey { algorithm: key.algorithm(), fingerprint: key.fingerprint() }
}
