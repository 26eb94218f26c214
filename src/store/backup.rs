//! Copies of the database: whole, checked, and in one file.
//!
//! A copy is made by SQLite's backup interface from one read transaction, so it holds everything that was
//! acknowledged before it began and never half of a write; the database stays in use meanwhile. It is checked
//! before it gets its name, so a file with that name is a good copy.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::error::{Condition, StoreError};
use super::{Store, schema};

/// Copies kept from before migrations.
const KEPT: usize = 3;

/// Why there is no copy. Nothing is left behind under the copy's name.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to copy.
    #[error("there is no database {}", database.display())]
    NoDatabase {
        /// Where it should be.
        database: PathBuf,
    },
    /// What is there was not made by Zerfaux.
    #[error("{} is not a database of Zerfaux", database.display())]
    NotOurs {
        /// The file.
        database: PathBuf,
    },
    /// A file of that name exists; a backup never replaces one.
    #[error("could not back up the database to {}: a file of that name exists", target.display())]
    Exists {
        /// Where the copy should have gone.
        target: PathBuf,
    },
    /// The file could not be made, flushed or named.
    #[error("could not write a copy of the database to {}", target.display())]
    File {
        /// Where the copy should have gone.
        target: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// SQLite could not copy.
    #[error("could not copy the database to {}: {condition}", target.display())]
    Copy {
        /// Where the copy should have gone.
        target: PathBuf,
        /// The sort of trouble.
        condition: Condition,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The copy, and so the database, did not pass its check.
    #[error("the copy of the database for {} failed its check: {}", target.display(), findings.join("; "))]
    Damaged {
        /// Where the copy should have gone.
        target: PathBuf,
        /// What `integrity_check` and `foreign_key_check` found.
        findings: Vec<String>,
    },
    /// The database could not be read.
    #[error("could not begin to copy the database to {}", target.display())]
    Store {
        /// Where the copy should have gone.
        target: PathBuf,
        /// Why.
        #[source]
        source: Box<StoreError>,
    },
}

impl BackupError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoDatabase { .. } | Self::NotOurs { .. } => {
                "Name the data directory with --data-dir. Without one `zerfaux replicate` keeps nothing, and \
                 there is nothing to back up."
            }
            Self::Exists { .. } => "Choose another name, or move the old file away.",
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Condition::DiskFull.advice(),
                io::ErrorKind::NotFound => "Make the folder first, or choose one that exists.",
                _ => "Check that the folder can be written by the user that Zerfaux runs as.",
            },
            Self::Copy { condition, .. } => condition.advice(),
            Self::Damaged { .. } => Condition::Damaged.advice(),
            Self::Store { source, .. } => source.advice(),
        }
    }
}

impl Store {
    /// Copies the database to `target` while it is in use, and checks the copy.
    ///
    /// When this returns, `target` is on the disk, passed its check, and holds every write that was
    /// acknowledged before the call. Secrets in it are sealed as they are in the database.
    ///
    /// # Errors
    /// If `target` exists, cannot be written, or fails its check. Nothing of that name is then left.
    pub async fn backup(&self, target: &Path) -> Result<(), BackupError> {
        let (to, file) = (target.to_owned(), target.to_owned());
        let attempt = format!("copy the database to {}", target.display());
        self.read(attempt, move |connection| {
            if file.exists() {
                return Ok(Err(BackupError::Exists { target: file }));
            }
            Ok(copy(connection, &file))
        })
        .await
        .unwrap_or_else(|source| Err(BackupError::Store { target: to, source: Box::new(source) }))
    }
}

/// Copies the database behind `from` to `target`, replacing what has that name.
pub(in crate::store) fn copy(from: &Connection, target: &Path) -> Result<(), BackupError> {
    let unfinished = with_suffix(target, ".unfinished");
    let made = fill(from, &unfinished, target).and_then(|()| {
        place(&unfinished, target).map_err(|source| BackupError::File { target: target.to_owned(), source })
    });
    if made.is_err() {
        // The error in hand says more than a second one about its remains.
        let _removed = fs::remove_file(&unfinished);
    }
    made
}

fn fill(from: &Connection, unfinished: &Path, target: &Path) -> Result<(), BackupError> {
    let target = || target.to_owned();
    let failed = |source| BackupError::Copy { target: target(), condition: Condition::of(&source), source };
    create_private(unfinished).map_err(|source| BackupError::File { target: target(), source })?;
    let mut to = Connection::open(unfinished).map_err(failed)?;
    let step = Backup::new(from, &mut to).and_then(|backup| backup.step(-1)).map_err(failed)?;
    if step != StepResult::Done {
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(failed(rusqlite::Error::SqliteFailure(busy, None)));
    }
    // One file that opens anywhere, instead of one that wants a log beside it.
    to.pragma_update_and_check(None, "journal_mode", "DELETE", |_row| Ok(())).map_err(failed)?;
    let findings = schema::check(&to).map_err(failed)?;
    if !findings.is_empty() {
        return Err(BackupError::Damaged { target: target(), findings });
    }
    to.close().map_err(|(_connection, source)| failed(source))
}

/// Makes an empty file that only its owner can read, in place of what has that name.
pub(in crate::store) fn create_private(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

/// Gives a finished file its name, so that after a power cut there is the old file or the new one, whole.
pub(in crate::store) fn place(finished: &Path, target: &Path) -> io::Result<()> {
    File::open(finished)?.sync_all()?;
    fs::rename(finished, target)?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// `path` with `suffix` after its last letter.
pub(in crate::store) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The name of the copy made before the schema of this version is migrated.
pub(in crate::store) fn before_migration(folder: &Path, version: i64) -> PathBuf {
    folder.join(format!("zerfaux-schema-{version:03}.db"))
}

/// The copies made before migrations, newest schema first.
pub(in crate::store) fn kept(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let version = |path: &Path| -> Option<i64> {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix("zerfaux-schema-")?.strip_suffix(".db")?.parse().ok()
    };
    let mut copies: Vec<(i64, PathBuf)> =
        entries.filter_map(|entry| version(&entry.path()).map(|version| (version, entry.path()))).collect();
    copies.sort();
    copies.into_iter().rev().map(|(_version, path)| path).collect()
}

/// Removes all but the newest copies. Called only after a migration that went well.
pub(in crate::store) fn forget_old(folder: &Path) {
    for path in kept(folder).into_iter().skip(KEPT) {
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(error = %error, path = %path.display(), "could not remove an old copy of the database");
        }
    }
}
