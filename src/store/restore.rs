//! Copies of a database that nobody here has opened, and the way back from such a copy.
//!
//! What is restored is an older state of the world, so it does not go on as if nothing had happened: jobs that
//! were under way become `interrupted`, and a person decides about each; the installation's generation is
//! raised, by which the appliances tell the restored one from the one it replaces.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::backup::{self, BackupError};
use super::error::Condition;
use super::open::{self, BUSY_TIMEOUT, DATABASE};
use super::open_error::OpenError;
use super::schema::{self, Migrations};
use super::{installation, lockfile};
use crate::domain::job::{Failure, JobState};

/// Why nothing was restored. The data directory then has no database, as before.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The data directory is in use.
    #[error("could not restore into {}: it has a database already", directory.display())]
    Exists {
        /// The data directory.
        directory: PathBuf,
    },
    /// The copy is not there, or is empty.
    #[error("{} is not a backup of Zerfaux: it {why}", file.display())]
    NoBackup {
        /// The copy.
        file: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The copy is damaged.
    #[error("the backup {} is damaged: {}", file.display(), findings.join("; "))]
    Damaged {
        /// The copy.
        file: PathBuf,
        /// What the checks found.
        findings: Vec<String>,
    },
    /// The copy's schema is not one that this program can use, or the directory cannot be used.
    #[error(transparent)]
    Open(OpenError),
    /// The copy could not be copied.
    #[error(transparent)]
    Copy(#[from] BackupError),
}

impl From<OpenError> for RestoreError {
    /// Damage is named as the copy's: the advice for a damaged database, to restore a copy, would be none.
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Damaged { database: file, findings, .. } => Self::Damaged { file, findings },
            other => Self::Open(other),
        }
    }
}

impl RestoreError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Exists { .. } => {
                "Name a new directory with --data-dir, or stop Zerfaux and move the old directory away first; \
                 nothing is ever restored over a database."
            }
            Self::NoBackup { .. } => "Name a file that `zerfaux backup` made.",
            Self::Damaged { .. } => "Use another backup, and check the disk that this one lies on.",
            Self::Open(error) => error.advice(),
            Self::Copy(error) => error.advice(),
        }
    }

    /// Whether it stopped in order to protect data.
    pub fn protects_data(&self) -> bool {
        matches!(self, Self::Exists { .. } | Self::Open(OpenError::Newer { .. }))
    }
}

/// What a restore has put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// Jobs that were not finished when the backup was made, and are `interrupted` now.
    pub interrupted: usize,
    /// How often this installation was restored, and one.
    pub generation: i64,
    /// Whether it holds secrets, which only its own key file opens.
    pub has_secrets: bool,
}

/// Copies the database in the data directory to `target`, whether a Zerfaux runs on it or not, without
/// migrating it, and checks the copy.
///
/// # Errors
/// If there is no database; if `target` exists, cannot be written, or fails its check.
pub fn back_up(directory: &Path, target: &Path) -> Result<(), BackupError> {
    let database = directory.join(DATABASE);
    if !database.exists() {
        return Err(BackupError::NoDatabase { database });
    }
    if target.exists() {
        return Err(BackupError::Exists { target: target.to_owned() });
    }
    let failed =
        |source| BackupError::Copy { target: target.to_owned(), condition: Condition::of(&source), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let from = Connection::open_with_flags(&database, flags).map_err(failed)?;
    from.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    let id: i32 = from.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(failed)?;
    if id != schema::APPLICATION_ID {
        return Err(BackupError::NotOurs { database });
    }
    backup::copy(&from, target)
}

/// Puts the copy `file` into the data directory as its database, which must not have one. The copy itself is
/// left as it is.
///
/// # Errors
/// If the directory has a database or another process has it; if the copy is missing, damaged, a stranger's or a
/// newer version's; or if the disk does not allow it.
pub fn restore(file: &Path, directory: &Path) -> Result<Restored, RestoreError> {
    let known = Migrations::embedded();
    let no_backup = |why| RestoreError::NoBackup { file: file.to_owned(), why };
    if !file.is_file() {
        return Err(no_backup("is no file"));
    }
    if schema::version(file, &known)? == 0 {
        return Err(no_backup("is empty"));
    }
    let failed = |source| OpenError::Directory { path: directory.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    let _lock = lockfile::take(directory)?;
    let database = directory.join(DATABASE);
    if taken(directory).map_err(failed)? {
        return Err(RestoreError::Exists { directory: directory.to_owned() });
    }
    let next = backup::with_suffix(&database, ".restoring");
    let made = fill(file, &next, &known).and_then(|restored| {
        // A log without its database must not be applied to the restored one.
        open::remove_with_log(&database).map_err(failed)?;
        backup::place(&next, &database).map_err(failed)?;
        Ok(restored)
    });
    if made.is_err() {
        // The error in hand says more than a second one about its remains.
        let _removed = open::remove_with_log(&next);
    }
    made
}

/// Whether there is a database with something in it, or the log of one. Copies from before migrations do not
/// count: they are what is restored when the database beside them is damaged and was moved away.
fn taken(directory: &Path) -> io::Result<bool> {
    let database = directory.join(DATABASE);
    let size = match std::fs::metadata(&database) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    Ok(size > 0 || open::has_log(&database))
}

fn fill(file: &Path, next: &Path, known: &Migrations) -> Result<Restored, RestoreError> {
    open::remove_with_log(next).map_err(|source| OpenError::Directory { path: next.to_owned(), source })?;
    let failed = |source| OpenError::database("read", file, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let from = Connection::open_with_flags(file, flags).map_err(failed)?;
    let findings = schema::check(&from).map_err(failed)?;
    if !findings.is_empty() {
        return Err(RestoreError::Damaged { file: file.to_owned(), findings });
    }
    let found = schema::version(file, known)?;
    backup::copy(&from, next)?;
    open::migrate_file(next, known).map_err(|source| OpenError::Migrate {
        database: next.to_owned(),
        from: found,
        to: known.newest(),
        source,
    })?;
    settle(next).map_err(|source| OpenError::database("adapt", next, source).into())
}

/// Makes what was under way a person's business.
fn settle(next: &Path) -> rusqlite::Result<Restored> {
    let mut connection = Connection::open(next)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction()?;
    let failure = Failure::permanent(
        "This job was under way when the backup was made. What has become of it since is not known here.",
    )
    .advise("Look at both ends, then have it go on (`zerfaux job retry`) or end it (`zerfaux job cancel`).");
    let failure = serde_json::to_string(&failure)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let mut interrupted = 0;
    for state in
        JobState::ALL.into_iter().filter(|state| !state.is_final() && *state != JobState::Interrupted)
    {
        interrupted += transaction.execute(
            "UPDATE jobs SET state = ?1, failure = ?2 WHERE state = ?3",
            (JobState::Interrupted.as_str(), &failure, state.as_str()),
        )?;
    }
    transaction.execute("DELETE FROM locks", [])?;
    let generation = installation::raise(&transaction)?.generation;
    let has_secrets = transaction.prepare("SELECT 1 FROM secrets")?.exists([])?;
    transaction.commit()?;
    connection.close().map_err(|(_connection, error)| error)?;
    Ok(Restored { interrupted, generation, has_secrets })
}
