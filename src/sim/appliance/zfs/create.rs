//! `zfs create`, `clone`, `promote`, `rename`.

use std::sync::Arc;

use super::super::model::dataset::Encryption;
use super::super::model::properties::{applies, bytes, check};
use super::super::model::{State, Target, guid, parent, pool_of};
use super::super::stream::checksum;
use super::get::put;
use super::{Options, Reply};
use crate::sim::appliance::model::{Source, Value};

/// What hides a master key, and what shows that the passphrase was right.
pub(super) fn from_passphrase(passphrase: &[u8]) -> (u64, u64) {
    (checksum(passphrase), checksum(&[passphrase, b"check"].concat()))
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.:- ".contains(c);
    name.split('/').all(|part| !part.is_empty() && part.chars().all(allowed))
}

/// Whether something new may be called so; the error is the complaint.
fn vacant(state: &State, name: &str, what: &str) -> Result<(), String> {
    if !is_name(name) {
        return Err(format!("cannot {what} '{name}': invalid character in name"));
    }
    if state.datasets.contains_key(name) {
        return Err(format!("cannot {what} '{name}': dataset already exists"));
    }
    if !state.pools.contains_key(pool_of(name)) {
        return Err(format!("cannot create '{name}': no such pool '{}'", pool_of(name)));
    }
    match parent(name).and_then(|above| state.datasets.get(above)) {
        None => Err(format!("cannot create '{name}': parent does not exist")),
        Some(above) if above.is_volume() => {
            Err(format!("cannot create '{name}': parent is not a filesystem"))
        }
        Some(_) => Ok(()),
    }
}

pub(super) fn run(state: &mut State, words: &[String], input: &[u8]) -> Reply {
    let options = match Options::read(words, "psuvnPo:V:b:") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let [name] = options.rest.as_slice() else { return Reply::fails(2, "missing filesystem argument") };
    let pairs = options.pairs('o');
    let has_pool = state.pools.contains_key(pool_of(name));
    if options.has('p') && has_pool {
        if state.datasets.contains_key(name) {
            return Reply::default();
        }
        let mut missing: Vec<&str> = Vec::new();
        let mut at = parent(name);
        while let Some(above) = at.filter(|above| !state.datasets.contains_key(*above)) {
            missing.push(above);
            at = parent(above);
        }
        for above in missing.into_iter().rev() {
            if let Err(why) = make(state, above, None, None, &[], true, input) {
                return Reply::fails(1, why);
            }
        }
    }
    let volume = options.value('V').and_then(bytes);
    let block = options.value('b').and_then(bytes);
    match make(state, name, volume, block, &pairs, !options.has('u'), input) {
        Ok(()) => Reply::default(),
        Err(why) => Reply::fails(1, why),
    }
}

fn make(
    state: &mut State,
    name: &str,
    volume: Option<u64>,
    block: Option<u64>,
    pairs: &[(String, String)],
    mount: bool,
    input: &[u8],
) -> Result<(), String> {
    vacant(state, name, "create")?;
    if state.available(parent(name).unwrap_or(name)) < 64 << 10 {
        return Err(format!("cannot create '{name}': out of space"));
    }
    let value = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    for (property, value) in pairs.iter().filter(|(property, _)| !of_encryption(property)) {
        check(property, value).map_err(|why| format!("cannot create '{name}': {why}"))?;
        if !property.contains(':') && !applies(property, volume.is_some()) {
            return Err(format!(
                "cannot create '{name}': property '{property}' does not apply to datasets of this type"
            ));
        }
    }
    let record = value("recordsize").or_else(|| value("volblocksize")).and_then(bytes).or(block);
    let above = parent(name).and_then(|above| state.datasets.get(above));
    let inherited = above.and_then(|above| above.encryption.clone());
    let mut dataset = state.new_dataset(volume, record);
    dataset.encryption = match value("encryption") {
        Some(wanted) if wanted != "off" => {
            if input.len() < 8 {
                return Err(format!("cannot create '{name}': Passphrase too short (min 8)."));
            }
            let (hidden, check) = from_passphrase(input);
            let master = guid();
            Some(Encryption { root: name.to_owned(), wrapped: master ^ hidden, check, loaded: Some(master) })
        }
        Some(_) => None,
        None => inherited,
    };
    if dataset.is_locked() {
        return Err(format!("cannot create '{name}': parent is encrypted and its key is not loaded"));
    }
    state.datasets.insert(name.to_owned(), dataset);
    for (property, value) in pairs.iter().filter(|(property, _)| !of_encryption(property)) {
        let _ = put(state, Target::Dataset(name), property, value, Source::Local);
    }
    if mount {
        mount_if_wanted(state, name);
    }
    Ok(())
}

fn of_encryption(property: &str) -> bool {
    matches!(property, "encryption" | "keyformat" | "keylocation" | "pbkdf2iters" | "volblocksize")
}

/// Mounts what its properties say is to be mounted.
pub(super) fn mount_if_wanted(state: &mut State, name: &str) {
    let canmount = state.property(Target::Dataset(name), "canmount").map(|(value, _)| value);
    let point = state.property(Target::Dataset(name), "mountpoint").map(|(value, _)| value);
    let wanted = canmount.as_deref() == Some("on") && point.is_some_and(|point| point.starts_with('/'));
    if let Some(dataset) = state.datasets.get_mut(name).filter(|dataset| wanted && !dataset.is_locked()) {
        dataset.mounted = true;
    }
}

pub(super) fn clone(state: &mut State, words: &[String]) -> Reply {
    let options = match Options::read(words, "puo:") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let [origin, name] = options.rest.as_slice() else {
        return Reply::fails(2, "missing source dataset argument");
    };
    let Target::Snapshot(source, tag) = Target::parse(origin) else {
        return Reply::fails(1, format!("cannot open '{origin}': missing '@' delimiter in snapshot name"));
    };
    let Some(dataset) = state.datasets.get(source) else {
        return Reply::fails(1, format!("cannot open '{origin}': dataset does not exist"));
    };
    let Some(snapshot) = dataset.snapshot(tag) else {
        return Reply::fails(1, format!("cannot open '{origin}': dataset does not exist"));
    };
    let (id, tree, volsize) = (snapshot.id, Arc::clone(&snapshot.tree), dataset.volsize);
    let taken = snapshot.createtxg;
    let encryption = dataset.encryption.clone();
    if let Err(why) = vacant(state, name, "create") {
        return Reply::fails(1, why);
    }
    let mut made = state.new_dataset(volsize, Some(tree.block_size));
    made.head = tree;
    // Nothing is written in it since the snapshot.
    made.changed = taken;
    made.origin = Some(id);
    made.encryption = encryption;
    state.datasets.insert(name.clone(), made);
    for (property, value) in options.pairs('o') {
        if let Err(why) = put(state, Target::Dataset(name), &property, &value, Source::Local) {
            state.datasets.remove(name);
            return Reply::fails(1, format!("cannot create '{name}': {why}"));
        }
    }
    mount_if_wanted(state, name);
    Reply::default()
}

pub(super) fn promote(state: &mut State, words: &[String]) -> Reply {
    let [name] = words else { return Reply::fails(2, "missing clone filesystem argument") };
    let Some(clone) = state.datasets.get(name) else {
        return Reply::fails(1, format!("cannot open '{name}': dataset does not exist"));
    };
    let Some((parent_name, origin)) = clone.origin.and_then(|id| state.snapshot_by_id(id)) else {
        return Reply::fails(1, format!("cannot promote '{name}': not a cloned filesystem"));
    };
    let (parent_name, origin) = (parent_name.to_owned(), origin.clone());
    let own: Vec<String> = clone.snapshots.iter().map(|snapshot| snapshot.tag.clone()).collect();
    let Some(before) = state.datasets.get_mut(&parent_name) else { return Reply::default() };
    let moves = |snapshot: &super::super::model::Snapshot| snapshot.createtxg <= origin.createtxg;
    if let Some(both) =
        before.snapshots.iter().find(|snapshot| moves(snapshot) && own.contains(&snapshot.tag))
    {
        let told = format!(
            "cannot promote '{name}': conflicting snapshot '{}' from parent '{parent_name}@{}'",
            both.tag, origin.tag
        );
        return Reply::fails(1, told);
    }
    let (moved, stay) = std::mem::take(&mut before.snapshots).into_iter().partition(moves);
    before.snapshots = stay;
    let older_origin = before.origin.replace(origin.id);
    if let Some(clone) = state.datasets.get_mut(name) {
        let newer = std::mem::replace(&mut clone.snapshots, moved);
        clone.snapshots.extend(newer);
        clone.origin = older_origin;
    }
    Reply::default()
}

pub(super) fn rename(state: &mut State, words: &[String]) -> Reply {
    let options = match Options::read(words, "upfr") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let [from, to] = options.rest.as_slice() else {
        return Reply::fails(2, "missing source dataset argument");
    };
    if !state.has(from) {
        return Reply::fails(1, format!("cannot open '{from}': dataset does not exist"));
    }
    if let Target::Snapshot(dataset, tag) = Target::parse(from) {
        let new = to.rsplit('@').next().unwrap_or(to);
        if state.has(&format!("{dataset}@{new}")) {
            return Reply::fails(1, format!("cannot rename '{from}': dataset already exists"));
        }
        if let Some(snapshot) = state.datasets.get_mut(dataset).and_then(|found| found.snapshot_mut(tag)) {
            new.clone_into(&mut snapshot.tag);
        }
        return Reply::default();
    }
    let volume = state.datasets.get(from).is_some_and(|dataset| dataset.is_volume());
    if volume && options.has('u') {
        return Reply::fails(
            1,
            format!("cannot open '{from}': operation not applicable to datasets of this type"),
        );
    }
    if state.datasets.contains_key(to) {
        return Reply::fails(1, format!("cannot rename '{from}': dataset already exists"));
    }
    if let Err(why) = vacant(state, to, "rename") {
        return Reply::fails(1, why);
    }
    if to.starts_with(&format!("{from}/")) {
        return Reply::fails(
            1,
            format!(
                "cannot rename '{from}': New dataset name cannot be a descendant of current dataset name"
            ),
        );
    }
    for old in state.tree_of(from) {
        if let Some(dataset) = state.datasets.remove(&old) {
            state.datasets.insert(format!("{to}{}", &old[from.len()..]), dataset);
        }
    }
    for dataset in state.datasets.values_mut() {
        if let Some(encryption) = &mut dataset.encryption
            && let Some(rest) = encryption
                .root
                .strip_prefix(from.as_str())
                .filter(|rest| rest.is_empty() || rest.starts_with('/'))
        {
            encryption.root = format!("{to}{rest}");
        }
    }
    Reply::default()
}

/// A property of a received stream or of an option.
pub(super) fn value(text: &str, source: Source) -> Value {
    Value { text: text.to_owned(), source }
}
