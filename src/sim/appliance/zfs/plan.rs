//! What a `zfs send` would put into its stream.

use std::sync::Arc;

use super::super::model::dataset::Dataset;
use super::super::model::tree::{Block, Tree, crypt};
use super::super::model::{Snapshot, State, Target};
use super::super::stream::{Begin, MAGIC_LENGTH, Name, Record, length_of};
use super::super::token::{self, Contents};
use super::Options;

/// One snapshot of a stream.
pub(super) struct Package {
    pub(super) begin: Begin,
    pub(super) tree: Arc<Tree>,
    pub(super) blocks: Vec<(u64, u64, Arc<Block>)>,
    /// The key to decrypt with, where the stream is not raw.
    pub(super) key: Option<u64>,
    /// How `-v` names the base.
    pub(super) base: Option<String>,
}

/// What is refused: the exit status, what is still printed, and the complaint.
pub(super) struct Refused {
    pub(super) exit: i32,
    pub(super) printed: String,
    pub(super) told: String,
}

fn refused<T>(told: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { exit: 1, printed: String::new(), told: told.into() })
}

fn not_there<T>(name: &str) -> Result<T, Refused> {
    refused(format!("cannot open '{name}': dataset does not exist"))
}

#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    raw: bool,
    large: bool,
    embedded: bool,
    compressed: bool,
    properties: bool,
}

/// Where an increment begins.
struct Base {
    guid: u64,
    createtxg: u64,
    ivset: u64,
    shown: String,
}

impl Package {
    pub(super) fn names(&self) -> Vec<Name> {
        let name = |(path, number): (&String, &u64)| {
            let object = self.tree.objects.get(number)?;
            Some(Name {
                path: path.clone(),
                number: *number,
                kind: object.kind.clone(),
                length: object.length,
                meta: object.meta.clone(),
            })
        };
        self.tree.names.iter().filter_map(name).collect()
    }

    pub(super) fn record(&self, (number, index, block): &(u64, u64, Arc<Block>)) -> Record {
        Record::Write {
            number: *number,
            index: *index,
            bytes: crypt(&block.bytes, self.key, *number, *index),
        }
    }

    /// Its bytes in the stream; exact.
    pub(super) fn length(&self) -> u64 {
        let blocks: u64 = self.blocks.iter().map(|(_, _, block)| block.bytes.len() as u64 + 29).sum();
        let begin = length_of(&Record::Begin(Box::new(self.begin.clone())));
        begin + length_of(&Record::Names(self.names())) + blocks + length_of(&Record::End)
    }
}

/// The bytes of a whole stream.
pub(super) fn length(packages: &[Package]) -> u64 {
    MAGIC_LENGTH + packages.iter().map(Package::length).sum::<u64>()
}

/// Plans what these words ask for; with what is printed first of a token.
pub(super) fn plan(state: &State, options: &Options) -> Result<(Vec<Package>, String), Refused> {
    if let Some(text) = options.value('t') {
        return resume(state, text);
    }
    let [to] = options.rest.as_slice() else { return refused("missing snapshot argument") };
    let flags = Flags {
        raw: options.has('w'),
        large: options.has('L') || options.has('w'),
        embedded: options.has('e') || options.has('w'),
        compressed: options.has('c') || options.has('w'),
        properties: options.has('p') || options.has('R'),
    };
    let Target::Snapshot(dataset, tag) = Target::parse(to) else {
        return refused(format!("Error: Unsupported flag with filesystem or bookmark.\ncannot send '{to}'"));
    };
    let Some(found) = state.datasets.get(dataset) else { return not_there(to) };
    if found.snapshot(tag).is_none() {
        return not_there(to);
    }
    let from = options.value('I').or_else(|| options.value('i'));
    if options.has('I') && from.is_some_and(|from| from.contains('#')) {
        return refused("Error: multiple snapshots cannot be sent from a bookmark.");
    }
    let mut packages = Vec::new();
    let datasets = if options.has('R') { state.tree_of(dataset) } else { vec![dataset.to_owned()] };
    for name in &datasets {
        let Some(found) = state.datasets.get(name).filter(|found| found.snapshot(tag).is_some()) else {
            continue;
        };
        let every = options.has('I') || options.has('R') && !options.has('i');
        let below = name.strip_prefix(dataset).unwrap_or_default();
        packages.extend(of_dataset(state, (name, found, tag), from, every, below, flags)?);
    }
    finish(&mut packages);
    Ok((packages, String::new()))
}

fn finish(packages: &mut [Package]) {
    if let Some((_, before)) = packages.split_last_mut() {
        before.iter_mut().for_each(|package| package.begin.more = true);
    }
}

fn of_dataset(
    state: &State,
    (name, dataset, tag): (&str, &Dataset, &str),
    from: Option<&str>,
    every: bool,
    below: &str,
    flags: Flags,
) -> Result<Vec<Package>, Refused> {
    let full_name = format!("{name}@{tag}");
    let Some(to) = dataset.snapshot(tag) else { return not_there(&full_name) };
    if dataset.is_locked() && !flags.raw {
        return refused(format!("warning: cannot send '{full_name}': dataset key must be loaded"));
    }
    let mut base = match from {
        Some(from) => Some(base_of(state, (name, dataset), to, from, &full_name)?),
        None => None,
    };
    let since = base.as_ref().map_or(0, |base| base.createtxg);
    let mut wanted: Vec<&Snapshot> = dataset
        .snapshots
        .iter()
        .filter(|other| other.createtxg > since && other.createtxg < to.createtxg)
        .collect();
    if !every {
        wanted.clear();
    }
    wanted.push(to);
    let mut packages = Vec::new();
    for snapshot in wanted {
        let package = package((name, dataset), snapshot, base.as_ref(), below, flags);
        let shown = if every { snapshot.tag.clone() } else { format!("{name}@{}", snapshot.tag) };
        base =
            Some(Base { guid: snapshot.guid, createtxg: snapshot.createtxg, ivset: snapshot.ivset, shown });
        packages.push(package);
    }
    if every && let (Some(first), Some(from)) = (packages.first_mut(), from) {
        first.base = Some(from.rsplit('@').next().unwrap_or(from).to_owned());
    }
    Ok(packages)
}

fn base_of(
    state: &State,
    (name, dataset): (&str, &Dataset),
    to: &Snapshot,
    from: &str,
    full_name: &str,
) -> Result<Base, Refused> {
    let whole = match from.chars().next() {
        Some('@' | '#') => format!("{name}{from}"),
        _ if !from.contains(['@', '#']) => format!("{name}@{from}"),
        // Of another dataset of a recursive stream the tag counts; of an origin the whole name.
        _ => from.to_owned(),
    };
    let wrong_order =
        || refused(format!("warning: cannot send '{full_name}': not an earlier snapshot from the same fs"));
    match Target::parse(&whole) {
        Target::Bookmark(of, tag) => {
            let found = state.datasets.get(of).and_then(|found| found.bookmarks.get(tag));
            let Some(bookmark) = found else {
                return refused(format!(
                    "warning: cannot send '{full_name}': incremental source ({whole}) does not exist"
                ));
            };
            if of != name || bookmark.createtxg >= to.createtxg {
                return wrong_order();
            }
            let (guid, createtxg, ivset) = (bookmark.guid, bookmark.createtxg, bookmark.ivset);
            Ok(Base { guid, createtxg, ivset, shown: whole })
        }
        Target::Snapshot(of, tag) => {
            let Some(snapshot) = state.datasets.get(of).and_then(|found| found.snapshot(tag)) else {
                return not_there(&whole);
            };
            let is_origin = dataset.origin == Some(snapshot.id);
            if (of != name && !is_origin) || snapshot.createtxg >= to.createtxg {
                return wrong_order();
            }
            let (guid, createtxg, ivset) = (snapshot.guid, snapshot.createtxg, snapshot.ivset);
            Ok(Base { guid, createtxg, ivset, shown: whole })
        }
        Target::Dataset(_) => not_there(&whole),
    }
}

fn package(
    (name, dataset): (&str, &Dataset),
    to: &Snapshot,
    base: Option<&Base>,
    below: &str,
    flags: Flags,
) -> Package {
    let since = base.map_or(0, |base| base.createtxg);
    let blocks = to.tree.blocks().filter(|(_, _, block)| block.birth > since);
    let raw = dataset.encryption.as_ref().filter(|_| flags.raw).map(|key| (key.wrapped, key.check));
    let mut properties = std::collections::BTreeMap::new();
    if flags.properties {
        properties.extend(dataset.properties.iter().map(|(name, value)| (name.clone(), value.text.clone())));
    }
    let begin = Begin {
        to_guid: to.guid,
        to_name: format!("{name}@{}", to.tag),
        from_guid: base.map(|base| base.guid),
        below: below.to_owned(),
        creation: to.creation,
        volsize: dataset.volsize,
        block_size: to.tree.block_size,
        ivset: to.ivset,
        from_ivset: base.map_or(0, |base| base.ivset),
        raw,
        properties,
        large: flags.large,
        embedded: flags.embedded,
        compressed: flags.compressed,
        resume: None,
        more: false,
    };
    let key = if begin.raw.is_some() { None } else { dataset.key() };
    Package {
        begin,
        tree: Arc::clone(&to.tree),
        blocks: blocks.map(|(number, index, block)| (number, index, Arc::clone(block))).collect(),
        key,
        base: base.map(|base| base.shown.clone()),
    }
}

/// The rest of a stream that broke off.
fn resume(state: &State, text: &str) -> Result<(Vec<Package>, String), Refused> {
    let Some(contents) = token::read(text) else {
        return Err(Refused {
            exit: 255,
            printed: String::new(),
            told: "cannot resume send: resume token is corrupt (incorrect checksum)".to_owned(),
        });
    };
    let printed = token::describe(&contents);
    match rest_of(state, &contents) {
        Ok(packages) => Ok((packages, printed)),
        Err(told) => Err(Refused { exit: 255, printed, told }),
    }
}

fn rest_of(state: &State, contents: &Contents) -> Result<Vec<Package>, String> {
    let gone =
        || format!("cannot resume send: '{}' used in the initial send no longer exists", contents.to_name);
    let Target::Snapshot(name, _) = Target::parse(&contents.to_name) else { return Err(gone()) };
    let dataset = state.datasets.get(name).ok_or_else(gone)?;
    let to = dataset.snapshots.iter().find(|snapshot| snapshot.guid == contents.to_guid).ok_or_else(gone)?;
    let base = match contents.from_guid {
        None => None,
        Some(guid) => {
            let snapshot = dataset.snapshots.iter().find(|snapshot| snapshot.guid == guid);
            let origin = dataset
                .origin
                .and_then(|id| state.snapshot_by_id(id))
                .filter(|(_, origin)| origin.guid == guid);
            let bookmark = dataset.bookmarks.iter().find(|(_, bookmark)| bookmark.guid == guid);
            let found = match (snapshot, bookmark, origin) {
                (Some(found), ..) => (found.createtxg, found.ivset, format!("{name}@{}", found.tag)),
                (_, Some((tag, found)), _) => (found.createtxg, found.ivset, format!("{name}#{tag}")),
                (_, _, Some((of, found))) => (found.createtxg, found.ivset, format!("{of}@{}", found.tag)),
                _ => return Err("cannot resume send: Invalid cross-device link".to_owned()),
            };
            Some(Base { guid, createtxg: found.0, ivset: found.1, shown: found.2 })
        }
    };
    if dataset.is_locked() && !contents.raw {
        return Err(format!("cannot resume send: '{}' dataset key must be loaded", contents.to_name));
    }
    let flags = Flags {
        raw: contents.raw,
        large: contents.large,
        embedded: contents.embedded,
        compressed: contents.compressed,
        properties: false,
    };
    let mut package = package((name, dataset), to, base.as_ref(), "", flags);
    let reached = (contents.object, contents.offset);
    package.begin.resume = Some(reached);
    let size = package.tree.block_size;
    package.blocks.retain(|(number, index, _)| (*number, index * size) > reached);
    Ok(vec![package])
}
