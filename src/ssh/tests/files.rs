//! `known_hosts` files.

use std::fs;
use std::path::PathBuf;

use crate::domain::endpoint::Endpoint;
use crate::ssh::{HostKey, HostKeyCheck, HostKeys, KeyPair, KnownHosts};

struct File {
    dir: tempfile::TempDir,
}

impl File {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("known_hosts"), text).unwrap();
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("known_hosts")
    }

    fn check(&self, endpoint: &str, key: &HostKey, accept_new: bool) -> HostKeyCheck {
        let endpoint = Endpoint::parse(endpoint, "me").unwrap();
        KnownHosts::new(vec![self.path()], accept_new).check(&endpoint, key)
    }

    fn knows(&self, endpoint: &str, key: &HostKey) -> bool {
        self.check(endpoint, key, false) == HostKeyCheck::Valid
    }
}

fn key() -> HostKey {
    HostKey::from_openssh(&KeyPair::generate().unwrap().public_key()).unwrap()
}

#[test]
fn names_patterns_ports_and_comments_mean_what_ssh_means() {
    let (a, line) = {
        let key = key();
        (key.clone(), key.to_openssh())
    };
    let file = File::new(&format!(
        "# comment\n\nnas1,nas2.example.org {line} and a comment\n*.lab,!bad.lab\t{line}\n[odd]:2222 {line}\nbroken line\nv6 {line}\n::1 {line}\n"
    ));
    for known in ["nas1", "NAS1", "nas2.example.org", "x.lab", "a.b.lab", "odd:2222", "[::1]:22"] {
        assert!(file.knows(known, &a), "{known}");
    }
    for unknown in ["nas", "nas11", "bad.lab", "lab", "odd", "odd:22", "nas1:2222", "comment"] {
        let check = file.check(unknown, &a, false);
        assert!(matches!(check, HostKeyCheck::Unknown { .. }), "{unknown}: {check:?}");
    }
}

#[test]
fn a_key_of_another_algorithm_is_a_change_where_one_is_on_file() {
    let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC5K9D2bvrOFEHibQFQo9/XuXBxyPspDVC2x7rcA6o/9Vgi2oQfy6evE+iBc0GCtwISb9xwtlmzITeqCncNFCSSq8mFno7xUE+xfGNl6xEKqgU0JzPL4x/RH9Ca9Gem7n7gMMvPSnu+uxFlb2OL9z3wrPF5SidaCSmVBoIFgs3zvw==";
    let file = File::new(&format!("nas {rsa}\n"));
    assert!(HostKey::from_openssh(rsa).is_some());
    assert!(matches!(file.check("nas", &key(), true), HostKeyCheck::Changed { .. }));
    let endpoint = Endpoint::parse("nas", "me").unwrap();
    assert_eq!(KnownHosts::new(vec![file.path()], false).algorithms(&endpoint), ["ssh-rsa"]);
}

#[test]
fn several_keys_may_be_on_file_and_a_revoked_one_never_counts() {
    let (old, new) = (key(), key());
    let both = format!("nas {}\nnas {}\n", old.to_openssh(), new.to_openssh());
    assert!(File::new(&both).knows("nas", &old) && File::new(&both).knows("nas", &new));
    let revoked = File::new(&format!("{both}@revoked * {}\n", old.to_openssh()));
    assert!(matches!(revoked.check("nas", &old, true), HostKeyCheck::Changed { .. }));
    assert!(revoked.knows("nas", &new));
    let authority = File::new(&format!("@cert-authority * {}\n", old.to_openssh()));
    assert!(matches!(authority.check("nas", &old, false), HostKeyCheck::Unknown { .. }));
}

#[test]
fn a_new_host_is_appended_after_an_unfinished_line_and_the_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let key = key();
    let file = File::new("# no newline at the end");
    assert_eq!(file.check("[::1]:2222", &key, true), HostKeyCheck::Valid);
    assert_eq!(file.check("[::1]:2222", &key, true), HostKeyCheck::Valid);
    let text = fs::read_to_string(file.path()).unwrap();
    assert_eq!(text, format!("# no newline at the end\n[::1]:2222 {}\n", key.to_openssh()));

    fs::remove_file(file.path()).unwrap();
    assert_eq!(file.check("nas", &key, true), HostKeyCheck::Valid);
    assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_cannot_be_read_or_written_decides_nothing() {
    let file = File::new("");
    fs::remove_file(file.path()).unwrap();
    fs::create_dir(file.path()).unwrap();
    assert!(matches!(file.check("nas", &key(), true), HostKeyCheck::Undecidable { .. }));
    let nowhere = KnownHosts::new(Vec::new(), true);
    let endpoint = Endpoint::parse("nas", "me").unwrap();
    assert!(matches!(nowhere.check(&endpoint, &key()), HostKeyCheck::Undecidable { .. }));
}
