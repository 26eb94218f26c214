//! What `rsync` says of a transfer, in the words of 3.2.

use std::collections::BTreeSet;

use super::super::Io;
use super::super::carry::Entry;
use super::options::Options;
use super::sides::Change;
use crate::sim::appliance::model::object::Kind;

/// The figures of `--stats`.
#[derive(Debug, Default)]
pub(super) struct Figures {
    files: [u64; 3],
    created: [u64; 3],
    deleted: [u64; 3],
    transferred: u64,
    size: u64,
    transferred_size: u64,
    pub(super) sent: u64,
    pub(super) received: u64,
    /// Files with several names that were counted under one of them.
    linked: BTreeSet<u64>,
}

fn sort(kind: &Kind) -> usize {
    match kind {
        Kind::File => 0,
        Kind::Directory => 1,
        Kind::Link(_) => 2,
    }
}

/// `1,234,567`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `5 (reg: 3, dir: 2)`
fn sorts(counts: [u64; 3]) -> String {
    let sum: u64 = counts.iter().sum();
    let parts: Vec<String> = ["reg", "dir", "link"]
        .iter()
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name}: {}", grouped(count)))
        .collect();
    if parts.is_empty() { grouped(sum) } else { format!("{} ({})", grouped(sum), parts.join(", ")) }
}

impl Figures {
    /// Takes the list into account.
    pub(super) fn count(&mut self, list: &[Entry]) {
        for entry in list {
            self.files[sort(&entry.kind)] += 1;
            // Of a file with several names each counts, as for rsync.
            self.size += if entry.kind == Kind::Directory { 0 } else { entry.length };
        }
        self.sent += list.iter().map(|entry| entry.path.len() as u64 + 40).sum::<u64>();
        self.received += 20;
    }

    /// Takes one change into account, and says it if it is to be said.
    pub(super) fn note(&mut self, entry: &Entry, change: &Change, options: &Options, io: &Io) {
        self.created[sort(&entry.kind)] += u64::from(change.is_new);
        let again = options.plan.hard_links && entry.links > 1 && !self.linked.insert(entry.number);
        if entry.kind == Kind::File && change.content && !again {
            self.transferred += 1;
            self.transferred_size += entry.length;
        }
        let shown = match (&entry.kind, entry.path.as_str()) {
            (Kind::Directory, "") => "./".to_owned(),
            (Kind::Directory, path) => format!("{path}/"),
            (Kind::Link(target), path) => format!("{path} -> {target}"),
            (Kind::File, path) => path.to_owned(),
        };
        if options.itemize {
            let letter = ["f", "d", "L"][sort(&entry.kind)];
            let first = match (change.content, entry.kind == Kind::File) {
                (true, true) => ">",
                (true, false) => "c",
                _ => ".",
            };
            let letters = if change.is_new {
                "+++++++++".to_owned()
            } else {
                let mark = |set: bool, letter: &str| if set { letter.to_owned() } else { ".".to_owned() };
                let content = change.content && entry.kind == Kind::File;
                format!(
                    "{}{}{}{}{}....",
                    mark(content && options.plan.checksum, "c"),
                    mark(content && !options.plan.checksum, "s"),
                    mark(change.times, "t"),
                    mark(change.perms, "p"),
                    mark(change.owner, "o")
                )
            };
            io.say(format!("{first}{letter}{letters} {shown}\n"));
        } else if options.verbose {
            io.say(format!("{shown}\n"));
        }
    }

    /// What was, or would be, deleted.
    pub(super) fn note_deleted(&mut self, gone: &[(String, Kind)], options: &Options, io: &Io) {
        for (path, kind) in gone {
            self.deleted[sort(kind)] += 1;
            let slash = if *kind == Kind::Directory { "/" } else { "" };
            if options.itemize {
                io.say(format!("*deleting   {path}{slash}\n"));
            } else if options.verbose {
                io.say(format!("deleting {path}{slash}\n"));
            }
        }
    }

    pub(super) fn tell(&self, options: &Options, io: &Io) {
        let dry = if options.plan.dry_run { " (DRY RUN)" } else { "" };
        if options.progress {
            io.say(format!(
                "\r{:>15} 100%    1.00MB/s    0:00:00 (xfr#{}, to-chk=0/{})\n",
                grouped(self.transferred_size),
                self.transferred,
                self.files.iter().sum::<u64>()
            ));
        }
        let literal = if options.plan.dry_run { 0 } else { self.transferred_size };
        if options.stats {
            io.say(format!(
                "\nNumber of files: {}\nNumber of created files: {}\nNumber of deleted files: {}\nNumber of regular files \
                 transferred: {}\nTotal file size: {} bytes\nTotal transferred file size: {} bytes\nLiteral data: {} \
                 bytes\nMatched data: 0 bytes\nFile list size: 0\nFile list generation time: 0.001 seconds\nFile list \
                 transfer time: 0.000 seconds\nTotal bytes sent: {}\nTotal bytes received: {}\n",
                sorts(self.files),
                sorts(self.created),
                sorts(self.deleted),
                grouped(self.transferred),
                grouped(self.size),
                grouped(self.transferred_size),
                grouped(literal),
                grouped(self.sent),
                grouped(self.received),
            ));
        }
        if options.stats || options.verbose {
            let both = (self.sent + self.received).max(1);
            // A ratio with two digits needs no more than a float has.
            #[allow(clippy::cast_precision_loss)]
            let speedup = self.size as f64 / both as f64;
            io.say(format!(
                "\nsent {} bytes  received {} bytes  {}.00 bytes/sec\ntotal size is {}  speedup is {speedup:.2}{dry}\n",
                grouped(self.sent),
                grouped(self.received),
                grouped(both * 2),
                grouped(self.size),
            ));
        }
    }
}
