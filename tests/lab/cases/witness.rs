//! What the cases of R5 have in common: proof that nothing of anyone was destroyed, and figures of a run.

use std::collections::{BTreeMap, BTreeSet};

use crate::lab::{Scene, Side};
use crate::zerfaux_cli::{Ended, replicate};

/// Everything on both sides at one moment.
pub struct Witness {
    source: BTreeMap<String, u64>,
    target: BTreeMap<String, u64>,
}

impl Witness {
    pub fn of(scene: &Scene) -> Self {
        Self { source: scene.source.inventory(), target: scene.target.inventory() }
    }

    /// Fails unless both sides have exactly what they had, under the names they had.
    #[track_caller]
    pub fn sees_no_change(&self, scene: &Scene) {
        assert_eq!(scene.source.inventory(), self.source, "the source changed");
        assert_eq!(scene.target.inventory(), self.target, "the target changed");
    }

    /// Fails unless everything there was is still there; a name may have become another, and things may be added.
    #[track_caller]
    pub fn sees_nothing_lost(&self, scene: &Scene) {
        for (what, before, now) in [
            ("source", &self.source, scene.source.inventory()),
            ("target", &self.target, scene.target.inventory()),
        ] {
            let left: BTreeSet<u64> = now.values().copied().collect();
            let lost: Vec<&String> =
                before.iter().filter(|(_, guid)| !left.contains(guid)).map(|(name, _)| name).collect();
            assert!(lost.is_empty(), "lost at the {what}: {lost:?}\nleft: {now:#?}");
        }
    }
}

/// A source with two files and a replica of it that is up to date.
pub fn replicated(case: &str) -> Scene {
    let scene = Scene::new(case);
    scene.source.play("+ data\nw data one 2M\n@ data by-hand\nw data two 64K");
    replicate(&scene, &[]).expect(0);
    scene
}

/// Writes a file at the target as somebody who mounts the replica.
pub fn write_at_target(scene: &Scene, file: &str) {
    scene
        .target
        .play(&format!("p copy readonly=off\nm copy\nw copy {file} 192K\nu copy\np copy readonly=on"));
    scene.target.host.root(&format!("zpool sync {}", pool(&scene.target)));
}

/// The pool of a side.
pub fn pool(side: &Side) -> String {
    side.name(".").split('/').next().unwrap().to_owned()
}

/// Bytes that travelled in a run with `--json`.
#[track_caller]
pub fn bytes(ended: &Ended) -> u64 {
    ended.result()["bytes"].as_u64().unwrap_or_else(|| panic!("no bytes in {ended:#?}"))
}

/// The newest snapshot of a dataset, by name.
#[track_caller]
pub fn newest(side: &Side, dataset: &str) -> String {
    side.tags(dataset).pop().unwrap_or_else(|| panic!("{dataset} has no snapshot"))
}

/// Fails unless source and replica have the same newest snapshot, with the same files.
#[track_caller]
pub fn in_step(scene: &Scene, from: &str, to: &str) {
    let (here, there) = (scene.source.snapshots(from).pop(), scene.target.snapshots(to).pop());
    assert_eq!(here, there, "the newest snapshot on either side");
    let tag = here.unwrap().tag;
    let (sent, arrived) = (format!("{from}@{tag}"), format!("{to}@{tag}"));
    assert_eq!(scene.target.files(&arrived), scene.source.files(&sent));
}

/// All holds of the snapshots of a dataset: snapshot and tag.
pub fn all_holds(side: &Side, dataset: &str) -> Vec<(String, String)> {
    let text = side.host.root(&format!(
        "zfs list -Hpr -d 1 -t snapshot -o name '{}' | tr '\\n' '\\0' | xargs -0r zfs holds -H",
        side.name(dataset)
    ));
    text.lines()
        .map(|line| {
            let mut fields = line.split('\t');
            let snapshot = fields.next().unwrap_or_default();
            let tag = fields.next().unwrap_or_default().to_owned();
            (snapshot.split('@').nth(1).unwrap_or_default().to_owned(), tag)
        })
        .collect()
}

/// Fails unless of the dataset's snapshots only the newest is held, by one group of Zerfaux.
#[track_caller]
pub fn only_newest_is_held(side: &Side, dataset: &str) {
    let holds = all_holds(side, dataset);
    assert!(
        holds.len() == 1 && holds[0].0 == newest(side, dataset) && holds[0].1.starts_with("zerfaux:"),
        "{holds:?}"
    );
}

/// The dataset that was set aside for `copy`, relative to the side.
#[track_caller]
pub fn kept(side: &Side) -> String {
    let prefix = format!("{}/", side.name("."));
    let names: Vec<String> = side
        .inventory()
        .into_keys()
        .filter_map(|name| name.strip_prefix(&prefix).map(str::to_owned))
        .filter(|name| name.starts_with("copy-kept-") && !name.contains('@'))
        .collect();
    assert_eq!(names.len(), 1, "one copy is kept: {names:?}");
    names[0].clone()
}
