//! One checkpoint with what was in it.

use askama::Template;

use crate::web::view::{Html, Page, Status};

/// `/protection-groups/{id}/checkpoints/{guid}`.
#[derive(Template)]
#[template(path = "checkpoints/one.html")]
pub struct CheckpointPage {
    /// The frame.
    pub page: Page,
    /// Whether the DR side has it.
    pub status: Status,
    /// What is known of the checkpoint.
    pub facts: Vec<(String, Html)>,
    /// The virtual machines as they were; none: that was not kept.
    pub vms: Option<Vec<CheckpointVm>>,
}

/// A virtual machine as it was.
pub struct CheckpointVm {
    /// Its name.
    pub name: String,
    /// Whether its guest was at rest.
    pub rest: Status,
    /// Where what is known of it is from, or why it was not at rest; empty: nothing to be said.
    pub remark: String,
    /// Its hardware in one line; none: nothing was known.
    pub hardware: Option<String>,
    /// Its disks.
    pub disks: Vec<CheckpointDisk>,
    /// Its cards: label, kind, network, address.
    pub nics: Vec<(String, String, String, String)>,
}

/// A disk as it was.
pub struct CheckpointDisk {
    /// What vSphere calls it.
    pub label: String,
    /// How large it was.
    pub size: String,
    /// The file that a recovery attaches; empty: it has none.
    pub file: String,
    /// How many files that one builds upon.
    pub parents: usize,
}
