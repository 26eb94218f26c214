//! SSH keys: made or imported here, sealed at once; only their public half is ever shown.

use secrecy::SecretString;
use serde_json::json;

use super::setup::secret;
use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::ids::SshKeyId;
use crate::domain::ssh_key::SshKey;
use crate::ssh::{KeyError, KeyPair};

/// Most characters of a key's name.
const NAME: usize = 100;

/// Where a new key comes from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// A new Ed25519 key is made.
    Generate,
    /// This private key is taken over.
    Import {
        /// In OpenSSH or PEM form.
        private_key: SecretString,
        /// What it is encrypted with, if it is.
        passphrase: Option<SecretString>,
    },
}

impl App {
    /// All keys, by name.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn ssh_keys(&self) -> Result<Vec<SshKey>, AppError> {
        Ok(self.store.ssh_keys().await?)
    }

    /// One key.
    ///
    /// # Errors
    /// If there is none with this id.
    pub async fn ssh_key(&self, id: SshKeyId) -> Result<SshKey, AppError> {
        self.store.ssh_key(id).await?.ok_or_else(|| AppError::NotFound(format!("there is no SSH key {id}")))
    }

    /// Makes or imports a key, and seals its private half.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with what is wrong; [`AppError::Conflict`] if the name is taken, or without a key file.
    pub async fn add_ssh_key(
        &self,
        who: &Principal,
        name: &str,
        source: KeySource,
    ) -> Result<SshKey, AppError> {
        let name = name.trim();
        let mut fields = Vec::new();
        if name.is_empty() || name.chars().count() > NAME || name.chars().any(char::is_control) {
            let message = format!("The name of a key has 1 to {NAME} characters.");
            fields.push(FieldError { field: "name", message });
        }
        let how = if matches!(source, KeySource::Generate) { "generated" } else { "imported" };
        let pair = match read(source) {
            Ok(pair) => Some(pair),
            Err((field, error)) => {
                fields
                    .push(FieldError { field, message: format!("{}. {}", capital(&error), error.advice()) });
                None
            }
        };
        let Some(pair) = pair.filter(|_| fields.is_empty()) else { return Err(AppError::Invalid { fields }) };
        if self.store.ssh_keys().await?.iter().any(|key| key.name == name) {
            return Err(AppError::Conflict(format!("there already is an SSH key {name:?}")));
        }
        let secrets = self.secrets()?;
        let text = pair.to_openssh().map_err(|error| AppError::invalid("private_key", error))?;
        let id = SshKeyId::new();
        // Named by the id: keys may be renamed, and two requests at once must not share a secret.
        let sealed = secrets.put(&format!("ssh key {id}"), text.as_bytes()).await.map_err(secret)?;
        let key = SshKey {
            id,
            name: name.to_owned(),
            algorithm: pair.algorithm(),
            fingerprint: pair.fingerprint(),
            public_key: format!("{} zerfaux:{}", pair.public_key().trim_end(), name.replace(' ', "_")),
            secret: sealed,
            created_by: who.actor(),
            created_at: self.clock.now(),
        };
        let details = json!({ "fingerprint": key.fingerprint, "how": how });
        let entry = self.entry(who, "ssh_key.create", name, Outcome::Done, details);
        if let Err(error) = self.store.insert_ssh_key(&key, entry).await {
            // Nothing refers to the secret; that it stays if this fails too harms nobody.
            let _gone = self.store.delete_secret(sealed).await;
            return Err(error.into());
        }
        Ok(key)
    }

    /// Deletes a key with its private half, for good.
    ///
    /// # Errors
    /// [`AppError::Conflict`] while it is in use.
    pub async fn delete_ssh_key(&self, who: &Principal, id: SshKeyId) -> Result<(), AppError> {
        let key = self.ssh_key(id).await?;
        let details = json!({ "fingerprint": key.fingerprint });
        let entry = self.entry(who, "ssh_key.delete", &key.name, Outcome::Done, details);
        Ok(self.store.delete_ssh_key(&key, entry).await?)
    }
}

fn read(source: KeySource) -> Result<KeyPair, (&'static str, KeyError)> {
    match source {
        KeySource::Generate => KeyPair::generate().map_err(|error| ("generate", error)),
        KeySource::Import { private_key, passphrase } => {
            use secrecy::ExposeSecret;
            KeyPair::from_text(private_key.expose_secret(), passphrase.as_ref()).map_err(|error| {
                let about_passphrase =
                    matches!(error, KeyError::Encrypted { .. } | KeyError::WrongPassphrase { .. });
                (if about_passphrase { "passphrase" } else { "private_key" }, error)
            })
        }
    }
}

fn capital(error: &KeyError) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}
