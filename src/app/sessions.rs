//! One's own sessions: list them, end them.

use serde_json::Value;

use super::{App, AppError, Principal};
use crate::auth::limits;
use crate::domain::access::Session;
use crate::domain::audit::Outcome;
use crate::domain::ids::{SessionId, UserId};

impl App {
    /// The sessions of the one who asks that are still good, the one seen last first. None for a token.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn own_sessions(&self, who: &Principal) -> Result<Vec<Session>, AppError> {
        let Some((_, user)) = who.session() else { return Ok(Vec::new()) };
        let now = self.clock.now();
        let (sessions, settings) = (self.store.sessions_of(user).await?, self.settings());
        Ok(sessions.into_iter().filter(|session| limits::is_good(session, now, settings)).collect())
    }

    /// How many sessions of this user are good.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn count_sessions(&self, user: UserId) -> Result<u64, AppError> {
        let now = self.clock.now();
        let (sessions, settings) = (self.store.sessions_of(user).await?, self.settings());
        Ok(sessions.iter().filter(|session| limits::is_good(session, now, settings)).count() as u64)
    }

    /// Ends one of one's own sessions.
    ///
    /// # Errors
    /// If there is none with this id among them.
    pub async fn end_session(&self, who: &Principal, id: SessionId) -> Result<(), AppError> {
        let missing = || AppError::NotFound(format!("there is no session {id} of yours"));
        let (_, user) = who.session().ok_or_else(missing)?;
        let entry = self.entry(who, "session.end", id.to_string(), Outcome::Done, Value::Null);
        if self.store.delete_session(id, user, entry).await? { Ok(()) } else { Err(missing()) }
    }

    /// Ends the session that asks. That it has ended already is no error.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn sign_out(&self, who: &Principal) -> Result<(), AppError> {
        match who.session() {
            None => Ok(()),
            Some((id, _)) => match self.end_session(who, id).await {
                Err(AppError::NotFound(_)) => Ok(()),
                ended => ended,
            },
        }
    }
}
