//! Files with everything that belongs to them, taken from one place and put into another: for `cp`, `mv` and `rsync`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::sim::appliance::model::State;
use crate::sim::appliance::model::names::{Errno, NOT_THERE};
use crate::sim::appliance::model::object::{Kind, Meta};
use crate::sim::appliance::model::paths::tidy;

/// One file, directory or link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Relative to where it was taken from; empty: that itself.
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) length: u64,
    pub(super) meta: Meta,
    /// The same for every name of a file, and how many names there are.
    pub(super) number: u64,
    pub(super) links: usize,
    /// What is not a hole: offset and bytes. Left out where only the list is wanted.
    #[serde(skip)]
    pub(super) extents: Vec<(u64, Vec<u8>)>,
}

/// Everything at and below a path, each before what is below it. `left_out` is asked for every relative path; with
/// `stay`, other file systems are passed over.
pub(super) fn collect(state: &State, from: &str, stay: bool, left_out: impl Fn(&str) -> bool) -> Vec<Entry> {
    let from = tidy(from);
    let mut out: Vec<String> = Vec::new();
    let mut all = Vec::new();
    for name in std::iter::once(String::new()).chain(state.list(&from, true)) {
        let full = format!("{}/{name}", from.trim_end_matches('/'));
        let full = tidy(&full);
        let below_one =
            out.iter().any(|gone| name.strip_prefix(gone.as_str()).is_some_and(|rest| rest.starts_with('/')));
        let beyond = stay && !name.is_empty() && state.is_mount_point(&full);
        if below_one || !name.is_empty() && (beyond || left_out(&name)) {
            if !below_one {
                out.push(name);
            }
            continue;
        }
        if let Some(entry) = entry(state, &full, name) {
            all.push(entry);
        }
    }
    all
}

fn entry(state: &State, full: &str, path: String) -> Option<Entry> {
    let seen = state.look(full)?;
    let found = state.seek(full)?;
    let mut extents = Vec::new();
    if let Some(object) = found.tree.object(&found.path).filter(|object| object.is_file()) {
        for index in object.blocks.keys() {
            let start = index * found.tree.block_size;
            let bytes = found.tree.read_at(&found.path, start, found.tree.block_size, found.key)?;
            extents.push((start, bytes));
        }
    }
    let (kind, length, meta) = (seen.kind, seen.length, seen.meta);
    Some(Entry { path, kind, length, meta, number: seen.number, links: seen.links, extents })
}

/// Puts an entry below `to`, over what is there. `first` remembers under which name each file with several came first.
pub(super) fn put(
    state: &mut State,
    to: &str,
    entry: &Entry,
    first: &mut BTreeMap<u64, String>,
) -> Result<(), Errno> {
    let target = tidy(&format!("{to}/{}", entry.path));
    let there = state.look(&target).map(|seen| seen.kind);
    if let (Some(there), false) = (&there, entry.kind == Kind::Directory) {
        if *there == Kind::Directory {
            return Err("cannot overwrite directory");
        }
        state.change(&target, |tree, path, _, _| Ok(tree.remove(path)))?;
    }
    match &entry.kind {
        Kind::Directory if there.is_some() => {}
        Kind::Directory => state.change(&target, |tree, path, _, _| tree.add_directory(path))?,
        Kind::Link(said) => state.change(&target, |tree, path, _, _| tree.add_link(path, said))?,
        Kind::File => {
            if let Some(before) = first.get(&entry.number).filter(|_| entry.links > 1) {
                let from = state.seek(before).ok_or(NOT_THERE)?.path;
                return state.change(&target, |tree, path, _, _| tree.hard_link(&from, path));
            }
            state.change(&target, |tree, path, _, _| {
                tree.has_place_above(path)?;
                tree.set_length(path, 0);
                Ok(())
            })?;
            for (offset, bytes) in &entry.extents {
                state.write_at(&target, Some(*offset), bytes)?;
            }
            state.change(&target, |tree, path, _, _| {
                tree.set_length(path, entry.length);
                Ok(())
            })?;
            first.insert(entry.number, target.clone());
        }
    }
    super::names::meta(state, &target, |meta| entry.meta.clone_into(meta))
}
