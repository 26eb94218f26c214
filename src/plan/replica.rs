//! What destroying a group's replica would destroy, and what forbids it. Only what says of itself that it is this group's ever
//! goes; whatever somebody else may want keeps all of it, because a replica with holes is no replica.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::obstacles::Obstacle;
use crate::domain::dataset::{Dataset, Guid, HOLD_PREFIX, Owner, RUN_HOLD_PREFIX, Role, Snapshot};
use crate::domain::ids::GroupId;
use crate::domain::names::{DatasetName, SnapTag};

/// So many names stand in one sentence.
const NAMED: usize = 10;

/// What is at the replica's place.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The group.
    pub group: GroupId,
    /// The replica, with its snapshots.
    pub replica: &'a Dataset,
    /// Datasets right below it.
    pub children: &'a [DatasetName],
    /// Datasets and snapshots of it whose names Zerfaux does not accept.
    pub unreadable: &'a [String],
    /// The holds on its snapshots, anybody's: snapshot and tag.
    pub holds: &'a [(SnapTag, String)],
    /// What the NFS server exports of it.
    pub exports: &'a [String],
}

/// What goes: decided once, written down, and compared with what is there before each of it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The replica.
    pub dataset: DatasetName,
    /// Its own GUID.
    pub guid: Guid,
    /// Its snapshots, oldest first: what is left when the work stops half-way is the newest.
    pub snapshots: Vec<Snapshot>,
    /// Those that our own hold is on.
    pub held: Vec<SnapTag>,
    /// Whether a stream was received in part; its bytes go too.
    pub partial: bool,
    /// Bytes that the appliance has again afterwards.
    pub bytes: u64,
}

/// What destroying it would destroy.
///
/// # Errors
/// With all that forbids it, if anything does.
pub fn removal(facts: &Facts<'_>) -> Result<Removal, Vec<Obstacle>> {
    let replica = facts.replica;
    let all = obstacles(facts);
    if !all.is_empty() {
        return Err(all);
    }
    let own = format!("{HOLD_PREFIX}{}", facts.group);
    let held = facts.holds.iter().filter(|(_, tag)| *tag == own).map(|(snapshot, _)| snapshot.clone());
    Ok(Removal {
        dataset: replica.name.clone(),
        guid: replica.guid,
        snapshots: replica.snapshots.clone(),
        held: held.collect(),
        partial: replica.partial.is_some(),
        bytes: replica.used,
    })
}

fn obstacles(facts: &Facts<'_>) -> Vec<Obstacle> {
    let (replica, group) = (facts.replica, facts.group.to_string());
    let name = &replica.name;
    let mut all = Vec::new();
    let mut add = |kind: &'static str, object: String, why: String, advice: String| {
        all.push(Obstacle { kind, object, why, advice });
    };
    if replica.group.as_deref() != Some(&group) || replica.role != Some(Role::Replica) {
        let advice = match replica.partial.is_some() && replica.snapshots.is_empty() {
            true => format!(
                "A first transfer that never ended leaves such a dataset. If that is what it is, throw it away on the \
                 appliance: zfs receive -A {name}"
            ),
            false => format!(
                "Look on the appliance whose it is (zfs get -s local all {name}). If it is not this group's, delete the group \
                 without its replica."
            ),
        };
        add(
            "not_ours",
            name.to_string(),
            "It does not say that it is the replica of this group.".to_owned(),
            advice,
        );
    }
    if replica.mounted {
        add(
            "mounted",
            name.to_string(),
            "It is mounted on the appliance, so somebody may be using its files.".to_owned(),
            format!("When nobody does: zfs unmount {name}"),
        );
    }
    for export in facts.exports {
        add(
            "exported",
            export.clone(),
            "The appliance exports it by NFS, so hosts may use it.".to_owned(),
            "Take the export away when no host mounts it (exportfs -v shows it).".to_owned(),
        );
    }
    for child in facts.children {
        add(
            "child",
            child.to_string(),
            "It lies below the replica, and Zerfaux did not make it.".to_owned(),
            "Move it elsewhere (zfs rename), or destroy it by hand if nobody needs it.".to_owned(),
        );
    }
    for object in facts.unreadable {
        add(
            "unreadable",
            object.clone(),
            "It belongs to the replica, and has a name that Zerfaux leaves alone.".to_owned(),
            "Rename it or destroy it by hand on the appliance.".to_owned(),
        );
    }
    let clones: Vec<(&Snapshot, &DatasetName)> =
        replica.snapshots.iter().flat_map(|one| one.clones.iter().map(move |clone| (one, clone))).collect();
    for (snapshot, clone) in clones {
        add(
            "clone",
            clone.to_string(),
            format!("It was cloned from {name}@{}, and stands and falls with it.", snapshot.tag),
            "A recovery, a DR shell or a diverged copy that was put aside may be in it. End what uses it, and destroy it first."
                .to_owned(),
        );
    }
    for (snapshot, tag) in foreign_holds(facts) {
        let (why, advice) = if tag.starts_with(RUN_HOLD_PREFIX) {
            let why = format!("A test or a failover of the group holds it, with the tag {tag:?}.");
            (why, "Clean up the test, or decide the failover, on the page of the group.".to_owned())
        } else {
            let release = format!("zfs release {tag} {name}@{snapshot}");
            let advice = format!("Ask whoever set it. When it is not needed any more: {release}");
            (format!("Somebody else holds it, with the tag {tag:?}."), advice)
        };
        add("hold", format!("{name}@{snapshot}"), why, advice);
    }
    let foreign: Vec<&str> = replica
        .snapshots
        .iter()
        .filter(|one| one.owner != Owner::Zerfaux(group.clone()))
        .map(|one| one.tag.as_str())
        .collect();
    if !foreign.is_empty() {
        let (which, more) = first_of(&foreign);
        let many = if foreign.len() == 1 { "Its snapshot" } else { "Its snapshots" };
        let are = if foreign.len() == 1 { "is" } else { "are" };
        add(
            "snapshot",
            name.to_string(),
            format!(
                "{many} {}{more} {are} not Zerfaux's: somebody took {} here, or they came along from the source.",
                which.join(", "),
                if foreign.len() == 1 { "it" } else { "them" },
            ),
            format!("If nobody needs them, destroy them by hand: zfs destroy {name}@{}", which.join(",")),
        );
    }
    all
}

/// Those with another tag than ours, and those that a listing counted and nobody could name.
fn foreign_holds(facts: &Facts<'_>) -> Vec<(SnapTag, String)> {
    let own = format!("{HOLD_PREFIX}{}", facts.group);
    let mut counted: BTreeMap<&SnapTag, u64> = BTreeMap::new();
    for (snapshot, _) in facts.holds {
        *counted.entry(snapshot).or_default() += 1;
    }
    let unnamed = facts.replica.snapshots.iter();
    let unnamed = unnamed.filter(|one| one.holds > counted.get(&one.tag).copied().unwrap_or(0));
    let foreign = facts.holds.iter().filter(|(_, tag)| *tag != own).cloned();
    foreign.chain(unnamed.map(|one| (one.tag.clone(), "?".to_owned()))).collect()
}

fn first_of<'a>(names: &[&'a str]) -> (Vec<&'a str>, String) {
    let shown: Vec<&str> = names.iter().take(NAMED).copied().collect();
    let more = names.len() - shown.len();
    (shown, if more > 0 { format!(" and {more} more") } else { String::new() })
}

#[cfg(test)]
#[path = "replica_tests.rs"]
mod tests;
