//! Datastores that appliances export: on the appliance's page, and making one.

use askama::Template;

use crate::web::view::form::Field;
use crate::web::view::{Html, Page, Status};

/// A datastore in the list on its appliance's page.
pub struct DatastoreRow {
    /// Whether every host that could mount it does.
    pub status: Status,
    /// Its name.
    pub name: String,
    /// Its page in the inventory.
    pub address: String,
    /// What it is for: `protection`, or whose it is otherwise.
    pub purpose: &'static str,
    /// The dataset, or the path where the dataset is not known.
    pub dataset: String,
    /// Server and path.
    pub export: String,
    /// The vCenter's name.
    pub vcenter: String,
    /// Hosts that mount it, of those that could: `3 of 4`.
    pub hosts: String,
    /// Free room, with a meter.
    pub free: Html,
}

/// Fields that belong together.
pub struct FieldGroup {
    /// Their heading.
    pub heading: &'static str,
    /// What they are for, in one sentence.
    pub lead: &'static str,
    /// What is wrong with all of them.
    pub error: Option<String>,
    /// The fields.
    pub fields: Vec<Field>,
}

/// `/appliances/{id}/datastores/new`.
#[derive(Template)]
#[template(path = "datastores/new.html")]
pub struct NewDatastore {
    /// The frame.
    pub page: Page,
    /// What it is about, in one sentence.
    pub lead: String,
    /// Where the form is sent.
    pub action: String,
    /// The vCenters to choose from, if there are several.
    pub vcenter: Option<Field>,
    /// The id of the chosen one.
    pub chosen: String,
    /// The fields; none if there is no vCenter with hosts.
    pub groups: Vec<FieldGroup>,
    /// The dataset below which it is made.
    pub parent: String,
    /// What hosts dial.
    pub server: String,
    /// The appliance's name.
    pub name: String,
    /// Where one goes instead.
    pub back: String,
}
