//! Destinations into which nothing may be received, however much it is asked for.

use super::witness::{Witness, in_step, kept, pool, replicated};
use crate::lab::{Scene, Side, hosts};
use crate::zerfaux_cli::{Ended, replicate, replicate_as};

#[track_caller]
fn stopped(ended: Ended, needles: &[&str]) {
    ended.expect(3).says(&["Stopped to protect data", "Nothing was changed. You can:"]).says(needles);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_dataset_that_was_never_a_replica_is_left_alone() {
    let scene = Scene::new("never");
    scene.source.play("+ data\nw data one 256K\n@ data s1");
    scene.target.play(
        "+ empty
         + files
         w files theirs 128K
         + kept
         w kept theirs 128K
         @ kept their-own",
    );
    let before = Witness::of(&scene);
    for (name, says) in [
        ("empty", "has no snapshot: it is not a replica of anything"),
        ("files", "has no snapshot: it is not a replica of anything"),
        ("kept", "newest @their-own) has no snapshot in common with the source"),
    ] {
        let run = replicate_as(&scene, "root", ("data", name), &[]);
        stopped(run, &[&scene.target.name(name), says, "--on-conflict keep-and-seed"]);
        let run = replicate_as(&scene, "root", ("data", name), &["--on-conflict", "keep-and-continue"]);
        stopped(run, &[says]);
    }
    before.sees_no_change(&scene);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_pools_root_dataset_is_not_taken_for_a_replica_nor_renamed() {
    let scene = Scene::with_target_pool("pool-root", "64M");
    scene.source.play("+ data\nw data one 64K\n@ data s1");
    let before = Witness::of(&scene);
    assert_eq!(pool(&scene.target), scene.target.name("."));
    for options in [&[][..], &["--on-conflict", "keep-and-seed"]] {
        let run = replicate_as(&scene, "root", ("data", "."), options).expect(3);
        assert!(!run.stderr.contains("--on-conflict"), "a pool cannot be renamed aside: {}", run.stderr);
        stopped(run, &["not a replica of anything", "name another destination dataset"]);
    }
    before.sees_no_change(&scene);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn the_replica_of_one_source_is_not_given_to_another() {
    let scene = replicated("other-group");
    scene.source.play("+ other\nw other one 64K\n@ other s1");
    let before = Witness::of(&scene);
    for options in [&[][..], &["--on-conflict", "keep-and-seed"], &["--on-conflict", "keep-and-continue"]] {
        let run = replicate_as(&scene, "root", ("other", "copy"), options);
        stopped(
            run,
            &[&scene.target.name("copy"), "is the replica of something else", "name another destination"],
        );
    }
    before.sees_no_change(&scene);
    replicate(&scene, &[]).expect(0);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_dataset_is_not_replicated_into_itself_nor_into_what_holds_it() {
    let (a, _) = hosts();
    let scene = Scene { source: Side::new(a, "itself"), target: Side::new(a, "unused") };
    scene.source.play("+ outer/data\nw outer/data one 64K\n@ outer/data s1");
    let both = Scene { source: scene.source, target: scene.target };
    let before = Witness::of(&both);
    let within = |from: &str, to: &str, options: &[&str]| {
        use crate::zerfaux_cli::{address, command, ended};
        let mut run = command(&both, "root", ("outer/data", "outer/data"), options);
        // Both ends on the source's side: the last two words are the addresses.
        let words: Vec<_> = run.get_args().map(std::ffi::OsStr::to_owned).collect();
        let mut again = std::process::Command::new(run.get_program());
        again.args(&words[..words.len() - 2]);
        again.args([address(&both.source, "root", from), address(&both.source, "root", to)]);
        again.env_remove("SSH_AUTH_SOCK").env_remove("ZERFAUX_DATA_DIR");
        run = again;
        ended(run.output().unwrap())
    };
    stopped(within("outer/data", "outer/data", &[]), &["source and destination are the same dataset"]);
    for options in [&[][..], &["--on-conflict", "keep-and-seed"]] {
        // Renaming the outer one aside would take the source with it.
        stopped(within("outer/data", "outer", options), &["lies in", "name another destination"]);
    }
    // Each run would copy the copies of all earlier runs.
    stopped(
        within("outer", "outer/copies/outer", &["--recursive"]),
        &["lies in", "name another destination"],
    );
    before.sees_no_change(&both);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn an_encrypted_source_does_not_continue_a_plain_replica() {
    let scene = replicated("plain-first");
    // The administrator encrypted the data: a new dataset under the old name.
    scene.source.play("= data data-plain\ne data correct-horse\nw data one 256K\n@ data s1");
    let before = Witness::of(&scene);
    replicate(&scene, &[]).expect(3).says(&["Stopped to protect data", &scene.target.name("copy")]);
    before.sees_no_change(&scene);

    // A replica that nobody marked, as other tools leave it, and a source that has snapshots in common with it.
    scene.target.play("+ bare\n@ bare s0");
    stopped(
        replicate_as(&scene, "root", ("data", "bare"), &[]),
        &["the source is encrypted and", "is not: an encrypted stream cannot continue it", "keep-and-seed"],
    );
    before.sees_nothing_lost(&scene);
    let seeded =
        replicate_as(&scene, "root", ("data", "bare"), &["--on-conflict", "keep-and-seed"]).expect(0);
    seeded.says(&["is kept as"]);
    assert_eq!(scene.target.property("bare", "encryption"), "aes-256-gcm");
    assert_eq!(scene.target.property("bare", "keystatus"), "unavailable", "sent raw: no key is there");
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_plain_source_under_a_locked_encryption_root_says_whose_key_is_missing() {
    let scene = Scene::new("locked");
    scene.source.play("+ data\nw data one 256K\n@ data s1");
    scene.target.play("e vault correct-horse");
    replicate_as(&scene, "root", ("data", "vault/copy"), &[]).expect(0);
    scene.target.play("u vault\nl vault");
    scene.source.play("w data two 64K");
    let before = Witness::of(&scene);
    let root = scene.target.name("vault");
    for name in ["vault/copy", "vault/new"] {
        let run = replicate_as(&scene, "root", ("data", name), &[]);
        stopped(
            run,
            &[&format!("encrypted under {root}, whose key is not loaded"), &format!("zfs load-key {root}")],
        );
    }
    before.sees_no_change(&scene);
    scene.target.play("k vault correct-horse");
    replicate_as(&scene, "root", ("data", "vault/copy"), &[]).expect(0);
    in_step(&scene, "data", "vault/copy");
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn what_was_set_aside_is_not_received_into() {
    let scene = replicated("aside");
    super::witness::write_at_target(&scene, "theirs");
    replicate(&scene, &["--on-conflict", "keep-and-continue"]).expect(0);
    let kept = kept(&scene.target);
    let before = Witness::of(&scene);
    stopped(replicate_as(&scene, "root", ("data", &kept), &[]), &["nothing may be received into it"]);
    before.sees_no_change(&scene);
}
