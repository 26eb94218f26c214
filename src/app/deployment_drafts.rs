//! The wizard for a new appliance: what is filled in of it, and starting it.

use serde::{Deserialize, Serialize};

use super::deployments::{DeployPlan, DeployWish};
use super::drafts::Form;
use super::templates::TemplateView;
use super::{App, AppError, Principal};
use crate::domain::ids::{DraftId, JobId, TemplateId};

/// What is filled in.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Filled {
    template: TemplateId,
    #[serde(default)]
    wish: DeployWish,
}

impl Form for Filled {
    const KIND: &'static str = "deployment";
    const ANEW: &'static str = "begin the deployment anew";
}

/// A draft with what belongs to it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its id.
    pub id: DraftId,
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
    pub async fn begin_deployment(&self, who: &Principal, template: TemplateId) -> Result<DraftId, AppError> {
        let view = self.template(template).await?;
        let wish = DeployWish::usual(&view.template, self.clock.now());
        let id = DraftId::new();
        self.keep_draft(who, id, &Filled { template, wish }).await?;
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
        id: DraftId,
        template: TemplateId,
    ) -> Result<DraftId, AppError> {
        let old = match self.own_draft::<Filled>(who, id).await {
            Ok(draft) if !draft.started => draft.form,
            Ok(_) | Err(AppError::NotFound(_)) => return self.begin_deployment(who, template).await,
            Err(error) => return Err(error),
        };
        if old.template != template {
            let view = self.template(template).await?;
            let wish = old.wish.onto(DeployWish::usual(&view.template, self.clock.now()));
            self.keep_draft(who, id, &Filled { template, wish }).await?;
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
        id: DraftId,
        wish: &DeployWish,
    ) -> Result<(), AppError> {
        let template = self.own_draft::<Filled>(who, id).await?.form.template;
        self.keep_draft(who, id, &Filled { template, wish: wish.clone() }).await
    }

    /// The draft of the one who asks.
    ///
    /// # Errors
    /// If there is none with this id, or it is somebody else's.
    pub async fn deployment_draft(&self, who: &Principal, id: DraftId) -> Result<Draft, AppError> {
        let draft = self.own_draft::<Filled>(who, id).await?;
        let template = self.template(draft.form.template).await?;
        let job = draft.result.and_then(|job| job.parse().ok());
        Ok(Draft { id, template, wish: draft.form.wish, job })
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
    pub async fn start_deployment(&self, who: &Principal, id: DraftId) -> Result<JobId, AppError> {
        let Filled { template, wish } = self.own_draft::<Filled>(who, id).await?.form;
        self.make_once::<Filled, JobId>(who, id, self.deploy(who, template, &wish)).await
    }
}
