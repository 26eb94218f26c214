//! The vCenters that jobs work on: one session each, whatever the number of jobs. And first contact with one
//! that is not kept yet.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::sync::{Mutex, OnceCell, Semaphore};

use super::streams::Streams;
use crate::domain::ids::{SecretId, VcenterId};
use crate::domain::job::Failure;
use crate::domain::thumbprint::{ServerCertificate, Thumbprint};
use crate::domain::vcenter::{About, Trust, Vcenter, VcenterAddress};
use crate::store::Store;
use crate::vsphere::{CertificateProblem, Client, Login, VsphereError, fetch_certificate};

/// How long the end of the process waits for servers to end our sessions.
const PARTING: Duration = Duration::from_secs(3);

/// Where passwords are kept sealed.
#[async_trait]
pub trait SealedPasswords: Send + Sync {
    /// The password with this id.
    ///
    /// # Errors
    /// If there is none, or it cannot be opened.
    async fn password(&self, id: SecretId) -> Result<SecretString, Failure>;
}

/// Finds connections, logs in, keeps the sessions. Cheap to clone.
#[derive(Clone)]
pub struct Vcenters {
    store: Store,
    passwords: Option<Arc<dyn SealedPasswords>>,
    sessions: Arc<Mutex<HashMap<VcenterId, Session>>>,
    streams: Streams,
    /// How many may be powered on at a time, of each vCenter, whichever runs ask for it.
    power_ons: Turns,
}

/// For each vCenter, how many may be powered on at a time, and whose turn it is.
type Turns = Arc<std::sync::Mutex<HashMap<VcenterId, (u32, Arc<Semaphore>)>>>;

/// The session and what it was made from: a connection that was changed gets another one.
struct Session {
    made_from: (VcenterAddress, Trust, String, SecretId),
    client: Arc<OnceCell<Client>>,
}

impl Vcenters {
    /// The connections in this store, with their passwords in the vault, if there is one.
    pub fn new(store: Store, passwords: Option<Arc<dyn SealedPasswords>>) -> Self {
        Self {
            store,
            passwords,
            sessions: Arc::default(),
            streams: Streams::default(),
            power_ons: Arc::default(),
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// How following their changes stands.
    pub fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Whose turn it is to be powered on in a vCenter, where at most so many may be at a time.
    pub(super) fn power_ons(&self, id: VcenterId, most: u32) -> Arc<Semaphore> {
        let mut all = self.power_ons.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let most = most.max(1);
        let new = || (most, Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(1))));
        let one = all.entry(id).or_insert_with(new);
        // The setting was changed: those that have their turn keep it.
        if one.0 != most {
            *one = new();
        }
        Arc::clone(&one.1)
    }

    /// A client that is logged in, shared with everybody who asks for the same connection.
    ///
    /// # Errors
    /// If there is no such connection, its password cannot be opened, or the server cannot be reached, shows
    /// another certificate, or refuses. The next call tries anew.
    pub async fn client(&self, id: VcenterId) -> Result<Client, Failure> {
        let row = self
            .store
            .vcenter(id)
            .await
            .map_err(|error| Failure::transient(error.to_string()).advise(error.advice()))?;
        let row = row.ok_or_else(|| {
            Failure::permanent(format!("There is no vCenter connection {id}."))
                .advise("It was deleted. Start the operation anew with another one.")
        })?;
        let made_from = (row.address.clone(), row.trust, row.username.clone(), row.password);
        let cell = {
            let mut sessions = self.sessions.lock().await;
            match sessions.get(&id) {
                Some(session) if session.made_from == made_from => Arc::clone(&session.client),
                _ => {
                    let client = Arc::default();
                    sessions.insert(id, Session { made_from, client: Arc::clone(&client) });
                    client
                }
            }
        };
        let client = cell
            .get_or_try_init(|| async {
                let password = self.password(row.password).await?;
                match Client::connect(login(&row, password)).await {
                    Ok(client) => Ok(client),
                    Err(error) => {
                        self.note_refused(id, &error).await;
                        Err(Failure::from(error))
                    }
                }
            })
            .await?;
        Ok(client.clone())
    }

    /// Keeps the certificate that was not accepted, so that a person can look at it without another contact.
    async fn note_refused(&self, id: VcenterId, error: &VsphereError) {
        let VsphereError::Certificate { problem, .. } = error else { return };
        let (CertificateProblem::Unknown { found, .. } | CertificateProblem::Changed { found, .. }) =
            problem.as_ref()
        else {
            return;
        };
        if let Err(error) = self.store.vcenter_refused(id, found).await {
            tracing::error!(%error, "the certificate that was refused could not be noted");
        }
    }

    /// Which of these privileges our user lacks on the root of the inventory.
    ///
    /// # Errors
    /// As for [`client`](Self::client), or if the server refuses.
    pub async fn missing_privileges(
        &self,
        id: VcenterId,
        privileges: &[&str],
    ) -> Result<Vec<String>, Failure> {
        let client = self.client(id).await?;
        let missing = client.missing_privileges(&client.content().root_folder, privileges).await?;
        Ok(missing.into_iter().map(|one| one.privilege).collect())
    }

    /// Forgets the session of a connection whose password was changed, or which was deleted.
    pub async fn forget(&self, id: VcenterId) {
        let known = self.sessions.lock().await.remove(&id);
        if let Some(client) = known.and_then(|session| session.client.get().cloned()) {
            // It ends by itself if the server does not hear.
            tokio::spawn(async move { client.log_out().await });
        }
    }

    /// Ends all sessions, as far as the servers answer within a few seconds.
    pub async fn log_out(&self) {
        let sessions = std::mem::take(&mut *self.sessions.lock().await);
        let clients = sessions.into_values().filter_map(|session| session.client.get().cloned());
        let ends = clients.map(|client| async move {
            if let Err(error) = client.log_out().await {
                tracing::debug!(%error, "a session ends by itself");
            }
        });
        let _late = tokio::time::timeout(PARTING, futures_util::future::join_all(ends)).await;
    }

    async fn password(&self, id: SecretId) -> Result<SecretString, Failure> {
        let passwords = self.passwords.as_ref().ok_or_else(|| {
            Failure::permanent(
                "The password of the vCenter connection is sealed, and there is no key file here.",
            )
            .advise("Put the key file that belongs to this database back in its place.")
        })?;
        passwords.password(id).await
    }

    /// Logs in to a kept connection and out again, past the shared session.
    ///
    /// # Errors
    /// If there is no answer, or a refusal that is not about the certificate.
    pub async fn test(&self, vcenter: &Vcenter) -> Result<Contact, Failure> {
        let password = self.password(vcenter.password).await?;
        contact(login(vcenter, password)).await
    }
}

fn login(vcenter: &Vcenter, password: SecretString) -> Login {
    Login {
        address: vcenter.address.clone(),
        trust: vcenter.trust,
        username: vcenter.username.clone(),
        password,
    }
}

/// What came of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Contact {
    /// The login worked.
    Answered(About),
    /// Nobody has accepted the server's certificate yet. The password was not sent.
    CertificateUnknown(ServerCertificate),
    /// It is not the certificate that was accepted. The password was not sent.
    CertificateChanged {
        /// The accepted one.
        pinned: Thumbprint,
        /// What the server shows now.
        found: ServerCertificate,
    },
}

/// First contact: with a certificate that a person accepted, or one that this machine trusts. The password is
/// sent only then.
///
/// # Errors
/// If there is no answer, or a refusal that is not about the certificate.
pub async fn first_contact(
    address: VcenterAddress,
    accepted: Option<Thumbprint>,
    username: String,
    password: SecretString,
) -> Result<Contact, Failure> {
    let trust = accepted.map_or(Trust::System, Trust::Pinned);
    contact(Login { address, trust, username, password }).await
}

/// The certificate that a server shows now.
///
/// # Errors
/// If it cannot be reached, or cannot prove that the certificate is its own.
pub async fn shown_certificate(address: &VcenterAddress) -> Result<ServerCertificate, Failure> {
    Ok(fetch_certificate(address).await?)
}

async fn contact(login: Login) -> Result<Contact, Failure> {
    match Client::connect(login).await {
        Ok(client) => {
            let about = client.about().clone();
            if let Err(error) = client.log_out().await {
                tracing::debug!(%error, "the session of a test ends by itself");
            }
            Ok(Contact::Answered(about))
        }
        Err(VsphereError::Certificate { attempted, server, problem }) => match certificate(&problem) {
            Some(contact) => Ok(contact),
            None => Err(VsphereError::Certificate { attempted, server, problem }.into()),
        },
        Err(error) => Err(error.into()),
    }
}

fn certificate(problem: &CertificateProblem) -> Option<Contact> {
    match problem {
        CertificateProblem::Unknown { found, .. } => Some(Contact::CertificateUnknown(found.clone())),
        CertificateProblem::Changed { pinned, found } => {
            Some(Contact::CertificateChanged { pinned: *pinned, found: found.clone() })
        }
        CertificateProblem::NotProved { .. } => None,
    }
}
