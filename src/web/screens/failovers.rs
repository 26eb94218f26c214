//! Asking for a failover: what it will do, from which checkpoint, and what has to be typed.

use askama::Template;

use crate::web::view::form::Field;
use crate::web::view::page::Link;
use crate::web::view::{Html, Page, Status};

/// A checkpoint to choose from.
pub struct CheckpointChoice {
    /// In the request.
    pub value: String,
    /// Whether it is chosen.
    pub chosen: bool,
    /// When it was taken.
    pub taken: Html,
    /// The same, exactly.
    pub exact: Html,
    /// What the guests knew of it.
    pub quality: &'static str,
    /// What a test said of it; none: it was never tested.
    pub tested: Option<Status>,
    /// Its name.
    pub snapshot: String,
}

/// A machine as it will be recovered.
pub struct FailoverVm {
    /// Its tier.
    pub tier: u32,
    /// Its name.
    pub name: String,
    /// As what: its DR shell, or one that is made.
    pub recovered_as: String,
    /// Where its cards go.
    pub networks: String,
    /// What proves that it runs.
    pub check: String,
}

/// `/protection-groups/{id}/failover`.
#[derive(Template)]
#[template(path = "failovers/new.html")]
pub struct NewFailover {
    /// The frame.
    pub page: Page,
    /// Where the form is sent.
    pub action: String,
    /// `planned` or `disaster`.
    pub mode: &'static str,
    /// What kind of failover it is, in a sentence.
    pub lead: &'static str,
    /// The page of a failover that is there already.
    pub there: Option<String>,
    /// What stands in the way.
    pub obstacles: Vec<String>,
    /// What one should know before one begins it at all.
    pub cautions: Vec<String>,
    /// What one should know of single machines.
    pub warnings: Vec<String>,
    /// What will be lost, by shape and word, and in a sentence.
    pub loss: Option<(Status, String)>,
    /// What will happen, in order.
    pub steps: Vec<String>,
    /// The checkpoints; none in a planned failover.
    pub checkpoints: Vec<CheckpointChoice>,
    /// What is wrong with the chosen one.
    pub checkpoint_error: Option<String>,
    /// Networks.
    pub networks: Vec<Field>,
    /// Which network at the source each of those is about.
    pub hidden: Vec<(String, String)>,
    /// The machines, tier by tier.
    pub vms: Vec<FailoverVm>,
    /// Those that are not recovered, and why.
    pub left_out: Vec<(String, String)>,
    /// How the source is shut down, why, and the name to be typed.
    pub fields: Vec<Field>,
    /// The verb on the button.
    pub button: String,
    /// The other sort of failover.
    pub other: Option<Link>,
    /// The group's page.
    pub back: String,
}
