//! The preparation script for templates, run for real: afterwards its user can do what Zerfaux does, and nothing more.
//! The identity of a clone is left out here, because these hosts would lose theirs; the script's own first line about it
//! (this machine keeps what it has) is what is checked.

use crate::lab::{LabHost, hosts};
use zerfaux::plan::preparation::{script, sudo_commands};

const USER: &str = "zxprepared";

/// What the lab's hosts do not have, and cannot fetch: the script is told that it is there.
const SHIMS: &str = r#"
mkdir -p /usr/local/sbin
cat >/usr/local/sbin/dpkg-query <<'SHIM'
#!/bin/sh
for word; do last=$word; done
case "$last" in
    open-vm-tools | pv | perl | nfs-kernel-server | sudo | openssh-client | openssh-server | zfsutils-linux)
        case "$*" in *Version*) echo 0 ;; *) echo installed ;; esac ;;
    *) exec /usr/bin/dpkg-query "$@" ;;
esac
SHIM
chmod 755 /usr/local/sbin/dpkg-query
"#;

const CLEAN: &str = r#"
systemctl disable zerfaux-identity.service 2>/dev/null || true
rm -rf /usr/local/sbin/dpkg-query /etc/sudoers.d/zerfaux /etc/ssh/sshd_config.d/10-zerfaux.conf \
    /etc/systemd/system/zerfaux-identity.service /usr/local/lib/zerfaux /var/lib/zerfaux
userdel -r zxprepared 2>/dev/null || true
systemctl daemon-reload
systemctl reload ssh
true
"#;

struct Cleaned(&'static LabHost);

impl Drop for Cleaned {
    fn drop(&mut self) {
        self.0.root(CLEAN);
    }
}

#[test]
#[ignore = "needs the lab: tests/run"]
fn a_prepared_host_lets_its_user_do_what_zerfaux_does_and_nothing_more() {
    let (_, host) = hosts();
    host.root(CLEAN);
    let _cleaned = Cleaned(host);
    host.root(SHIMS);
    let key = host.root("head -n 1 /root/.ssh/authorized_keys");
    let text = script(&USER.parse().unwrap(), &key).unwrap();
    let before = host.root("cat /etc/machine-id /etc/ssh/ssh_host_*.pub | sha256sum");
    // Line by line, so that no word of it is taken for the end of a here-document.
    let lines: Vec<String> = text.lines().map(|line| format!("'{}'", line.replace('\'', r"'\''"))).collect();
    host.root(&format!("printf '%s\\n' {} >/root/prepare.sh", lines.join(" ")));
    let first = host.root("sh /root/prepare.sh");
    assert!(first.contains("made the user zxprepared") && first.contains("done."), "{first}");
    let again = host.root("sh /root/prepare.sh; rm /root/prepare.sh");
    assert!(!again.contains("wrote") && !again.contains("made") && !again.contains("added"), "{again}");
    assert_eq!(
        host.root("cat /etc/machine-id /etc/ssh/ssh_host_*.pub | sha256sum"),
        before,
        "its identity stays"
    );
    host.root("visudo -c -q && sshd -t");
    // What it may.
    for allowed in [
        "sudo -n zfs list",
        "sudo -n zpool list",
        "sudo -n systemctl enable --now nfs-server.service",
        "sudo -n journalctl -q -n 20 --no-pager -u nfs-server.service",
        "cat /var/lib/nfs/etab",
        "lsblk -J -b -o NAME,PATH,TYPE,SIZE,SERIAL,WWN,FSTYPE,PTTYPE,MOUNTPOINTS",
        "ls -l /dev/disk/by-id",
    ] {
        let answer = host.try_as(USER, allowed);
        assert_eq!(answer.status, 0, "{allowed}: {}", answer.stderr);
    }
    // What it may not.
    for refused in [
        "sudo -n id",
        "sudo -n cat /etc/shadow",
        "sudo -n systemctl enable --now ssh.service",
        "sudo -n systemctl stop nfs-server.service",
        "sudo -n journalctl",
        "sudo -n exportfs -ua",
    ] {
        let answer = host.try_as(USER, refused);
        assert_ne!(answer.status, 0, "{refused} was allowed");
    }
    let rules = host.root("cat /etc/sudoers.d/zerfaux");
    assert!(sudo_commands().iter().all(|command| rules.contains(command)), "{rules}");
}
