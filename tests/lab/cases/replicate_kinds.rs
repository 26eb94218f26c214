//! `zerfaux replicate` with other kinds of datasets: trees, volumes, encrypted ones.

use crate::lab::{Scene, Side, assert_same, hosts};
use crate::zerfaux_cli::{replicate, replicate_as};

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_tree_arrives_with_volumes_and_later_children_and_keeps_what_the_source_destroyed() {
    let scene = Scene::new("tree");
    scene.source.play(
        "+ data
         w data one 64K
         + data/child
         w data/child two 64K
         + data/child/grand
         w data/child/grand three 64K
         v data/vol 8M
         d data/vol 1M",
    );
    replicate(&scene, &["--recursive"]).expect(0);
    let file_systems =
        [("data", "copy"), ("data/child", "copy/child"), ("data/child/grand", "copy/child/grand")];
    for (from, to) in file_systems {
        assert_same((&scene.source, from), (&scene.target, to));
        assert_eq!(scene.target.property(to, "mounted"), "no", "{to}");
    }
    let tag = scene.source.tags("data").pop().unwrap();
    assert_same_volume(&scene, &tag);
    assert_eq!(scene.target.property("copy/vol", "readonly"), "on");

    let grandchild = scene.target.snapshots("copy/child/grand");
    let doomed = scene.source.name("data/child/grand");
    scene.source.host.root(&format!(
        "zfs holds -H {doomed}@{tag} | while read -r name hold when; do zfs release $hold $name; done
         zfs destroy -r {doomed}"
    ));
    scene.source.play("+ data/late\nw data/late four 64K\nw data/child five 64K\nd data/vol 512K");
    replicate(&scene, &["--recursive"]).expect(0);
    for (from, to) in [("data/child", "copy/child"), ("data/late", "copy/late")] {
        assert_same((&scene.source, from), (&scene.target, to));
    }
    let tag = scene.source.tags("data").pop().unwrap();
    assert_same_volume(&scene, &tag);
    assert_eq!(scene.target.snapshots("copy/child/grand"), grandchild, "what arrived stays");
}

fn assert_same_volume(scene: &Scene, tag: &str) {
    assert_eq!(scene.target.snapshots("copy/vol"), scene.source.snapshots("data/vol"));
    let sent = scene.source.volume_hash(&format!("data/vol@{tag}"));
    assert_eq!(scene.target.volume_hash(&format!("copy/vol@{tag}")), sent);
}

/// Neither the destination nor, in the end, the source has the key while it is sent.
#[test]
#[ignore = "needs the lab: tests/run"]
fn an_encrypted_dataset_goes_raw_to_the_other_host_and_raw_back_again() {
    const PASSPHRASE: &str = "correct-horse";
    let scene = Scene::new("raw");
    scene.source.play(&format!("e data {PASSPHRASE}\nw data one 512K\nw data \"two 2\" 64K\n@ data s1"));
    replicate(&scene, &[]).expect(0);
    scene.source.play("w data three 256K\nx data one\n@ data s2\nu data\nl data");
    replicate(&scene, &[]).expect(0);
    assert_eq!(scene.source.property("data", "keystatus"), "unavailable");
    assert_locked(&scene.target, "copy");
    assert_eq!(scene.target.snapshots("copy"), scene.source.snapshots("data"));

    let Scene { source, target } = scene;
    let back = Scene { source: target, target: Side::new(hosts().0, "raw-back") };
    for _ in 0..2 {
        replicate_as(&back, "root", ("copy", "back"), &["--no-snapshot"]).expect(0);
    }
    assert_locked(&back.target, "back");

    source.play(&format!("k data {PASSPHRASE}"));
    back.source.play(&format!("k copy {PASSPHRASE}"));
    back.target.play(&format!("k back {PASSPHRASE}"));
    assert_same((&source, "data"), (&back.source, "copy"));
    assert_same((&source, "data"), (&back.target, "back"));
}

fn assert_locked(side: &Side, dataset: &str) {
    assert_eq!(side.property(dataset, "keystatus"), "unavailable");
    assert_eq!(side.property(dataset, "encryption"), "aes-256-gcm");
    assert_eq!(side.property(dataset, "mounted"), "no");
}
