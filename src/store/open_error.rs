//! Why a database is not opened, in words that an operator can act on.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use super::backup::{self, BackupError};
use super::error::Condition;
use super::open::BACKUPS;

/// Why the database was not opened. It is as it was before, but for a log that a crash had left and that
/// SQLite may have moved into it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory cannot be used.
    #[error("could not use {} as part of the data directory", path.display())]
    Directory {
        /// The directory, or the file in it.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Another process has it.
    #[error("the data directory {} is in use by {holder}", directory.display())]
    Held {
        /// The data directory.
        directory: PathBuf,
        /// Who wrote itself into the lock file.
        holder: String,
    },
    /// A database, or another file, that Zerfaux did not make.
    #[error("{} is not a database of Zerfaux", database.display())]
    NotOurs {
        /// The file.
        database: PathBuf,
    },
    /// A later version of Zerfaux migrated it.
    #[error(
        "the database {} has schema version {found}; this version of Zerfaux knows schema versions up to {known}",
        database.display()
    )]
    Newer {
        /// The file.
        database: PathBuf,
        /// The schema's version in the file.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// Its schema was not made by the migrations of this program.
    #[error("step {version} ({name}) of the schema of {} differs from what Zerfaux would have done", database.display())]
    Diverged {
        /// The file.
        database: PathBuf,
        /// The first schema version that differs, or is missing on one side.
        version: i64,
        /// Its name.
        name: String,
    },
    /// The copy that precedes a migration could not be made.
    #[error("could not back up the database {} before migrating it", database.display())]
    Backup {
        /// The file.
        database: PathBuf,
        /// Why.
        #[source]
        source: Box<BackupError>,
    },
    /// The migration failed. The database still has its old schema.
    #[error("{}", migration(database, *from, *to))]
    Migrate {
        /// The file.
        database: PathBuf,
        /// The schema version it has; 0 if there was no database yet.
        from: i64,
        /// The schema version it should have got.
        to: i64,
        /// What SQLite or refinery said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file is not what SQLite wrote.
    #[error("the database {} is damaged: {}{}", database.display(), findings.join("; "), newest_copy(newest_backup.as_deref()))]
    Damaged {
        /// The file.
        database: PathBuf,
        /// What was found.
        findings: Vec<String>,
        /// The copy to go back to, if there is one.
        newest_backup: Option<PathBuf>,
    },
    /// SQLite could not do something else.
    #[error("could not {attempted} the database {}: {condition}", database.display())]
    Database {
        /// What was attempted.
        attempted: &'static str,
        /// The file.
        database: PathBuf,
        /// The sort of trouble.
        condition: Condition,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
}

fn newest_copy(copy: Option<&Path>) -> String {
    copy.map_or_else(String::new, |path| format!("; the newest copy is {}", path.display()))
}

fn migration(database: &Path, from: i64, to: i64) -> String {
    let database = database.display();
    match from {
        0 => format!("could not make the database {database}"),
        _ => format!(
            "could not migrate a copy of {database} from schema version {from} to {to}; the database itself is unchanged"
        ),
    }
}

impl OpenError {
    pub(in crate::store) fn database(
        attempted: &'static str,
        database: &Path,
        source: rusqlite::Error,
    ) -> Self {
        let database = database.to_owned();
        match Condition::of(&source) {
            Condition::Damaged => {
                let newest_backup = database
                    .parent()
                    .and_then(|directory| backup::kept(&directory.join(BACKUPS)).into_iter().next());
                Self::Damaged { database, findings: vec![source.to_string()], newest_backup }
            }
            condition => Self::Database { attempted, database, condition, source },
        }
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Directory { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Condition::DiskFull.advice(),
                _ => Condition::ReadOnly.advice(),
            },
            Self::Held { .. } => "Stop that process first, or give this one a data directory of its own.",
            Self::NotOurs { .. } => "Name another data directory; nothing was changed in this one.",
            Self::Newer { .. } => {
                "Use the version of Zerfaux that last ran here, or a later one. To go back for good, put the \
                 copy from the `backups` folder, made before the database was migrated, in its place."
            }
            Self::Diverged { .. } => {
                "The database was made by a development build, or changed by hand: use the build that made \
                 it, or restore a backup."
            }
            Self::Backup { source, .. } => source.advice(),
            Self::Migrate { source, .. } => match Condition::in_chain(source.as_ref()) {
                Some(condition @ (Condition::DiskFull | Condition::ReadOnly | Condition::Io)) => {
                    condition.advice()
                }
                _ => "Go on with the previous version of Zerfaux, and report this with the log.",
            },
            Self::Damaged { .. } => Condition::Damaged.advice(),
            Self::Database { condition, .. } => condition.advice(),
        }
    }
}
