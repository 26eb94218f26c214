//! `rsync` 3.2 between a path of this machine and one of another simulated one over `ssh`, or on one machine.
//!
//! In: archives with everything that the files here have (owners, modes, times, hard links, attributes, holes),
//! `--delete`, `--checksum`, `--exclude`, `--dry-run`, and the words of `-v`, `-i` and `--stats`. Out: rsync's own
//! protocol and its delta algorithm; what goes between two simulated machines has a form of its own, and files travel whole.

mod options;
mod sides;
mod told;
mod wire;

use self::options::{Options, Place};
use self::sides::{Linked, Receiver, Sender};
use self::told::Figures;
use super::{Io, Shell};

/// A failure: rsync's exit status, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    code: i32,
    said: String,
}

impl Failure {
    fn new(code: i32, said: impl Into<String>) -> Self {
        Self { code, said: said.into() }
    }
}

/// What an exit status means (rsync(1), EXIT VALUES).
fn meaning(code: i32) -> &'static str {
    match code {
        1 => "syntax or usage error",
        3 => "errors selecting input/output files, dirs",
        11 => "error in file IO",
        12 => "error in rsync protocol data stream",
        23 => "some files/attrs were not transferred (see previous errors)",
        127 => "remote command not found",
        _ => "unexplained error",
    }
}

pub(super) fn run(shell: &Shell, program: &str, words: &[String], io: &Io) -> Option<i32> {
    if program != "rsync" {
        return None;
    }
    if words.iter().any(|word| word == "--version" || word == "-V") {
        io.say("rsync  version 3.2.7  protocol version 31\n");
        return Some(0);
    }
    if words.first().is_some_and(|word| word == "--server") {
        return Some(wire::serve(shell, words, io));
    }
    let ended = Options::read(words).and_then(|options| go(shell, &options, io));
    Some(ended.unwrap_or_else(|failure| {
        if !failure.said.is_empty() {
            io.complain(&failure.said);
        }
        let what = meaning(failure.code);
        io.complain(format_args!(
            "rsync error: {what} (code {}) at main.c(1338) [sender=3.2.7]",
            failure.code
        ));
        failure.code
    }))
}

/// One transfer, and what is said of it.
fn go(shell: &Shell, options: &Options, io: &Io) -> Result<i32, Failure> {
    let mut figures = Figures::default();
    let missing = match (&options.from, &options.to) {
        (Place::Here(from), Place::Here(to)) => {
            let mut receiver = sides::Local {
                shell,
                to: shell.absolute(to),
                plan: &options.plan,
                linked: Linked::default(),
            };
            carry(shell, options, &shell.absolute(from), &mut receiver, &mut figures, io)?
        }
        (Place::Here(from), Place::There(there, path)) => {
            let mut receiver = wire::Remote::push(shell, options, there, path, io)?;
            let missing = carry(shell, options, &shell.absolute(from), &mut receiver, &mut figures, io)?;
            figures.received = receiver.finish()?;
            missing
        }
        (Place::There(there, path), Place::Here(to)) => {
            wire::pull(shell, options, (there, path), &shell.absolute(to), &mut figures, io)?
        }
        _ => return Err(Failure::new(1, "The source and destination cannot both be remote.")),
    };
    figures.tell(options, io);
    if missing {
        return Err(Failure::new(23, ""));
    }
    Ok(0)
}

/// What is said of a source that is not there.
fn not_there(from: &str) -> String {
    let what = match from.strip_suffix('/') {
        Some(directory) => format!("change_dir \"{directory}\""),
        None => format!("link_stat \"{from}\""),
    };
    format!("rsync: [sender] {what} failed: No such file or directory (2)")
}

/// Offers everything below `from` to the receiver. True if something was not there.
fn carry(
    shell: &Shell,
    options: &Options,
    from: &str,
    receiver: &mut dyn Receiver,
    figures: &mut Figures,
    io: &Io,
) -> Result<bool, Failure> {
    if options.verbose {
        io.say("sending incremental file list\n");
    }
    let sender = Sender::new(shell, from, &options.plan);
    let Some(sender) = sender else {
        io.complain(not_there(from));
        return Ok(true);
    };
    let wanted = receiver.offer(&sender.list())?;
    for change in &wanted.changes {
        figures.note(&sender.entry(change.number), change, options, io);
    }
    figures.note_deleted(&wanted.deleted, options, io);
    figures.count(&sender.list());
    for change in &wanted.changes {
        let entry = sender.entry(change.number);
        if options.plan.dry_run {
            continue;
        }
        figures.sent += entry.extents.iter().map(|(_, bytes)| bytes.len() as u64 + 16).sum::<u64>() + 60;
        receiver.take(&entry)?;
    }
    receiver.end()?;
    Ok(false)
}
