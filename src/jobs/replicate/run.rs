//! What every step of a replication begins with: both hosts, and a look at both trees.

use std::collections::{BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use super::ReplicateInput;
use super::look::refused;
pub(super) use super::view::{Held, View};
use crate::domain::dataset::{Dataset, Encryption, Guid, HOLD_PREFIX};
use crate::domain::ids::GroupId;
use crate::domain::job::Failure;
use crate::domain::names::{DatasetName, SnapTag, SnapshotName};
use crate::jobs::hosts::Hosts;
use crate::plan::conflict::Conflict;
use crate::plan::replication::{Action, Facts, History, Plan, counterpart, plan, unsure_since};
use crate::zfs::{HoldTag, Zfs, ZfsError};

/// One replication with its two ends.
pub(super) struct Run {
    pub(super) input: ReplicateInput,
    pub(super) source: Zfs,
    pub(super) destination: Zfs,
}

/// One dataset of the source's tree, and what stands in its place at the destination.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) source: Dataset,
    /// Where it belongs, whether there is something or not.
    pub(super) place: DatasetName,
    pub(super) destination: Option<Dataset>,
    pub(super) written_since_base: Option<u64>,
    /// How the destination, or else the nearest dataset above its place, is encrypted.
    pub(super) above: Option<Encryption>,
}

impl Run {
    pub(super) async fn open(input: ReplicateInput, hosts: &Hosts) -> Result<Self, Failure> {
        let (source, destination) =
            tokio::join!(hosts.zfs(&input.source.host), hosts.zfs(&input.destination.host));
        Ok(Self { source: source?, destination: destination?, input })
    }

    /// Looks at both trees: one remote command each, however many datasets there are.
    pub(super) async fn look(&self) -> Result<View, Failure> {
        let (from, into) = (&self.input.source.dataset, &self.input.destination.dataset);
        let recursive = self.input.recursive;
        let source = async {
            // Before the listing: what comes between shows as a change later.
            let signs = if self.input.snapshot { None } else { self.source.signs(from).await? };
            Ok::<_, ZfsError>((signs, self.source.datasets(std::slice::from_ref(from), recursive).await?))
        };
        let (here, there) =
            tokio::join!(source, self.destination.datasets(std::slice::from_ref(into), recursive));
        let ((signs, here), there) = (here?, there?);
        let Some(root) = here.iter().find(|dataset| &dataset.name == from) else {
            return Err(self.no_source().await?);
        };
        self.apart(root).await?;
        let above = match there.iter().any(|dataset| &dataset.name == into) {
            true => None,
            false => self.encryption_above(into).await?,
        };
        let mut pairs = Vec::with_capacity(here.len());
        for source in here {
            let place = counterpart(&source.name, from, into).map_err(|error| {
                Failure::permanent(format!("{} has no place at the destination: {error}.", source.name))
                    .advise("Choose a shorter destination.")
            })?;
            let destination = there.iter().find(|dataset| dataset.name == place).cloned();
            let above = there
                .iter()
                .filter(|dataset| place.below(&dataset.name).is_some())
                .max_by_key(|dataset| dataset.name.as_str().len())
                .map_or_else(|| above.clone(), |nearest| Some(nearest.encryption.clone()));
            pairs.push(Pair { source, place, destination, written_since_base: None, above });
        }
        pairs.sort_by(|a, b| a.source.name.cmp(&b.source.name));
        for pair in &mut pairs {
            pair.written_since_base =
                self.written_since_base(&pair.source, pair.destination.as_ref()).await?;
        }
        Ok(View { group: self.group(&pairs), pairs, held: Held::default(), sent: BTreeSet::new(), signs })
    }

    /// Looks again at what stands at the destination for these source datasets, in one command.
    pub(super) async fn look_again(&self, view: &mut View, names: &[DatasetName]) -> Result<(), Failure> {
        let wanted = |pair: &&mut Pair| names.contains(&pair.source.name);
        let places: Vec<DatasetName> =
            view.pairs.iter_mut().filter(wanted).map(|pair| pair.place.clone()).collect();
        if places.is_empty() {
            return Ok(());
        }
        let mut there: HashMap<DatasetName, Dataset> = self
            .destination
            .datasets(&places, false)
            .await?
            .into_iter()
            .map(|dataset| (dataset.name.clone(), dataset))
            .collect();
        for pair in view.pairs.iter_mut().filter(wanted) {
            pair.destination = there.remove(&pair.place);
            pair.written_since_base =
                self.written_since_base(&pair.source, pair.destination.as_ref()).await?;
            view.sent.remove(&pair.source.name);
        }
        view.reckon_above();
        Ok(())
    }

    /// Looks at the source again in a run that takes no snapshot, because what it showed before may have been too new to
    /// be remembered.
    pub(super) async fn look_for_signs(&self, view: &mut View) -> Result<(), Failure> {
        let certain = view.signs.as_ref().is_none_or(crate::zfs::Signs::are_certain);
        if certain {
            return Ok(());
        }
        let from = std::slice::from_ref(&self.input.source.dataset);
        let signs = self.source.signs(&self.input.source.dataset).await?;
        let mut here: HashMap<DatasetName, Dataset> = self
            .source
            .datasets(from, self.input.recursive)
            .await?
            .into_iter()
            .map(|dataset| (dataset.name.clone(), dataset))
            .collect();
        let known = view.pairs.iter().all(|pair| here.contains_key(&pair.source.name));
        if here.len() != view.pairs.len() || !known {
            // What came or went is the next run's.
            view.signs = None;
            return Ok(());
        }
        for pair in &mut view.pairs {
            if let Some(source) = here.remove(&pair.source.name) {
                pair.source = source;
            }
        }
        view.signs = signs;
        Ok(())
    }

    /// The source is not there, or its pool is not.
    async fn no_source(&self) -> Result<Failure, Failure> {
        let (from, host) = (&self.input.source.dataset, self.source.host().label());
        let pool = from.pool();
        let root = pool.parse::<DatasetName>().ok().filter(|root| root != from);
        if let Some(root) = root
            && !self.source.existing(std::slice::from_ref(&root)).await?.contains(&root)
        {
            return Ok(no_pool(pool, host));
        }
        Ok(Failure::permanent(format!("There is no dataset {from} on {host}."))
            .advise(format!("List what is there with: zfs list -r {pool}")))
    }

    /// What stands in the way of one dataset before a snapshot is taken. Where that snapshot alone will travel, a
    /// name that is taken at the destination does not matter, because nothing of that name is going to arrive.
    pub(super) fn obstacle(&self, view: &View, pair: &Pair) -> Option<Conflict> {
        let Action::Conflict(conflict) = pair.plan(&view.group, self.input.history).action else {
            return None;
        };
        let newest_alone = self.input.snapshot && self.input.history == History::NewestOnly;
        let harmless = newest_alone && matches!(conflict, Conflict::TagTaken { .. });
        (!harmless).then_some(conflict)
    }

    /// Refuses a source and a destination of which one lies in the other: to make room for the replica would move
    /// the source, and a tree that holds its own replica grows with every run. Asked of the host only where the
    /// names allow it, because the same names on two hosts mean nothing.
    async fn apart(&self, root: &Dataset) -> Result<(), Failure> {
        let (from, into) = (&root.name, &self.input.destination.dataset);
        let nested = from.below(into).is_some() || self.input.recursive && into.below(from).is_some();
        if from == into || !nested {
            return Ok(());
        }
        let seen = self.destination.datasets(std::slice::from_ref(from), false).await?;
        if !seen.iter().any(|other| other.guid == root.guid) {
            return Ok(());
        }
        Err(refused(&Conflict::Nested { destination: into.clone(), source: from.clone() }, false))
    }

    /// How the nearest dataset above is encrypted.
    async fn encryption_above(&self, name: &DatasetName) -> Result<Option<Encryption>, Failure> {
        let above: Vec<DatasetName> = std::iter::successors(name.parent(), DatasetName::parent).collect();
        let there = self.destination.datasets(&above, false).await?;
        let nearest = there.into_iter().max_by_key(|dataset| dataset.name.as_str().len());
        Ok(nearest.map(|dataset| dataset.encryption))
    }

    async fn written_since_base(
        &self,
        source: &Dataset,
        destination: Option<&Dataset>,
    ) -> Result<Option<u64>, Failure> {
        let Some(destination) = destination else { return Ok(None) };
        match unsure_since(source, destination) {
            Some(tag) => Ok(Some(self.destination.written_since(&destination.name, &tag).await?)),
            None => Ok(None),
        }
    }

    /// The group's id: the one asked for; else the one that the replica carries, if it descends from this
    /// source; else one derived from the two, so that every later run comes to the same.
    fn group(&self, pairs: &[Pair]) -> GroupId {
        if let Some(group) = self.input.group {
            return group;
        }
        let root = pairs.iter().find(|pair| pair.source.name == self.input.source.dataset);
        let carried = root.and_then(|root| {
            let there = root.destination.as_ref()?;
            let known: BTreeSet<Guid> = known_guids(&root.source);
            let related = there.snapshots.iter().any(|snapshot| known.contains(&snapshot.guid));
            there.group.as_deref().filter(|_| related)?.parse().ok()
        });
        let guid = root.map_or(Guid(0), |root| root.source.guid);
        carried.unwrap_or_else(|| {
            derived_group(&[&guid.to_string(), &self.input.destination.dataset.to_string()])
        })
    }
}

/// Neither end can do anything about a pool that is not there.
pub(super) fn no_pool(pool: &str, host: &str) -> Failure {
    Failure::permanent(format!("There is no pool {pool} on {host}.")).advise(
        "List the pools there with: zpool list. A pool that is missing there may have to be imported (zpool import).",
    )
}

/// The GUIDs of a dataset's snapshots and bookmarks.
fn known_guids(dataset: &Dataset) -> BTreeSet<Guid> {
    let snapshots = dataset.snapshots.iter().map(|snapshot| snapshot.guid);
    snapshots.chain(dataset.bookmarks.iter().map(|bookmark| bookmark.guid)).collect()
}

/// An id made of these words: the same words, the same id.
pub(super) fn derived_group(words: &[&str]) -> GroupId {
    let mut hash = Sha256::new();
    hash.update(b"zerfaux replication");
    for word in words {
        hash.update([0]);
        hash.update(word.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    GroupId::from_bytes(bytes)
}

/// The tag of a group's holds on both sides.
pub(in crate::jobs) fn hold_tag(group: &GroupId) -> Result<HoldTag, Failure> {
    format!("{HOLD_PREFIX}{group}")
        .parse()
        .map_err(|error| Failure::permanent(format!("The group's hold tag is not valid: {error}.")))
}

impl Pair {
    /// Whether what arrives is encrypted by the destination.
    pub(super) fn arrives_encrypted(&self) -> bool {
        !self.source.encryption.is_on() && self.above.as_ref().is_some_and(Encryption::is_on)
    }

    /// What is to be done about it.
    pub(super) fn plan(&self, group: &GroupId, history: History) -> Plan {
        let group = group.to_string();
        let facts = Facts {
            source: &self.source,
            destination: self.destination.as_ref(),
            place: &self.place,
            group: &group,
            written_since_base: self.written_since_base,
            above: self.above.as_ref(),
        };
        plan(&facts, history)
    }

    /// The GUID of the newest snapshot that both have.
    pub(super) fn common(&self) -> Option<Guid> {
        let there = self.destination.as_ref()?;
        crate::plan::replication::newest_common_snapshot(&self.source, there).map(|snapshot| snapshot.guid)
    }
}

/// `dataset@tag`, for a tag that was read from that very dataset.
pub(super) fn full_name(dataset: &DatasetName, tag: &SnapTag) -> Result<SnapshotName, Failure> {
    dataset.snapshot(tag).map_err(|error| {
        Failure::permanent(format!("A snapshot of {dataset} cannot be named: {error}."))
            .advise("Choose a shorter dataset name.")
    })
}
