//! Protection groups: the list, and the pages of one. Its virtual machines are in `group_vms.rs`.

use askama::Template;

use super::dashboard::GroupRow;
use super::group_wizard::ObstacleRow;
use crate::web::view::form::Field;
use crate::web::view::{Html, Page, Status};

/// `/protection-groups`.
#[derive(Template)]
#[template(path = "protection_groups/list.html")]
pub struct ProtectionGroups {
    /// The frame.
    pub page: Page,
    /// The worst first.
    pub rows: Vec<GroupRow>,
    /// Whether the viewer may make one.
    pub may_work: bool,
}

/// What stands at the top of every page of a group.
pub struct GroupHead {
    /// The group as a list shows it.
    pub row: GroupRow,
    /// What people say about it.
    pub description: Option<String>,
    /// The appliances that it is replicated from and to.
    pub appliances: (String, String),
    /// Its pages.
    pub tabs: Vec<TabLink>,
    /// Where it is paused, or resumed; and the word.
    pub pause: (String, &'static str),
    /// The run that goes on.
    pub running: Option<String>,
    /// Whether the viewer may work with it.
    pub may_work: bool,
    /// Whether a run can be started.
    pub may_run: bool,
    /// That it is failed over, or being so.
    pub failover: Option<FailoverBanner>,
}

/// What stands over a group that is failed over.
pub struct FailoverBanner {
    /// What runs where.
    pub words: String,
    /// Since when.
    pub since: Html,
    /// What to do next.
    pub next: &'static str,
    /// Its run.
    pub run: String,
    /// Where it is rolled back; none: the viewer may not.
    pub roll_back: Option<String>,
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
    /// The age of the newest checkpoint against the RPO, and the same in words; none with a calendar, or before the first.
    pub gauge: Option<(Html, String)>,
    /// The age of the newest checkpoint over time.
    pub ages: Html,
    /// How much of each day it was within its RPO; none while nothing was watched.
    pub days: Option<Compliance>,
    /// When the RPO was broken, newest first.
    pub breaches: Vec<BreachRow>,
    /// What would hurt later, by its last preflight.
    pub preflight: GroupPreflight,
}

/// What the last preflight of a group found.
pub struct GroupPreflight {
    /// In one sentence, and when; none: there was none yet.
    pub found: Option<(String, Html)>,
    /// What would hurt, and whether it is new.
    pub obstacles: Vec<(ObstacleRow, bool)>,
    /// Where one has it looked over now; none: the viewer may not.
    pub check: Option<String>,
    /// Where one says that what is new was seen; none: nothing is, or the viewer may not.
    pub seen: Option<String>,
}

/// How well a group kept its RPO.
pub struct Compliance {
    /// A bar for each day.
    pub bars: Html,
    /// All of it in one sentence.
    pub words: String,
    /// Days, newest first: day, how much of it was within, how old the newest checkpoint became.
    pub rows: Vec<(String, Status, String)>,
}

/// A time at which the RPO was broken.
pub struct BreachRow {
    /// Whether it goes on.
    pub status: Status,
    /// Since when.
    pub began: Html,
    /// For how long.
    pub lasted: String,
    /// How old the newest checkpoint became.
    pub worst: String,
}

/// `/protection-groups/{id}/obstacles`.
#[derive(Template)]
#[template(path = "protection_groups/obstacles.html")]
pub struct GroupObstacles {
    /// The frame.
    pub page: Page,
    /// What would hurt later.
    pub obstacles: Vec<ObstacleRow>,
}

/// The same for a redraw.
#[derive(Template)]
#[template(path = "protection_groups/obstacles.html", block = "list")]
pub struct ObstacleList {
    /// The frame, for the addresses of files.
    pub page: Page,
    /// What would hurt later.
    pub obstacles: Vec<ObstacleRow>,
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
    /// How many the DR side has.
    pub there: usize,
    /// Whether those that are gone are listed too.
    pub with_gone: bool,
    /// What the DR side says of holds; or why it was not asked. None: nobody has asked.
    pub looked: Option<Result<String, String>>,
    /// The page's own address.
    pub address: String,
}

/// A checkpoint.
pub struct CheckpointRow {
    /// When it was taken.
    pub taken: Html,
    /// The snapshot's name.
    pub snapshot: String,
    /// What was in it.
    pub address: String,
    /// What the guests knew of it.
    pub kind: &'static str,
    /// How much was sent for it.
    pub bytes: String,
    /// How long it took until it was complete.
    pub took: String,
    /// Whether the DR side has it.
    pub status: Status,
    /// What keeps it there whatever the policy says.
    pub held: Vec<String>,
    /// The run that made it.
    pub job: Option<String>,
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
    /// What is known of the key that is kept; none: none is.
    pub key: Option<GroupKeyView>,
}

/// A key that is kept.
pub struct GroupKeyView {
    /// Whether an appliance took it.
    pub status: Status,
    /// Who entered it.
    pub set_by: String,
    /// When.
    pub set: Html,
}

/// `/protection-groups/{id}/key`.
#[derive(Template)]
#[template(path = "protection_groups/key.html")]
pub struct GroupKeyForm {
    /// The frame.
    pub page: Page,
    /// Where the group is.
    pub address: String,
    /// The key.
    pub field: Field,
}
