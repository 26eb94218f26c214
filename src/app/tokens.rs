//! Tokens: what programs come in with.

use jiff::SignedDuration;
use serde_json::json;

use super::{App, AppError, FieldError, Principal};
use crate::auth::secret::Secret;
use crate::domain::access::{AccountName, Role, Token};
use crate::domain::audit::Outcome;
use crate::domain::ids::TokenId;

/// Longest life of a token that has one, in days: ten years.
const LONGEST: i64 = 3650;
/// Characters of a token that are kept for people to recognise it.
const SHOWN: usize = 10;

impl App {
    /// All tokens, by name; those that are no longer good too.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn tokens(&self) -> Result<Vec<Token>, AppError> {
        Ok(self.store.tokens().await?)
    }

    /// Makes a token. Its text is returned once and kept nowhere.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with what is wrong; [`AppError::Conflict`] if the name was used before, also for a token
    /// that was revoked, because the audit log tells tokens apart by their names.
    pub async fn create_token(
        &self,
        who: &Principal,
        name: &str,
        role: &str,
        days: Option<i64>,
    ) -> Result<(Token, Secret), AppError> {
        let mut fields = Vec::new();
        let mut wrong = |field, message: String| fields.push(FieldError { field, message });
        let name = name.parse::<AccountName>().map_err(|error| wrong("name", error.to_string()));
        let role = role.parse::<Role>().map_err(|error| wrong("role", error.to_string()));
        if days.is_some_and(|days| !(1..=LONGEST).contains(&days)) {
            wrong(
                "expires_days",
                format!("A token is good for 1 to {LONGEST} days, or until it is revoked."),
            );
        }
        let (Ok(name), Ok(role), true) = (name, role, fields.is_empty()) else {
            return Err(AppError::Invalid { fields });
        };
        let (secret, now) = (Secret::token(), self.clock.now());
        let token = Token {
            id: TokenId::new(),
            name,
            role,
            prefix: secret.reveal().chars().take(SHOWN).collect(),
            created_by: who.actor(),
            created_at: now,
            expires_at: days.map(|days| now + SignedDuration::from_hours(24 * days)),
            last_used_at: None,
            revoked_at: None,
        };
        let details = json!({ "role": role, "expires_at": token.expires_at });
        let entry = self.entry(who, "token.create", token.name.as_str(), Outcome::Done, details);
        self.store.insert_token(&token, secret.hash(), entry).await?;
        Ok((token, secret))
    }

    /// Revokes a token, for good.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if there is none of this name that is not revoked.
    pub async fn revoke_token(&self, who: &Principal, name: &str) -> Result<(), AppError> {
        let missing = || AppError::NotFound(format!("there is no token {name:?}"));
        let name: AccountName = name.parse().map_err(|_| missing())?;
        let entry = self.entry(who, "token.revoke", name.as_str(), Outcome::Done, json!({}));
        Ok(self.store.revoke_token(&name, self.clock.now(), entry).await?)
    }
}
