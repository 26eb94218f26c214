//! Secrets: sealed by the vault, kept by the store. The only way in and out, so that none is sealed under a
//! key that a rotation has just retired.

use std::sync::Arc;

use secrecy::SecretSlice;
use tokio::sync::RwLock;

use crate::domain::ids::SecretId;
use crate::store::{SecretRow, Store, StoreError, WrappedKey};
use crate::vault::{Place, RecoveryKey, Vault, VaultError};

/// Why a secret was not kept, shown or sealed again. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The database failed.
    #[error("could not {attempted}")]
    Store {
        /// What was attempted.
        attempted: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The vault failed.
    #[error("could not {attempted}")]
    Vault {
        /// What was attempted.
        attempted: String,
        /// Why.
        #[source]
        source: VaultError,
    },
    /// The key file is another installation's, or an older one.
    #[error("the key file is not the one of this database, which is sealed under key {}", wanted.join(", "))]
    OtherKeyFile {
        /// The data keys that the database wants and the key file does not hold.
        wanted: Vec<String>,
    },
    /// The recovery key that was typed for the rotation is not the one of this database.
    #[error("could not rotate the data key: the recovery key is not the one of this database")]
    OtherRecoveryKey,
    /// Some secrets cannot be opened now, and would be lost for good by a rotation.
    #[error("could not rotate the data key: these secrets cannot be opened: {}", names.join(", "))]
    Unreadable {
        /// Their names.
        names: Vec<String>,
    },
}

impl SecretError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Store { source, .. } => source.advice(),
            Self::Vault { source, .. } => source.advice(),
            Self::OtherKeyFile { .. } => {
                "Put the key file that belongs to this database back in its place. If it is lost, move this one \
                 away: Zerfaux then works without its secrets, and nothing is sealed under a wrong key."
            }
            Self::OtherRecoveryKey => "Use the recovery key that was printed last for this installation.",
            Self::Unreadable { .. } => "Enter these secrets again or delete them, then rotate the key.",
        }
    }
}

/// A moment of a rotation, after which a crash may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationStep {
    /// The new key is in the database, wrapped for the recovery key.
    Wrapped,
    /// The new key is in the key file, and seals from now on.
    InUse,
    /// So many secrets, of so many, are sealed under the new key.
    Resealed(usize, usize),
    /// The old keys are gone from the key file.
    Retired,
}

/// The secrets of this installation. Clones share everything.
#[derive(Debug, Clone)]
pub struct Secrets {
    store: Store,
    vault: Vault,
    /// Read: somebody is between sealing and storing. Written: old keys are being retired.
    gate: Arc<RwLock<()>>,
}

impl Secrets {
    /// The secrets in this store, sealed by this vault. Make one, and clone it.
    pub fn new(store: Store, vault: Vault) -> Self {
        Self { store, vault, gate: Arc::default() }
    }

    /// Keeps a secret under a name: a new one, or in place of the one of that name. On the disk once this
    /// returns.
    ///
    /// # Errors
    /// If it cannot be sealed or stored.
    pub async fn put(&self, name: &str, value: &[u8]) -> Result<SecretId, SecretError> {
        let attempted = || format!("keep the secret {name:?}");
        let _sealing = self.gate.read().await;
        let old = self.store.secret_named(name).await.map_err(failed(attempted()))?;
        let id = old.map_or_else(SecretId::new, |old| old.id);
        let sealed = self.vault.seal(&place(&id.to_string()), value).map_err(not_opened(attempted()))?;
        let key_id =
            self.vault.sealed_under(&place(&id.to_string()), &sealed).map_err(not_opened(attempted()))?;
        let row = SecretRow { id, name: name.to_owned(), key_id, sealed };
        self.store.put_secret(&row).await.map_err(failed(attempted()))?;
        Ok(id)
    }

    /// Seals another value for the secret with this id, and hands it to `keep`, which is to put it in the old one's
    /// place together with what goes with it.
    ///
    /// # Errors
    /// If there is none with this id, it cannot be sealed, or `keep` fails.
    pub async fn replace_with(
        &self,
        id: SecretId,
        value: &[u8],
        keep: impl AsyncFnOnce(SecretRow) -> Result<(), StoreError>,
    ) -> Result<(), SecretError> {
        let attempted = || format!("replace secret {id}");
        let _sealing = self.gate.read().await;
        let old = self.store.secret(id).await.map_err(failed(attempted()))?;
        let Some(old) = old else { return Err(SecretError::Unreadable { names: vec![id.to_string()] }) };
        let sealed = self.vault.seal(&place(&id.to_string()), value).map_err(not_opened(attempted()))?;
        let key_id =
            self.vault.sealed_under(&place(&id.to_string()), &sealed).map_err(not_opened(attempted()))?;
        keep(SecretRow { id, name: old.name, key_id, sealed }).await.map_err(failed(attempted()))
    }

    /// The secret of this name, if there is one.
    ///
    /// # Errors
    /// If it cannot be read or opened.
    pub async fn get(&self, name: &str) -> Result<Option<SecretSlice<u8>>, SecretError> {
        let attempted = || format!("read the secret {name:?}");
        let row = self.store.secret_named(name).await.map_err(failed(attempted()))?;
        row.map(|row| self.open(&row)).transpose().map_err(not_opened(attempted()))
    }

    /// The secret with this id, if there is one.
    ///
    /// # Errors
    /// If it cannot be read or opened.
    pub async fn get_by_id(&self, id: SecretId) -> Result<Option<SecretSlice<u8>>, SecretError> {
        let attempted = || format!("read secret {id}");
        let row = self.store.secret(id).await.map_err(failed(attempted()))?;
        row.map(|row| self.open(&row)).transpose().map_err(not_opened(attempted()))
    }

    /// Whether the key file and the database belong together: asked once at the start, because what is sealed
    /// under a wrong key is lost as soon as the right one comes back.
    ///
    /// # Errors
    /// [`SecretError::OtherKeyFile`] if not; or if the database cannot be read.
    pub async fn require_own_key_file(&self) -> Result<(), SecretError> {
        let attempted = || "compare the key file with the database".to_owned();
        let held = self.vault.key_ids();
        let rows = self.store.secrets().await.map_err(failed(attempted()))?;
        let mut wanted: Vec<String> =
            rows.into_iter().map(|row| row.key_id).filter(|id| !held.contains(id)).collect();
        let wrapped = self.store.wrapped_keys().await.map_err(failed(attempted()))?;
        // In the middle of a rotation there are two, of which the key file needs to hold one.
        if !wrapped.is_empty() && !wrapped.iter().any(|one| held.contains(&one.key_id)) {
            wanted.extend(wrapped.into_iter().map(|one| one.key_id));
        }
        wanted.sort();
        wanted.dedup();
        if wanted.is_empty() { Ok(()) } else { Err(SecretError::OtherKeyFile { wanted }) }
    }

    /// Keeps the data keys wrapped for a recovery key that was just made, in place of the earlier wrapping.
    ///
    /// # Errors
    /// If they cannot be wrapped or stored.
    pub async fn wrap_for(&self, recovery: &RecoveryKey) -> Result<(), SecretError> {
        let attempted = || "wrap the data key for the recovery key".to_owned();
        for one in self.vault.recovery_wrap(recovery).map_err(not_opened(attempted()))? {
            let key = WrappedKey { key_id: one.key_id, wrapped: one.bytes };
            self.store.put_wrapped_key(&key).await.map_err(failed(attempted()))?;
        }
        Ok(())
    }

    /// Replaces the data key and seals every secret under the new one. `progress` is told each step once it is
    /// on the disk. After a crash at any of them every secret opens, and [`Secrets::finish_rotation`] goes on.
    ///
    /// # Errors
    /// Before anything is changed: if the recovery key is not the one that wraps the key in use, or if some
    /// secret cannot be opened. Later: if the database or the key file cannot be written.
    pub async fn rotate(
        &self,
        recovery: &RecoveryKey,
        mut progress: impl FnMut(RotationStep) + Send,
    ) -> Result<(), SecretError> {
        let attempted = || "rotate the data key".to_owned();
        let wrapped = self.store.wrapped_keys().await.map_err(failed(attempted()))?;
        let in_use = self.vault.key_id();
        let known = wrapped
            .iter()
            .any(|one| one.key_id == in_use && self.vault.is_wrapped_by(recovery, &one.wrapped));
        if !known {
            return Err(SecretError::OtherRecoveryKey);
        }
        let rows = self.store.secrets().await.map_err(failed(attempted()))?;
        require_readable(rows.iter().filter(|row| self.open(row).is_err()))?;
        let new = self.vault.new_key(recovery).map_err(not_opened(attempted()))?;
        let key = WrappedKey { key_id: new.wrapped().key_id.clone(), wrapped: new.wrapped().bytes.clone() };
        self.store.put_wrapped_key(&key).await.map_err(failed(attempted()))?;
        progress(RotationStep::Wrapped);
        self.vault.begin_rotation(new).map_err(not_opened(attempted()))?;
        progress(RotationStep::InUse);
        self.finish_rotation(progress).await
    }

    /// Does what a rotation that was interrupted has left to do; nothing, if none was.
    ///
    /// # Errors
    /// If a secret cannot be opened, or the database or the key file cannot be written. The old keys then stay.
    pub async fn finish_rotation(
        &self,
        mut progress: impl FnMut(RotationStep) + Send,
    ) -> Result<(), SecretError> {
        let attempted = || "finish the rotation of the data key".to_owned();
        self.reseal_all(&mut progress).await?;
        let _nobody_seals = self.gate.write().await;
        // What was sealed under an old key while the first round ran.
        self.reseal_all(&mut progress).await?;
        if self.vault.key_ids().len() > 1 {
            self.vault.finish_rotation().map_err(not_opened(attempted()))?;
            progress(RotationStep::Retired);
        }
        for one in self.store.wrapped_keys().await.map_err(failed(attempted()))? {
            if one.key_id != self.vault.key_id() {
                self.store.delete_wrapped_key(&one.key_id).await.map_err(failed(attempted()))?;
            }
        }
        Ok(())
    }

    async fn reseal_all(&self, progress: &mut (impl FnMut(RotationStep) + Send)) -> Result<(), SecretError> {
        let (key_id, mut unreadable) = (self.vault.key_id(), Vec::new());
        let list = "list the secrets under older keys".to_owned();
        let rows = self.store.secrets_not_under(&key_id).await.map_err(failed(list))?;
        let total = rows.len();
        for (done, row) in rows.into_iter().enumerate() {
            let attempted = || format!("seal the secret {:?} again", row.name);
            let Ok(sealed) = self.vault.reseal(&place(&row.id.to_string()), &row.sealed) else {
                unreadable.push(row);
                continue;
            };
            // One that was set or deleted meanwhile needs nothing more.
            self.store.reseal(&row, &key_id, sealed).await.map_err(failed(attempted()))?;
            progress(RotationStep::Resealed(done + 1, total));
        }
        require_readable(unreadable.iter())
    }

    fn open(&self, row: &SecretRow) -> Result<SecretSlice<u8>, VaultError> {
        self.vault.unseal(&place(&row.id.to_string()), &row.sealed)
    }
}

fn place(row: &str) -> Place<'_> {
    Place { table: "secrets", column: "sealed", row }
}

fn require_readable<'a>(unreadable: impl Iterator<Item = &'a SecretRow>) -> Result<(), SecretError> {
    let names: Vec<String> = unreadable.map(|row| row.name.clone()).collect();
    if names.is_empty() { Ok(()) } else { Err(SecretError::Unreadable { names }) }
}

fn failed(attempted: String) -> impl FnOnce(StoreError) -> SecretError {
    move |source| SecretError::Store { attempted, source }
}

fn not_opened(attempted: String) -> impl FnOnce(VaultError) -> SecretError {
    move |source| SecretError::Vault { attempted, source }
}
