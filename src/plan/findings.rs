//! What planners find: obstacles and warnings, each by the field that it is about.

use serde::Serialize;

/// Something that stands in the way, or that one should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The field that it is about, as the API calls it.
    pub field: &'static str,
    /// What it is, and what to do.
    pub message: String,
}

/// Collects findings while places are looked up.
#[derive(Default)]
pub(super) struct Notes {
    obstacles: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl Notes {
    /// Something that stands in the way.
    pub(super) fn obstacle(&mut self, field: &'static str, message: impl Into<String>) {
        self.obstacles.push(Finding { field, message: message.into() });
    }

    /// Something that one should know.
    pub(super) fn warning(&mut self, field: &'static str, message: impl Into<String>) {
        self.warnings.push(Finding { field, message: message.into() });
    }

    /// The one thing of that reference or name; what is wrong is noted.
    pub(super) fn one<'a, T>(
        &mut self,
        (field, what): (&'static str, &str),
        named: &str,
        all: impl Iterator<Item = &'a T> + Clone,
        told: impl Fn(&T) -> (&str, &str),
    ) -> Option<&'a T> {
        if let Some(found) = all.clone().find(|one| told(one).0 == named) {
            return Some(found);
        }
        let mut with_name = all.filter(|one| told(one).1 == named);
        match (with_name.next(), with_name.next()) {
            (Some(one), None) => Some(one),
            (Some(_), Some(_)) => {
                self.obstacle(
                    field,
                    format!("The vCenter has several {what}s {named:?}. Choose one by its reference."),
                );
                None
            }
            (None, _) => {
                self.obstacle(
                    field,
                    format!("The {what} {named:?} is not in the vCenter. Choose another, or synchronise the vCenter."),
                );
                None
            }
        }
    }

    /// Whether something stands in the way.
    pub(super) fn is_blocked(&self) -> bool {
        !self.obstacles.is_empty()
    }

    /// What was found: obstacles, then warnings.
    pub(super) fn into_parts(self) -> (Vec<Finding>, Vec<Finding>) {
        (self.obstacles, self.warnings)
    }
}
