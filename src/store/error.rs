//! What can go wrong with the database, in words that an operator can act on.

use std::fmt;

use rusqlite::ErrorCode;

use crate::domain::ids::JobId;

/// Why a read or a write was not done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite could not do it. A write that ends so is not visible to any later read of this process.
    #[error("could not {attempted}: {condition}")]
    Database {
        /// What was attempted on what, after "could not".
        attempted: String,
        /// The sort of trouble.
        condition: Condition,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The database is well, but what was asked for is not allowed. Nothing was changed.
    #[error("could not {attempted}: {reason}")]
    Refused {
        /// What was attempted on what, after "could not".
        attempted: String,
        /// The rule that forbids it.
        reason: Refusal,
    },
    /// The code that used the database panicked. What it had written is rolled back.
    #[error("could not {attempted}: the code doing it panicked")]
    Panicked {
        /// What was attempted on what, after "could not".
        attempted: String,
    },
    /// The store was closed, or its writer thread is gone. Whether the last write was kept is unknown.
    #[error("could not {attempted}: the database is closed")]
    Closed {
        /// What was attempted on what, after "could not".
        attempted: String,
    },
}

impl StoreError {
    pub(in crate::store) fn database(attempted: impl Into<String>, source: rusqlite::Error) -> Self {
        let condition = Condition::of(&source);
        Self::Database { attempted: attempted.into(), condition, source }
    }

    pub(in crate::store) fn from_problem(attempted: String, problem: Problem) -> Self {
        match problem {
            Problem::Sql(source) => Self::database(attempted, source),
            Problem::Refused(reason) => Self::Refused { attempted, reason },
        }
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Database { condition, .. } => condition.advice(),
            Self::Refused { reason, .. } => reason.advice(),
            Self::Panicked { .. } => "This is a bug in Zerfaux: please report it with the log.",
            Self::Closed { .. } => "Zerfaux is shutting down; start it again and look at the result.",
        }
    }

    /// The sort of trouble, if SQLite had any.
    pub fn condition(&self) -> Option<Condition> {
        match self {
            Self::Database { condition, .. } => Some(*condition),
            _ => None,
        }
    }

    /// The rule that forbade it, if one did.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

/// A rule of the store that forbids what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no row of that name or id.
    #[error("there is no {0}")]
    NotFound(String),
    /// There is one already.
    #[error("there already is {0}")]
    AlreadyExists(String),
    /// An event, or a console line, out of its order.
    #[error("the next number is {expected}, not {found}")]
    OutOfOrder {
        /// The only number that is taken next.
        expected: i64,
        /// The number that was given.
        found: i64,
    },
    /// A job in a final state takes no locks, because nothing would ever release them.
    #[error("job {0} has already finished")]
    Finished(JobId),
    /// Something depends on it.
    #[error("it is {0}")]
    Needed(String),
    /// The row is no longer as the caller read it.
    #[error("{0} has changed meanwhile")]
    Changed(String),
}

impl Refusal {
    fn advice(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "It may have been deleted meanwhile: load the list again.",
            Self::AlreadyExists(_) => "Choose another name, or change the existing one.",
            Self::OutOfOrder { .. } => {
                "Two runners wrote to one job, which is a bug in Zerfaux: please report it with the log."
            }
            Self::Finished(_) => "Start it again instead.",
            Self::Needed(_) => "Provide a replacement first, or wait until it is no longer in use.",
            Self::Changed(_) => "Load it again and decide anew.",
        }
    }
}

/// The sort of trouble that SQLite had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Condition {
    /// No space, or the quota is used up.
    DiskFull,
    /// The file system or the file is read-only.
    ReadOnly,
    /// The file's content is not what SQLite wrote.
    Damaged,
    /// Another process holds the database's own locks.
    Busy,
    /// The operating system failed a read or a write.
    Io,
    /// A rule of the schema was broken.
    Constraint,
    /// A value was stored that this version cannot read.
    Unreadable,
    /// Anything else.
    Other,
}

impl Condition {
    pub(in crate::store) fn of(error: &rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        match error {
            E::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DiskFull => Self::DiskFull,
                // The shared-memory file beside the database could not grow.
                _ if failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => Self::DiskFull,
                ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::ReadOnly,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged,
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed => Self::Busy,
                ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => Self::Io,
                ErrorCode::ConstraintViolation => Self::Constraint,
                _ => Self::Other,
            },
            E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::InvalidColumnType(..)
            | E::Utf8Error(..) => Self::Unreadable,
            _ => Self::Other,
        }
    }

    /// The sort of the first error of SQLite's among an error and its causes.
    pub(in crate::store) fn in_chain(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        std::iter::successors(Some(error), |error| error.source())
            .find_map(|error| error.downcast_ref::<rusqlite::Error>())
            .map(Self::of)
    }

    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::DiskFull => {
                "Free some space on the file system of the data directory. Nothing is damaged; \
                 Zerfaux goes on by itself once there is room."
            }
            Self::ReadOnly => {
                "Make the data directory writable for the user that Zerfaux runs as, and look in the kernel \
                 log whether the file system was remounted read-only after an error."
            }
            Self::Damaged => {
                "Stop Zerfaux, keep the damaged files aside, and restore the newest copy in the `backups` \
                 folder of the data directory (`zerfaux restore FILE`). Check the disk and the memory of \
                 this machine."
            }
            Self::Busy => "Close other programs that have the database open, for example `sqlite3`.",
            Self::Io => "Look in the kernel log for errors of the disk under the data directory.",
            Self::Constraint => "This is a bug in Zerfaux: please report it with the log.",
            Self::Unreadable => {
                "Something else than this version of Zerfaux wrote to the database: restore a backup, or \
                 use the version that wrote it."
            }
            Self::Other => "See the cause; if it stays, report it with the log.",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DiskFull => "no space is left for the database",
            Self::ReadOnly => "the database cannot be written to",
            Self::Damaged => "the database file is damaged",
            Self::Busy => "another program holds the database",
            Self::Io => "the disk under the database failed",
            Self::Constraint => "a rule of the database forbids it",
            Self::Unreadable => "a stored value cannot be read",
            Self::Other => "SQLite failed",
        })
    }
}

/// What a closure on a connection may end with; [`StoreError`] adds what was attempted.
#[derive(Debug)]
pub(in crate::store) enum Problem {
    Sql(rusqlite::Error),
    Refused(Refusal),
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
