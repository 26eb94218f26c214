//! Compares what was sent with what arrived: names and GUIDs of snapshots, and what is in them.

use super::{Entry, Side, SnapshotSeen};

/// Fails the test unless the copy has exactly the original's snapshots, and each of them holds the same files.
#[track_caller]
pub fn assert_same(original: (&Side, &str), copy: (&Side, &str)) {
    let (here, there) = (original.0.snapshots(original.1), copy.0.snapshots(copy.1));
    assert_eq!(there, here, "the copy has other snapshots");
    assert_same_files(original, copy, &here);
}

/// The same for a copy that has only some of the original's snapshots.
#[track_caller]
pub fn assert_part_of(original: (&Side, &str), copy: (&Side, &str)) {
    let (here, there) = (original.0.snapshots(original.1), copy.0.snapshots(copy.1));
    for snapshot in &there {
        assert!(here.contains(snapshot), "{snapshot:?} is not one of {here:?}");
    }
    assert_same_files(original, copy, &there);
}

/// SHA-256 of every file in each of these snapshots, looked at through clones on both sides.
#[track_caller]
fn assert_same_files(original: (&Side, &str), copy: (&Side, &str), snapshots: &[SnapshotSeen]) {
    assert!(!snapshots.is_empty(), "there is nothing to compare");
    let mut files = 0;
    for SnapshotSeen { tag, .. } in snapshots {
        let look = |(side, dataset): (&Side, &str)| side.files(&format!("{dataset}@{tag}"));
        let (here, there) = std::thread::scope(|scope| {
            let here = scope.spawn(|| look(original));
            let there = look(copy);
            (here.join().expect("the original can be looked into"), there)
        });
        files += here.values().filter(|entry| matches!(entry, Entry::File(_))).count();
        assert_eq!(there, here, "other files in @{tag}");
    }
    assert!(files > 0, "no snapshot holds a file");
}
