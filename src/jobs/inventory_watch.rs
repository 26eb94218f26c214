//! The living inventory: a stream of changes held open to each vCenter.
//!
//! A reconciler: it makes sure that every connection in the database has a task that follows it, and that no
//! other has. A task that loses its stream opens another one after a pause; its first updates are everything as
//! it stands, so what was missed meanwhile is made good by that. How each stands is told by [`Streams`].
//!
//! [`Streams`]: super::streams::Streams

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, Notify};
use tokio_util::task::AbortOnDropHandle;

use super::failure::not_kept;
use super::vcenters::Vcenters;
use crate::domain::ids::VcenterId;
use crate::domain::job::{Failure, FailureKind};
use crate::domain::moref::ManagedRef;
use crate::domain::vcenter::{StreamState, Vcenter};
use crate::engine::reconcile::Reconciler;
use crate::vsphere::inventory::{Item, KINDS, assemble, property_sets, read, read_entered};
use crate::vsphere::{Change, Client, ObjectUpdate, Reason, Scope, UpdateStream, VsphereError};

/// The reconciler's name.
pub const NAME: &str = "inventory_watch";
/// How often is looked whether all streams are held.
const EVERY: Duration = Duration::from_secs(10);
/// How long one call waits for changes. It also keeps the session alive.
const WAIT: Duration = Duration::from_secs(30);
/// The pause after a first loss; it doubles with each one that follows soon.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest pause before a vCenter that does not answer is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// The pause where trying again hardly helps. A wrong password tried more often would have vCenter lock the user: by
/// default after five times within three minutes.
const HOPELESS_PAUSE: Duration = Duration::from_secs(300);
/// A stream that was held so long was no failure.
const HELD: Duration = Duration::from_secs(60);

/// Follows all vCenters.
pub struct InventoryWatch {
    vcenters: Vcenters,
    followers: Mutex<HashMap<VcenterId, Follower>>,
}

struct Follower {
    /// The connection as it was when this began.
    of: Vcenter,
    task: AbortOnDropHandle<()>,
}

impl InventoryWatch {
    /// Follows those in the database, with the sessions of `vcenters`.
    pub fn new(vcenters: Vcenters) -> Self {
        Self { vcenters, followers: Mutex::default() }
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
        let mut unwanted = Vec::new();
        followers.retain(|id, follower| {
            let as_it_was = wanted.iter().any(|one| one.id == *id && settings(one) == settings(&follower.of));
            if !as_it_was {
                unwanted.push(*id);
            }
            // One that ended by itself has panicked.
            as_it_was && !follower.task.is_finished()
        });
        for id in unwanted {
            self.vcenters.streams().forget(id);
        }
        for vcenter in wanted {
            followers.entry(vcenter.id).or_insert_with(|| {
                let follow = Follow { vcenters: self.vcenters.clone(), vcenter: vcenter.id };
                let name = vcenter.name.clone();
                let task = AbortOnDropHandle::new(tokio::spawn(async move { follow.always(&name).await }));
                Follower { of: vcenter, task }
            });
        }
        let followed = self.vcenters.streams().statuses();
        let held = followed.iter().filter(|one| matches!(one.state, StreamState::Following { .. })).count();
        Ok(format!("{held} of {} vCenters are followed.", followers.len()))
    }

    async fn stop(&self) {
        let followers = std::mem::take(&mut *self.followers.lock().await);
        for follower in followers.values() {
            follower.task.abort();
        }
        for (id, follower) in followers {
            // Cancelled, or panicked earlier: either way it no longer runs.
            let _ended = follower.task.await;
            self.vcenters.streams().forget(id);
        }
    }
}

/// Follows one vCenter.
struct Follow {
    vcenters: Vcenters,
    vcenter: VcenterId,
}

impl Follow {
    async fn always(&self, name: &str) {
        let mut failures = 0;
        loop {
            let began = Instant::now();
            let mut held = false;
            let Err(failure) = self.follow(&mut held).await;
            failures = if held && began.elapsed() >= HELD { 1 } else { failures + 1 };
            let hopeless = !held && failure.kind != FailureKind::Transient;
            let pause = if hopeless { HOPELESS_PAUSE } else { pause_after(failures) };
            tracing::warn!(vcenter = name, %failure, "the stream of changes was lost");
            if let Err(error) = self.vcenters.store().vcenter_failed(self.vcenter, &failure.message).await {
                tracing::error!(vcenter = name, %error, "why it was lost could not be noted");
            }
            let since = Timestamp::now();
            let retry = self.stands(StreamState::Lost {
                since,
                because: failure.message,
                advice: failure.advice,
                next_try: since
                    .saturating_add(SignedDuration::try_from(pause).unwrap_or_default())
                    .unwrap_or(since),
            });
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = retry.notified() => {}
            }
        }
    }

    fn stands(&self, state: StreamState) -> Arc<Notify> {
        self.vcenters.streams().stands(self.vcenter, state)
    }

    /// Ends only by a failure.
    async fn follow(&self, held: &mut bool) -> Result<Infallible, Failure> {
        self.stands(StreamState::Connecting { since: Timestamp::now() });
        let client = self.vcenters.client(self.vcenter).await?;
        let scope = Scope::everything(&client, &KINDS).await?;
        let mut stream = UpdateStream::open(&client, &property_sets(), &scope).await?;
        self.stands(StreamState::Reading { since: Timestamp::now() });
        self.first_round(&client, &mut stream).await?;
        *held = true;
        self.stands(StreamState::Following { since: Timestamp::now() });
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
        self.vcenters.streams().changed(self.vcenter, Timestamp::now());
    }
}

fn pause_after(failures: u32) -> Duration {
    (PAUSE * 2u32.saturating_pow(failures.saturating_sub(1).min(10))).min(LONGEST_PAUSE)
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
