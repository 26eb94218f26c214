//! What stays open between streams: for a relay a thread with its two connections, for the straight way the connection
//! that the agent is forwarded on.
//!
//! A stream that ended well leaves them to the next one between the same two hosts, which then needs no log-in and
//! begins within one round trip. Each carries one stream at a time. They are few, they are kept alive, and they are given
//! up after a while; a stream that did not end well takes its connections with it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex as Turn, oneshot};
use tokio::time::timeout;

use super::outcome::{RelayError, Relayed};
use super::relay::{RelayRequest, run};
use crate::ssh::{DataConnection, HostKey, Link};

/// How long they wait for the next stream.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// So many wait from one host to another.
const PER_WAY: usize = 4;
/// So many wait from one host to all others.
const IN_ALL: usize = 16;

/// What waits for the next stream from one host.
#[derive(Default)]
pub(super) struct Lanes {
    threads: Mutex<Vec<Waiting>>,
    straight: Mutex<Vec<Straight>>,
    number: AtomicU64,
}

/// A thread that waits; none: to this machine.
struct Waiting {
    number: u64,
    to: Option<Link>,
    work: UnboundedSender<Work>,
}

/// A connection that waits.
struct Straight {
    to: Link,
    since: Instant,
    connection: Arc<Turn<DataConnection>>,
}

/// One stream for a thread.
pub(super) struct Work {
    pub(super) request: RelayRequest,
    pub(super) answer: oneshot::Sender<Result<Relayed, RelayError>>,
}

/// The two connections of a thread.
#[derive(Default)]
pub(super) struct Standing {
    pub(super) source: Option<DataConnection>,
    pub(super) destination: Option<DataConnection>,
}

impl Standing {
    /// Opens the sessions of the next stream beforehand.
    async fn prepare(&mut self) {
        let one = async |connection: &mut Option<DataConnection>| {
            if let Some(connection) = connection {
                connection.prepare().await;
            }
        };
        tokio::join!(one(&mut self.source), one(&mut self.destination));
    }
}

fn open<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_same(one: Option<&Link>, other: Option<&Link>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is_same(other),
        (None, None) => true,
        _ => false,
    }
}

impl Lanes {
    /// Has a thread carry the stream: one that waits, or a new one.
    pub(super) fn carry(self: &Arc<Self>, mut work: Work) -> io::Result<()> {
        let to = work.request.destination.link().cloned();
        while let Some(waiting) = self.take(to.as_ref()) {
            match waiting.work.send(work) {
                Ok(()) => return Ok(()),
                Err(back) => work = back.0,
            }
        }
        let lanes = Arc::downgrade(self);
        let thread = std::thread::Builder::new().name("relay".to_owned());
        thread.spawn(move || on_this_thread(work, &lanes)).map(drop)
    }

    fn take(&self, to: Option<&Link>) -> Option<Waiting> {
        let mut threads = open(&self.threads);
        let at = threads.iter().rposition(|waiting| is_same(waiting.to.as_ref(), to))?;
        Some(threads.remove(at))
    }

    /// A thread waits from now on; none if there are enough.
    fn wait(&self, to: Option<Link>) -> Option<(u64, UnboundedReceiver<Work>)> {
        let mut threads = open(&self.threads);
        let same = threads.iter().filter(|waiting| is_same(waiting.to.as_ref(), to.as_ref())).count();
        if same >= PER_WAY || threads.len() >= IN_ALL {
            return None;
        }
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (work, receiver) = unbounded_channel();
        threads.push(Waiting { number, to, work });
        Some((number, receiver))
    }

    /// A thread waits no more; false if it was given work just now.
    fn leave(&self, number: u64) -> bool {
        let mut threads = open(&self.threads);
        let before = threads.len();
        threads.retain(|waiting| waiting.number != number);
        threads.len() < before
    }

    /// A connection that waits, for streams to the host with that key.
    pub(super) fn take_straight(
        &self,
        to: &Link,
        leads: impl Fn(&DataConnection) -> bool,
    ) -> Option<Arc<Turn<DataConnection>>> {
        let mut straight = open(&self.straight);
        straight.retain(|waiting| waiting.since.elapsed() < IDLE);
        while let Some(at) = straight.iter().rposition(|waiting| waiting.to.is_same(to)) {
            let found = straight.remove(at).connection;
            // One that cannot be looked into is being prepared for the next stream.
            if found.try_lock().map_or(true, |connection| !connection.is_closed() && leads(&connection)) {
                return Some(found);
            }
        }
        None
    }

    /// The connection waits for the next stream.
    pub(super) fn put_straight(self: &Arc<Self>, to: &Link, connection: Arc<Turn<DataConnection>>) {
        let mut straight = open(&self.straight);
        let same = straight.iter().filter(|waiting| waiting.to.is_same(to)).count();
        if same >= PER_WAY || straight.len() >= IN_ALL {
            return;
        }
        straight.push(Straight {
            to: to.clone(),
            since: Instant::now(),
            connection: Arc::clone(&connection),
        });
        let lanes = Arc::downgrade(self);
        tokio::spawn(async move {
            connection.lock().await.prepare().await;
            drop(connection);
            tokio::time::sleep(IDLE).await;
            if let Some(lanes) = lanes.upgrade() {
                open(&lanes.straight).retain(|waiting| waiting.since.elapsed() < IDLE);
            }
        });
    }
}

/// Whether the connection logs in on the server with that key.
pub(super) fn leads_to(host_key: &HostKey) -> impl Fn(&DataConnection) -> bool + '_ {
    move |connection| connection.leads_to(host_key)
}

/// Carries one stream after the other. Both connections live on this thread: that costs two thirds of the processor time
/// of a shared runtime, where the two sessions keep waking each other across threads.
fn on_this_thread(first: Work, lanes: &Weak<Lanes>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(source) => {
            let _ = first.answer.send(Err(RelayError::Thread { source }));
            return;
        }
    };
    runtime.block_on(async {
        let mut standing = Standing::default();
        let mut next = Some(first);
        while let Some(Work { request, answer }) = next.take() {
            let to = request.destination.link().cloned();
            let outcome = run(request, &mut standing).await;
            let good = outcome.is_ok();
            // Before the answer: whoever gets it may have the next stream at once.
            let place = lanes.upgrade().filter(|_| good).and_then(|lanes| lanes.wait(to));
            let _ = answer.send(outcome);
            let Some((number, mut receiver)) = place else { return };
            standing.prepare().await;
            next = loop {
                match timeout(IDLE, receiver.recv()).await {
                    Ok(work) => break work,
                    Err(_) if lanes.upgrade().is_none_or(|lanes| lanes.leave(number)) => break None,
                    // It was given work just now.
                    Err(_) => {}
                }
            };
        }
    });
    // Whatever hangs in a dead connection is not waited for.
    runtime.shutdown_background();
}
