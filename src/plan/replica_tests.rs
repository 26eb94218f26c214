//! What may be destroyed of a replica, and what keeps all of it.

use super::*;
use crate::domain::dataset::{DatasetKind, Encryption, PartialReceive};

const GROUP: GroupId = GroupId::from_bytes([7; 16]);

fn own_tag() -> String {
    format!("{HOLD_PREFIX}{GROUP}")
}

fn snapshot(tag: &str, guid: u64) -> Snapshot {
    Snapshot {
        tag: tag.parse().unwrap(),
        guid: Guid(guid),
        createtxg: guid,
        created_at: jiff::Timestamp::UNIX_EPOCH,
        owner: Owner::Zerfaux(GROUP.to_string()),
        holds: 0,
        used: 0,
        referenced: 0,
        written: 0,
        clones: Vec::new(),
    }
}

fn replica() -> Dataset {
    let newest = Snapshot { holds: 1, ..snapshot("zx-2", 2) };
    Dataset {
        name: "tank/zerfaux/replica/erp".parse().unwrap(),
        guid: Guid(99),
        kind: DatasetKind::Filesystem,
        encryption: Encryption::Off,
        mounted: false,
        readonly: true,
        used: 4096,
        referenced: 0,
        available: 0,
        written: 0,
        origin: None,
        partial: Some(PartialReceive { token: "1-a-b-c".to_owned(), contents: None }),
        group: Some(GROUP.to_string()),
        role: Some(Role::Replica),
        epoch: None,
        terms: None,
        snapshots: vec![snapshot("zx-1", 1), newest],
        bookmarks: Vec::new(),
    }
}

struct Place {
    replica: Dataset,
    children: Vec<DatasetName>,
    unreadable: Vec<String>,
    holds: Vec<(SnapTag, String)>,
    exports: Vec<String>,
}

impl Place {
    fn sound() -> Self {
        Self {
            replica: replica(),
            children: Vec::new(),
            unreadable: Vec::new(),
            holds: vec![("zx-2".parse().unwrap(), own_tag())],
            exports: Vec::new(),
        }
    }

    fn judged(&self) -> Result<Removal, Vec<Obstacle>> {
        removal(&Facts {
            group: GROUP,
            replica: &self.replica,
            children: &self.children,
            unreadable: &self.unreadable,
            holds: &self.holds,
            exports: &self.exports,
        })
    }
}

#[test]
fn what_is_the_groups_goes_with_its_own_hold_and_what_came_in_part() {
    let removal = Place::sound().judged().unwrap();
    let tags: Vec<&str> = removal.snapshots.iter().map(|one| one.tag.as_str()).collect();
    assert_eq!(tags, ["zx-1", "zx-2"], "the newest last");
    assert_eq!(removal.held.iter().map(SnapTag::as_str).collect::<Vec<_>>(), ["zx-2"]);
    assert!(removal.partial);
    assert_eq!((removal.guid, removal.bytes), (Guid(99), 4096));
}

#[test]
fn whatever_somebody_may_want_keeps_all_of_it_and_is_named_with_what_to_do() {
    let with = |change: fn(&mut Place)| {
        let mut place = Place::sound();
        change(&mut place);
        place
    };
    let cases: [(&str, &str, Place); 11] = [
        ("not_ours", "replica/erp", with(|p| p.replica.group = None)),
        ("not_ours", "replica/erp", with(|p| p.replica.group = Some("other".into()))),
        ("not_ours", "replica/erp", with(|p| p.replica.role = Some(Role::Live))),
        ("mounted", "replica/erp", with(|p| p.replica.mounted = true)),
        ("exported", "/srv/x", with(|p| p.exports.push("/srv/x".into()))),
        ("child", "erp/mine", with(|p| p.children.push("tank/zerfaux/replica/erp/mine".parse().unwrap()))),
        ("unreadable", "erp@%odd", with(|p| p.unreadable.push("tank/zerfaux/replica/erp@%odd".into()))),
        ("clone", "run/test", with(|p| p.replica.snapshots[0].clones.push("tank/run/test".parse().unwrap()))),
        ("hold", "erp@zx-1", with(|p| p.holds.push(("zx-1".parse().unwrap(), "audit".into())))),
        ("hold", "erp@zx-1", with(|p| p.replica.snapshots[0].holds = 1)),
        ("snapshot", "replica/erp", with(|p| p.replica.snapshots[0].owner = Owner::Foreign)),
    ];
    for (kind, object, place) in cases {
        let found = place.judged().unwrap_err();
        assert_eq!(found.len(), 1, "{kind}: {found:?}");
        assert_eq!(found[0].kind, kind);
        assert!(found[0].object.contains(object) && !found[0].advice.is_empty(), "{found:?}");
    }
}

#[test]
fn snapshots_of_others_are_named_with_one_command() {
    let mut place = Place::sound();
    place.replica.snapshots.clear();
    place.holds.clear();
    for number in 0..12 {
        let foreign = Snapshot { owner: Owner::Foreign, ..snapshot(&format!("daily-{number}"), number) };
        place.replica.snapshots.push(foreign);
    }
    let found = place.judged().unwrap_err();
    assert!(found[0].why.contains("daily-0") && found[0].why.contains("and 2 more"), "{found:?}");
    assert!(found[0].advice.contains("erp@daily-0,daily-1,"), "{found:?}");
    place.replica.snapshots[0].owner = Owner::Zerfaux("another-group".to_owned());
    assert!(place.judged().unwrap_err()[0].why.contains("daily-0"), "another group's is not ours either");
}

#[test]
fn what_a_first_transfer_left_is_not_ours_and_says_how_to_throw_it_away() {
    let mut place = Place::sound();
    (place.replica.group, place.replica.role) = (None, None);
    place.replica.snapshots.clear();
    place.holds.clear();
    let found = place.judged().unwrap_err();
    assert!(found[0].advice.contains("zfs receive -A tank/zerfaux/replica/erp"), "{found:?}");
}
