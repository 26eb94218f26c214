//! Rotation of SSH keys: a new one beside the old one, which takes its place once every appliance lets it in.

use secrecy::ExposeSecret;
use serde_json::json;

use super::setup::secret;
use super::{App, AppError, Principal};
use crate::domain::argv::Argv;
use crate::domain::audit::Outcome;
use crate::domain::ids::SshKeyId;
use crate::domain::job::Failure;
use crate::domain::ssh_key::{SshKey, SshKeySuccessor};
use crate::domain::target::Target;
use crate::jobs::ssh_key_install::install;
use crate::jobs::targets::Contact;
use crate::ssh::KeyPair;

/// A rotation under way, with the appliances that have to let the new key in.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The key whose place is taken.
    pub key: SshKey,
    /// The one that takes it.
    pub next: SshKeySuccessor,
    /// Those that are logged in to with it.
    pub targets: Vec<Target>,
}

/// How it went on one appliance.
#[derive(Debug, Clone)]
pub struct OnTarget {
    /// The appliance.
    pub target: Target,
    /// What was done, or why not.
    pub came: Result<String, Failure>,
}

impl Rotation {
    /// What installs the new key on an appliance, typed there by the user who logs in.
    pub fn command(&self) -> String {
        let echo = Argv::new(["echo", self.next.public_key.as_str()]);
        echo.map(|echo| format!("{} >> ~/.ssh/authorized_keys", echo.to_shell())).unwrap_or_default()
    }
}

impl App {
    /// The appliances that are logged in to with this key, by name.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn targets_with_key(&self, id: SshKeyId) -> Result<Vec<Target>, AppError> {
        Ok(self.store.targets_with_key(id).await?)
    }

    /// The rotation of a key, if one is under way.
    ///
    /// # Errors
    /// If there is no such key.
    pub async fn ssh_key_rotation(&self, id: SshKeyId) -> Result<Option<Rotation>, AppError> {
        let key = self.ssh_key(id).await?;
        let Some(next) = self.store.ssh_key_successor(id).await? else { return Ok(None) };
        let targets = self.store.targets_with_key(id).await?;
        Ok(Some(Rotation { key, next, targets }))
    }

    async fn rotation(&self, id: SshKeyId) -> Result<Rotation, AppError> {
        let found = self.ssh_key_rotation(id).await?;
        found.ok_or_else(|| AppError::Conflict("no rotation of this key is under way".to_owned()))
    }

    /// Makes a new Ed25519 key beside this one. The old one stays in use.
    ///
    /// # Errors
    /// [`AppError::Conflict`] if a rotation is under way; or without a key file.
    pub async fn rotate_ssh_key(&self, who: &Principal, id: SshKeyId) -> Result<Rotation, AppError> {
        let key = self.ssh_key(id).await?;
        if self.store.ssh_key_successor(id).await?.is_some() {
            return Err(AppError::Conflict("a rotation of this key is under way already".to_owned()));
        }
        let secrets = self.secrets()?;
        let unusable = |error: crate::ssh::KeyError| Failure::permanent(format!("No key was made: {error}."));
        let pair = KeyPair::generate().map_err(unusable)?;
        let text = pair.to_openssh().map_err(unusable)?;
        // Named by chance: two requests at once must not share a secret.
        let name = format!("ssh key {id}, to be {}", SshKeyId::new());
        let sealed = secrets.put(&name, text.as_bytes()).await.map_err(secret)?;
        let comment = key.public_key.splitn(3, ' ').nth(2).unwrap_or("zerfaux");
        let next = SshKeySuccessor {
            key: id,
            algorithm: pair.algorithm(),
            fingerprint: pair.fingerprint(),
            public_key: format!("{} {comment}", pair.public_key().trim_end()),
            secret: sealed,
            created_by: who.actor(),
            created_at: self.clock.now(),
        };
        let details = json!({ "fingerprint": key.fingerprint, "new": next.fingerprint });
        let entry = self.entry(who, "ssh_key.rotate", &key.name, Outcome::Done, details);
        if let Err(error) = self.store.insert_ssh_key_successor(&next, entry).await {
            // Nothing refers to the secret; that it stays if this fails too harms nobody.
            let _gone = self.store.delete_secret(sealed).await;
            return Err(error.into());
        }
        self.rotation(id).await
    }

    /// Puts the new public key beside the old one on every appliance where the old one gets in.
    ///
    /// # Errors
    /// If no rotation is under way. How it went on each appliance is the answer.
    pub async fn install_new_ssh_key(
        &self,
        who: &Principal,
        id: SshKeyId,
    ) -> Result<Vec<OnTarget>, AppError> {
        let Rotation { key, next, targets } = self.rotation(id).await?;
        let details = json!({ "new": next.fingerprint });
        self.store
            .append_audit(self.entry(who, "ssh_key.install", &key.name, Outcome::Done, details))
            .await?;
        let hosts = self.target_hosts();
        let one = async |target: Target| {
            let came = install(&hosts, &target, &key, &next).await;
            OnTarget { target, came }
        };
        Ok(futures_util::future::join_all(targets.into_iter().map(one)).await)
    }

    /// Logs in with the new key on every appliance, and puts it in the old one's place if all let it in. The old
    /// private half is destroyed with that; its public half stays on the appliances.
    ///
    /// # Errors
    /// [`AppError::Conflict`] with what each appliance said that does not let it in. Nothing is changed then.
    pub async fn switch_ssh_key(&self, who: &Principal, id: SshKeyId) -> Result<SshKey, AppError> {
        let Rotation { key, next, targets } = self.rotation(id).await?;
        let hosts = self.target_hosts();
        let one = async |target: &Target| {
            let came = hosts.contact(&target.endpoint, next.secret, &target.host_key).await;
            let refused = |why: String| Some(format!("{}: {why}", target.name));
            match came {
                Ok(Ok(Contact::In)) => None,
                Ok(Ok(Contact::HostKeyChanged { .. })) => refused("its host key has changed".to_owned()),
                Ok(Err(error)) => refused(error.to_string()),
                Err(failure) => refused(failure.message),
            }
        };
        let refused: Vec<String> =
            futures_util::future::join_all(targets.iter().map(one)).await.into_iter().flatten().collect();
        if !refused.is_empty() {
            let list = refused.join("; ");
            return Err(AppError::Conflict(format!(
                "the new key does not get in everywhere yet, so nothing was changed ({list})"
            )));
        }
        let secrets = self.secrets()?;
        let text = secrets.get_by_id(next.secret).await.map_err(secret)?;
        let text = text.ok_or_else(|| AppError::Conflict("the new key is gone".to_owned()))?;
        let details =
            json!({ "before": key.fingerprint, "after": next.fingerprint, "appliances": targets.len() });
        let entry = self.entry(who, "ssh_key.switch", &key.name, Outcome::Done, details);
        let kept = async |row| self.store.succeed_ssh_key(&key, &next, row, entry).await;
        secrets.replace_with(key.secret, text.expose_secret(), kept).await.map_err(secret)?;
        for target in &targets {
            // Connections that were made with the old key.
            hosts.forget(&target.host(key.secret)).await;
        }
        self.ssh_key(id).await
    }

    /// Gives the rotation up: the new key is destroyed, the old one stays.
    ///
    /// # Errors
    /// If no rotation is under way.
    pub async fn cancel_ssh_key_rotation(&self, who: &Principal, id: SshKeyId) -> Result<(), AppError> {
        let Rotation { key, next, .. } = self.rotation(id).await?;
        let details = json!({ "new": next.fingerprint });
        let entry = self.entry(who, "ssh_key.rotate_cancel", &key.name, Outcome::Done, details);
        Ok(self.store.delete_ssh_key_successor(&next, entry).await?)
    }
}
