//! Looking around on an appliance: datasets and snapshots as they are now. Nothing of it is kept.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::targets::Targets;
use crate::domain::dataset::{DatasetKind, Owner, Role};
use crate::domain::ids::TargetId;
use crate::domain::job::Failure;
use crate::domain::names::{DatasetName, SnapshotName};
use crate::plan::obstacles::DatasetSeen;
use crate::zfs::Zfs;
use crate::zfs::verbs::Depth;

/// Nobody waits longer in front of a page.
const LONGEST: Duration = Duration::from_secs(25);

/// A dataset on an appliance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatasetFacts {
    /// Its name.
    pub name: DatasetName,
    /// File system or volume.
    pub kind: DatasetKind,
    /// Bytes it uses with its snapshots and children.
    pub used: u64,
    /// Bytes it refers to.
    pub referenced: u64,
    /// Bytes it could still take.
    pub available: u64,
    /// Where it is or would be mounted.
    pub mountpoint: Option<String>,
    /// What Zerfaux uses it for.
    pub role: Option<Role>,
    /// How many snapshots it has itself.
    pub snapshots: u64,
    /// When the newest of them was made.
    pub newest_snapshot_at: Option<Timestamp>,
}

/// A snapshot on an appliance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotFacts {
    /// `dataset@tag`.
    pub name: SnapshotName,
    /// The same on every host that has it.
    pub guid: u64,
    /// When it was taken.
    pub created_at: Timestamp,
    /// Bytes that only it keeps.
    pub used: u64,
    /// Bytes that it refers to.
    pub referenced: u64,
    /// The group of Zerfaux that it belongs to; none: somebody else's.
    pub group: Option<String>,
    /// The tags of its holds: while there is one, it cannot be destroyed.
    pub holds: Vec<String>,
    /// Datasets cloned from it.
    pub clones: Vec<DatasetName>,
}

/// Some of what is there, and how many there are in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<T> {
    /// The part that was asked for.
    pub items: Vec<T>,
    /// In all parts.
    pub total: u64,
}

/// Which part is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Only those with this text in their name, in either case.
    pub words: String,
    /// Left out at the beginning.
    pub skip: usize,
    /// At most so many.
    pub limit: usize,
}

/// The datasets in the appliance's pools, by name.
///
/// # Errors
/// If there is no such appliance, or it does not answer in time.
pub async fn datasets(targets: &Targets, id: TargetId, part: &Part) -> Result<Found<DatasetFacts>, Failure> {
    in_time(async {
        let zfs = open(targets, id).await?;
        let mut found = Vec::new();
        for pool in zfs.pools(0).await? {
            let Ok(root) = pool.name.parse::<DatasetName>() else { continue };
            found.extend(zfs.browse(&root).await?);
        }
        let words = part.words.to_lowercase();
        found.retain(|one| one.name.as_str().to_lowercase().contains(&words));
        let total = found.len() as u64;
        let shown: Vec<_> = found.into_iter().skip(part.skip).take(part.limit).collect();
        let names: Vec<DatasetName> = shown.iter().map(|one| one.name.clone()).collect();
        let times = zfs.snapshot_times(&names).await?;
        let items = shown.into_iter().map(|one| {
            let times = times.get(&one.name);
            DatasetFacts {
                snapshots: times.map_or(0, |(count, _)| *count),
                newest_snapshot_at: times.map(|(_, newest)| *newest),
                name: one.name,
                kind: one.kind,
                used: one.used,
                referenced: one.referenced,
                available: one.available,
                mountpoint: one.mountpoint,
                role: one.role,
            }
        });
        Ok(Found { items: items.collect(), total })
    })
    .await
}

/// The names of the datasets in one pool, to choose from.
///
/// # Errors
/// As [`datasets`], and if there is no such pool.
pub async fn dataset_names(
    targets: &Targets,
    id: TargetId,
    pool: &DatasetName,
) -> Result<Vec<DatasetName>, Failure> {
    in_time(async {
        let zfs = open(targets, id).await?;
        Ok(zfs.browse(pool).await?.into_iter().map(|one| one.name).collect())
    })
    .await
}

/// The snapshots of one dataset, newest first.
///
/// # Errors
/// As [`datasets`], and if there is no such dataset.
pub async fn snapshots(
    targets: &Targets,
    id: TargetId,
    dataset: &DatasetName,
    part: &Part,
) -> Result<Option<Found<SnapshotFacts>>, Failure> {
    in_time(async {
        let zfs = open(targets, id).await?;
        let listing = zfs.survey(std::slice::from_ref(dataset), Depth::One).await?;
        let Some(dataset) = listing.datasets.into_iter().find(|one| one.name == *dataset) else {
            return Ok(None);
        };
        let words = part.words.to_lowercase();
        let mut all = dataset.snapshots;
        all.reverse();
        all.retain(|one| one.tag.as_str().to_lowercase().contains(&words));
        let total = all.len() as u64;
        let mut items = Vec::new();
        for one in all.into_iter().skip(part.skip).take(part.limit) {
            let Ok(name) = dataset.name.snapshot(&one.tag) else { continue };
            let group = match one.owner {
                Owner::Zerfaux(group) => Some(group),
                Owner::Foreign => None,
            };
            items.push((
                one.holds,
                SnapshotFacts {
                    name,
                    guid: one.guid.0,
                    created_at: one.created_at,
                    used: one.used,
                    referenced: one.referenced,
                    group,
                    holds: Vec::new(),
                    clones: one.clones,
                },
            ));
        }
        let held: Vec<SnapshotName> =
            items.iter().filter(|(holds, _)| *holds > 0).map(|(_, one)| one.name.clone()).collect();
        let holds = if held.is_empty() { Vec::new() } else { zfs.holds(&held).await? };
        let items = items.into_iter().map(|(_, mut one)| {
            let own = holds.iter().filter(|hold| hold.snapshot == one.name);
            one.holds = own.map(|hold| hold.tag.clone()).collect();
            one
        });
        Ok(Some(Found { items: items.collect(), total }))
    })
    .await
}

/// How much one dataset has, in bytes that it refers to; none if there is no such dataset.
///
/// # Errors
/// As [`datasets`].
pub async fn dataset_size(
    targets: &Targets,
    id: TargetId,
    name: &DatasetName,
) -> Result<Option<u64>, Failure> {
    in_time(async {
        let zfs = open(targets, id).await?;
        let found = zfs.browse(name).await?.into_iter().find(|one| one.name == *name);
        Ok(found.map(|one| one.referenced))
    })
    .await
}

/// What a group has to know of its dataset.
///
/// # Errors
/// As [`datasets`].
pub async fn dataset_seen(
    targets: &Targets,
    id: TargetId,
    name: &DatasetName,
) -> Result<DatasetSeen, Failure> {
    in_time(async {
        let zfs = open(targets, id).await?;
        let listing = zfs.survey(std::slice::from_ref(name), Depth::One).await?;
        let found = listing.datasets.iter().find(|one| one.name == *name);
        Ok(DatasetSeen {
            exists: found.is_some(),
            encrypted: found.is_some_and(|one| one.encryption.is_on()),
            children: listing.children.get(name).cloned().unwrap_or_default(),
        })
    })
    .await
}

/// OpenZFS on an appliance, whether it is switched on or not.
pub(super) async fn open(targets: &Targets, id: TargetId) -> Result<Zfs, Failure> {
    let (_, host) = targets.any_host_ref(id).await?;
    targets.hosts().zfs(&host).await
}

/// The work, or that the appliance did not answer in time.
pub(super) async fn in_time<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(LONGEST, work).await.unwrap_or_else(|_late| {
        Err(Failure::transient(format!("The appliance did not answer within {} s.", LONGEST.as_secs()))
            .advise("Look there whether it is overloaded, or a disk hangs (zpool status)."))
    })
}
