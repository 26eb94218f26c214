//! The audit log: look, export, prove.

use jiff::Timestamp;
use serde_json::Value;

use super::{App, AppError, Principal};
use crate::domain::audit::{AuditEntry, AuditLine, AuditVerdict, Outcome};

pub use crate::store::AuditFilter;

/// Lines in one part of an export.
const PART: usize = 1000;

impl App {
    /// The lines that match, newest first, and how many match in all pages.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn audit_lines(&self, filter: &AuditFilter) -> Result<(Vec<AuditLine>, u64), AppError> {
        Ok(self.store.audit_lines(filter).await?)
    }

    /// The next lines of an export, oldest first; empty at the end.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn audit_after(&self, seq: i64) -> Result<Vec<AuditLine>, AppError> {
        Ok(self.store.audit_after(seq, PART).await?)
    }

    /// Examines the whole chain.
    ///
    /// # Errors
    /// If the database does not answer. A broken chain is no error but the result.
    pub async fn verify_audit(&self) -> Result<AuditVerdict, AppError> {
        Ok(self.store.verify_audit().await?)
    }

    /// A line about what `who` did to `object`.
    pub(super) fn entry(
        &self,
        who: &Principal,
        action: &str,
        object: impl Into<String>,
        outcome: Outcome,
        details: Value,
    ) -> AuditEntry {
        entry(self.clock.now(), who, action, object, outcome, details)
    }
}

/// A line about what `who` did to `object` at `at`.
pub(super) fn entry(
    at: Timestamp,
    who: &Principal,
    action: &str,
    object: impl Into<String>,
    outcome: Outcome,
    details: Value,
) -> AuditEntry {
    AuditEntry {
        at,
        actor: who.actor(),
        source: who.source.clone(),
        action: action.to_owned(),
        object: object.into(),
        outcome,
        details,
    }
}
