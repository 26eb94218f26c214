//! Processes: what `$!` names, `kill` ends and `wait` waits for. Each has a thread of its own.

use std::cell::RefCell;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// A shell on its thread, with what it runs.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// The signal that it was killed by; 0: none.
    signal: AtomicI32,
    /// For those who wait in another way than by reading.
    pub(crate) killed: CancellationToken,
    status: Mutex<Option<i32>>,
    ended: Condvar,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Process>>> = const { RefCell::new(None) };
}

impl Process {
    pub(crate) fn new(pid: u32) -> Self {
        Self {
            pid,
            signal: AtomicI32::new(0),
            killed: CancellationToken::new(),
            status: Mutex::new(None),
            ended: Condvar::new(),
        }
    }

    pub(crate) fn kill(&self, signal: i32) {
        self.signal.store(signal, Ordering::SeqCst);
        self.killed.cancel();
    }

    /// The exit status of a process that a signal ended.
    fn status_of_signal(&self) -> Option<i32> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(128 + signal),
        }
    }

    /// Runs `work` as this process on this thread.
    pub(crate) fn run(self: &Arc<Self>, work: impl FnOnce() -> i32) -> i32 {
        CURRENT.with(|current| *current.borrow_mut() = Some(Arc::clone(self)));
        let status = work();
        let status = self.status_of_signal().unwrap_or(status);
        CURRENT.with(|current| *current.borrow_mut() = None);
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
        self.ended.notify_all();
        status
    }

    pub(crate) fn is_over(&self) -> bool {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Waits for its end, or for that of whoever waits.
    pub(crate) fn wait(&self) -> i32 {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(status) = *status {
                return status;
            }
            if let Some(status) = killed_with() {
                return status;
            }
            let waited = self.ended.wait_timeout(status, Duration::from_millis(50));
            status = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Makes this thread another one of a process.
pub(crate) fn adopt(process: Option<Arc<Process>>) {
    CURRENT.with(|current| *current.borrow_mut() = process);
}

/// The process of this thread.
pub(crate) fn current() -> Option<Arc<Process>> {
    CURRENT.with(|current| current.borrow().clone())
}

/// Whether the process of this thread was killed.
pub(crate) fn is_killed() -> bool {
    killed_with().is_some()
}

/// Its exit status if it was.
pub(crate) fn killed_with() -> Option<i32> {
    CURRENT.with(|current| current.borrow().as_ref().and_then(|process| process.status_of_signal()))
}

/// As when nobody reads what it writes: SIGPIPE.
pub(crate) fn break_pipe() {
    if let Some(process) = current() {
        process.kill(13);
    }
}
