//! Opening the database: one process, a schema that this program knows, a whole file.
//!
//! A migration never touches the database in use. It runs on a copy, which is checked and then takes the
//! database's place in one rename; a crash at any moment leaves the old database or the new one.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::backup::{self, BackupError};
use super::error::Condition;
use super::lockfile::{self, LockFile};
use super::schema::{self, Migrations};

/// The database's name in the data directory.
pub(in crate::store) const DATABASE: &str = "zerfaux.db";

/// The folder of the copies made before migrations.
pub(in crate::store) const BACKUPS: &str = "backups";

/// How long to wait for another program that has the database open.
pub(in crate::store) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

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
        source: BackupError,
    },
    /// The migration failed. The database still has its old schema.
    #[error("could not migrate a copy of {} from schema version {from} to {to}; the database itself is unchanged", database.display())]
    Migrate {
        /// The file.
        database: PathBuf,
        /// The schema version it has.
        from: i64,
        /// The schema version it should have got.
        to: i64,
        /// What SQLite or refinery said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
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
            Self::Migrate { .. } => {
                "Go on with the previous version of Zerfaux, and report this with the log. If space ran \
                 out, a migration needs about twice the size of the database."
            }
            Self::Damaged { .. } => Condition::Damaged.advice(),
            Self::Database { condition, .. } => condition.advice(),
        }
    }
}

/// What [`open`] hands over.
pub(in crate::store) struct Opened {
    pub(in crate::store) writer: Connection,
    pub(in crate::store) database: PathBuf,
    pub(in crate::store) lock: LockFile,
}

/// Opens the database in `directory`, makes or migrates it where needed.
pub(in crate::store) fn open(directory: &Path, known: &Migrations) -> Result<Opened, OpenError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| OpenError::Directory { path: directory.to_owned(), source })?;
    let lock = lockfile::take(directory)?;
    let database = directory.join(DATABASE);
    let unclean = has_log(&database);
    let found = schema::version(&database, known)?;
    if found < known.newest() {
        migrate(directory, &database, found, known)?;
    }
    let failed = |source| OpenError::database("open", &database, source);
    let writer = Connection::open(&database).map_err(failed)?;
    prepare(&writer).map_err(failed)?;
    if unclean {
        require_whole(&writer, &database)?;
    }
    Ok(Opened { writer, database, lock })
}

/// The settings of the connection that writes, in the order in which they must be made.
pub(in crate::store) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_row| Ok(()))?;
    // An acknowledged write survives a power cut. With group commit that costs one flush for many writes.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // After a long read has kept the log from being reset, give the space back.
    connection.pragma_update_and_check(None, "journal_size_limit", 64 * 1024 * 1024, |_row| Ok(()))
}

/// Whether a process that did not end cleanly left a write-ahead log with something in it.
pub(in crate::store) fn has_log(database: &Path) -> bool {
    fs::metadata(backup::with_suffix(database, "-wal")).is_ok_and(|log| log.len() > 0)
}

fn require_whole(connection: &Connection, database: &Path) -> Result<(), OpenError> {
    let findings =
        schema::check(connection).map_err(|source| OpenError::database("check", database, source))?;
    if findings.is_empty() {
        return Ok(());
    }
    let newest_backup =
        database.parent().and_then(|folder| backup::kept(&folder.join(BACKUPS)).into_iter().next());
    Err(OpenError::Damaged { database: database.to_owned(), findings, newest_backup })
}

/// Makes the new database beside the old one, and puts it in its place.
fn migrate(directory: &Path, database: &Path, found: i64, known: &Migrations) -> Result<(), OpenError> {
    let next = backup::with_suffix(database, ".migrating");
    let file_failed = |source| OpenError::Directory { path: next.clone(), source };
    remove_with_log(&next).map_err(file_failed)?;
    backup::create_private(&next).map_err(file_failed)?;
    let backups = directory.join(BACKUPS);
    if found > 0 {
        let copy = back_up(database, &backups, found)?;
        fs::copy(&copy, &next).map_err(file_failed)?;
    } else {
        // Empty or missing. A log of a database that somebody deleted must not be applied to the new one.
        remove_with_log(database).map_err(file_failed)?;
    }
    let made = migrate_file(&next, known).map_err(|source| OpenError::Migrate {
        database: database.to_owned(),
        from: found,
        to: known.newest(),
        source,
    });
    match made.and_then(|()| backup::place(&next, database).map_err(file_failed)) {
        Ok(()) => {
            backup::forget_old(&backups);
            Ok(())
        }
        Err(error) => {
            // The error in hand says more than a second one about its remains; the next start removes them.
            let _removed = remove_with_log(&next);
            Err(error)
        }
    }
}

/// Copies the database to the backups, and leaves it without a log: a log must not outlive the file it
/// belongs to, or SQLite would apply it to the next one of that name.
fn back_up(database: &Path, backups: &Path, found: i64) -> Result<PathBuf, OpenError> {
    let failed = |source| OpenError::database("read", database, source);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(backups)
        .map_err(|source| OpenError::Directory { path: backups.to_owned(), source })?;
    let copy = backup::before_migration(backups, found);
    let connection = Connection::open(database).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    backup::copy(&connection, &copy)
        .map_err(|source| OpenError::Backup { database: database.to_owned(), source })?;
    connection.close().map_err(|(_connection, source)| failed(source))?;
    if has_log(database) {
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(failed(rusqlite::Error::SqliteFailure(busy, None)));
    }
    Ok(copy)
}

/// Migrates a file that nobody else uses. Foreign keys are off meanwhile, because SQLite cannot switch them
/// within a transaction and migrations may rebuild tables; they are checked before the file is used.
fn migrate_file(next: &Path, known: &Migrations) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut connection = Connection::open(next)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    known.run(&mut connection)?;
    let findings = schema::check(&connection)?;
    if !findings.is_empty() {
        return Err(format!("the migrated copy failed its check: {}", findings.join("; ")).into());
    }
    connection.close().map_err(|(_connection, error)| error)?;
    Ok(())
}

fn remove_with_log(database: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        match fs::remove_file(backup::with_suffix(database, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// A database in memory with the newest schema, for commands that keep nothing and for tests.
pub(in crate::store) fn open_in_memory(known: &Migrations) -> Result<Connection, OpenError> {
    let path = Path::new(":memory:");
    let failed = |source| OpenError::database("make", path, source);
    let mut connection = Connection::open_in_memory().map_err(failed)?;
    known.run(&mut connection).map_err(|source| OpenError::Migrate {
        database: path.to_owned(),
        from: 0,
        to: known.newest(),
        source: source.into(),
    })?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    Ok(connection)
}
