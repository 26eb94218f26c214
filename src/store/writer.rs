//! The one thread that writes, with group commit.
//!
//! Writes queue up while a commit waits for the disk; the thread then takes all that wait (at most
//! [`BATCH`]), runs each in a savepoint of its own inside one `BEGIN IMMEDIATE`, commits once, and only then
//! answers them all. So a hundred writers cost about one flush of the disk, and each answer still means
//! "on the disk".
//!
//! In: order, atomicity, survival of errors and panics. Out: what is written (one file per noun).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::error::{Problem, StoreError};

/// Most writes in one commit: bounds how long the first of them waits.
const BATCH: usize = 256;

/// Most writes that may wait; further callers wait for a place.
const QUEUE: usize = 1024;

/// How often the disk was asked, and for how many writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// Writes that were committed.
    pub writes: u64,
    /// Commits they took, each one flush to the disk.
    pub commits: u64,
}

#[derive(Default)]
struct Counters {
    writes: AtomicU64,
    commits: AtomicU64,
}

enum Message {
    Work(Box<dyn Work>),
    Close(oneshot::Sender<()>),
}

/// A closure that waits for the writer, with its caller's type erased.
trait Work: Send {
    /// Does it inside a savepoint that is already open.
    fn run(self: Box<Self>, connection: &Connection) -> Box<dyn Answer>;
    /// Tells the caller that it was not even begun.
    fn refuse(self: Box<Self>, why: &Lost);
}

/// The result of a closure that waits for the commit.
trait Answer: Send {
    /// Whether its savepoint is to be kept.
    fn is_kept(&self) -> bool;
    /// SQLite's error, if it ended with one.
    fn cause(&self) -> Option<Lost>;
    fn committed(self: Box<Self>);
    fn lost(self: Box<Self>, why: &Lost);
}

/// Why a whole transaction is gone. Can be told to many, which `rusqlite::Error` cannot.
#[derive(Clone)]
struct Lost {
    error: rusqlite::ffi::Error,
    message: Option<String>,
}

impl Lost {
    fn new(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(error, message) => Self { error, message },
            other => {
                let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ERROR);
                Self { error: code, message: Some(other.to_string()) }
            }
        }
    }

    fn to_error(&self) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(self.error, self.message.clone())
    }
}

/// The way to the writer thread. Dropping it lets the thread finish what waits, and waits for that.
pub(in crate::store) struct Writer {
    queue: Option<mpsc::Sender<Message>>,
    thread: Option<JoinHandle<()>>,
    counters: Arc<Counters>,
}

impl Writer {
    /// Starts the thread. It owns the connection, and `guard` (the lock on the data directory), which is let
    /// go only after the connection is closed.
    pub(in crate::store) fn start(
        connection: Connection,
        guard: impl Send + 'static,
    ) -> std::io::Result<Self> {
        let (queue, incoming) = mpsc::channel(QUEUE);
        let counters = Arc::new(Counters::default());
        let theirs = Arc::clone(&counters);
        let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
            serve(connection, incoming, &theirs, guard);
        })?;
        Ok(Self { queue: Some(queue), thread: Some(thread), counters })
    }

    /// Runs `closure` in a transaction; returns once that is on the disk, or once it is known not to be.
    ///
    /// A caller that stops waiting does not stop the write.
    pub(in crate::store) async fn write<T, F>(&self, attempted: String, closure: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Problem> + Send + 'static,
    {
        let (answer, result) = oneshot::channel();
        let work = Message::Work(Box::new(Waiting { attempted: attempted.clone(), closure, answer }));
        let sent = match &self.queue {
            Some(queue) => queue.send(work).await.is_ok(),
            None => false,
        };
        if !sent {
            return Err(StoreError::Closed { attempted });
        }
        result.await.unwrap_or(Err(StoreError::Closed { attempted }))
    }

    /// Lets the thread finish what waits, and close the database. Later writes are refused.
    pub(in crate::store) async fn close(&self) {
        let (closed, done) = oneshot::channel();
        if let Some(queue) = &self.queue
            && queue.send(Message::Close(closed)).await.is_ok()
        {
            // An error means that the thread is gone, which is what was asked for.
            let _gone = done.await;
        }
    }

    pub(in crate::store) fn statistics(&self) -> Statistics {
        Statistics {
            writes: self.counters.writes.load(Ordering::Relaxed),
            commits: self.counters.commits.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // The thread catches its closures' panics; one of its own has nobody left to hear of it.
            let _finished = thread.join();
        }
    }
}

/// The thread's life. `guard` is dropped once the connection is closed, and before anybody hears of that.
fn serve(
    connection: Connection,
    mut incoming: mpsc::Receiver<Message>,
    counters: &Counters,
    guard: impl Send,
) {
    let mut closing = None;
    while closing.is_none() {
        let Some(first) = incoming.blocking_recv() else { break };
        let mut batch = VecDeque::new();
        closing = gather(first, &mut incoming, &mut batch);
        while !batch.is_empty() {
            commit_some(&connection, &mut batch, counters);
        }
    }
    // Refuses what still queues. Then closing the last connection moves the write-ahead log into the database
    // file and removes it.
    drop(incoming);
    drop(connection);
    drop(guard);
    if let Some(closed) = closing {
        let _nobody_waits = closed.send(());
    }
}

/// Takes what waits in the queue, up to a batch, or up to the wish to close.
fn gather(
    first: Message,
    incoming: &mut mpsc::Receiver<Message>,
    batch: &mut VecDeque<Box<dyn Work>>,
) -> Option<oneshot::Sender<()>> {
    let mut next = Some(first);
    while let Some(message) = next {
        match message {
            Message::Work(work) => batch.push_back(work),
            Message::Close(closed) => return Some(closed),
        }
        next = if batch.len() < BATCH { incoming.try_recv().ok() } else { None };
    }
    None
}

/// One transaction with as much of the batch as it holds: all of it, unless SQLite throws it away half-way.
fn commit_some(connection: &Connection, batch: &mut VecDeque<Box<dyn Work>>, counters: &Counters) {
    if let Err(error) = run(connection, "BEGIN IMMEDIATE") {
        let lost = Lost::new(error);
        batch.drain(..).for_each(|work| work.refuse(&lost));
        return;
    }
    let mut answers: Vec<Box<dyn Answer>> = Vec::with_capacity(batch.len());
    let mut outcome = Ok(());
    while outcome.is_ok() {
        let Some(work) = batch.pop_front() else { break };
        outcome = match run(connection, "SAVEPOINT one") {
            Ok(()) => {
                let answer = work.run(connection);
                let ended = end_savepoint(connection, answer.as_ref());
                answers.push(answer);
                ended
            }
            Err(error) => {
                let lost = Lost::new(error);
                work.refuse(&lost);
                Err(lost)
            }
        };
    }
    if outcome.is_ok() {
        outcome = run(connection, "COMMIT").map_err(Lost::new);
    }
    match outcome {
        Ok(()) => {
            let kept = answers.iter().filter(|answer| answer.is_kept()).count();
            counters.writes.fetch_add(kept as u64, Ordering::Relaxed);
            counters.commits.fetch_add(1, Ordering::Relaxed);
            answers.into_iter().for_each(|answer| answer.committed());
        }
        Err(lost) => {
            roll_back(connection);
            answers.into_iter().for_each(|answer| answer.lost(&lost));
        }
    }
}

/// Keeps or takes back what the closure did. Some errors (disk full, I/O) make SQLite throw the whole
/// transaction away; the closures before this one are then lost as well, and must hear of it.
fn end_savepoint(connection: &Connection, answer: &dyn Answer) -> Result<(), Lost> {
    if connection.is_autocommit() {
        let unknown = || rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
        return Err(answer.cause().unwrap_or_else(|| Lost { error: unknown(), message: None }));
    }
    if !answer.is_kept() {
        run(connection, "ROLLBACK TO one").map_err(Lost::new)?;
    }
    run(connection, "RELEASE one").map_err(Lost::new)
}

/// Prepared once: these statements come with every write.
fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

fn roll_back(connection: &Connection) {
    if connection.is_autocommit() {
        return;
    }
    if let Err(error) = connection.execute_batch("ROLLBACK") {
        tracing::error!(error = %error, "could not roll back a transaction of the database");
    }
}

struct Waiting<T, F> {
    attempted: String,
    closure: F,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Work for Waiting<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T, Problem> + Send + 'static,
{
    fn run(self: Box<Self>, connection: &Connection) -> Box<dyn Answer> {
        let Self { attempted, closure, answer } = *self;
        // Whatever the closure left half done is rolled back with its savepoint.
        let result = match catch_unwind(AssertUnwindSafe(|| closure(connection))) {
            Ok(result) => result.map_err(|problem| StoreError::from_problem(attempted.clone(), problem)),
            Err(_panic) => Err(StoreError::Panicked { attempted: attempted.clone() }),
        };
        Box::new(Held { attempted, result, answer })
    }

    fn refuse(self: Box<Self>, why: &Lost) {
        let error = StoreError::database(self.attempted, why.to_error());
        let _nobody_waits = self.answer.send(Err(error));
    }
}

struct Held<T> {
    attempted: String,
    result: Result<T, StoreError>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send> Answer for Held<T> {
    fn is_kept(&self) -> bool {
        self.result.is_ok()
    }

    fn cause(&self) -> Option<Lost> {
        match &self.result {
            Err(StoreError::Database { source: rusqlite::Error::SqliteFailure(error, message), .. }) => {
                Some(Lost { error: *error, message: message.clone() })
            }
            _ => None,
        }
    }

    fn committed(self: Box<Self>) {
        let _nobody_waits = self.answer.send(self.result);
    }

    fn lost(self: Box<Self>, why: &Lost) {
        // A refusal is lost too when it may rest on what a neighbour had written; SQLite's own error stays.
        let error = match self.result {
            Err(error @ (StoreError::Database { .. } | StoreError::Panicked { .. })) => error,
            _ => StoreError::database(self.attempted, why.to_error()),
        };
        let _nobody_waits = self.answer.send(Err(error));
    }
}
