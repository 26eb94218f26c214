//! Choosing virtual machines for a protection group.

use askama::Template;

use super::protection_groups::TabLink;
use crate::web::view::list::List;
use crate::web::view::{Page, Status};

/// `/protection-groups/{id}/vms/new`.
#[derive(Template)]
#[template(path = "protection_groups/assign.html")]
pub struct AssignVms {
    /// The frame.
    pub page: Page,
    /// The group's name.
    pub group: String,
    /// Where the form is sent.
    pub action: String,
    /// Where one goes instead.
    pub back: String,
    /// Those on the group's datastore, and all.
    pub tabs: Vec<TabLink>,
    /// Which of both is shown, for the search.
    pub shown: &'static str,
    /// Search and pages.
    pub list: List,
    /// What should be known before one chooses: a sentence.
    pub note: Option<String>,
    /// What was wrong with the last attempt, a sentence each.
    pub errors: Vec<String>,
    /// By name.
    pub rows: Vec<AssignRow>,
}

/// A virtual machine to choose.
pub struct AssignRow {
    /// The name of its field.
    pub field: String,
    /// Its name.
    pub name: String,
    /// Its page in the inventory.
    pub address: String,
    /// Whether it runs.
    pub power: Status,
    /// Its guest operating system.
    pub guest: String,
    /// How large its disks are.
    pub disks: String,
    /// Where they lie.
    pub datastore: String,
    /// Whether it is chosen.
    pub chosen: bool,
    /// Why it cannot be chosen.
    pub refused: Option<String>,
}
