//! Appliances: add, change, remove, test.
//!
//! A host key that nobody has accepted, or that has changed, is an answer and not an error: whoever asks shows it to a
//! person and asks again with the fingerprint that the person has compared.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::endpoint::Endpoint;
use crate::domain::health::Health;
use crate::domain::ids::TargetId;
use crate::domain::job::Failure;
use crate::domain::ssh_key::SshKey;
use crate::domain::target::{Deployed, ShownHostKey, Target};
use crate::jobs::health_check::check_now;
use crate::jobs::target_watch;
use crate::jobs::targets::{Contact, Targets, shown_host_key};
use crate::ssh::ConnectError;

use super::target_form::Checked;
pub use super::target_form::{TargetWish, shown_dial};

/// What came of adding or changing an appliance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Saved {
    /// It is kept.
    Kept(Box<Target>),
    /// Nothing is kept yet: a person has to compare this host key first.
    Compare(ShownHostKey),
    /// Nothing is kept: the host does not show the key that was accepted.
    Changed {
        /// The accepted one.
        pinned: String,
        /// What the host shows now.
        found: ShownHostKey,
    },
}

impl Saved {
    /// The appliance, or what is to be compared as an error with its own name, for programs.
    ///
    /// # Errors
    /// Unless it is kept.
    pub fn kept(self, host: &str) -> Result<Target, AppError> {
        match self {
            Self::Kept(target) => Ok(*target),
            Self::Compare(found) => Err(unknown(host, &found)),
            Self::Changed { pinned, found } => Err(changed(host, &pinned, &found)),
        }
    }
}

fn unknown(host: &str, found: &ShownHostKey) -> AppError {
    AppError::Unproved {
        code: "host-key-unknown",
        message: format!("{host} shows the host key {found}, which nobody has accepted yet."),
        advice: "Compare the fingerprint with the one on the host itself (ssh-keygen -lf \
                 /etc/ssh/ssh_host_ed25519_key.pub), then send it as host_key_fingerprint. Nothing was kept."
            .to_owned(),
        facts: vec![("fingerprint", found.fingerprint.clone()), ("algorithm", found.algorithm.clone())],
    }
}

fn changed(host: &str, pinned: &str, found: &ShownHostKey) -> AppError {
    AppError::Unproved {
        code: "host-key-changed",
        message: format!("The host key of {host} has changed: {pinned} was accepted, and it shows {found}."),
        advice: "Do not go on before you know why: somebody may stand in between. Neither key nor password was sent. If \
                 the host was set up anew, compare the new fingerprint on the host itself and accept it."
            .to_owned(),
        facts: vec![
            ("fingerprint", found.fingerprint.clone()),
            ("algorithm", found.algorithm.clone()),
            ("expected", pinned.to_owned()),
        ],
    }
}

impl App {
    pub(super) fn target_hosts(&self) -> Targets {
        Targets::new(self.store.clone(), Arc::clone(&self.hosts))
    }

    /// All appliances, by name.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn targets(&self) -> Result<Vec<Target>, AppError> {
        Ok(self.store.targets().await?)
    }

    /// One appliance.
    ///
    /// # Errors
    /// If there is none with this id.
    pub async fn target(&self, id: TargetId) -> Result<Target, AppError> {
        let found = self.store.target(id).await?;
        found.ok_or_else(|| AppError::NotFound(format!("there is no appliance {id}")))
    }

    /// Adds an appliance, once its host key was compared and a login has worked. One that is not active is kept
    /// without a login.
    ///
    /// # Errors
    /// [`AppError::Invalid`] beside the fields; [`AppError::Conflict`] if name or address are taken; or why the host
    /// cannot be reached.
    pub async fn create_target(&self, who: &Principal, wish: &TargetWish) -> Result<Saved, AppError> {
        self.save_target(who, None, wish).await
    }

    /// Changes an appliance, once a login has worked where it matters. With another address its host key is compared
    /// anew, unless it is the same one.
    ///
    /// # Errors
    /// As [`App::create_target`], and if there is none with this id.
    pub async fn update_target(
        &self,
        who: &Principal,
        id: TargetId,
        wish: &TargetWish,
    ) -> Result<Saved, AppError> {
        let old = self.target(id).await?;
        self.save_target(who, Some(old), wish).await
    }

    async fn save_target(
        &self,
        who: &Principal,
        old: Option<Target>,
        wish: &TargetWish,
    ) -> Result<Saved, AppError> {
        let checked = wish.check().map_err(|fields| AppError::Invalid { fields })?;
        let key = self.key_of_wish(&checked).await?;
        self.free(old.as_ref(), &checked).await?;
        let host_key = match self.prove(old.as_ref(), &checked, &key, wish.is_active).await? {
            Proof::Accepted(host_key) => host_key,
            Proof::Asks(saved) => return Ok(saved),
        };
        let target = Target {
            id: old.as_ref().map_or_else(TargetId::new, |old| old.id),
            name: checked.name,
            endpoint: checked.endpoint,
            ssh_key: checked.key,
            host_key,
            zfs_pool: checked.pool,
            nfs_networks: checked.networks,
            nfs_address: checked.nfs_address,
            replication_address: checked.replication_address,
            vcenter: checked.vcenter,
            is_active: wish.is_active,
            appdata_path: checked.appdata_path,
            deployed: old.as_ref().map_or_else(Deployed::default, |old| old.deployed.clone()),
            created_by: old.as_ref().map_or_else(|| who.actor(), |old| old.created_by.clone()),
            created_at: old.as_ref().map_or_else(|| self.clock.now(), |old| old.created_at),
        };
        if old.as_ref() == Some(&target) {
            return Ok(Saved::Kept(Box::new(target)));
        }
        let action = if old.is_some() { "target.update" } else { "target.create" };
        let details = match &old {
            Some(old) => json!({ "before": told(old), "after": told(&target) }),
            None => told(&target),
        };
        let entry = self.entry(who, action, &target.name, Outcome::Done, details);
        self.store.put_target(&target, entry).await?;
        if let Some(old) = old {
            self.let_go(&old).await?;
        }
        // Looked at as soon as it can be, not at the next minute.
        self.reconcilers.wake(target_watch::NAME);
        Ok(Saved::Kept(Box::new(target)))
    }

    async fn key_of_wish(&self, checked: &Checked) -> Result<SshKey, AppError> {
        let key = self.store.ssh_key(checked.key).await?;
        let key = key.ok_or_else(|| AppError::invalid("ssh_key_id", "There is no such SSH key."))?;
        if let Some(vcenter) = checked.vcenter
            && self.store.vcenter(vcenter).await?.is_none()
        {
            return Err(AppError::invalid("vcenter_id", "There is no such vCenter connection."));
        }
        Ok(key)
    }

    /// Whether name and address are nobody else's.
    async fn free(&self, old: Option<&Target>, checked: &Checked) -> Result<(), AppError> {
        let others = self.store.targets().await?;
        for other in others.iter().filter(|other| Some(other.id) != old.map(|old| old.id)) {
            if other.name.to_lowercase() == checked.name.to_lowercase() {
                return Err(AppError::Conflict(format!("there already is an appliance {:?}", other.name)));
            }
            let (one, two) = (&other.endpoint, &checked.endpoint);
            if (&one.host, one.port, &other.zfs_pool) == (&two.host, two.port, &checked.pool) {
                return Err(AppError::Conflict(format!(
                    "there already is an appliance for the pool {} at {}:{}: {:?}",
                    checked.pool, two.host, two.port, other.name
                )));
            }
        }
        Ok(())
    }

    /// Whether the host is the one that a person knows, and whether one gets in there.
    async fn prove(
        &self,
        old: Option<&Target>,
        checked: &Checked,
        key: &SshKey,
        active: bool,
    ) -> Result<Proof, AppError> {
        let endpoint = &checked.endpoint;
        let same_place =
            old.filter(|old| (&old.endpoint.host, old.endpoint.port) == (&endpoint.host, endpoint.port));
        let pinned = old.map(|old| old.host_key.clone());
        let accepted = match (&checked.fingerprint, same_place) {
            (Some(given), _) => given.clone(),
            (None, Some(old)) => old.host_key.clone(),
            (None, None) => {
                let found = shown_host_key(endpoint).await.map_err(|error| beside(error, endpoint))?;
                if pinned.as_ref() != Some(&found.fingerprint) {
                    return Ok(Proof::Asks(Saved::Compare(found)));
                }
                found.fingerprint
            }
        };
        let unchanged = same_place.is_some_and(|old| {
            old.endpoint == *endpoint && old.ssh_key == checked.key && old.host_key == accepted
        });
        if !active || (unchanged && old.is_some_and(|old| old.is_active)) {
            return Ok(Proof::Accepted(accepted));
        }
        match self.target_hosts().contact(endpoint, key.secret, &accepted).await? {
            Ok(Contact::In) => Ok(Proof::Accepted(accepted)),
            Ok(Contact::HostKeyChanged { pinned, found }) => {
                Ok(Proof::Asks(Saved::Changed { pinned, found }))
            }
            Err(ConnectError::KeyRejected { .. }) => Err(rejected(endpoint, key)),
            Err(error) => Err(beside(error, endpoint)),
        }
    }

    /// Accepts the host key that a host shows now in place of the one before, because a person compared it. A login
    /// has to work with it.
    ///
    /// # Errors
    /// If there is none with this id, the host shows another key, or the login does not work.
    pub async fn accept_host_key(
        &self,
        who: &Principal,
        id: TargetId,
        fingerprint: &str,
    ) -> Result<Saved, AppError> {
        let target = self.target(id).await?;
        let wish = TargetWish { host_key_fingerprint: fingerprint.to_owned(), ..TargetWish::from(&target) };
        self.update_target(who, id, &wish).await
    }

    /// The host key that an appliance shows now, to be compared. Nothing but the key exchange is sent to it.
    ///
    /// # Errors
    /// If there is none with this id, or it cannot be reached.
    pub async fn shown_host_key(&self, id: TargetId) -> Result<ShownHostKey, AppError> {
        let target = self.target(id).await?;
        shown_host_key(&target.endpoint).await.map_err(|error| AppError::Failed(Failure::from(error)))
    }

    /// Forgets an appliance. What is on it stays.
    ///
    /// # Errors
    /// [`AppError::Conflict`] while something refers to it, saying what.
    pub async fn delete_target(&self, who: &Principal, id: TargetId) -> Result<(), AppError> {
        let target = self.target(id).await?;
        let entry = self.entry(who, "target.delete", &target.name, Outcome::Done, told(&target));
        self.store.delete_target(&target, entry).await?;
        self.let_go(&target).await
    }

    /// Closes what is open to a host that is reached in another way now.
    async fn let_go(&self, old: &Target) -> Result<(), AppError> {
        if let Some(key) = self.store.ssh_key(old.ssh_key).await? {
            self.target_hosts().forget(&old.host(key.secret)).await;
        }
        Ok(())
    }

    /// Tries to log in over a connection of its own, then looks at everything and keeps what was found. That the
    /// appliance is not well is a finding, and no error.
    ///
    /// # Errors
    /// `host-key-changed`, or why one does not get in.
    pub async fn test_target(&self, who: &Principal, id: TargetId) -> Result<Health, AppError> {
        let target = self.target(id).await?;
        let key = self.ssh_key(target.ssh_key).await?;
        let came = self.target_hosts().contact(&target.endpoint, key.secret, &target.host_key).await?;
        let tried = match came {
            Ok(Contact::In) => Ok(()),
            Ok(Contact::HostKeyChanged { pinned, found }) => Err(changed(&target.name, &pinned, &found)),
            Err(error) => Err(AppError::Failed(Failure::from(error))),
        };
        let (outcome, details) = match &tried {
            Ok(()) => (Outcome::Done, Value::Null),
            Err(error) => (Outcome::Failed, json!({ "why": error.to_string() })),
        };
        self.store.append_audit(self.entry(who, "target.test", &target.name, outcome, details)).await?;
        let health = check_now(&self.target_hosts(), id).await?;
        tried?;
        Ok(health)
    }
}

enum Proof {
    /// This host key is accepted, and where it matters one gets in.
    Accepted(String),
    /// A person is asked first.
    Asks(Saved),
}

/// A login that was refused, beside the field of the key, with what has to be done on the host.
fn rejected(endpoint: &Endpoint, key: &SshKey) -> AppError {
    let fields = vec![FieldError {
        field: "ssh_key_id",
        message: format!(
            "{} does not accept this key for the user {}. Add this line to ~{}/.ssh/authorized_keys there: {}",
            endpoint.host, endpoint.user, endpoint.user, key.public_key
        ),
    }];
    AppError::Invalid { fields }
}

/// A host that cannot be found stands beside its field; everything else is a failure with its advice.
fn beside(error: ConnectError, endpoint: &Endpoint) -> AppError {
    match error {
        ConnectError::NameNotFound { .. } => AppError::invalid(
            "hostname",
            format!("The name {} has no address. Check the spelling, or give the address.", endpoint.host),
        ),
        error => AppError::Failed(Failure::from(error)),
    }
}

/// What the audit log says of an appliance.
fn told(target: &Target) -> Value {
    json!({
        "endpoint": target.endpoint.to_string(),
        "host_key": target.host_key,
        "ssh_key_id": target.ssh_key,
        "zfs_pool": target.zfs_pool,
        "nfs_network": target.nfs_networks,
        "nfs_address": target.nfs_address,
        "replication_address": target.replication_address,
        "vcenter_id": target.vcenter,
        "is_active": target.is_active,
        "appdata_path": target.appdata_path,
    })
}
