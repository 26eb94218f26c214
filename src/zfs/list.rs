//! Datasets with everything that planning needs of them.
//!
//! Two commands in one for any number of datasets: a table of all facts, and a short one of where our properties are
//! set locally. One `zfs get` could show both, but prints a line for each property of
//! each snapshot, about eight times as much.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::dataset::{
    Bookmark, Dataset, DatasetKind, Encryption, Guid, Owner, PROPERTY_GROUP, PROPERTY_ROLE, PartialReceive,
    Role, Snapshot,
};
use crate::domain::epoch::PROPERTY_EPOCH;
use crate::domain::names::{DatasetName, SnapshotName};
use crate::domain::terms::PROPERTY_TERMS;

use super::batch::Part;
use super::classify::each_line;
use super::complaint::Complaint;
use super::error::ZfsError;
use super::parse::{Unreadable, columns, given, number, number_or_zero, time};
use super::verbs::{self, Depth};
use super::{Answer, Command, Zfs, pieces};

/// What a listing found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The wanted datasets that exist; with everything below them if that was asked for.
    pub datasets: Vec<Dataset>,
    /// The direct children of each wanted dataset that has some.
    pub children: BTreeMap<DatasetName, Vec<DatasetName>>,
    /// Datasets, snapshots and bookmarks whose names OpenZFS allows but Zerfaux does not (see
    /// `domain::names`). They are left alone.
    pub unreadable_names: Vec<String>,
}

impl Zfs {
    /// The wanted datasets with their snapshots and bookmarks, those below them too if `recursive`. One
    /// that does not exist is absent. What resume tokens say is filled in.
    ///
    /// # Errors
    /// If the host cannot be reached, or says something else than "does not exist".
    pub async fn datasets(&self, wanted: &[DatasetName], recursive: bool) -> Result<Vec<Dataset>, ZfsError> {
        let depth = if recursive { Depth::All } else { Depth::One };
        self.survey(wanted, depth).await.map(|listing| listing.datasets)
    }

    /// As [`Self::datasets`], and the names of the children.
    ///
    /// # Errors
    /// As [`Self::datasets`]; and with [`Depth::All`] if a dataset below has a name that Zerfaux does
    /// not accept, since it would be left out without a word.
    pub async fn survey(&self, wanted: &[DatasetName], depth: Depth) -> Result<Listing, ZfsError> {
        let mut listing = Listing::default();
        for names in pieces(wanted) {
            let facts = verbs::list(names, depth);
            let owners = verbs::list_owners(names, depth);
            let both = [Part::may(facts.clone()), Part::may(owners.clone())];
            let answers = self.ask_all(&both).await?;
            let [facts_answer, owners_answer] = &answers[..] else { continue };
            let facts_text = self.read_table(&facts, facts_answer)?;
            let owners_text = self.read_table(&owners, owners_answer)?;
            let parse = |command: &Command, bad: Unreadable| self.unreadable(command, bad);
            let owners = read_owners(&owners_text).map_err(|bad| parse(&owners, bad))?;
            let part = read(&facts_text, &owners, names, depth).map_err(|bad| parse(&facts, bad))?;
            listing.add(part);
        }
        for dataset in &mut listing.datasets {
            if let Some(partial) = &mut dataset.partial {
                partial.contents = self.contents_of(&partial.token).await?;
            }
        }
        Ok(listing)
    }

    /// What is known of these snapshots, by their names; one that does not exist is absent. `owner` is given because it
    /// is known: the caller has just made them.
    ///
    /// # Errors
    /// If the host cannot be reached, or the output is not understood.
    pub async fn fresh_snapshots(
        &self,
        names: &[SnapshotName],
        owner: &Owner,
    ) -> Result<BTreeMap<SnapshotName, Snapshot>, ZfsError> {
        let mut found = BTreeMap::new();
        for piece in pieces(names) {
            let command = verbs::list_snapshots(piece);
            let text = self.table(&command).await?;
            found.extend(self.read_fresh(&command, &text, owner)?);
        }
        Ok(found)
    }

    pub(super) fn read_fresh(
        &self,
        command: &Command,
        text: &str,
        owner: &Owner,
    ) -> Result<BTreeMap<SnapshotName, Snapshot>, ZfsError> {
        let read = |line: &str| {
            let row = Row::read(line)?;
            let name: SnapshotName =
                row.name.parse().map_err(|error| Unreadable::new(format!("{error}"), line))?;
            let mut snapshot = row.snapshot(name.tag().clone(), &Owners::new())?;
            snapshot.owner = owner.clone();
            Ok((name, snapshot))
        };
        text.lines().map(|line| read(line).map_err(|bad| self.unreadable(command, bad))).collect()
    }

    /// Whether the dataset exists.
    ///
    /// # Errors
    /// If the host cannot be reached, or says something else than "does not exist".
    pub async fn exists(&self, name: &DatasetName) -> Result<bool, ZfsError> {
        self.existing(std::slice::from_ref(name)).await.map(|found| found.contains(name))
    }

    /// Those of `names` that exist.
    ///
    /// # Errors
    /// If the host cannot be reached, or says something else than "does not exist".
    pub async fn existing(&self, names: &[DatasetName]) -> Result<BTreeSet<DatasetName>, ZfsError> {
        let text = self.table(&verbs::exists(names)).await?;
        let found: BTreeSet<&str> = text.lines().collect();
        Ok(names.iter().filter(|name| found.contains(name.as_str())).cloned().collect())
    }

    /// The output of a command on several names, of which some may not exist.
    pub(super) async fn table(&self, command: &Command) -> Result<String, ZfsError> {
        let answer = self.ask_again(command).await?;
        self.read_table(command, &answer)
    }

    /// What [`Self::table`] makes of an answer.
    pub(super) fn read_table(&self, command: &Command, answer: &Answer) -> Result<String, ZfsError> {
        let missing = |complaint: &Complaint| {
            matches!(complaint, Complaint::DatasetMissing(_) | Complaint::PoolMissing(_))
        };
        let complaints: Vec<Complaint> = each_line(&answer.stderr);
        if answer.succeeded() || (!complaints.is_empty() && complaints.iter().all(missing)) {
            return Ok(answer.stdout.clone());
        }
        Err(self.refused(command, answer.exit.clone(), &answer.stderr))
    }

    pub(super) fn unreadable(&self, command: &Command, bad: Unreadable) -> ZfsError {
        ZfsError::Parse { attempt: self.attempt(command), why: bad.why, line: bad.line }
    }
}

impl Listing {
    /// Adds what another command found. With overlapping names (a dataset and its parent, both
    /// recursive, in two commands) the first one counts.
    fn add(&mut self, part: Listing) {
        let known: BTreeSet<DatasetName> = self.datasets.iter().map(|dataset| dataset.name.clone()).collect();
        self.datasets.extend(part.datasets.into_iter().filter(|dataset| !known.contains(&dataset.name)));
        self.children.extend(part.children);
        self.unreadable_names.extend(part.unreadable_names);
    }
}

/// Local values of our properties: object → property → value.
type Owners = HashMap<String, HashMap<String, String>>;

pub(super) fn read_owners(text: &str) -> Result<Owners, Unreadable> {
    let mut owners = Owners::new();
    for line in text.lines() {
        let [name, property, value] = columns(line)?;
        owners.entry(name.to_owned()).or_default().insert(property.to_owned(), value.to_owned());
    }
    Ok(owners)
}

/// One line of the table of facts.
struct Row<'a> {
    line: &'a str,
    name: &'a str,
    kind: &'a str,
    guid: Guid,
    createtxg: u64,
    values: [&'a str; 17],
}

impl<'a> Row<'a> {
    fn read(line: &'a str) -> Result<Self, Unreadable> {
        let values: [&str; 17] = columns(line)?;
        let guid = Guid(number(values[2], "guid", line)?);
        let createtxg = number(values[3], "createtxg", line)?;
        Ok(Self { line, name: values[0], kind: values[1], guid, createtxg, values })
    }

    fn bytes(&self, column: usize) -> Result<u64, Unreadable> {
        let name = verbs::COLUMNS.split(',').nth(column).unwrap_or_default();
        number_or_zero(self.values[column], name, self.line)
    }

    fn dataset(&self, name: DatasetName, owners: &Owners) -> Result<Dataset, Unreadable> {
        let local = |property: &str| owners.get(self.name).and_then(|found| found.get(property));
        let encryption = match given(self.values[12]) {
            None => Encryption::Off,
            Some(root) => Encryption::On {
                root: root.parse().map_err(|error| Unreadable::new(format!("{error}"), self.line))?,
                key_loaded: self.values[13] == "available",
            },
        };
        Ok(Dataset {
            name,
            guid: self.guid,
            kind: if self.kind == "volume" { DatasetKind::Volume } else { DatasetKind::Filesystem },
            encryption,
            mounted: self.values[14] == "yes",
            readonly: self.values[15] == "on",
            used: self.bytes(6)?,
            referenced: self.bytes(7)?,
            available: self.bytes(8)?,
            written: self.bytes(9)?,
            origin: given(self.values[10]).map(str::to_owned),
            partial: given(self.values[16])
                .map(|token| PartialReceive { token: token.to_owned(), contents: None }),
            group: local(PROPERTY_GROUP).cloned(),
            role: local(PROPERTY_ROLE).and_then(|role| Role::parse(role)),
            epoch: local(PROPERTY_EPOCH).cloned(),
            terms: local(PROPERTY_TERMS).cloned(),
            snapshots: Vec::new(),
            bookmarks: Vec::new(),
        })
    }

    fn snapshot(&self, tag: crate::domain::names::SnapTag, owners: &Owners) -> Result<Snapshot, Unreadable> {
        let group = owners.get(self.name).and_then(|found| found.get(PROPERTY_GROUP));
        Ok(Snapshot {
            tag,
            guid: self.guid,
            createtxg: self.createtxg,
            created_at: time(self.values[4], "creation", self.line)?,
            owner: group.map_or(Owner::Foreign, |group| Owner::Zerfaux(group.clone())),
            holds: self.bytes(5)?,
            used: self.bytes(6)?,
            referenced: self.bytes(7)?,
            written: self.bytes(9)?,
            clones: clones(self.values[11]),
        })
    }
}

/// The clones of a snapshot. While an increment is being received onto it, or waits to be resumed, a
/// hidden `…/%recv` is among them; that is the dataset's partial receive and no clone of anybody's.
pub(super) fn clones(value: &str) -> Vec<DatasetName> {
    given(value).unwrap_or_default().split(',').filter_map(|name| name.parse().ok()).collect()
}

pub(super) fn read(
    text: &str,
    owners: &Owners,
    wanted: &[DatasetName],
    depth: Depth,
) -> Result<Listing, Unreadable> {
    let wanted: BTreeSet<&str> = wanted.iter().map(DatasetName::as_str).collect();
    let mut found: BTreeMap<DatasetName, Dataset> = BTreeMap::new();
    let mut listing = Listing::default();
    let mut parts: Vec<Row<'_>> = Vec::new();
    for line in text.lines() {
        let row = Row::read(line)?;
        if row.kind == "snapshot" || row.kind == "bookmark" {
            parts.push(row);
            continue;
        }
        let Ok(name) = row.name.parse::<DatasetName>() else {
            if depth == Depth::All {
                return Err(Unreadable::new("a dataset has a name that Zerfaux does not accept", line));
            }
            listing.unreadable_names.push(row.name.to_owned());
            continue;
        };
        if let Some(above) = name.parent().filter(|above| wanted.contains(above.as_str())) {
            listing.children.entry(above).or_default().push(name.clone());
        }
        if depth == Depth::All || wanted.contains(row.name) {
            found.insert(name.clone(), row.dataset(name, owners)?);
        }
    }
    for row in parts {
        if !attach(&row, &mut found, owners)? {
            listing.unreadable_names.push(row.name.to_owned());
        }
    }
    for dataset in found.values_mut() {
        dataset.snapshots.sort_by_key(|snapshot| (snapshot.createtxg, snapshot.created_at));
        dataset.bookmarks.sort_by_key(|bookmark| (bookmark.createtxg, bookmark.created_at));
    }
    listing.datasets = found.into_values().collect();
    Ok(listing)
}

/// Puts a snapshot or bookmark where it belongs; false if its name is not one that Zerfaux accepts.
fn attach(
    row: &Row<'_>,
    found: &mut BTreeMap<DatasetName, Dataset>,
    owners: &Owners,
) -> Result<bool, Unreadable> {
    let Some((dataset, tag)) = row.name.split_once(['@', '#']) else {
        return Err(Unreadable::new("a snapshot or bookmark without its separator", row.line));
    };
    let (Ok(dataset), Ok(tag)) = (dataset.parse::<DatasetName>(), tag.parse()) else {
        return Ok(false);
    };
    let Some(dataset) = found.get_mut(&dataset) else {
        return Ok(true);
    };
    if row.kind == "snapshot" {
        dataset.snapshots.push(row.snapshot(tag, owners)?);
    } else {
        let created_at = time(row.values[4], "creation", row.line)?;
        dataset.bookmarks.push(Bookmark { tag, guid: row.guid, createtxg: row.createtxg, created_at });
    }
    Ok(true)
}
