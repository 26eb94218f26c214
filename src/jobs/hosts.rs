//! The hosts that jobs work on: one long-lived connection each, whatever the number of jobs.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, OnceCell};

use crate::domain::endpoint::Endpoint;
use crate::domain::ids::SecretId;
use crate::domain::job::Failure;
use crate::domain::location::{HostKeysRef, HostRef, IdentityRef};
use crate::domain::transport::Dial;
use crate::host::{HopError, Host, Means, Route, look};
use crate::ssh::{
    ConnectError, ConnectOptions, HostKeys, Identity, KeyPair, KnownHosts, Link, PinnedFingerprint,
};
use crate::zfs::Zfs;

/// Where private keys are kept sealed.
#[async_trait]
pub trait SealedKeys: Send + Sync {
    /// The text of the private key with this id.
    ///
    /// # Errors
    /// If there is none, or it cannot be opened.
    async fn key_text(&self, id: SecretId) -> Result<SecretString, Failure>;

    /// The key of an encrypted dataset, as it was entered.
    ///
    /// # Errors
    /// If there is none with this id, or it cannot be opened.
    async fn dataset_key(&self, id: SecretId) -> Result<SecretString, Failure> {
        self.key_text(id).await
    }
}

/// That there is no way from one host to another is looked at again after this time.
const NO_WAY_FOR: Duration = Duration::from_secs(300);

/// From which host to which, and what the first dials.
type Way = (HostRef, HostRef, Dial);

/// What was found about a way.
#[derive(Clone)]
struct Found {
    answer: Result<Means, HopError>,
    at: Instant,
    /// Over which control connections.
    over: (u64, u64),
}

/// A host and what was found on it.
#[derive(Clone, Default)]
struct Known {
    host: Arc<OnceCell<Host>>,
    zfs: Arc<OnceCell<Zfs>>,
}

/// Finds keys, opens connections, keeps them.
pub struct Hosts {
    /// Where keys are sealed; none on a plain command line.
    vault: Option<Arc<dyn SealedKeys>>,
    known: Mutex<HashMap<HostRef, Known>>,
    /// What is known of the ways between them.
    ways: Mutex<HashMap<Way, Found>>,
    /// Passphrase of the key files, asked for by the command line before anything is started.
    passphrase: Option<SecretString>,
}

impl Hosts {
    /// Hosts whose keys lie in files or with an agent, and in the vault if there is one.
    pub fn new(vault: Option<Arc<dyn SealedKeys>>, passphrase: Option<SecretString>) -> Self {
        Self { vault, known: Mutex::default(), ways: Mutex::default(), passphrase }
    }

    /// OpenZFS on that host, connected and looked at once.
    ///
    /// # Errors
    /// If the key cannot be read, the host not be reached, or there is no OpenZFS on it. The next call
    /// tries anew.
    pub async fn zfs(&self, host: &HostRef) -> Result<Zfs, Failure> {
        let known = self.known(host).await;
        let found = async { Zfs::detect(self.reach(&known, host).await?).await.map_err(Failure::from) };
        Ok(known.zfs.get_or_try_init(|| found).await?.clone())
    }

    /// The host, whether there is OpenZFS on it or not. It is connected to by the first command.
    ///
    /// # Errors
    /// If the key cannot be read.
    pub async fn host(&self, host: &HostRef) -> Result<Host, Failure> {
        let known = self.known(host).await;
        self.reach(&known, host).await
    }

    /// The key of an encrypted dataset, out of the vault.
    ///
    /// # Errors
    /// If there is no vault, no such key, or it cannot be opened.
    pub async fn dataset_key(&self, id: SecretId) -> Result<SecretString, Failure> {
        match &self.vault {
            Some(vault) => vault.dataset_key(id).await,
            None => {
                Err(Failure::permanent("The key of the dataset is in the vault, and there is no vault here.")
                    .advise("Run it with --data-dir, naming the directory that holds the vault."))
            }
        }
    }

    /// As [`Self::zfs`], but looked at anew over the same connection: OpenZFS may have been updated, rights given or
    /// taken away.
    ///
    /// # Errors
    /// As [`Self::zfs`].
    pub async fn zfs_anew(&self, host: &HostRef) -> Result<Zfs, Failure> {
        let reached = self.host(host).await?;
        let zfs = Zfs::detect(reached.clone()).await.map_err(Failure::from)?;
        let known =
            Known { host: Arc::new(OnceCell::from(reached)), zfs: Arc::new(OnceCell::from(zfs.clone())) };
        self.known.lock().await.insert(host.clone(), known);
        Ok(zfs)
    }

    /// Lets go of the connection to a host that is reached in another way now, or not at all. What runs over it ends
    /// first.
    pub async fn forget(&self, host: &HostRef) {
        self.known.lock().await.remove(host);
        self.ways.lock().await.retain(|(from, into, _), _| from != host && into != host);
    }

    async fn known(&self, host: &HostRef) -> Known {
        self.known.lock().await.entry(host.clone()).or_default().clone()
    }

    async fn reach(&self, known: &Known, host: &HostRef) -> Result<Host, Failure> {
        let made = async {
            Ok::<_, Failure>(match host {
                HostRef::Local => Host::local(),
                HostRef::Ssh { endpoint, identities, host_keys } => {
                    Host::remote(self.link(endpoint, identities, host_keys).await?)
                }
            })
        };
        Ok(known.host.get_or_try_init(|| made).await?.clone())
    }

    /// Opens a connection of its own, past those that are kept, and closes it again: whether one gets in.
    ///
    /// # Errors
    /// If the key cannot be read. What came of the connection is the answer.
    pub async fn try_login(
        &self,
        endpoint: &Endpoint,
        identity: &IdentityRef,
        host_key: &str,
    ) -> Result<Result<(), ConnectError>, Failure> {
        let pinned = HostKeysRef::Pinned(host_key.to_owned());
        let link = self.link(endpoint, std::slice::from_ref(identity), &pinned).await?;
        let came = link.connect().await;
        link.close().await;
        Ok(came)
    }

    /// What the source of `route` has for streaming straight to its target. It is looked at once while both control
    /// connections last; that there is no way, again after a while.
    ///
    /// # Errors
    /// If there is no such way.
    pub async fn means(&self, ends: (&HostRef, &HostRef), route: &Route) -> Result<Means, HopError> {
        let over = |route: &Route| {
            let number = |host: &Host| host.link().map_or(0, Link::control_number);
            (number(&route.source), number(&route.target))
        };
        let way: Way = (ends.0.clone(), ends.1.clone(), route.dial.clone());
        let found = self.ways.lock().await.get(&way).cloned();
        if let Some(found) = found.filter(|found| found.over == over(route))
            && (found.answer.is_ok() || found.at.elapsed() < NO_WAY_FOR)
        {
            return found.answer;
        }
        let answer = look(route).await;
        if !answer.as_ref().is_err_and(HopError::is_about_a_host) {
            let found = Found { answer: answer.clone(), at: Instant::now(), over: over(route) };
            self.ways.lock().await.insert(way, found);
        }
        answer
    }

    /// What was found about this way counts no more.
    pub async fn forget_means(&self, ends: (&HostRef, &HostRef), dial: &Dial) {
        self.ways.lock().await.remove(&(ends.0.clone(), ends.1.clone(), dial.clone()));
    }

    async fn link(
        &self,
        endpoint: &Endpoint,
        identities: &[IdentityRef],
        host_keys: &HostKeysRef,
    ) -> Result<Link, Failure> {
        let mut found = Vec::with_capacity(identities.len());
        for identity in identities {
            found.push(self.identity(identity).await?);
        }
        let host_keys: Arc<dyn HostKeys> = match host_keys {
            HostKeysRef::KnownHosts { path, accept_new } => {
                Arc::new(KnownHosts::new(vec![path.clone()], *accept_new))
            }
            HostKeysRef::Pinned(fingerprint) => Arc::new(PinnedFingerprint::new(fingerprint)),
        };
        Ok(Link::new(endpoint.clone(), ConnectOptions::new(found, host_keys)))
    }

    async fn identity(&self, identity: &IdentityRef) -> Result<Identity, Failure> {
        match identity {
            IdentityRef::Agent(socket) => Ok(Identity::Agent(socket.clone())),
            IdentityRef::File(path) => self.key_file(path),
            IdentityRef::Vault(secret) => {
                let vault = self.vault.as_ref().ok_or_else(|| {
                    Failure::permanent("This job uses a key from the vault, and there is no vault here.")
                        .advise("Run it with --data-dir, naming the directory that holds the vault.")
                })?;
                let text = vault.key_text(*secret).await?;
                KeyPair::from_text(text.expose_secret(), None).map(Identity::Key).map_err(|error| {
                    Failure::permanent(format!("The SSH key in the vault cannot be used: {error}."))
                })
            }
        }
    }

    fn key_file(&self, path: &Path) -> Result<Identity, Failure> {
        KeyPair::from_file(path, self.passphrase.as_ref()).map(Identity::Key).map_err(|error| {
            Failure::permanent(format!("The SSH key {} cannot be used: {error}.", path.display()))
                .advise("Name a key with --identity FILE, or load it into your ssh-agent.")
        })
    }
}

/// Whether this key file can be used, with that passphrase if it needs one.
pub fn key_is_usable(path: &Path, passphrase: Option<&SecretString>) -> bool {
    KeyPair::from_file(path, passphrase).is_ok()
}
