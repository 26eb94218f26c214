//! Every command that Zerfaux gives to `zfs` and `zpool`.
//!
//! None of them holds `receive -F`, `destroy -r`, `destroy -R`, `rollback` or `-f`: a test goes over
//! all of them. Names, tags and tokens are types whose text cannot begin with `-`, so none is taken
//! for an option.

use std::fmt::Display;

use crate::domain::names::{BookmarkName, DatasetName, SnapshotName};

use super::args::{ReceiveArgs, SendArgs};
use super::command::{Command, Tool, a_few};
use super::property::{HoldTag, Property, PropertyName, ResumeToken};

mod pools;
pub use pools::{create_pool, destroy_pool, pool_properties, pool_status, pools, pools_status};

/// The columns of [`list`], in their order.
pub const COLUMNS: &str = "name,type,guid,createtxg,creation,userrefs,used,referenced,available,written,\
                           origin,clones,encryptionroot,keystatus,mounted,readonly,receive_resume_token";
const KINDS: &str = "filesystem,volume,snapshot,bookmark";

/// How far a listing goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The dataset, its own snapshots and bookmarks, and its children (`-d 1`).
    One,
    /// Everything below (`-r`).
    All,
}

/// A table of `names` with [`COLUMNS`].
pub fn list(names: &[DatasetName], depth: Depth) -> Command {
    let options: &[&str] = match depth {
        Depth::One => &["list", "-Hp", "-d", "1", "-t", KINDS, "-o", COLUMNS],
        Depth::All => &["list", "-Hp", "-r", "-t", KINDS, "-o", COLUMNS],
    };
    Command::reads(Tool::Zfs, options, format!("list {}", a_few(names))).on(names)
}

/// The host's clock, in seconds.
pub fn clock() -> Command {
    Command::reads(Tool::Date, &["+%s"], "read the clock")
}

/// When the snapshots of a tree last changed.
pub fn signs(root: &DatasetName) -> Command {
    const WANTED: &str = "name,guid,snapshots_changed";
    let options = ["list", "-Hp", "-r", "-t", "filesystem,volume", "-o", WANTED];
    Command::reads(Tool::Zfs, &options, format!("look whether {root} has changed")).on([root])
}

/// What changes about a dataset when something below it does.
pub fn weight(root: &DatasetName) -> Command {
    const WANTED: &str = "name,guid,used,usedbychildren,referenced,logicalused,written,receive_resume_token";
    let options = ["list", "-Hp", "-d", "0", "-t", "filesystem,volume", "-o", WANTED];
    Command::reads(Tool::Zfs, &options, format!("look whether {root} has changed")).on([root])
}

/// A table of these snapshots with [`COLUMNS`].
pub fn list_snapshots(names: &[SnapshotName]) -> Command {
    let options = ["list", "-Hp", "-t", "snapshot", "-o", COLUMNS];
    Command::reads(Tool::Zfs, &options, format!("list {}", a_few(names))).on(names)
}

/// Where our properties are set locally: the source is what a list cannot show.
pub fn list_owners(names: &[DatasetName], depth: Depth) -> Command {
    const WANTED: &str = "zerfaux:group,zerfaux:role,zerfaux:epoch,zerfaux:policy";
    let options: &[&str] = match depth {
        Depth::One => {
            &["get", "-Hp", "-d", "1", "-s", "local", "-t", KINDS, "-o", "name,property,value", WANTED]
        }
        Depth::All => &["get", "-Hp", "-r", "-s", "local", "-t", KINDS, "-o", "name,property,value", WANTED],
    };
    Command::reads(Tool::Zfs, options, format!("read the owners of {}", a_few(names))).on(names)
}

/// What decides whether snapshots may be destroyed: whose they are, and what keeps them.
pub fn inspect_snapshots(names: &[SnapshotName]) -> Command {
    let options = ["get", "-Hp", "-o", "name,property,value,source", "guid,userrefs,clones,zerfaux:group"];
    Command::reads(Tool::Zfs, &options, format!("inspect {}", a_few(names))).on(names)
}

/// Properties of snapshots and datasets where they are set on themselves.
pub fn local_properties<T: Display>(names: &[T], properties: &[PropertyName]) -> Command {
    let wanted: Vec<&str> = properties.iter().map(PropertyName::as_str).collect();
    let options = ["get", "-Hp", "-s", "local", "-o", "name,property,value"];
    let what = format!("read properties of {}", a_few(names));
    Command::reads(Tool::Zfs, &options, what).on([wanted.join(",")]).on(names)
}

/// The GUIDs of a snapshot and a bookmark.
pub fn guids(snapshot: &SnapshotName, bookmark: &BookmarkName) -> Command {
    let what = format!("read the GUIDs of {snapshot} and {bookmark}");
    let words = [snapshot.to_string(), bookmark.to_string()];
    Command::reads(Tool::Zfs, &["get", "-Hp", "-o", "name,value", "guid"], what).on(words)
}

/// Properties of one dataset, with where they come from.
pub fn get(name: &DatasetName, properties: &[PropertyName]) -> Command {
    let wanted: Vec<&str> = properties.iter().map(PropertyName::as_str).collect();
    Command::reads(
        Tool::Zfs,
        &["get", "-Hp", "-o", "property,value,source"],
        format!("read properties of {name}"),
    )
    .on([wanted.join(","), name.to_string()])
}

/// How much was written since a snapshot; `property` is `written@TAG`.
pub fn written_since(name: &DatasetName, property: &str) -> Command {
    let (what, words) = (format!("read {property} of {name}"), [property.to_owned(), name.to_string()]);
    Command::reads(Tool::Zfs, &["get", "-Hp", "-o", "value"], what).on(words)
}

/// Which of these datasets there are.
pub fn exists(names: &[DatasetName]) -> Command {
    let what = format!("look for {}", a_few(names));
    Command::reads(Tool::Zfs, &["list", "-H", "-d", "0", "-t", "filesystem,volume", "-o", "name"], what)
        .on(names)
}

/// New snapshots, all in one transaction group: they show one moment.
pub fn snapshot(first: &SnapshotName, others: &[SnapshotName], properties: &[Property]) -> Command {
    let what = match others.len() {
        0 => format!("take snapshot {first}"),
        n => format!("take snapshot {first} and {n} others"),
    };
    Command::changes(&["snapshot"], what, "snapshot,mount,userprop", first.dataset())
        .with(properties)
        .on([first])
        .on(others)
}

/// Puts a hold on snapshots.
pub fn hold(tag: &HoldTag, first: &SnapshotName, others: &[SnapshotName]) -> Command {
    Command::changes(&["hold"], format!("hold {first}"), "hold", first.dataset())
        .on([tag])
        .on([first])
        .on(others)
}

/// Takes a hold away.
pub fn release(tag: &HoldTag, first: &SnapshotName, others: &[SnapshotName]) -> Command {
    Command::changes(&["release"], format!("release {first}"), "release", first.dataset())
        .on([tag])
        .on([first])
        .on(others)
}

/// Who holds snapshots.
pub fn holds(names: &[SnapshotName]) -> Command {
    Command::reads(Tool::Zfs, &["holds", "-Hp"], format!("read the holds of {}", a_few(names))).on(names)
}

/// Bookmarks a snapshot.
pub fn bookmark(snapshot: &SnapshotName, bookmark: &BookmarkName) -> Command {
    let what = format!("bookmark {snapshot} as {bookmark}");
    Command::changes(&["bookmark"], what, "bookmark", bookmark.dataset())
        .on([snapshot.to_string(), bookmark.to_string()])
}

/// Bookmarks snapshots; the words, a snapshot and its bookmark each time, come from elsewhere.
pub fn bookmark_each(first: &BookmarkName, count: usize) -> Command {
    let what = format!("bookmark {count} snapshots");
    Command::changes(&["bookmark"], what, "bookmark", first.dataset())
}

/// Destroys bookmarks; their names come from elsewhere.
pub fn destroy_bookmark_each(first: &BookmarkName, count: usize) -> Command {
    let what = format!("destroy {count} bookmarks");
    Command::changes(&["destroy"], what, "destroy,mount", first.dataset())
}

/// Destroys a bookmark.
pub fn destroy_bookmark(bookmark: &BookmarkName) -> Command {
    Command::changes(
        &["destroy"],
        format!("destroy bookmark {bookmark}"),
        "destroy,mount",
        bookmark.dataset(),
    )
    .on([bookmark])
}

/// Destroys one snapshot; refused by `zfs` while a hold or a clone keeps it.
pub fn destroy_snapshot(snapshot: &SnapshotName) -> Command {
    Command::changes(
        &["destroy"],
        format!("destroy snapshot {snapshot}"),
        "destroy,mount",
        snapshot.dataset(),
    )
    .on([snapshot])
}

/// Destroys an empty dataset; refused by `zfs` while it has children or snapshots.
pub fn destroy_dataset(name: &DatasetName) -> Command {
    Command::changes(&["destroy"], format!("destroy {name}"), "destroy,mount", name).on([name])
}

/// A file system that is never mounted and only holds others. Not `create -p`, which would give the
/// properties to the last one only, and mount those above it.
pub fn create_parent(name: &DatasetName) -> Command {
    let above = name.parent().unwrap_or_else(|| name.clone());
    let options = ["create", "-o", "canmount=off", "-o", "mountpoint=none"];
    Command::changes(&options, format!("create {name}"), "create,mount,canmount,mountpoint", &above)
        .on([name])
}

/// The user property by which a pool says which job made it.
pub const OWNER: &str = "zerfaux:deployment";

/// A file system with these properties from the first moment.
pub fn create_filesystem(name: &DatasetName, properties: &[Property]) -> Command {
    let above = name.parent().unwrap_or_else(|| name.clone());
    let needs = "create,mount,canmount,mountpoint,sharenfs,recordsize,compression,userprop";
    Command::changes(&["create"], format!("create {name}"), needs, &above).with(properties).on([name])
}

/// Sets properties of a dataset.
pub fn set(name: &DatasetName, properties: &[Property]) -> Command {
    let what = format!("set {} of {name}", a_few(properties));
    Command::changes(&["set"], what, "userprop,readonly,canmount,sharenfs,mountpoint", name)
        .on(properties)
        .on([name])
}

/// Sets user properties of snapshots.
pub fn set_on_snapshots(first: &SnapshotName, others: &[SnapshotName], properties: &[Property]) -> Command {
    let what = format!("set {} of {first}", a_few(properties));
    Command::changes(&["set"], what, "userprop", first.dataset()).on(properties).on([first]).on(others)
}

/// Takes a local property away, so that what is inherited or the default counts again.
pub fn inherit(name: &DatasetName, property: &PropertyName) -> Command {
    let what = format!("take {property} of {name} away");
    Command::changes(&["inherit"], what, "userprop", name).on([property.to_string(), name.to_string()])
}

/// Clones a snapshot.
pub fn clone(snapshot: &SnapshotName, name: &DatasetName, properties: &[Property]) -> Command {
    let what = format!("clone {snapshot} as {name}");
    Command::changes(&["clone"], what, "clone,create,mount", name)
        .with(properties)
        .on([snapshot.to_string(), name.to_string()])
}

/// Makes a clone the owner of the history up to its origin.
pub fn promote(name: &DatasetName) -> Command {
    Command::changes(&["promote"], format!("promote {name}"), "promote,mount", name).on([name])
}

/// Gives another name without unmounting (`-u`): a plain rename of a shared file system is refused.
pub fn rename(from: &DatasetName, to: &DatasetName) -> Command {
    let what = format!("rename {from} to {to}");
    Command::changes(&["rename", "-u"], what, "rename,create,mount", from).on([from, to])
}

/// Gives a volume another name: it is not mounted, and `-u` does not apply to it.
pub fn rename_volume(from: &DatasetName, to: &DatasetName) -> Command {
    let what = format!("rename {from} to {to}");
    Command::changes(&["rename"], what, "rename,create,mount", from).on([from, to])
}

/// Throws a partial receive away.
pub fn abort_receive(name: &DatasetName) -> Command {
    let what = format!("abort the interrupted receive into {name}");
    Command::changes(&["receive", "-A"], what, "receive,destroy,mount", name).on([name])
}

/// Mounts a file system.
pub fn mount(name: &DatasetName) -> Command {
    Command::changes(&["mount"], format!("mount {name}"), "mount", name).on([name])
}

/// Unmounts a file system; refused while it is in use.
pub fn unmount(name: &DatasetName) -> Command {
    Command::changes(&["unmount"], format!("unmount {name}"), "mount", name).on([name])
}

/// Loads the key that comes on standard input.
pub fn load_key(root: &DatasetName) -> Command {
    Command::changes(&["load-key", "-L", "prompt"], format!("load the key of {root}"), "load-key", root)
        .on([root])
}

/// Whether the key that comes on standard input is the right one, loaded or not (`-n`, zfs-load-key(8)).
pub fn check_key(root: &DatasetName) -> Command {
    let options = ["load-key", "-n", "-L", "prompt"];
    Command::changes(&options, format!("try the key of {root}"), "load-key", root).on([root])
}

/// Unloads a key.
pub fn unload_key(root: &DatasetName) -> Command {
    Command::changes(&["unload-key"], format!("unload the key of {root}"), "load-key", root).on([root])
}

/// What a resume token says.
pub fn token_contents(token: &ResumeToken) -> Command {
    Command::reads(Tool::Zfs, &["send", "-nvt"], "read a resume token").on([token])
}

/// How many bytes a stream would have.
pub fn estimate(stream: &SendArgs) -> Command {
    let what = format!("estimate {}", stream.describe());
    Command::reads(Tool::Zfs, &["send", "-nvP"], what).on(stream.words())
}

/// A stream to standard output.
pub fn send(stream: &SendArgs) -> Command {
    let what = format!("send {}", stream.describe());
    match stream.to() {
        Some(to) => Command::changes(&["send"], what, "send", to.dataset()),
        None => Command::reads(Tool::Zfs, &["send"], what),
    }
    .on(stream.words())
}

/// A stream from standard input.
pub fn receive(how: &ReceiveArgs) -> Command {
    const NEEDS: &str = "receive,create,mount,readonly,canmount,sharenfs,atime,mountpoint,userprop";
    let above = how.into().parent().unwrap_or_else(|| how.into().clone());
    Command::changes(&["receive"], format!("receive into {}", how.into()), NEEDS, &above).on(how.words())
}

/// A short table of a dataset and everything below.
pub fn browse(root: &DatasetName) -> Command {
    const WANTED: &str = "name,type,used,referenced,available,mountpoint";
    let options = ["list", "-Hp", "-r", "-t", "filesystem,volume", "-o", WANTED];
    Command::reads(Tool::Zfs, &options, format!("list {root}")).on([root])
}

/// Where our two properties are set locally in a dataset and below, snapshots left out.
pub fn browse_owners(root: &DatasetName) -> Command {
    const WANTED: &str = "zerfaux:group,zerfaux:role";
    let options =
        ["get", "-Hp", "-r", "-s", "local", "-t", "filesystem,volume", "-o", "name,property,value", WANTED];
    Command::reads(Tool::Zfs, &options, format!("read the owners of {root}")).on([root])
}

/// The snapshots of datasets, with when they were made and nothing else.
pub fn snapshot_times(names: &[DatasetName]) -> Command {
    let options = ["list", "-Hp", "-d", "1", "-t", "snapshot", "-o", "name,creation"];
    Command::reads(Tool::Zfs, &options, format!("list the snapshots of {}", a_few(names))).on(names)
}

/// Who may do what on a dataset.
pub fn allowed(dataset: &DatasetName) -> Command {
    Command::reads(Tool::Zfs, &["allow"], format!("read what is delegated on {dataset}")).on([dataset])
}
