//! SSH keys with which appliances are reached.

use askama::Template;

use crate::web::view::form::Field;
use crate::web::view::{Html, Page, Status};

/// `/ssh-keys`.
#[derive(Template)]
#[template(path = "ssh_keys/list.html")]
pub struct SshKeys {
    /// The frame.
    pub page: Page,
    /// By name.
    pub rows: Vec<SshKeyRow>,
}

/// A key.
pub struct SshKeyRow {
    /// The name.
    pub name: String,
    /// Where its page is.
    pub address: String,
    /// `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// How many appliances use it.
    pub used_by: u64,
    /// When it was made or imported.
    pub made: Html,
}

/// `/ssh-keys/{id}`.
#[derive(Template)]
#[template(path = "ssh_keys/one.html")]
pub struct SshKeyPage {
    /// The frame.
    pub page: Page,
    /// Its own page.
    pub address: String,
    /// The line for `authorized_keys`.
    pub public_key: String,
    /// Algorithm, fingerprint, made, used by: name and fact.
    pub facts: Vec<(String, Html)>,
    /// Whether nothing uses it, so that it may be deleted.
    pub unused: bool,
    /// The rotation that is under way.
    pub rotation: Option<RotationView>,
    /// Why it did not take the old one's place.
    pub trouble: Option<String>,
    /// Whether the viewer may change it.
    pub may_change: bool,
}

/// A new key that is to take this one's place.
pub struct RotationView {
    /// What installs it on an appliance.
    pub command: String,
    /// Where it has to be let in.
    pub rows: Vec<RotationRow>,
}

/// An appliance that has to let the new key in.
pub struct RotationRow {
    /// Its name.
    pub name: String,
    /// Its page.
    pub address: String,
    /// Who logs in.
    pub user: String,
    /// What came of installing it, if that was tried just now.
    pub came: Option<(Status, String)>,
}

/// `/ssh-keys/new`: generate or import.
#[derive(Template)]
#[template(path = "ssh_keys/new.html")]
pub struct NewSshKey {
    /// The frame.
    pub page: Page,
    /// The name.
    pub generate: Vec<Field>,
    /// The name, the key, its passphrase.
    pub imported: Vec<Field>,
}
