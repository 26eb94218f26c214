//! The simulated appliance says what a real OpenZFS host said: exit status and standard error of the recordings in
//! `tests/golden`, word by word, provoked in the same order as `record-zfs.sh` does.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/appliances.rs"]
#[allow(dead_code)]
mod appliances;

use std::path::Path;

use appliances::Sim;
use zerfaux::sim::appliance::{ApplianceOptions, PoolHealth};

struct Recording {
    exit: i32,
    stdout: String,
    stderr: String,
}

fn recording(name: &str) -> Recording {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/zfs-2.3.2").join(format!("{name}.txt"));
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let (head, rest) = text.split_once("--- stdout\n").unwrap();
    let (stdout, stderr) = rest.split_once("--- stderr\n").unwrap();
    let exit = head.lines().find_map(|line| line.strip_prefix("exit ")).unwrap().parse().unwrap();
    Recording { exit, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
}

/// Tokens are each host's own.
fn without_tokens(text: &str) -> String {
    text.split(' ')
        .map(|word| if word.trim_end().starts_with("1-") { "TOKEN\n" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

/// One line of the story: `NAME: COMMAND` compares with that recording, `NAME= COMMAND` its standard output too;
/// without a name the command only has to succeed. `NAME! ` runs as a user without rights.
fn play(sim: &Sim, story: &str) {
    let mut compared = 0;
    let mut wrong = Vec::new();
    for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, command) = line.split_once(' ').unwrap();
        let (name, mark) = name.split_at(name.len() - 1);
        let user = if mark == "!" { "nobody" } else { "root" };
        let ran = sim.run_as(user, command, b"");
        if name.is_empty() {
            assert_eq!(ran.status, 0, "{command}: {}", ran.stderr);
            continue;
        }
        compared += 1;
        let wanted = recording(name);
        let stdout = String::from_utf8(ran.stdout).unwrap();
        if ran.status != wanted.exit || without_tokens(&ran.stderr) != without_tokens(&wanted.stderr) {
            wrong.push(format!(
                "{name}: {command}\n  recorded {} {:?}\n  here     {} {:?}",
                wanted.exit, wanted.stderr, ran.status, ran.stderr
            ));
        }
        if mark == "=" && stdout != wanted.stdout {
            wrong.push(format!("{name}: {command}\n  recorded {:?}\n  here     {stdout:?}", wanted.stdout));
        }
    }
    assert!(compared > 0 && wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn gold() -> Sim {
    let sim = Sim::with(ApplianceOptions {
        pools: vec![("zxgold".to_owned(), 600 << 20), ("zxgold2".to_owned(), 8 << 20)],
        sudo: false,
        ..ApplianceOptions::default()
    });
    sim.root(
        "zfs set mountpoint=/var/tmp/zxgold-mnt zxgold
         zfs create zxgold/a; zfs create 'zxgold/a/child one'; zfs create -V 16M zxgold/vol; zfs mount zxgold/a || true",
    );
    sim.fill("zxgold/a", "f", 8 << 20, 1);
    sim.root(
        "zfs snapshot zxgold/a@s1 zxgold/vol@s1
         zfs set zerfaux:group=g1 zxgold/a@s1
         zfs hold zerfaux:g1 zxgold/a@s1; zfs hold 'some body' zxgold/a@s1
         zfs bookmark zxgold/a@s1 zxgold/a#s1",
    );
    sim.fill("zxgold/a", "g", 8 << 20, 2);
    sim.root(
        "zfs snapshot 'zxgold/a@by hand'; zfs hold zerfaux:g1 'zxgold/a@by hand'
         zfs clone zxgold/a@s1 zxgold/clone; zfs clone zxgold/a@s1 zxgold/clone2
         zfs set zerfaux:group=inherited-by-all zxgold; zfs set zerfaux:role=live zxgold/a
         printf 'correct horse battery' | zfs create -o encryption=on -o keyformat=passphrase zxgold/enc
         zfs create zxgold/enc/inner",
    );
    sim.fill("zxgold/enc", "f", 4 << 20, 3);
    sim.root("zfs snapshot -r zxgold/enc@e1");
    sim.fill("zxgold/enc", "f", 4 << 20, 4);
    sim.root(
        "zfs snapshot -r zxgold/enc@e2
         printf 'correct horse battery' | zfs create -o encryption=on -o keyformat=passphrase zxgold/locked
         zfs unmount zxgold/locked; zfs unload-key zxgold/locked; zfs create zxgold/dst",
    );
    sim
}

#[test]
fn versions_pools_and_lists() {
    play(
        &gold(),
        "version= zfs version
         version-zpool= zpool version
         pool-get-missing: zpool get -Hp -o property,value size,health nosuchpool
         pool-status-missing: zpool status -p nosuchpool
         plain-pool-status: zpool status -p zxgold
         list-missing: zfs list -Hp -d 1 -o name,type zxgold/nosuch
         list-missing-pool: zfs list -Hp -o name nosuchpool
         list-depth-1: zfs list -Hp -d 1 -t filesystem,volume,snapshot,bookmark -o name zxgold/a zxgold/nosuch nosuchpool/x
         list-owners= zfs get -Hp -r -s local -t filesystem,volume,snapshot,bookmark -o name,property,value zerfaux:group,zerfaux:role zxgold
         get-local= zfs get -Hp -o name,property,value,source zerfaux:group,zerfaux:role,readonly zxgold/a
         get-missing: zfs get -Hp -o value zerfaux:group zxgold/nosuch
         holds-missing: zfs holds -Hp zxgold/a@nosuch
         holds-some-missing: zfs holds -Hp zxgold/a@s1 zxgold/a@nosuch
         bad-name: zfs list 'zxgold/a b%c'
         set-missing: zfs set zerfaux:group=x zxgold/nosuch
         set-bad: zfs set readonly=perhaps zxgold/a
         inherit-unset: zfs inherit zerfaux:nothing zxgold/a
         no-command-shell: zfs-is-not-here version
         no-command-sh: sh -c 'zfs-is-not-here version'
         no-command: env LC_ALL=C zfs-is-not-here version
         sudo-password! sudo -n zfs version
         plain-list! /usr/sbin/zfs list -Hp -o name zxgold/a",
    );
}

#[test]
fn a_pool_that_is_made_there() {
    let sim = Sim::with(ApplianceOptions { pools: Vec::new(), ..ApplianceOptions::default() });
    play(
        &sim,
        "pool-create: zpool create -o cachefile=none -O mountpoint=/var/tmp/zxgold-mnt zxgold /var/tmp/zxgold.img
         pool-status= zpool status -p zxgold",
    );
    assert_eq!(sim.root("zfs get -H -o value mountpoint zxgold"), "/var/tmp/zxgold-mnt\n");
    assert_eq!(sim.root("zpool destroy zxgold; zpool list -H -o name"), "");
}

#[test]
fn streams_that_break_off_and_their_tokens() {
    let sim = gold();
    play(
        &sim,
        "receive-cut-first: zfs send zxgold/a@s1 | head -c 3000000 | zfs receive -s -u zxgold/dst/first
         : zfs send zxgold/a@s1 | zfs receive -s -u -o readonly=on zxgold/dst/inc
         receive-cut-incremental: zfs send -i @s1 'zxgold/a@by hand' | head -c 3000000 | zfs receive -s -u zxgold/dst/inc
         receive-cut-not-resumable: zfs send zxgold/a@s1 | head -c 3000000 | zfs receive -u zxgold/dst/cut
         receive-cut-raw: zfs send -w zxgold/enc@e1 | head -c 2000000 | zfs receive -s -u zxgold/dst/rawcut
         token-garbage: zfs send -nvt 1-abc-def
         token-full: zfs send -nvt $(zfs get -H -o value receive_resume_token zxgold/dst/first)
         receive-over-partial: zfs send -i @s1 'zxgold/a@by hand' | zfs receive -s -u zxgold/dst/inc
         receive-full-over-partial: zfs send zxgold/a@s1 | zfs receive -s -u zxgold/dst/first
         receive-wrong-resume: zfs send -t $(zfs get -H -o value receive_resume_token zxgold/dst/inc) | zfs receive -s -u zxgold/dst/first
         destroy-under-partial: zfs send zxgold/a@s1 | zfs receive -u zxgold/dst/twice; zfs send -i @s1 'zxgold/a@by hand' | head -c 3000000 | zfs receive -s -u zxgold/dst/twice 2>/dev/null; zfs destroy zxgold/dst/twice@s1
         abort: zfs receive -A zxgold/dst/rawcut
         abort-again: zfs receive -A zxgold/dst/rawcut
         abort-nothing: zfs receive -A zxgold/a
         receive-resumed: zfs send -t $(zfs get -H -o value receive_resume_token zxgold/dst/first) | zfs receive -s -u -o readonly=on -o canmount=noauto -o sharenfs=off -o atime=off -x mountpoint zxgold/dst/first
         receive-resumed-properties= zfs get -Hp -o property,value,source readonly,canmount,sharenfs,atime,mountpoint zxgold/dst/first
         receive-incremental-properties: zfs send -i @s1 'zxgold/a@by hand' | zfs receive -s -u -o readonly=on -x mountpoint zxgold/dst/first
         : zfs receive -A zxgold/dst/inc; zfs snapshot zxgold/a@gone",
    );
    sim.fill("zxgold/a", "h", 4 << 20, 9);
    play(
        &sim,
        ": zfs snapshot zxgold/a@later; zfs send -I @s1 zxgold/a@gone | zfs receive -s -u zxgold/dst/inc
         : zfs send -i @gone zxgold/a@later | head -c 2000000 | zfs receive -s -u zxgold/dst/inc 2>/dev/null; true
         token-still-good: zfs send -nvt $(zfs get -H -o value receive_resume_token zxgold/dst/inc)
         token-base-gone: zfs destroy zxgold/a@gone; zfs send -nvt $(zfs get -H -o value receive_resume_token zxgold/dst/inc)
         token-target-gone: zfs destroy zxgold/a@later; zfs send -nvt $(zfs get -H -o value receive_resume_token zxgold/dst/inc)",
    );
    assert!(
        sim.files("zxgold/dst/first@s1") == sim.files("zxgold/a@s1"),
        "a resumed stream brings every byte"
    );
}

#[test]
fn sends_and_receives_that_are_refused() {
    play(
        &gold(),
        "send-missing: zfs send zxgold/a@nosuch
         send-missing-dataset: zfs send zxgold/nosuch@s1
         send-missing-pool: zfs send nosuchpool/x@s1
         send-base-missing: zfs send -i @nosuch zxgold/a@s1
         send-bookmark-missing: zfs send -i '#nosuch' zxgold/a@s1
         send-wrong-order: zfs send -i '@by hand' zxgold/a@s1
         send-bookmark-intermediate: zfs send -I '#s1' 'zxgold/a@by hand'
         plain-send! /usr/sbin/zfs send zxgold/a@s1
         : zfs send zxgold/a@s1 | zfs receive -u zxgold/dst/mod; zfs mount zxgold/dst/mod; echo changed > /var/tmp/zxgold-mnt/dst/mod/f
         receive-modified: zfs send -i @s1 'zxgold/a@by hand' | zfs receive -s -u zxgold/dst/mod
         receive-newer-snapshot: zfs snapshot zxgold/dst/mod@other; zfs send -i @s1 'zxgold/a@by hand' | zfs receive -s -u zxgold/dst/mod
         receive-exists: zfs send zxgold/a@s1 | zfs receive -s -u zxgold/dst/mod
         receive-exists-empty: zfs create zxgold/dst/empty; zfs send zxgold/a@s1 | zfs receive -s -u zxgold/dst/empty
         receive-no-base-dataset: zfs send -i @s1 'zxgold/a@by hand' | zfs receive -s -u zxgold/dst/none
         receive-base-mismatch: zfs create zxgold/dst/alien; zfs snapshot zxgold/dst/alien@x; zfs send -i @s1 'zxgold/a@by hand' | zfs receive -s -u zxgold/dst/alien
         receive-no-parent: zfs send zxgold/a@s1 | zfs receive -s -u zxgold/nope/deeper/x
         receive-no-pool: zfs send zxgold/a@s1 | zfs receive -s -u nosuchpool/x
         receive-garbage: echo this is no stream | zfs receive -s -u zxgold/dst/garbage
         receive-nothing: true | zfs receive -s -u zxgold/dst/garbage
         receive-volume-over-fs: zfs send zxgold/vol@s1 | zfs receive -s -u zxgold/dst/mod
         receive-no-space: zfs create -o quota=4M zxgold/dst/small; zfs send zxgold/a@s1 | zfs receive -s -u zxgold/dst/small/x
         receive-pool-full: zfs send zxgold/a@s1 | zfs receive -s -u zxgold2/x
         receive-only-newer-snapshot: zfs send zxgold/a@s1 | zfs receive -u -o readonly=on zxgold/dst/newer; zfs snapshot zxgold/dst/newer@mine; zfs send -i @s1 'zxgold/a@by hand' | zfs receive -s -u zxgold/dst/newer
         plain-receive! /usr/sbin/zfs receive -s -u zxgold/dst/plainrecv
         volume-receive: zfs send zxgold/vol@s1 | zfs receive -s -u -o readonly=on zxgold/dst/vol
         volume-receive-fs-props: zfs send zxgold/vol@s1 | zfs receive -s -u -o readonly=on -o canmount=noauto zxgold/dst/vol2
         volume-receive-x-mountpoint: zfs send zxgold/vol@s1 | zfs receive -s -u -o readonly=on -x mountpoint zxgold/dst/vol3",
    );
}

#[test]
fn encryption_keys_and_raw_streams() {
    play(
        &gold(),
        "receive-raw-first: zfs send -w zxgold/enc@e1 | zfs receive -s -u -o readonly=on zxgold/dst/raw
         receive-raw-incremental: zfs send -w -i @e1 zxgold/enc@e2 | zfs receive -s -u zxgold/dst/raw
         receive-raw-set-encryption: zfs send -w zxgold/enc@e1 | zfs receive -s -u -o encryption=off zxgold/dst/raw2
         receive-raw-x-encryption: zfs send -w zxgold/enc@e1 | zfs receive -s -u -x encryption zxgold/dst/raw3
         receive-plain-into-raw: zfs rollback -r zxgold/dst/raw@e1; zfs send -i @e1 zxgold/enc@e2 | zfs receive -s -u zxgold/dst/raw
         receive-raw-into-plain: zfs send zxgold/enc@e1 | zfs receive -u zxgold/dst/plain; zfs send -w -i @e1 zxgold/enc@e2 | zfs receive -s -u zxgold/dst/plain
         receive-under-locked: zfs send zxgold/a@s1 | zfs receive -s -u zxgold/locked/x
         : printf 'correct horse battery' | zfs load-key zxgold/dst/raw
         receive-plain-into-raw-loaded: zfs send -i @e1 zxgold/enc@e2 | zfs receive -s -u zxgold/dst/raw
         receive-raw-after-plain: zfs snapshot zxgold/enc@e3; zfs send -w -i @e2 zxgold/enc@e3 | zfs receive -s -u zxgold/dst/raw
         : zfs mount zxgold/dst/raw
         load-key-wrong: echo wrongwrongwrong | zfs load-key -L prompt zxgold/locked
         load-key-stdin: printf 'correct horse battery' | zfs load-key -L prompt zxgold/locked
         load-key-again: printf 'correct horse battery' | zfs load-key -L prompt zxgold/locked
         unload-key: zfs unload-key zxgold/locked
         unload-key-again: zfs unload-key zxgold/locked
         unload-key-busy: zfs unload-key zxgold/dst/raw
         load-key-unencrypted: echo x | zfs load-key -L prompt zxgold/a
         load-key-not-root: echo x | zfs load-key -L prompt zxgold/enc/inner
         mount-locked: zfs mount zxgold/locked
         send-key-unavailable: zfs unmount zxgold/enc/inner; zfs unmount zxgold/enc; zfs unload-key zxgold/enc; zfs send zxgold/enc@e1",
    );
}

#[test]
fn snapshots_holds_bookmarks_and_destroys() {
    play(
        &gold(),
        "snapshot-exists: zfs snapshot zxgold/a@s1
         snapshot-some-exist: zfs snapshot zxgold/a@s1 zxgold/vol@s9
         snapshot-missing: zfs snapshot zxgold/nosuch@s1
         snapshot-twice-one-fs: zfs snapshot zxgold/a@t1 zxgold/a@t2
         hold-again: zfs hold zerfaux:g1 zxgold/a@s1
         hold-missing: zfs hold zerfaux:g1 zxgold/a@nosuch
         release-absent: zfs release zerfaux:nobody zxgold/a@s1
         release-missing: zfs release zerfaux:g1 zxgold/a@nosuch
         bookmark-again: zfs bookmark zxgold/a@s1 zxgold/a#s1
         bookmark-other: zfs bookmark 'zxgold/a@by hand' zxgold/a#s1
         bookmark-missing: zfs bookmark zxgold/a@nosuch zxgold/a#n
         destroy-bookmark-missing: zfs destroy zxgold/a#nosuch
         destroy-missing: zfs destroy zxgold/a@nosuch
         destroy-several-missing: zfs destroy zxgold/a@nosuch,nosuch2
         destroy-missing-dataset: zfs destroy zxgold/nosuch@s1
         destroy-held: zfs destroy 'zxgold/a@by hand'
         destroy-clones-and-held: zfs destroy zxgold/a@s1
         : zfs snapshot zxgold/a@d1; zfs snapshot zxgold/a@d2; zfs snapshot zxgold/a@d3; zfs clone zxgold/a@d1 zxgold/dclone
         destroy-clone: zfs destroy zxgold/a@d1
         destroy-several-one-clone: zfs destroy zxgold/a@d1,d2
         destroy-own: zfs destroy zxgold/a@d3
         destroy-several-left= zfs list -H -o name -t snapshot zxgold/a
         destroy-dataset-children: zfs destroy zxgold/a
         destroy-dataset-only-snapshots: zfs create zxgold/onlysnap; zfs snapshot zxgold/onlysnap@x; zfs destroy zxgold/onlysnap
         plain-snapshot! /usr/sbin/zfs snapshot zxgold/a@plain
         plain-hold! /usr/sbin/zfs hold zerfaux:g1 zxgold/a@s1
         plain-release! /usr/sbin/zfs release zerfaux:g1 zxgold/a@s1
         plain-bookmark! /usr/sbin/zfs bookmark zxgold/a@s1 zxgold/a#plain
         plain-destroy! /usr/sbin/zfs destroy zxgold/a@d2
         plain-set! /usr/sbin/zfs set readonly=on zxgold/a
         plain-clone! /usr/sbin/zfs clone zxgold/a@s1 zxgold/plainclone
         plain-rename! /usr/sbin/zfs rename -u zxgold/clone2 zxgold/plainrenamed
         plain-promote! /usr/sbin/zfs promote zxgold/dclone
         plain-create! /usr/sbin/zfs create zxgold/plaincreate",
    );
}

#[test]
fn renames_mounts_clones_and_creations() {
    let sim = gold();
    play(
        &sim,
        "rename-u: zfs rename -u zxgold/clone zxgold/clone-renamed
         rename-exists: zfs rename -u zxgold/clone2 zxgold/vol
         rename-no-parent: zfs rename -u zxgold/clone2 zxgold/no/parent
         rename-missing: zfs rename -u zxgold/nosuch zxgold/there
         unmount: zfs unmount zxgold/clone2
         unmount-again: zfs unmount zxgold/clone2
         mount: zfs mount zxgold/clone2
         mount-again: zfs mount zxgold/clone2
         mount-canmount-off: zfs create -o canmount=off zxgold/cmo; zfs mount zxgold/cmo
         mount-volume: zfs mount zxgold/vol
         unmount-volume: zfs unmount zxgold/vol
         clone-exists: zfs clone zxgold/a@s1 zxgold/clone2
         clone-missing: zfs clone zxgold/a@nosuch zxgold/clone3
         promote-not-clone: zfs promote zxgold/a
         promote-conflict: zfs snapshot zxgold/clone2@s1; zfs promote zxgold/clone2
         create-exists: zfs create zxgold/a
         create-p-exists: zfs create -p -u -o canmount=off -o mountpoint=none zxgold/a
         create-p: zfs create -p -u -o canmount=off -o mountpoint=none zxgold/p1/p2/p3
         create-p-listing= zfs list -Hp -r -o name,canmount,mountpoint,mounted zxgold/p1
         create-no-pool: zfs create -p -u -o canmount=off nosuchpool/a/b",
    );
    sim.fill("zxgold2", "fill", 7 << 20, 5);
    sim.write("zxgold2", "more", &appliances::noise(745_000, 6)).unwrap();
    play(
        &sim,
        "create-pool-full: zfs create zxgold2/y
         snapshot-pool-full: zfs snapshot zxgold2@full",
    );
    let sim = Sim::new("zxd");
    sim.root("zfs create zxd/a; zfs snapshot zxd/a@s1");
    sim.set_pool_health("zxd", PoolHealth::Suspended);
    play(
        &sim,
        "list-suspended: zfs list -Hp -o name,guid zxd/a
         create-suspended: zfs create zxd/c
         snapshot-suspended: zfs snapshot zxd/a@s2
         send-io-error: zfs send zxd/a@s1
         receive-suspended: cat /dev/null | zfs receive -s -u zxd/b",
    );
}
