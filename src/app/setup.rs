//! The first start: the first admin, and the recovery key.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::access::{SignedIn, hashing};
use super::secrets::SecretError;
use super::users::checked;
use super::{App, AppError, Principal};
use crate::auth::secret::{Secret, equal};
use crate::domain::access::{Role, User};
use crate::domain::audit::Outcome;
use crate::domain::ids::UserId;
use crate::vault::RecoveryKey;

impl App {
    /// Whether nobody can sign in yet.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn needs_setup(&self) -> Result<bool, AppError> {
        Ok(self.store.count_users().await? == 0)
    }

    /// A new code for the setup link. Codes made before are no longer good.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn new_setup_code(&self) -> Result<Secret, AppError> {
        let code = Secret::generate();
        self.store.put_setup_code(code.hash()).await?;
        Ok(code)
    }

    /// Whether this is the code of the setup link, and there still is no user.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn is_setup_code(&self, code: &Secret) -> Result<bool, AppError> {
        let known = self.store.setup_code().await?;
        Ok(known.is_some_and(|hash| equal(&hash, &code.hash())) && self.needs_setup().await?)
    }

    /// Makes the first admin, signs them in, and uses the setup code up.
    ///
    /// # Errors
    /// [`AppError::Denied`] if the code is not, or no longer, good; [`AppError::Invalid`] with what is wrong.
    pub async fn set_up(
        &self,
        code: &Secret,
        name: &str,
        password: &SecretString,
        address: &str,
        agent: &str,
    ) -> Result<SignedIn, AppError> {
        if !self.is_setup_code(code).await? {
            return Err(AppError::Denied("This setup link is not, or no longer, good.".into()));
        }
        let who = Principal { source: address.to_owned(), ..Principal::command_line() };
        let user = self.first_admin(&who, "setup.link", name, password).await?;
        self.begin_session(&user, address, agent, Vec::new()).await
    }

    /// Makes the user `admin` with this password, if there is no user yet. Whether it was made is the result.
    ///
    /// # Errors
    /// If the password cannot be used.
    pub async fn admin_from_environment(&self, password: &SecretString) -> Result<bool, AppError> {
        if !self.needs_setup().await? {
            return Ok(false);
        }
        self.first_admin(&Principal::command_line(), "setup.environment", "admin", password).await?;
        Ok(true)
    }

    async fn first_admin(
        &self,
        who: &Principal,
        action: &str,
        name: &str,
        password: &SecretString,
    ) -> Result<User, AppError> {
        let name = checked(name, Some(password))?;
        let now = self.clock.now();
        let hash = self.passwords.hash(password).await.map_err(hashing)?;
        let user = User {
            id: UserId::new(),
            name,
            role: Role::Admin,
            disabled: false,
            created_at: now,
            password_changed_at: now,
            last_sign_in_at: None,
        };
        let entry = self.entry(who, action, user.name.as_str(), Outcome::Done, json!({ "role": "admin" }));
        self.store.insert_user(&user, hash, true, entry).await?;
        Ok(user)
    }

    /// Whether a recovery key was made for the secrets of this installation.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn has_recovery_key(&self) -> Result<bool, AppError> {
        Ok(!self.store.wrapped_keys().await?.is_empty())
    }

    /// Makes a recovery key in place of an earlier one, and returns it to be shown once; it is kept nowhere.
    ///
    /// # Errors
    /// [`AppError::Conflict`] without a key file.
    pub async fn make_recovery_key(&self, who: &Principal) -> Result<SecretString, AppError> {
        let secrets = self.secrets()?;
        let key = RecoveryKey::generate()
            .map_err(|error| AppError::Conflict(format!("could not make a recovery key: {error}")))?;
        secrets.wrap_for(&key).await.map_err(secret)?;
        let entry = self.entry(who, "recovery_key.make", "recovery key", Outcome::Done, Value::Null);
        self.store.append_audit(entry).await?;
        Ok(key.to_text())
    }

    pub(super) fn secrets(&self) -> Result<&super::secrets::Secrets, AppError> {
        self.secrets.as_ref().ok_or_else(|| {
            AppError::Conflict(
                "there is no key file beside the database, so secrets can be neither kept nor read; put \
                 zerfaux.key back into the data directory and start Zerfaux again"
                    .to_owned(),
            )
        })
    }
}

/// What to tell of a secret that could not be kept or read.
pub(super) fn secret(error: SecretError) -> AppError {
    let advice = error.advice().to_owned();
    AppError::Store { attempted: error.to_string(), source: Box::new(error), advice }
}
