//! Before one is in: signing in, the first account, and the password asked again before a dangerous action.

use askama::Template;

use crate::web::view::Page;
use crate::web::view::form::Field;

/// `/sign-in`.
#[derive(Template)]
#[template(path = "access/sign_in.html")]
pub struct SignIn {
    /// The frame.
    pub page: Page,
    /// Name and password.
    pub fields: Vec<Field>,
    /// Why the last attempt did not work, or why one is here.
    pub notice: Option<String>,
    /// Where one goes afterwards.
    pub next: String,
    /// A form that was sent when the session had ended: where, and its fields in one.
    pub carried: Option<(String, String)>,
}

impl SignIn {
    /// Name and password.
    pub fn fields(name: &str) -> Vec<Field> {
        vec![
            Field::line("name", "Name").value(name).autocomplete("username").first(),
            Field::password("password", "Password", "current-password"),
        ]
    }
}

/// Signed in again, with a form that was sent when the session had ended.
#[derive(Template)]
#[template(path = "access/go_on.html")]
pub struct GoOn {
    /// The frame.
    pub page: Page,
    /// Where the form is sent.
    pub action: String,
    /// Its fields as they were typed.
    pub fields: Vec<(String, String)>,
    /// The page on which it stands.
    pub back: String,
}

/// `/setup/{token}`: the first account.
#[derive(Template)]
#[template(path = "access/setup.html")]
pub struct Setup {
    /// The frame.
    pub page: Page,
    /// The address with the token.
    pub action: String,
    /// Name, password, password again.
    pub fields: Vec<Field>,
}

/// Shown once after the setup: the key that opens the backups' secrets.
#[derive(Template)]
#[template(path = "access/recovery_key.html")]
pub struct RecoveryKey {
    /// The frame.
    pub page: Page,
    /// The key in groups.
    pub key: String,
    /// Where the button leads.
    pub next: String,
}

/// Asked again before a dangerous action.
#[derive(Template)]
#[template(path = "access/step_up.html")]
pub struct StepUp {
    /// The frame.
    pub page: Page,
    /// What is about to be done: `Delete vc-berlin`.
    pub purpose: String,
    /// The password.
    pub fields: Vec<Field>,
    /// Where one goes afterwards.
    pub next: String,
}
