//! Jobs: the list, and one job with its phases and console.

use askama::Template;

use crate::web::view::form::Choice;
use crate::web::view::list::List;
use crate::web::view::page::{Link, Page};
use crate::web::view::progress::{Phase, Progress};
use crate::web::view::wizard::WizardStep;
use crate::web::view::{Html, Status};

/// `/jobs`.
#[derive(Template)]
#[template(path = "jobs/list.html")]
pub struct Jobs {
    /// The frame.
    pub page: Page,
    /// Search, order and page.
    pub list: List,
    /// The kinds to choose from; the first is "every kind".
    pub kinds: Vec<Choice>,
    /// The chosen kind.
    pub kind: String,
    /// The states to choose from; the first is "every state".
    pub states: Vec<Choice>,
    /// The chosen state.
    pub state: String,
    /// Newest first unless ordered otherwise.
    pub rows: Vec<JobRow>,
}

/// The rows of `/jobs` alone, for a redraw.
#[derive(Template)]
#[template(path = "jobs/list.html", block = "rows")]
pub struct JobRows {
    /// The frame, for the addresses of files.
    pub page: Page,
    /// Search, order and page.
    pub list: List,
    /// The rows.
    pub rows: Vec<JobRow>,
}

/// One row of the list, and one line under "Running".
pub struct JobRow {
    /// Its own page.
    pub address: String,
    /// What it does: `replicate`.
    pub kind: String,
    /// On what: `web-tier`.
    pub on: String,
    /// How it stands.
    pub status: Status,
    /// How far it is, while it runs.
    pub progress: Option<Progress>,
    /// When it began, or was asked for.
    pub since: Html,
    /// How long it took, or takes so far.
    pub took: String,
    /// Who started it.
    pub by: String,
}

/// `/jobs/{id}`.
#[derive(Template)]
#[template(path = "jobs/one.html")]
pub struct JobPage {
    /// The frame.
    pub page: Page,
    /// The job.
    pub job: JobView,
}

/// What of a job changes while it runs, for a redraw.
#[derive(Template)]
#[template(path = "jobs/one.html", block = "state")]
pub struct JobState {
    /// The frame, for the addresses of files and the session's token.
    pub page: Page,
    /// The job.
    pub job: JobView,
}

/// A job.
pub struct JobView {
    /// Its own page.
    pub address: String,
    /// Its server-sent events; None once nothing more will come.
    pub events: Option<String>,
    /// How it stands.
    pub status: Status,
    /// Who, since when, how long, on what: name and fact.
    pub facts: Vec<(String, Html)>,
    /// How far it is, while it runs.
    pub progress: Option<Progress>,
    /// Why it failed.
    pub failure: Option<FailureView>,
    /// What did not go well although the job went on.
    pub warnings: Vec<String>,
    /// Its phases in order.
    pub phases: Vec<Phase>,
    /// The steps of the wizard that it is the last step of.
    pub steps: Vec<WizardStep>,
    /// What it made, once it has ended well.
    pub made: Option<JobResult>,
    /// Whether it can be cancelled now.
    pub can_cancel: bool,
    /// The phase from which it can be retried.
    pub retry_from: Option<String>,
    /// Whether what it made can be taken away again.
    pub can_clean_up: bool,
    /// Its console.
    pub console: Console,
}

/// What a job has made.
pub struct JobResult {
    /// Above it.
    pub heading: &'static str,
    /// Name and fact.
    pub facts: Vec<(String, Html)>,
    /// The hosts that were to mount a datastore.
    pub hosts: Vec<HostRow>,
    /// What is done best with it next; the first is the foremost.
    pub next: Vec<NextStep>,
    /// What the button says that tries several hosts again.
    pub again: Option<String>,
}

/// A host that was to mount a datastore.
pub struct HostRow {
    /// Its name.
    pub name: String,
    /// Whether it does.
    pub status: Status,
    /// Why it does not.
    pub message: String,
    /// Its reference, if it can be tried again.
    pub again: Option<String>,
}

/// What one may do next.
pub struct NextStep {
    /// On the button.
    pub label: &'static str,
    /// Where it leads.
    pub address: String,
    /// Whether it sends a form, instead of leading to a page.
    pub sends: bool,
}

/// A failure in the words that the operator reads.
pub struct FailureView {
    /// `Failed in wait_ip`.
    pub heading: String,
    /// What was attempted on what.
    pub what: String,
    /// What came back.
    pub why: Option<String>,
    /// What to do.
    pub advice: Option<String>,
    /// The id that is also in the log.
    pub id: Option<String>,
}

/// The console of a job.
pub struct Console {
    /// Oldest first.
    pub lines: Vec<Line>,
    /// The number of the last line, so that the stream goes on after it.
    pub last: i64,
    /// The least level shown.
    pub least: &'static str,
    /// The same page with another least level: its name and address.
    pub filters: Vec<Link>,
    /// The whole console as text.
    pub download: String,
}

/// One line of a console.
pub struct Line {
    /// The time of day.
    pub at: Html,
    /// `debug`, `info`, `success`, `warn` or `error`.
    pub level: &'static str,
    /// One sentence.
    pub message: String,
}
