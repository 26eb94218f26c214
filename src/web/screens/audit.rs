//! The audit log.

use askama::Template;

use crate::web::view::form::Choice;
use crate::web::view::list::List;
use crate::web::view::{Html, Page, Status};

/// `/audit`.
#[derive(Template)]
#[template(path = "audit/list.html")]
pub struct Audit {
    /// The frame.
    pub page: Page,
    /// Search, order and page.
    pub list: List,
    /// Whether the chain holds, and since when that is known: `unbroken, 4 213 entries`.
    pub chain: Status,
    /// When the chain was last verified.
    pub verified: Option<Html>,
    /// Outcomes to choose from; the first is "every outcome".
    pub outcomes: Vec<Choice>,
    /// The chosen outcome.
    pub outcome: String,
    /// The entries of this page, newest first.
    pub rows: Vec<AuditRow>,
}

/// An entry.
pub struct AuditRow {
    /// Its number in the chain.
    pub seq: u64,
    /// When.
    pub at: Html,
    /// Who: a user, a token, the scheduler, the command line.
    pub who: String,
    /// From where.
    pub from: String,
    /// What was done: `vcenter.create`.
    pub action: String,
    /// On what.
    pub on: String,
    /// `done`, `refused` or `failed`, with its mark.
    pub outcome: Status,
}
