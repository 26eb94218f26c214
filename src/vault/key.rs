//! Data keys, and what is derived from them.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use rand::TryRng;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::error::VaultError;

/// Bytes of a data key.
pub(super) const KEY: usize = 32;

/// Bytes of a key's id.
pub(super) const ID: usize = 8;

/// Bytes of XChaCha20's nonce: long enough to be drawn at random for every envelope.
pub(super) const NONCE: usize = 24;

/// What opens the secrets. Only derived keys encrypt, one for each purpose.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct DataKey {
    bytes: [u8; KEY],
    #[zeroize(skip)]
    id: [u8; ID],
}

impl DataKey {
    pub(super) fn generate() -> Result<Self, VaultError> {
        let mut bytes = Zeroizing::new([0; KEY]);
        random(bytes.as_mut_slice())?;
        Ok(Self::from_bytes(&bytes))
    }

    pub(super) fn from_bytes(bytes: &[u8; KEY]) -> Self {
        let mut id = [0; ID];
        derive(bytes, b"zerfaux key id v1", &mut id);
        Self { bytes: *bytes, id }
    }

    pub(super) fn bytes(&self) -> &[u8; KEY] {
        &self.bytes
    }

    /// Derived from the key, so that a key cannot be taken for another one.
    pub(super) fn id(&self) -> &[u8; ID] {
        &self.id
    }

    pub(super) fn cipher(&self) -> Cipher {
        Cipher::derive(&self.bytes, b"zerfaux seal v1")
    }
}

/// The cipher for one purpose.
pub(super) struct Cipher(XChaCha20Poly1305);

impl Cipher {
    /// The cipher under the key that is derived from `secret` for `purpose`.
    pub(super) fn derive(secret: &[u8], purpose: &[u8]) -> Self {
        let mut key = Zeroizing::new([0; KEY]);
        derive(secret, purpose, key.as_mut_slice());
        Self(XChaCha20Poly1305::new(&Key::from(*key)))
    }

    /// A new nonce and, behind it, the ciphertext. `None` if the value is too large.
    pub(super) fn seal(&self, value: &[u8], associated: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        let mut nonce = [0; NONCE];
        random(&mut nonce)?;
        let payload = Payload { msg: value, aad: associated };
        let Ok(ciphertext) = self.0.encrypt(&XNonce::from(nonce), payload) else { return Ok(None) };
        Ok(Some([nonce.as_slice(), ciphertext.as_slice()].concat()))
    }

    /// What `seal` was given, if both the sealed bytes and the associated ones are the same as then.
    pub(super) fn open(&self, sealed: &[u8], associated: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg: ciphertext, aad: associated };
        self.0.decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }
}

fn derive(secret: &[u8], purpose: &[u8], into: &mut [u8]) {
    // HKDF-SHA256 gives up to 8,160 bytes (RFC 5869, 2.3); at most 32 are asked for.
    let _at_most_32_bytes = Hkdf::<Sha256>::new(None, secret).expand(purpose, into);
}

/// Random bytes from the operating system.
pub(super) fn random(bytes: &mut [u8]) -> Result<(), VaultError> {
    rand::rngs::SysRng.try_fill_bytes(bytes).map_err(|source| VaultError::Random { source: source.into() })
}

/// The id as it is written: sixteen hexadecimal digits.
pub(super) fn hex(id: &[u8; ID]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
