//! The programs of the simulated appliance beside `zfs`: disks and pools for deployments, services, files with all that
//! belongs to them, `rsync` between two, and the shell's background processes.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/appliances.rs"]
#[allow(dead_code)]
mod appliances;

use appliances::Sim;
use serde_json::Value;
use zerfaux::sim::appliance::{ApplianceOptions, FaultRule};

const SERIAL: &str = "6000c2912345678900000000000000aa";

fn disks(sim: &Sim) -> Vec<Value> {
    let text = sim.root("lsblk -J -b -o NAME,PATH,SIZE,TYPE,FSTYPE,PTTYPE,MOUNTPOINT,SERIAL,WWN");
    let list: Value = serde_json::from_str(&text).unwrap();
    list["blockdevices"].as_array().unwrap().clone()
}

#[track_caller]
fn fails(sim: &Sim, script: &str, status: i32, said: &str) {
    let ran = sim.run(script);
    assert!(ran.status == status && ran.stderr.contains(said), "{script}: {} {}", ran.status, ran.stderr);
}

#[test]
fn a_pool_is_made_of_a_blank_disk_that_was_plugged_in_and_of_nothing_else() {
    let sim = Sim::with(ApplianceOptions { pools: Vec::new(), ..ApplianceOptions::default() });
    assert_eq!(disks(&sim).len(), 1, "only the one it boots from");
    assert_eq!(sim.add_disk(SERIAL, 500 << 30), "sdb");
    assert_eq!(sim.add_used_disk("OLD1", 10 << 30, "ext4", "photos"), "sdc");
    let all = disks(&sim);
    let blank = &all[1];
    assert_eq!((&blank["serial"], blank["size"].as_u64()), (&SERIAL.into(), Some(500 << 30)));
    assert_eq!(blank["wwn"], format!("0x{SERIAL}"));
    assert!(
        blank["fstype"].is_null() && blank["pttype"].is_null() && blank.get("children").is_none(),
        "{blank}"
    );
    assert_eq!((&all[0]["children"][0]["mountpoint"], &all[2]["fstype"]), (&"/".into(), &"ext4".into()));

    let by_id = format!("/dev/disk/by-id/wwn-0x{SERIAL}");
    assert!(sim.root("ls -l /dev/disk/by-id").contains(&format!("wwn-0x{SERIAL} -> ../../sdb")));
    assert_eq!(sim.root(&format!("readlink -f {by_id}")), "/dev/sdb\n");
    fails(
        &sim,
        "zpool create tank /dev/disk/by-id/nosuch",
        1,
        "cannot resolve path '/dev/disk/by-id/nosuch'",
    );
    fails(&sim, "zpool create tank /dev/sda", 1, "in use and contains a ext4 filesystem");
    fails(&sim, "zpool create tank /dev/sdc", 1, "contains a filesystem of type 'ext4'");
    sim.root(&format!(
        "zpool create -o ashift=12 -o autoexpand=on -O compression=lz4 -O atime=off tank {by_id}"
    ));
    assert_eq!(
        sim.root("zpool list -H -o name,health tank; zfs get -H -o value atime,mounted tank"),
        "tank\tONLINE\noff\nyes\n"
    );
    let status = sim.root("zpool status tank");
    assert!(
        status.contains(&format!("wwn-0x{SERIAL}")) && status.contains("errors: No known data errors"),
        "{status}"
    );
    let used = &disks(&sim)[1];
    assert_eq!((&used["pttype"], &used["children"][0]["fstype"]), (&"gpt".into(), &"zfs_member".into()));
    fails(&sim, &format!("zpool create -f other {by_id}"), 1, "is in use and contains a unknown filesystem.");
    fails(&sim, "zpool create tank /dev/sdc", 1, "");

    assert!(sim.grow_disk(SERIAL, 600 << 30) && !sim.grow_disk(SERIAL, 1) && !sim.grow_disk("none", 1 << 40));
    assert_eq!(sim.root("zpool list -Hp -o size tank"), format!("{}\n", 600u64 << 30));
    sim.root("zpool scrub tank");
    assert!(sim.root("zpool status tank").contains("scan: scrub repaired 0B in 00:00:00 with 0 errors on "));
    sim.root("zpool destroy tank");
    fails(&sim, "zpool create tank /dev/sdb", 1, "part of potentially active pool 'tank'");
}

#[test]
fn services_run_stop_and_are_named_when_they_are_not_there() {
    let sim = Sim::new("tank");
    assert_eq!(sim.root("systemctl is-active nfs-kernel-server"), "active\n");
    sim.root("systemctl stop nfs-server");
    assert_eq!(sim.run("systemctl is-active nfs-server").status, 3);
    fails(&sim, "showmount -e localhost", 1, "Program not registered");
    sim.root("systemctl enable --now nfs-server");
    assert!(sim.root("systemctl status nfs-server --no-pager").contains("Active: active"));
    fails(&sim, "systemctl start nosuch", 5, "Unit nosuch.service not found");
    let bare =
        Sim::with(ApplianceOptions { missing: vec!["exportfs".into()], ..ApplianceOptions::default() });
    fails(&bare, "systemctl start nfs-server", 5, "not found");
    sim.set_clock_skew(90);
    let ahead: i64 = sim.root("date +%s").trim().parse().unwrap();
    assert!((ahead - jiff::Timestamp::now().as_second() - 90).abs() < 5);
}

#[test]
fn exports_are_shown_with_their_clients_and_options() {
    let sim = Sim::new("tank");
    sim.root("zfs create -o sharenfs=rw=@10.0.0.0/8,no_root_squash tank/vm");
    sim.root("exportfs -ra");
    let shown = sim.root("exportfs -v");
    assert!(shown.starts_with("/tank/vm       \t10.0.0.0/8(sync,wdelay,hide,"), "{shown}");
    assert!(shown.contains(",rw,secure,no_root_squash,no_all_squash)"), "{shown}");
    assert_eq!(sim.root("showmount -e --no-headers localhost"), "/tank/vm 10.0.0.0/8\n");
    fails(&sim, "zfs set sharenfs='10.0.0.0/8(rw)' tank/vm", 255, "cannot be set to invalid options");
}

#[test]
fn free_room_and_mounts_are_told() {
    let sim = Sim::new("tank");
    sim.root("zfs create tank/a; mkdir /tank/a/deep");
    assert_eq!(sim.root("findmnt -n -o SOURCE,TARGET -T /tank/a/deep"), "tank/a /tank/a\n");
    assert_eq!(sim.run("findmnt -n /tank/a/deep").status, 1);
    let free: u64 = sim.root("df -B1 --output=avail /tank/a").lines().nth(1).unwrap().trim().parse().unwrap();
    assert!((900 << 20..1 << 30).contains(&free), "{free}");
    assert_eq!(sim.run("mountpoint -q /tank/a/deep").status, 1);
    sim.root("mountpoint -q /tank/a");
}

/// A directory with one of everything.
const STACK: &str = "mkdir -p /mnt/appdata/web/conf && cd /mnt/appdata/web && echo hello > conf/.hidden && chmod 640 \
    conf/.hidden && chown 1000:33 conf/.hidden && touch -d 2026-01-02T03:04:05Z conf/.hidden && ln conf/.hidden twin && \
    ln -s conf/.hidden link && setfattr -n user.note -v kept twin && truncate -s 10M sparse && dd if=/dev/urandom \
    of=blob bs=1000 count=300 status=none && chmod 700 conf";

/// Everything below a directory: kind, mode, owner, time, links, size, what a link says; and its sums.
fn picture(sim: &Sim, at: &str) -> String {
    sim.root(&format!(
        "find {at} -mindepth 1 -printf '%P %y %m %U:%G %T@ %n %l\\n'; cd {at} && getfattr twin; sha256sum conf/.hidden twin \
         sparse blob; du -sb sparse"
    ))
}

#[test]
fn files_keep_what_belongs_to_them_when_they_are_copied_moved_and_sent() {
    let sim = Sim::new("tank");
    sim.root(STACK);
    let before = picture(&sim, "/mnt/appdata/web");
    assert!(before.contains("conf/.hidden f 640 1000:33 1767323045.0000000000 2"), "{before}");
    assert!(before.contains("link l 777 0:0") && before.contains("user.note=\"kept\""), "{before}");
    sim.root(
        "zfs create tank/web; cp -a /mnt/appdata/web /mnt/appdata/copy; mv /mnt/appdata/copy /tank/web/all",
    );
    assert_eq!(picture(&sim, "/tank/web/all"), before);
    sim.root("cd /tank/web && mv all/conf . && mv conf all/conf; rm all/blob; zfs snapshot tank/web@s");
    assert_eq!(sim.run("test -e /mnt/appdata/copy").status, 1);
    let other = Sim::new("dst");
    let stream = sim.run("zfs send tank/web@s").stdout;
    assert_eq!(other.run_as("root", "zfs receive dst/web", &stream).status, 0);
    let look = "find all -printf '%P %y %m %U:%G %T@ %n %l\\n'";
    assert_eq!(other.root(&format!("cd /dst/web; {look}")), sim.root(&format!("cd /tank/web; {look}")));
    for (script, said) in [
        ("mv /tank/web /x", "Device or resource busy"),
        ("mkdir /no/where", "No such file or directory"),
        ("rm /mnt", "Is a directory"),
        ("echo x > /mnt/no/file", "No such file or directory"),
        ("rmdir /mnt/appdata", "Directory not empty"),
    ] {
        fails(&sim, script, 1, said);
    }
}

/// Two machines of which the first may log in on the second by a key file.
fn pair() -> (Sim, Sim, String) {
    let (private, public) = zerfaux::sim::appliance::login_key().unwrap();
    let a = Sim::new("tank");
    let b = Sim::with(ApplianceOptions { authorized_keys: Some(public), ..ApplianceOptions::default() });
    a.root("mkdir -p /root/.ssh");
    assert_eq!(a.run_as("root", "cat > /root/.ssh/id_ed25519", private.as_bytes()).status, 0);
    assert_eq!(a.run_as("root", "cat > /root/.ssh/known_hosts", b.known_hosts_line().as_bytes()).status, 0);
    let shell = format!("ssh -o BatchMode=yes -p {}", b.address().port());
    (a, b, shell)
}

#[test]
fn ssh_logs_in_by_a_key_file_and_checks_the_host_key() {
    let (a, b, ssh) = pair();
    assert_eq!(a.root(&format!("{ssh} zfsadmin@127.0.0.1 'id -un; echo \"a  b\"'")), "zfsadmin\na  b\n");
    assert_eq!(a.run(&format!("{ssh} 127.0.0.1 'exit 7'")).status, 7);
    assert_eq!(a.run_as("root", &format!("{ssh} 127.0.0.1 cat"), b"in\0put").stdout, b"in\0put");
    fails(
        &a,
        &format!("{ssh} -o UserKnownHostsFile=/dev/null 127.0.0.1 true"),
        255,
        "Host key verification failed.",
    );
    fails(
        &a,
        &format!("rm /root/.ssh/id_ed25519; {ssh} 127.0.0.1 true"),
        255,
        "Permission denied (publickey).",
    );
    fails(&a, "ssh nas-b true", 255, "Could not resolve hostname nas-b");
    a.add_host("nas-b", b.address());
    fails(
        &a,
        "ssh -o StrictHostKeyChecking=no nas-b true",
        255,
        "root@nas-b: Permission denied (publickey).",
    );
}

#[test]
fn rsync_brings_a_directory_over_with_all_that_belongs_to_it() {
    let (a, b, ssh) = pair();
    a.root(STACK);
    b.root("mkdir -p /mnt/appdata");
    let rsync = format!("rsync -aHAX --numeric-ids --stats -e '{ssh}'");
    let to = "/mnt/appdata/web/ root@127.0.0.1:/mnt/appdata/web/";
    let dry = a.root(&format!("{rsync} -n {to}"));
    assert!(
        dry.contains("Number of regular files transferred: ") && dry.trim_end().ends_with("(DRY RUN)"),
        "{dry}"
    );
    assert_eq!(b.run("test -e /mnt/appdata/web").status, 1, "a dry run changes nothing");
    let said = a.root(&format!("{rsync} {to}"));
    assert!(said.contains("Number of files: 7 (reg: 4, dir: 2, link: 1)"), "{said}");
    assert!(said.contains("Total file size: 10,785,784 bytes"), "{said}");
    assert_eq!(picture(&b, "/mnt/appdata/web"), picture(&a, "/mnt/appdata/web"));
    let again = a.root(&format!("{rsync} {to}"));
    assert!(again.contains("Number of regular files transferred: 0\n"), "{again}");

    // Changed behind its back, with the same size and time: only --checksum finds it.
    b.root("cd /mnt/appdata/web; touch -r blob /tmp/time; dd if=/dev/zero of=blob bs=10 count=1 conv=notrunc status=none; touch -r /tmp/time blob; echo x > extra");
    assert!(a.root(&format!("{rsync} {to}")).contains("regular files transferred: 0\n"));
    let itemized = a.root(&format!("{rsync} -i -c --delete {to}"));
    assert!(
        itemized.contains(">fc.") && itemized.contains(" blob\n") && itemized.contains("*deleting   extra\n"),
        "{itemized}"
    );
    assert_eq!(picture(&b, "/mnt/appdata/web"), picture(&a, "/mnt/appdata/web"));

    // The other way, and on one machine.
    a.root(&format!("rsync -aHX -e '{ssh}' --exclude=blob root@127.0.0.1:/mnt/appdata/web /mnt/back"));
    assert_eq!(a.root("ls -A /mnt/back/web"), "conf\nlink\nsparse\ntwin\n");
    a.root("rsync -aHX /mnt/appdata/web/ /mnt/here/");
    assert_eq!(picture(&a, "/mnt/here"), picture(&a, "/mnt/appdata/web"));
}

#[test]
fn rsync_says_what_failed_and_leaves_with_its_status() {
    let (a, b, ssh) = pair();
    a.root("mkdir /mnt/x; echo x > /mnt/x/f");
    let to = |path: &str| format!("rsync -a -e '{ssh}' /mnt/x/ root@127.0.0.1:{path}");
    fails(&a, "rsync -a /mnt/nosuch/ /mnt/y/", 23, "change_dir \"/mnt/nosuch\" failed");
    fails(&a, &to("/no/such/place/"), 11, "mkdir \"/no/such/place\" failed: No such file or directory (2)");
    b.root("zfs create -o quota=64K tank/small");
    a.root("dd if=/dev/urandom of=/mnt/x/big bs=1000 count=200 status=none");
    fails(&a, &to("/tank/small/"), 11, "write failed on \"/tank/small/big\"");
    b.add_fault(FaultRule {
        command: "rsync --server".into(),
        exit: Some(127),
        stderr: "bash: rsync: command not found".into(),
        ..FaultRule::default()
    });
    fails(&a, &to("/mnt/"), 127, "connection unexpectedly closed");
    fails(&a, "rsync -a -e 'ssh -p 1' /mnt/x/ root@127.0.0.1:/mnt/", 255, "Connection refused");
    fails(&a, "rsync -a --nosuch /mnt/x /mnt/y", 1, "unknown option");
}

#[test]
fn the_shell_knows_functions_loops_choices_and_what_runs_behind() {
    let sim = Sim::new("tank");
    for (script, said) in [
        ("f() { echo \"<$1>\" >&2; echo \"$2\"; }; x=$(f a b 2>/dev/null); echo \"$x\"", "b\n"),
        ("n=0; while [ $n -lt 3 ]; do n=$((n + 1)); [ $n = 2 ] && continue; echo $n; done", "1\n3\n"),
        ("printf 'a b\\nc' | while read -r x y || [ -n \"$x\" ]; do echo \"$y-$x\"; done", "b-a\n-c\n"),
        (
            "for x in one two; do case $x in o*|z) echo begins ;; *) break ;; esac; done; echo $x",
            "begins\ntwo\n",
        ),
        ("sleep 60 & kill $!; wait $!; echo $?", "143\n"),
        ("(sleep 0.1; exit 5) & p=$!; echo now; wait \"$p\"; echo $?", "now\n5\n"),
        ("exec 3>&1; echo out >&3; { echo gone; } >/dev/null; echo err 2>&1 1>&3 3>&- | cat", "out\nerr\n"),
        ("while echo tick; do :; done | head -n 2; echo over", "tick\ntick\nover\n"),
        ("cat /dev/zero | head -c 100000 | wc -c", "100000\n"),
        ("cd /tmp && echo x > here && cat /tmp/here && pwd", "x\n/tmp\n"),
        ("IFS= read -r a </dev/null || echo \"end<$a>\"; echo $(( (2 + 3) * 4 % 7 ))", "end<>\n6\n"),
    ] {
        let ran = sim.run(script);
        assert_eq!(String::from_utf8(ran.stdout).unwrap(), said, "{script}: {}", ran.stderr);
    }
}
