//! The page that asks for a name before something that cannot be taken back.

use askama::Template;

use super::view::Page;
use super::view::form::Confirm;
use super::view::page::Link;

/// The question, with what will and what will not happen.
#[derive(Template)]
#[template(path = "confirm/page.html")]
pub(super) struct ConfirmPage {
    /// The frame.
    pub(super) page: Page,
    /// The question.
    pub(super) confirm: Confirm,
    /// Another way, to its own question.
    pub(super) other: Option<Link>,
}
