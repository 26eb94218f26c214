//! The virtual machines of a protection group.

use askama::Template;

use super::protection_groups::GroupHead;
use crate::web::view::page::Link;
use crate::web::view::{Page, Status};

/// `/protection-groups/{id}/vms`.
#[derive(Template)]
#[template(path = "protection_groups/vms.html")]
pub struct GroupVms {
    /// The frame.
    pub page: Page,
    /// The head of the group's pages.
    pub head: GroupHead,
    /// Where virtual machines are chosen.
    pub assign: String,
    /// Where several are moved to the group's datastore at once; none: nothing has to be moved.
    pub move_all: Option<Link>,
    /// By name.
    pub vms: Vec<ProtectedVmRow>,
    /// Shells of virtual machines that are not in the group any more: name, and where it is removed.
    pub left: Vec<Link>,
}

/// A virtual machine of a group.
pub struct ProtectedVmRow {
    /// Its name.
    pub name: String,
    /// Its page.
    pub address: String,
    /// Each line of its check list: how it stands, and what was found.
    pub ticks: Vec<(Status, String)>,
    /// The first that is not done.
    pub missing: Option<String>,
    /// What mends it.
    pub mend: Option<Mend>,
}

/// The button that mends a line of a check list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mend {
    /// On the button.
    pub label: &'static str,
    /// Where it leads.
    pub address: String,
    /// Whether it sends a form, instead of leading to a page.
    pub sends: bool,
}
