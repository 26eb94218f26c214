//! Connections to vCenters: make, change, delete, test, synchronise.
//!
//! A certificate that nobody has accepted, or that has changed, is an answer and not an error: whoever asks shows
//! it to a person and asks again with the thumbprint that the person has compared.

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::secrets::{SecretError, Secrets};
use super::{App, AppError};
use crate::domain::ids::{JobId, SecretId, VcenterId};
use crate::domain::job::Failure;
use crate::domain::thumbprint::Thumbprint;
use crate::domain::vcenter::{Trust, Vcenter, VcenterAddress};
use crate::engine::Engine;
use crate::engine::reconcile::Reconcilers;
use crate::jobs::inventory_watch::NAME as WATCH;
use crate::jobs::vcenter_sync::{KIND, SyncInput};
use crate::jobs::vcenters::{Vcenters, first_contact, shown_certificate};
use crate::store::Store;

pub use crate::domain::thumbprint::ServerCertificate;
pub use crate::domain::vcenter::{StreamState, StreamStatus};
pub use crate::jobs::streams::{InventoryChange, InventoryWatcher};
pub use crate::jobs::vcenters::Contact;

/// A connection as somebody wants it.
#[derive(Debug, Clone)]
pub struct VcenterWish {
    /// What people call it.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// TCP port; 443 unless said otherwise.
    pub port: u16,
    /// Who logs in.
    pub username: String,
    /// The password; none when changing a connection: the one that is sealed stays.
    pub password: Option<SecretString>,
    /// The certificate that a person has compared; none: one that this machine trusts.
    pub accepted: Option<Thumbprint>,
}

/// What came of making or changing a connection.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Saved {
    /// It is kept.
    Kept(Box<Vcenter>),
    /// Nothing is kept yet: a person has to compare this certificate first.
    Compare(ServerCertificate),
    /// Nothing is kept: the server no longer shows the certificate that was accepted.
    Changed {
        /// The accepted one.
        pinned: Thumbprint,
        /// What the server shows now.
        found: ServerCertificate,
    },
}

/// The use cases of connections. Cheap to clone.
#[derive(Clone)]
pub struct VcenterCases {
    store: Store,
    engine: Engine,
    secrets: Option<Secrets>,
    vcenters: Vcenters,
    reconcilers: Option<Arc<Reconcilers>>,
}

impl App {
    /// The use cases of connections to vCenters.
    ///
    /// # Errors
    /// If this application was put together without them.
    pub fn vcenters(&self) -> Result<&VcenterCases, AppError> {
        self.vcenters.as_ref().ok_or_else(|| AppError::NotFound("There are no vCenters here.".to_owned()))
    }
}

impl VcenterCases {
    /// Puts the parts together; `boot` makes them.
    pub fn new(store: Store, engine: Engine, secrets: Option<Secrets>, vcenters: Vcenters) -> Self {
        Self { store, engine, secrets, vcenters, reconcilers: None }
    }

    /// The same, with what opens and closes the streams of changes woken when a connection changes.
    #[must_use]
    pub fn followed_by(mut self, reconcilers: Arc<Reconcilers>) -> Self {
        self.reconcilers = Some(reconcilers);
        self
    }

    /// How following the changes of each vCenter stands. A connection that is not in it is not followed yet: the
    /// service has just begun, or this is a command beside it.
    pub fn streams(&self) -> Vec<StreamStatus> {
        self.vcenters.streams().statuses()
    }

    /// How following the changes of this vCenter stands.
    pub fn stream(&self, id: VcenterId) -> Option<StreamStatus> {
        self.streams().into_iter().find(|one| one.vcenter == id)
    }

    /// Tells of changes in the inventory of one vCenter, or of all, and of streams that stand differently, from now
    /// on. What it tells of is in the store already.
    pub fn watch(&self, only: Option<VcenterId>) -> InventoryWatcher {
        self.vcenters.streams().watch(only)
    }

    /// Ends the sessions with all vCenters: they would count against the servers' limits until they expire.
    pub(super) async fn log_out(&self) {
        self.vcenters.log_out().await;
    }

    /// Makes the streams match the connections now, and not only when their time has come.
    fn follow_now(&self) {
        if let Some(reconcilers) = &self.reconcilers {
            reconcilers.wake(WATCH);
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// All connections, by name.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn list(&self) -> Result<Vec<Vcenter>, AppError> {
        Ok(self.store.vcenters().await?)
    }

    /// One connection.
    ///
    /// # Errors
    /// If there is none with this id, or the database does not answer.
    pub async fn get(&self, id: VcenterId) -> Result<Vcenter, AppError> {
        let found = self.store.vcenter(id).await?;
        found.ok_or_else(|| AppError::NotFound(format!("There is no vCenter connection {id}.")))
    }

    /// The certificate that a server shows now, to be compared by a person. Nothing else is sent to it.
    ///
    /// # Errors
    /// If the address is none, or the server cannot be reached.
    pub async fn look(&self, host: &str, port: u16) -> Result<ServerCertificate, AppError> {
        Ok(shown_certificate(&address(host, port)?).await?)
    }

    /// Makes a connection, once a login has worked.
    ///
    /// # Errors
    /// If something is missing, the name or the address is taken, the login is refused, or there is no key
    /// file to seal the password with.
    pub async fn create(&self, wish: VcenterWish) -> Result<Saved, AppError> {
        let password = wish.password.clone().ok_or_else(|| wrong("The password is missing."))?;
        self.save(VcenterId::new(), wish, password, Timestamp::now()).await
    }

    /// Changes a connection, once a login has worked. Without a password the sealed one is used, but only if
    /// the address stays: it is never sent to a server that it was not given for.
    ///
    /// # Errors
    /// As for [`create`](Self::create), and if there is no such connection.
    pub async fn update(&self, id: VcenterId, wish: VcenterWish) -> Result<Saved, AppError> {
        let old = self.get(id).await?;
        let password = match &wish.password {
            Some(password) => password.clone(),
            None if address(&wish.host, wish.port)? != old.address => {
                return Err(wrong("The address has changed: enter the password again."));
            }
            None => self.sealed(old.password).await?,
        };
        self.save(id, wish, password, old.created_at).await
    }

    async fn save(
        &self,
        id: VcenterId,
        wish: VcenterWish,
        password: SecretString,
        created_at: Timestamp,
    ) -> Result<Saved, AppError> {
        let name = wish.name.trim().to_owned();
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Err(wrong("The name must have 1 to 100 characters."));
        }
        if wish.username.trim().is_empty() {
            return Err(wrong("The user is missing."));
        }
        let address = address(&wish.host, wish.port)?;
        let secrets = self.secrets()?;
        let others = self.store.vcenters().await?;
        if let Some(other) =
            others.iter().find(|one| one.id != id && (one.name == name || one.address == address))
        {
            return Err(AppError::Conflict(format!(
                "There already is a vCenter connection {:?} to {}.",
                other.name, other.address
            )));
        }
        let username = wish.username.trim().to_owned();
        let contact =
            first_contact(address.clone(), wish.accepted, username.clone(), password.clone()).await?;
        let about = match contact {
            Contact::Answered(about) => about,
            Contact::CertificateUnknown(found) => return Ok(Saved::Compare(found)),
            Contact::CertificateChanged { pinned, found } => return Ok(Saved::Changed { pinned, found }),
        };
        let secret_name = format!("vcenter/{id}/password");
        let secret = secrets.put(&secret_name, password.expose_secret().as_bytes()).await.map_err(sealing)?;
        let vcenter = Vcenter {
            id,
            name,
            address,
            username,
            password: secret,
            trust: wish.accepted.map_or(Trust::System, Trust::Pinned),
            about: None,
            synced_at: None,
            last_error: None,
            created_at,
        };
        self.store.put_vcenter(&vcenter).await?;
        self.store.vcenter_answered(id, &about, None).await?;
        // The session under the old password, if there was one.
        self.vcenters.forget(id).await;
        self.follow_now();
        Ok(Saved::Kept(Box::new(self.get(id).await?)))
    }

    /// Accepts the certificate that a server shows now in place of the one before, because a person compared it.
    ///
    /// # Errors
    /// If there is no such connection, or the login is refused.
    pub async fn accept_certificate(&self, id: VcenterId, accepted: Thumbprint) -> Result<Saved, AppError> {
        let old = self.get(id).await?;
        let wish = VcenterWish {
            name: old.name,
            host: old.address.host,
            port: old.address.port,
            username: old.username,
            password: None,
            accepted: Some(accepted),
        };
        self.update(id, wish).await
    }

    /// Deletes a connection with its inventory and its password.
    ///
    /// # Errors
    /// If there is none with this id, or something still refers to it.
    pub async fn delete(&self, id: VcenterId) -> Result<(), AppError> {
        self.vcenters.forget(id).await;
        if self.store.delete_vcenter(id).await? {
            self.follow_now();
            return Ok(());
        }
        Err(AppError::NotFound(format!("There is no vCenter connection {id}.")))
    }

    /// Tries a connection: certificate and login.
    ///
    /// # Errors
    /// If there is none with this id, no answer, or a refusal.
    pub async fn test(&self, id: VcenterId) -> Result<Contact, AppError> {
        let vcenter = self.get(id).await?;
        let tried = self.vcenters.test(&vcenter).await;
        match &tried {
            Ok(Contact::Answered(about)) => {
                self.store.vcenter_answered(id, about, None).await?;
                // What stood in the way may be gone.
                self.vcenters.streams().retry(id);
            }
            Ok(_certificate) => {
                self.store.vcenter_failed(id, "the certificate is not the accepted one").await?
            }
            Err(failure) => self.store.vcenter_failed(id, &failure.message).await?,
        }
        Ok(tried?)
    }

    /// Queues a reading of the whole inventory as a job.
    ///
    /// # Errors
    /// If there is no such connection, or the database does not answer.
    pub async fn sync(&self, id: VcenterId, by: &str) -> Result<JobId, AppError> {
        self.get(id).await?;
        let input = serde_json::to_value(SyncInput { vcenter: id })
            .map_err(|error| Failure::permanent(format!("The job could not be written down: {error}.")))?;
        Ok(self.engine.enqueue(KIND, input, by).await?)
    }

    fn secrets(&self) -> Result<&Secrets, AppError> {
        self.secrets.as_ref().ok_or_else(|| {
            Failure::permanent("There is no key file here, so the password cannot be sealed.")
                .advise("Run `zerfaux serve` once with this data directory: it makes the key file.")
                .into()
        })
    }

    async fn sealed(&self, id: SecretId) -> Result<SecretString, AppError> {
        let bytes = self.secrets()?.get_by_id(id).await.map_err(sealing)?;
        let text = bytes.and_then(|bytes| String::from_utf8(bytes.expose_secret().to_vec()).ok());
        text.map(SecretString::from).ok_or_else(|| wrong("The sealed password is gone: enter it again."))
    }
}

fn address(host: &str, port: u16) -> Result<VcenterAddress, AppError> {
    VcenterAddress::new(host, port).map_err(|error| wrong(format!("The address cannot be used: {error}.")))
}

fn wrong(message: impl Into<String>) -> AppError {
    AppError::Conflict(message.into())
}

fn sealing(error: SecretError) -> AppError {
    let advice = error.advice().to_owned();
    AppError::Store {
        attempted: "the password was not sealed or opened".to_owned(),
        source: Box::new(error),
        advice,
    }
}
