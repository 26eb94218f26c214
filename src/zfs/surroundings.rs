//! What an appliance needs besides pools: an NFS server that runs, what it exports, a clock that is right, rights.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::argv::Argv;
use crate::domain::names::DatasetName;

use super::error::{Attempt, ZfsError};
use super::{Zfs, verbs};

/// What was seen besides pools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Its clock, in seconds since 1970.
    pub now: Option<i64>,
    /// By how many seconds its zone is ahead of UTC.
    pub utc_offset: i32,
    /// The groups of the user who runs the commands.
    pub groups: Vec<String>,
    /// Whether its NFS server runs; none where that cannot be asked.
    pub nfs_running: Option<bool>,
    /// Directory and clients of each export; none where that cannot be read.
    pub exports: Option<Vec<(String, String)>>,
}

/// In the words of POSIX sh. The table of exports may be read by everybody on Linux; exportfs(8) wants root.
const SCRIPT: &str = r#"
LC_ALL=C; export LC_ALL
PATH="${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin:/usr/local/sbin"; export PATH
echo "now=$(date +%s)"
echo "zone=$(date +%z)"
echo "groups=$(id -Gn)"
if command -v systemctl >/dev/null 2>&1; then
    echo "nfs=$(systemctl is-active nfs-server 2>/dev/null)"
fi
if [ -r /var/lib/nfs/etab ]; then
    echo "exports=yes"
    cat /var/lib/nfs/etab
elif [ -n "$(command -v exportfs)" ]; then
    echo "exports=yes"
    exportfs -s 2>/dev/null
fi
exit 0
"#;

const DEADLINE: std::time::Duration = std::time::Duration::from_secs(30);

impl Zfs {
    /// Looks at what is around OpenZFS on the host. One command.
    ///
    /// # Errors
    /// If the host cannot be reached.
    pub async fn surroundings(&self) -> Result<Surroundings, ZfsError> {
        let attempt = || {
            let (what, host) = ("look at its clock and its exports".to_owned(), self.host.label().to_owned());
            Box::new(Attempt { what, host, needs: None })
        };
        let argv = Argv::new(["sh", "-c", SCRIPT])
            .map_err(|error| ZfsError::Arguments { attempt: attempt(), why: error.to_string() })?;
        let output = self
            .runner
            .run(&argv, None, DEADLINE)
            .await
            .map_err(|source| ZfsError::Host { attempt: attempt(), source: Box::new(source) })?;
        Ok(read(&String::from_utf8_lossy(&output.stdout)))
    }

    /// The permissions that are delegated on `dataset` to the user who runs the commands, to one of `groups`, or to
    /// everybody.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn allowed(
        &self,
        dataset: &DatasetName,
        groups: &[String],
    ) -> Result<BTreeSet<String>, ZfsError> {
        let text = self.run(&verbs::allowed(dataset)).await?;
        Ok(permissions(&text, &self.tools.user, groups))
    }

    /// The user who runs the commands.
    pub fn user(&self) -> &str {
        &self.tools.user
    }
}

fn read(text: &str) -> Surroundings {
    let mut found = Surroundings::default();
    for line in text.lines() {
        if let Some(exports) = &mut found.exports {
            let path_and_clients = line.split_once(['\t', ' ']).filter(|(path, _)| path.starts_with('/'));
            exports
                .extend(path_and_clients.map(|(path, clients)| (unescaped(path), clients.trim().to_owned())));
            continue;
        }
        match line.split_once('=') {
            Some(("now", value)) => found.now = value.trim().parse().ok(),
            Some(("zone", value)) => found.utc_offset = offset(value.trim()).unwrap_or(0),
            Some(("groups", value)) => {
                found.groups = value.split_whitespace().map(str::to_owned).collect();
            }
            Some(("nfs", value)) if !value.trim().is_empty() => {
                found.nfs_running = Some(value.trim() == "active")
            }
            Some(("exports", "yes")) => found.exports = Some(Vec::new()),
            _ => {}
        }
    }
    found
}

/// `+0130` as seconds.
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_at_checked(2)?;
    Some(sign * (hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60))
}

/// The table writes a space in a path as `\040`.
fn unescaped(path: &str) -> String {
    let mut parts = path.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) if code.is_ascii() => {
                text.push(char::from(code));
                text.push_str(&part[3..]);
            }
            _ => {
                text.push('\\');
                text.push_str(part);
            }
        }
    }
    text
}

/// Reads what `zfs allow DATASET` prints. Sets (`@name`) are opened.
fn permissions(text: &str, user: &str, groups: &[String]) -> BTreeSet<String> {
    let mut sets: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut granted: Vec<&str> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [set, list] if set.starts_with('@') => sets.entry(set).or_default().extend(list.split(',')),
            ["user", name, list] if *name == user => granted.extend(list.split(',')),
            ["group", name, list] if groups.iter().any(|group| group == name) => {
                granted.extend(list.split(','))
            }
            ["everyone", list] => granted.extend(list.split(',')),
            _ => {}
        }
    }
    let mut all = BTreeSet::new();
    let mut opened = BTreeSet::new();
    while let Some(word) = granted.pop() {
        if !word.starts_with('@') {
            all.insert(word.to_owned());
        } else if opened.insert(word) {
            granted.extend(sets.get(word).into_iter().flatten());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_zone_nfs_and_exports_are_read() {
        let text = "Welcome\nnow=1764244800\nzone=+0100\ngroups=zfsadmin sudo\nnfs=active\nexports=yes\n\
            /tank/vm\t10.0.0.0/8(rw,sync,wdelay)\n/tank/a\\040b  *(ro)\n";
        let found = read(text);
        assert_eq!((found.now, found.utc_offset, found.nfs_running), (Some(1_764_244_800), 3600, Some(true)));
        assert_eq!(found.groups, ["zfsadmin", "sudo"]);
        let exports = found.exports.unwrap();
        assert_eq!(exports[0], ("/tank/vm".to_owned(), "10.0.0.0/8(rw,sync,wdelay)".to_owned()));
        assert_eq!(exports[1], ("/tank/a b".to_owned(), "*(ro)".to_owned()));
        assert_eq!(offset("-0330"), Some(-12_600));
    }

    #[test]
    fn what_cannot_be_told_stays_open() {
        assert_eq!(read("zone=?\nnfs=\n"), Surroundings::default());
        assert_eq!(read("nfs=inactive\n").nfs_running, Some(false));
        assert_eq!(read("exports=yes\n").exports, Some(Vec::new()));
    }

    #[test]
    fn permissions_of_the_user_of_its_groups_and_of_everybody_are_joined_and_sets_opened() {
        let text = "---- Permissions on tank ----------\nPermission sets:\n\t@dr hold,release,@more\n\t@more send\n\
            Local permissions:\n\tuser other destroy\nLocal+Descendent permissions:\n\tuser zfsadmin create,@dr\n\
            \tgroup storage mount\n\tgroup wheel promote\n\teveryone userprop\n";
        let found = permissions(text, "zfsadmin", &["zfsadmin".to_owned(), "storage".to_owned()]);
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found, ["create", "hold", "mount", "release", "send", "userprop"]);
    }
}
