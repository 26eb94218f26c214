//! What the appliances have of groups: each is listed, one listing for each appliance and look, so that checkpoints which
//! retention or somebody let go of are known to be gone, those that are there without our knowing are known, and what
//! datasets say of themselves agrees with the database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};

use super::failure::not_kept;
use super::group_agreement::{Whole, checkpoints, compare, manifests};
use super::targets::Targets;
use crate::domain::dataset::{Dataset, Guid, Role};
use crate::domain::ids::TargetId;
use crate::domain::job::Failure;
use crate::domain::names::DatasetName;
use crate::domain::protection_group::ProtectionGroup;
use crate::engine::Clock;
use crate::engine::reconcile::Reconciler;
use crate::zfs::Zfs;

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
    whole: Whole,
}

impl CheckpointWatch {
    /// Looks at appliances that `targets` knows.
    pub fn new(targets: Targets, clock: Arc<dyn Clock>) -> Self {
        Self { targets, clock, whole: Whole::default() }
    }

    async fn one(&self, target: TargetId, sides: Vec<(ProtectionGroup, Role)>) -> Result<usize, Failure> {
        let looked = self.clock.now();
        let (_, host) = self.targets.host_ref(target).await?;
        let names: Vec<DatasetName> =
            sides.iter().map(|(group, role)| dataset_of(group, *role).clone()).collect();
        let store = self.targets.store();
        let listing = async {
            let zfs = self.targets.hosts().zfs(&host).await?;
            let seen = zfs.datasets(&names, false).await.map_err(Failure::from)?;
            Ok((zfs, seen))
        };
        let (zfs, seen) = tokio::time::timeout(LONGEST, listing).await.unwrap_or_else(|_late| {
            Err(Failure::transient(format!(
                "The appliance did not list its datasets within {} s.",
                LONGEST.as_secs()
            )))
        })?;
        for (group, role) in &sides {
            let dataset = seen.iter().find(|one| &one.name == dataset_of(group, *role));
            // After the listing: what a run did since then has to be seen before it is called missing.
            let idle = !store.has_unfinished_run(group.id, looked).await.map_err(not_kept)?;
            if let Some(dataset) = dataset {
                compare(&self.targets, &zfs, group, (*role, dataset), idle, looked).await?;
            }
            if *role == Role::Replica {
                settle(&self.targets, &zfs, group, dataset, (looked, &self.whole, idle)).await?;
            }
        }
        Ok(sides.len())
    }
}

fn dataset_of(group: &ProtectionGroup, role: Role) -> &DatasetName {
    if role == Role::Live { &group.source.dataset } else { &group.dr.dataset }
}

/// Brings what is known of a group's checkpoints to what its replica has.
async fn settle(
    targets: &Targets,
    zfs: &Zfs,
    group: &ProtectionGroup,
    replica: Option<&Dataset>,
    (looked, whole, idle): (Timestamp, &Whole, bool),
) -> Result<(), Failure> {
    let known = targets.store().checkpoints(group.id, true).await.map_err(not_kept)?;
    let known: Vec<Guid> = known.iter().map(|one| one.guid).collect();
    if let Some(replica) = replica {
        manifests(targets, zfs, group, replica, (&known, whole, idle)).await?;
    }
    let there = replica.map(|replica| checkpoints(group, replica, &known, looked)).unwrap_or_default();
    let forget = looked.checked_sub(FORGOTTEN_AFTER).unwrap_or(Timestamp::MIN);
    targets.store().settle_checkpoints(group.id, there, looked, forget).await.map_err(not_kept)
}

/// Takes in what the replica of a group has, as right after it was taken over. Changes nothing on the appliance.
///
/// # Errors
/// If the appliance or the database does not answer.
pub async fn take_in(targets: &Targets, group: &ProtectionGroup, now: Timestamp) -> Result<(), Failure> {
    let zfs = targets.zfs(group.dr.target).await?;
    let seen = zfs.datasets(std::slice::from_ref(&group.dr.dataset), false).await?;
    settle(targets, &zfs, group, seen.first(), (now, &Whole::default(), false)).await
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
        let mut by_target: BTreeMap<TargetId, Vec<(ProtectionGroup, Role)>> = BTreeMap::new();
        for group in self.targets.store().protection_groups().await.map_err(not_kept)? {
            by_target.entry(group.source.target).or_default().push((group.clone(), Role::Live));
            by_target.entry(group.dr.target).or_default().push((group, Role::Replica));
        }
        let looks = by_target.into_iter().map(|(target, groups)| self.one(target, groups));
        let all: Vec<Result<usize, Failure>> =
            futures_util::stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        let count: usize = all.iter().filter_map(|one| one.as_ref().ok()).sum();
        // One appliance that does not answer must not keep the others from being looked at.
        match all.into_iter().find(Result::is_err) {
            Some(Err(failure)) => Err(failure),
            _ => Ok(format!("{count} datasets of groups were looked at.")),
        }
    }
}
