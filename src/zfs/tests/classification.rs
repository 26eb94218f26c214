//! Every complaint that was recorded on a real host is recognised.

use std::collections::BTreeMap;

use super::super::{Complaint, classify, properties_not_received};
use super::Golden;

/// What each recording that failed complains of.
fn expected() -> BTreeMap<&'static str, Complaint> {
    use Complaint::*;
    let missing = |name: &str| DatasetMissing(Some(name.to_owned()));
    BTreeMap::from([
        ("abort-again", missing("zxgold/dst/rawcut")),
        ("abort-nothing", NothingToAbort),
        ("bad-name", missing("zxgold/a b%c")),
        ("bookmark-again", AlreadyExists),
        ("bookmark-missing", missing("zxgold/a@nosuch")),
        ("bookmark-other", AlreadyExists),
        ("clone-exists", AlreadyExists),
        ("clone-missing", missing("zxgold/a@nosuch")),
        ("create-exists", AlreadyExists),
        ("create-no-pool", PoolMissing(Some("nosuchpool".to_owned()))),
        ("create-pool-full", NoSpace),
        ("create-suspended", PoolSuspended),
        ("destroy-bookmark-missing", missing("zxgold/a#nosuch")),
        ("destroy-clone", HasClones(vec!["zxgold/dclone".to_owned()])),
        ("destroy-clones-and-held", HasClones(vec!["zxgold/clone".to_owned(), "zxgold/clone2".to_owned()])),
        ("destroy-dataset-children", HasChildren),
        ("destroy-dataset-only-snapshots", HasChildren),
        ("destroy-dataset-snapshots", HasChildren),
        ("destroy-held", HasHolds),
        ("destroy-missing", DatasetMissing(None)),
        ("destroy-missing-dataset", missing("zxgold/nosuch")),
        ("destroy-several-missing", DatasetMissing(None)),
        ("destroy-several-one-clone", HasClones(vec!["zxgold/dclone".to_owned()])),
        ("destroy-under-partial", HasClones(vec!["zxgold/dst/twice/%recv".to_owned()])),
        ("device-forbidden", PermissionDenied),
        ("device-missing", ModuleNotLoaded),
        ("get-missing", missing("zxgold/nosuch")),
        ("hold-again", HoldExists),
        ("hold-missing", missing("zxgold/a@nosuch")),
        ("hold-some-again", HoldExists),
        ("holds-missing", missing("zxgold/a@nosuch")),
        ("holds-some-missing", missing("zxgold/a@nosuch")),
        ("inspect", missing("zxgold/a@nosuch")),
        ("list-depth-1", missing("zxgold/nosuch")),
        ("list-missing", missing("zxgold/nosuch")),
        ("list-missing-pool", missing("nosuchpool")),
        ("list-suspended", PoolSuspended),
        ("load-key-again", KeyLoaded),
        ("load-key-not-root", NotAnEncryptionRoot),
        ("load-key-unencrypted", NotAnEncryptionRoot),
        ("load-key-wrong", KeyWrong),
        ("module-missing", ModuleNotLoaded),
        ("mount-again", AlreadyMounted),
        ("mount-canmount-off", NotMountable),
        ("mount-locked", KeyUnavailable),
        ("mount-volume", WrongKind),
        ("no-command", CommandNotFound),
        ("no-command-sh", CommandNotFound),
        ("no-command-shell", CommandNotFound),
        ("plain-abort", NothingToAbort),
        ("plain-bookmark", PermissionDenied),
        ("plain-clone", PermissionDenied),
        ("plain-create", PermissionDenied),
        ("plain-destroy", PermissionDenied),
        ("plain-hold", PermissionDenied),
        ("plain-load-key", PermissionDenied),
        ("plain-promote", PermissionDenied),
        ("plain-receive", PermissionDenied),
        ("plain-release", PermissionDenied),
        ("plain-rename", PermissionDenied),
        ("plain-send", PermissionDenied),
        ("plain-set", PermissionDenied),
        ("plain-snapshot", PermissionDenied),
        ("pool-get-missing", PoolMissing(None)),
        ("pool-status-missing", PoolMissing(Some("nosuchpool".to_owned()))),
        ("promote-conflict", PromoteConflict(Some("s1".to_owned()))),
        ("promote-not-clone", NotAClone),
        ("receive-base-mismatch", NotTheBase),
        ("receive-busy", PartialInTheWay),
        ("receive-cut-first", ResumeStateLeft(None)),
        ("receive-cut-incremental", ResumeStateLeft(None)),
        ("receive-cut-not-resumable", StreamIncomplete),
        ("receive-cut-raw", ResumeStateLeft(None)),
        ("receive-exists", DestinationExists),
        ("receive-exists-empty", DestinationExists),
        ("receive-full-over-partial", DestinationExists),
        ("receive-garbage", NotAStream),
        ("receive-modified", DestinationModified),
        ("receive-newer-snapshot", DestinationModified),
        ("receive-no-base-dataset", missing("zxgold/dst/none")),
        ("receive-no-parent", missing("zxgold/nope/deeper")),
        ("receive-no-pool", missing("nosuchpool")),
        ("receive-no-space", QuotaExceeded),
        ("receive-nothing", NotAStream),
        ("receive-over-partial", PartialInTheWay),
        ("receive-plain-into-raw", KeyUnavailable),
        ("receive-plain-into-raw-2", KeyUnavailable),
        ("receive-pool-full", NoSpace),
        ("receive-raw-after-plain", EncryptionMismatch),
        ("receive-raw-into-plain", EncryptionMismatch),
        ("receive-raw-set-encryption", BadProperty),
        ("receive-raw-x-encryption", BadProperty),
        ("receive-suspended", NotAStream),
        ("receive-under-locked", KeyUnavailable),
        ("receive-volume-over-fs", DestinationExists),
        ("receive-wrong-resume", TokenMismatch),
        ("release-absent", HoldMissing),
        ("release-missing", missing("zxgold/a@nosuch")),
        ("rename-busy", Busy),
        ("rename-exists", AlreadyExists),
        ("rename-missing", missing("zxgold/nosuch")),
        ("rename-no-parent", DatasetMissing(None)),
        ("send-base-missing", missing("zxgold/a@nosuch")),
        ("send-bookmark-intermediate", Unrecognised),
        ("send-bookmark-missing", IncrementalSourceMissing(Some("zxgold/a#nosuch".to_owned()))),
        ("send-io-error", PoolSuspended),
        ("send-key-unavailable", KeyUnavailable),
        ("send-missing", missing("zxgold/a@nosuch")),
        ("send-missing-dataset", missing("zxgold/nosuch@s1")),
        ("send-missing-pool", missing("nosuchpool/x@s1")),
        ("send-wrong-order", NotAnEarlierSnapshot),
        ("set-bad", BadProperty),
        ("set-missing", missing("zxgold/nosuch")),
        ("snapshot-exists", AlreadyExists),
        ("snapshot-missing", missing("zxgold/nosuch")),
        ("snapshot-pool-full", NoSpace),
        ("snapshot-some-exist", AlreadyExists),
        ("snapshot-suspended", PoolSuspended),
        ("snapshot-twice-one-fs", Unrecognised),
        ("sudo-password", SudoPassword),
        ("sudo-refused", SudoPassword),
        ("token-base-gone", TokenStale),
        ("token-garbage", TokenCorrupt),
        ("token-garbage-2", TokenCorrupt),
        ("token-target-gone", TokenStale),
        ("unload-key-again", KeyNotLoaded),
        ("unload-key-busy", Busy),
        ("unmount-again", NotMounted),
        ("unmount-busy", Busy),
        ("unmount-volume", WrongKind),
        ("volume-receive-fs-props", WrongKind),
    ])
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
fn texts_that_are_hard_to_provoke_and_those_of_other_releases_are_recognised() {
    let known = [
        (
            "cannot receive resume stream: incompatible embedded data stream feature with encrypted receive.",
            Complaint::TokenMismatch,
        ),
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
