//! Operations that may be repeated, and that refuse what is not ours.

use super::super::{
    Checkpoint, Complaint, Deed, Destroyed, HoldTag, KeptBecause, Outcome, Property, ResumeToken, ZfsError,
};
use super::{Golden, golden, says, scripted, silence};
use crate::domain::dataset::{Guid, Owner, Snapshot};
use crate::domain::exit::Exit;
use crate::domain::names::{DatasetName, SnapshotName};

fn name(text: &str) -> DatasetName {
    text.parse().unwrap()
}

fn snapshot_name(text: &str) -> SnapshotName {
    text.parse().unwrap()
}

fn failed(stderr: &str) -> Golden {
    Golden { exit: 1, stderr: stderr.to_owned(), ..silence() }
}

fn snapshot(tag: &str, guid: u64, owner: Owner) -> Snapshot {
    Snapshot {
        tag: tag.parse().unwrap(),
        guid: Guid(guid),
        createtxg: 1,
        created_at: jiff::Timestamp::UNIX_EPOCH,
        owner,
        holds: 0,
        used: 0,
        referenced: 0,
        written: 0,
        clones: vec![],
    }
}

fn ours() -> Owner {
    Owner::Zerfaux("g1".to_owned())
}

/// As `zfs get` prints what decides about a snapshot.
fn standing(tag: &str, guid: u64, holds: u64, clones: &str, group: &str) -> String {
    format!(
        "t/a@{tag}\tguid\t{guid}\t-\nt/a@{tag}\tuserrefs\t{holds}\t-\nt/a@{tag}\tclones\t{clones}\t-\n\
         t/a@{tag}\tzerfaux:group\t{group}\n"
    )
}

#[tokio::test]
async fn holds_releases_and_aborts_done_before_are_done() {
    let tag: HoldTag = "zerfaux:g1".parse().unwrap();
    let names = [snapshot_name("t/a@s1"), snapshot_name("t/a@s2")];
    let (zfs, script) = scripted(vec![
        ("hold", golden!("hold-some-again")),
        ("release", golden!("release-absent")),
        ("release", golden!("release-missing")),
        ("receive -A", golden!("abort-again")),
        ("receive -A", golden!("abort-nothing")),
        ("destroy", golden!("destroy-bookmark-missing")),
        ("unmount", golden!("unmount-again")),
        ("mount", golden!("mount-again")),
        ("unload-key", golden!("unload-key-again")),
        ("load-key", golden!("load-key-again")),
        ("promote", golden!("promote-not-clone")),
    ]);
    zfs.hold(&tag, &names).await.unwrap();
    zfs.release(&tag, &names).await.unwrap();
    zfs.release(&tag, &names).await.unwrap();
    zfs.abort_receive(&name("t/a")).await.unwrap();
    zfs.abort_receive(&name("t/a")).await.unwrap();
    zfs.destroy_bookmark(&"t/a#x".parse().unwrap()).await.unwrap();
    zfs.unmount(&name("t/a")).await.unwrap();
    zfs.mount(&name("t/a")).await.unwrap();
    zfs.unload_key(&name("t/a")).await.unwrap();
    zfs.load_key(&name("t/a"), &b"key".to_vec().into()).await.unwrap();
    zfs.promote(&name("t/a")).await.unwrap();
    assert!(script.is_used_up());
    assert_eq!(script.asked()[0], "zfs hold zerfaux:g1 t/a@s1 t/a@s2");
}

#[tokio::test]
async fn one_real_complaint_among_harmless_ones_is_an_error() {
    let tag: HoldTag = "zerfaux:g1".parse().unwrap();
    let both = golden!("hold-again").stderr + &golden!("hold-missing").stderr;
    let (zfs, _) = scripted(vec![("hold", failed(&both))]);
    let error = zfs.hold(&tag, &[snapshot_name("t/a@s1"), snapshot_name("t/a@s2")]).await.unwrap_err();
    assert!(matches!(error, ZfsError::Refused { .. }));
    let (zfs, _) = scripted(vec![("hold", failed(""))]);
    assert!(zfs.hold(&tag, &[snapshot_name("t/a@s1")]).await.is_err(), "silence is no success");
}

#[tokio::test]
async fn holds_of_missing_snapshots_are_none_and_tags_may_hold_spaces() {
    let (zfs, _) =
        scripted(vec![("holds", golden!("holds-some-missing")), ("holds", golden!("holds-missing"))]);
    let names = [snapshot_name("zxgold/a@s1"), snapshot_name("zxgold/a@nosuch")];
    let holds = zfs.holds(&names).await.unwrap();
    let tags: Vec<&str> = holds.iter().map(|hold| hold.tag.as_str()).collect();
    assert_eq!(tags, ["some body", "zerfaux:g1"]);
    assert_eq!(zfs.holds(&names[1..]).await.unwrap(), []);
}

#[tokio::test]
async fn a_bookmark_of_the_same_snapshot_is_taken_for_it_and_another_is_refused() {
    let same = "t/a@s1\t7\nt/a#s1\t7\n";
    let other = "t/a@s1\t7\nt/a#s1\t8\n";
    let (snapshot, bookmark) = (snapshot_name("t/a@s1"), "t/a#s1".parse().unwrap());
    let (zfs, _) = scripted(vec![("bookmark", golden!("bookmark-again")), ("guid", says(same))]);
    zfs.bookmark(&snapshot, &bookmark).await.unwrap();
    let (zfs, _) = scripted(vec![("bookmark", golden!("bookmark-other")), ("guid", says(other))]);
    let error = zfs.bookmark(&snapshot, &bookmark).await.unwrap_err();
    assert!(error.to_string().contains("is of another snapshot"), "{error}");
}

#[tokio::test]
async fn snapshots_taken_before_are_taken_for_it_only_if_all_are_the_groups() {
    let both = [snapshot_name("t/a@s1"), snapshot_name("t/b@s1")];
    let exist = || ("snapshot -o", golden!("snapshot-some-exist"));
    let line = |dataset: &str, group: &str| format!("{dataset}@s1\tzerfaux:group\t{group}\n");

    let (zfs, script) = scripted(vec![("snapshot", silence())]);
    let more = [Property::new("zerfaux:checkpoint", "c").unwrap()];
    assert!(zfs.ensure_snapshots("g1", &both, &more).await.unwrap());
    let asked = "zfs snapshot -o zerfaux:group=g1 -o zerfaux:checkpoint=c t/a@s1 t/b@s1";
    assert_eq!(script.asked(), [asked]);

    let all = line("t/a", "g1\tlocal") + &line("t/b", "g1\tlocal");
    let (zfs, _) = scripted(vec![exist(), ("get", says(&all))]);
    assert!(!zfs.ensure_snapshots("g1", &both, &[]).await.unwrap());
    for found in [
        line("t/a", "g1\tlocal") + &line("t/b", "g1\tinherited from t"),
        line("t/a", "g1\tlocal") + &line("t/b", "g2\tlocal"),
        line("t/a", "g1\tlocal"),
    ] {
        let (zfs, _) = scripted(vec![exist(), ("get", says(&found))]);
        let error = zfs.ensure_snapshots("g1", &both, &[]).await.unwrap_err();
        assert!(error.to_string().contains("t/b@s1"), "{error}");
    }
}

#[tokio::test]
async fn what_is_not_the_groups_is_never_destroyed_and_stops_the_whole_call() {
    let (a, b) = (snapshot("s1", 1, ours()), snapshot("s2", 2, Owner::Foreign));
    let other = snapshot("s3", 3, Owner::Zerfaux("g2".to_owned()));
    for foreign in [&b, &other] {
        let (zfs, script) = scripted(vec![]);
        let error = zfs.destroy_snapshots(&name("t/a"), "g1", &[&a, foreign]).await.unwrap_err();
        assert!(error.to_string().contains("nothing was destroyed"), "{error}");
        assert!(script.asked().is_empty());
    }
}

#[tokio::test]
async fn every_snapshot_that_is_kept_says_why() {
    let all: Vec<Snapshot> = (1..=8).map(|n| snapshot(&format!("s{n}"), n, ours())).collect();
    let looked = [
        standing("s1", 1, 0, "-", "g1\tlocal"),
        standing("s2", 2, 3, "-", "g1\tlocal"),
        standing("s3", 3, 0, "t/c1,t/c2", "g1\tlocal"),
        standing("s4", 4, 0, "t/r/%recv", "g1\tlocal"),
        standing("s5", 5, 0, "-", "g1\tinherited from t"),
        standing("s6", 66, 0, "-", "g1\tlocal"),
        standing("s8", 8, 0, "-", "g1\tlocal"),
    ]
    .concat();
    let (zfs, script) = scripted(vec![
        ("get -Hp -o name,property,value,source guid,userrefs,clones,zerfaux:group", {
            let missing = "cannot open 't/a@s7': dataset does not exist\n";
            Golden { stdout: looked, ..failed(missing) }
        }),
        ("destroy t/a@s1", silence()),
        // a clone was made after the look
        ("destroy t/a@s8", golden!("destroy-clone")),
    ]);
    let wanted: Vec<&Snapshot> = all.iter().collect();
    let became = zfs.destroy_snapshots(&name("t/a"), "g1", &wanted).await.unwrap();
    let outcomes: Vec<Outcome> = became.into_iter().map(|Destroyed { outcome, .. }| outcome).collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Destroyed,
            Outcome::Kept(KeptBecause::Holds(3)),
            Outcome::Kept(KeptBecause::Clones(vec![name("t/c1"), name("t/c2")])),
            Outcome::Kept(KeptBecause::PartialReceive),
            Outcome::Kept(KeptBecause::NotOurs),
            Outcome::Kept(KeptBecause::Replaced(Guid(66))),
            Outcome::Gone,
            Outcome::Kept(KeptBecause::Clones(vec![name("zxgold/dclone")])),
        ]
    );
    assert!(script.is_used_up());
}

#[tokio::test]
async fn only_missing_parents_are_made_from_the_top_down() {
    assert_eq!(name("t/a/b/c").ancestors(), [name("t"), name("t/a"), name("t/a/b")]);
    let (zfs, script) = scripted(vec![
        ("zfs list", says("t\nt/a\n")),
        ("create", silence()),
        ("create", golden!("create-exists")),
    ]);
    zfs.create_parents(&name("t/a/b/c/d")).await.unwrap();
    assert!(script.is_used_up());
    assert_eq!(script.asked()[1], "zfs create -o canmount=off -o mountpoint=none t/a/b");
    assert!(script.asked()[2].ends_with("t/a/b/c"));
}

#[tokio::test]
async fn a_rename_done_before_is_done_and_another_dataset_is_left_alone() {
    let (from, to) = (name("t/a"), name("t/b"));
    let guid = |guid: &str| says(&format!("guid\t{guid}\t-\n"));
    let (zfs, script) = scripted(vec![("get", guid("5")), ("rename -u t/a t/b", silence())]);
    zfs.rename(&from, &to, Guid(5)).await.unwrap();
    assert!(script.is_used_up());
    let (zfs, _) = scripted(vec![("get", golden!("get-missing")), ("get", guid("5"))]);
    zfs.rename(&from, &to, Guid(5)).await.unwrap();
    let (zfs, _) = scripted(vec![("get", guid("6"))]);
    assert!(matches!(zfs.rename(&from, &to, Guid(5)).await, Err(ZfsError::Guarded { .. })));
}

#[tokio::test]
async fn a_clone_of_the_same_snapshot_is_taken_for_it_and_anything_else_is_refused() {
    let (origin, clone) = (snapshot_name("t/a@s1"), name("t/c"));
    let properties = [Property::new("readonly", "off").unwrap()];
    let (zfs, script) = scripted(vec![
        ("clone", golden!("clone-exists")),
        ("get", says("origin\tt/a@s1\t-\n")),
        ("zfs set readonly=off t/c", silence()),
    ]);
    zfs.clone_snapshot(&origin, &clone, &properties).await.unwrap();
    assert!(script.is_used_up());
    for other in ["origin\t-\t-\n", "origin\tt/a@s2\t-\n"] {
        let (zfs, _) = scripted(vec![("clone", golden!("clone-exists")), ("get", says(other))]);
        assert!(matches!(
            zfs.clone_snapshot(&origin, &clone, &properties).await,
            Err(ZfsError::Guarded { .. })
        ));
    }
}

#[tokio::test]
async fn only_a_local_value_is_the_datasets_own() {
    let property = "zerfaux:role".parse().unwrap();
    let answers =
        ["zerfaux:role\tlive\tlocal\n", "zerfaux:role\tlive\tinherited from t\n", "zerfaux:role\t-\t-\n"];
    let (zfs, _) = scripted(answers.map(|text| ("get", says(text))).to_vec());
    assert_eq!(zfs.get_local(&name("t/a"), &property).await.unwrap().as_deref(), Some("live"));
    assert_eq!(zfs.get_local(&name("t/a"), &property).await.unwrap(), None);
    assert_eq!(zfs.get_local(&name("t/a"), &property).await.unwrap(), None);
}

#[tokio::test]
async fn a_missing_permission_comes_with_the_command_that_grants_it() {
    let (zfs, _) = scripted(vec![("hold", golden!("plain-hold"))]);
    let tag: HoldTag = "zerfaux:g1".parse().unwrap();
    let error = zfs.hold(&tag, &[snapshot_name("tank/a@s1")]).await.unwrap_err();
    assert!(error.advice().contains("zfs allow -u zfsadmin hold tank/a"), "{}", error.advice());
    assert!(
        error.to_string().starts_with("could not hold tank/a@s1 on this host: permission denied"),
        "{error}"
    );
    assert!(!error.is_transient());
}

#[tokio::test]
async fn the_sides_of_a_stream_are_judged_by_what_they_said() {
    use crate::domain::dataset::DatasetKind;
    use crate::zfs::{ReceiveArgs, SendArgs, SendFlags};
    let (zfs, _) = scripted(vec![]);
    let how = ReceiveArgs::replica(name("t/r"), DatasetKind::Filesystem);
    let error = zfs.judge_receive(&how, Exit::Code(1), &golden!("receive-cut-first").stderr);
    let Some(Complaint::ResumeStateLeft(Some(token))) = error.complaint() else { panic!("{error}") };
    assert!(token.as_str().starts_with("1-"));
    assert!(error.is_transient());
    let stream = SendArgs::full(snapshot_name("t/a@s1"), SendFlags::default());
    let error = zfs.judge_send(&stream, Exit::Code(1), &golden!("send-key-unavailable").stderr);
    assert_eq!(error.complaint(), Some(&Complaint::KeyUnavailable));
    assert!(error.to_string().contains("could not send t/a@s1 on this host"), "{error}");
}

#[tokio::test]
async fn a_token_whose_snapshots_are_gone_is_still_read_and_known_to_be_stale() {
    let token: ResumeToken = "1-c7f2ae-f8-789c".parse().unwrap();
    let gone = || ("send -nvt", golden!("token-target-gone"));
    let (zfs, _) = scripted(vec![gone(), gone(), ("send -nvt", golden!("token-garbage"))]);
    let contents = zfs.token_contents(&token).await.unwrap().unwrap();
    assert_eq!(contents.to_name, "zxgold/a@later");
    let error = zfs.check_token(&token).await.unwrap_err();
    assert_eq!(error.complaint(), Some(&Complaint::TokenStale));
    assert_eq!(zfs.token_contents(&token).await.unwrap(), None);
}

/// A login shell that says things of its own must not make a failure of what was done before.
#[tokio::test]
async fn what_the_login_shell_says_is_told_apart_from_complaints() {
    let tag: HoldTag = "zerfaux:g1".parse().unwrap();
    let noisy = "bash: warning: setlocale: cannot change locale\n".to_owned() + &golden!("hold-again").stderr;
    let (zfs, script) = scripted(vec![
        ("env LC_ALL=C sudo -n /usr/sbin/zfs hold", failed(&noisy)),
        ("hold", golden!("hold-again")),
        ("hold", golden!("hold-again")),
    ]);
    let names = [snapshot_name("t/a@s1")];
    zfs.hold(&tag, &names).await.unwrap();
    // Known by now: no second question.
    zfs.hold(&tag, &names).await.unwrap();
    assert!(script.is_used_up());
}

#[tokio::test]
async fn a_checkpoint_is_one_question_and_one_that_was_taken_before_is_secured_all_the_same() {
    let tag: HoldTag = "zerfaux:g1".parse().unwrap();
    let (new, base) = ([snapshot_name("t/a@s2")], [snapshot_name("t/a@s1")]);
    let marks = [(new[0].clone(), "t/a#s2".parse().unwrap())];
    let what = Checkpoint {
        group: "g1",
        snapshots: &new,
        hold: &tag,
        base: &base,
        bookmarks: &marks,
        properties: &[],
    };
    let row = "t/a@s2\tsnapshot\t7\t9\t1700000000\t1\t0\t10\t-\t10\t-\t\t-\t-\t-\t-\t-\n";
    let (zfs, script) = scripted(vec![
        ("snapshot -o", silence()),
        // The base has been held since the run before.
        ("hold", golden!("hold-again")),
        ("bookmark", silence()),
        ("list", says(row)),
    ]);
    let taken = zfs.take(&what).await.unwrap();
    assert_eq!(taken[&new[0]].guid, Guid(7));
    assert_eq!(taken[&new[0]].owner, ours());
    assert_eq!(script.asked()[1], "zfs hold zerfaux:g1 t/a@s2 t/a@s1");

    let ours_already = "t/a@s2\tzerfaux:group\tg1\tlocal\n";
    let (zfs, _) = scripted(vec![
        ("snapshot -o", golden!("snapshot-some-exist")),
        ("snapshot -o", golden!("snapshot-some-exist")),
        ("get", says(ours_already)),
        ("hold", silence()),
        ("bookmark", silence()),
        ("list", says(row)),
    ]);
    assert_eq!(zfs.take(&what).await.unwrap().len(), 1);
    let theirs = "t/a@s2\tzerfaux:group\tg2\tlocal\n";
    let (zfs, script) = scripted(vec![
        ("snapshot -o", golden!("snapshot-some-exist")),
        ("snapshot -o", golden!("snapshot-some-exist")),
        ("get", says(theirs)),
    ]);
    assert!(zfs.take(&what).await.is_err(), "somebody else's is not held");
    assert!(script.is_used_up());
}

#[tokio::test]
async fn releasing_says_which_snapshots_had_no_such_hold() {
    let tag: HoldTag = "zerfaux:g1".parse().unwrap();
    let names = [snapshot_name("t/a@s1"), snapshot_name("zxgold/a@s1")];
    let (zfs, _) = scripted(vec![
        ("release", Golden { exit: 1, ..golden!("release-absent") }),
        ("destroy", golden!("destroy-bookmark-missing")),
    ]);
    let bookmarks = ["t/a#x".parse().unwrap()];
    let deeds = [Deed::Release(&tag, &names), Deed::DestroyBookmarks(&bookmarks)];
    let not_held: Vec<String> =
        zfs.carry_out(&deeds).await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(not_held, ["zxgold/a@s1"]);
}
