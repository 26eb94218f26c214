//! Backups: a copy of the database in one file, and the way back. Neither needs a running application.

use std::path::Path;

pub use crate::store::{BackupError, RestoreError, Restored};

/// Copies the database of this data directory to `file`, also while another Zerfaux works on it. Blocks.
///
/// # Errors
/// If there is no database, or `file` exists, cannot be written, or fails its check.
pub fn back_up(data_dir: &Path, file: &Path) -> Result<(), BackupError> {
    crate::store::back_up(data_dir, file)
}

/// Makes the copy `file` the database of this data directory, which must not have one. Blocks.
///
/// # Errors
/// If there is a database already, or the copy cannot be used.
pub fn restore(file: &Path, data_dir: &Path) -> Result<Restored, RestoreError> {
    crate::store::restore(file, data_dir)
}
