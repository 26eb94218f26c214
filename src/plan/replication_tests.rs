//! Tables for each case by name. `replication_model.rs` has the model in which every plan has to work out.

use jiff::Timestamp;

use super::*;
use crate::domain::dataset::{Guid, Owner, PartialReceive, TokenContents};
use crate::plan::conflict::Choice;

pub(super) fn snapshot(tag: &str, guid: u64, createtxg: u64) -> Snapshot {
    Snapshot {
        tag: tag.parse().unwrap(),
        guid: Guid(guid),
        createtxg,
        created_at: Timestamp::from_second(1_700_000_000 + createtxg as i64).unwrap(),
        owner: Owner::Foreign,
        holds: 0,
        used: 0,
        referenced: 0,
        written: 0,
        clones: Vec::new(),
    }
}

pub(super) fn bookmark(tag: &str, guid: u64, createtxg: u64) -> Bookmark {
    let created_at = Timestamp::from_second(1_700_000_000 + createtxg as i64).unwrap();
    Bookmark { tag: tag.parse().unwrap(), guid: Guid(guid), createtxg, created_at }
}

fn dataset(name: &str, snapshots: &[(&str, u64)]) -> Dataset {
    Dataset {
        name: name.parse().unwrap(),
        guid: Guid(name.len() as u64 + 9000),
        kind: DatasetKind::Filesystem,
        encryption: Encryption::Off,
        mounted: false,
        readonly: true,
        used: 1 << 30,
        referenced: 1 << 30,
        available: 1 << 40,
        written: 0,
        origin: None,
        partial: None,
        group: None,
        role: None,
        epoch: None,
        terms: None,
        snapshots: snapshots
            .iter()
            .enumerate()
            .map(|(i, (tag, guid))| snapshot(tag, *guid, 10 + i as u64))
            .collect(),
        bookmarks: Vec::new(),
    }
}

const SOURCE: &str = "tank/a";
pub(super) const GROUP: &str = "group-1";

pub(super) fn source(snapshots: &[(&str, u64)]) -> Dataset {
    dataset(SOURCE, snapshots)
}

pub(super) fn replica(snapshots: &[(&str, u64)]) -> Dataset {
    dataset("backup/a", snapshots)
}

pub(super) fn facts<'a>(
    source: &'a Dataset,
    destination: Option<&'a Dataset>,
    written_since_base: Option<u64>,
) -> Facts<'a> {
    static PLACE: std::sync::LazyLock<DatasetName> = std::sync::LazyLock::new(|| "backup/a".parse().unwrap());
    Facts { source, destination, place: &PLACE, group: GROUP, written_since_base, above: None }
}

fn planned(source: &Dataset, destination: Option<&Dataset>, history: History) -> Plan {
    plan(&facts(source, destination, None), history)
}

fn streams(plan: Plan) -> Vec<Stream> {
    match plan.action {
        Action::Send { streams } => streams,
        other => panic!("expected streams, got {other:?}"),
    }
}

fn conflict(plan: Plan) -> Conflict {
    match plan.action {
        Action::Conflict(conflict) => conflict,
        other => panic!("expected a conflict, got {other:?}"),
    }
}

fn full(to: &str) -> Stream {
    Stream::Full { to: to.parse().unwrap() }
}

fn incremental(from: &str, to: &str, intermediates: bool) -> Stream {
    let from = match from.strip_prefix('#') {
        Some(tag) => Base::Bookmark(tag.parse().unwrap()),
        None => Base::Snapshot(from.parse().unwrap()),
    };
    Stream::Incremental { from, to: to.parse().unwrap(), intermediates }
}

fn partial(to: u64, from: Option<u64>) -> PartialReceive {
    let contents = TokenContents {
        to_guid: Guid(to),
        to_name: format!("{SOURCE}@s"),
        from_guid: from.map(Guid),
        bytes: 4096,
        raw: false,
    };
    PartialReceive { token: "1-abc".into(), contents: Some(contents) }
}

#[test]
fn a_new_destination_gets_the_oldest_snapshot_in_full_and_then_the_history() {
    let source = source(&[("s1", 1), ("s2", 2), ("s3", 3)]);
    assert_eq!(streams(planned(&source, None, History::All)), [full("s1"), incremental("s1", "s3", true)]);
    assert_eq!(streams(planned(&source, None, History::NewestOnly)), [full("s3")]);
}

#[test]
fn a_new_destination_under_a_locked_encryption_root_takes_only_raw_streams() {
    let locked = Encryption::On { root: "backup".parse().unwrap(), key_loaded: false };
    let mut source = source(&[("s1", 1)]);
    let under = |source: &Dataset, above: &Encryption| {
        plan(&Facts { above: Some(above), ..facts(source, None, None) }, History::All)
    };
    assert_eq!(
        conflict(under(&source, &locked)),
        Conflict::DestinationKeyNotLoaded {
            destination: "backup/a".parse().unwrap(),
            root: "backup".parse().unwrap()
        }
    );
    let open = Encryption::On { root: "backup".parse().unwrap(), key_loaded: true };
    assert_eq!(streams(under(&source, &open)), [full("s1")]);
    source.encryption = Encryption::On { root: source.name.clone(), key_loaded: false };
    assert_eq!(streams(under(&source, &locked)), [full("s1")]);
}

#[test]
fn the_beginning_of_another_sources_first_stream_is_not_dropped() {
    let source = source(&[("s1", 1)]);
    let mut there = replica(&[]);
    let mut of_others = partial(77, None);
    if let Some(contents) = &mut of_others.contents {
        contents.to_name = "tank/b@s9".into();
    }
    there.partial = Some(of_others);
    let found = conflict(planned(&source, Some(&there), History::All));
    assert_eq!(found, Conflict::OthersPartial { destination: there.name.clone(), from: "tank/b@s9".into() });
    assert_eq!(found.choices(false), [Choice::PointElsewhere]);
    assert!(found.advice(false).contains("zfs receive -A backup/a"));
    // The source's own, whose snapshot is gone, is.
    there.partial = Some(partial(77, None));
    let plan = planned(&source, Some(&there), History::All);
    assert_eq!(plan.discard, Some(DeadPartial::SnapshotGone));
    assert_eq!(streams(plan), [full("s1")]);
}

#[test]
fn a_pools_root_is_never_set_aside() {
    let source = source(&[("s1", 1)]);
    let mut there = replica(&[]);
    there.name = "backup".parse().unwrap();
    let found = conflict(planned(&source, Some(&there), History::All));
    assert_eq!(found.choices(false), [Choice::PointElsewhere]);
}

#[test]
fn the_newest_common_snapshot_is_the_base() {
    let source = source(&[("s1", 1), ("s2", 2), ("s3", 3), ("s4", 4)]);
    let there = replica(&[("s1", 1), ("s2", 2)]);
    assert_eq!(streams(planned(&source, Some(&there), History::All)), [incremental("s2", "s4", true)]);
    assert_eq!(
        streams(planned(&source, Some(&there), History::NewestOnly)),
        [incremental("s2", "s4", false)]
    );
}

#[test]
fn a_renamed_snapshot_is_still_the_base_because_its_guid_says_so() {
    let source = source(&[("renamed-here", 1), ("s2", 2)]);
    let there = replica(&[("old-name", 1)]);
    assert_eq!(
        streams(planned(&source, Some(&there), History::All)),
        [incremental("renamed-here", "s2", false)]
    );
}

#[test]
fn a_bookmark_serves_where_the_snapshot_is_gone_and_intermediates_follow_it() {
    let mut source = source(&[("s3", 3), ("s4", 4)]);
    source.bookmarks.push(bookmark("b1", 1, 5));
    let there = replica(&[("s1", 1)]);
    let want = [incremental("#b1", "s3", false), incremental("s3", "s4", false)];
    assert_eq!(streams(planned(&source, Some(&there), History::All)), want);
    assert_eq!(
        streams(planned(&source, Some(&there), History::NewestOnly)),
        [incremental("#b1", "s4", false)]
    );
}

#[test]
fn a_snapshot_is_preferred_to_the_bookmark_of_itself() {
    let mut source = source(&[("s1", 1), ("s2", 2)]);
    source.bookmarks.push(bookmark("s1", 1, 10));
    assert_eq!(
        streams(planned(&source, Some(&replica(&[("s1", 1)])), History::All)),
        [incremental("s1", "s2", false)]
    );
}

#[test]
fn nothing_is_sent_when_the_newest_has_arrived() {
    let source = source(&[("s1", 1), ("s2", 2)]);
    let there = replica(&[("s1", 1), ("s2", 2)]);
    assert_eq!(
        planned(&source, Some(&there), History::All).action,
        Action::UpToDate { at: "s2".parse().unwrap() }
    );
    assert_eq!(planned(&dataset(SOURCE, &[]), None, History::All).action, Action::NoSnapshot);
}

#[test]
fn an_interrupted_stream_is_resumed_and_the_rest_follows() {
    let source = source(&[("s1", 1), ("s2", 2), ("s3", 3)]);
    let mut there = replica(&[("s1", 1)]);
    there.partial = Some(partial(2, Some(1)));
    let want = Stream::Resume { token: "1-abc".into(), to: "s2".parse().unwrap(), received: 4096 };
    assert_eq!(streams(planned(&source, Some(&there), History::All)), [want, incremental("s2", "s3", false)]);
}

#[test]
fn a_token_that_cannot_be_resumed_is_named_dropped_and_healed() {
    let there = |partial| Dataset { partial: Some(partial), ..replica(&[("s1", 1)]) };
    let source = source(&[("s1", 1), ("s2", 2)]);
    let mut raw = partial(2, Some(1));
    raw.contents.as_mut().unwrap().raw = true;
    let mut renamed = partial(2, Some(1));
    renamed.contents.as_mut().unwrap().to_name = "tank/before@s".into();
    let unreadable = PartialReceive { token: "?".into(), contents: None };
    let cases = [
        (partial(99, Some(1)), DeadPartial::SnapshotGone),
        (renamed, DeadPartial::SnapshotGone),
        (partial(2, Some(98)), DeadPartial::BaseGone),
        (raw, DeadPartial::RawDiffers),
        (partial(1, None), DeadPartial::Overtaken),
        (unreadable, DeadPartial::Unreadable),
    ];
    for (partial, reason) in cases {
        let plan = planned(&source, Some(&there(partial.clone())), History::All);
        assert_eq!(plan.discard, Some(reason), "{partial:?}");
        assert_eq!(streams(plan), [incremental("s1", "s2", false)], "{partial:?}");
    }
}

#[test]
fn a_dead_first_receive_starts_again_from_nothing() {
    let mut there = replica(&[]);
    there.partial = Some(partial(99, None));
    let plan = planned(&source(&[("s1", 1)]), Some(&there), History::All);
    assert_eq!(plan.discard, Some(DeadPartial::SnapshotGone));
    assert_eq!(streams(plan), [full("s1")]);
}

#[test]
fn a_destination_that_was_written_to_is_a_conflict_that_keeps_it() {
    let source = source(&[("s1", 1), ("s2", 2)]);
    let mut there = replica(&[("s1", 1)]);
    there.written = 4096;
    let conflict = conflict(planned(&source, Some(&there), History::All));
    assert_eq!(conflict.choices(false).first(), Some(&super::super::conflict::Choice::KeepAndContinue));
    assert!(conflict.to_string().contains("4.00 KiB"), "{conflict}");
    assert!(matches!(conflict, Conflict::DestinationModified { written: Some(4096), .. }));
}

#[test]
fn snapshots_taken_of_an_unchanged_replica_do_no_harm_but_changes_between_them_do() {
    let source = source(&[("s1", 1), ("s2", 2)]);
    let there = replica(&[("s1", 1), ("by-hand", 77)]);
    assert_eq!(unsure_since(&source, &there), Some("s1".parse().unwrap()));
    let ask = |written| {
        let facts = facts(&source, Some(&there), written);
        plan(&facts, History::All)
    };
    assert_eq!(streams(ask(Some(0))), [incremental("s1", "s2", false)]);
    assert!(
        matches!(conflict(ask(Some(9))), Conflict::DestinationModified { newer, .. } if newer.len() == 1)
    );
    assert!(matches!(conflict(ask(None)), Conflict::DestinationModified { written: None, .. }));
}

#[test]
fn what_is_not_a_replica_of_this_source_is_left_alone() {
    let source = source(&[("s1", 1), ("s2", 2)]);
    let fresh = replica(&[]);
    assert!(matches!(
        conflict(planned(&source, Some(&fresh), History::All)),
        Conflict::DestinationNotAReplica { .. }
    ));
    let foreign = replica(&[("x", 50)]);
    assert!(matches!(
        conflict(planned(&source, Some(&foreign), History::All)),
        Conflict::NoCommonBase { .. }
    ));
    let other = Dataset { group: Some("group-2".into()), ..replica(&[("s1", 1)]) };
    assert!(matches!(conflict(planned(&source, Some(&other), History::All)), Conflict::OtherGroup { .. }));
    let run = Dataset { role: Some(Role::Run), ..replica(&[("s1", 1)]) };
    assert!(matches!(conflict(planned(&source, Some(&run), History::All)), Conflict::InUse { .. }));
    let volume = Dataset { kind: DatasetKind::Volume, ..replica(&[("s1", 1)]) };
    assert!(matches!(conflict(planned(&source, Some(&volume), History::All)), Conflict::KindDiffers { .. }));
    assert!(matches!(conflict(planned(&source, Some(&source), History::All)), Conflict::SameDataset { .. }));
}

#[test]
fn encryption_that_does_not_fit_is_a_conflict() {
    let on = |key_loaded| Encryption::On { root: "backup".parse().unwrap(), key_loaded };
    let clear = source(&[("s1", 1), ("s2", 2)]);
    let encrypted = Dataset { encryption: on(true), ..clear.clone() };
    let there = replica(&[("s1", 1)]);
    assert!(matches!(
        conflict(planned(&encrypted, Some(&there), History::All)),
        Conflict::ReplicaNotEncrypted { .. }
    ));
    let locked = Dataset { encryption: on(false), ..there.clone() };
    assert!(matches!(
        conflict(planned(&clear, Some(&locked), History::All)),
        Conflict::DestinationKeyNotLoaded { .. }
    ));
    let open = Dataset { encryption: on(true), ..there };
    assert_eq!(streams(planned(&clear, Some(&open), History::All)), [incremental("s1", "s2", false)]);
}

#[test]
fn a_taken_name_is_found_before_anything_is_sent() {
    let source = source(&[("s1", 1), ("x", 2), ("s3", 3)]);
    let there = replica(&[("s1", 1), ("x", 50)]);
    let facts = facts(&source, Some(&there), Some(0));
    assert!(
        matches!(conflict(plan(&facts, History::All)), Conflict::TagTaken { tags, .. } if tags.len() == 1)
    );
    assert_eq!(streams(plan(&facts, History::NewestOnly)), [incremental("s1", "s3", false)]);
}

#[test]
fn a_tree_keeps_its_shape_at_the_destination() {
    let name = |text: &str| text.parse::<DatasetName>().unwrap();
    let there = counterpart(&name("tank/a/b/c"), &name("tank/a"), &name("backup/x")).unwrap();
    assert_eq!(there.as_str(), "backup/x/b/c");
    assert_eq!(
        counterpart(&name("tank/a"), &name("tank/a"), &name("backup/x")).unwrap().as_str(),
        "backup/x"
    );
}
