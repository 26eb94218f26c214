//! A small model of ZFS: what it would accept, and whether every plan is acceptable to it.

use proptest::prelude::*;

use super::tests::{bookmark, facts, replica, snapshot, source};
use super::*;
use crate::domain::dataset::Guid;

#[derive(Debug, Clone)]
enum Happening {
    SnapshotHere,
    DestroyHere(usize),
    DestroyHereLeavingBookmark(usize),
    SnapshotThere,
    WriteThere,
    Replicate(History),
}

#[derive(Debug)]
struct Model {
    here: Dataset,
    there: Option<Dataset>,
    next: u64,
    /// The GUID of the newest received snapshot, and whether the destination was written to since.
    last_received: Option<Guid>,
    written: bool,
}

impl Model {
    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn happen(&mut self, happening: &Happening) {
        match happening {
            Happening::SnapshotHere => {
                let n = self.fresh();
                self.here.snapshots.push(snapshot(&format!("s{n}"), n, n));
            }
            Happening::DestroyHere(i) | Happening::DestroyHereLeavingBookmark(i) => {
                if self.here.snapshots.is_empty() {
                    return;
                }
                let gone = self.here.snapshots.remove(i % self.here.snapshots.len());
                if matches!(happening, Happening::DestroyHereLeavingBookmark(_)) {
                    self.here.bookmarks.push(bookmark(gone.tag.as_str(), gone.guid.0, gone.createtxg));
                }
            }
            Happening::SnapshotThere => {
                let n = self.fresh();
                if let Some(there) = &mut self.there {
                    there.snapshots.push(snapshot(&format!("foreign{n}"), n, n));
                    there.written = 0;
                }
            }
            Happening::WriteThere => {
                if let Some(there) = &mut self.there {
                    there.written += 4096;
                    self.written = true;
                }
            }
            Happening::Replicate(history) => self.replicate(*history),
        }
    }

    fn replicate(&mut self, history: History) {
        let before: Vec<Guid> = self.there.iter().flat_map(|d| &d.snapshots).map(|s| s.guid).collect();
        let asked = self.there.as_ref().and_then(|there| unsure_since(&self.here, there));
        let written_since_base = asked.map(|_| if self.written { 4096 } else { 0 });
        let facts = facts(&self.here, self.there.as_ref(), written_since_base);
        match plan(&facts, history).action {
            Action::NoSnapshot => assert!(self.here.snapshots.is_empty()),
            Action::UpToDate { .. } => {
                let newest = self.here.newest().unwrap();
                let ahead =
                    self.here.bookmarks.iter().any(|bookmark| {
                        bookmark.createtxg > newest.createtxg && before.contains(&bookmark.guid)
                    });
                assert!(before.contains(&newest.guid) || ahead);
            }
            Action::Conflict(conflict) => {
                let there = self.there.as_ref().expect("no conflict without a destination");
                let has_base = common_base(&self.here, there).is_some();
                let explained = match &conflict {
                    Conflict::DestinationModified { .. } => has_base && self.written,
                    Conflict::NoCommonBase { .. } => !has_base,
                    _ => false,
                };
                assert!(explained, "{conflict} in {self:?}");
            }
            Action::Send { streams } => {
                assert!(!streams.is_empty());
                for stream in &streams {
                    self.receive(stream);
                }
                let newest = self.here.newest().unwrap().guid;
                let there = self.there.as_ref().unwrap();
                assert!(there.snapshot_by_guid(newest).is_some(), "the newest did not arrive");
                assert!(
                    before.iter().all(|guid| there.snapshot_by_guid(*guid).is_some()),
                    "something was lost"
                );
                if history == History::All {
                    let missing = self.here.snapshots.iter().filter(|s| {
                        s.createtxg > self.last_received.map_or(0, |guid| guid.0)
                            && there.snapshot_by_guid(s.guid).is_none()
                    });
                    assert_eq!(missing.count(), 0, "an intermediate snapshot did not arrive");
                }
                self.last_received = Some(newest);
                self.written = false;
            }
        }
    }

    /// What zfs receive without -F accepts: a full stream where nothing is, an increment whose base is
    /// there with no change since.
    fn receive(&mut self, stream: &Stream) {
        let find = |tag: &SnapTag| self.here.snapshot_by_tag(tag).expect("a sent snapshot exists").clone();
        let arriving: Vec<Snapshot> = match stream {
            Stream::Full { to } => {
                assert!(self.there.is_none(), "a full stream into an existing dataset");
                vec![find(to)]
            }
            Stream::Incremental { from, to, intermediates } => {
                let (guid, txg) = match from {
                    Base::Snapshot(tag) => (find(tag).guid, find(tag).createtxg),
                    Base::Bookmark(tag) => {
                        assert!(!intermediates, "zfs send -I refuses a bookmark");
                        let found =
                            self.here.bookmarks.iter().find(|b| &b.tag == tag).expect("the bookmark exists");
                        (found.guid, found.createtxg)
                    }
                };
                let there = self.there.as_ref().expect("an increment needs a destination");
                assert!(there.snapshot_by_guid(guid).is_some(), "the base is not there");
                assert!(!self.written, "an increment onto a changed dataset");
                let to = find(to);
                assert!(txg < to.createtxg, "an increment backwards");
                let inside =
                    |s: &&Snapshot| s.createtxg > txg && s.createtxg < to.createtxg && *intermediates;
                self.here.snapshots.iter().filter(inside).cloned().chain([to.clone()]).collect()
            }
            Stream::Resume { .. } => panic!("nothing was interrupted in this model"),
        };
        let txg = self.fresh();
        let there = self.there.get_or_insert_with(|| replica(&[]));
        for mut snapshot in arriving {
            assert!(there.snapshot_by_tag(&snapshot.tag).is_none(), "@{} is taken", snapshot.tag);
            snapshot.createtxg = txg + there.snapshots.len() as u64;
            there.snapshots.push(snapshot);
        }
        self.next += there.snapshots.len() as u64;
    }
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => Just(Happening::SnapshotHere),
        2 => any::<usize>().prop_map(Happening::DestroyHere),
        2 => any::<usize>().prop_map(Happening::DestroyHereLeavingBookmark),
        1 => Just(Happening::SnapshotThere),
        1 => Just(Happening::WriteThere),
        3 => prop_oneof![Just(History::All), Just(History::NewestOnly)].prop_map(Happening::Replicate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn every_plan_is_one_that_zfs_accepts_and_that_loses_nothing(story in prop::collection::vec(happening(), 1..40)) {
        let mut model =
            Model { here: source(&[]), there: None, next: 0, last_received: None, written: false };
        for happening in &story {
            model.happen(happening);
        }
    }
}
