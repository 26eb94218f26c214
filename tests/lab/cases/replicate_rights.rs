//! `zerfaux replicate` by users who are not root: through sudo, and with rights delegated by `zfs allow`.

use std::collections::BTreeSet;

use crate::lab::{LabHost, Scene, assert_same, hosts};
use crate::zerfaux_cli::{address, ended, replicate_as, zerfaux};

#[test]
#[ignore = "needs the lab: tests/run"]
fn an_administrator_with_sudo_is_enough_on_either_side() {
    let scene = Scene::new("sudo");
    scene.source.play("+ data\nw data one 128K\n@ data s1");
    for (here, there) in [("zfsadmin", "root"), ("root", "zfsadmin")] {
        scene.source.play(&format!("w data {here} 64K"));
        let mut run = zerfaux();
        run.arg("replicate").arg("--identity").arg(&scene.source.host.key);
        run.arg("--known-hosts").arg(&scene.source.host.known_hosts);
        run.args([address(&scene.source, here, "data"), address(&scene.target, there, "copy")]);
        ended(run.output().unwrap()).expect(0).says(&["through sudo", "as root", "verified"]);
    }
    assert_same((&scene.source, "data"), (&scene.target, "copy"));
    assert_eq!(scene.target.property("copy", "mounted"), "no");
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn the_rights_in_the_readme_are_enough_without_sudo() {
    let scene = Scene::new("allow");
    scene.source.play("+ data\nw data one 128K\n@ data s1");
    let user = User::new();
    let [source, destination] = readme_lists();
    user.allow(scene.source.host, &source.join(","), &scene.source.name("data"));
    user.allow(scene.target.host, &destination.join(","), &scene.target.name("."));
    let policies = ["--keep-source", "last=1", "--keep-destination", "last=1", "--json"];
    for round in 0..2 {
        scene.source.play(&format!("w data more{round} 64K"));
        let run = replicate_as(&scene, &user.name, ("data", "deep/copy"), &policies).expect(0);
        assert!(run.console().iter().any(|line| line.contains("with delegated permissions")), "{run:?}");
        assert_eq!(run.json().last().unwrap()["warnings"], serde_json::json!([]));
        if round == 1 {
            let result = run.result();
            let destroyed = (&result["destroyed_at_source"], &result["destroyed_at_destination"]);
            assert_eq!(destroyed, (&1.into(), &1.into()), "{result}");
        }
    }
    assert_same((&scene.source, "data"), (&scene.target, "deep/copy"));
    for (property, wanted) in [("readonly", "on"), ("canmount", "noauto"), ("mounted", "no")] {
        assert_eq!(scene.target.property("deep/copy", property), wanted, "{property}");
    }
}

/// Somebody who knows nothing runs it, does what the message says, and runs it again.
#[test]
#[ignore = "needs the lab: tests/run"]
fn whoever_does_what_the_messages_say_gets_there_with_no_more_rights_than_the_readme_lists() {
    let scene = Scene::new("advice");
    scene.source.play("+ data\nw data one 64K\n@ data s1");
    let user = User::new();
    let mut done: Vec<String> = Vec::new();
    loop {
        let run = replicate_as(&scene, &user.name, ("data", "copy"), &[]);
        let Some(advice) = advised(&run.stderr) else {
            run.expect(0);
            break;
        };
        assert!(!done.contains(&advice), "{advice:?} was done and did not help: {run:#?}\nbefore: {done:#?}");
        assert!(done.len() < 20, "it never ends: {done:#?}");
        let host = if advice.contains("-src-") { scene.source.host } else { scene.target.host };
        host.root(&advice);
        done.push(advice);
    }
    let listed: BTreeSet<String> = readme_lists().concat().into_iter().collect();
    let granted: Vec<&str> =
        done.iter().flat_map(|line| line.split(' ').nth(4).unwrap().split(',')).collect();
    assert!(done.len() >= 2, "{done:?}");
    for right in granted {
        assert!(listed.contains(right), "{right} is not in the README's lists; asked for in {done:#?}");
    }
    assert_same((&scene.source, "data"), (&scene.target, "copy"));
}

/// The `zfs allow …` that a message names.
fn advised(text: &str) -> Option<String> {
    let begin = text.find("zfs allow -u ")?;
    let words: Vec<&str> = text[begin..].split_whitespace().take(6).collect();
    Some(words.join(" ").trim_end_matches(['.', ',']).to_owned())
}

/// What the README says that a delegated user needs: at the source, at the destination.
fn readme_lists() -> [Vec<String>; 2] {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let lines = readme.lines().filter_map(|line| line.strip_prefix("zfs allow -u zfsadmin "));
    let lists: Vec<Vec<String>> =
        lines.map(|line| line.split(' ').next().unwrap().split(',').map(str::to_owned).collect()).collect();
    lists.try_into().expect("two lists in the README")
}

/// A user on both hosts who may log in and nothing else; goes away with this value.
struct User {
    name: String,
}

impl User {
    fn new() -> Self {
        let name = format!("zx{}", std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() % 1_000_000_000_000);
        // The lab's key opens every user of a host.
        let script = format!("useradd -m -s /bin/sh {name}; usermod -p '*' {name}");
        let user = Self { name };
        let (a, b) = hosts();
        for host in [a, b] {
            host.root(&script);
        }
        user
    }

    fn allow(&self, host: &LabHost, rights: &str, dataset: &str) {
        host.root(&format!("zfs allow -u {} {rights} {dataset}", self.name));
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let (a, b) = hosts();
        for host in [a, b] {
            let script = format!(
                "for try in 1 2 3; do userdel -f -r {} 2>/dev/null && break; sleep 1; done",
                self.name
            );
            host.try_as("root", &script);
        }
    }
}
