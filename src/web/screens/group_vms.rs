//! The virtual machines of a protection group.

use askama::Template;

use super::protection_groups::GroupHead;
use crate::web::view::{Page, Status};

/// `/protection-groups/{id}/vms`.
#[derive(Template)]
#[template(path = "protection_groups/vms.html")]
pub struct GroupVms {
    /// The frame.
    pub page: Page,
    /// The head of the group's pages.
    pub head: GroupHead,
    /// By name.
    pub vms: Vec<ProtectedVmRow>,
}

/// A virtual machine of a group.
pub struct ProtectedVmRow {
    /// Its name.
    pub name: String,
    /// Its page in the inventory.
    pub address: String,
    /// Each line of its check list: how it stands, and what was found.
    pub ticks: Vec<(Status, String)>,
    /// The first that is not done, and what to do about it.
    pub missing: Option<String>,
}
