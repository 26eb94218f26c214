//! Appliances: list, one with its pools and health, adding one with its host key confirmed.

use askama::Template;

use super::datastores::DatastoreRow;
use crate::web::view::form::Field;
use crate::web::view::list::List;
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
    /// Its id.
    pub id: String,
    /// What is wrong, what to do, and `risk` or `broken`, if something is.
    pub trouble: Option<(String, String, &'static str)>,
    /// The capacity over time, with the forecast.
    pub capacity: Html,
    /// Each thing that was looked at.
    pub health: Vec<HealthLine>,
    /// Its pools.
    pub pools: Vec<PoolRow>,
    /// The datastores that it exports.
    pub datastores: Vec<DatastoreRow>,
    /// Addresses, key, host key, user: name and fact.
    pub facts: Vec<(String, Html)>,
    /// The pinned host key's fingerprint.
    pub host_key: String,
    /// Where another host key can be accepted, if it shows one.
    pub accept: Option<String>,
    /// Whether the viewer may start jobs on it.
    pub may_work: bool,
    /// Whether the viewer may change it.
    pub may_change: bool,
}

/// One thing that was looked at.
pub struct HealthLine {
    /// What.
    pub name: String,
    /// How it stands.
    pub status: Status,
    /// What was seen.
    pub found: String,
    /// What to do about it.
    pub advice: Option<String>,
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

/// `/appliances/{id}/datasets`: as they are now.
#[derive(Template)]
#[template(path = "appliances/datasets.html")]
pub struct Datasets {
    /// The frame.
    pub page: Page,
    /// The list as it is asked for.
    pub list: List,
    /// By name.
    pub rows: Vec<DatasetRow>,
}

/// `/appliances/{id}/datasets/{name}`: its snapshots as they are now.
#[derive(Template)]
#[template(path = "appliances/snapshots.html")]
pub struct Snapshots {
    /// The frame.
    pub page: Page,
    /// The list as it is asked for.
    pub list: List,
    /// Newest first.
    pub rows: Vec<SnapshotRow>,
}

/// A snapshot.
pub struct SnapshotRow {
    /// What follows the `@`.
    pub tag: String,
    /// When it was taken.
    pub taken: Html,
    /// In words: what only it keeps.
    pub used: String,
    /// In words.
    pub referenced: String,
    /// Whether it is one of ours.
    pub ours: bool,
    /// The tags of its holds.
    pub holds: Vec<String>,
    /// The datasets cloned from it.
    pub clones: Vec<String>,
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
    /// What the button says.
    pub button: &'static str,
    /// Where one goes instead.
    pub back: String,
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
    /// What the button says.
    pub button: &'static str,
    /// Where one goes instead.
    pub back: String,
}
