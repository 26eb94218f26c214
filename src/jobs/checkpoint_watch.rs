//! What the DR appliances have: their replicas are listed, one listing for each appliance and look, so that checkpoints which
//! retention or somebody let go of are known to be gone, and those that are there without our knowing are known.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};

use super::failure::not_kept;
use super::targets::Targets;
use crate::domain::checkpoint::{Checkpoint, CheckpointKind};
use crate::domain::dataset::{Dataset, Owner};
use crate::domain::ids::TargetId;
use crate::domain::job::Failure;
use crate::domain::names::DatasetName;
use crate::domain::protection_group::ProtectionGroup;
use crate::engine::Clock;
use crate::engine::reconcile::Reconciler;

/// The reconciler's name.
pub const NAME: &str = "checkpoint_watch";
/// From one look to the next.
const EVERY: Duration = Duration::from_secs(30);
/// Looked at side by side.
const AT_ONCE: usize = 8;
/// Nobody waits longer for one appliance.
const LONGEST: Duration = Duration::from_secs(60);
/// So long a checkpoint that is gone is still known, for the charts.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(30 * 24);

/// See the module.
pub struct CheckpointWatch {
    targets: Targets,
    clock: Arc<dyn Clock>,
}

impl CheckpointWatch {
    /// Looks at appliances that `targets` knows.
    pub fn new(targets: Targets, clock: Arc<dyn Clock>) -> Self {
        Self { targets, clock }
    }

    async fn one(&self, target: TargetId, groups: Vec<ProtectionGroup>) -> Result<usize, Failure> {
        let looked = self.clock.now();
        let (_, host) = self.targets.host_ref(target).await?;
        let names: Vec<DatasetName> = groups.iter().map(|group| group.dr.dataset.clone()).collect();
        let listing = async {
            self.targets.hosts().zfs(&host).await?.datasets(&names, false).await.map_err(Failure::from)
        };
        let seen = tokio::time::timeout(LONGEST, listing).await.unwrap_or_else(|_late| {
            Err(Failure::transient(format!(
                "The appliance did not list its replicas within {} s.",
                LONGEST.as_secs()
            )))
        })?;
        let forget = looked.checked_sub(FORGOTTEN_AFTER).unwrap_or(Timestamp::MIN);
        for group in &groups {
            let replica = seen.iter().find(|one| one.name == group.dr.dataset);
            let there = replica.map(|replica| checkpoints(group, replica, looked)).unwrap_or_default();
            let store = self.targets.store();
            store.settle_checkpoints(group.id, there, looked, forget).await.map_err(not_kept)?;
        }
        Ok(groups.len())
    }
}

/// The group's own snapshots of its replica. One that is on its way is not listed by ZFS before it is whole.
fn checkpoints(group: &ProtectionGroup, replica: &Dataset, looked: Timestamp) -> Vec<Checkpoint> {
    let own = Owner::Zerfaux(group.id.to_string());
    let ours = replica.snapshots.iter().filter(|snapshot| snapshot.owner == own);
    ours.map(|snapshot| Checkpoint {
        group: group.id,
        guid: snapshot.guid,
        snapshot: snapshot.tag.clone(),
        taken_at: snapshot.created_at,
        complete_at: looked,
        bytes: snapshot.written,
        kind: CheckpointKind::CrashConsistent,
        job: None,
        gone_at: None,
    })
    .collect()
}

#[async_trait]
impl Reconciler for CheckpointWatch {
    fn name(&self) -> &'static str {
        NAME
    }

    fn every(&self) -> Duration {
        EVERY
    }

    async fn run(&self) -> Result<String, Failure> {
        let mut by_target: BTreeMap<TargetId, Vec<ProtectionGroup>> = BTreeMap::new();
        for group in self.targets.store().protection_groups().await.map_err(not_kept)? {
            by_target.entry(group.dr.target).or_default().push(group);
        }
        let looks = by_target.into_iter().map(|(target, groups)| self.one(target, groups));
        let all: Vec<Result<usize, Failure>> =
            futures_util::stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        let count: usize = all.iter().filter_map(|one| one.as_ref().ok()).sum();
        // One appliance that does not answer must not keep the others from being looked at.
        match all.into_iter().find(Result::is_err) {
            Some(Err(failure)) => Err(failure),
            _ => Ok(format!("The checkpoints of {count} groups were looked at.")),
        }
    }
}
