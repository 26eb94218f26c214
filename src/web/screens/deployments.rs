//! The wizard for a new appliance: template, configure, review. Its fourth step is the page of the job.

use askama::Template;

use super::templates::FieldGroup;
use crate::web::view::wizard::{PlanStep, WizardStep};
use crate::web::view::{Html, Page};

/// `/deployments/new`.
#[derive(Template)]
#[template(path = "deployments/template.html")]
pub struct ChooseTemplate {
    /// The frame.
    pub page: Page,
    /// The steps.
    pub steps: Vec<WizardStep>,
    /// Templates to choose from.
    pub choices: Vec<TemplateChoice>,
    /// The draft that is gone on with.
    pub draft: Option<String>,
}

/// A template to choose.
pub struct TemplateChoice {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its vCenter, and what it gives a clone.
    pub told: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// `/deployments/{id}/configure`.
#[derive(Template)]
#[template(path = "deployments/configure.html")]
pub struct Configure {
    /// The frame.
    pub page: Page,
    /// The steps.
    pub steps: Vec<WizardStep>,
    /// What it is about, in one sentence.
    pub lead: String,
    /// Where the form is sent.
    pub action: String,
    /// The fields, with a heading for those that belong together.
    pub groups: Vec<FieldGroup>,
    /// What was found while it was filled in.
    pub findings: Option<Findings>,
}

/// What stands in the way while the form is filled in, for a redraw.
#[derive(Template)]
#[template(path = "deployments/configure.html", block = "findings")]
pub struct ConfigureFindings {
    /// The frame, for the addresses of files.
    pub page: Page,
    /// What was found.
    pub findings: Option<Findings>,
}

/// What a wish meets as it stands.
pub struct Findings {
    /// What stands in the way.
    pub obstacles: Vec<String>,
    /// What one should know.
    pub warnings: Vec<String>,
}

/// `/deployments/{id}/review`.
#[derive(Template)]
#[template(path = "deployments/review.html")]
pub struct Review {
    /// The frame.
    pub page: Page,
    /// The steps.
    pub steps: Vec<WizardStep>,
    /// What stands in the way.
    pub obstacles: Vec<String>,
    /// What one should know.
    pub warnings: Vec<String>,
    /// The phases.
    pub plan: Vec<PlanStep>,
    /// How long they will take together.
    pub takes: String,
    /// What was chosen: name and fact.
    pub facts: Vec<(String, Html)>,
    /// What will not be touched, a sentence each.
    pub untouched: Vec<String>,
    /// Where the form is sent.
    pub action: String,
    /// The step before.
    pub back: String,
    /// The virtual machine's name.
    pub name: String,
}
