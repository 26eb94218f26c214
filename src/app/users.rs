//! Users: who may sign in, as what.

use secrecy::SecretString;
use serde_json::json;

use super::access::hashing;
use super::{App, AppError, FieldError, Principal};
use crate::auth::{password, throttle};
use crate::domain::access::{AccountName, Role, User};
use crate::domain::audit::Outcome;
use crate::domain::ids::UserId;
use crate::store::UserChange;

impl App {
    /// All users, by name.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn users(&self) -> Result<Vec<User>, AppError> {
        Ok(self.store.users().await?)
    }

    /// One user.
    ///
    /// # Errors
    /// If there is none with this id.
    pub async fn user(&self, id: UserId) -> Result<User, AppError> {
        self.store.user(id).await?.ok_or_else(|| AppError::NotFound(format!("there is no user {id}")))
    }

    /// The user of this name.
    ///
    /// # Errors
    /// If there is none.
    pub async fn user_named(&self, name: &str) -> Result<User, AppError> {
        let missing = || AppError::NotFound(format!("there is no user {name:?}"));
        let name: AccountName = name.parse().map_err(|_| missing())?;
        Ok(self.store.user_with_hash(&name).await?.ok_or_else(missing)?.0)
    }

    /// Makes a user.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with what is wrong; [`AppError::Conflict`] if the name is taken.
    pub async fn add_user(
        &self,
        who: &Principal,
        name: &str,
        role: &str,
        password: &SecretString,
    ) -> Result<User, AppError> {
        let (name, role) = match (checked(name, Some(password)), role.parse::<Role>()) {
            (Ok(name), Ok(role)) => (name, role),
            (name, role) => {
                return Err(both(name.err(), role.err().map(|error| ("role", error.to_string()))));
            }
        };
        let hash = self.passwords.hash(password).await.map_err(hashing)?;
        let now = self.clock.now();
        let user = User {
            id: UserId::new(),
            name,
            role,
            disabled: false,
            created_at: now,
            password_changed_at: now,
            last_sign_in_at: None,
        };
        let entry =
            self.entry(who, "user.create", user.name.as_str(), Outcome::Done, json!({ "role": role }));
        self.store.insert_user(&user, hash, false, entry).await?;
        Ok(user)
    }

    /// Gives a user another role, and ends their sessions.
    ///
    /// # Errors
    /// [`AppError::Conflict`] if no admin would be left.
    pub async fn set_role(&self, who: &Principal, id: UserId, role: &str) -> Result<User, AppError> {
        let role: Role = role.parse().map_err(|error| AppError::invalid("role", error))?;
        let user = self.user(id).await?;
        let details = json!({ "before": user.role, "after": role });
        let entry = self.entry(who, "user.role", user.name.as_str(), Outcome::Done, details);
        let change = UserChange { role: Some(role), ..UserChange::default() };
        Ok(self.store.change_user(id, change, None, entry).await?)
    }

    /// Keeps a user out, or lets them in again, and ends their sessions.
    ///
    /// # Errors
    /// [`AppError::Conflict`] if no admin would be left.
    pub async fn set_disabled(&self, who: &Principal, id: UserId, disabled: bool) -> Result<User, AppError> {
        let user = self.user(id).await?;
        let action = if disabled { "user.disable" } else { "user.enable" };
        let entry = self.entry(who, action, user.name.as_str(), Outcome::Done, json!({}));
        let change = UserChange { disabled: Some(disabled), ..UserChange::default() };
        Ok(self.store.change_user(id, change, None, entry).await?)
    }

    /// Sets the password of somebody else, and ends their sessions.
    ///
    /// # Errors
    /// [`AppError::Invalid`] if it cannot be used.
    pub async fn set_password(
        &self,
        who: &Principal,
        id: UserId,
        password: &SecretString,
    ) -> Result<(), AppError> {
        let user = self.user(id).await?;
        checked(user.name.as_str(), Some(password))?;
        let hash = self.passwords.hash(password).await.map_err(hashing)?;
        let entry = self.entry(who, "user.password", user.name.as_str(), Outcome::Done, json!({}));
        let change = UserChange { password: Some((hash, self.clock.now())), ..UserChange::default() };
        self.store.change_user(id, change, who.session().map(|(session, _)| session), entry).await?;
        Ok(())
    }

    /// Sets one's own password. Every other session of one's own ends.
    ///
    /// # Errors
    /// [`AppError::Invalid`] if the old one is wrong or the new one cannot be used; [`AppError::TooMany`].
    pub async fn change_own_password(
        &self,
        who: &Principal,
        old: &SecretString,
        new: &SecretString,
    ) -> Result<(), AppError> {
        if who.session().is_none() {
            return Err(AppError::Denied("A token has no password.".to_owned()));
        }
        checked(&who.name, Some(new))
            .map_err(|_| AppError::invalid("new_password", weakness(&who.name, new).unwrap_or_default()))?;
        let sources = vec![throttle::account(&who.name), throttle::address(&who.source)];
        let id = self.require_password(who, old, sources).await.map_err(|error| match error {
            AppError::NotSignedIn => AppError::invalid("old_password", "This is not your password."),
            other => other,
        })?;
        self.set_password(who, id, new).await
    }
}

/// A name and a password that can be used, or what is wrong with each.
pub(super) fn checked(name: &str, password: Option<&SecretString>) -> Result<AccountName, AppError> {
    let weak = password.and_then(|password| weakness(name, password));
    match (name.parse::<AccountName>(), weak) {
        (Ok(name), None) => Ok(name),
        (parsed, weak) => {
            let name = parsed.err().map(|error| FieldError { field: "name", message: error.to_string() });
            let password = weak.map(|message| FieldError { field: "password", message });
            Err(AppError::Invalid { fields: name.into_iter().chain(password).collect() })
        }
    }
}

fn weakness(name: &str, password: &SecretString) -> Option<String> {
    password::check(name, password).err().map(|weak| format!("The password {weak}."))
}

fn both(first: Option<AppError>, second: Option<(&'static str, String)>) -> AppError {
    let mut fields = match first {
        Some(AppError::Invalid { fields }) => fields,
        _ => Vec::new(),
    };
    fields.extend(second.map(|(field, message)| FieldError { field, message }));
    AppError::Invalid { fields }
}
