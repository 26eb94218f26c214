//! How the vCenters are followed, and who is told of changes in the inventory.

use std::sync::Arc;

use super::vcenters::{InventoryWatcher, StreamStatus, VcenterCases};
use crate::domain::ids::VcenterId;
use crate::engine::reconcile::Reconcilers;
use crate::jobs::inventory_watch::NAME as WATCH;

impl VcenterCases {
    /// The same, with what opens and closes the streams of changes woken when a connection changes.
    #[must_use]
    pub fn followed_by(mut self, reconcilers: Arc<Reconcilers>) -> Self {
        self.reconcilers = Some(reconcilers);
        self
    }

    /// How following the changes of each vCenter stands. A connection that is not in it is not followed yet: the
    /// service has just begun, or this is a command beside it.
    pub fn streams(&self) -> Vec<StreamStatus> {
        self.sessions().streams().statuses()
    }

    /// How following the changes of this vCenter stands.
    pub fn stream(&self, id: VcenterId) -> Option<StreamStatus> {
        self.streams().into_iter().find(|one| one.vcenter == id)
    }

    /// Tells of changes in the inventory of one vCenter, or of all, and of streams that stand differently, from now
    /// on. What it tells of is in the store already.
    pub fn watch(&self, only: Option<VcenterId>) -> InventoryWatcher {
        self.sessions().streams().watch(only)
    }

    /// Ends the sessions with all vCenters: they would count against the servers' limits until they expire.
    pub(super) async fn log_out(&self) {
        self.sessions().log_out().await;
    }

    /// Makes the streams match the connections now, and not only when their time has come.
    pub(super) fn follow_now(&self) {
        if let Some(reconcilers) = &self.reconcilers {
            reconcilers.wake(WATCH);
        }
    }
}
