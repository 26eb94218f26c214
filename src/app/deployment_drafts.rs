//! The wizard for a new appliance: what was filled in is kept with every step, and is started once.

use jiff::SignedDuration;
use serde_json::Value;

use super::deployments::{DeployPlan, DeployWish};
use super::templates::TemplateView;
use super::{App, AppError, Principal};
use crate::domain::ids::{DeploymentDraftId, JobId, TemplateId};
use crate::domain::job::Failure;
use crate::store::DeploymentDraft;

/// How long a draft is kept after it was saved last.
const GOOD: SignedDuration = SignedDuration::from_hours(72);

/// A draft with what belongs to it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its id.
    pub id: DeploymentDraftId,
    /// From which template.
    pub template: TemplateView,
    /// What was filled in.
    pub wish: DeployWish,
    /// The job that was started from it.
    pub job: Option<JobId>,
}

impl App {
    /// Begins a draft, filled in as the template says.
    ///
    /// # Errors
    /// If there is no such template.
    pub async fn begin_deployment(
        &self,
        who: &Principal,
        template: TemplateId,
    ) -> Result<DeploymentDraftId, AppError> {
        let view = self.template(template).await?;
        let wish = DeployWish::usual(&view.template, self.clock.now());
        let id = DeploymentDraftId::new();
        self.keep_draft(who, id, template, &wish).await?;
        Ok(id)
    }

    /// Chooses another template for a draft. What has nothing to do with the template stays as it was filled in. One that
    /// was started, or is no longer there, is left alone, and another is begun.
    ///
    /// # Errors
    /// If there is no such template.
    pub async fn choose_template(
        &self,
        who: &Principal,
        id: DeploymentDraftId,
        template: TemplateId,
    ) -> Result<DeploymentDraftId, AppError> {
        let old = match self.own_draft(who, id).await {
            Ok(draft) if !draft.started => draft,
            Ok(_) | Err(AppError::NotFound(_)) => return self.begin_deployment(who, template).await,
            Err(error) => return Err(error),
        };
        if old.template != template {
            let view = self.template(template).await?;
            let wish = wish_of(old.wish).onto(DeployWish::usual(&view.template, self.clock.now()));
            self.keep_draft(who, id, template, &wish).await?;
        }
        Ok(id)
    }

    /// Saves what was filled in.
    ///
    /// # Errors
    /// If there is no such draft, or it is somebody else's.
    pub async fn save_deployment(
        &self,
        who: &Principal,
        id: DeploymentDraftId,
        wish: &DeployWish,
    ) -> Result<(), AppError> {
        let draft = self.own_draft(who, id).await?;
        self.keep_draft(who, id, draft.template, wish).await
    }

    async fn keep_draft(
        &self,
        who: &Principal,
        id: DeploymentDraftId,
        template: TemplateId,
        wish: &DeployWish,
    ) -> Result<(), AppError> {
        let wish = serde_json::to_value(wish).map_err(|error| {
            AppError::Failed(Failure::permanent(format!("The draft could not be written down: {error}.")))
        })?;
        let now = self.clock.now();
        let draft = DeploymentDraft {
            id,
            owner: who.actor(),
            template,
            wish,
            started: false,
            job: None,
            saved_at: now,
        };
        Ok(self.store.put_deployment_draft(&draft, now - GOOD).await?)
    }

    async fn own_draft(&self, who: &Principal, id: DeploymentDraftId) -> Result<DeploymentDraft, AppError> {
        let found = self.store.deployment_draft(id).await?.filter(|draft| draft.owner == who.actor());
        found.ok_or_else(|| {
            AppError::NotFound(format!("there is no draft {id} of yours; begin the deployment anew"))
        })
    }

    /// The draft of the one who asks.
    ///
    /// # Errors
    /// If there is none with this id, or it is somebody else's.
    pub async fn deployment_draft(&self, who: &Principal, id: DeploymentDraftId) -> Result<Draft, AppError> {
        let draft = self.own_draft(who, id).await?;
        let template = self.template(draft.template).await?;
        Ok(Draft { id, template, wish: wish_of(draft.wish), job: draft.job })
    }

    /// What the draft would do.
    ///
    /// # Errors
    /// As [`App::plan_deployment`].
    pub async fn plan_draft(&self, draft: &Draft) -> Result<DeployPlan, AppError> {
        self.plan_deployment(draft.template.template.id, &draft.wish).await
    }

    /// Starts what the draft says, once: who asks again gets the same job.
    ///
    /// # Errors
    /// As [`App::deploy`]; [`AppError::Conflict`] while another request is starting it.
    pub async fn start_deployment(&self, who: &Principal, id: DeploymentDraftId) -> Result<JobId, AppError> {
        let draft = self.own_draft(who, id).await?;
        if let Some(job) = draft.job {
            return Ok(job);
        }
        if !self.store.claim_deployment_draft(id).await? {
            let again = self.own_draft(who, id).await?;
            return again.job.ok_or_else(|| {
                AppError::Conflict("this deployment is being started; look under Jobs".to_owned())
            });
        }
        let started = self.deploy(who, draft.template, &wish_of(draft.wish)).await;
        self.store.note_deployment_job(id, started.as_ref().ok().copied()).await?;
        started
    }
}

/// What cannot be read is as if nothing had been filled in.
fn wish_of(value: Value) -> DeployWish {
    serde_json::from_value(value).unwrap_or_default()
}
