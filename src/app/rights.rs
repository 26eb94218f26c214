//! What our user may in a vCenter, by the names of privileges.

use super::AppError;
use super::vcenters::VcenterCases;
use crate::domain::ids::VcenterId;
use crate::domain::privileges::{NEEDED, needed_to};

/// A privilege that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingRight {
    /// Its id, such as `Host.Config.Storage`.
    pub privilege: String,
    /// What it is needed for, as a verb.
    pub needed_to: &'static str,
}

impl VcenterCases {
    /// Which of the privileges that Zerfaux needs its user lacks on the root of a vCenter's inventory. One that was
    /// given further below only is among them.
    ///
    /// # Errors
    /// If there is no such connection, or it does not answer.
    pub async fn missing_rights(&self, id: VcenterId) -> Result<Vec<MissingRight>, AppError> {
        self.get(id).await?;
        let wanted: Vec<_> = NEEDED.iter().map(|(privilege, _)| *privilege).collect();
        let missing = self.sessions().missing_privileges(id, &wanted).await?;
        let right = |privilege: String| MissingRight {
            needed_to: needed_to(&privilege).unwrap_or("work"),
            privilege,
        };
        Ok(missing.into_iter().map(right).collect())
    }
}
