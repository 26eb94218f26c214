//! The viewer's own account: password and sessions.

use askama::Template;

use crate::web::view::form::Field;
use crate::web::view::{Html, Page};

/// `/account`.
#[derive(Template)]
#[template(path = "account/account.html")]
pub struct Account {
    /// The frame.
    pub page: Page,
    /// Password now, new password, again.
    pub fields: Vec<Field>,
    /// Newest first.
    pub sessions: Vec<SessionRow>,
}

/// A session.
pub struct SessionRow {
    /// Its id, in the form that ends it.
    pub id: String,
    /// Whether it is this one.
    pub this_one: bool,
    /// From where.
    pub address: String,
    /// With what, in short: `Firefox on Linux`.
    pub agent: String,
    /// When it began.
    pub began: Html,
    /// When it was last used.
    pub used: Html,
}
