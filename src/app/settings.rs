//! Settings that an administrator can save: read once at the start, in force as soon as they are saved.

use std::sync::{Arc, PoisonError};

use serde_json::json;

use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::Outcome;

pub use crate::domain::settings::Settings;
pub use crate::domain::thumbprint::Presented;

impl App {
    /// The same with the certificate that this server shows. It is asked again each time: it may be exchanged.
    #[must_use]
    pub fn with_certificate(mut self, shown: impl Fn() -> Presented + Send + Sync + 'static) -> Self {
        self.certificate = Some(Arc::new(shown));
        self
    }

    /// The certificate that this server shows; none without TLS.
    pub fn certificate(&self) -> Option<Presented> {
        self.certificate.as_ref().map(|shown| shown())
    }

    /// What is in force.
    pub fn settings(&self) -> Settings {
        *self.settings.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what was saved, at the start.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn load_settings(&self) -> Result<(), AppError> {
        let settings = self.store.installation_settings().await?;
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(())
    }

    /// Saves settings, and puts them in force.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with what cannot be used.
    pub async fn save_settings(&self, who: &Principal, settings: Settings) -> Result<(), AppError> {
        let fields: Vec<FieldError> =
            settings.faults().into_iter().map(|(field, message)| FieldError { field, message }).collect();
        if !fields.is_empty() {
            return Err(AppError::Invalid { fields });
        }
        let before = self.settings();
        let details = json!({ "before": before, "after": settings });
        let audit = self.entry(who, "settings.change", "settings", Outcome::Done, details);
        self.store.save_setting(Settings::KEY, &json!(settings), audit).await?;
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(())
    }
}
