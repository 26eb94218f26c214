//! Requests that carry a key, so that repeating one creates nothing twice.

use jiff::SignedDuration;

use super::{App, AppError, Principal};

pub use crate::store::{KeptAnswer, Repeat};

/// How long a key is remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

impl App {
    /// Whether a request with this key was seen before; if not, it is noted as being done. `request` is a hash of all
    /// that makes it what it is.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn begin_request(
        &self,
        who: &Principal,
        key: &str,
        request: String,
    ) -> Result<Repeat, AppError> {
        let now = self.now();
        let names = (who.actor(), key.to_owned(), request);
        Ok(self.store.begin_request(names, now, now - REMEMBERED).await?)
    }

    /// Keeps the answer; with None the request may be repeated, because nothing was created.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn end_request(
        &self,
        who: &Principal,
        key: &str,
        answer: Option<KeptAnswer>,
    ) -> Result<(), AppError> {
        Ok(self.store.end_request(who.actor(), key.to_owned(), answer).await?)
    }
}
