//! The dashboard: what needs somebody, both sites with the groups between them, what runs, what is left to set up.

use askama::Template;

use super::jobs::JobRow;
use crate::web::view::page::Link;
use crate::web::view::{Html, Page, Status};

/// `/replication`.
#[derive(Template)]
#[template(path = "dashboard/dashboard.html")]
pub struct Dashboard {
    /// The frame.
    pub page: Page,
    /// Whether the viewer may deploy an appliance.
    pub may_deploy: bool,
    /// What changes by itself.
    pub board: Board,
}

/// What of the dashboard changes by itself, for a redraw.
#[derive(Template)]
#[template(path = "dashboard/dashboard.html", block = "board")]
pub struct DashboardBoard {
    /// The frame, for the addresses of files.
    pub page: Page,
    /// What changes by itself.
    pub board: Board,
}

/// What is on it.
pub struct Board {
    /// How many groups stand how: the word carries the count, `11 met`.
    pub tally: Vec<Status>,
    /// The worst first.
    pub attention: Vec<Attention>,
    /// Both sites, once there are any.
    pub map: Option<Html>,
    /// The protection groups, the worst first.
    pub groups: Vec<GroupRow>,
    /// What runs now.
    pub running: Vec<JobRow>,
    /// What ended last, newest first.
    pub recent: Vec<JobRow>,
    /// What is left to set up; empty once all is done.
    pub first_run: Vec<FirstRunStep>,
}

impl Board {
    /// How many steps of the first run are done.
    pub fn steps_done(&self) -> usize {
        self.first_run.iter().filter(|step| step.done).count()
    }
}

/// Something that needs somebody.
pub struct Attention {
    /// How bad.
    pub status: Status,
    /// What it is about.
    pub what: Link,
    /// What is wrong, in one sentence with numbers.
    pub why: String,
    /// The button that mends it or leads there.
    pub mend: Link,
    /// Where it is said that somebody has seen it, so that it goes away.
    pub seen: Option<String>,
}

/// A protection group.
pub struct GroupRow {
    /// The name.
    pub name: String,
    /// Its own page.
    pub address: String,
    /// How its RPO stands.
    pub status: Status,
    /// How many VMs.
    pub vms: u64,
    /// In words.
    pub rpo: String,
    /// The age of the newest checkpoint at the DR side.
    pub newest: Option<Html>,
    /// The last 24 hours.
    pub day: Html,
    /// When it runs next.
    pub next: Option<Html>,
    /// `4/6` VMs ready.
    pub ready: String,
}

/// A step of the first run.
pub struct FirstRunStep {
    /// Whether it is done.
    pub done: bool,
    /// What to do.
    pub label: String,
    /// Where; None while another has to be done first.
    pub address: Option<String>,
}
