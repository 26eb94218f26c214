//! Which schema a database has, which one this program knows, and the way from one to the other.

use std::path::Path;

use refinery::{Migration, Runner};
use rusqlite::{Connection, OpenFlags};

use super::error::Condition;
use super::open_error::OpenError;

#[allow(unreachable_pub, missing_docs, clippy::unwrap_used)]
mod embedded {
    refinery::embed_migrations!("migrations");
}

/// "ZXX1": what V001 writes into the header of every database of Zerfaux.
pub(in crate::store) const APPLICATION_ID: i32 = 0x5a58_5831;

/// Most findings that a check names.
const FINDINGS: usize = 20;

/// Where refinery notes what it has done.
const HISTORY: &str = "refinery_schema_history";

/// The schemas this program knows, in their order.
#[derive(Clone)]
pub(in crate::store) struct Migrations {
    list: Vec<Migration>,
    /// Called every few steps of SQLite's machine while migrating, so that tests can look at the files then.
    #[cfg(test)]
    observer: Option<(i32, std::sync::Arc<dyn Fn() + Send + Sync>)>,
}

/// Those in `migrations/`.
pub(in crate::store) fn embedded_list() -> Vec<Migration> {
    embedded::migrations::runner().get_migrations().clone()
}

impl Migrations {
    /// Those in `migrations/`.
    pub(in crate::store) fn embedded() -> Self {
        Self::new(embedded_list())
    }

    pub(in crate::store) fn new(mut list: Vec<Migration>) -> Self {
        list.sort();
        Self {
            list,
            #[cfg(test)]
            observer: None,
        }
    }

    #[cfg(test)]
    pub(in crate::store) fn observed(
        mut self,
        every: i32,
        observer: std::sync::Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        self.observer = Some((every, observer));
        self
    }

    /// The newest schema's version.
    pub(in crate::store) fn newest(&self) -> i64 {
        self.list.last().map_or(0, |migration| i64::from(migration.version()))
    }

    /// Brings the database to the newest schema.
    ///
    /// `set_grouped` is not a matter of taste: without it refinery commits a migration and the note that it
    /// was done in two transactions, and a crash between them leaves a database that no later start can
    /// migrate.
    pub(in crate::store) fn run(&self, connection: &mut Connection) -> Result<(), refinery::Error> {
        #[cfg(test)]
        if let Some((every, observer)) = self.observer.clone() {
            let look = move || {
                observer();
                false
            };
            connection.progress_handler(every, Some(look)).expect("a test may fail here");
        }
        Runner::new(&self.list).set_grouped(true).run(connection).map(drop)
    }

    /// Refuses a history that is not a beginning of ours.
    fn compare(&self, path: &Path, applied: &[Applied]) -> Result<(), OpenError> {
        let diverged = |version, name: &str| OpenError::Diverged {
            database: path.to_owned(),
            version,
            name: name.to_owned(),
        };
        let found = applied.iter().map(|one| one.version).max().unwrap_or(0);
        for one in applied {
            let same = self.list.iter().any(|ours| {
                i64::from(ours.version()) == one.version
                    && ours.name() == one.name
                    && ours.checksum().to_string() == one.checksum
            });
            if !same {
                return Err(diverged(one.version, &one.name));
            }
        }
        for ours in self.list.iter().filter(|ours| i64::from(ours.version()) <= found) {
            if !applied.iter().any(|one| one.version == i64::from(ours.version())) {
                return Err(diverged(i64::from(ours.version()), ours.name()));
            }
        }
        Ok(())
    }
}

struct Applied {
    version: i64,
    name: String,
    checksum: String,
}

/// The version of the schema in this file, without changing anything: 0 if the file is empty or missing.
///
/// # Errors
/// If it is not a database of Zerfaux, if its schema is newer than `known`, or was not made by `known`.
pub(in crate::store) fn version(path: &Path, known: &Migrations) -> Result<i64, OpenError> {
    let size = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(source) => return Err(OpenError::Directory { path: path.to_owned(), source }),
    };
    if size == 0 {
        return Ok(0);
    }
    let failed = |source| OpenError::database("read the schema of", path, source);
    let connection = open_untouched(path).map_err(failed)?;
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(failed)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE tbl_name <> ?1", [HISTORY], |row| row.get(0))
        .map_err(failed)?;
    if tables == 0 {
        return Ok(0);
    }
    if id != APPLICATION_ID {
        return Err(OpenError::NotOurs { database: path.to_owned() });
    }
    let applied = history(&connection).map_err(failed)?;
    let found = applied.iter().map(|one| one.version).max().unwrap_or(0);
    if found > known.newest() {
        return Err(OpenError::Newer { database: path.to_owned(), found, known: known.newest() });
    }
    known.compare(path, &applied)?;
    Ok(found)
}

/// Read-only, and, where the database was closed cleanly, without even the log and the shared-memory file
/// that SQLite otherwise makes beside a database in WAL mode. (The lock on the directory is held, so nobody
/// changes the file meanwhile.)
fn open_untouched(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if super::open::has_log(path) {
        return Connection::open_with_flags(path, flags);
    }
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                uri.push(char::from(*byte))
            }
            other => uri.push_str(&format!("%{other:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
}

fn history(connection: &Connection) -> rusqlite::Result<Vec<Applied>> {
    let mut statement =
        connection.prepare(&format!("SELECT version, name, checksum FROM {HISTORY} ORDER BY version"))?;
    let rows = statement.query_map([], |row| {
        Ok(Applied { version: row.get(0)?, name: row.get(1)?, checksum: row.get(2)? })
    })?;
    rows.collect()
}

/// What `integrity_check` and `foreign_key_check` find wrong: nothing, if all is well.
///
/// # Errors
/// If the checks could not be made. Damage that stops them is a finding.
pub(in crate::store) fn check(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut findings = Vec::new();
    match find_damage(connection, &mut findings) {
        Err(error) if Condition::of(&error) == Condition::Damaged => findings.push(error.to_string()),
        checked => checked?,
    }
    Ok(findings)
}

fn find_damage(connection: &Connection, findings: &mut Vec<String>) -> rusqlite::Result<()> {
    let most = FINDINGS;
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({most})"))?;
    for line in statement.query_map([], |row| row.get::<_, String>(0))? {
        findings.push(line?);
    }
    findings.retain(|line| line != "ok");
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let dangling = statement.query_map([], |row| {
        let (child, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("a row of {child} points to a row of {parent} that does not exist"))
    })?;
    for finding in dangling.take(FINDINGS) {
        findings.push(finding?);
    }
    Ok(())
}
