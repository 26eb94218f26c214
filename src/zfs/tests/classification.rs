//! Every complaint that was recorded on a real host is recognised.

use std::collections::BTreeMap;

use super::super::complaint::{Complaint, classify, properties_not_received};
use super::Golden;

/// What each recording that failed complains of.
fn expected() -> BTreeMap<&'static str, Complaint> {
    use Complaint::*;
    let missing = |name: &str| DatasetMissing(Some(name.to_owned()));
    BTreeMap::from([("abort-again", missing("zxgold/dst/rawcut")), ("abort-nothing", NothingToAbort)])
}

/// Every recording, by name.
fn recordings() -> BTreeMap<String, Golden> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/zfs-2.3.2");
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the recordings are there") {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            all.insert(name, Golden::read(&std::fs::read_to_string(&path).unwrap()));
        }
    }
    all
}

#[test]
fn every_recorded_complaint_is_told_from_the_others() {
    let expected = expected();
    let recordings = recordings();
    let mut wrong = Vec::new();
    for (name, recording) in recordings.iter().filter(|(_, recording)| recording.exit != 0) {
        let complaint = classify(&recording.stderr);
        let same = match (expected.get(name.as_str()), &complaint) {
            // the token differs with every recording
            (Some(Complaint::ResumeStateLeft(_)), Complaint::ResumeStateLeft(token)) => token.is_some(),
            (Some(one), other) => one == other,
            (None, _) => false,
        };
        if !same {
            wrong.push(format!("(\"{name}\", {complaint:?}), // {}", recording.stderr.trim()));
        }
    }
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.join("\n"));
    for name in expected.keys() {
        assert!(recordings.contains_key(*name), "{name} was not recorded");
    }
}

#[test]
fn a_receive_that_succeeded_without_its_properties_is_noticed() {
    let refused = super::golden!("delegated-receive-props");
    assert_eq!(refused.exit, 0, "OpenZFS calls it a success");
    assert_eq!(properties_not_received(&refused.stderr), ["readonly", "canmount"]);
    assert!(properties_not_received(&super::golden!("receive-modified").stderr).is_empty());
}

#[test]
fn texts_of_other_releases_and_of_hosts_that_cannot_be_had_here_are_recognised() {
    let known = [
        ("cannot open 'tank': pool I/O is currently suspended", Complaint::PoolSuspended),
        (
            "cannot receive incremental stream: IV set guid missing. See errata 4 at",
            Complaint::EncryptionMismatch,
        ),
        (
            "cannot receive incremental stream: IV set guid mismatch. See the 'zfs receive' man page",
            Complaint::EncryptionMismatch,
        ),
        (
            "The ZFS modules are not loaded.\nTry running '/sbin/modprobe zfs' as root",
            Complaint::ModuleNotLoaded,
        ),
        ("Permission denied the ZFS utilities must be run as root.", Complaint::PermissionDenied),
        ("sudo: a terminal is required to read the password; either use the -S", Complaint::SudoPassword),
        ("zfs: command not found", Complaint::CommandNotFound),
        ("cannot receive new filesystem stream: out of space", Complaint::NoSpace),
        ("something nobody has seen", Complaint::Unrecognised),
        ("", Complaint::Unrecognised),
    ];
    for (text, complaint) in known {
        assert_eq!(classify(text), complaint, "{text}");
    }
}
