//! Tests and failovers: their lists, a test that is asked for, one that runs, and its report.

use askama::Template;

use super::jobs::FailureView;
use super::protection_groups::GroupHead;
use crate::web::view::form::Field;
use crate::web::view::{Html, Page, Status};

/// A run in a list.
pub struct RunRow {
    /// How it stands.
    pub status: Status,
    /// What it is for.
    pub kind: &'static str,
    /// Its group.
    pub group: String,
    /// Its page.
    pub address: String,
    /// When it was asked for.
    pub asked: Html,
    /// The checkpoint.
    pub checkpoint: String,
    /// Machines that came up, of all: `3 of 4`.
    pub up: String,
    /// How long that took.
    pub took: String,
    /// What a person said.
    pub verdict: Option<Status>,
}

/// `/protection-groups/{id}/tests`.
#[derive(Template)]
#[template(path = "recovery_runs/list.html")]
pub struct GroupTests {
    /// The frame.
    pub page: Page,
    /// The group's head.
    pub head: GroupHead,
    /// The runs, newest first.
    pub runs: Vec<RunRow>,
}

/// `/recovery-runs`.
#[derive(Template)]
#[template(path = "recovery_runs/all.html")]
pub struct AllRuns {
    /// The frame.
    pub page: Page,
    /// The runs, newest first.
    pub runs: Vec<RunRow>,
    /// How many older ones are not shown.
    pub more: usize,
}

/// What is said where tests and failovers differ.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// `Test`.
    pub kind: &'static str,
    /// `Recovery test of`, before the group's name.
    pub of: &'static str,
    /// `tested as`, between the two names of a machine.
    pub recovered_as: &'static str,
    /// `Not tested`, over those that are left out.
    pub left_out: &'static str,
}

/// `/protection-groups/{id}/test`.
#[derive(Template)]
#[template(path = "test_failovers/new.html")]
pub struct NewTest {
    /// The frame.
    pub page: Page,
    /// Where the form is sent.
    pub action: String,
    /// The page of a test that is there already.
    pub there: Option<String>,
    /// What stands in the way of all.
    pub obstacles: Vec<String>,
    /// What one should know.
    pub warnings: Vec<String>,
    /// The fields.
    pub fields: Vec<Field>,
    /// For each network at the source, which one stands for it.
    pub networks: Vec<Field>,
    /// Which network at the source each of those is about.
    pub hidden: Vec<(String, String)>,
    /// The machines: tier, name, what it is called in the test, what proves that it runs.
    pub vms: Vec<[String; 4]>,
    /// Those that are not tested, and why.
    pub left_out: Vec<(String, String)>,
    /// The group's page.
    pub back: String,
}

/// Something that was done.
pub struct StepRow {
    /// How it went.
    pub status: Status,
    /// What.
    pub step: String,
    /// When it began.
    pub at: Html,
    /// How long it took.
    pub took: String,
    /// What was seen.
    pub evidence: String,
}

/// A machine of a run.
pub struct VmBlock {
    /// How it stands.
    pub status: Status,
    /// The protected one's name.
    pub name: String,
    /// Its own.
    pub test_name: String,
    /// By which its retry names it; none: it cannot be tried again.
    pub retry: Option<String>,
    /// What a person is to do before it goes on, and which prompt of which machine that is; the last two for those who may.
    pub prompt: Option<(String, Option<(String, String)>)>,
    /// What went wrong, and what to do.
    pub failure: Option<(String, String)>,
    /// What was done.
    pub steps: Vec<StepRow>,
}

/// A tier of a run.
pub struct TierBlock {
    /// `1 · Databases`.
    pub name: String,
    /// Its machines.
    pub vms: Vec<VmBlock>,
}

/// A run as it is shown.
pub struct RunView {
    /// Its address.
    pub address: String,
    /// What is said of its kind.
    pub words: Words,
    /// The page of the job that works on it, or that worked last.
    pub job: String,
    /// How it stands.
    pub status: Status,
    /// Where its job's events come from, while it goes on.
    pub events: Option<String>,
    /// Why it failed, or why its cleanup is pending.
    pub failure: Option<FailureView>,
    /// Facts: name and value.
    pub facts: Vec<(String, Html)>,
    /// Its tiers.
    pub tiers: Vec<TierBlock>,
    /// What was done for all.
    pub steps: Vec<StepRow>,
    /// Those that were not recovered, and why.
    pub left_out: Vec<(String, String)>,
    /// What a person said: the verdict, the remarks, by whom and when.
    pub verdict: Option<(Status, String, String)>,
    /// Whether a verdict may be given now.
    pub may_judge: bool,
    /// The verdict that was typed, and the remarks.
    pub fields: Vec<Field>,
    /// On the button that cleans up; none: nothing is left, or it is a failover.
    pub clean_up: Option<&'static str>,
    /// Where a failover is rolled back; none: it was ended, or it is a test.
    pub roll_back: Option<String>,
}

/// `/recovery-runs/{id}`.
#[derive(Template)]
#[template(path = "recovery_runs/one.html")]
pub struct RunPage {
    /// The frame.
    pub page: Page,
    /// It.
    pub run: RunView,
}

/// What moves of it.
#[derive(Template)]
#[template(path = "recovery_runs/one.html", block = "state")]
pub struct RunState {
    /// The frame.
    pub page: Page,
    /// It.
    pub run: RunView,
}

/// The report: a file of its own, for people who have nothing of Zerfaux.
#[derive(Template)]
#[template(path = "recovery_runs/report.html")]
pub struct Report {
    /// The group.
    pub group: String,
    /// Which version wrote it, and when.
    pub written: String,
    /// It, with exact times.
    pub run: RunView,
}
