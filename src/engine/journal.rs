//! (being built) What a running job writes.
use serde_json::Value;

use crate::domain::job::{Failure, Level};

/// What a running job writes: events, console lines, progress.
pub(super) struct Journal {}

impl Journal {
    pub(super) async fn note(&self, _step: &str, _note: Value) -> Result<(), Failure> {
        Ok(())
    }
    pub(super) fn last_note(&self, _step: &str) -> Option<Value> {
        None
    }
    pub(super) fn console(&self, _level: Level, _message: String) {}
    pub(super) fn warn(&self, _message: String) {}
    pub(super) fn progress(&self, _percent: u8) {}
    pub(super) fn details(&self, _details: Value) {}
}
