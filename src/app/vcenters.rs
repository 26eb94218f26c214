//! Connections to vCenters: make, change, delete. What is asked of a kept one is in `vcenter_contacts.rs`.
//!
//! A certificate that nobody has accepted, or that has changed, is an answer and not an error: whoever asks shows
//! it to a person and asks again with the thumbprint that the person has compared. What was typed waits meanwhile in
//! a draft (`vcenter_drafts.rs`).

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::audit::entry;
use super::secrets::{SecretError, Secrets};
use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::{AuditEntry, Outcome};
use crate::domain::ids::{SecretId, VcenterId};
use crate::domain::job::Failure;
use crate::domain::thumbprint::Thumbprint;
use crate::engine::reconcile::Reconcilers;
use crate::engine::{Clock, Engine, SystemClock};
use crate::jobs::vcenters::{Vcenters, first_contact, shown_certificate};
use crate::store::Store;

pub use crate::domain::thumbprint::ServerCertificate;
pub use crate::domain::vcenter::{
    About, ApiKind, Certificates, InventoryCounts, Trust, Vcenter, VcenterAddress, VcenterDraft,
};
pub use crate::domain::vcenter::{StreamState, StreamStatus};
pub use crate::jobs::streams::{InventoryChange, InventoryWatcher};
pub use crate::jobs::vcenters::Contact;

/// Most characters of a name or user.
const NAME: usize = 100;

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

impl Saved {
    /// The connection, or the error that says what a person has to compare.
    ///
    /// # Errors
    /// [`AppError::Unproved`], with the code `certificate-untrusted` or `certificate-changed`.
    pub fn kept(self) -> Result<Vcenter, AppError> {
        match self {
            Self::Kept(vcenter) => Ok(*vcenter),
            Self::Compare(found) => Err(unproved(None, &found)),
            Self::Changed { pinned, found } => Err(unproved(Some(pinned), &found)),
        }
    }
}

/// A connection with all that is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct VcenterView {
    /// The connection.
    pub vcenter: Vcenter,
    /// Its certificates.
    pub certificates: Certificates,
    /// What it has.
    pub counts: InventoryCounts,
}

/// The use cases of connections. Cheap to clone.
#[derive(Clone)]
pub struct VcenterCases {
    store: Store,
    engine: Engine,
    secrets: Option<Secrets>,
    vcenters: Vcenters,
    clock: Arc<dyn Clock>,
    pub(super) reconcilers: Option<Arc<Reconcilers>>,
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
        let clock = Arc::new(SystemClock::new());
        Self { store, engine, secrets, vcenters, clock, reconcilers: None }
    }

    pub(super) fn set_clock(&mut self, clock: Arc<dyn Clock>) {
        self.clock = clock;
    }

    pub(super) fn sessions(&self) -> &Vcenters {
        &self.vcenters
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// All connections, by name.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn list(&self) -> Result<Vec<Vcenter>, AppError> {
        Ok(self.store.vcenters().await?)
    }

    /// All connections with what is known of them, by name.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn views(&self) -> Result<Vec<VcenterView>, AppError> {
        let (mut certificates, counts) =
            (self.store.vcenter_certificates().await?, self.store.inventory_counts().await?);
        let view = |vcenter: Vcenter| VcenterView {
            certificates: certificates.remove(&vcenter.id).unwrap_or_default(),
            counts: counts.get(&vcenter.id).copied().unwrap_or_default(),
            vcenter,
        };
        Ok(self.list().await?.into_iter().map(view).collect())
    }

    /// One connection with what is known of it.
    ///
    /// # Errors
    /// If there is none with this id, or the database does not answer.
    pub async fn view(&self, id: VcenterId) -> Result<VcenterView, AppError> {
        let found = self.views().await?.into_iter().find(|view| view.vcenter.id == id);
        found.ok_or_else(|| none_with(id))
    }

    /// One connection.
    ///
    /// # Errors
    /// If there is none with this id, or the database does not answer.
    pub async fn get(&self, id: VcenterId) -> Result<Vcenter, AppError> {
        self.store.vcenter(id).await?.ok_or_else(|| none_with(id))
    }

    /// Makes a connection, once a login has worked.
    ///
    /// # Errors
    /// If something is missing, the name or the address is taken, the login is refused, or there is no key
    /// file to seal the password with.
    pub async fn create(&self, who: &Principal, wish: VcenterWish) -> Result<Saved, AppError> {
        self.save(who, None, wish).await
    }

    /// Changes a connection, once a login has worked. Without a password the sealed one is used, but only if
    /// the address stays: it is never sent to a server that it was not given for.
    ///
    /// # Errors
    /// As for [`create`](Self::create), and if there is no such connection.
    pub async fn update(&self, who: &Principal, id: VcenterId, wish: VcenterWish) -> Result<Saved, AppError> {
        let old = self.get(id).await?;
        self.save(who, Some(old), wish).await
    }

    pub(super) async fn save(
        &self,
        who: &Principal,
        old: Option<Vcenter>,
        wish: VcenterWish,
    ) -> Result<Saved, AppError> {
        let (name, username) = (wish.name.trim().to_owned(), wish.username.trim().to_owned());
        let address = self.checked(&wish, old.as_ref())?;
        let id = old.as_ref().map_or_else(VcenterId::new, |old| old.id);
        let others = self.store.vcenters().await?;
        let is_other =
            |one: &&Vcenter| one.id != id && (one.name.eq_ignore_ascii_case(&name) || one.address == address);
        if let Some(other) = others.iter().find(is_other) {
            return Err(AppError::Conflict(format!(
                "there already is a vCenter connection {:?} to {}",
                other.name, other.address
            )));
        }
        let password = match (&wish.password, &old) {
            (Some(password), _) => password.clone(),
            (None, Some(old)) => self.sealed(old.password).await?,
            (None, None) => return Err(AppError::invalid("password", "The password is missing.")),
        };
        let secrets = self.secrets()?;
        let contact =
            first_contact(address.clone(), wish.accepted, username.clone(), password.clone()).await?;
        let about = match contact {
            Contact::Answered(about) => about,
            Contact::CertificateUnknown(found) => return Ok(Saved::Compare(found)),
            Contact::CertificateChanged { pinned, found } => return Ok(Saved::Changed { pinned, found }),
        };
        // For the page and for warnings before it expires; a connection is kept without it, too.
        let certificate = shown_certificate(&address).await.ok();
        let certificate =
            certificate.filter(|shown| wish.accepted.is_none_or(|accepted| accepted == shown.thumbprint));
        // A new password is a new secret, so that nothing is lost if the connection cannot be kept.
        let sealed = match (&wish.password, &old) {
            (None, Some(old)) => old.password,
            _ => {
                let name = format!("vcenter password {}", SecretId::new());
                secrets.put(&name, password.expose_secret().as_bytes()).await.map_err(sealing)?
            }
        };
        let vcenter = Vcenter {
            id,
            name,
            address,
            username,
            password: sealed,
            trust: wish.accepted.map_or(Trust::System, Trust::Pinned),
            about: Some(about),
            synced_at: old.as_ref().and_then(|old| old.synced_at),
            last_error: None,
            created_at: old.as_ref().map_or_else(|| self.now(), |old| old.created_at),
        };
        let action = if old.is_some() { "vcenter.change" } else { "vcenter.create" };
        let details = json!({
            "address": vcenter.address.to_string(), "username": vcenter.username,
            "accepted": wish.accepted, "password": if wish.password.is_some() { "new" } else { "as before" },
        });
        let audit = self.entry(who, action, &vcenter.name, details);
        if let Err(error) = self.store.save_vcenter(&vcenter, certificate.as_ref(), audit).await {
            if old.as_ref().is_none_or(|old| old.password != sealed) {
                // Nothing refers to it; that it stays if this fails too harms nobody.
                let _gone = self.store.delete_secret(sealed).await;
            }
            return Err(error.into());
        }
        // The session under the old password, if there was one.
        self.vcenters.forget(id).await;
        self.follow_now();
        Ok(Saved::Kept(Box::new(self.get(id).await?)))
    }

    /// The address, if all that was entered can be used.
    fn checked(&self, wish: &VcenterWish, old: Option<&Vcenter>) -> Result<VcenterAddress, AppError> {
        let mut fields = Vec::new();
        let wrong = |field, message: String| FieldError { field, message };
        let unusable =
            |text: &str| text.is_empty() || text.chars().count() > NAME || text.chars().any(char::is_control);
        if unusable(wish.name.trim()) {
            fields.push(wrong("name", format!("The name has 1 to {NAME} characters.")));
        }
        if unusable(wish.username.trim()) {
            fields.push(wrong("username", format!("The user has 1 to {NAME} characters.")));
        }
        let address = VcenterAddress::new(&wish.host, wish.port);
        match (&address, old, &wish.password) {
            (Err(error), ..) if wish.port != 0 => fields.push(wrong("host", format!("{error}."))),
            (Err(_), ..) => fields.push(wrong("port", "The port is 1 to 65535.".to_owned())),
            (Ok(_), None, None) => fields.push(wrong("password", "The password is missing.".to_owned())),
            (Ok(new), Some(old), None) if *new != old.address => {
                let message = "The address has changed: enter the password again.".to_owned();
                fields.push(wrong("password", message));
            }
            _ => {}
        }
        address.ok().filter(|_| fields.is_empty()).ok_or(AppError::Invalid { fields })
    }

    /// Deletes a connection with its inventory and its password.
    ///
    /// # Errors
    /// If there is none with this id, or something still refers to it.
    pub async fn delete(&self, who: &Principal, id: VcenterId) -> Result<(), AppError> {
        let vcenter = self.get(id).await?;
        let details = json!({ "address": vcenter.address.to_string() });
        let audit = self.entry(who, "vcenter.delete", &vcenter.name, details);
        self.store.remove_vcenter(&vcenter, audit).await?;
        self.vcenters.forget(id).await;
        self.follow_now();
        Ok(())
    }

    pub(super) fn entry(&self, who: &Principal, action: &str, object: &str, details: Value) -> AuditEntry {
        entry(self.now(), who, action, object, Outcome::Done, details)
    }

    pub(super) fn secrets(&self) -> Result<&Secrets, AppError> {
        self.secrets.as_ref().ok_or_else(|| {
            Failure::permanent("There is no key file here, so the password cannot be sealed.")
                .advise("Run `zerfaux serve` once with this data directory: it makes the key file.")
                .into()
        })
    }

    pub(super) async fn sealed(&self, id: SecretId) -> Result<SecretString, AppError> {
        let bytes = self.secrets()?.get_by_id(id).await.map_err(sealing)?;
        let text = bytes.and_then(|bytes| String::from_utf8(bytes.expose_secret().to_vec()).ok());
        text.map(SecretString::from)
            .ok_or_else(|| AppError::invalid("password", "The sealed password is gone: enter it again."))
    }
}

/// What a person has to compare first, as an error for those who cannot show a page.
pub fn unproved(pinned: Option<Thumbprint>, found: &ServerCertificate) -> AppError {
    let mut facts = vec![("thumbprint", found.thumbprint.to_string()), ("subject", found.subject.clone())];
    facts.extend(found.not_after.map(|at| ("not_after", at.to_string())));
    facts.extend(pinned.map(|pinned| ("accepted_thumbprint", pinned.to_string())));
    let (code, message) = match pinned {
        None => (
            "certificate-untrusted",
            format!("Nobody has accepted the certificate of {} yet.", found.subject),
        ),
        Some(pinned) => (
            "certificate-changed",
            format!(
                "The certificate has changed: {pinned} was accepted, the server now shows {}.",
                found.thumbprint
            ),
        ),
    };
    let advice =
        "Compare the thumbprint with the one on the server itself, then send it as `thumbprint`.".to_owned();
    AppError::Unproved { code, message, advice, facts }
}

fn none_with(id: VcenterId) -> AppError {
    AppError::NotFound(format!("there is no vCenter connection {id}"))
}

pub(super) fn sealing(error: SecretError) -> AppError {
    let advice = error.advice().to_owned();
    AppError::Store {
        attempted: "the password was not sealed or opened".to_owned(),
        source: Box::new(error),
        advice,
    }
}
