//! Groups that appliances have and this installation does not know.

use askama::Template;

use crate::web::view::Page;
use crate::web::view::form::Field;

/// `/protection-groups/adopt`.
#[derive(Template)]
#[template(path = "adoption/list.html")]
pub struct Adoption {
    /// The frame.
    pub page: Page,
    /// The groups, by name.
    pub groups: Vec<AdoptableRow>,
    /// Why one that is not among them was not taken over.
    pub trouble: Option<String>,
    /// Appliances that did not answer, and why.
    pub silent: Vec<(String, String)>,
    /// Whether no appliance or no vCenter is connected yet: what is missing, and where it is added.
    pub first: Option<(String, String)>,
}

/// One group.
pub struct AdoptableRow {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Where its live dataset lies.
    pub live: String,
    /// Where its replica lies.
    pub replica: String,
    /// How many checkpoints that has.
    pub checkpoints: usize,
    /// Why it cannot be taken over as it is.
    pub obstacle: Option<String>,
    /// Why it was not taken over just now.
    pub error: Option<String>,
    /// What can be added where the datasets do not tell.
    pub fields: Vec<Field>,
}
