//! The replica of a group: what destroying it destroys.

use askama::Template;

use crate::app::group_obstacles::Obstacle;
use crate::web::view::Page;
use crate::web::view::form::Field;

/// `/protection-groups/{id}/delete-with-replica`.
#[derive(Template)]
#[template(path = "replicas/delete.html")]
pub struct DeleteReplica {
    /// The frame.
    pub page: Page,
    /// What is about to happen.
    pub question: String,
    /// What stands in the way, what it is about first.
    pub obstacles: Vec<Obstacle>,
    /// Why nothing was done just now, or why it cannot be looked at.
    pub trouble: Option<String>,
    /// What is destroyed, a sentence each.
    pub destroyed: Vec<String>,
    /// What stays.
    pub stays: Vec<String>,
    /// The two names, and what else there is to choose.
    pub fields: Vec<Field>,
    /// Where it is sent.
    pub action: String,
    /// The verb.
    pub button: String,
    /// Where one goes instead.
    pub back: String,
}
