//! The database: the only place with SQL. One file per noun.
//!
//! In: opening and migrating it, reads, writes, backups, and the named functions of each noun. Out: what the
//! rows mean (`domain`), and when to write them (`engine`, `app`).
//!
//! # What holds when a call returns
//!
//! * **A write that returned `Ok` is on the disk.** The transaction is committed and its log flushed
//!   (`synchronous=FULL`) before the call returns; it survives `kill -9` and a power cut, as far as the disk
//!   keeps its promise to flush.
//! * **A write is whole or absent**, to readers and after a crash: each named function is one transaction,
//!   for example [`Store::record_event`] with the event and the change of its job.
//! * **A write that returned an error is not there.** Neighbours in the same commit are not hurt by it, unless
//!   the disk failed or was full: then every write of that commit is undone, and every caller is told. (One
//!   exception that no database escapes: if the disk fails in the very flush of a commit, and the machine
//!   then crashes before the next write, the commit may come back.)
//! * **A read sees every write acknowledged before it began**, and all its statements see one moment.
//! * **A caller that stops waiting does not stop the write**: dropping the future leaves its outcome unknown.
//!
//! # How
//!
//! One thread writes, so nothing in the process ever waits for a lock of SQLite's, and commits are shared
//! (`writer.rs`). Reads run beside it on read-only connections (`reader.rs`). One process has the data
//! directory (`lockfile.rs`). Migrations happen on a copy, after a backup (`open.rs`, `schema.rs`).

mod adoption;
mod audit;
mod backup;
mod checkpoints;
mod dr_shells;
mod drafts;
mod error;
mod group_keys;
mod group_preflights;
mod idempotent;
mod installation;
mod inventory;
mod inventory_read;
mod job_list;
mod job_log;
mod job_notices;
mod job_start;
mod jobs;
mod lockfile;
mod locks;
mod manifests;
mod open;
mod open_error;
mod protected_vms;
mod protection_groups;
mod reader;
mod recovery_again;
mod recovery_plans;
mod recovery_prompts;
mod recovery_run_steps;
mod recovery_runs;
mod recovery_states;
mod references;
mod replicas;
mod restore;
mod rpo_history;
mod schedules;
mod schema;
mod secrets;
mod sessions;
mod settings;
mod sign_ins;
mod ssh_key_successors;
mod ssh_keys;
mod target_health;
mod targets;
mod templates;
#[cfg(test)]
mod tests;
mod tokens;
mod users;
mod values;
mod vcenter_certificates;
mod vcenters;
mod vm_snapshots;
mod writer;

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

pub use self::audit::AuditFilter;
pub use self::backup::BackupError;
pub use self::checkpoints::RunStart;
pub use self::drafts::Draft;
pub use self::error::{Condition, Refusal, StoreError};
pub use self::idempotent::{KeptAnswer, Repeat};
pub use self::installation::Installation;
pub use self::job_list::JobOrder;
pub use self::job_start::{Beside, JobStart};
pub use self::jobs::{JobChange, JobFilter};
pub use self::locks::{Lock, LockOutcome};
pub use self::open_error::OpenError;
pub use self::recovery_run_steps::{RunVmChange, Tested};
pub use self::recovery_runs::{CleanupStart, RecoveryStart};
pub use self::restore::{RestoreError, Restored, back_up, restore};
pub use self::rpo_history::RpoSample;
pub use self::schedules::{Due, Schedule};
pub use self::secrets::{SecretRow, WrappedKey};
pub use self::sign_ins::Attempts;
pub use self::users::UserChange;
pub use self::writer::Statistics;

use self::error::Problem;
use self::reader::Readers;
use self::schema::Migrations;
use self::writer::Writer;

/// The database. Cheap to clone; the last clone dropped closes it (and waits for writes that still queue).
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// Fields are dropped in this order: the writer last, so that its connection is the last one, which tidies up.
struct Inner {
    /// `None` for a database in memory, which has one connection.
    readers: Option<Readers>,
    writer: Writer,
}

impl Store {
    /// Opens the database in the directory `data`, and makes both where they are missing.
    ///
    /// An older schema is migrated after a copy was put into `data/backups`; of these copies the newest three
    /// are kept. After a crash, and after a migration, the whole database is checked. Blocks; the disk may
    /// be slow.
    ///
    /// # Errors
    /// If another process has the directory, if a newer version of Zerfaux wrote the database, if it is
    /// damaged, or if the disk is full or read-only. The database is then as it was.
    pub fn open(data: &Path) -> Result<Self, OpenError> {
        Self::open_with(data, &Migrations::embedded())
    }

    fn open_with(data: &Path, migrations: &Migrations) -> Result<Self, OpenError> {
        let opened = open::open(data, migrations)?;
        let writer = Writer::start(opened.writer, opened.lock)
            .map_err(|source| OpenError::Directory { path: data.to_owned(), source })?;
        Ok(Self::of(writer, Some(Readers::new(opened.database))))
    }

    /// Opens the database in the directory `data` beside another process that has it, or as [`Store::open`] where
    /// none has. For short commands only: writes of both wait for each other, and no jobs may be run.
    ///
    /// # Errors
    /// As [`Store::open`]; and if another process has the directory while the schema is not this program's.
    pub fn open_beside(data: &Path) -> Result<Self, OpenError> {
        match Self::open(data) {
            Err(held @ OpenError::Held { .. }) => {
                let Some((writer, database)) = open::beside(data, &Migrations::embedded())? else {
                    return Err(held);
                };
                let writer = Writer::start(writer, ())
                    .map_err(|source| OpenError::Directory { path: data.to_owned(), source })?;
                Ok(Self::of(writer, Some(Readers::new(database))))
            }
            opened => opened,
        }
    }

    /// A database that is gone with its last clone, for commands that keep nothing and for tests.
    ///
    /// # Errors
    /// Only if memory or threads run out.
    pub fn open_in_memory() -> Result<Self, OpenError> {
        let connection = open::open_in_memory(&Migrations::embedded())?;
        let writer = Writer::start(connection, ())
            .map_err(|source| OpenError::Directory { path: ":memory:".into(), source })?;
        Ok(Self::of(writer, None))
    }

    fn of(writer: Writer, readers: Option<Readers>) -> Self {
        Self { inner: Arc::new(Inner { readers, writer }) }
    }

    /// Finishes what was begun, moves the log into the database file, and lets the data directory go.
    ///
    /// When this returns, another process can open the directory; later calls on any clone are refused.
    pub async fn close(&self) {
        if let Some(readers) = &self.inner.readers {
            readers.close().await;
        }
        self.inner.writer.close().await;
    }

    /// How many writes were committed, and in how many commits.
    pub fn statistics(&self) -> Statistics {
        self.inner.writer.statistics()
    }

    /// Checks the whole database: every page, index and reference. Slow on a large one.
    ///
    /// # Errors
    /// If it cannot be read. What was found wrong is the result, one sentence each; empty means sound.
    pub async fn check(&self) -> Result<Vec<String>, StoreError> {
        self.read("check the database", |connection| Ok(schema::check(connection)?)).await
    }

    /// `attempted` completes "could not …".
    async fn read<T, F>(&self, attempted: impl Into<String>, closure: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Problem> + Send + 'static,
    {
        match &self.inner.readers {
            Some(readers) => readers.read(attempted.into(), closure).await,
            None => self.inner.writer.write(attempted.into(), closure).await,
        }
    }

    /// `attempted` completes "could not …". The closure runs in a transaction of its own and may be rolled
    /// back after it returned `Ok`, so it must do nothing but use the connection.
    async fn write<T, F>(&self, attempted: impl Into<String>, closure: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Problem> + Send + 'static,
    {
        self.inner.writer.write(attempted.into(), closure).await
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
