//! The recovery plan of a group, and the forms that change it.

use askama::Template;

use super::protection_groups::GroupHead;
use crate::web::view::form::Field;
use crate::web::view::page::Link;
use crate::web::view::{Html, Page, Status};

/// `/protection-groups/{id}/recovery-plan`.
#[derive(Template)]
#[template(path = "recovery_plans/plan.html")]
pub struct RecoveryPlanPage {
    /// The frame.
    pub page: Page,
    /// The head of the group's pages.
    pub head: GroupHead,
    /// How far the group is.
    pub phase: Status,
    /// The same in a sentence.
    pub standing: Vec<Html>,
    /// What may be done next.
    pub verbs: Vec<VerbRow>,
    /// What is wrong with what was sent: a sentence each.
    pub errors: Vec<String>,
    /// What would fail.
    pub findings: Vec<FindingRow>,
    /// Where the DR site is asked for the rest.
    pub ask: String,
    /// Where the plan is sent.
    pub action: String,
    /// The version that is changed.
    pub version: u32,
    /// Who changed it last, and when; none: nobody did.
    pub changed: Option<(String, Html)>,
    /// Its tiers.
    pub tiers: Vec<TierRow>,
    /// What holds for machines about which nothing is said, and notes.
    pub fields: Vec<Field>,
    /// The same for those who only look: name and fact.
    pub facts: Vec<(String, Html)>,
    /// Networks at the source, in tests, in real recoveries.
    pub networks: Vec<(String, String, String)>,
    /// Where they are mapped.
    pub map: String,
}

/// A verb, and whether it may be begun.
pub struct VerbRow {
    /// What its button says.
    pub label: &'static str,
    /// The page on which it is begun; none: it has none, or may not be begun.
    pub address: Option<String>,
    /// Why it may not, or what one should know before.
    pub words: Vec<String>,
    /// Whether it may be begun.
    pub may: bool,
}

/// Something that would fail.
pub struct FindingRow {
    /// The class of its notice.
    pub kind: &'static str,
    /// The icon of its notice.
    pub icon: &'static str,
    /// When: `In tests`, `In real recoveries`; none: in both.
    pub when: Option<&'static str>,
    /// What it is about.
    pub object: String,
    /// What is wrong, and what to do.
    pub text: String,
    /// Where that is done.
    pub mend: Option<Link>,
}

/// A tier.
pub struct TierRow {
    /// 1 for the first.
    pub number: usize,
    /// Its place in the form.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// What comes after it: `then 60 s`; none: at once.
    pub after: Option<String>,
    /// Its fields.
    pub fields: Vec<Field>,
    /// Its machines.
    pub vms: Vec<PlanVmRow>,
    /// Whether it can be taken away.
    pub can_go: bool,
}

/// A machine of a tier.
pub struct PlanVmRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The page on which what the plan says of it is changed.
    pub address: String,
    /// What proves that it runs.
    pub check: String,
    /// What else the plan says.
    pub facts: Vec<String>,
    /// Whether it is not recovered.
    pub left_out: bool,
    /// Where it can go: the word that is sent, the word on screen.
    pub moves: Vec<(&'static str, &'static str)>,
}

/// `/protection-groups/{id}/recovery-plan/check`.
#[derive(Template)]
#[template(path = "recovery_plans/check.html")]
pub struct RecoveryCheck {
    /// The frame.
    pub page: Page,
    /// What would fail.
    pub findings: Vec<FindingRow>,
}

/// The forms of one machine, and of the networks.
#[derive(Template)]
#[template(path = "recovery_plans/form.html")]
pub struct RecoveryForm {
    /// The frame.
    pub page: Page,
    /// What it is for.
    pub lead: String,
    /// What is wrong with what was sent: a sentence each.
    pub errors: Vec<String>,
    /// Where it is sent.
    pub action: String,
    /// The version of the plan that is changed.
    pub version: u32,
    /// Heading, why it is asked, fields.
    pub sections: Vec<(String, String, Vec<Field>)>,
    /// Where one goes instead.
    pub back: String,
    /// What the button says.
    pub button: &'static str,
}
