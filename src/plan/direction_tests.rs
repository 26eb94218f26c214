use super::*;
use crate::domain::dataset::{DatasetKind, Encryption, Owner, Snapshot};

fn dataset(name: &str, guid: u64, snapshots: &[(&str, u64, u64)]) -> Dataset {
    let snapshot = |(tag, guid, txg): &(&str, u64, u64)| Snapshot {
        tag: tag.parse().unwrap(),
        guid: Guid(*guid),
        createtxg: *txg,
        created_at: Timestamp::UNIX_EPOCH,
        owner: Owner::Foreign,
        holds: 0,
        used: 0,
        referenced: 0,
        written: 0,
        clones: Vec::new(),
    };
    Dataset {
        name: name.parse().unwrap(),
        guid: Guid(guid),
        kind: DatasetKind::Filesystem,
        encryption: Encryption::Off,
        mounted: false,
        readonly: true,
        used: 77,
        referenced: 0,
        available: 0,
        written: 0,
        origin: None,
        partial: None,
        group: None,
        role: None,
        epoch: None,
        terms: None,
        snapshots: snapshots.iter().map(snapshot).collect(),
        bookmarks: Vec::new(),
    }
}

fn layout() -> Layout {
    Layout { root: "b/zerfaux".parse().unwrap(), group: "g1".to_owned() }
}

fn clone_of(origin: &str, snapshots: &[(&str, u64, u64)]) -> Dataset {
    Dataset { origin: Some(origin.to_owned()), ..dataset("b/zerfaux/run/g1", 9, snapshots) }
}

const AT: Timestamp = Timestamp::UNIX_EPOCH;

#[test]
fn a_commit_of_the_newest_checkpoint_leaves_nothing_of_the_old_replica() {
    let replica = dataset("b/zerfaux/replica/g1", 1, &[("s1", 11, 1), ("s2", 12, 2)]);
    let plan = commit(&replica, &clone_of("b/zerfaux/replica/g1@s2", &[]), &layout(), 1, AT).unwrap();
    assert_eq!((plan.base.as_str(), plan.base_guid), ("s2", Guid(12)));
    assert_eq!(plan.rest, Rest::Nothing(replica.name, Guid(1)));
    assert_eq!(plan.live.to.as_str(), "b/zerfaux/live/g1");
    assert_eq!(plan.epoch, Epoch { counter: 2, live: Guid(9) });
}

#[test]
fn checkpoints_that_are_newer_than_the_recovered_one_are_kept_aside_under_a_date() {
    let replica = dataset("b/zerfaux/replica/g1", 1, &[("s1", 11, 1), ("s2", 12, 2), ("s3", 13, 3)]);
    let plan = commit(&replica, &clone_of("b/zerfaux/replica/g1@s1", &[]), &layout(), 4, AT).unwrap();
    let Rest::Kept { replica, newer } = plan.rest else { panic!("{:?}", plan.rest) };
    assert_eq!(replica.to.as_str(), "b/zerfaux/keep/g1-19700101T000000Z");
    assert_eq!(newer.iter().map(SnapTag::as_str).collect::<Vec<_>>(), ["s2", "s3"]);
}

#[test]
fn what_zfs_would_refuse_to_promote_is_refused_before() {
    let replica = dataset("b/zerfaux/replica/g1", 1, &[("s1", 11, 1), ("s2", 12, 2)]);
    let told = commit(&replica, &clone_of("b/zerfaux/replica/g1@s2", &[("s1", 21, 5)]), &layout(), 1, AT);
    assert!(matches!(told, Err(Why::SameName { .. })), "{told:?}");
    for origin in ["b/other@s2", "b/zerfaux/replica/g1@gone"] {
        let told = commit(&replica, &clone_of(origin, &[]), &layout(), 1, AT);
        assert!(matches!(told, Err(Why::NoClone { .. })), "{told:?}");
    }
    // The same name on a snapshot that stays behind hinders nobody.
    let newer = clone_of("b/zerfaux/replica/g1@s1", &[("s2", 22, 6)]);
    assert!(commit(&replica, &newer, &layout(), 1, AT).is_ok());
}

#[test]
fn what_was_not_written_to_comes_back_as_it_is_and_everything_else_is_kept_aside() {
    let live = dataset("b/zerfaux/live/g1", 9, &[("s1", 11, 1), ("s2", 12, 2), ("f1", 31, 7)]);
    let old = dataset("a/g1", 3, &[("s1", 11, 1), ("s2", 12, 2)]);
    let layout = Layout { root: "a/zerfaux".parse().unwrap(), group: "g1".to_owned() };
    let plan = comes_back(&old, &live, &layout, AT).unwrap();
    assert!(matches!(&plan, Return::AsItIs { base, .. } if base.as_str() == "s2"), "{plan:?}");

    let wrote = Dataset { written: 1, ..old.clone() };
    let snapped = dataset("a/g1", 3, &[("s1", 11, 1), ("s2", 12, 2), ("s3", 13, 3)]);
    for (old, base) in [(wrote, "s2"), (snapped, "s2")] {
        let Return::Aside { base: found, kept, replica, .. } = comes_back(&old, &live, &layout, AT).unwrap()
        else {
            panic!("it has diverged")
        };
        assert_eq!((found.as_str(), kept.from.as_str()), (base, "a/g1"));
        assert_eq!(replica.as_str(), "a/zerfaux/replica/g1");
    }
    let stranger = dataset("a/g1", 3, &[("s1", 911, 1)]);
    let plan = comes_back(&stranger, &live, &layout, AT).unwrap();
    assert!(matches!(plan, Return::Anew { bytes: 77, .. }), "{plan:?}");
    let mounted = Dataset { mounted: true, ..old };
    assert_eq!(comes_back(&mounted, &live, &layout, AT), Err(Why::Mounted(mounted.name)));
}
