//! Starting a replication between two appliances: the form, and what it would do.

use askama::Template;

use crate::web::view::form::Field;
use crate::web::view::{Html, Page};

/// `/jobs/replicate/new`.
#[derive(Template)]
#[template(path = "jobs/replicate.html")]
pub struct NewReplication {
    /// The frame.
    pub page: Page,
    /// Source and destination; none if there is no appliance.
    pub ends: Vec<Field>,
    /// The datasets; none before the appliances were chosen.
    pub what: Vec<Field>,
    /// Options.
    pub how: Vec<Field>,
    /// The appliances that were chosen.
    pub carried: Vec<(String, String)>,
    /// What went wrong when the datasets were read: what and what to do.
    pub trouble: Option<(String, String)>,
}

/// What it would do, before it is started.
#[derive(Template)]
#[template(path = "jobs/replicate_review.html")]
pub struct ReplicationReview {
    /// The frame.
    pub page: Page,
    /// Which way the data would go, and why.
    pub way: String,
    /// What stands in the way, and what to do.
    pub obstacles: Vec<(String, String)>,
    /// Appliances and options: name and fact.
    pub facts: Vec<(String, Html)>,
    /// Whether a snapshot is taken first.
    pub snapshot_first: bool,
    /// Dataset by dataset.
    pub rows: Vec<ReviewRow>,
    /// What was chosen, carried on.
    pub carried: Vec<(String, String)>,
    /// Whether it can be started as it is.
    pub startable: bool,
    /// `Replicate tank/vm to zfs-b`.
    pub button: String,
    /// Back to the form.
    pub back: String,
}

/// One dataset.
pub struct ReviewRow {
    /// What is sent.
    pub from: String,
    /// What is received into.
    pub to: String,
    /// What would be done, a line each.
    pub lines: Vec<String>,
    /// About how much, in words.
    pub bytes: String,
}
