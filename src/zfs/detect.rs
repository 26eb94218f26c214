//! Finding OpenZFS on a host, and the way to use it.

use std::fmt;

use crate::domain::argv::Argv;

use super::Runner;
use super::args::SendFlags;
use super::command::Tool;
use super::error::{Attempt, ZfsError};

/// How commands are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// As root.
    Root,
    /// Through `sudo -n`.
    Sudo,
    /// As a user with delegated permissions (zfs-allow(8)), or with none.
    Delegated,
}

/// The operating system of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux.
    Linux,
    /// FreeBSD.
    FreeBsd,
    /// Another one.
    Other,
}

/// A release of OpenZFS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    numbers: (u32, u32, u32),
    text: String,
}

impl Release {
    /// Reads `2.3.2-2~bpo12+2` or `2.1.14-FreeBSD_gd99134be8`.
    pub fn parse(text: &str) -> Option<Self> {
        let numbers = text.split(['-', '_', '~', '+']).next()?;
        let mut parts = numbers.split('.').map(str::parse::<u32>);
        let major = parts.next()?.ok()?;
        let minor = parts.next()?.ok()?;
        let patch = parts.next().and_then(Result::ok).unwrap_or(0);
        Some(Self { numbers: (major, minor, patch), text: text.to_owned() })
    }

    /// Whether it is this release or a later one.
    pub fn at_least(&self, major: u32, minor: u32) -> bool {
        (self.numbers.0, self.numbers.1) >= (major, minor)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// How streams may travel between two hosts: `-L -e -c` where both know them, which OpenZFS does from
/// 0.8 on, the release from which on it says its version.
pub fn common_flags(source: Option<&Release>, destination: Option<&Release>) -> SendFlags {
    let modern = |release: Option<&Release>| release.is_some_and(|release| release.at_least(0, 8));
    if modern(source) && modern(destination) { SendFlags::MODERN } else { SendFlags::default() }
}

/// What was found.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) zfs: String,
    pub(super) zpool: String,
    pub(super) user: String,
    pub(super) privilege: Privilege,
    pub(super) sudo_runs_zpool: bool,
    pub(super) system: System,
    pub(super) release: Option<Release>,
    pub(super) kernel: Option<Release>,
    /// Whether the login shell says things of its own.
    pub(super) noisy: bool,
}

impl Tools {
    /// `zpool` is only asked for facts, which need no privilege; so a sudoers file may leave it out.
    pub(super) fn through_sudo(&self, tool: Tool) -> bool {
        let allowed = match tool {
            Tool::Zfs => true,
            Tool::Zpool => self.sudo_runs_zpool,
            Tool::Date => false,
        };
        self.privilege == Privilege::Sudo && allowed
    }
}

/// Everything in one go, in the words of POSIX sh. `PATH` first, so that a host's own choice counts;
/// then the places where OpenZFS lies on Debian, Red Hat and FreeBSD, which are not in the `PATH` of a
/// plain user.
const SCRIPT: &str = r#"
LC_ALL=C; export LC_ALL
echo zerfaux-begins; echo zerfaux-begins >&2
PATH="${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin:/usr/local/sbin"; export PATH
zfs=$(command -v zfs); zpool=$(command -v zpool)
echo "uid=$(id -u)"
echo "user=$(id -un)"
echo "system=$(uname -s)"
echo "zfs=$zfs"
echo "zpool=$zpool"
[ -n "$zfs" ] || exit 0
"$zfs" version </dev/null 2>/dev/null
if [ "$(id -u)" != 0 ]; then
    sudo -n "$zfs" version </dev/null >/dev/null 2>&1 && echo "sudo_zfs=yes"
    sudo -n "$zpool" version </dev/null >/dev/null 2>&1 && echo "sudo_zpool=yes"
fi
exit 0
"#;

const DEADLINE: std::time::Duration = std::time::Duration::from_secs(60);

pub(super) async fn look(runner: &dyn Runner, host: &str) -> Result<Tools, ZfsError> {
    let attempt =
        || Box::new(Attempt { what: "look for OpenZFS".to_owned(), host: host.to_owned(), needs: None });
    let argv = Argv::new(["sh", "-c", SCRIPT])
        .map_err(|error| ZfsError::Arguments { attempt: attempt(), why: error.to_string() })?;
    let output = runner
        .run(&argv, None, DEADLINE)
        .await
        .map_err(|source| ZfsError::Host { attempt: attempt(), source: Box::new(source) })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let before = |text: &str| text.split_once("zerfaux-begins\n").is_some_and(|(noise, _)| !noise.is_empty());
    let noisy = before(&text) || before(&String::from_utf8_lossy(&output.stderr));
    let Some(tools) = read(&text).map(|tools| Tools { noisy, ..tools }) else {
        let why = "the login shell did not run a POSIX script".to_owned();
        return Err(ZfsError::Parse { attempt: attempt(), why, line: text.chars().take(200).collect() });
    };
    if tools.zfs.is_empty() {
        return Err(ZfsError::NotInstalled { host: host.to_owned() });
    }
    Ok(tools)
}

/// Reads what [`SCRIPT`] printed. A login script may have printed lines of its own before.
pub(super) fn read(text: &str) -> Option<Tools> {
    let value = |key: &str| {
        let found = |line: &&str| line.split_once('=').is_some_and(|(name, _)| name == key);
        text.lines()
            .rfind(found)
            .and_then(|line| line.split_once('='))
            .map(|(_, value)| value.trim().to_owned())
    };
    let release = |prefix: &str| {
        let numbers = |line: &str| Release::parse(line.strip_prefix(prefix)?);
        text.lines().find_map(numbers)
    };
    let privilege = if value("uid")? == "0" {
        Privilege::Root
    } else if value("sudo_zfs").is_some() {
        Privilege::Sudo
    } else {
        Privilege::Delegated
    };
    let system = match value("system")?.as_str() {
        "Linux" => System::Linux,
        "FreeBSD" => System::FreeBsd,
        _ => System::Other,
    };
    let zfs = value("zfs")?;
    // Without one of its own, `zpool` is looked for when it is needed.
    let zpool = value("zpool").filter(|path| !path.is_empty()).unwrap_or_else(|| "zpool".to_owned());
    Some(Tools {
        zfs,
        zpool,
        user: value("user").unwrap_or_default(),
        privilege,
        sudo_runs_zpool: value("sudo_zpool").is_some(),
        system,
        release: release("zfs-").or_else(|| release("zfs-kmod-")),
        kernel: release("zfs-kmod-"),
        noisy: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUDO: &str = "Welcome to a=b\nuid=1000\nuser=zfsadmin\nsystem=Linux\nzfs=/usr/sbin/zfs\n\
        zpool=/usr/sbin/zpool\nzfs-2.3.2-2~bpo12+2\nzfs-kmod-2.3.2-2~bpo12+2\nsudo_zfs=yes\nsudo_zpool=yes\n";

    #[test]
    fn a_user_with_sudo_is_told_from_root_and_from_a_delegated_user() {
        let tools = read(SUDO).unwrap();
        assert_eq!(tools.privilege, Privilege::Sudo);
        assert!(tools.through_sudo(Tool::Zfs) && tools.through_sudo(Tool::Zpool));
        assert_eq!(tools.user, "zfsadmin");
        assert_eq!(tools.kernel.unwrap().to_string(), "2.3.2-2~bpo12+2");
        let root = read(
            "uid=0\nuser=root\nsystem=FreeBSD\nzfs=/sbin/zfs\nzpool=/sbin/zpool\nzfs-2.1.14-FreeBSD_gd99\n",
        );
        let root = root.unwrap();
        assert_eq!((root.privilege, root.system), (Privilege::Root, System::FreeBsd));
        assert!(root.release.unwrap().at_least(2, 1));
        let plain = read(&SUDO.replace("sudo_zfs=yes\n", "").replace("sudo_zpool=yes\n", "")).unwrap();
        assert_eq!(plain.privilege, Privilege::Delegated);
        assert!(!plain.through_sudo(Tool::Zfs));
        // sudoers may allow zfs alone
        let zfs_alone = read(&SUDO.replace("sudo_zpool=yes\n", "")).unwrap();
        assert!(zfs_alone.through_sudo(Tool::Zfs) && !zfs_alone.through_sudo(Tool::Zpool));
    }

    #[test]
    fn flags_are_those_that_both_releases_know() {
        let release = |text| Release::parse(text).unwrap();
        let (old, new) = (release("0.7.13-1"), release("2.3.2"));
        assert_eq!(common_flags(Some(&new), Some(&release("0.8.0-rc1"))), SendFlags::MODERN);
        assert_eq!(common_flags(Some(&new), Some(&old)), SendFlags::default());
        assert_eq!(common_flags(Some(&new), None), SendFlags::default());
        assert_eq!(Release::parse("kmod-2.3.2"), None);
    }

    #[test]
    fn output_of_something_that_is_no_posix_shell_is_not_understood() {
        assert!(read("Unknown command: LC_ALL=C").is_none());
    }
}
