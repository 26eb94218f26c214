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

use super::backup;
use super::lockfile::{self, LockFile};
use super::open_error::OpenError;
use super::schema::{self, Migrations};

/// The database's name in the data directory.
pub(in crate::store) const DATABASE: &str = "zerfaux.db";

/// The folder of the copies made before migrations.
pub(in crate::store) const BACKUPS: &str = "backups";

/// How long to wait for another program that has the database open.
pub(in crate::store) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements that a connection keeps: more than this room has.
pub(in crate::store) const STATEMENTS: usize = 128;

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

/// A connection that writes beside the process that has the directory, and the database's path; None if its schema is
/// not the newest one, which only the process that has the directory may change.
pub(in crate::store) fn beside(
    directory: &Path,
    known: &Migrations,
) -> Result<Option<(Connection, PathBuf)>, OpenError> {
    let database = directory.join(DATABASE);
    if schema::version(&database, known)? != known.newest() {
        return Ok(None);
    }
    let failed = |source| OpenError::database("open", &database, source);
    let writer = Connection::open(&database).map_err(failed)?;
    prepare(&writer).map_err(failed)?;
    Ok(Some((writer, database)))
}

/// The settings of the connection that writes, in the order in which they must be made.
pub(in crate::store) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
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
        .map_err(|source| OpenError::Backup { database: database.to_owned(), source: Box::new(source) })?;
    connection.close().map_err(|(_connection, source)| failed(source))?;
    if has_log(database) {
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(failed(rusqlite::Error::SqliteFailure(busy, None)));
    }
    Ok(copy)
}

/// Migrates a file that nobody else uses. Foreign keys are off meanwhile, because SQLite cannot switch them
/// within a transaction and migrations may rebuild tables; they are checked before the file is used.
pub(in crate::store) fn migrate_file(
    next: &Path,
    known: &Migrations,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
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

pub(in crate::store) fn remove_with_log(database: &Path) -> io::Result<()> {
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
