//! Drafts of deployments: what somebody has filled in of the wizard.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, named_params};
use serde_json::Value;

use super::Store;
use super::error::{Refusal, StoreError};
use super::values::{from_json, json, maybe_parsed, nanos, parsed, time};
use crate::domain::ids::{DeploymentDraftId, JobId, TemplateId};

/// A draft as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentDraft {
    /// Its id.
    pub id: DeploymentDraftId,
    /// Whose it is.
    pub owner: String,
    /// From which template.
    pub template: TemplateId,
    /// What was filled in.
    pub wish: Value,
    /// Whether a deployment was started from it.
    pub started: bool,
    /// The job, once it was made.
    pub job: Option<JobId>,
    /// When it was saved last.
    pub saved_at: Timestamp,
}

impl Store {
    /// Keeps a draft, and forgets those that were saved before `oldest`. One that was started is not changed any more.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if its template is gone; or if the database cannot be written.
    pub async fn put_deployment_draft(
        &self,
        draft: &DeploymentDraft,
        oldest: Timestamp,
    ) -> Result<(), StoreError> {
        let draft = draft.clone();
        self.write(format!("keep the deployment draft {}", draft.id), move |c| {
            c.prepare_cached("DELETE FROM deployment_drafts WHERE saved_at < ?1")?
                .execute([nanos(oldest)])?;
            let there = c
                .prepare_cached("SELECT 1 FROM templates WHERE id = ?1")?
                .exists([draft.template.to_string()])?;
            if !there {
                return Err(Refusal::NotFound(format!("template {}", draft.template)).into());
            }
            c.prepare_cached(
                "INSERT INTO deployment_drafts (id, owner, template, wish, started, saved_at) \
                 VALUES (:id, :owner, :template, :wish, 0, :saved) \
                 ON CONFLICT (id) DO UPDATE SET template = :template, wish = :wish, saved_at = :saved \
                 WHERE started = 0",
            )?
            .execute(named_params! {
                ":id": draft.id.to_string(), ":owner": draft.owner, ":template": draft.template.to_string(),
                ":wish": json(&draft.wish)?, ":saved": nanos(draft.saved_at),
            })?;
            Ok(())
        })
        .await
    }

    /// The draft with this id, if there is one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn deployment_draft(
        &self,
        id: DeploymentDraftId,
    ) -> Result<Option<DeploymentDraft>, StoreError> {
        self.read(format!("read the deployment draft {id}"), move |c| {
            let mut statement = c.prepare_cached("SELECT * FROM deployment_drafts WHERE id = ?1")?;
            Ok(statement.query_row([id.to_string()], draft_of).optional()?)
        })
        .await
    }

    /// Says that a deployment is started from a draft now. False: it was before, by somebody who was quicker.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn claim_deployment_draft(&self, id: DeploymentDraftId) -> Result<bool, StoreError> {
        self.write(format!("start the deployment draft {id}"), move |c| {
            let changed = c
                .prepare_cached("UPDATE deployment_drafts SET started = 1 WHERE id = ?1 AND started = 0")?
                .execute([id.to_string()])?;
            Ok(changed > 0)
        })
        .await
    }

    /// Notes the job of a draft that was started; without one it may be started again.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn note_deployment_job(
        &self,
        id: DeploymentDraftId,
        job: Option<JobId>,
    ) -> Result<(), StoreError> {
        self.write(format!("note the job of the deployment draft {id}"), move |c| {
            c.prepare_cached("UPDATE deployment_drafts SET started = ?2, job = ?3 WHERE id = ?1")?
                .execute((id.to_string(), job.is_some(), job.map(|job| job.to_string())))?;
            Ok(())
        })
        .await
    }
}

fn draft_of(row: &Row<'_>) -> rusqlite::Result<DeploymentDraft> {
    Ok(DeploymentDraft {
        id: parsed(row, "id")?,
        owner: row.get("owner")?,
        template: parsed(row, "template")?,
        wish: from_json(row, "wish")?,
        started: row.get("started")?,
        job: maybe_parsed(row, "job")?,
        saved_at: time(row, "saved_at")?,
    })
}
