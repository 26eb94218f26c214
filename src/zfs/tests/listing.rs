//! What recorded listings are read as.

use super::super::verbs::Depth;
use super::{Golden, golden, says, scripted, silence};
use crate::domain::dataset::{Dataset, DatasetKind, Encryption, Owner, Role};
use crate::domain::names::DatasetName;
use crate::zfs::{Complaint, PoolState, SendArgs, SendFlags};

fn name(text: &str) -> DatasetName {
    text.parse().unwrap()
}

/// The whole recorded tree, token contents included.
async fn tree() -> Vec<Dataset> {
    let (zfs, script) = scripted(vec![
        ("zfs list -Hp -r", golden!("list-tree")),
        ("zfs get -Hp -r -s local", golden!("list-owners")),
        ("send -nvt", golden!("token-full")),
        ("send -nvt", golden!("token-incremental")),
        ("send -nvt", golden!("token-raw")),
    ]);
    let found = zfs.datasets(&[name("zxgold")], true).await.unwrap();
    assert!(script.is_used_up());
    found
}

fn find<'a>(tree: &'a [Dataset], wanted: &str) -> &'a Dataset {
    tree.iter().find(|dataset| dataset.name.as_str() == wanted).unwrap()
}

#[tokio::test]
async fn a_dataset_comes_with_its_snapshots_and_bookmarks_oldest_first() {
    let tree = tree().await;
    let a = find(&tree, "zxgold/a");
    let tags: Vec<&str> = a.snapshots.iter().map(|snapshot| snapshot.tag.as_str()).collect();
    assert_eq!(tags, ["s1", "by hand"]);
    assert!(a.snapshots[0].createtxg < a.snapshots[1].createtxg);
    assert_eq!(a.snapshots[0].holds, 2);
    let clones: Vec<&str> = a.snapshots[0].clones.iter().map(DatasetName::as_str).collect();
    assert_eq!(clones, ["zxgold/clone", "zxgold/clone2"]);
    assert_eq!(a.bookmarks.len(), 1);
    assert_eq!(a.bookmarks[0].guid, a.snapshots[0].guid);
    assert!(a.mounted && !a.readonly);
    assert_eq!(find(&tree, "zxgold/clone").origin.as_deref(), Some("zxgold/a@s1"));
    assert_eq!(find(&tree, "zxgold/a/child one").snapshots, []);
    let vol = find(&tree, "zxgold/vol");
    assert_eq!((vol.kind, vol.mounted), (DatasetKind::Volume, false));
}

#[tokio::test]
async fn only_a_local_property_makes_a_snapshot_ours() {
    let tree = tree().await;
    let a = find(&tree, "zxgold/a");
    assert_eq!(a.snapshots[0].owner, Owner::Zerfaux("g1".to_owned()));
    // the pool has our property too, which all below inherit
    assert_eq!(find(&tree, "zxgold").group.as_deref(), Some("inherited-by-all"));
    assert_eq!(a.snapshots[1].owner, Owner::Foreign);
    assert_eq!(a.group, None);
    assert_eq!(a.role, Some(Role::Live));
}

#[tokio::test]
async fn interrupted_receives_are_seen_with_what_their_tokens_say() {
    let tree = tree().await;
    let first = find(&tree, "zxgold/dst/first");
    assert_eq!(first.snapshots, [], "a first receive leaves no snapshot");
    let token = first.partial.as_ref().unwrap().contents.as_ref().unwrap();
    assert_eq!(token.to_name, "zxgold/a@s1");
    assert_eq!((token.from_guid, token.raw), (None, false));
    let a = find(&tree, "zxgold/a");
    assert_eq!(token.to_guid, a.snapshots[0].guid);

    let inc = find(&tree, "zxgold/dst/inc");
    let token = inc.partial.as_ref().unwrap().contents.as_ref().unwrap();
    assert_eq!(token.from_guid, Some(a.snapshots[0].guid));
    assert_eq!(token.to_guid, a.snapshots[1].guid);
    assert!(token.bytes > 2_000_000);
    // OpenZFS shows the hidden `%recv` as a clone of the base: nobody's clone
    assert_eq!(inc.snapshots[0].clones, []);

    let raw = find(&tree, "zxgold/dst/rawcut").partial.as_ref().unwrap().contents.as_ref().unwrap();
    assert!(raw.raw);
}

#[tokio::test]
async fn encrypted_datasets_say_whose_key_they_have_and_whether_it_is_loaded() {
    let tree = tree().await;
    let on = |root: &str, key_loaded| Encryption::On { root: name(root), key_loaded };
    assert_eq!(find(&tree, "zxgold/enc/inner").encryption, on("zxgold/enc", true));
    assert_eq!(find(&tree, "zxgold/locked").encryption, on("zxgold/locked", false));
    assert_eq!(find(&tree, "zxgold/a").encryption, Encryption::Off);
}

#[tokio::test]
async fn missing_datasets_are_absent_and_children_are_only_named() {
    let (zfs, script) = scripted(vec![
        ("zfs list -Hp -d 1", golden!("list-depth-1")),
        ("zfs get -Hp -d 1 -s local", golden!("list-missing")),
        ("send -nvt", golden!("token-garbage")),
    ]);
    let wanted =
        ["zxgold/a", "zxgold/vol", "zxgold/nosuch", "zxgold/enc", "zxgold/dst/first", "nosuchpool/x"];
    let listing = zfs.survey(&wanted.map(name), Depth::One).await.unwrap();
    assert!(script.is_used_up());
    let found: Vec<&str> = listing.datasets.iter().map(|dataset| dataset.name.as_str()).collect();
    assert_eq!(found, ["zxgold/a", "zxgold/dst/first", "zxgold/enc", "zxgold/vol"]);
    assert_eq!(listing.children[&name("zxgold/a")], [name("zxgold/a/child one")]);
    assert_eq!(listing.children[&name("zxgold/enc")], [name("zxgold/enc/inner")]);
    assert!(!listing.children.contains_key(&name("zxgold/vol")));
    let first = &listing.datasets[1].partial.as_ref().unwrap();
    assert_eq!(first.contents, None, "a token that cannot be read is kept all the same");
    assert_eq!(script.asked().len(), 3, "two commands for all of them, one for the token");
}

#[tokio::test]
async fn a_suspended_pool_is_not_taken_for_a_missing_one() {
    let (zfs, _) =
        scripted(vec![("zfs list", golden!("list-suspended")), ("zfs get", golden!("list-suspended"))]);
    let error = zfs.datasets(&[name("zxd/a")], false).await.unwrap_err();
    assert_eq!(error.complaint(), Some(&Complaint::PoolSuspended));
    assert!(error.to_string().contains("could not list zxd/a on "), "{error}");
    assert!(error.to_string().contains("this host"), "{error}");
    assert!(error.advice().contains("zpool clear"));
}

#[tokio::test]
async fn output_that_is_not_a_table_is_an_error_and_no_guess() {
    let bad = [
        "tank/a\tfilesystem\t1\n",
        "tank/a\tfilesystem\tx\t1\t1\t-\t1\t1\t1\t1\t-\t-\t-\t-\tyes\toff\t-\n",
        "Last login: today\n",
    ];
    for text in bad {
        let (zfs, _) = scripted(vec![("zfs list", says(text)), ("zfs get", silence())]);
        let error = zfs.datasets(&[name("tank/a")], false).await.unwrap_err();
        assert!(error.to_string().contains("was not understood"), "{error}");
    }
}

#[tokio::test]
async fn names_that_openzfs_allows_and_zerfaux_does_not_are_reported_and_left_alone() {
    let row =
        |name: &str, kind: &str| format!("{name}\t{kind}\t1\t1\t1\t0\t1\t1\t1\t1\t-\t-\t-\t-\tno\toff\t-\n");
    let text = row("tank/a", "filesystem") + &row("tank/a@-r", "snapshot") + &row("tank/a/-x", "filesystem");
    let (zfs, _) = scripted(vec![("zfs list", says(&text)), ("zfs get", silence())]);
    let listing = zfs.survey(&[name("tank/a")], Depth::One).await.unwrap();
    assert_eq!(listing.datasets[0].snapshots, []);
    assert_eq!(listing.unreadable_names, ["tank/a/-x", "tank/a@-r"]);
    // in a recursive listing a dataset would be left out without a word
    let (zfs, _) = scripted(vec![("zfs list", says(&text)), ("zfs get", silence())]);
    assert!(zfs.survey(&[name("tank/a")], Depth::All).await.is_err());
}

#[tokio::test]
async fn many_names_go_in_commands_that_a_shell_takes() {
    let wanted: Vec<DatasetName> = (0..1000).map(|n| name(&format!("tank/{n:0200}"))).collect();
    let answers =
        std::iter::repeat_n([("zfs list", silence()), ("zfs get", silence())], 4).flatten().collect();
    let (zfs, script) = scripted(answers);
    zfs.datasets(&wanted, false).await.unwrap();
    assert!(script.is_used_up());
    assert!(script.asked().iter().all(|line| line.len() < 128 * 1024));
    let named: usize = script.asked().iter().map(|line| line.matches("tank/").count()).sum();
    assert_eq!(named, 2 * wanted.len(), "each name once in each of the two tables");
}

#[tokio::test]
async fn estimates_are_read_in_full_bytes() {
    let stream = SendArgs::full("zxgold/a@s1".parse().unwrap(), SendFlags::MODERN);
    let recordings: [(Golden, u64); 4] = [
        (golden!("estimate-full"), 8_400_000),
        (golden!("estimate-incremental"), 8_400_000),
        (golden!("estimate-bookmark"), 8_400_000),
        (golden!("estimate-token"), 5_500_000),
    ];
    for (recording, about) in recordings {
        let (zfs, _) = scripted(vec![("send -nvP", recording)]);
        let bytes = zfs.estimate(&stream).await.unwrap();
        assert!(bytes.abs_diff(about) < 100_000, "{bytes}");
    }
    let (zfs, _) = scripted(vec![("send -nvP", golden!("token-base-gone"))]);
    assert_eq!(zfs.estimate(&stream).await.unwrap_err().complaint(), Some(&Complaint::TokenStale));
}

#[tokio::test]
async fn a_pool_tells_its_state_its_room_and_its_troubles() {
    let pool = |facts, told| async move {
        let (zfs, _) = scripted(vec![("zpool get", facts), ("zpool status", told)]);
        zfs.pool_status(&name("tank")).await.unwrap()
    };
    let well = pool(golden!("pool-get"), golden!("pool-status-scrubbed")).await;
    assert_eq!((well.state, well.size, well.capacity), (PoolState::Online, 603_979_776, 0));
    assert_eq!((well.errors, well.trouble, well.readonly), (None, None, false));
    assert!(well.scan.unwrap().starts_with("scrub repaired 0B"));
    let degraded = pool(golden!("pool-get-degraded"), golden!("pool-status-degraded")).await;
    assert_eq!((degraded.state, degraded.scan), (PoolState::Degraded, None));
    assert_eq!(
        degraded.trouble.as_deref(),
        Some(
            "One or more devices has been taken offline by the administrator. Sufficient replicas exist for \
             the pool to continue functioning in a degraded state."
        )
    );
    let suspended = pool(golden!("pool-get-suspended"), golden!("pool-status-suspended")).await;
    assert_eq!(suspended.state, PoolState::Suspended);
    assert_eq!(suspended.errors.as_deref(), Some("9 data errors, use '-v' for a list"));
    let (zfs, _) = scripted(vec![
        ("zpool get", golden!("pool-get-missing")),
        ("zpool status", golden!("pool-status-missing")),
    ]);
    let error = zfs.pool_status(&name("nosuchpool")).await.unwrap_err();
    assert!(matches!(error.complaint(), Some(Complaint::PoolMissing(_))), "{error}");
}
