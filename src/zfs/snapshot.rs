//! Taking snapshots, marking received ones, and destroying our own.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use crate::domain::dataset::{Guid, Owner, PROPERTY_GROUP, Snapshot};
use crate::domain::names::{DatasetName, SnapTag, SnapshotName};

use super::complaint::Complaint;
use super::error::ZfsError;
use super::list::clones;
use super::parse::{Unreadable, columns};
use super::property::{Property, PropertyName};
use super::{Zfs, pieces, verbs};

/// What became of a snapshot that was to be destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destroyed {
    /// The snapshot.
    pub tag: SnapTag,
    /// What became of it.
    pub outcome: Outcome,
}

/// See [`Destroyed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is destroyed.
    Destroyed,
    /// It was gone already.
    Gone,
    /// It is still there. That is a state to be shown, not an error.
    Kept(KeptBecause),
}

/// Why a snapshot was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptBecause {
    /// So many holds are on it.
    Holds(u64),
    /// These datasets are cloned from it.
    Clones(Vec<DatasetName>),
    /// An interrupted receive builds on it.
    PartialReceive,
    /// It is in use.
    Busy,
    /// It is not, or no longer, the group's: our property is not set locally, or names another group.
    NotOurs,
    /// Another snapshot has its name now: the GUID differs.
    Replaced(Guid),
}

impl fmt::Display for KeptBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds(1) => f.write_str("a hold is on it"),
            Self::Holds(count) => write!(f, "{count} holds are on it"),
            Self::Clones(names) => {
                let names: Vec<&str> = names.iter().map(DatasetName::as_str).collect();
                write!(f, "it is the origin of {}", names.join(", "))
            }
            Self::PartialReceive => f.write_str("an interrupted receive builds on it"),
            Self::Busy => f.write_str("it is in use"),
            Self::NotOurs => f.write_str("it does not belong to this group"),
            Self::Replaced(guid) => write!(f, "another snapshot (GUID {guid}) has its name now"),
        }
    }
}

/// What a snapshot is, at the moment before it is destroyed.
#[derive(Debug, Default)]
struct Standing {
    guid: Option<u64>,
    holds: u64,
    clones: String,
    group: Option<String>,
}

impl Zfs {
    /// Takes these snapshots, each of another dataset, in one transaction group, and marks them as the
    /// group's. True if they were taken now, false if all of them were there and are the group's.
    ///
    /// # Errors
    /// If one exists that is not the group's, or only some of them exist: they would not show one moment.
    pub async fn ensure_snapshots(
        &self,
        group: &str,
        snapshots: &[SnapshotName],
        properties: &[Property],
    ) -> Result<bool, ZfsError> {
        let Some((first, others)) = snapshots.split_first() else { return Ok(false) };
        let bare = verbs::snapshot(first, others, &[]);
        let mark =
            Property::new(PROPERTY_GROUP, group).map_err(|error| self.guarded(&bare, error.to_string()))?;
        let marks: Vec<Property> = std::iter::once(mark).chain(properties.iter().cloned()).collect();
        let command = verbs::snapshot(first, others, &marks);
        let answer = self.ask(&command).await?;
        if answer.succeeded() {
            return Ok(true);
        }
        let error = self.refused(&command, answer.exit, &answer.stderr);
        if error.complaint() != Some(&Complaint::AlreadyExists) {
            return Err(error);
        }
        let standing = self.inspect(snapshots).await?;
        let ours = |name: &SnapshotName| {
            standing.get(&name.to_string()).is_some_and(|found| found.group.as_deref() == Some(group))
        };
        match snapshots.iter().find(|name| !ours(name)) {
            None => Ok(false),
            Some(name) if standing.contains_key(&name.to_string()) => {
                Err(self.guarded(&command, format!("{name} exists and is not of group {group}")))
            }
            Some(name) => {
                Err(self.guarded(&command, format!("{name} is missing while others of its set exist")))
            }
        }
    }

    /// Marks snapshots as the group's: a stream without properties does not bring the mark with it. To
    /// be called after their GUIDs were compared with the source's.
    ///
    /// # Errors
    /// If one does not exist.
    pub async fn mark_snapshots(&self, group: &str, snapshots: &[SnapshotName]) -> Result<(), ZfsError> {
        for piece in pieces(snapshots) {
            let Some((first, others)) = piece.split_first() else { continue };
            let bare = verbs::set_on_snapshots(first, others, &[]);
            let mark = Property::new(PROPERTY_GROUP, group)
                .map_err(|error| self.guarded(&bare, error.to_string()))?;
            self.run(&verbs::set_on_snapshots(first, others, &[mark])).await?;
        }
        Ok(())
    }

    /// The values of these properties where they are set on the snapshots or datasets themselves, by name. One that does not
    /// exist is absent.
    ///
    /// # Errors
    /// If the host cannot be reached, or the output is not understood.
    pub async fn local_properties<T: fmt::Display>(
        &self,
        names: &[T],
        properties: &[PropertyName],
    ) -> Result<HashMap<String, BTreeMap<String, String>>, ZfsError> {
        let mut found: HashMap<String, BTreeMap<String, String>> = HashMap::new();
        for piece in pieces(names) {
            let command = verbs::local_properties(piece, properties);
            for line in self.table(&command).await?.lines() {
                let [name, property, value] = columns(line).map_err(|bad| self.unreadable(&command, bad))?;
                found.entry(name.to_owned()).or_default().insert(property.to_owned(), value.to_owned());
            }
        }
        Ok(found)
    }

    /// Destroys snapshots of `dataset` that are the group's, one by one, and says for each what became of
    /// it. Whose they are, their GUIDs, holds and clones are looked at again first.
    ///
    /// # Errors
    /// If one of them was not the group's when it was listed: then nothing is destroyed. Or if the host
    /// cannot be reached, or a destroy fails for another reason than those in [`KeptBecause`].
    pub async fn destroy_snapshots(
        &self,
        dataset: &DatasetName,
        group: &str,
        snapshots: &[&Snapshot],
    ) -> Result<Vec<Destroyed>, ZfsError> {
        let mut names = Vec::new();
        for snapshot in snapshots {
            let name = self.named(dataset, &snapshot.tag)?;
            if snapshot.owner != Owner::Zerfaux(group.to_owned()) {
                let why = format!("{name} is not of group {group}; nothing was destroyed");
                return Err(self.guarded(&verbs::destroy_snapshot(&name), why));
            }
            names.push(name);
        }
        let standing = self.inspect(&names).await?;
        let mut all = Vec::new();
        for (name, snapshot) in names.iter().zip(snapshots) {
            let outcome = match standing.get(&name.to_string()) {
                None => Outcome::Gone,
                Some(found) => match found.against(group, snapshot.guid) {
                    Some(why) => Outcome::Kept(why),
                    None => self.destroy_one(name).await?,
                },
            };
            all.push(Destroyed { tag: snapshot.tag.clone(), outcome });
        }
        Ok(all)
    }

    /// Something may have come between the look and the destroy: `zfs` itself refuses then.
    async fn destroy_one(&self, name: &SnapshotName) -> Result<Outcome, ZfsError> {
        let command = verbs::destroy_snapshot(name);
        let answer = self.ask(&command).await?;
        if answer.succeeded() {
            return Ok(Outcome::Destroyed);
        }
        let error = self.refused(&command, answer.exit, &answer.stderr);
        let why = match error.complaint() {
            Some(Complaint::DatasetMissing(_)) => return Ok(Outcome::Gone),
            Some(Complaint::HasHolds) => KeptBecause::Holds(1),
            Some(Complaint::HasClones(names)) if names.iter().any(|name| name.ends_with("/%recv")) => {
                KeptBecause::PartialReceive
            }
            Some(Complaint::HasClones(names)) => KeptBecause::Clones(clones(&names.join(","))),
            Some(Complaint::Busy) => KeptBecause::Busy,
            _ => return Err(error),
        };
        Ok(Outcome::Kept(why))
    }

    fn named(&self, dataset: &DatasetName, tag: &SnapTag) -> Result<SnapshotName, ZfsError> {
        dataset.snapshot(tag).map_err(|error| {
            let attempt = super::Attempt {
                what: format!("name snapshot {tag} of {dataset}"),
                host: self.host.label().to_owned(),
                needs: None,
            };
            ZfsError::Arguments { attempt: Box::new(attempt), why: error.to_string() }
        })
    }

    /// The standing of those snapshots that exist.
    async fn inspect(&self, names: &[SnapshotName]) -> Result<HashMap<String, Standing>, ZfsError> {
        let mut standing = HashMap::new();
        for piece in pieces(names) {
            let command = verbs::inspect_snapshots(piece);
            let text = self.table(&command).await?;
            read_standing(&text, &mut standing).map_err(|bad| self.unreadable(&command, bad))?;
        }
        Ok(standing)
    }
}

impl Standing {
    fn against(&self, group: &str, guid: Guid) -> Option<KeptBecause> {
        if let Some(other) = self.guid.filter(|other| *other != guid.0) {
            return Some(KeptBecause::Replaced(Guid(other)));
        }
        if self.guid.is_none() || self.group.as_deref() != Some(group) {
            return Some(KeptBecause::NotOurs);
        }
        if self.holds > 0 {
            return Some(KeptBecause::Holds(self.holds));
        }
        if self.clones.split(',').any(|name| name.ends_with("/%recv")) {
            return Some(KeptBecause::PartialReceive);
        }
        // Whatever is named there keeps it, also where the name is not one that Zerfaux accepts.
        (self.clones != "-" && !self.clones.is_empty()).then(|| KeptBecause::Clones(clones(&self.clones)))
    }
}

fn read_standing(text: &str, standing: &mut HashMap<String, Standing>) -> Result<(), Unreadable> {
    for line in text.lines() {
        let [name, property, value, source] = columns(line)?;
        let entry: &mut Standing = standing.entry(name.to_owned()).or_default();
        match property {
            "guid" => entry.guid = value.parse().ok(),
            // What cannot be read as a number counts as a hold: nothing is destroyed on doubt.
            "userrefs" => entry.holds = value.parse().unwrap_or(1),
            "clones" => value.clone_into(&mut entry.clones),
            PROPERTY_GROUP if source == "local" => entry.group = Some(value.to_owned()),
            _ => {}
        }
    }
    Ok(())
}
