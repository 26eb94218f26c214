//! What somebody has filled in of a wizard: kept with every step, for the one who fills it in, and sent off once.

use std::fmt::Display;
use std::str::FromStr;

use jiff::SignedDuration;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{App, AppError, Principal};
use crate::domain::ids::DraftId;
use crate::domain::job::Failure;
use crate::store;

/// How long a draft is kept after it was saved last.
const GOOD: SignedDuration = SignedDuration::from_hours(72);

/// What is filled in of one wizard.
pub(super) trait Form: Serialize + DeserializeOwned {
    /// The word for it in the database.
    const KIND: &'static str;
    /// What is done when a draft is not there any more, to follow "…; ".
    const ANEW: &'static str;
}

/// A draft of one wizard.
#[derive(Debug, Clone)]
pub(super) struct Draft<F> {
    /// What was filled in.
    pub(super) form: F,
    /// Whether it was sent off.
    pub(super) started: bool,
    /// What was made of it.
    pub(super) result: Option<String>,
}

impl App {
    /// Keeps what was filled in. A draft that was sent off stays as it is.
    pub(super) async fn keep_draft<F: Form>(
        &self,
        who: &Principal,
        id: DraftId,
        form: &F,
    ) -> Result<(), AppError> {
        let form = serde_json::to_value(form).map_err(|error| {
            AppError::Failed(Failure::permanent(format!("The draft could not be written down: {error}.")))
        })?;
        let now = self.clock.now();
        let draft = store::Draft {
            id,
            kind: F::KIND.to_owned(),
            owner: who.actor(),
            form,
            started: false,
            result: None,
            saved_at: now,
        };
        Ok(self.store.put_draft(&draft, now - GOOD).await?)
    }

    /// The draft of the one who asks. Somebody else's, and one of another wizard, is none.
    pub(super) async fn own_draft<F: Form>(
        &self,
        who: &Principal,
        id: DraftId,
    ) -> Result<Draft<F>, AppError> {
        let found = self.store.draft(id).await?;
        let found = found.filter(|draft| draft.owner == who.actor() && draft.kind == F::KIND);
        let read = found.and_then(|draft| {
            let form = serde_json::from_value(draft.form).ok()?;
            Some(Draft { form, started: draft.started, result: draft.result })
        });
        read.ok_or_else(|| AppError::NotFound(format!("there is no draft {id} of yours; {}", F::ANEW)))
    }

    /// Makes what a draft says, once: who asks again is answered what was made.
    ///
    /// # Errors
    /// What `make` fails with, and then it may be tried again; [`AppError::Conflict`] while another request makes it.
    pub(super) async fn make_once<F: Form, T: Display + FromStr>(
        &self,
        who: &Principal,
        id: DraftId,
        make: impl Future<Output = Result<T, AppError>>,
    ) -> Result<T, AppError> {
        let made = |draft: Draft<F>| draft.result.and_then(|result| result.parse().ok());
        if let Some(before) = made(self.own_draft(who, id).await?) {
            return Ok(before);
        }
        if !self.store.claim_draft(id).await? {
            return made(self.own_draft(who, id).await?).ok_or_else(|| {
                AppError::Conflict("this is being started already; look under Jobs".to_owned())
            });
        }
        let new = make.await;
        self.store.note_draft_result(id, new.as_ref().ok().map(T::to_string)).await?;
        new
    }
}
