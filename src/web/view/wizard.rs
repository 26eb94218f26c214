//! Wizards: the steps above the question, and the plan that the review shows.

/// A step in the line above a wizard's question, drawn by `steps` in `partials/wizard.html`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WizardStep {
    /// What it asks: `Network`.
    pub name: String,
    /// Where it is, once it is done: done steps can be gone back to.
    pub address: Option<String>,
    /// Whether one is there now.
    pub current: bool,
}

/// A line of a plan, drawn by `plan` in `partials/wizard.html`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanStep {
    /// What will be done.
    pub what: String,
    /// On what.
    pub on: String,
    /// How long it will take, in words; empty where nobody can say.
    pub takes: String,
}
