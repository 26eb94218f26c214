//! An error as a screen: what happened, why, what to do, and the id that is also in the log.

use askama::Template;

use crate::web::view::Page;
use crate::web::view::page::Link;

/// Inside the frame, for somebody who is signed in.
#[derive(Template)]
#[template(path = "error/error.html")]
pub struct ErrorPage {
    /// The frame; its title says what happened in three words.
    pub page: Page,
    /// What went wrong.
    pub error: ErrorView,
}

/// Without the frame, for somebody who is not.
#[derive(Template)]
#[template(path = "error/signed_out.html")]
pub struct ErrorAlone {
    /// The frame.
    pub page: Page,
    /// What went wrong.
    pub error: ErrorView,
}

/// What went wrong, in the words on screen.
pub struct ErrorView {
    /// The HTTP status.
    pub status: u16,
    /// What was attempted on what.
    pub what: String,
    /// Why it did not work, where that can be said.
    pub why: Option<String>,
    /// What to do.
    pub advice: String,
    /// The id that is also in the log.
    pub id: String,
    /// Where to go from here; the first is the main one.
    pub ways_out: Vec<Link>,
}
