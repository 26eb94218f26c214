//! Small streams of many datasets in one pipe: real `zfs receive` takes its own stream and leaves the rest.

use crate::lab::{Scene, assert_same};
use crate::zerfaux_cli::replicate;

const CHILDREN: [&str; 5] = ["data", "data/one", "data/one/deep", "data/two", "data/three"];

fn place(dataset: &str) -> String {
    dataset.replacen("data", "copy", 1)
}

fn tree(case: &str) -> Scene {
    let scene = Scene::new(case);
    let lines: String =
        CHILDREN.iter().map(|dataset| format!("+ {dataset}\nw {dataset} first 64K\n")).collect();
    scene.source.play(&format!("{lines}v data/vol 8M\nd data/vol 256K"));
    replicate(&scene, &["--recursive"]).expect(0);
    let lines: String = CHILDREN.iter().map(|dataset| format!("w {dataset} second 96K\n")).collect();
    scene.source.play(&format!("{lines}d data/vol 512K"));
    scene
}

fn assert_all_the_same(scene: &Scene) {
    for dataset in CHILDREN {
        assert_same((&scene.source, dataset), (&scene.target, &place(dataset)));
        assert_eq!(scene.source.tags(dataset), scene.target.tags(&place(dataset)), "{dataset}");
        assert_eq!(scene.target.property(&place(dataset), "mounted"), "no", "{dataset}");
    }
    assert_eq!(scene.source.snapshots("data/vol"), scene.target.snapshots("copy/vol"));
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn what_is_new_in_a_tree_goes_in_few_streams_and_arrives_as_if_sent_one_by_one() {
    let scene = tree("together");
    let run = replicate(&scene, &["--recursive", "--json"]).expect(0);
    assert_eq!(run.result()["streams"].as_u64(), Some(6), "{}", run.result());
    assert!(run.console().join("\n").contains("6 of 6 arrived together"), "{:?}", run.console());
    assert_all_the_same(&scene);
    replicate(&scene, &["--recursive", "--no-snapshot"]).expect(0).says(&["nothing new to send"]);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn where_one_of_them_has_no_room_the_others_arrive_and_the_run_says_which() {
    let scene = tree("together-full");
    let narrow = scene.target.name("copy/two");
    // `zfs get` without -p rounds down, and a quota below what is used is refused.
    let used: u64 =
        scene.target.host.root(&format!("zfs get -Hpo value used {narrow}")).trim().parse().unwrap();
    scene.target.host.root(&format!("zfs set quota={} {narrow}", used + 16 * 1024));
    let said = replicate(&scene, &["--recursive"]).expect(1);
    said.says(&["quota", "two"]);
    scene.target.host.root(&format!("zfs set quota=none {narrow}"));
    replicate(&scene, &["--recursive"]).expect(0);
    assert_all_the_same(&scene);
}
