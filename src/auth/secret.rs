//! What cookies, tokens and setup links hold: 256 random bits. Only their SHA-256 is kept, which is enough for
//! something that cannot be guessed.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Bytes of randomness.
const BYTES: usize = 32;

/// What tokens begin with, so that scanners for leaked secrets can find them.
pub const TOKEN_PREFIX: &str = "zxt_";

/// Something that only its holder knows.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// A new one.
    pub fn generate() -> Self {
        Self::with_prefix("")
    }

    /// A new one for a token.
    pub fn token() -> Self {
        Self::with_prefix(TOKEN_PREFIX)
    }

    fn with_prefix(prefix: &str) -> Self {
        let mut bytes = [0; BYTES];
        rand::rng().fill_bytes(&mut bytes);
        Self(SecretString::from(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// What somebody sent. Longer than any of ours is cut, so that nobody makes us hash a book.
    pub fn sent(text: &str) -> Self {
        Self(SecretString::from(text.chars().take(200).collect::<String>()))
    }

    /// The text, for its holder alone.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is kept of it.
    pub fn hash(&self) -> String {
        digest(&["zerfaux secret", self.reveal()])
    }

    /// The token that proves that a form came from a page of the browser that holds this. It tells nothing about the
    /// secret itself, so it may stand in pages.
    pub fn form_token(&self) -> String {
        digest(&["zerfaux form", self.reveal()])
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whether two texts are equal, in a time that does not tell where they differ.
pub fn equal(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// SHA-256 of parts that cannot run into each other.
pub(super) fn digest(parts: &[&str]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    URL_SAFE_NO_PAD.encode(sha.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_what_is_kept_does_not_show_them() {
        let (a, b) = (Secret::generate(), Secret::token());
        assert_ne!(a.reveal(), b.reveal());
        assert_eq!(a.reveal().len(), 43);
        assert!(b.reveal().starts_with("zxt_"));
        assert_eq!(Secret::sent(a.reveal()).hash(), a.hash());
        assert_ne!(a.hash(), a.form_token());
        assert!(!format!("{a:?}").contains(a.reveal()));
    }
}
