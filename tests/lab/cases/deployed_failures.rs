//! What goes wrong with a deployment on a host that is really broken: the right words, and nothing written to a disk that is
//! not blank.

use serde_json::json;

use super::prepared::prepared;
use crate::deploying::{DISK, PATIENCE, Site};

const EXT4: &str = "mkfs.ext4 -q -F";

#[test]
#[ignore = "needs the lab: tests/run"]
fn two_blank_disks_of_one_size_without_serial_numbers_are_both_left_alone() {
    let site = Site::start(prepared().0);
    let deploying = site.deploy("zfs-dr-two", &json!({}));
    let disks = [site.spare.plug(DISK, None), site.spare.plug(DISK, None)];
    let before = disks.each_ref().map(|disk| disk.sha256(&site.spare));
    site.comes_up(&deploying);
    let names = disks.each_ref().map(|disk| disk.path(&site.spare));
    let says = ["2 blank disks have 1073741824 bytes", &names[0], &names[1]];
    site.fails(&deploying, "zfs_create", &says, &["disk.EnableUUID"]);
    assert_eq!(disks.each_ref().map(|disk| disk.sha256(&site.spare)), before);
    site.cleans_up(&deploying);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_stopped_ssh_server_is_tried_six_times_and_a_file_system_on_the_disk_is_kept() {
    let site = Site::start(prepared().0);
    let deploying = site.deploy("zfs-dr-late", &json!({}));
    let disk = site.plug_in(&deploying);
    site.spare.host.root(&format!("{EXT4} {}", disk.path(&site.spare)));
    let before = disk.sha256(&site.spare);
    let told = site.tells(&deploying);
    // It comes back by itself: nobody gets in to start it.
    site.spare
        .host
        .root("systemd-run -q --on-active=150 systemctl start ssh.service; systemctl stop ssh.service");
    site.runs(&deploying, &told);
    let says = [site.reached_at()];
    site.fails(&deploying, "ssh_connect", &says, &["Is SSH enabled in the template"]);
    let again = "Step \"ssh_connect\" is attempted again in 15 s";
    let console = site.served.console(&deploying.job);
    assert_eq!(console.iter().filter(|line| line.contains(again)).count(), 5, "{console:?}");
    let ends = std::time::Instant::now() + PATIENCE;
    while site.spare.host.try_as("root", "systemctl is-active ssh.service").status != 0 {
        assert!(std::time::Instant::now() < ends, "the SSH server does not come back");
        std::thread::sleep(std::time::Duration::from_secs(2));
    }
    site.served.ask("POST", &format!("/jobs/{}/retry", deploying.job), None);
    let says = ["is not blank", "ext4", &deploying.serial];
    site.fails(&deploying, "zfs_create", &says, &["Nothing was written", "wipefs"]);
    assert_eq!(disk.sha256(&site.spare), before);
    site.cleans_up(&deploying);
    assert_eq!(disk.sha256(&site.spare), before, "a cleanup, too, leaves it alone");
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_key_that_the_template_does_not_have_is_refused_once() {
    let site = Site::start(prepared().0);
    let key = site.served.ask("POST", "/ssh-keys", Some(json!({ "name": "other", "generate": "ed25519" })));
    let deploying = site.deploy("zfs-dr-key", &json!({ "ssh_key_id": key["id"] }));
    let disk = site.plug_in(&deploying);
    let before = disk.sha256(&site.spare);
    site.comes_up(&deploying);
    let says = ["rejects the key for the user zxprepared"];
    site.fails(&deploying, "ssh_connect", &says, &["authorized_keys", "preparation script"]);
    assert!(!site.served.console(&deploying.job).iter().any(|line| line.contains("attempted again")));
    assert_eq!(disk.sha256(&site.spare), before);
    site.cleans_up(&deploying);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn pools_of_others_are_kept_whether_they_lie_on_the_disk_or_have_the_name() {
    let site = Site::start(prepared().0);
    let host = site.spare.host;
    // Somebody's pool, of the name that is wished for, on a disk of its own.
    let theirs = site.spare.plug(DISK, Some("theirs"));
    host.root(&format!(
        "zpool create -o cachefile=none -O zerfaux:deployment=another tank {}; echo precious >/tank/file",
        theirs.path(&site.spare)
    ));
    let deploying = site.deploy("zfs-dr-name", &json!({}));
    let disk = site.plug_in(&deploying);
    let blank = disk.sha256(&site.spare);
    site.comes_up(&deploying);
    let says = ["a pool tank exists that was not made by this job"];
    site.fails(&deploying, "zfs_create", &says, &["Choose another name"]);
    assert_eq!(disk.sha256(&site.spare), blank, "nothing is written before that is known");
    site.cleans_up(&deploying);
    assert_eq!(host.root("cat /tank/file; zpool list -H -o name"), "precious\ntank\n");
    host.root("zpool export tank");

    // The disk that turns up has the pool of an earlier deployment on it.
    let deploying = site.deploy("zfs-dr-pool", &json!({}));
    let used = site.plug_in(&deploying);
    host.root(&format!(
        "zpool create -o cachefile=none other {}; echo precious >/other/file; zpool export other",
        used.path(&site.spare)
    ));
    let before = (used.sha256(&site.spare), theirs.sha256(&site.spare));
    site.comes_up(&deploying);
    site.fails(&deploying, "zfs_create", &["is not blank", &deploying.serial], &["Nothing was written"]);
    assert_eq!((used.sha256(&site.spare), theirs.sha256(&site.spare)), before);
    site.cleans_up(&deploying);
    assert_eq!((used.sha256(&site.spare), theirs.sha256(&site.spare)), before);
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn without_an_nfs_server_the_phase_fails_until_it_is_there_and_a_retry_goes_on_from_it() {
    let site = Site::start(prepared().0);
    let host = site.spare.host;
    let deploying = site.deploy("zfs-dr-nfs", &json!({}));
    site.plug_in(&deploying);
    host.root("systemctl mask --now nfs-server.service");
    site.comes_up(&deploying);
    site.fails(&deploying, "nfs_setup", &["nfs-server.service", "masked"], &["nfs-kernel-server"]);
    let attempts = |console: &[String]| {
        console.iter().filter(|line| line.contains("\"nfs_setup\" is attempted again in 5 s")).count()
    };
    assert_eq!(attempts(&site.served.console(&deploying.job)), 1);
    let pool = host.root("zpool get -H -o value guid tank");

    // The service runs, and its tools are missing: nothing is exported.
    host.root("systemctl unmask nfs-server.service; mv /usr/sbin/exportfs /usr/sbin/exportfs.away");
    let retry = || site.served.ask("POST", &format!("/jobs/{}/retry", deploying.job), None);
    retry();
    site.fails(&deploying, "nfs_setup", &["NFS server"], &["nfs-kernel-server"]);

    host.root("mv /usr/sbin/exportfs.away /usr/sbin/exportfs");
    retry();
    let job = site.ends(&deploying, "succeeded");
    assert_eq!(job["result"]["hosts"][0]["result"], "done", "{job}");
    assert_eq!(host.root("zpool get -H -o value guid tank"), pool, "it is the pool of the first attempt");
    assert!(host.root("exportfs -v").contains("tank/nfs"));
}
