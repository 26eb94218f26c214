//! What Zerfaux logs in with: key pairs and the ssh-agent.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, HashAlg, PrivateKey};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// One way to log in. They are tried in the order given.
#[derive(Debug, Clone)]
pub enum Identity {
    /// A key that this process holds.
    Key(KeyPair),
    /// The keys of the ssh-agent behind this socket (`SSH_AUTH_SOCK`); the agent signs.
    Agent(PathBuf),
}

/// A private key with its public half. `Debug` shows the public half only.
#[derive(Clone)]
pub struct KeyPair {
    key: Arc<PrivateKey>,
    origin: Option<PathBuf>,
}

/// Why a text or a file is not a usable private key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read.
    #[error("could not read the key file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A passphrase is needed and none was given.
    #[error("the private key{} is encrypted with a passphrase", in_file(.path.as_deref()))]
    Encrypted {
        /// The file, if it came from one.
        path: Option<PathBuf>,
    },
    /// A passphrase was given and does not open the key.
    #[error("the passphrase does not open the private key{}", in_file(.path.as_deref()))]
    WrongPassphrase {
        /// The file, if it came from one.
        path: Option<PathBuf>,
    },
    /// Not a private key, or not in a known form.
    #[error("there is no usable private key{}: {why}", in_file(.path.as_deref()))]
    Unusable {
        /// The file, if it came from one.
        path: Option<PathBuf>,
        /// What is wrong with it.
        why: String,
    },
    /// The system's source of random numbers failed.
    #[error("could not generate a key: {why}")]
    Generate {
        /// What came back.
        why: String,
    },
}

fn in_file(path: Option<&Path>) -> String {
    path.map(|path| format!(" in {}", path.display())).unwrap_or_default()
}

impl KeyError {
    /// What a person can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            KeyError::Read { .. } => "Check the path and that this account may read the file.",
            KeyError::Encrypted { .. } => {
                "Give its passphrase, or load the key into an ssh-agent (ssh-add) and use that."
            }
            KeyError::WrongPassphrase { .. } => "Give the passphrase that the key was stored with.",
            KeyError::Unusable { .. } => {
                "Give a private key (not the .pub file) in OpenSSH or PEM form: Ed25519, ECDSA or RSA."
            }
            KeyError::Generate { .. } => "Try again; if it stays, this machine lacks a source of randomness.",
        }
    }
}

impl KeyPair {
    /// A new Ed25519 key.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519)
            .map(|key| Self { key: Arc::new(key), origin: None })
            .map_err(|error| KeyError::Generate { why: error.to_string() })
    }

    /// Reads a private key in OpenSSH form, PEM (PKCS#1, PKCS#8, SEC1) or PuTTY form.
    ///
    /// # Errors
    /// If it is none, needs a passphrase, or the passphrase is wrong.
    pub fn from_text(text: &str, passphrase: Option<&SecretString>) -> Result<Self, KeyError> {
        Self::read(text, passphrase, None)
    }

    /// Reads a private key file, as [`KeyPair::from_text`].
    ///
    /// # Errors
    /// As [`KeyPair::from_text`], or if the file cannot be read.
    pub fn from_file(path: &Path, passphrase: Option<&SecretString>) -> Result<Self, KeyError> {
        let read = std::fs::read(path).map(Zeroizing::new);
        let bytes = read.map_err(|source| KeyError::Read { path: path.to_owned(), source })?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| KeyError::Unusable { path: Some(path.to_owned()), why: "it is not text".into() })?;
        Self::read(text, passphrase, Some(path.to_owned()))
    }

    fn read(text: &str, passphrase: Option<&SecretString>, path: Option<PathBuf>) -> Result<Self, KeyError> {
        // The PEM forms say that they are encrypted only in their headers.
        let encrypted_pem = text.contains("ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED");
        if encrypted_pem && passphrase.is_none() {
            return Err(KeyError::Encrypted { path });
        }
        // russh takes any passphrase for "this is an encrypted PKCS#8", so plain keys are read without one.
        let plain = russh::keys::decode_secret_key(text, None);
        let decoded = match (plain, passphrase) {
            (Ok(key), _) => Ok(key),
            (Err(russh::keys::Error::KeyIsEncrypted), None) => return Err(KeyError::Encrypted { path }),
            (Err(error), None) => Err(error.to_string()),
            (Err(error), Some(passphrase)) => {
                let encrypted = encrypted_pem || matches!(error, russh::keys::Error::KeyIsEncrypted);
                match russh::keys::decode_secret_key(text, Some(passphrase.expose_secret())) {
                    Ok(key) => Ok(key),
                    Err(_) if encrypted => return Err(KeyError::WrongPassphrase { path }),
                    Err(_) => Err(error.to_string()),
                }
            }
        };
        match decoded {
            Ok(key) if usable(&key.algorithm()) => Ok(Self { key: Arc::new(key), origin: path }),
            Ok(key) => {
                Err(KeyError::Unusable { path, why: format!("{} keys are not used", key.algorithm()) })
            }
            Err(why) => Err(KeyError::Unusable { path, why }),
        }
    }

    /// The private key in OpenSSH form, to be sealed by the vault.
    ///
    /// # Errors
    /// If the key cannot be written in that form.
    pub fn to_openssh(&self) -> Result<Zeroizing<String>, KeyError> {
        self.key
            .to_openssh(LineEnding::LF)
            .map_err(|error| KeyError::Unusable { path: self.origin.clone(), why: error.to_string() })
    }

    /// The public key as a line for `authorized_keys`.
    pub fn public_key(&self) -> String {
        self.key.public_key().to_openssh().unwrap_or_default()
    }

    /// `SHA256:…` of the public key, as `ssh-keygen -l` shows it.
    pub fn fingerprint(&self) -> String {
        self.key.public_key().fingerprint(HashAlg::Sha256).to_string()
    }

    /// The name of its algorithm, for example `ssh-ed25519`.
    pub fn algorithm(&self) -> String {
        self.key.algorithm().to_string()
    }

    /// The file it was read from.
    pub fn origin(&self) -> Option<&Path> {
        self.origin.as_deref()
    }

    pub(super) fn private(&self) -> Arc<PrivateKey> {
        Arc::clone(&self.key)
    }
}

fn usable(algorithm: &Algorithm) -> bool {
    matches!(algorithm, Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::Rsa { .. })
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("algorithm", &self.algorithm())
            .field("fingerprint", &self.fingerprint())
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// What `ssh` would log in with by itself: `id_ed25519`, `id_ecdsa` and `id_rsa` of the directory `.ssh` in `home`,
/// then the agent behind the socket `agent`, if there is one (its many keys come last, for servers count tries). A key that cannot be used is left out and returned beside, for a hint when no other
/// works; a missing file is nothing to report.
pub fn default_identities(home: &Path, agent: Option<&Path>) -> (Vec<Identity>, Vec<KeyError>) {
    let mut identities: Vec<Identity> = Vec::new();
    let mut unusable = Vec::new();
    for name in ["id_ed25519", "id_ecdsa", "id_rsa"] {
        match KeyPair::from_file(&home.join(".ssh").join(name), None) {
            Ok(key) => identities.push(Identity::Key(key)),
            Err(KeyError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => unusable.push(error),
        }
    }
    identities.extend(agent.map(|socket| Identity::Agent(socket.to_owned())));
    (identities, unusable)
}
