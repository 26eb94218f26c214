//! Writing to standard output and standard error. A reader that has gone away (`zerfaux job list | head`) is no
//! reason to panic, and none to stop a replication.

use std::fmt::Display;
use std::io::Write;

use serde_json::Value;

/// A result, on standard output.
pub(super) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// One JSON object on a line of its own, on standard output.
pub(super) fn json(value: &Value) {
    line(value);
}

/// A remark, on standard error.
pub(super) fn remark(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
