//! Who may sign in, and tokens for programs.

use askama::Template;

use crate::web::view::form::Field;
use crate::web::view::{Html, Page, Status};

/// `/users`.
#[derive(Template)]
#[template(path = "users/list.html")]
pub struct Users {
    /// The frame.
    pub page: Page,
    /// By name.
    pub rows: Vec<UserRow>,
    /// By name.
    pub tokens: Vec<TokenRow>,
}

/// A user.
pub struct UserRow {
    /// The name.
    pub name: String,
    /// Where its page is.
    pub address: String,
    /// `admin`, `operator` or `viewer`.
    pub role: &'static str,
    /// `active`, `disabled`, or `locked for 4 m`.
    pub status: Status,
    /// When last signed in.
    pub seen: Option<Html>,
    /// Sessions open now.
    pub sessions: u64,
    /// Whether it is the viewer.
    pub you: bool,
}

/// A token for a program.
pub struct TokenRow {
    /// The name.
    pub name: String,
    /// The form that revokes it is sent there.
    pub revoke: String,
    /// What it may do.
    pub role: &'static str,
    /// `valid`, `expired` or `revoked`.
    pub status: Status,
    /// When it expires.
    pub expires: Option<Html>,
    /// When it was last used.
    pub used: Option<Html>,
}

/// `/users/new` and `/users/{name}`: a form of fields with one button.
#[derive(Template)]
#[template(path = "users/form.html")]
pub struct UserForm {
    /// The frame.
    pub page: Page,
    /// Where the form is sent.
    pub action: String,
    /// Name, role, password.
    pub fields: Vec<Field>,
    /// The verb: `Add user`.
    pub button: String,
    /// What the roles may do: name and sentence.
    pub roles: Vec<(&'static str, &'static str)>,
}
