//! Reads, on connections that cannot write.
//!
//! Each read is one transaction on a snapshot of the database: it sees every write that was acknowledged
//! before it began, all of a write or nothing of it, and never waits for the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::error::{Problem, StoreError};

/// Reads at once. More would wait for processors, not for the disk.
const READERS: usize = 8;

/// The read-only connections, opened when first needed and used again.
pub(in crate::store) struct Readers {
    database: PathBuf,
    places: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(in crate::store) fn new(database: PathBuf) -> Self {
        Self { database, places: Arc::new(Semaphore::new(READERS)), idle: Arc::default() }
    }

    /// Runs `closure` on a blocking thread, in a read transaction of its own.
    pub(in crate::store) async fn read<T, F>(&self, attempted: String, closure: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Problem> + Send + 'static,
    {
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
            return Err(StoreError::Closed { attempted });
        };
        let (idle, database, again) = (Arc::clone(&self.idle), self.database.clone(), attempted.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let taken = lock(&idle).pop();
            let connection = match taken {
                Some(connection) => connection,
                None => open(&database).map_err(|error| StoreError::database(again.as_str(), error))?,
            };
            let result = in_transaction(&connection, &again, closure);
            lock(&idle).push(connection);
            // Given back last, so that a free place always finds its connection.
            drop(place);
            result
        });
        // A blocking task ends early only when the runtime shuts down.
        reading.await.unwrap_or(Err(StoreError::Closed { attempted }))
    }

    /// Refuses later reads, waits for those under way, and closes the connections.
    pub(in crate::store) async fn close(&self) {
        // Taking every place is waiting for every reader; an error says that it is closed already.
        let all = u32::try_from(READERS).unwrap_or(u32::MAX);
        let _places = self.places.acquire_many(all).await;
        self.places.close();
        lock(&self.idle).clear();
    }
}

fn lock(idle: &Mutex<Vec<Connection>>) -> std::sync::MutexGuard<'_, Vec<Connection>> {
    // No code that can panic runs under this lock.
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(database: &std::path::Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    connection.busy_timeout(super::open::BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(super::open::STATEMENTS);
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn in_transaction<T, F>(connection: &Connection, attempted: &str, closure: F) -> Result<T, StoreError>
where
    F: FnOnce(&Connection) -> Result<T, Problem>,
{
    let failed = |error| StoreError::database(attempted, error);
    let transaction = connection.unchecked_transaction().map_err(failed)?;
    let result = catch_unwind(AssertUnwindSafe(|| closure(&transaction)));
    // Nothing was written, so how the transaction ends does not matter; dropping it rolls it back.
    drop(transaction);
    match result {
        Ok(result) => result.map_err(|problem| StoreError::from_problem(attempted.to_owned(), problem)),
        Err(_panic) => Err(StoreError::Panicked { attempted: attempted.to_owned() }),
    }
}
