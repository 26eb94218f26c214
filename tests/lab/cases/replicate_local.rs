//! `zerfaux replicate` with a dataset of the very host that it runs on: the binary is copied onto host a.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crate::lab::{Answer, LabHost, Scene, assert_same};
use crate::zerfaux_cli::BINARY;

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_local_dataset_is_replicated_within_its_own_host() {
    let scene = Scene::new("local");
    let side = &scene.source;
    side.play("+ data\nw data one 512K\n@ data s1\nw data two 64K");
    let run = || on_host(side.host, &format!("replicate {} {}", side.name("data"), side.name("copy")));
    let first = succeeded(run());
    assert!(first.contains(&format!("{} → {}: ", side.name("data"), side.name("copy"))), "{first}");
    assert!(first.contains("in 2 streams, verified"), "{first}");
    side.play("w data three 64K");
    assert!(succeeded(run()).contains("in 1 stream, verified"));
    assert_same((side, "data"), (side, "copy"));
    assert_eq!(
        (side.property("copy", "mounted"), side.property("copy", "readonly")),
        ("no".into(), "on".into())
    );
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_local_dataset_is_sent_to_a_host_that_is_not_known_yet_and_fetched_back() {
    let scene = Scene::new("push");
    let (side, other) = (&scene.source, &scene.target);
    side.play("+ data\nw data one 512K\n@ data s1");
    let place = Place::new(side.host);
    let (key, known) = (format!("{}/key", place.0), format!("{}/known_hosts", place.0));
    let far = format!("ssh://root@{}/{}", other.host.lab_address, other.name("copy"));
    let replicate = |options: &str, from: &str, to: &str| {
        let keys = format!("--identity {key} --known-hosts {known}");
        on_host(side.host, &format!("replicate {keys} {options} {from} {to}"))
    };

    let stranger = replicate("", &side.name("data"), &far);
    assert_eq!(stranger.status, 1, "{}", stranger.stderr);
    let fingerprint = other.host.root("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
    let fingerprint = fingerprint.split(' ').nth(1).unwrap();
    for needle in [fingerprint, "--accept-new-host-keys"] {
        assert!(stranger.stderr.contains(needle), "{needle:?} is not in {}", stranger.stderr);
    }
    assert!(!other.exists("copy") && side.tags("data") == ["s1"], "nothing was done before that was settled");

    succeeded(replicate("--accept-new-host-keys", &side.name("data"), &far));
    assert_same((side, "data"), (other, "copy"));
    let lines = side.host.root(&format!("cat {known}"));
    assert!(lines.lines().count() == 1 && lines.starts_with(&other.host.lab_address), "{lines}");

    let again = succeeded(replicate("--no-snapshot", &side.name("data"), &far));
    assert!(again.contains("nothing new to send"), "{again}");
    succeeded(replicate("--no-snapshot", &far, &side.name("fetched")));
    assert_same((other, "copy"), (side, "fetched"));
}

fn succeeded(answer: Answer) -> String {
    assert_eq!(answer.status, 0, "{}", answer.stderr);
    String::from_utf8(answer.stdout).unwrap()
}

/// Runs `zerfaux` with these words on the host itself, as root.
fn on_host(host: &LabHost, words: &str) -> Answer {
    let place = installed(host);
    // By the loader and libraries that were copied with it: this machine may have newer ones than the host.
    host.try_as("root", &format!("cd /; {place}/ld.so --library-path {place} {place}/zerfaux {words}"))
}

/// Where the binary under test lies on host a, with its libraries: copied once, and kept for later runs.
fn installed(host: &LabHost) -> &'static str {
    static PLACE: OnceLock<String> = OnceLock::new();
    PLACE.get_or_init(|| {
        let bundle = bundle();
        let hash = shell(&format!("cat {}/* | sha256sum | cut -c 1-16", bundle.path().display()));
        let place = format!("/var/tmp/zerfaux-{}", hash.trim());
        let old = "find /var/tmp -maxdepth 1 -name 'zerfaux-*' -mmin +300 -exec rm -rf {} +";
        if host.try_as("root", &format!("{old}; test -e {place}/whole")).status != 0 {
            let archive = shell(&format!(
                "f=$(mktemp); tar -C {} -cf - . | gzip -1 >$f; echo $f",
                bundle.path().display()
            ));
            let unpack = format!("set -e; mkdir -p {place}; tar -C {place} -xzf -; touch {place}/whole");
            let mut ssh = host.ssh_alone("root");
            let copied =
                ssh.arg(unpack).stdin(std::fs::File::open(archive.trim()).unwrap()).status().unwrap();
            std::fs::remove_file(archive.trim()).unwrap();
            assert!(copied.success(), "the binary could not be copied");
        }
        place
    })
}

/// The binary without what only a debugger reads, the loader, and the libraries.
fn bundle() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().display();
    shell(&format!(
        "set -e; strip -o {to}/zerfaux {BINARY}
         ldd {BINARY} | while read -r first arrow path address; do
           case $first in
             /*ld-linux*) cp -L $first {to}/ld.so ;;
             *) case $path in /*) cp -L $path {to}/$first ;; esac ;;
           esac
         done"
    ));
    assert!(Path::new(&format!("{to}/ld.so")).exists(), "the loader was not found with ldd");
    directory
}

fn shell(script: &str) -> String {
    let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A directory on a host with the key that opens the other one; goes away with this value.
struct Place(String, &'static LabHost);

impl Place {
    fn new(host: &'static LabHost) -> Self {
        let place = host.root("mktemp -d /run/zerfaux-XXXXXX").trim().to_owned();
        let key = std::fs::read_to_string(&host.key).unwrap();
        host.root(&format!("umask 077; printf '%s' '{key}' >{place}/key"));
        Self(place, host)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.1.try_as("root", &format!("rm -r {}", self.0));
    }
}
