//! The living inventory: a stream of changes held open to each vCenter.
//!
//! A reconciler: it makes sure that every connection in the database has a task that follows it, and that no
//! other has. A task that loses its stream ends, and the next run starts it again; its first updates are
//! everything as it stands, so what was missed meanwhile is made good by that.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::{Mutex, broadcast};
use tokio_util::task::AbortOnDropHandle;

use super::failure::not_kept;
use super::vcenters::Vcenters;
use crate::domain::ids::VcenterId;
use crate::domain::job::Failure;
use crate::domain::moref::ManagedRef;
use crate::domain::vcenter::Vcenter;
use crate::engine::reconcile::Reconciler;
use crate::vsphere::inventory::{Item, KINDS, assemble, property_sets, read, read_entered};
use crate::vsphere::{Change, Client, ObjectUpdate, Reason, Scope, UpdateStream, VsphereError};

/// The reconciler's name.
pub const NAME: &str = "inventory_watch";
/// How often is looked whether all streams are held.
const EVERY: Duration = Duration::from_secs(10);
/// How long one call waits for changes. It also keeps the session alive.
const WAIT: Duration = Duration::from_secs(30);
/// The longest pause before a vCenter that does not answer is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// Follows all vCenters.
pub struct InventoryWatch {
    vcenters: Vcenters,
    followers: Mutex<HashMap<VcenterId, Follower>>,
    changes: broadcast::Sender<VcenterId>,
}

struct Follower {
    /// The connection as it was when this began.
    of: Vcenter,
    task: AbortOnDropHandle<()>,
    /// How often in a row it ended without having held a stream.
    failures: u32,
    began: Instant,
    held: Arc<AtomicBool>,
}

impl InventoryWatch {
    /// Follows those in the database, with the sessions of `vcenters`.
    pub fn new(vcenters: Vcenters) -> Self {
        Self { vcenters, followers: Mutex::default(), changes: broadcast::channel(256).0 }
    }

    /// Told whenever something of a vCenter has changed in the database.
    pub fn changes(&self) -> broadcast::Receiver<VcenterId> {
        self.changes.subscribe()
    }
}

/// What belongs to the connection itself, without what contacts leave there.
fn settings(vcenter: &Vcenter) -> impl PartialEq + '_ {
    (&vcenter.address, vcenter.trust, &vcenter.username, vcenter.password)
}

#[async_trait]
impl Reconciler for InventoryWatch {
    fn name(&self) -> &'static str {
        NAME
    }

    fn every(&self) -> Duration {
        EVERY
    }

    async fn run(&self) -> Result<String, Failure> {
        let wanted = self.vcenters.store().vcenters().await.map_err(not_kept)?;
        let mut followers = self.followers.lock().await;
        followers.retain(|id, follower| {
            wanted.iter().any(|one| one.id == *id && settings(one) == settings(&follower.of))
        });
        for vcenter in wanted {
            let mut failures = 0;
            if let Some(follower) = followers.get(&vcenter.id) {
                let pause = (Duration::from_secs(5) * 2u32.saturating_pow(follower.failures.min(8)))
                    .min(LONGEST_PAUSE);
                let resting = follower.failures > 0 && follower.began.elapsed() < pause;
                if !follower.task.is_finished() || resting {
                    continue;
                }
                failures = if follower.held.load(Ordering::Acquire) { 0 } else { follower.failures + 1 };
            }
            let held = Arc::<std::sync::atomic::AtomicBool>::default();
            let follow = Follow {
                vcenters: self.vcenters.clone(),
                vcenter: vcenter.id,
                changes: self.changes.clone(),
                held: Arc::clone(&held),
            };
            let name = vcenter.name.clone();
            let task = tokio::spawn(async move { follow.until_lost(&name).await });
            let task = AbortOnDropHandle::new(task);
            followers
                .insert(vcenter.id, Follower { of: vcenter, task, failures, began: Instant::now(), held });
        }
        let held = followers.values().filter(|one| !one.task.is_finished()).count();
        Ok(format!("{held} of {} vCenters are followed.", followers.len()))
    }
}

/// Follows one vCenter.
struct Follow {
    vcenters: Vcenters,
    vcenter: VcenterId,
    changes: broadcast::Sender<VcenterId>,
    held: Arc<AtomicBool>,
}

impl Follow {
    async fn until_lost(&self, name: &str) {
        let Err(failure) = self.follow().await else { return };
        tracing::warn!(vcenter = name, %failure, "the stream of changes was lost");
        if let Err(error) = self.vcenters.store().vcenter_failed(self.vcenter, &failure.message).await {
            tracing::error!(vcenter = name, %error, "why it was lost could not be noted");
        }
    }

    /// Ends only by a failure.
    async fn follow(&self) -> Result<(), Failure> {
        let client = self.vcenters.client(self.vcenter).await?;
        let scope = Scope::everything(&client, &KINDS).await?;
        let mut stream = UpdateStream::open(&client, &property_sets(), &scope).await?;
        self.first_round(&client, &mut stream).await?;
        self.held.store(true, Ordering::Release);
        loop {
            let updates = stream.next(WAIT).await?;
            if !updates.objects.is_empty() {
                self.apply(&client, updates.objects).await?;
            }
        }
    }

    /// Everything as it stands, in as many answers as the server likes.
    async fn first_round(&self, client: &Client, stream: &mut UpdateStream) -> Result<(), Failure> {
        let began = Timestamp::now();
        let mut items = Vec::new();
        loop {
            let updates = stream.next(WAIT).await?;
            let (entered, later): (Vec<_>, Vec<_>) =
                updates.objects.into_iter().partition(|one| one.change == Change::Entered);
            items.extend(entered.into_iter().filter_map(read_entered));
            self.apply(client, later).await?;
            if !updates.truncated {
                break;
            }
        }
        let store = self.vcenters.store();
        store.put_inventory(self.vcenter, assemble(items), began).await.map_err(not_kept)?;
        store.mark_unseen_gone(self.vcenter, began, Timestamp::now()).await.map_err(not_kept)?;
        store.vcenter_answered(self.vcenter, client.about(), Some(began)).await.map_err(not_kept)?;
        self.tell();
        Ok(())
    }

    async fn apply(&self, client: &Client, updates: Vec<ObjectUpdate>) -> Result<(), Failure> {
        if updates.is_empty() {
            return Ok(());
        }
        let (mut left, mut changed, mut items) = (Vec::new(), Vec::new(), Vec::new());
        let seen = Timestamp::now();
        for update in updates {
            match update.change {
                Change::Left => left.push(update.object),
                Change::Entered => items.extend(read_entered(update)),
                // Only what changed came along; the rest is read again with it.
                Change::Modified => changed.push(update.object),
            }
        }
        items.extend(read_again(client, changed).await?);
        let store = self.vcenters.store();
        store.put_inventory(self.vcenter, assemble(items), seen).await.map_err(not_kept)?;
        store.mark_gone(self.vcenter, left, seen).await.map_err(not_kept)?;
        self.tell();
        Ok(())
    }

    fn tell(&self) {
        // Nobody listening is fine.
        let _ = self.changes.send(self.vcenter);
    }
}

/// Reads these objects. One that has gone meanwhile makes the server refuse them all, so then each by itself.
async fn read_again(client: &Client, mut objects: Vec<ManagedRef>) -> Result<Vec<Item>, VsphereError> {
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    objects.sort();
    objects.dedup();
    let sets = property_sets();
    let all = client.retrieve_with(&sets, &Scope::Objects(objects.clone()), || read).await;
    let gone = |error: &VsphereError| matches!(error.reason(), Some(Reason::ObjectNotFound { .. }));
    match all {
        Err(error) if gone(&error) => {}
        outcome => return outcome,
    }
    let mut items = Vec::new();
    for object in objects {
        match client.retrieve_with(&sets, &Scope::Objects(vec![object]), || read).await {
            Ok(found) => items.extend(found),
            Err(error) if gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(items)
}
