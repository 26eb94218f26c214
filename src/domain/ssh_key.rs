//! An SSH key that Zerfaux logs in with: all of it but the private half.

use jiff::Timestamp;

use super::ids::{SecretId, SshKeyId};

/// A key pair, whose private half is a sealed secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKey {
    /// Its id.
    pub id: SshKeyId,
    /// What people call it.
    pub name: String,
    /// For example `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// The line for `authorized_keys`.
    pub public_key: String,
    /// Where the private half is sealed.
    pub secret: SecretId,
    /// Who made or imported it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// A key that is to take the place of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKeySuccessor {
    /// Whose place it takes.
    pub key: SshKeyId,
    /// For example `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// The line for `authorized_keys`.
    pub public_key: String,
    /// Where the private half is sealed until then.
    pub secret: SecretId,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}
