//! The preparation script for templates, run for real on a fresh host: afterwards its user can do what Zerfaux does, and
//! nothing more, and a clone gets an identity of its own and tells it.

use std::process::Command;

use crate::lab::{Mine, PREPARED_USER, Side, spare};
use crate::zerfaux_cli::zerfaux;
use zerfaux::plan::preparation::{script, sudo_commands};

/// A host that the script has prepared, and what it said.
pub fn prepared() -> (Mine, String) {
    let mut spare = spare();
    let text = script(&PREPARED_USER.parse().unwrap(), &spare.public_key).unwrap();
    let said = spare.prepared(&text);
    (spare, said)
}

/// Everything that the script may write, as one number.
const WRITTEN: &str = "cd /; find etc/sudoers.d etc/ssh etc/systemd etc/apt usr/local var/lib/zerfaux home etc/passwd etc/shadow \
                       etc/machine-id -printf '%p %m %u %l\\n' -type f -exec sha256sum {} + | LC_ALL=C sort | sha256sum";

#[test]
#[ignore = "needs the lab: tests/run"]
fn the_preparation_script_ends_on_a_fresh_host_and_run_again_changes_nothing() {
    let (spare, first) = prepared();
    for said in [
        "installing open-vm-tools",
        "made the user zxprepared",
        "added the key of Zerfaux to /home/zxprepared/.ssh/authorized_keys",
        "wrote /etc/sudoers.d/zerfaux",
        "enabled zerfaux-identity.service",
        "VMware does not run this machine, so it cannot tell its host key",
        "done.",
    ] {
        assert!(first.contains(said), "{said:?} is not in {first}");
    }
    let before = spare.host.root(WRITTEN);
    let again = spare.prepare_again();
    for change in ["installing", "made", "added", "wrote", "enabled"] {
        assert!(!again.contains(&format!("zerfaux: {change}")), "{change:?} again: {again}");
    }
    assert!(again.contains("done."), "{again}");
    assert_eq!(spare.host.root(WRITTEN), before);
    spare.host.root("visudo -c -q && sshd -t");
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn its_user_may_do_what_zerfaux_does_and_nothing_more() {
    let (spare, _) = prepared();
    let host = spare.host;
    spare.plug("128M", Some("zxright"));
    let by_id = "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_zxright";
    for allowed in [
        "sudo -n zfs list",
        &format!("sudo -n zpool create -o ashift=12 -O atime=off -m none zxright {by_id}"),
        "sudo -n zfs create -o mountpoint=/zxright/nfs -o sharenfs=rw=@10.77.0.0/24 zxright/nfs",
        "sudo -n systemctl enable --now nfs-server.service",
        "sudo -n exportfs -v | grep -q /zxright/nfs",
        "sudo -n journalctl -q -n 20 --no-pager -u nfs-server.service",
        "sudo -n rm -f -- '/srv/zerfaux/run/my vm/.lck-0123456789abcdef'",
        "sudo -n zfs snapshot zxright/nfs@one",
        "sudo -n zfs send zxright/nfs@one | sudo -n zfs receive -u zxright/copy",
        "sudo -n zpool destroy zxright",
        "cat /var/lib/nfs/etab",
        "lsblk -J -b -o NAME,PATH,TYPE,SIZE,SERIAL,WWN,FSTYPE,PTTYPE,MOUNTPOINTS",
        "ls -l /dev/disk/by-id",
        "command -v pv",
    ] {
        let answer = host.try_as(PREPARED_USER, allowed);
        assert_eq!(answer.status, 0, "{allowed}: {}", answer.stderr);
    }
    for refused in [
        "sudo -n id",
        "sudo -n cat /etc/shadow",
        "sudo -n systemctl enable --now ssh.service",
        "sudo -n systemctl stop nfs-server.service",
        "sudo -n journalctl",
        "sudo -n exportfs -ua",
        "sudo -n -u zfsadmin true",
        "sudo -n sh -c true",
        "sudo -n rm -f -- /etc/hostname",
        "sudo -n rm -f -- /srv/zerfaux/run/vm/vm.vmx",
        "sudo -n rm -f -- /srv/zerfaux/../../etc/x.lck",
        "sudo -n rm -rf -- /srv/zerfaux/run/vm/.lck-1",
    ] {
        let answer = host.try_as(PREPARED_USER, refused);
        assert_ne!(answer.status, 0, "{refused} was allowed");
    }
    let rules = host.root("cat /etc/sudoers.d/zerfaux");
    assert!(sudo_commands().iter().all(|command| rules.contains(command)), "{rules}");
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn its_user_replicates_with_the_key_that_the_script_put_there() {
    let (spare, _) = prepared();
    let host = spare.host;
    // Without the lab's own way in: only what the script wrote counts.
    host.root("mv /etc/ssh/lab_authorized_keys /etc/ssh/lab_authorized_keys.away");
    let side = Side::with_pool(host, "prepared", "128M");
    side.play("+ data\nw data one 512K\n@ data s1");
    let at = |dataset: &str| {
        format!("ssh://{PREPARED_USER}@{}:{}/{}", host.address, host.port, side.name(dataset))
    };
    let run = || {
        let mut command: Command = zerfaux();
        command.arg("replicate").arg("--identity").arg(&spare.key);
        command.arg("--known-hosts").arg(&host.known_hosts).args([at("data"), at("copy")]);
        command.output().unwrap()
    };
    let first = run();
    side.play("w data two 64K");
    let second = run();
    host.root("mv /etc/ssh/lab_authorized_keys.away /etc/ssh/lab_authorized_keys");
    for output in [first, second] {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && said.contains("verified"),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    crate::lab::assert_same((&side, "data"), (&side, "copy"));
}

/// VMware, as far as the identity service speaks to it: a file for each of its values.
const SHIM: &str = r#"
mkdir -p /run/vmware
cat >/usr/local/sbin/vmware-rpctool <<'SHIM'
#!/bin/sh
set -- $1
verb=$1 name=$2
shift 2
case $verb in
    info-get) cat "/run/vmware/$name" ;;
    info-set) printf '%s\n' "$*" >"/run/vmware/$name" ;;
    *) exit 1 ;;
esac
SHIM
chmod 755 /usr/local/sbin/vmware-rpctool
"#;

/// Has the identity service run as at a start of a machine for which Zerfaux set this number, and gives what it told.
pub fn told_at_start(spare: &Mine, number: &str) -> String {
    spare.host.root(&at_start(number))
}

/// The commands for that.
fn at_start(number: &str) -> String {
    format!(
        "{SHIM}
         printf %s {number} >/run/vmware/guestinfo.zerfaux.nonce
         rm -f /run/vmware/guestinfo.zerfaux.hostkey
         systemctl restart zerfaux-identity.service
         cat /run/vmware/guestinfo.zerfaux.hostkey 2>/dev/null || true
         rm -rf /run/vmware /usr/local/sbin/vmware-rpctool"
    )
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_clone_gets_an_identity_of_its_own_once_and_tells_it_with_the_number_that_was_set() {
    let (spare, _) = prepared();
    let host = spare.host;
    let before = host.root(IDENTITY);
    let log = "journalctl -q -o cat -u zerfaux-identity.service -n 2";

    // Not run by VMware: it says so, and does nothing.
    host.root("systemctl restart zerfaux-identity.service");
    let said = host.root(log);
    assert!(said.contains("VMware does not run this machine") && said.contains("not told"), "{said}");

    assert_eq!(told_at_start(&spare, "0123abcd"), format!("0123abcd {}", host.root(PRINT)));
    assert_eq!(host.root(IDENTITY), before, "the template keeps what it has");
    assert_eq!(told_at_start(&spare, "'$(id)'"), "", "what is no number is not given back");

    // The same disk in another machine, and then in its own again: in one command, because a connection that is made
    // while the host has another key would rightly be refused.
    let said = host.root(&format!(
        "cp -a /etc/ssh /etc/machine-id /root/
         put_back() {{
             rm -f /etc/ssh/ssh_host_*; cp -a /root/ssh/. /etc/ssh/; cp -a /root/machine-id /etc/machine-id
             rm -r /root/ssh /root/machine-id; cp /etc/machine-id /var/lib/zerfaux/machine-id
         }}
         trap put_back EXIT
         echo another >/var/lib/zerfaux/machine
         {feed}
         echo ----; {IDENTITY}
         echo ----; {PRINT}
         echo ----; {beef}
         echo ----; {IDENTITY}",
        feed = at_start("feed"),
        beef = at_start("beef"),
    ));
    let [told, clone, its, again, later] = said.split("----\n").collect::<Vec<_>>()[..] else {
        panic!("five answers: {said}")
    };
    assert_eq!(told, format!("feed {its}"));
    for (one, other) in before.lines().zip(clone.lines()) {
        assert_ne!(one, other, "of the template in its clone");
    }
    assert_eq!((again, later), (format!("beef {its}").as_str(), clone), "and from then on it is its own");
}

/// Who a host is: the number of the machine, and its key.
const IDENTITY: &str = "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub";

/// The key's fingerprint.
const PRINT: &str = "ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2";
