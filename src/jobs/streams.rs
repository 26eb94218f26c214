//! How the streams of changes stand, and who is told of changes in the inventory. Kept in memory only: a process that
//! begins anew opens its streams anew.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::Stream;
use futures_util::stream::unfold;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast};

use crate::domain::ids::VcenterId;
use crate::domain::vcenter::{StreamState, StreamStatus};

/// How many changes a watcher may lag behind before it is told to look at everything again.
const BACKLOG: usize = 256;

/// Something about a vCenter that is worth looking at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum InventoryChange {
    /// Its inventory changed. Already in the store.
    Inventory {
        /// Which.
        vcenter: VcenterId,
    },
    /// Its stream stands differently.
    Stream {
        /// Which.
        vcenter: VcenterId,
    },
    /// Changes were missed because the watcher was too slow: look at everything again.
    Refresh,
}

impl InventoryChange {
    /// The vCenter that it is about.
    pub fn vcenter(self) -> Option<VcenterId> {
        match self {
            Self::Inventory { vcenter } | Self::Stream { vcenter } => Some(vcenter),
            Self::Refresh => None,
        }
    }
}

/// Receives the changes of one vCenter, or of all, from the moment it was made.
#[derive(Debug)]
pub struct InventoryWatcher {
    changes: broadcast::Receiver<InventoryChange>,
    only: Option<VcenterId>,
}

impl InventoryWatcher {
    /// The next change; None once nobody can tell any more.
    pub async fn next(&mut self) -> Option<InventoryChange> {
        loop {
            match self.changes.recv().await {
                Ok(change) if self.only.is_none() || change.vcenter() == self.only => return Some(change),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Some(InventoryChange::Refresh),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = InventoryChange> + Send {
        unfold(self, |mut watcher| async move { watcher.next().await.map(|change| (change, watcher)) })
    }
}

/// How the streams of this process stand. Cheap to clone.
#[derive(Clone)]
pub struct Streams {
    entries: Arc<Mutex<BTreeMap<VcenterId, Entry>>>,
    changes: broadcast::Sender<InventoryChange>,
}

struct Entry {
    status: StreamStatus,
    /// Ends the pause after a loss.
    retry: Arc<Notify>,
}

impl Default for Streams {
    fn default() -> Self {
        Self { entries: Arc::default(), changes: broadcast::Sender::new(BACKLOG) }
    }
}

impl Streams {
    /// Each stream that is wanted, by the connection's id; none for a connection that nobody follows yet.
    pub fn statuses(&self) -> Vec<StreamStatus> {
        self.lock().values().map(|entry| entry.status.clone()).collect()
    }

    /// Tells of changes from now on: of one vCenter, or of all.
    pub fn watch(&self, only: Option<VcenterId>) -> InventoryWatcher {
        InventoryWatcher { changes: self.changes.subscribe(), only }
    }

    /// Makes a stream that was lost be tried again now. Nothing if it was not.
    pub fn retry(&self, vcenter: VcenterId) {
        if let Some(entry) = self.lock().get(&vcenter)
            && matches!(entry.status.state, StreamState::Lost { .. })
        {
            entry.retry.notify_one();
        }
    }

    /// Notes how a stream stands now. What is returned is told when a person wants it tried again.
    pub(super) fn stands(&self, vcenter: VcenterId, state: StreamState) -> Arc<Notify> {
        let retry = {
            let mut entries = self.lock();
            let status = StreamStatus { vcenter, state: state.clone(), last_change: None };
            let entry = entries.entry(vcenter).or_insert_with(|| Entry { status, retry: Arc::default() });
            entry.status.state = state;
            Arc::clone(&entry.retry)
        };
        self.tell(InventoryChange::Stream { vcenter });
        retry
    }

    /// Notes that something in the inventory of this vCenter is different now.
    pub(super) fn changed(&self, vcenter: VcenterId, at: Timestamp) {
        if let Some(entry) = self.lock().get_mut(&vcenter) {
            entry.status.last_change = Some(at);
        }
        self.tell(InventoryChange::Inventory { vcenter });
    }

    /// Forgets a stream that nobody wants any more.
    pub(super) fn forget(&self, vcenter: VcenterId) {
        self.lock().remove(&vcenter);
        self.tell(InventoryChange::Stream { vcenter });
    }

    fn tell(&self, change: InventoryChange) {
        // Nobody listening is fine.
        let _ = self.changes.send(change);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<VcenterId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watcher_sees_its_own_vcenter_and_is_told_when_it_missed_something() {
        let (streams, mine, other) = (Streams::default(), VcenterId::new(), VcenterId::new());
        let (mut watcher, mut slow) = (streams.watch(Some(mine)), streams.watch(None));
        let now = Timestamp::UNIX_EPOCH;
        streams.stands(other, StreamState::Connecting { since: now });
        streams.stands(mine, StreamState::Following { since: now });
        streams.changed(mine, now);
        assert_eq!(watcher.next().await, Some(InventoryChange::Stream { vcenter: mine }));
        assert_eq!(watcher.next().await, Some(InventoryChange::Inventory { vcenter: mine }));
        for _ in 0..=BACKLOG {
            streams.changed(other, now);
        }
        assert_eq!(slow.next().await, Some(InventoryChange::Refresh));
        let status = streams.statuses().into_iter().find(|one| one.vcenter == mine).unwrap();
        assert_eq!((status.state.as_str(), status.last_change), ("following", Some(now)));
    }
}
