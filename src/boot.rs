//! The composition root: the only place that knows every type.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use crate::app::group_preflights::GroupPreflights;
use crate::app::secrets::{SecretError, Secrets};
use crate::app::vcenters::VcenterCases;
use crate::app::{App, AppError};
use crate::domain::ids::SecretId;
use crate::domain::job::Failure;
use crate::engine::reconcile::{Reconciler, Reconcilers};
use crate::engine::{Engine, SystemClock};
use crate::jobs::checkpoint_watch::CheckpointWatch;
use crate::jobs::group_runs::GroupRuns;
use crate::jobs::history::History;
use crate::jobs::hosts::{Hosts, SealedKeys};
use crate::jobs::inventory_watch::InventoryWatch;
use crate::jobs::recovery_watch::RecoveryWatch;
use crate::jobs::target_watch::TargetWatch;
use crate::jobs::targets::Targets;
use crate::jobs::vcenters::{SealedPasswords, Vcenters};
use crate::jobs::vm_snapshot_watch::VmSnapshotWatch;
use crate::store::{OpenError, Store};
use crate::vault::{Vault, VaultError};

/// Why there is no application.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The database.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The key file.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The secrets.
    #[error(transparent)]
    Secrets(#[from] SecretError),
    /// The settings that were saved.
    #[error("could not read the settings that were saved: {0}")]
    Settings(#[from] AppError),
}

impl BootError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Open(error) => error.advice(),
            Self::Vault(error) => error.advice(),
            Self::Secrets(error) => error.advice(),
            Self::Settings(_) => "The database does not answer: look at the log.",
        }
    }

    /// Whether it stopped in order to protect data.
    pub fn protects_data(&self) -> bool {
        matches!(self, Self::Open(OpenError::Newer { .. }) | Self::Secrets(SecretError::OtherKeyFile { .. }))
    }
}

/// An application that keeps nothing: its database is in memory. What a run leaves behind lies with ZFS
/// itself (resume tokens, holds, bookmarks), so the next one goes on from there.
///
/// # Errors
/// Only if memory or threads run out.
pub fn passing(passphrase: Option<SecretString>) -> Result<App, BootError> {
    Ok(assemble(Store::open_in_memory()?, None, passphrase))
}

/// An application over the database in `data_dir`, which is created or migrated if need be, with the secrets
/// that the key file beside it opens. A rotation of that key that was cut off is finished first.
///
/// Without a key file there are no secrets. None is made here: whoever makes one has to show the recovery
/// key to a person.
///
/// # Errors
/// If another process has the directory, if a newer version wrote the database, if it is damaged, if the disk
/// does not allow it, or if the key file is another database's or can be read by others.
pub async fn lasting(data_dir: &Path, passphrase: Option<SecretString>) -> Result<App, BootError> {
    let store = Store::open(data_dir)?;
    let vault = match Vault::open(data_dir) {
        Ok(vault) => Some(vault),
        Err(VaultError::Missing { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let secrets = with_vault(&store, vault).await?;
    Ok(assemble(store, secrets, passphrase))
}

/// An application for the service: as [`lasting`], and where there are no secrets yet, a key file is made for those to
/// come. A key file that is missing although there are secrets is not made anew: it has to be found.
///
/// # Errors
/// As [`lasting`].
pub async fn serving(data_dir: &Path, passphrase: Option<SecretString>) -> Result<App, BootError> {
    let store = Store::open(data_dir)?;
    let empty = store.secrets().await.is_ok_and(|secrets| secrets.is_empty())
        && store.wrapped_keys().await.is_ok_and(|keys| keys.is_empty());
    let vault = match Vault::open(data_dir) {
        Err(VaultError::Missing { .. }) if empty => Some(Vault::create(data_dir)?),
        Err(VaultError::Missing { .. }) => {
            tracing::warn!(
                "the key file is missing: secrets can be neither read nor kept until it is put back"
            );
            None
        }
        opened => Some(opened?),
    };
    let secrets = with_vault(&store, vault).await?;
    let app = assemble(store, secrets, passphrase);
    app.load_settings().await?;
    Ok(app)
}

/// An application for a short command, which may run beside the service. It runs no jobs.
///
/// # Errors
/// As [`lasting`].
pub async fn beside(data_dir: &Path) -> Result<App, BootError> {
    let store = Store::open_beside(data_dir)?;
    let vault = match Vault::open(data_dir) {
        Ok(vault) => Some(vault),
        Err(VaultError::Missing { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let secrets = vault.map(|vault| Secrets::new(store.clone(), vault));
    Ok(assemble(store, secrets, None))
}

async fn with_vault(store: &Store, vault: Option<Vault>) -> Result<Option<Secrets>, BootError> {
    let secrets = vault.map(|vault| Secrets::new(store.clone(), vault));
    if let Some(secrets) = &secrets {
        secrets.require_own_key_file().await?;
        secrets.finish_rotation(|_step| ()).await?;
    }
    Ok(secrets)
}

fn assemble(store: Store, secrets: Option<Secrets>, passphrase: Option<SecretString>) -> App {
    let sealed = secrets.clone().map(|secrets| Arc::new(Sealed(secrets)));
    let hosts = Arc::new(Hosts::new(sealed.clone().map(|one| one as Arc<dyn SealedKeys>), passphrase));
    let vcenters = Vcenters::new(store.clone(), sealed.map(|one| one as Arc<dyn SealedPasswords>));
    let targets = Targets::new(store.clone(), Arc::clone(&hosts));
    let definitions = crate::jobs::definitions(&hosts, &vcenters, &targets);
    let clock = Arc::new(SystemClock::new());
    let engine = Engine::new(store.clone(), definitions, clock.clone());
    let all: Vec<Arc<dyn Reconciler>> = vec![
        Arc::new(InventoryWatch::new(vcenters.clone())),
        Arc::new(TargetWatch::new(targets.clone())),
        Arc::new(GroupRuns::new(engine.clone(), targets.clone(), clock.clone())),
        Arc::new(CheckpointWatch::new(targets, clock.clone())),
        Arc::new(RecoveryWatch::new(engine.clone(), store.clone(), clock.clone())),
        Arc::new(VmSnapshotWatch::new(vcenters.clone(), clock.clone())),
        Arc::new(GroupPreflights::new(
            App::new(store.clone(), engine.clone(), Arc::clone(&hosts)),
            clock.clone(),
        )),
        Arc::new(History::new(store.clone(), clock.clone())),
    ];
    let reconcilers = Arc::new(Reconcilers::new(clock, all));
    let cases = VcenterCases::new(store.clone(), engine.clone(), secrets.clone(), vcenters)
        .followed_by(Arc::clone(&reconcilers));
    App::new(store, engine, hosts).with_secrets(secrets).with_vcenters(cases).with_reconcilers(reconcilers)
}

/// What jobs see of the secrets: SSH keys and passwords, each by its id, for what needs that sort.
struct Sealed(Secrets);

#[async_trait]
impl SealedKeys for Sealed {
    async fn key_text(&self, id: SecretId) -> Result<SecretString, Failure> {
        self.text(id, "SSH key", "Give the job another key.").await
    }

    async fn dataset_key(&self, id: SecretId) -> Result<SecretString, Failure> {
        self.text(id, "key of an encrypted dataset", "Enter it again on the settings page of the group.")
            .await
    }
}

#[async_trait]
impl SealedPasswords for Sealed {
    async fn password(&self, id: SecretId) -> Result<SecretString, Failure> {
        self.text(id, "password", "Enter the password of the connection again.").await
    }
}

impl Sealed {
    async fn text(&self, id: SecretId, what: &str, advice: &str) -> Result<SecretString, Failure> {
        let sealed = self.0.get_by_id(id).await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            Failure::permanent(format!("The {what} was not read: {error}{}.", cause.unwrap_or_default()))
                .advise(error.advice())
        })?;
        let sealed = sealed.ok_or_else(|| {
            Failure::permanent(format!("There is no {what} {id} in the vault."))
                .advise(format!("It was deleted. {advice}"))
        })?;
        let text = std::str::from_utf8(sealed.expose_secret()).map_err(|_not_text| {
            Failure::permanent(format!("The secret {id} is no {what}: it is not text.")).advise(advice)
        })?;
        Ok(SecretString::from(text))
    }
}
