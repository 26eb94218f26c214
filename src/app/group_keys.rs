//! The keys of groups whose datasets are encrypted: tried on an appliance, sealed, never shown again.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::setup::secret;
use super::{App, AppError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::group_key;
pub use crate::domain::group_key::GroupKey;
use crate::domain::ids::GroupId;
use crate::jobs::replica_key::{Tried, try_key};

impl App {
    /// The key that is kept for a group, if one is.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn group_key(&self, id: GroupId) -> Result<Option<GroupKey>, AppError> {
        self.protection_group(id).await?;
        Ok(self.store.group_key(id).await?)
    }

    /// Keeps the key of a group, in place of an earlier one, once an appliance took it; also if none answers, and then says
    /// that it was not tried.
    ///
    /// # Errors
    /// [`AppError::Invalid`] if it can be no key, is not the one of the dataset, or the dataset is not encrypted: then the
    /// earlier one stays.
    pub async fn set_group_key(
        &self,
        who: &Principal,
        id: GroupId,
        key: SecretString,
    ) -> Result<GroupKey, AppError> {
        let group = self.protection_group(id).await?;
        group_key::check(key.expose_secret()).map_err(|error| AppError::invalid("key", error))?;
        let tried = match try_key(&self.target_hosts(), &group, &key).await {
            Tried::Right(root) => Some((root, self.clock.now())),
            Tried::NotTried(_) => None,
            Tried::Wrong(root) => {
                return Err(AppError::invalid(
                    "key",
                    format!("This is not the key of {root}. Nothing was changed."),
                ));
            }
            Tried::NotEncrypted(name) => {
                return Err(AppError::invalid("key", format!("{name} is not encrypted, so it has no key.")));
            }
        };
        let secrets = self.secrets()?;
        let now = self.clock.now();
        // A name of its own, so that the earlier key is whole until this one is in its place.
        let name = format!("key of group {id} of {now}");
        let sealed = secrets.put(&name, key.expose_secret().as_bytes()).await.map_err(secret)?;
        let key = GroupKey { group: id, secret: sealed, tried, set_by: who.actor(), set_at: now };
        let tried = key.tried.as_ref().map(|(root, _)| root.to_string());
        let details = json!({ "tried_on": tried });
        let entry = self.entry(who, "protection_group.set_key", &group.name, Outcome::Done, details);
        if let Err(error) = self.store.put_group_key(&key, entry).await {
            // Nothing refers to the secret; that it stays if this fails too harms nobody.
            let _gone = self.store.delete_secret(sealed).await;
            return Err(error.into());
        }
        Ok(key)
    }

    /// Forgets the key of a group, for good.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if none is kept.
    pub async fn forget_group_key(&self, who: &Principal, id: GroupId) -> Result<(), AppError> {
        let group = self.protection_group(id).await?;
        let entry = self.entry(who, "protection_group.forget_key", &group.name, Outcome::Done, json!({}));
        Ok(self.store.delete_group_key(id, entry).await?)
    }
}
