//! Coming in: by password into a session, by cookie, by token.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::{App, AppError, Principal};
use crate::auth::password::{HashError, Verdict};
use crate::auth::secret::Secret;
use crate::auth::{Via, limits, throttle};
use crate::domain::access::{AccountName, Session, User};
use crate::domain::audit::{AuditEntry, Outcome};
use crate::domain::ids::{SessionId, UserId};

/// Characters of what a browser calls itself that are kept.
const AGENT: usize = 200;

/// Somebody who signed in: what the cookie is to hold, and who they are.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// For the cookie; kept nowhere.
    pub secret: Secret,
    /// Who came in.
    pub who: Principal,
}

impl App {
    /// Lets a person in who knows name and password, into a new session.
    ///
    /// # Errors
    /// [`AppError::NotSignedIn`], the same and as late for an unknown name, a wrong password and a disabled account;
    /// [`AppError::TooMany`].
    pub async fn sign_in(
        &self,
        name: &str,
        password: &SecretString,
        address: &str,
        agent: &str,
    ) -> Result<SignedIn, AppError> {
        let parsed = name.parse::<AccountName>().ok();
        // Names that cannot be are counted together: they are guesses as well.
        let account = throttle::account(parsed.as_ref().map_or("?", AccountName::as_str));
        let sources = vec![account.clone(), throttle::address(address)];
        self.count_attempt(sources.clone()).await?;
        let known = match &parsed {
            Some(name) => self.store.user_with_hash(name).await?,
            None => None,
        };
        let hash = known.as_ref().map(|(_, hash)| hash.clone());
        let verdict = self.passwords.verify(password, hash.clone()).await.map_err(hashing)?;
        let (user, new_hash) = match (known, verdict) {
            (Some((user, _)), Verdict::Right(new_hash)) if !user.disabled => (user, new_hash),
            (known, verdict) => {
                let right = matches!(verdict, Verdict::Right(_));
                // A name that is unknown is not written down: it may be a password typed into the wrong field.
                let object = known.map_or("unknown account".to_owned(), |(user, _)| user.name.to_string());
                let why = if right { "the account is disabled" } else { "wrong name or password" };
                self.audit_sign_in(&object, address, Outcome::Refused, json!({ "why": why })).await?;
                return Err(AppError::NotSignedIn);
            }
        };
        if let (Some(old), Some(new)) = (hash, new_hash) {
            self.store.rehash_password(user.id, old, new).await?;
        }
        self.begin_session(&user, address, agent, sources).await
    }

    /// A new session for a user who has just proved who they are.
    pub(super) async fn begin_session(
        &self,
        user: &User,
        address: &str,
        agent: &str,
        forgiven: Vec<String>,
    ) -> Result<SignedIn, AppError> {
        let (secret, now) = (Secret::generate(), self.clock.now());
        let session = Session {
            id: SessionId::new(),
            user: user.id,
            created_at: now,
            last_seen_at: now,
            confirmed_at: now,
            address: address.to_owned(),
            agent: agent.chars().filter(|c| !c.is_control()).take(AGENT).collect(),
        };
        let who = principal(&session, user, address);
        let entry = self.entry(&who, "session.begin", user.name.as_str(), Outcome::Done, Value::Null);
        self.store.insert_session(&session, secret.hash(), forgiven, entry).await?;
        let settings = self.settings();
        let (idle, absolute) = (settings.session_idle(), settings.session_absolute());
        self.store.forget_sessions(now - idle, now - absolute).await?;
        Ok(SignedIn { secret, who })
    }

    /// Who the browser with this cookie is; None if the cookie is no longer, or never was, good.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn by_cookie(&self, secret: &Secret, address: &str) -> Result<Option<Principal>, AppError> {
        let now = self.clock.now();
        let Some((session, user)) = self.store.session_by_hash(&secret.hash()).await? else {
            return Ok(None);
        };
        if user.disabled || !limits::is_good(&session, now, self.settings()) {
            return Ok(None);
        }
        if now.duration_since(session.last_seen_at) >= limits::TOUCH {
            note("a session", self.store.touch_session(session.id, now).await);
        }
        Ok(Some(principal(&session, &user, address)))
    }

    /// Which program sends this token; None if it is not good.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn by_token(&self, secret: &Secret, address: &str) -> Result<Option<Principal>, AppError> {
        let now = self.clock.now();
        let found = self.store.token_by_hash(&secret.hash()).await?;
        let Some(token) = found.filter(|token| token.is_good(now)) else { return Ok(None) };
        if token.last_used_at.is_none_or(|last| now.duration_since(last) >= limits::TOUCH) {
            note("a token", self.store.touch_token(token.id, now).await);
        }
        Ok(Some(Principal {
            name: token.name.to_string(),
            role: token.role,
            source: address.to_owned(),
            via: Via::Token(token.id),
        }))
    }

    /// Notes that the person of this session has typed the password again. Counted like a sign-in.
    ///
    /// # Errors
    /// [`AppError::NotSignedIn`] if it is wrong; [`AppError::TooMany`]; [`AppError::Denied`] without a session.
    pub async fn confirm(&self, who: &Principal, password: &SecretString) -> Result<(), AppError> {
        let Some((session, _)) = who.session() else {
            return Err(AppError::Denied("Only a signed-in browser has a password to confirm.".into()));
        };
        let sources = vec![throttle::account(&who.name), throttle::address(&who.source)];
        self.require_password(who, password, sources.clone()).await?;
        Ok(self.store.confirm_session(session, self.clock.now(), sources).await?)
    }

    /// Refuses unless this is the password of the one who asks.
    pub(super) async fn require_password(
        &self,
        who: &Principal,
        password: &SecretString,
        sources: Vec<String>,
    ) -> Result<UserId, AppError> {
        self.count_attempt(sources).await?;
        let name: AccountName = who.name.parse().map_err(|_| AppError::NotSignedIn)?;
        let Some((user, hash)) = self.store.user_with_hash(&name).await? else {
            return Err(AppError::NotSignedIn);
        };
        match self.passwords.verify(password, Some(hash)).await.map_err(hashing)? {
            Verdict::Right(_) => Ok(user.id),
            Verdict::Wrong => {
                let entry = self.entry(who, "session.confirm", &who.name, Outcome::Refused, Value::Null);
                self.store.append_audit(entry).await?;
                Err(AppError::NotSignedIn)
            }
        }
    }

    async fn count_attempt(&self, sources: Vec<String>) -> Result<(), AppError> {
        let now = self.clock.now();
        let counted = self
            .store
            .count_attempt(sources, move |source, known| throttle::next(source, known, now))
            .await?;
        counted.map_err(|until| AppError::TooMany { until })
    }

    async fn audit_sign_in(
        &self,
        object: &str,
        address: &str,
        outcome: Outcome,
        details: Value,
    ) -> Result<(), AppError> {
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: "nobody".to_owned(),
            source: address.to_owned(),
            action: "session.begin".to_owned(),
            object: object.to_owned(),
            outcome,
            details,
        };
        Ok(self.store.append_audit(entry).await?)
    }
}

/// When somebody was here last is worth noting, not worth keeping them out: on a full disk pages are still read.
fn note(what: &str, noted: Result<(), crate::store::StoreError>) {
    if let Err(error) = noted {
        tracing::warn!("the last use of {what} could not be noted: {error}");
    }
}

fn principal(session: &Session, user: &User, address: &str) -> Principal {
    Principal {
        name: user.name.to_string(),
        role: user.role,
        source: address.to_owned(),
        via: Via::Session { id: session.id, user: user.id, confirmed_at: session.confirmed_at },
    }
}

pub(super) fn hashing(error: HashError) -> AppError {
    AppError::Failed(crate::domain::job::Failure::transient(format!("{error}.")).advise("Try again."))
}
