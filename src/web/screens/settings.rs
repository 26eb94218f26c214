//! Settings, and what Zerfaux is made of.

use askama::Template;

use crate::web::view::form::Field;
use crate::web::view::page::Link;
use crate::web::view::{Html, Page, Status};

/// `/settings`.
#[derive(Template)]
#[template(path = "settings/settings.html")]
pub struct Settings {
    /// The frame.
    pub page: Page,
    /// Groups of fields, each saved by its own button.
    pub groups: Vec<SettingsGroup>,
    /// Whether a recovery key was made.
    pub has_key: bool,
    /// What is read from the command line or the file, and cannot be changed here: name and fact.
    pub fixed: Vec<(String, Html)>,
}

/// Some settings that belong together.
pub struct SettingsGroup {
    /// In the form that saves it.
    pub name: &'static str,
    /// Its heading.
    pub heading: &'static str,
    /// What it is for, in one sentence.
    pub lead: &'static str,
    /// The fields.
    pub fields: Vec<Field>,
}

/// `/about`.
#[derive(Template)]
#[template(path = "about/about.html")]
pub struct About {
    /// The frame.
    pub page: Page,
    /// Version, commit, build, data directory: name and fact.
    pub facts: Vec<(String, Html)>,
    /// What depends on others, and how that stands: name and status.
    pub health: Vec<(String, Status)>,
    /// Licences, parts list, API description.
    pub links: Vec<Link>,
    /// Names and licences of the parts: name, version, licence.
    pub parts: Vec<(String, String, String)>,
}
