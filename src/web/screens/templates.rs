//! Templates from which appliances are made: list, one, registering and changing one, the preparation script.

use askama::Template;

use crate::web::view::form::Field;
use crate::web::view::{Html, Page, Status};

/// `/zfs-templates`.
#[derive(Template)]
#[template(path = "templates/list.html")]
pub struct Templates {
    /// The frame.
    pub page: Page,
    /// By name.
    pub rows: Vec<TemplateRow>,
    /// Whether the viewer may register one.
    pub may_change: bool,
}

/// A template.
pub struct TemplateRow {
    /// The name.
    pub name: String,
    /// Its own page.
    pub address: String,
    /// Whether it is offered, and can be cloned.
    pub status: Status,
    /// The virtual machine template's name.
    pub vm_name: String,
    /// The vCenter's name.
    pub vcenter: String,
    /// How many appliances were made from it.
    pub deployed: String,
    /// When the last one was.
    pub last: Option<Html>,
}

/// `/zfs-templates/{id}`.
#[derive(Template)]
#[template(path = "templates/one.html")]
pub struct TemplatePage {
    /// The frame.
    pub page: Page,
    /// The template.
    pub row: TemplateRow,
    /// What people say about it.
    pub description: Option<String>,
    /// Where it is, and how one gets into what is made from it: name and fact.
    pub source: Vec<(String, Html)>,
    /// What is chosen unless a deployment says otherwise: name and fact.
    pub defaults: Vec<(String, Html)>,
    /// Whether the viewer may change it.
    pub may_change: bool,
    /// Where an appliance is made from it, if it can be, and the viewer may.
    pub deploy: Option<String>,
}

/// `/zfs-templates/new` once a vCenter is chosen, and `/zfs-templates/{id}/edit`.
#[derive(Template)]
#[template(path = "templates/form.html")]
pub struct TemplateForm {
    /// The frame.
    pub page: Page,
    /// What it is about, in one sentence.
    pub lead: String,
    /// Where the form is sent.
    pub action: String,
    /// The vCenter's id.
    pub vcenter: String,
    /// The fields, with a heading for those that belong together.
    pub groups: Vec<FieldGroup>,
    /// The verb on the button.
    pub button: &'static str,
    /// Where one goes instead.
    pub back: String,
}

/// Fields that belong together.
pub struct FieldGroup {
    /// Their heading.
    pub heading: &'static str,
    /// What they are for, in one sentence.
    pub lead: &'static str,
    /// The fields.
    pub fields: Vec<Field>,
}

/// `/zfs-templates/new` before a vCenter is chosen.
#[derive(Template)]
#[template(path = "templates/choose_vcenter.html")]
pub struct ChooseVcenter {
    /// The frame.
    pub page: Page,
    /// The vCenters to choose from; none if there are none that can clone.
    pub field: Option<Field>,
}

/// `/zfs-templates/preparation`.
#[derive(Template)]
#[template(path = "templates/preparation.html")]
pub struct Preparation {
    /// The frame.
    pub page: Page,
    /// The key and the user; none if there is no key yet.
    pub fields: Vec<Field>,
    /// What the user may run as root.
    pub commands: Vec<&'static str>,
}
