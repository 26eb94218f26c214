//! What is on the command lines, over all verbs.

use super::super::args::{ReceiveArgs, SendArgs, SendFlags};
use super::super::command::{Command, Tool};
use super::super::property::{HoldTag, Property, PropertyName, ResumeToken};
use super::super::verbs::{self, Depth};
use super::scripted;
use crate::domain::dataset::Base;
use crate::domain::dataset::DatasetKind;
use crate::domain::names::{BookmarkName, DatasetName, SnapshotName};

/// One command from every function of `verbs`, and from every form of its arguments.
fn every_command() -> Vec<(&'static str, Command)> {
    let name: DatasetName = "tank/a b".parse().unwrap();
    let other: DatasetName = "tank/c".parse().unwrap();
    let names = [name.clone(), other.clone()];
    let snapshot: SnapshotName = "tank/a b@s1".parse().unwrap();
    let more: [SnapshotName; 1] = ["tank/c@s1".parse().unwrap()];
    let bookmark: BookmarkName = "tank/a b#s1".parse().unwrap();
    let tag: HoldTag = "zerfaux:g".parse().unwrap();
    let token: ResumeToken = "1-c7f2ae-f8-789c".parse().unwrap();
    let properties = [Property::new("zerfaux:group", "g 1").unwrap()];
    let property: PropertyName = "zerfaux:group".parse().unwrap();
    let sends = sends(&snapshot, &token);
    let receives = [DatasetKind::Filesystem, DatasetKind::Volume]
        .map(|kind| ReceiveArgs::replica(name.clone(), kind))
        .into_iter()
        .flat_map(|how| [how.clone(), how.clone().not_resumable(), how.with(properties[0].clone()).unwrap()]);

    let mut all = vec![
        ("list", verbs::list(&names, Depth::One)),
        ("list", verbs::list(&names, Depth::All)),
        ("list_snapshots", verbs::list_snapshots(&more)),
        ("list_owners", verbs::list_owners(&names, Depth::One)),
        ("list_owners", verbs::list_owners(&names, Depth::All)),
        ("inspect_snapshots", verbs::inspect_snapshots(&more)),
        ("guids", verbs::guids(&snapshot, &bookmark)),
        ("get", verbs::get(&name, std::slice::from_ref(&property))),
        ("local_properties", verbs::local_properties(&names, std::slice::from_ref(&property))),
        ("exists", verbs::exists(&names)),
        ("clock", verbs::clock()),
        ("signs", verbs::signs(&name)),
        ("weight", verbs::weight(&name)),
        ("browse", verbs::browse(&name)),
        ("browse_owners", verbs::browse_owners(&name)),
        ("snapshot_times", verbs::snapshot_times(&names)),
        ("allowed", verbs::allowed(&name)),
        ("pools", verbs::pools()),
        ("pools_status", verbs::pools_status()),
        ("written_since", verbs::written_since(&name, "written@s1")),
        ("snapshot", verbs::snapshot(&snapshot, &more, &properties)),
        ("hold", verbs::hold(&tag, &snapshot, &more)),
        ("release", verbs::release(&tag, &snapshot, &more)),
        ("holds", verbs::holds(&more)),
        ("bookmark", verbs::bookmark(&snapshot, &bookmark)),
        ("bookmark_each", verbs::bookmark_each(&bookmark, 2)),
        ("destroy_bookmark_each", verbs::destroy_bookmark_each(&bookmark, 2)),
        ("destroy_bookmark", verbs::destroy_bookmark(&bookmark)),
        ("destroy_snapshot", verbs::destroy_snapshot(&snapshot)),
        ("destroy_dataset", verbs::destroy_dataset(&name)),
        ("create_parent", verbs::create_parent(&name)),
        ("create_pool", verbs::create_pool(&name, "/dev/disk/by-id/wwn-0x6000", "job")),
        ("destroy_pool", verbs::destroy_pool(&name)),
        ("create_filesystem", verbs::create_filesystem(&name, &properties)),
        ("set", verbs::set(&name, &properties)),
        ("set_on_snapshots", verbs::set_on_snapshots(&snapshot, &more, &properties)),
        ("inherit", verbs::inherit(&name, &property)),
        ("clone", verbs::clone(&snapshot, &name, &properties)),
        ("promote", verbs::promote(&name)),
        ("rename", verbs::rename(&name, &other)),
        ("rename_volume", verbs::rename_volume(&name, &other)),
        ("abort_receive", verbs::abort_receive(&name)),
        ("mount", verbs::mount(&name)),
        ("unmount", verbs::unmount(&name)),
        ("load_key", verbs::load_key(&name)),
        ("check_key", verbs::check_key(&name)),
        ("unload_key", verbs::unload_key(&name)),
        ("token_contents", verbs::token_contents(&token)),
        ("pool_properties", verbs::pool_properties(&name)),
        ("pool_status", verbs::pool_status(&name)),
    ];
    all.extend(sends.iter().map(|stream| ("estimate", verbs::estimate(stream))));
    all.extend(sends.iter().map(|stream| ("send", verbs::send(stream))));
    all.extend(receives.map(|how| ("receive", verbs::receive(&how))));
    all
}

fn sends(to: &SnapshotName, token: &ResumeToken) -> Vec<SendArgs> {
    let base = || Base::Snapshot("s0".parse().unwrap());
    let mark = || Base::Bookmark("s0".parse().unwrap());
    let mut all = vec![SendArgs::resume(token.clone())];
    for flags in [SendFlags::default(), SendFlags::MODERN, SendFlags::MODERN.with_raw()] {
        all.push(SendArgs::full(to.clone(), flags));
        all.push(SendArgs::incremental(base(), to.clone(), false, flags).unwrap());
        all.push(SendArgs::incremental(base(), to.clone(), true, flags).unwrap());
        all.push(SendArgs::incremental(mark(), to.clone(), false, flags).unwrap());
    }
    all
}

#[test]
fn this_test_knows_every_verb_there_is() {
    let sources = [include_str!("../verbs.rs"), include_str!("../verbs/pools.rs")];
    let mut there: Vec<&str> = sources
        .into_iter()
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("pub fn "))
        .filter_map(|line| line.split(['(', '<']).next())
        .collect();
    let mut known: Vec<&str> = every_command().iter().map(|(verb, _)| *verb).collect();
    there.sort_unstable();
    known.sort_unstable();
    known.dedup();
    assert_eq!(there, known);
    assert!(known.len() > 30, "the verbs were not found in their source");
}

#[test]
fn no_verb_forces_destroys_recursively_or_rolls_back() {
    for (verb, command) in every_command() {
        let words: Vec<&str> = command.words().iter().map(String::as_str).collect();
        let letters = |letters: &str| {
            // Options stand alone or in bundles such as -nvP; values of options hold no such word.
            words.iter().any(|word| {
                word.strip_prefix('-').is_some_and(|rest| letters.chars().any(|letter| rest.contains(letter)))
            })
        };
        assert!(!letters("F"), "{verb}: {words:?}");
        assert!(!words.contains(&"rollback"), "{verb}: {words:?}");
        if words[0] != "list" && words[0] != "get" {
            assert!(!letters("rRf"), "{verb}: {words:?}");
        }
        if verb == "destroy_bookmark_each" {
            // its names are bookmarks by their type, one for each run
            assert_eq!(words, ["destroy"]);
        } else if words[0] == "destroy" {
            // one name, and neither a range nor a list of snapshots
            assert_eq!(words.len(), 2, "{verb}: {words:?}");
            assert!(!words[1].contains(['%', ',']) && !words[1].starts_with('-'), "{verb}: {words:?}");
        }
        if words[0] == "receive" && verb == "receive" {
            assert!(words.contains(&"-u") && words.contains(&"readonly=on"), "{verb}: {words:?}");
        }
        if verb == "rename" {
            // A file system keeps its mount as it is; for a volume there is no such option.
            assert_eq!(words[1], "-u");
        }
    }
}

#[test]
fn every_command_asks_for_messages_in_english_and_runs_through_sudo_where_that_is_the_way() {
    let (zfs, _) = scripted(vec![]);
    for (_, command) in every_command() {
        let argv = zfs.argv(&command).unwrap();
        let way: &[&str] = match command.tool() {
            Tool::Zfs => &["env", "LC_ALL=C", "sudo", "-n", "/usr/sbin/zfs"],
            Tool::Zpool => &["env", "LC_ALL=C", "sudo", "-n", "/usr/sbin/zpool"],
            Tool::Date => &["env", "LC_ALL=C", "date"],
        };
        assert_eq!(argv.words()[..way.len()], *way);
        assert_eq!(argv.words()[way.len()..], *command.words());
        assert!(!command.what().is_empty());
    }
}

#[test]
fn what_changes_something_says_what_a_delegated_user_needs() {
    for (verb, command) in every_command() {
        let reads = ["list", "list_snapshots", "list_owners", "inspect_snapshots", "guids", "get", "exists", "holds"]
            .contains(&verb)
            || ["estimate", "pool_properties", "pool_status", "written_since", "token_contents"].contains(&verb)
            || ["clock", "signs", "weight", "snapshot_times", "allowed"].contains(&verb)
            || ["browse", "browse_owners", "local_properties", "pools", "pools_status"].contains(&verb)
            // pools are made and destroyed by root alone
            || ["create_pool", "destroy_pool"].contains(&verb)
            // of a resumed stream only the token knows the dataset
            || command.words().contains(&"-t".to_owned());
        assert_eq!(command.needs().is_none(), reads, "{verb}");
    }
}
