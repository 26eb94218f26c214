//! Whether what datasets say of themselves agrees with what is known of their group. What is missing is set again; what
//! contradicts holds the group, because one of the two is wrong, and which one only a person can tell.

use serde::Serialize;

use crate::domain::dataset::{Dataset, Guid, Owner, Role, Snapshot};
use crate::domain::epoch::Epoch;
use crate::domain::ids::GroupId;

/// What contradicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contradiction {
    /// What it is about: a dataset or a snapshot.
    pub object: String,
    /// What contradicts what.
    pub why: String,
    /// What to do about it.
    pub advice: String,
}

/// What is to be set again on one side, while no run of the group is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// Checkpoints that do not say any more that they are the group's.
    pub marks: Vec<Snapshot>,
    /// The newest checkpoint, on which nothing holds any more.
    pub hold: Option<Snapshot>,
    /// The newest checkpoint, which has no bookmark at the live side.
    pub bookmark: Option<Snapshot>,
}

/// What is known of the group.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    /// Its id.
    pub group: GroupId,
    /// Counts its changes of direction.
    pub counter: u32,
    /// The GUIDs of its checkpoints, the newest first.
    pub checkpoints: &'a [Guid],
    /// Groups that were deleted here: a dataset that still says it belongs to one of them is free.
    pub deleted: &'a [String],
}

/// What a dataset that should have this role says against what is known.
pub fn contradictions(known: &Known<'_>, role: Role, dataset: &Dataset) -> Vec<Contradiction> {
    let mut all = Vec::new();
    let (group, object) = (known.group.to_string(), dataset.name.to_string());
    if dataset.group.as_ref().is_some_and(|other| *other != group && known.deleted.contains(other)) {
        return all;
    }
    let mut add = |object: &str, why: String, advice: &str| {
        all.push(Contradiction { object: object.to_owned(), why, advice: advice.to_owned() });
    };
    if let Some(other) = dataset.group.as_deref().filter(|other| *other != group) {
        add(
            &object,
            format!("It says that it belongs to the group {other}, and here it belongs to {group}."),
            "Find out which of the two is right. If it is this one, take the other's mark off: zfs inherit zerfaux:group \
             DATASET. Otherwise remove this group here.",
        );
    }
    if let Some(other) = dataset.role.filter(|other| *other != role) {
        add(
            &object,
            format!("It says that it is {}, and here it is {}.", in_words(other), in_words(role)),
            "The direction may have been changed by another installation. Find out on which side the virtual machines run. If \
             it is as known here, take the mark off: zfs inherit zerfaux:role DATASET.",
        );
    }
    match dataset.epoch.as_deref().map(|text| (text, text.parse::<Epoch>())) {
        Some((text, Err(_))) => add(
            &object,
            format!("Its epoch {text:?} is not understood."),
            "A later version may have written it. Use that version.",
        ),
        Some((_, Ok(epoch))) if epoch.counter != known.counter => add(
            &object,
            format!("It is of epoch {}, and the group is in epoch {}.", epoch.counter, known.counter),
            "It was away when the direction changed, or another installation has changed it. Find out on which side the \
             virtual machines run before anything is sent.",
        ),
        Some((_, Ok(epoch))) if role == Role::Live && epoch.live != dataset.guid => add(
            &object,
            format!(
                "It is not the dataset that was the live one (GUID {}, found {}): it was made anew, or put back from a \
                 copy.",
                epoch.live, dataset.guid
            ),
            "If it is the right one, take the mark off: zfs inherit zerfaux:epoch DATASET. The next run goes on from what \
             both sides have.",
        ),
        _ => {}
    }
    for snapshot in dataset.snapshots.iter().filter(|one| known.checkpoints.contains(&one.guid)) {
        if let Owner::Zerfaux(other) = &snapshot.owner
            && *other != group
        {
            add(
                &format!("{}@{}", dataset.name, snapshot.tag),
                format!(
                    "It says that it belongs to the group {other}, and here it is a checkpoint of {group}."
                ),
                "Find out which of the two is right. If it is this one, take the other's mark off: zfs inherit \
                 zerfaux:group SNAPSHOT.",
            );
        }
    }
    all
}

/// What a dataset with this role should say of its checkpoints and does not.
pub fn missing(known: &Known<'_>, role: Role, dataset: &Dataset) -> Missing {
    let of = |guid: &Guid| dataset.snapshot_by_guid(*guid);
    let newest = known.checkpoints.first().and_then(of);
    let unbookmarked = |one: &&Snapshot| !dataset.bookmarks.iter().any(|bookmark| bookmark.guid == one.guid);
    Missing {
        marks: known
            .checkpoints
            .iter()
            .filter_map(of)
            .filter(|one| one.owner == Owner::Foreign)
            .cloned()
            .collect(),
        hold: newest.filter(|one| one.holds == 0).cloned(),
        bookmark: newest.filter(|_| role == Role::Live).filter(unbookmarked).cloned(),
    }
}

fn in_words(role: Role) -> &'static str {
    match role {
        Role::Live => "the live dataset",
        Role::Replica => "the replica",
        Role::Run => "a recovery's",
        Role::Keep => "put aside",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::dataset::{Bookmark, DatasetKind, Encryption};

    fn group() -> GroupId {
        GroupId::from_bytes([7; 16])
    }

    fn snapshot(guid: u64, owner: Owner, holds: u64) -> Snapshot {
        Snapshot {
            tag: format!("zx-{guid}").parse().unwrap(),
            guid: Guid(guid),
            createtxg: guid,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            owner,
            holds,
            used: 0,
            referenced: 0,
            written: 0,
            clones: Vec::new(),
        }
    }

    fn dataset() -> Dataset {
        let ours = Owner::Zerfaux(group().to_string());
        Dataset {
            name: "tank/erp".parse().unwrap(),
            guid: Guid(99),
            kind: DatasetKind::Filesystem,
            encryption: Encryption::Off,
            mounted: true,
            readonly: false,
            used: 0,
            referenced: 0,
            available: 0,
            written: 0,
            origin: None,
            partial: None,
            group: Some(group().to_string()),
            role: Some(Role::Live),
            epoch: Some("2:99".to_owned()),
            terms: None,
            snapshots: vec![snapshot(1, ours.clone(), 0), snapshot(2, ours, 1)],
            bookmarks: vec![Bookmark {
                tag: "zx-2".parse().unwrap(),
                guid: Guid(2),
                createtxg: 2,
                created_at: jiff::Timestamp::UNIX_EPOCH,
            }],
        }
    }

    const CHECKPOINTS: [Guid; 2] = [Guid(2), Guid(1)];

    fn known() -> Known<'static> {
        Known { group: group(), counter: 2, checkpoints: &CHECKPOINTS, deleted: &[] }
    }

    #[test]
    fn what_agrees_or_says_nothing_yet_contradicts_nothing() {
        assert_eq!(contradictions(&known(), Role::Live, &dataset()), []);
        let silent = Dataset { group: None, role: None, epoch: None, ..dataset() };
        assert_eq!(contradictions(&known(), Role::Live, &silent), []);
        assert_eq!(missing(&known(), Role::Live, &dataset()), Missing::default());
    }

    #[test]
    fn every_contradiction_is_told_with_what_to_do() {
        let cases = [
            (Dataset { group: Some("g".into()), ..dataset() }, "belongs to the group g"),
            (Dataset { role: Some(Role::Replica), ..dataset() }, "says that it is the replica"),
            (Dataset { epoch: Some("1:99".into()), ..dataset() }, "of epoch 1, and the group is in epoch 2"),
            (Dataset { epoch: Some("2:5".into()), ..dataset() }, "was made anew"),
            (Dataset { epoch: Some("later".into()), ..dataset() }, "is not understood"),
            (
                Dataset { snapshots: vec![snapshot(1, Owner::Zerfaux("g".into()), 1)], ..dataset() },
                "checkpoint of",
            ),
        ];
        for (dataset, expected) in cases {
            let found = contradictions(&known(), Role::Live, &dataset);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].why.contains(expected) && !found[0].advice.is_empty(), "{found:?}");
        }
        // What a group that was deleted here has left.
        let left = Dataset { group: Some("g".into()), epoch: Some("7:1".into()), ..dataset() };
        let deleted = ["g".to_owned()];
        assert_eq!(contradictions(&Known { deleted: &deleted, ..known() }, Role::Live, &left), []);
        // A replica carries the live dataset's GUID, and not its own.
        let replica = Dataset { role: Some(Role::Replica), epoch: Some("2:5".into()), ..dataset() };
        assert_eq!(contradictions(&known(), Role::Replica, &replica), []);
    }

    #[test]
    fn what_was_taken_off_is_missing() {
        let bare = Dataset {
            snapshots: vec![
                snapshot(1, Owner::Foreign, 0),
                snapshot(2, Owner::Foreign, 0),
                snapshot(3, Owner::Foreign, 0),
            ],
            bookmarks: Vec::new(),
            ..dataset()
        };
        let found = missing(&known(), Role::Live, &bare);
        let guids: Vec<u64> = found.marks.iter().map(|one| one.guid.0).collect();
        assert_eq!(guids, [2, 1], "somebody else's snapshot is left alone");
        assert_eq!(
            (found.hold.map(|one| one.guid.0), found.bookmark.map(|one| one.guid.0)),
            (Some(2), Some(2))
        );
        assert_eq!(missing(&known(), Role::Replica, &bare).bookmark, None);
    }
}
