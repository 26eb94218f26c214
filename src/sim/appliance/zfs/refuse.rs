//! What is refused whatever the verb: users without rights, pools that have stopped.

use super::super::model::{State, Target, pool_of};
use super::super::shell::Shell;
use super::{Reply, usage};

/// What a user who is not root is told, for verbs that change something.
pub(super) fn without_rights(shell: &Shell, verb: &str, words: &[String]) -> Option<Reply> {
    if shell.is_root() {
        return None;
    }
    let last = words.last().map_or("", String::as_str);
    let first = words.iter().find(|word| !word.starts_with('-')).map_or("", String::as_str);
    let dry = words.iter().any(|word| word.starts_with("-n"));
    let told = match verb {
        "snapshot" => "cannot create snapshots : permission denied".to_owned(),
        "hold" => "cannot hold: permission denied".to_owned(),
        "release" => "cannot release: permission denied".to_owned(),
        "bookmark" => format!("cannot create bookmark '{last}': permission denied"),
        "destroy" if matches!(Target::parse(last), Target::Snapshot(..)) => {
            "cannot destroy snapshots: permission denied".to_owned()
        }
        "destroy" => format!("cannot destroy '{last}': permission denied"),
        "create" | "clone" => format!("cannot create '{last}': permission denied"),
        "rename" => format!("cannot rename '{first}': permission denied"),
        "promote" => format!("cannot promote '{last}': permission denied"),
        "set" => {
            return Some(Reply::fails(255, format!("cannot set property for '{last}': permission denied")));
        }
        "inherit" => {
            return Some(Reply::fails(255, format!("cannot inherit for '{last}': permission denied")));
        }
        "send" if !dry => format!("warning: cannot send '{last}': permission denied"),
        "receive" | "recv" if first != last || !words.iter().any(|word| word == "-A") => {
            "cannot receive new filesystem stream: permission denied".to_owned()
        }
        "load-key" => return Some(Reply::fails(255, "Key load error: Permission denied.")),
        "unload-key" => return Some(Reply::fails(255, "Key unload error: Permission denied.")),
        "mount" | "unmount" if !words.is_empty() => format!("cannot {verb} '{last}': permission denied"),
        _ => return None,
    };
    Some(Reply::fails(1, told))
}

/// A pool whose disks fail answers nothing until somebody clears it.
pub(super) fn suspended(state: &State, verb: &str, words: &[String]) -> Option<Reply> {
    if verb == "version" {
        return None;
    }
    let stopped = |name: &&String| {
        let pool = pool_of(Target::parse(name).dataset());
        state.pools.get(pool).is_some_and(|pool| pool.health == "SUSPENDED")
    };
    let name = words.iter().filter(|word| !word.starts_with('-') && !word.contains('=')).find(stopped)?;
    Some(match verb {
        "create" | "clone" => {
            Reply::fails(1, format!("cannot create '{name}': pool I/O is currently suspended"))
        }
        "snapshot" => Reply::fails(
            2,
            format!(
                "cannot open '{}': pool I/O is currently suspended\n{}",
                Target::parse(name).dataset(),
                usage(super::snapshot::USAGE)
            ),
        ),
        _ => Reply::fails(1, format!("cannot open '{name}': pool I/O is currently suspended")),
    })
}
