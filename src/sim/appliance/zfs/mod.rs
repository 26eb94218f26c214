//! `zfs`: the verbs, in the words of OpenZFS 2.3 (recorded in `tests/golden`).

mod create;
mod destroy;
mod get;
mod keys;
mod list;
mod options;
mod plan;
mod receive;
mod refuse;
mod send;
mod snapshot;

use super::shell::{Io, Shell};

pub(crate) use options::{Options, human};

/// The release that is simulated.
pub(crate) const VERSION: &str = "zfs-2.3.2-2~bpo12+2\nzfs-kmod-2.3.2-2~bpo12+2\n";

/// What a verb without streams answers.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Reply {
    pub(crate) fn fails(exit: i32, stderr: impl Into<String>) -> Self {
        Self { exit, stdout: String::new(), stderr: stderr.into() + "\n" }
    }

    /// Adds a complaint and remembers that something failed.
    pub(crate) fn complain(&mut self, text: impl AsRef<str>) {
        self.exit = 1;
        self.stderr.push_str(text.as_ref());
        self.stderr.push('\n');
    }

    pub(crate) fn tell(self, io: &Io) -> i32 {
        if !self.stdout.is_empty() {
            io.say(&self.stdout);
        }
        if !self.stderr.is_empty() {
            io.complain(self.stderr.trim_end_matches('\n'));
        }
        self.exit
    }
}

/// What `zfs` adds when a name that a verb needs is not there.
pub(crate) fn usage(lines: &str) -> String {
    format!(
        "usage:\n{lines}\nFor the property list, run: zfs set|get\n\nFor the delegated permission list, run: \
         zfs allow|unallow\n\nFor further help on a command or topic, run: zfs help [<topic>]"
    )
}

/// Runs `zfs WORDS…`.
pub(crate) fn run(shell: &Shell, words: &[String], io: &Io) -> i32 {
    let Some((verb, words)) = words.split_first() else {
        return Reply::fails(2, "missing command\nusage: zfs command args ...").tell(io);
    };
    if let Some(reply) = refuse::without_rights(shell, verb, words) {
        return reply.tell(io);
    }
    let machine = &shell.machine;
    match verb.as_str() {
        "send" => return send::run(machine, words, io),
        "receive" | "recv" => return receive::run(machine, words, io),
        "load-key" => {
            let key = key_from(io);
            return keys::load(&mut machine.state(), words, &key).tell(io);
        }
        _ => {}
    }
    let encrypts = verb == "create" && words.iter().any(|word| word.starts_with("keyformat="));
    let input = if encrypts { key_from(io) } else { Vec::new() };
    let mut state = machine.state();
    if let Some(reply) = refuse::suspended(&state, verb, words) {
        return reply.tell(io);
    }
    let reply = match verb.as_str() {
        "version" | "--version" | "-V" => Reply { stdout: VERSION.to_owned(), ..Reply::default() },
        "list" => list::run(&state, words),
        "get" => get::run(&state, words),
        "set" => get::set(&mut state, words),
        "inherit" => get::inherit(&mut state, words),
        "create" => create::run(&mut state, words, &input),
        "clone" => create::clone(&mut state, words),
        "promote" => create::promote(&mut state, words),
        "rename" => create::rename(&mut state, words),
        "destroy" => destroy::run(&mut state, words),
        "rollback" => destroy::rollback(&mut state, words),
        "snapshot" | "snap" => snapshot::run(&mut state, words),
        "bookmark" => snapshot::bookmark(&mut state, words),
        "hold" => snapshot::hold(&mut state, words),
        "release" => snapshot::release(&mut state, words),
        "holds" => snapshot::holds(&state, words),
        "mount" => keys::mount(&mut state, words),
        "unmount" | "umount" => keys::unmount(&mut state, words),
        "unload-key" => keys::unload(&mut state, words),
        "share" | "unshare" => share(&mut state, verb == "share", words),
        "allow" | "unallow" => Reply::default(),
        other => Reply::fails(2, format!("unrecognized command '{other}'\nusage: zfs command args ...")),
    };
    drop(state);
    reply.tell(io)
}

/// `zfs share|unshare -a|NAME`
fn share(state: &mut super::model::State, shares: bool, words: &[String]) -> Reply {
    let mut reply = Reply::default();
    let names: Vec<String> = if words.iter().any(|word| word == "-a") {
        state.datasets.keys().cloned().collect()
    } else {
        words.iter().filter(|word| !word.starts_with('-') && *word != "nfs").cloned().collect()
    };
    for name in names {
        match state.datasets.get_mut(&name) {
            Some(dataset) => dataset.unshared = !shares,
            None => reply.complain(format!("cannot open '{name}': dataset does not exist")),
        }
    }
    reply
}

/// A key from standard input; read before anything is locked.
fn key_from(io: &Io) -> Vec<u8> {
    let mut key = io.read_all();
    while key.last() == Some(&b'\n') {
        key.pop();
    }
    key
}
