//! The two ends of a transfer: the one that has the files, and the one that says which of them it needs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::super::Shell;
use super::super::carry::{Entry, collect, put};
use super::super::names::make_directory;
use super::Failure;
use super::options::Plan;
use crate::sim::appliance::model::State;
use crate::sim::appliance::model::object::{Kind, Meta};

/// Why an entry is sent, in the letters of `--itemize-changes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change {
    /// Which entry of the list.
    pub(super) number: usize,
    pub(super) is_new: bool,
    /// The content differs.
    pub(super) content: bool,
    pub(super) times: bool,
    pub(super) perms: bool,
    pub(super) owner: bool,
}

/// What the receiver wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub(super) changes: Vec<Change>,
    pub(super) deleted: Vec<(String, Kind)>,
}

/// The end that gets the files.
pub(super) trait Receiver {
    /// Shows it the list.
    fn offer(&mut self, list: &[Entry]) -> Result<Wanted, Failure>;
    /// Gives it one file that it wants.
    fn take(&mut self, entry: &Entry) -> Result<(), Failure>;
    /// That was all.
    fn end(&mut self) -> Result<(), Failure>;
}

/// The end that has the files.
pub(super) struct Sender {
    entries: Vec<Entry>,
}

impl Sender {
    /// None if there is nothing at `from`.
    pub(super) fn new(shell: &Shell, from: &str, plan: &Plan) -> Option<Self> {
        let state = shell.machine.state();
        state.look(from.trim_end_matches('/'))?;
        let mut entries = collect(&state, from, plan.one_file_system, |path| plan.leaves_out(path));
        if !plan.contents {
            let name = from.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            for entry in &mut entries {
                entry.path =
                    if entry.path.is_empty() { name.to_owned() } else { format!("{name}/{}", entry.path) };
            }
        }
        entries.retain(|entry| plan.recursive || entry.kind != Kind::Directory);
        Some(Self { entries })
    }

    /// Everything without its content, which for `--checksum` is stood for by its hash.
    pub(super) fn list(&self) -> Vec<Entry> {
        self.entries.clone()
    }

    pub(super) fn entry(&self, number: usize) -> Entry {
        self.entries[number].clone()
    }
}

/// A receiver on this machine.
pub(super) struct Local<'a> {
    pub(super) shell: &'a Shell,
    pub(super) to: String,
    pub(super) plan: &'a Plan,
    pub(super) linked: Linked,
}

/// A receiver's memory from one file to the next.
#[derive(Debug, Default)]
pub(super) struct Linked(BTreeMap<u64, String>);

impl Receiver for Local<'_> {
    fn offer(&mut self, list: &[Entry]) -> Result<Wanted, Failure> {
        let contents: Vec<u64> = list.iter().map(digest).collect();
        wanted(&mut self.shell.machine.state(), &self.to, self.plan, list, &contents)
    }

    fn take(&mut self, entry: &Entry) -> Result<(), Failure> {
        keep(&mut self.shell.machine.state(), &self.to, self.plan, entry, &mut self.linked)
    }

    fn end(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// A number that differs where the content does.
pub(super) fn digest(entry: &Entry) -> u64 {
    let mut all = Vec::new();
    for (offset, bytes) in &entry.extents {
        // Zeros that were written are no other content than a hole.
        if bytes.iter().any(|byte| *byte != 0) {
            all.extend_from_slice(&offset.to_le_bytes());
            all.extend_from_slice(bytes);
        }
    }
    crate::sim::appliance::stream::checksum(&all)
}

/// What of the list is missing at `to`, or another; what there is too much is deleted if the plan says so.
pub(super) fn wanted(
    state: &mut State,
    to: &str,
    plan: &Plan,
    list: &[Entry],
    contents: &[u64],
) -> Result<Wanted, Failure> {
    let to = to.trim_end_matches('/');
    let is_new = state.look(&state.follow(to)).is_none();
    if is_new {
        let above = to.rsplit_once('/').map_or("/", |(above, _)| if above.is_empty() { "/" } else { above });
        if state.look(above).is_none() && !plan.make_path {
            return Err(Failure::new(
                11,
                format!("rsync: [Receiver] mkdir \"{to}\" failed: No such file or directory (2)"),
            ));
        }
        if !plan.dry_run {
            make_directory(state, to, plan.make_path)
                .map_err(|why| Failure::new(11, format!("rsync: [Receiver] mkdir \"{to}\" failed: {why}")))?;
        }
    }
    let there = collect(state, to, false, |_| false);
    let there: BTreeMap<&str, &Entry> = there.iter().map(|entry| (entry.path.as_str(), entry)).collect();
    let mut answer = Wanted::default();
    for (number, entry) in list.iter().enumerate() {
        if matches!(entry.kind, Kind::Link(_)) && !plan.links {
            continue;
        }
        // The directory that was made just now counts as new.
        let own = there.get(entry.path.as_str()).filter(|own| !(is_new && own.path.is_empty()));
        let meta = own.map(|own| &own.meta);
        let times = plan.times && meta.is_none_or(|meta| meta.modified.0 != entry.meta.modified.0);
        let perms = plan.perms && meta.is_none_or(|meta| meta.mode != entry.meta.mode)
            || plan.xattrs && meta.is_none_or(|meta| meta.xattrs != entry.meta.xattrs);
        let owner =
            plan.owner && meta.is_none_or(|meta| (meta.uid, meta.gid) != (entry.meta.uid, entry.meta.gid));
        let content = match (&entry.kind, own) {
            (_, None) => true,
            (Kind::File, Some(own)) if plan.checksum => {
                own.length != entry.length || contents.get(number) != Some(&digest(own))
            }
            // Size and time are all that rsync looks at, unless it is told to look closer.
            (Kind::File, Some(own)) => own.length != entry.length || times || !plan.times,
            (kind, Some(own)) => own.kind != *kind,
        };
        if content || times || perms || owner {
            answer.changes.push(Change { number, is_new: own.is_none(), content, times, perms, owner });
        }
    }
    if plan.hard_links {
        // A file with several names changes under all of them.
        let changed: BTreeSet<u64> = answer.changes.iter().map(|change| list[change.number].number).collect();
        let known: BTreeSet<usize> = answer.changes.iter().map(|change| change.number).collect();
        let others = list.iter().enumerate().filter(|(number, entry)| {
            entry.kind == Kind::File
                && entry.links > 1
                && changed.contains(&entry.number)
                && !known.contains(number)
        });
        answer.changes.extend(others.map(|(number, _)| Change {
            number,
            is_new: false,
            content: false,
            times: false,
            perms: false,
            owner: false,
        }));
        answer.changes.sort_by_key(|change| change.number);
    }
    if plan.delete {
        let kept: BTreeSet<&str> = list.iter().map(|entry| entry.path.as_str()).collect();
        let root = if plan.contents { None } else { list.first().map(|entry| format!("{}/", entry.path)) };
        let extra =
            there.keys().filter(|path| !path.is_empty() && !kept.contains(*path) && !plan.leaves_out(path));
        let extra = extra.filter(|path| root.as_ref().is_none_or(|root| path.starts_with(root.as_str())));
        let extra: Vec<(String, Kind)> = extra
            .rev()
            .filter_map(|path| Some(((*path).to_owned(), there.get(path)?.kind.clone())))
            .collect();
        for (path, _) in extra.iter().filter(|_| !plan.dry_run) {
            let full = format!("{to}/{path}");
            let _ = state.change(&full, |tree, path, _, _| Ok(tree.remove(path)));
        }
        answer.deleted = extra;
    }
    Ok(answer)
}

/// Puts one file where it belongs, with as much of what belongs to it as the plan says.
pub(super) fn keep(
    state: &mut State,
    to: &str,
    plan: &Plan,
    entry: &Entry,
    linked: &mut Linked,
) -> Result<(), Failure> {
    let (mut entry, to) = (entry.clone(), to.trim_end_matches('/'));
    let usual = Meta::new(if entry.kind == Kind::Directory { 0o755 } else { 0o644 });
    entry.meta = Meta {
        mode: if plan.perms { entry.meta.mode } else { usual.mode },
        uid: if plan.owner { entry.meta.uid } else { usual.uid },
        gid: if plan.group { entry.meta.gid } else { usual.gid },
        modified: if plan.times { entry.meta.modified } else { usual.modified },
        xattrs: if plan.xattrs { entry.meta.xattrs } else { BTreeMap::new() },
    };
    if !plan.hard_links {
        entry.links = 1;
    }
    put(state, to, &entry, &mut linked.0).map_err(|why| {
        let number = if why.starts_with("No space") { 28 } else { 5 };
        Failure::new(
            11,
            format!("rsync: [receiver] write failed on \"{to}/{}\": {why} ({number})", entry.path),
        )
    })
}
