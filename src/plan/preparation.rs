//! The script that prepares a virtual machine as a template for appliances, with the user and the public key in it.
//!
//! The script itself is `prepare.sh`, beside this file. Both values are quoted for the shell by
//! [`crate::domain::argv`], and put in at one place each.

use crate::domain::argv::Argv;
use crate::domain::template::LoginName;

const SCRIPT: &str = include_str!("prepare.sh");
const USER: &str = "@USER@";
const PUBLIC_KEY: &str = "@PUBLIC_KEY@";

/// The name under which it is downloaded.
pub const FILE_NAME: &str = "zerfaux-prepare-template.sh";

/// What cannot be put into the script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no public key as it stands in an authorized_keys file: one line that begins with its type")]
pub struct NotAKey;

/// The script for this user and this public key, which is one line of an `authorized_keys` file (sshd(8)).
///
/// # Errors
/// If the key is not one line that begins with a type of keys.
pub fn script(user: &LoginName, public_key: &str) -> Result<String, NotAKey> {
    const TYPES: [&str; 4] = ["ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-", "sk-"];
    let key = public_key.trim();
    if key.chars().any(char::is_control) || !TYPES.iter().any(|kind| key.starts_with(kind)) {
        return Err(NotAKey);
    }
    let quoted = |text: &str| Argv::new([text]).map(|argv| argv.to_shell()).map_err(|_nul| NotAKey);
    let (user, key) = (quoted(user.as_str())?, quoted(key)?);
    // The key may hold what looks like the user's place, so it goes in last.
    Ok(SCRIPT.replacen(USER, &user, 1).replacen(PUBLIC_KEY, &key, 1))
}

/// The commands that the script lets the user run as root, as they stand in sudoers(5): without arguments any are
/// allowed, else exactly these.
pub fn sudo_commands() -> Vec<&'static str> {
    let rules = SCRIPT.lines().filter_map(|line| line.strip_prefix("$USER_NAME ALL=(root) NOPASSWD: "));
    rules.flat_map(|rules| rules.split(", ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ zerfaux:lab";

    fn user() -> LoginName {
        "zfsadmin".parse().unwrap()
    }

    #[test]
    fn user_and_key_are_in_the_script_once_each_and_nothing_is_left_open() {
        let script = script(&user(), KEY).unwrap();
        assert!(script.contains("\nUSER_NAME=zfsadmin\n"), "{script}");
        assert!(script.contains(&format!("\nPUBLIC_KEY='{KEY}'\n")), "{script}");
        assert!(!script.contains("@USER@") && !script.contains("@PUBLIC_KEY@"));
        assert!(script.starts_with("#!/bin/sh\n"));
    }

    #[test]
    fn a_hostile_comment_stays_one_word() {
        let hostile = format!("{KEY}'; reboot; echo '@USER@ $(id)");
        let script = script(&user(), &hostile).unwrap();
        let expected = format!("\nPUBLIC_KEY='{KEY}'\\''; reboot; echo '\\''@USER@ $(id)'\n");
        assert!(script.contains(&expected), "{script}");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "AAAA", "ssh-ed25519 A\nssh-rsa B", "command=\"x\" ssh-ed25519 A", "ssh-ed25519 A\0"]
        {
            assert_eq!(script(&user(), text), Err(NotAKey), "{text:?}");
        }
    }

    #[test]
    fn the_user_may_run_six_things_as_root() {
        let all = [
            "/usr/sbin/zfs",
            "/usr/sbin/zpool",
            "/usr/sbin/exportfs -v",
            "/usr/bin/systemctl enable --now nfs-server.service",
            "/usr/bin/journalctl -q -n 20 --no-pager -u nfs-server.service",
            // Lock files in the folders of virtual machines, one at a time (a regular expression, sudoers(5)).
            "/usr/bin/rm ^-f -- /srv/zerfaux/[^/]+/[^/]+/[^/]*[.]lck[^/]*$",
        ];
        assert_eq!(sudo_commands(), all);
    }
}
