//! Protection groups: the list, and the pages of one. Its virtual machines are in `group_vms.rs`.

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

/// What stands at the top of every page of a group.
pub struct GroupHead {
    /// The group as a list shows it.
    pub row: GroupRow,
    /// What people say about it.
    pub description: Option<String>,
    /// Its pages.
    pub tabs: Vec<TabLink>,
    /// Where it is paused, or resumed; and the word.
    pub pause: (String, &'static str),
    /// The run that goes on.
    pub running: Option<String>,
    /// Whether the viewer may work with it.
    pub may_work: bool,
}

/// One of the pages of a group.
pub struct TabLink {
    /// What it is called.
    pub label: String,
    /// Where it is.
    pub address: String,
    /// Whether one is there now.
    pub current: bool,
}

/// `/protection-groups/{id}`.
#[derive(Template)]
#[template(path = "protection_groups/overview.html")]
pub struct GroupOverview {
    /// The frame.
    pub page: Page,
    /// The head of the group's pages.
    pub head: GroupHead,
    /// What is to be known first: a sentence each.
    pub notes: Vec<String>,
    /// The age of the newest checkpoint over time.
    pub chart: Html,
}

/// `/protection-groups/{id}/checkpoints`.
#[derive(Template)]
#[template(path = "protection_groups/checkpoints.html")]
pub struct GroupCheckpoints {
    /// The frame.
    pub page: Page,
    /// The head of the group's pages.
    pub head: GroupHead,
    /// Newest first.
    pub checkpoints: Vec<CheckpointRow>,
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

/// `/protection-groups/{id}/history`.
#[derive(Template)]
#[template(path = "protection_groups/history.html")]
pub struct GroupHistory {
    /// The frame.
    pub page: Page,
    /// The head of the group's pages.
    pub head: GroupHead,
    /// Newest first.
    pub runs: Vec<RunRow>,
}

/// A run of a group.
pub struct RunRow {
    /// How it went.
    pub status: Status,
    /// When it started.
    pub started: Html,
    /// How long its steps took.
    pub took: String,
    /// How much it sent.
    pub bytes: String,
    /// The page of its job.
    pub job: String,
}

/// `/protection-groups/{id}/settings`.
#[derive(Template)]
#[template(path = "protection_groups/settings.html")]
pub struct GroupSettings {
    /// The frame.
    pub page: Page,
    /// The head of the group's pages.
    pub head: GroupHead,
    /// Name and fact.
    pub facts: Vec<(String, Html)>,
}
