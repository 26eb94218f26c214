//! The wizard that makes a DR shell, and what is done to one afterwards.

use askama::Template;

use super::templates::FieldGroup;
use crate::web::view::form::Field;
use crate::web::view::wizard::{PlanStep, WizardStep};
use crate::web::view::{Html, Page};

/// `/protected-vms/{id}/dr-shell`.
#[derive(Template)]
#[template(path = "dr_shells/plan.html")]
pub struct PlanShell {
    /// The frame.
    pub page: Page,
    /// The steps.
    pub steps: Vec<WizardStep>,
    /// The virtual machine that it stands for.
    pub name: String,
    /// This step, where the form may be sent to look again.
    pub own: String,
    /// The next step.
    pub next: String,
    /// The fields.
    pub groups: Vec<FieldGroup>,
    /// Values that are sent along: which network at the source each field is about.
    pub hidden: Vec<(String, String)>,
    /// What stands in the way and belongs to no field: a sentence, and where it is mended.
    pub obstacles: Vec<(String, Option<String>)>,
    /// What one should know.
    pub warnings: Vec<String>,
    /// How it will not be as the source is.
    pub differences: Vec<String>,
    /// The source's hardware, which it gets.
    pub hardware: Vec<(String, Html)>,
    /// Its disks: name, size, place, path.
    pub disks: Vec<[String; 4]>,
    /// The page of the virtual machine.
    pub back: String,
}

/// `/protected-vms/{id}/dr-shell/review`.
#[derive(Template)]
#[template(path = "dr_shells/review.html")]
pub struct ReviewShell {
    /// The frame.
    pub page: Page,
    /// The steps.
    pub steps: Vec<WizardStep>,
    /// What stands in the way.
    pub obstacles: Vec<String>,
    /// What one should know.
    pub warnings: Vec<String>,
    /// How it will not be as the source is.
    pub differences: Vec<String>,
    /// The phases.
    pub plan: Vec<PlanStep>,
    /// What was chosen: name and fact.
    pub facts: Vec<(String, Html)>,
    /// What will not be touched, a sentence each.
    pub untouched: Vec<String>,
    /// Where the form is sent.
    pub action: String,
    /// What was chosen, to be sent along.
    pub hidden: Vec<(String, String)>,
    /// The step before.
    pub back: String,
    /// The shell's name.
    pub name: String,
}

/// `/dr-shells/{id}/repair`.
#[derive(Template)]
#[template(path = "dr_shells/repair.html")]
pub struct RepairShell {
    /// The frame.
    pub page: Page,
    /// What it is about, in one sentence.
    pub lead: String,
    /// What stands in the way.
    pub obstacles: Vec<String>,
    /// What one should know.
    pub warnings: Vec<String>,
    /// In what it differs now, a sentence each.
    pub drift: Vec<String>,
    /// The phases.
    pub plan: Vec<PlanStep>,
    /// Networks to choose, where that is needed.
    pub fields: Vec<Field>,
    /// Which network at the source each of those fields is about.
    pub hidden: Vec<(String, String)>,
    /// The networks that were chosen, to be sent along.
    pub chosen: Vec<(String, String)>,
    /// What will not be touched, a sentence each.
    pub untouched: Vec<String>,
    /// Where the form is sent.
    pub action: String,
    /// On the button.
    pub button: String,
    /// The page of the virtual machine.
    pub back: String,
}
