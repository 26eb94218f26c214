//! Protection groups: list, and one with its checkpoints and virtual machines.

use askama::Template;

use super::dashboard::GroupRow;
use crate::web::view::{Html, Page, Status};

/// `/protection-groups`.
#[derive(Template)]
#[template(path = "protection_groups/list.html")]
pub struct ProtectionGroups {
    /// The frame.
    pub page: Page,
    /// The worst first.
    pub rows: Vec<GroupRow>,
}

/// `/protection-groups/{id}`.
#[derive(Template)]
#[template(path = "protection_groups/one.html")]
pub struct ProtectionGroupPage {
    /// The frame.
    pub page: Page,
    /// The group as a list shows it.
    pub row: GroupRow,
    /// What people say about it.
    pub description: Option<String>,
    /// What is to be known first: a sentence each.
    pub notes: Vec<String>,
    /// The age of the newest checkpoint over time.
    pub chart: Html,
    /// Name and fact.
    pub facts: Vec<(String, Html)>,
    /// Newest first.
    pub checkpoints: Vec<CheckpointRow>,
    /// By name.
    pub vms: Vec<ProtectedVmRow>,
    /// Where it is paused, or resumed; and the word.
    pub pause: (String, &'static str),
    /// The run that goes on.
    pub running: Option<String>,
    /// Whether the viewer may work with it.
    pub may_work: bool,
}

/// A checkpoint.
pub struct CheckpointRow {
    /// When it was taken.
    pub taken: Html,
    /// The snapshot's name.
    pub snapshot: String,
    /// What the guests knew of it.
    pub kind: &'static str,
    /// How much was sent for it.
    pub bytes: String,
    /// How long it took until it was complete.
    pub took: String,
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
