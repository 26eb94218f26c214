//! `zfs destroy` and `rollback`, with everything that they refuse.

use super::super::model::{State, Target};
use super::{Options, Reply};

const USE_R: &str = "use '-R' to destroy the following datasets:";

pub(super) fn run(state: &mut State, words: &[String]) -> Reply {
    let options = match Options::read(words, "rRfndpv") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let [name] = options.rest.as_slice() else { return Reply::fails(2, "missing dataset argument") };
    let all = options.has('r') || options.has('R');
    match Target::parse(name) {
        Target::Bookmark(dataset, tag) => {
            let found = state.datasets.get_mut(dataset).and_then(|dataset| dataset.bookmarks.remove(tag));
            match found {
                Some(_) => Reply::default(),
                None => Reply::fails(1, format!("bookmark '{name}' does not exist.")),
            }
        }
        Target::Snapshot(dataset, tags) => snapshots(state, dataset, tags, all, options.has('R')),
        Target::Dataset(name) => whole(state, name, all, options.has('R')),
    }
}

fn snapshots(state: &mut State, dataset: &str, tags: &str, below: bool, clones_too: bool) -> Reply {
    if !state.datasets.contains_key(dataset) {
        return Reply::fails(1, format!("cannot open '{dataset}': dataset does not exist"));
    }
    let datasets = if below { state.tree_of(dataset) } else { vec![dataset.to_owned()] };
    let mut found = Vec::new();
    for dataset in &datasets {
        for tag in tags.split(',') {
            let snapshot = state.datasets.get(dataset).and_then(|found| found.snapshot(tag));
            found.extend(snapshot.map(|snapshot| (dataset.clone(), tag.to_owned(), snapshot.id)));
        }
    }
    if found.is_empty() {
        return Reply::fails(1, "could not find any snapshots to destroy; check snapshot names.");
    }
    for (dataset, tag, id) in &found {
        let clones = state.clones(*id);
        if !clones.is_empty() && !clones_too {
            let told = format!(
                "cannot destroy '{dataset}@{tag}': snapshot has dependent clones\n{USE_R}\n{}",
                clones.join("\n")
            );
            return Reply::fails(1, told);
        }
        for clone in clones.iter().filter(|clone| !clone.ends_with("/%recv")) {
            let reply = whole(state, clone, true, true);
            if reply.exit != 0 {
                return reply;
            }
        }
    }
    for (dataset, tag, _) in &found {
        let held =
            |snapshot: &super::super::model::Snapshot| snapshot.tag == *tag && !snapshot.holds.is_empty();
        if state.datasets.get(dataset).is_some_and(|dataset| dataset.snapshots.iter().any(held)) {
            let name = format!("{dataset}@{tag}");
            let told = format!(
                "cannot destroy snapshot {name}: it's being held. Run 'zfs holds -r {name}' to see holders."
            );
            return Reply::fails(1, told);
        }
    }
    for (dataset, tag, _) in &found {
        if let Some(dataset) = state.datasets.get_mut(dataset) {
            dataset.snapshots.retain(|snapshot| snapshot.tag != *tag);
        }
    }
    state.next_txg();
    Reply::default()
}

fn whole(state: &mut State, name: &str, below: bool, clones_too: bool) -> Reply {
    if !state.datasets.contains_key(name) {
        return Reply::fails(1, format!("cannot open '{name}': dataset does not exist"));
    }
    if state.pools.contains_key(name) && !below {
        let told = format!(
            "cannot destroy '{name}': operation does not apply to pools\nuse 'zfs destroy -r {name}' to destroy all \
             datasets in the pool\nuse 'zpool destroy {name}' to destroy the pool itself"
        );
        return Reply::fails(1, told);
    }
    let kind = if state.datasets.get(name).is_some_and(|dataset| dataset.is_volume()) {
        "volume"
    } else {
        "filesystem"
    };
    let tree = state.tree_of(name);
    let mut dependents: Vec<String> = tree[1..].to_vec();
    dependents.extend(
        state
            .datasets
            .get(name)
            .into_iter()
            .flat_map(|dataset| &dataset.snapshots)
            .map(|s| format!("{name}@{}", s.tag)),
    );
    if !dependents.is_empty() && !below {
        let told = format!(
            "cannot destroy '{name}': {kind} has children\nuse '-r' to destroy the following datasets:\n{}",
            dependents.join("\n")
        );
        return Reply::fails(1, told);
    }
    if tree.iter().filter_map(|name| state.datasets.get(name)).any(|dataset| dataset.receiving) {
        return Reply::fails(1, format!("cannot destroy '{name}': dataset is busy"));
    }
    let ids: Vec<(String, u64, bool)> = tree
        .iter()
        .filter_map(|name| Some((name, state.datasets.get(name)?)))
        .flat_map(|(name, dataset)| {
            dataset.snapshots.iter().map(move |s| (format!("{name}@{}", s.tag), s.id, !s.holds.is_empty()))
        })
        .collect();
    for (snapshot, id, held) in &ids {
        let outside: Vec<String> = state
            .clones(*id)
            .into_iter()
            .filter(|clone| !tree.contains(clone) && !clone.ends_with("/%recv"))
            .collect();
        if !outside.is_empty() && !clones_too {
            let told = format!(
                "cannot destroy '{name}': filesystem has dependent clones\n{USE_R}\n{}",
                outside.join("\n")
            );
            return Reply::fails(1, told);
        }
        for clone in outside {
            let reply = whole(state, &clone, true, true);
            if reply.exit != 0 {
                return reply;
            }
        }
        if *held {
            return Reply::fails(1, format!("cannot destroy snapshot {snapshot}: dataset is busy"));
        }
    }
    for gone in &tree {
        // The pool's own dataset stays with its pool.
        if state.pools.contains_key(gone) {
            if let Some(root) = state.datasets.get_mut(gone) {
                root.snapshots.clear();
            }
        } else {
            state.datasets.remove(gone);
        }
    }
    state.next_txg();
    Reply::default()
}

pub(super) fn rollback(state: &mut State, words: &[String]) -> Reply {
    let options = match Options::read(words, "rRf") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let [name] = options.rest.as_slice() else { return Reply::fails(2, "missing dataset argument") };
    let Target::Snapshot(dataset, tag) = Target::parse(name) else {
        return Reply::fails(1, format!("cannot open '{name}': missing '@' delimiter in snapshot name"));
    };
    let Some(snapshot) = state.datasets.get(dataset).and_then(|found| found.snapshot(tag)).cloned() else {
        return Reply::fails(1, format!("cannot open '{name}': dataset does not exist"));
    };
    match to_snapshot(state, dataset, &snapshot, options.has('r') || options.has('R')) {
        Ok(()) => Reply::default(),
        Err(why) => Reply::fails(1, why),
    }
}

/// Puts a dataset back to one of its snapshots; what is newer goes only if `newer_too`.
pub(super) fn to_snapshot(
    state: &mut State,
    name: &str,
    snapshot: &super::super::model::Snapshot,
    newer_too: bool,
) -> Result<(), String> {
    let dataset =
        state.datasets.get(name).ok_or_else(|| format!("cannot open '{name}': dataset does not exist"))?;
    let newer: Vec<_> =
        dataset.snapshots.iter().filter(|other| other.createtxg > snapshot.createtxg).cloned().collect();
    if !newer.is_empty() && !newer_too {
        let names: Vec<String> = newer.iter().map(|other| format!("{name}@{}", other.tag)).collect();
        return Err(format!(
            "cannot rollback to '{name}@{}': more recent snapshots or bookmarks exist\nuse '-r' to force deletion of \
             the following snapshots and bookmarks:\n{}",
            snapshot.tag,
            names.join("\n")
        ));
    }
    for other in &newer {
        if !other.holds.is_empty() {
            return Err(format!("cannot destroy snapshot {name}@{}: dataset is busy", other.tag));
        }
        let clones = state.clones(other.id);
        if !clones.is_empty() {
            return Err(format!(
                "cannot rollback to '{name}@{}': clones of previous snapshots exist\nuse '-R' to force deletion of the following clones and dependents:\n{}",
                snapshot.tag,
                clones.join("\n")
            ));
        }
    }
    let Some(dataset) = state.datasets.get_mut(name) else { return Ok(()) };
    dataset.snapshots.retain(|other| other.createtxg <= snapshot.createtxg);
    dataset.head = std::sync::Arc::clone(&snapshot.tree);
    // As it was then: nothing is written since.
    dataset.changed = snapshot.createtxg;
    Ok(())
}
