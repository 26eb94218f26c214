//! Appliances: list, one with its pools and health, adding one with its host key confirmed.

use askama::Template;

use crate::web::view::form::Field;
use crate::web::view::{Html, Page, Status};

/// `/appliances`.
#[derive(Template)]
#[template(path = "appliances/list.html")]
pub struct Appliances {
    /// The frame.
    pub page: Page,
    /// By name.
    pub rows: Vec<ApplianceRow>,
    /// Whether there is a key to reach one with.
    pub has_key: bool,
}

/// An appliance.
pub struct ApplianceRow {
    /// The name.
    pub name: String,
    /// Its own page.
    pub address: String,
    /// `zfsadmin@10.0.0.21:22`.
    pub endpoint: String,
    /// How it stands.
    pub status: Status,
    /// OpenZFS's version.
    pub version: String,
    /// The pool's capacity: percent, and in words `4.1 of 8 TiB`.
    pub capacity: Option<(u8, String)>,
    /// `met`, `risk` or `broken`, for the bar's colour.
    pub capacity_mark: &'static str,
    /// When it was last looked at.
    pub checked: Option<Html>,
}

/// `/appliances/{id}`.
#[derive(Template)]
#[template(path = "appliances/one.html")]
pub struct AppliancePage {
    /// The frame.
    pub page: Page,
    /// The appliance.
    pub row: ApplianceRow,
    /// What is wrong and what to do, if something is.
    pub trouble: Option<(String, String)>,
    /// The capacity over time, with the forecast.
    pub capacity: Html,
    /// Each thing that was looked at: name, how it stands, what was seen.
    pub health: Vec<(String, Status, String)>,
    /// Its pools.
    pub pools: Vec<PoolRow>,
    /// Addresses, key, host key, user: name and fact.
    pub facts: Vec<(String, Html)>,
    /// The pinned host key's fingerprint.
    pub host_key: String,
    /// The datasets, by name.
    pub datasets: Vec<DatasetRow>,
    /// Whether the viewer may change it.
    pub may_change: bool,
}

/// A pool.
pub struct PoolRow {
    /// The name.
    pub name: String,
    /// ONLINE, DEGRADED …
    pub status: Status,
    /// Percent used.
    pub percent: u8,
    /// `4.1 of 8 TiB`.
    pub used: String,
    /// `met`, `risk` or `broken`, for the bar's colour.
    pub mark: &'static str,
    /// Fragmentation, `12 %`.
    pub fragmentation: String,
    /// Read, write and checksum errors.
    pub errors: u64,
    /// When the last scrub ended.
    pub scrubbed: Option<Html>,
}

/// A dataset.
pub struct DatasetRow {
    /// The whole name.
    pub name: String,
    /// Its snapshots' page.
    pub address: String,
    /// `live`, `replica`, `run`, `keep`; nothing for those of others.
    pub role: Option<&'static str>,
    /// In words.
    pub used: String,
    /// In words.
    pub referenced: String,
    /// How many.
    pub snapshots: u64,
    /// Of the newest snapshot.
    pub newest: Option<Html>,
}

/// `/appliances/new` and `/appliances/{id}/edit`.
#[derive(Template)]
#[template(path = "appliances/new.html")]
pub struct NewAppliance {
    /// The frame.
    pub page: Page,
    /// Where the form is sent.
    pub action: String,
    /// Groups of fields: heading, sentence, fields.
    pub groups: Vec<(&'static str, &'static str, Vec<Field>)>,
    /// What went wrong when it was tried: what and what to do.
    pub trouble: Option<(String, String)>,
}

/// The host key of a server, shown to be confirmed.
#[derive(Template)]
#[template(path = "appliances/host_key.html")]
pub struct ConfirmHostKey {
    /// The frame.
    pub page: Page,
    /// Where the form is sent.
    pub action: String,
    /// What was typed before, carried on.
    pub carried: Vec<(String, String)>,
    /// Host and port.
    pub host: String,
    /// `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// The one that was accepted before, if it has changed.
    pub before: Option<String>,
}
