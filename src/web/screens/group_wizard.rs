//! The wizard for a protection group: source, DR side, policy, review; and the policy alone, to be changed.

use askama::Template;

use super::templates::FieldGroup;
use crate::web::view::form::Field;
use crate::web::view::wizard::{PlanStep, WizardStep};
use crate::web::view::{Html, Page};

/// `/protection-groups/new`.
#[derive(Template)]
#[template(path = "protection_groups/source.html")]
pub struct ChooseSource {
    /// The frame.
    pub page: Page,
    /// The steps.
    pub steps: Vec<WizardStep>,
    /// The draft that is gone on with.
    pub draft: Option<String>,
    /// Datastores to choose from.
    pub choices: Vec<SourceChoice>,
    /// The others: name, and why not.
    pub refused: Vec<(String, String)>,
    /// Asked where an export does not tell its dataset.
    pub dataset: Option<Field>,
    /// What is wrong with the choice.
    pub error: Option<String>,
}

/// A datastore to choose.
pub struct SourceChoice {
    /// In the request.
    pub value: String,
    /// Its name, and its vCenter's.
    pub name: String,
    /// What is behind it.
    pub told: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// `/protection-groups/drafts/{id}/dr`.
#[derive(Template)]
#[template(path = "protection_groups/dr.html")]
pub struct ChooseDr {
    /// The frame.
    pub page: Page,
    /// The steps.
    pub steps: Vec<WizardStep>,
    /// What is replicated, to be confirmed: name and fact.
    pub source: Vec<(String, Html)>,
    /// Where the form is sent.
    pub action: String,
    /// The fields.
    pub groups: Vec<FieldGroup>,
    /// What has to be done first, if nothing can be chosen: a sentence, and where.
    pub first: Option<(String, &'static str)>,
}

/// `/protection-groups/drafts/{id}/policy`, and `/protection-groups/{id}/edit`.
#[derive(Template)]
#[template(path = "protection_groups/policy.html")]
pub struct PolicyPage {
    /// The frame.
    pub page: Page,
    /// The steps; none where a group is changed.
    pub steps: Vec<WizardStep>,
    /// What it is about, in one sentence.
    pub lead: String,
    /// Where the form is sent.
    pub action: String,
    /// Carried along: how much the dataset has.
    pub stored: Option<u64>,
    /// The fields before the checkpoints.
    pub before: Vec<FieldGroup>,
    /// How many checkpoints are kept, for each side.
    pub keeps: Vec<FieldGroup>,
    /// What it comes to.
    pub meaning: Vec<(String, String)>,
    /// What cannot be read, instead.
    pub unread: Vec<String>,
    /// The fields after them.
    pub after: Vec<FieldGroup>,
    /// The weekly timetable.
    pub windows: Vec<WindowRow>,
    /// What is wrong with the timetable.
    pub windows_error: Option<String>,
    /// The verb on the button.
    pub button: String,
    /// Where one goes instead; none: to the step before, with what was filled in.
    pub back: Option<String>,
}

/// What a policy comes to, for a redraw while it is filled in.
#[derive(Template)]
#[template(path = "protection_groups/policy.html", block = "means")]
pub struct PolicyMeaning {
    /// The frame, for the addresses of files.
    pub page: Page,
    /// What it comes to.
    pub meaning: Vec<(String, String)>,
    /// What cannot be read, instead.
    pub unread: Vec<String>,
}

/// A window of the timetable.
pub struct WindowRow {
    /// Counted from 1.
    pub number: usize,
    /// The days: name in the request, word, whether it is one.
    pub days: Vec<(String, &'static str, bool)>,
    /// From, to, and how much.
    pub fields: Vec<Field>,
}

/// `/protection-groups/drafts/{id}/review`.
#[derive(Template)]
#[template(path = "protection_groups/review.html")]
pub struct GroupReviewPage {
    /// The frame.
    pub page: Page,
    /// The steps.
    pub steps: Vec<WizardStep>,
    /// What would hurt later.
    pub obstacles: Vec<ObstacleRow>,
    /// What will be done.
    pub plan: Vec<PlanStep>,
    /// What was chosen: name and fact.
    pub facts: Vec<(String, Html)>,
    /// What its policy comes to: name and sentence.
    pub meaning: Vec<(String, Html)>,
    /// What will not be touched, a sentence each.
    pub untouched: Vec<String>,
    /// Where the form is sent.
    pub action: String,
    /// The step before.
    pub back: String,
    /// The group's name.
    pub name: String,
}

/// Something that would hurt a group later.
pub struct ObstacleRow {
    /// What it is about.
    pub object: String,
    /// Why it hurts.
    pub why: String,
    /// What to do about it.
    pub advice: String,
}
