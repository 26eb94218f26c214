//! Host keys: what a server proves itself with, and who judges it.

use std::fmt;

use russh::keys::{HashAlg, PublicKey};

use super::wire::Reader;
use crate::domain::endpoint::Endpoint;

/// The public key that a server presented, or that is on file for it.
#[derive(Clone, PartialEq, Eq)]
pub struct HostKey {
    key: Box<PublicKey>,
}

/// What the judge of host keys says about a presented one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeyCheck {
    /// It is the one on file.
    Valid,
    /// Nothing is on file for this endpoint.
    Unknown {
        /// What the server showed.
        presented: HostKey,
    },
    /// Another one is on file: the server was set up anew, or someone is in between.
    Changed {
        /// What is on file, as `algorithm fingerprint`, or the fingerprint alone.
        expected: Vec<String>,
        /// What the server showed.
        presented: HostKey,
    },
    /// The file of known keys cannot be read or written, so nothing can be judged.
    Undecidable {
        /// What is wrong.
        why: String,
    },
}

/// Judges host keys. It is asked after the server proved that it holds the key and before anything is sent that
/// a stranger must not see.
pub trait HostKeys: Send + Sync + fmt::Debug {
    /// Whether `presented` is the key of `endpoint`.
    fn check(&self, endpoint: &Endpoint, presented: &HostKey) -> HostKeyCheck;

    /// Names of the key algorithms on file for `endpoint`. The server is asked for one of these first, or it would
    /// show a key that is not on file though it also has the one that is.
    fn algorithms(&self, endpoint: &Endpoint) -> Vec<String> {
        let _ = endpoint;
        Vec::new()
    }
}

impl HostKey {
    /// Reads `algorithm base64 [comment]`, the form of `known_hosts` and of `.pub` files.
    pub fn from_openssh(line: &str) -> Option<Self> {
        let mut key = PublicKey::from_openssh(line.trim()).ok()?;
        key.set_comment("");
        Some(Self { key: Box::new(key) })
    }

    /// Reads a plain key as SSH sends it; certificates are none.
    pub(super) fn from_blob(blob: &[u8]) -> Option<Self> {
        let algorithm = Reader::new(blob).string()?;
        if algorithm.windows(6).any(|part| part == b"-cert-") {
            return None;
        }
        Some(Self { key: Box::new(PublicKey::from_bytes(blob).ok()?) })
    }

    pub(super) fn into_russh(self) -> PublicKey {
        *self.key
    }

    pub(super) fn from_russh(key: &PublicKey) -> Self {
        let mut key = key.clone();
        key.set_comment("");
        Self { key: Box::new(key) }
    }

    /// `SHA256:…`, as `ssh` and `ssh-keygen -l` show it.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The name of its algorithm, for example `ssh-ed25519`.
    pub fn algorithm(&self) -> String {
        self.key.algorithm().to_string()
    }

    /// `algorithm base64`, the form of `known_hosts`.
    pub fn to_openssh(&self) -> String {
        self.key.to_openssh().unwrap_or_default()
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm(), self.fingerprint())
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKey({self})")
    }
}

/// Knows none: a first look at what a server shows, to be compared by a person. Nothing but the key exchange is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoneKnown;

impl HostKeys for NoneKnown {
    fn check(&self, _endpoint: &Endpoint, presented: &HostKey) -> HostKeyCheck {
        HostKeyCheck::Unknown { presented: presented.clone() }
    }
}

/// Accepts exactly the key with this fingerprint: the one that a person confirmed at enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedFingerprint {
    fingerprint: String,
    algorithm: Option<String>,
}

impl PinnedFingerprint {
    /// Pins `SHA256:…`; the prefix may be missing, and so may trailing `=`.
    pub fn new(fingerprint: &str) -> Self {
        let hash = fingerprint.trim().trim_end_matches('=');
        let hash = hash.strip_prefix("SHA256:").unwrap_or(hash);
        Self { fingerprint: format!("SHA256:{hash}"), algorithm: None }
    }

    /// Pins this very key.
    pub fn of(key: &HostKey) -> Self {
        Self { fingerprint: key.fingerprint(), algorithm: Some(key.algorithm()) }
    }

    /// Also says which algorithm the pinned key has, for servers with keys of several algorithms.
    #[must_use]
    pub fn with_algorithm(mut self, name: &str) -> Self {
        self.algorithm = Some(name.to_owned());
        self
    }
}

impl HostKeys for PinnedFingerprint {
    fn check(&self, _endpoint: &Endpoint, presented: &HostKey) -> HostKeyCheck {
        if presented.fingerprint() == self.fingerprint {
            return HostKeyCheck::Valid;
        }
        let expected = match &self.algorithm {
            Some(algorithm) => format!("{algorithm} {}", self.fingerprint),
            None => self.fingerprint.clone(),
        };
        HostKeyCheck::Changed { expected: vec![expected], presented: presented.clone() }
    }

    fn algorithms(&self, _endpoint: &Endpoint) -> Vec<String> {
        self.algorithm.iter().cloned().collect()
    }
}
