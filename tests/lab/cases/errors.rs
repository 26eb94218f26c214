//! What a person reads who has mistyped something or meets a stranger: what was attempted, on what, what to do.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::witness::Witness;
use crate::lab::Scene;
use crate::zerfaux_cli::{BINARY, Ended, address, ended, replicate_as};

/// A directory of this case's own.
struct Place(PathBuf);

impl Place {
    fn new(case: &str) -> Self {
        let path = std::env::temp_dir().join(format!("zlab-errors-{}-{case}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn scene(case: &str) -> Scene {
    let scene = Scene::new(case);
    scene.source.play("+ data\nw data one 64K\n@ data s1");
    scene
}

/// `zerfaux replicate` with these addresses and files.
fn run(addresses: [&str; 2], identity: &Path, known_hosts: &Path, more: &[&str]) -> Ended {
    let mut command = Command::new(BINARY);
    command.arg("replicate").arg("--identity").arg(identity).arg("--known-hosts").arg(known_hosts);
    command.args(more).args(addresses).stdin(Stdio::null());
    command.env_remove("SSH_AUTH_SOCK").env_remove("ZERFAUX_DATA_DIR");
    ended(command.output().unwrap())
}

fn ends(scene: &Scene) -> [String; 2] {
    [address(&scene.source, "root", "data"), address(&scene.target, "root", "copy")]
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn an_unknown_host_key_is_shown_and_accepted_only_when_asked() {
    let (scene, place) = (scene("unknown-key"), Place::new("unknown"));
    let known = place.file("known_hosts", "");
    let [from, to] = ends(&scene);
    let key = &scene.source.host.key;
    let before = Witness::of(&scene);
    run([&from, &to], key, &known, &[]).expect(1).says(&[
        "the host key of root@",
        "is not known",
        "SHA256:",
        "Compare the fingerprint",
        "--accept-new-host-keys",
    ]);
    assert_eq!(std::fs::read_to_string(&known).unwrap(), "", "nothing is trusted by itself");
    before.sees_no_change(&scene);
    for _ in 0..2 {
        run([&from, &to], key, &known, &["--accept-new-host-keys"]).expect(0);
        let lines = std::fs::read_to_string(&known).unwrap();
        assert_eq!(lines.lines().count(), 2, "one line for each host, once: {lines}");
    }
    run([&from, &to], key, &known, &[]).expect(0);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_changed_host_key_is_refused_with_both_fingerprints_before_any_credential() {
    let (scene, place) = (scene("changed-key"), Place::new("changed"));
    let other = place.0.join("other");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&other)
        .status()
        .unwrap();
    assert!(made.success());
    let public = std::fs::read_to_string(other.with_extension("pub")).unwrap();
    let host = scene.source.host;
    let port = format!("]:{}", host.port);
    let on_file = std::fs::read_to_string(&host.known_hosts).unwrap();
    let others: String =
        on_file.lines().filter(|line| !line.contains(&port)).map(|line| format!("{line}\n")).collect();
    let lines = format!("[{}]:{} {public}{others}", host.address, host.port);
    let known = place.file("known_hosts", &lines);
    let print = |file: &Path| {
        let said = Command::new("ssh-keygen").arg("-lf").arg(file).output().unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        text.split_whitespace().nth(1).unwrap().to_owned()
    };
    let genuine = host.root("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
    let genuine = genuine.split_whitespace().nth(1).unwrap();
    let [from, to] = ends(&scene);
    let before = Witness::of(&scene);
    for options in [&[][..], &["--accept-new-host-keys"]] {
        run([&from, &to], &host.key, &known, options).expect(1).says(&[
            "the host key of root@",
            "has changed: expected",
            &print(&other.with_extension("pub")),
            "but it presented",
            genuine,
            "ssh-keygen -R",
        ]);
        assert_eq!(std::fs::read_to_string(&known).unwrap(), lines, "the file is as it was");
    }
    before.sees_no_change(&scene);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_key_that_opens_nothing_is_named() {
    let (scene, place) = (scene("wrong-key"), Place::new("wrong"));
    let key = place.0.join("stranger");
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status().unwrap();
    assert!(made.success());
    let [from, to] = ends(&scene);
    let known = &scene.source.host.known_hosts;
    run([&from, &to], &key, known, &[]).expect(1).says(&[
        "root@",
        "accepts none of the keys that were offered",
        "stranger",
        "authorized_keys of user root",
    ]);
    run([&from, &to], &place.0.join("nosuch"), known, &[]).expect(1).says(&["nosuch", "--identity"]);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn hosts_that_do_not_answer_are_told_apart() {
    let scene = scene("no-answer");
    let (key, known) = (&scene.source.host.key, &scene.source.host.known_hosts);
    let [_, to] = ends(&scene);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    run([&format!("ssh://root@127.0.0.1:{free}/tank/data"), &to], key, known, &[]).expect(1).says(&[
        &format!("could not connect to root@127.0.0.1:{free}"),
        "refused",
        &format!("listens on port {free}"),
    ]);
    run(["root@no-such-host.invalid:tank/data", &to], key, known, &[]).expect(1).says(&[
        "could not connect to root@no-such-host.invalid",
        "has no address",
        "Check the spelling",
    ]);
    run(["root@a b:tank/data", &to], key, known, &[]).expect(2).says(&["a b"]);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn datasets_and_pools_that_are_not_there_are_named() {
    let scene = scene("missing");
    let before = Witness::of(&scene);
    let missing = scene.source.name("nosuch");
    replicate_as(&scene, "root", ("nosuch", "copy"), &[])
        .expect(1)
        .says(&[&format!("There is no dataset {missing} on root@"), "zfs list -r lab"]);
    let host = scene.target.host;
    let elsewhere = format!("ssh://root@{}:{}/nopool/copy", host.address, host.port);
    let [from, to] = ends(&scene);
    run([&from, &elsewhere], &host.key, &host.known_hosts, &[])
        .expect(1)
        .says(&["There is no pool nopool on root@", "zpool list"]);
    let host = scene.source.host;
    let elsewhere = format!("ssh://root@{}:{}/nopool/data", host.address, host.port);
    run([&elsewhere, &to], &host.key, &host.known_hosts, &[]).expect(1).says(&["nopool", "zpool list"]);
    before.sees_no_change(&scene);
}
