//! Secrets sealed at rest, the key file, the recovery key.
//!
//! In: sealing and opening, the file that holds the data keys, wrapping them under the recovery key, changing
//! them. Out: where sealed values are kept (`store`).
//!
//! # What holds
//!
//! * A sealed value opens only in its own place: table, column and row are sealed in (associated data), so
//!   values that somebody swaps or copies between rows are refused, as is every changed bit.
//! * The data key is in `zerfaux.key` beside the database (mode 0600, refused otherwise) and never in the
//!   database; a stolen backup holds it only wrapped under the recovery key.
//! * The key file is replaced in one rename and flushed before a call returns, so a crash leaves the old keys
//!   or the new ones; a rotation keeps the old key until nothing is sealed under it.
//!
//! An envelope is `version (1) | key id (8 bytes) | nonce (24) | ciphertext and tag`, XChaCha20-Poly1305 under
//! a key derived from the data key by HKDF-SHA256.

mod error;
mod key;
mod keyfile;
mod recovery;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::{SecretSlice, SecretString};
use zeroize::Zeroizing;

pub use self::error::VaultError;
pub use self::recovery::{RecoveryKey, RecoveryKeyError};

use self::key::{DataKey, ID, hex};

/// First byte of an envelope.
const VERSION: u8 = 1;

/// Where a sealed value stands. It opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
    /// The row's id.
    pub row: &'a str,
}

impl Place<'_> {
    /// Each part behind its length, so that no two places give the same bytes.
    fn associated(&self, head: &[u8]) -> Vec<u8> {
        let mut bytes = head.to_vec();
        for part in [self.table, self.column, self.row] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} of row {}", self.table, self.column, self.row)
    }
}

/// A data key that is readable with the recovery key only. Not secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// The data key's id.
    pub key_id: String,
    /// The wrapped key.
    pub bytes: Vec<u8>,
}

/// The data keys. Clones share them, so a rotation reaches every clone.
#[derive(Clone)]
pub struct Vault {
    path: PathBuf,
    /// The one in use first; never empty.
    keys: Arc<RwLock<Vec<DataKey>>>,
}

impl Vault {
    /// The vault whose key file is in `directory`.
    ///
    /// # Errors
    /// [`VaultError::Missing`] if there is none (it is never made silently: the secrets in a database whose key
    /// file is lost would stay unreadable for ever); [`VaultError::Exposed`] if others than its owner can
    /// reach it; or if it cannot be read.
    pub fn open(directory: &Path) -> Result<Self, VaultError> {
        let path = keyfile::path(directory);
        Ok(Self::of(keyfile::read(&path)?, path))
    }

    /// A vault with a new data key, for a new installation. Once this returns, the key file is on the disk.
    ///
    /// # Errors
    /// [`VaultError::Exists`] if there is a key file; or if it cannot be written.
    pub fn create(directory: &Path) -> Result<Self, VaultError> {
        let (path, keys) = (keyfile::path(directory), vec![DataKey::generate()?]);
        keyfile::create(&path, &keys)?;
        Ok(Self::of(keys, path))
    }

    /// A vault with the keys of a database that came from another machine. Makes the key file in `directory`.
    ///
    /// Wrapped keys that this recovery key does not open (because an earlier one wrapped them) are left out;
    /// values sealed under those have to be entered again.
    ///
    /// # Errors
    /// [`VaultError::WrongRecoveryKey`] if it opens none; [`VaultError::Exists`] if there is a key file; or if
    /// it cannot be written.
    pub fn from_recovery_key(
        directory: &Path,
        recovery: &RecoveryKey,
        wrapped: &[Vec<u8>],
    ) -> Result<Self, VaultError> {
        let keys: Vec<DataKey> = wrapped.iter().filter_map(|one| recovery.unwrap(one)).collect();
        if keys.is_empty() {
            return Err(VaultError::WrongRecoveryKey);
        }
        let path = keyfile::path(directory);
        keyfile::create(&path, &keys)?;
        Ok(Self::of(keys, path))
    }

    fn of(keys: Vec<DataKey>, path: PathBuf) -> Self {
        Self { path, keys: Arc::new(RwLock::new(keys)) }
    }

    /// The id of the key that seals now.
    pub fn key_id(&self) -> String {
        self.with_keys(|keys| keys.first().map(|key| hex(key.id())).unwrap_or_default())
    }

    /// The ids of all keys that open, the one in use first. More than one means that a rotation is not
    /// finished.
    pub fn key_ids(&self) -> Vec<String> {
        self.with_keys(|keys| keys.iter().map(|key| hex(key.id())).collect())
    }

    /// The envelope that holds `value` and opens only at `place`. [`Vault::sealed_under`] tells its key.
    ///
    /// # Errors
    /// If the value is too large (256 GiB), or the operating system gives no random numbers.
    pub fn seal(&self, place: &Place<'_>, value: &[u8]) -> Result<Vec<u8>, VaultError> {
        let too_large = || VaultError::TooLarge { place: place.to_string() };
        self.with_keys(|keys| {
            let key = keys.first().ok_or_else(too_large)?;
            let head = [&[VERSION], key.id().as_slice()].concat();
            let sealed = key.cipher().seal(value, &place.associated(&head))?;
            Ok([head, sealed.ok_or_else(too_large)?].concat())
        })
    }

    /// The id of the key that an envelope was sealed under.
    ///
    /// # Errors
    /// [`VaultError::Envelope`] if it is none.
    pub fn sealed_under(&self, place: &Place<'_>, envelope: &[u8]) -> Result<String, VaultError> {
        split(place, envelope).map(|(head, _sealed)| hex(&id_of(head)))
    }

    /// What was sealed.
    ///
    /// # Errors
    /// [`VaultError::Tampered`] if the envelope was changed or belongs to another place;
    /// [`VaultError::UnknownKey`] if the key file does not hold its key; [`VaultError::Envelope`] if it is none.
    pub fn unseal(&self, place: &Place<'_>, envelope: &[u8]) -> Result<SecretSlice<u8>, VaultError> {
        self.clear(place, envelope).map(|value| SecretSlice::from(value.to_vec()))
    }

    /// What was sealed, for a secret that is text, such as a password.
    ///
    /// # Errors
    /// As [`Vault::unseal`], and [`VaultError::NotText`].
    pub fn unseal_text(&self, place: &Place<'_>, envelope: &[u8]) -> Result<SecretString, VaultError> {
        let value = self.clear(place, envelope)?;
        let text =
            std::str::from_utf8(&value).map_err(|_| VaultError::NotText { place: place.to_string() })?;
        Ok(SecretString::from(text))
    }

    /// The same content under the key in use now.
    ///
    /// # Errors
    /// As [`Vault::unseal`] and [`Vault::seal`].
    pub fn reseal(&self, place: &Place<'_>, envelope: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.seal(place, &self.clear(place, envelope)?)
    }

    fn clear(&self, place: &Place<'_>, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (head, sealed) = split(place, envelope)?;
        self.with_keys(|keys| {
            let key = keys.iter().find(|key| *key.id() == id_of(head)).ok_or_else(|| {
                VaultError::UnknownKey { place: place.to_string(), key_id: hex(&id_of(head)) }
            })?;
            key.cipher()
                .open(sealed, &place.associated(head))
                .ok_or_else(|| VaultError::Tampered { place: place.to_string() })
        })
    }

    /// All data keys, wrapped: what goes into the database, and with it into backups and to the DR site.
    ///
    /// # Errors
    /// If the operating system gives no random numbers.
    pub fn recovery_wrap(&self, recovery: &RecoveryKey) -> Result<Vec<Wrapped>, VaultError> {
        self.with_keys(|keys| {
            keys.iter().map(|key| Ok(Wrapped { key_id: hex(key.id()), bytes: recovery.wrap(key)? })).collect()
        })
    }

    /// Whether this recovery key is the one that wrapped `wrapped`: asked of a person before a rotation.
    pub fn is_wrapped_by(&self, recovery: &RecoveryKey, wrapped: &[u8]) -> bool {
        recovery.unwrap(wrapped).is_some()
    }

    /// Begins a rotation: a new data key seals from now on, the old ones still open. On the disk once this
    /// returns. What is left is to seal everything again ([`Vault::reseal`]), then
    /// [`Vault::finish_rotation`]; a crash in between only leaves that work.
    ///
    /// The new key is not wrapped yet: call [`Vault::recovery_wrap`] and keep the result before anything is
    /// sealed again, or a backup made in between could not be opened with the recovery key.
    ///
    /// # Errors
    /// If the key file cannot be written. The old key then stays in use.
    pub fn begin_rotation(&self) -> Result<(), VaultError> {
        let new = DataKey::generate()?;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let next: Vec<DataKey> = std::iter::once(new).chain(keys.iter().cloned()).collect();
        keyfile::replace(&self.path, &next)?;
        *keys = next;
        Ok(())
    }

    /// Forgets all keys but the one in use. Only when nothing is sealed under them any more, or what is will
    /// be unreadable.
    ///
    /// # Errors
    /// If the key file cannot be written. The old keys then stay.
    pub fn finish_rotation(&self) -> Result<(), VaultError> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let next: Vec<DataKey> = keys.iter().take(1).cloned().collect();
        keyfile::replace(&self.path, &next)?;
        *keys = next;
        Ok(())
    }

    fn with_keys<T>(&self, use_them: impl FnOnce(&[DataKey]) -> T) -> T {
        use_them(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("key_ids", &self.key_ids()).finish_non_exhaustive()
    }
}

/// Version and key id, and what follows them.
fn split<'a>(place: &Place<'_>, envelope: &'a [u8]) -> Result<(&'a [u8; 1 + ID], &'a [u8]), VaultError> {
    match envelope.split_first_chunk::<{ 1 + ID }>() {
        Some((head, sealed)) if head[0] == VERSION => Ok((head, sealed)),
        _ => Err(VaultError::Envelope { place: place.to_string() }),
    }
}

fn id_of(head: &[u8; 1 + ID]) -> [u8; ID] {
    let mut id = [0; ID];
    id.copy_from_slice(&head[1..]);
    id
}
