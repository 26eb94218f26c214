//! `zerfaux replicate` between two simulated appliances: the real binary, real SSH, real bytes.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/appliances.rs"]
#[allow(dead_code)]
mod appliances;

use std::process::Command;

use appliances::Two;
use serde_json::Value;
use zerfaux::sim::appliance::FaultRule;

struct Ended {
    status: i32,
    stdout: String,
    stderr: String,
}

fn run(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ended {
    #[track_caller]
    fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, status, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    fn result(&self) -> Value {
        let last: Value = serde_json::from_str(self.stdout.lines().last().unwrap()).unwrap();
        assert_eq!(last["event"], "result", "{last}");
        last["result"].clone()
    }
}

/// Every snapshot that both have holds the same files; there is at least one.
#[track_caller]
fn assert_same(two: &Two, from: &str, to: &str) {
    let tags = two.target.tags(&format!("dst/{to}"));
    assert!(!tags.is_empty());
    for tag in tags {
        let here = two.source.files(&format!("src/{from}@{tag}"));
        assert!(!here.is_empty(), "@{tag} is not at the source");
        assert!(here == two.target.files(&format!("dst/{to}@{tag}")), "other files in @{tag}");
    }
}

fn two_with_data() -> Two {
    let two = Two::new();
    two.source.root("zfs create src/a");
    two.source.fill("src/a", "docs/one", 2 << 20, 1);
    two
}

#[test]
fn first_then_increments_then_nothing_new() {
    let two = two_with_data();
    two.source.root("zfs snapshot src/a@by-hand");
    two.source.fill("src/a", "docs/two", 300_000, 2);
    let first = run(two.replicate(("a", "backup/b"), &["--json"])).expect(0).result();
    assert_eq!(first["streams"], 2, "the oldest snapshot, then the rest: {first}");
    assert_same(&two, "a", "backup/b");
    let tags = two.target.tags("dst/backup/b");
    assert!(tags.len() == 2 && tags[0] == "by-hand" && tags[1].starts_with("zx-"), "{tags:?}");
    let text = two.target.root(
        "zfs get -Hp -o property,value,source readonly,canmount,sharenfs,mounted dst/backup/b; zfs get -H -o value canmount dst/backup",
    );
    assert_eq!(
        text,
        "readonly\ton\tlocal\ncanmount\tnoauto\tlocal\nsharenfs\toff\tlocal\nmounted\tno\t-\noff\n"
    );

    two.source.fill("src/a", "docs/three", 100_000, 3);
    two.source.root("rm /src/a/docs/two");
    let second = run(two.replicate(("a", "backup/b"), &["--json"])).expect(0).result();
    assert!(second["bytes"].as_u64().unwrap() < 300_000, "only what is new: {second}");
    assert_same(&two, "a", "backup/b");
    assert_eq!(two.target.tags("dst/backup/b").len(), 3);

    let nothing = run(two.replicate(("a", "backup/b"), &["--no-snapshot"])).expect(0);
    assert!(nothing.stdout.contains("nothing new to send, verified"), "{}", nothing.stdout);
}

/// A tree of five datasets that has been replicated, each with something new since.
fn tree_with_news() -> Two {
    let two = two_with_data();
    two.source.root(
        "zfs create src/a/one; zfs create src/a/one/deep; zfs create src/a/two; zfs create src/a/three",
    );
    for (seed, dataset) in ["", "/one", "/one/deep", "/two", "/three"].iter().enumerate() {
        two.source.fill(&format!("src/a{dataset}"), "old", 50_000, 20 + seed as u64);
    }
    run(two.replicate(("a", "b"), &["--recursive"])).expect(0);
    for (seed, dataset) in ["", "/one", "/one/deep", "/two", "/three"].iter().enumerate() {
        two.source.fill(&format!("src/a{dataset}"), "new", 50_000, 10 + seed as u64);
    }
    two
}

fn assert_tree_arrived(two: &Two) {
    for dataset in ["", "/one", "/one/deep", "/two", "/three"] {
        assert_same(two, &format!("a{dataset}"), &format!("b{dataset}"));
        let (here, there) =
            (two.source.tags(&format!("src/a{dataset}")), two.target.tags(&format!("dst/b{dataset}")));
        assert_eq!(here, there);
    }
}

/// A tree's news cost a few commands, however many datasets it has.
#[test]
fn what_is_new_in_a_tree_goes_together() {
    let two = tree_with_news();
    let ended = run(two.replicate(("a", "b"), &["--recursive", "--json"])).expect(0);
    assert_eq!(ended.result()["streams"], 5, "{}", ended.stdout);
    assert!(ended.stdout.contains("5 of 5 arrived together"), "{}", ended.stdout);
    assert_tree_arrived(&two);
}

#[test]
fn what_broke_off_in_a_batch_goes_one_by_one() {
    let two = tree_with_news();
    two.target.add_fault(FaultRule {
        command: "zfs receive*dst/b/one/deep".to_owned(),
        cut_stdin: Some(20_000),
        count: Some(1),
        ..FaultRule::default()
    });
    let ended = run(two.replicate(("a", "b"), &["--recursive", "--json"])).expect(0);
    assert_eq!(two.target.faults_struck(), 1);
    assert!(ended.stdout.contains("goes one by one"), "{}", ended.stdout);
    assert_tree_arrived(&two);
}

#[test]
fn a_stream_that_is_cut_is_resumed_where_it_broke() {
    for (command, from_sender) in [("zfs send -", true), ("zfs receive", false)] {
        let two = two_with_data();
        two.source.root("zfs snapshot src/a@s1");
        let mut rule = FaultRule { command: command.to_owned(), count: Some(1), ..FaultRule::default() };
        if from_sender {
            // The estimates and the look at a token are sends, too, but they carry nothing.
            rule.command = "zfs send -L".to_owned();
            rule.cut_stdout = Some(1_000_000);
            two.source.add_fault(rule);
        } else {
            rule.cut_stdin = Some(1_000_000);
            two.target.add_fault(rule);
        }
        let ended = run(two.replicate(("a", "b"), &["--no-snapshot", "--json"])).expect(0);
        let struck = two.source.faults_struck() + two.target.faults_struck();
        assert_eq!(struck, 1);
        let result = ended.result();
        assert_eq!(result["resumed"], 1, "{command}: {}", ended.stdout);
        assert_same(&two, "a", "b");
        assert!(two.source.commands().iter().any(|line| line.starts_with("zfs send -t 1-")));
    }
}

#[test]
fn a_destination_that_went_its_own_way_is_a_conflict_and_nothing_is_changed() {
    let two = two_with_data();
    run(two.replicate(("a", "b"), &[])).expect(0);
    two.target.root(
        "zfs set readonly=off dst/b; zfs mount dst/b; echo mine > /dst/b/mine; zfs snapshot dst/b@mine",
    );
    let before = two.target.root("zfs list -Hpr -t all -o name,guid,used dst");
    two.source.fill("src/a", "docs/two", 100_000, 2);
    let refused = run(two.replicate(("a", "b"), &[])).expect(3);
    assert!(
        refused.stderr.contains("--on-conflict") || refused.stderr.contains("keep"),
        "{}",
        refused.stderr
    );
    assert_eq!(two.target.root("zfs list -Hpr -t all -o name,guid,used dst"), before);

    run(two.replicate(("a", "b"), &["--on-conflict", "keep-and-continue"])).expect(0);
    assert_same(&two, "a", "b");
    let kept = two.target.root("zfs list -H -o name -r dst");
    let aside = kept.lines().find(|name| name.starts_with("dst/b") && *name != "dst/b").unwrap();
    assert_eq!(
        two.target.files(aside)["mine"].as_deref(),
        Some(&b"mine\n"[..]),
        "what was there is kept aside"
    );
}

#[test]
fn retention_lets_go_of_old_snapshots_and_keeps_what_others_made() {
    let two = two_with_data();
    two.source.root("zfs snapshot src/a@by-hand");
    for seed in 2..6 {
        two.source.fill("src/a", "docs/changing", 50_000, seed);
        run(two.replicate(("a", "b"), &["--keep-source", "last=1", "--keep-destination", "last=2"]))
            .expect(0);
    }
    let (here, there) = (two.source.tags("src/a"), two.target.tags("dst/b"));
    assert_eq!((here.len(), here[0].as_str()), (2, "by-hand"), "{here:?}");
    assert_eq!((there.len(), there[0].as_str()), (3, "by-hand"), "{there:?}");
    assert_eq!(here[1], there[2]);
    assert_same_newest(&two);
}

#[track_caller]
fn assert_same_newest(two: &Two) {
    let tag = two.source.tags("src/a").pop().unwrap();
    assert!(two.source.files(&format!("src/a@{tag}")) == two.target.files(&format!("dst/b@{tag}")));
}

#[test]
fn a_tree_with_a_volume_arrives_whole() {
    let two = two_with_data();
    two.source.root("zfs create 'src/a/with space'; zfs create -s -V 1M src/a/disk");
    two.source.fill("src/a/disk", "", 200_000, 7);
    run(two.replicate(("a", "b"), &["-r"])).expect(0);
    for child in ["", "/with space", "/disk"] {
        let tag = two.source.tags(&format!("src/a{child}")).pop().unwrap();
        let here = two.source.files(&format!("src/a{child}@{tag}"));
        assert!(here == two.target.files(&format!("dst/b{child}@{tag}")), "{child}");
    }
    assert_eq!(two.target.root("zfs get -H -o value type,volsize dst/b/disk"), "volume\n1M\n");
}
