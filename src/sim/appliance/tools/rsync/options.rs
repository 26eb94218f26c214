//! The command line of `rsync` (rsync(1)).

use serde::{Deserialize, Serialize};

use super::Failure;

/// One end of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Here(String),
    /// `user@host`, path.
    There(String, String),
}

/// What both ends have to know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) recursive: bool,
    pub(super) links: bool,
    pub(super) perms: bool,
    pub(super) times: bool,
    pub(super) owner: bool,
    pub(super) group: bool,
    pub(super) hard_links: bool,
    pub(super) xattrs: bool,
    pub(super) delete: bool,
    pub(super) checksum: bool,
    pub(super) dry_run: bool,
    pub(super) one_file_system: bool,
    pub(super) make_path: bool,
    /// Into the destination itself, not under the source's name in it.
    pub(super) contents: bool,
    pub(super) exclude: Vec<String>,
}

/// A command line.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) plan: Plan,
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) verbose: bool,
    pub(super) itemize: bool,
    pub(super) stats: bool,
    /// Says only how far the whole is.
    pub(super) progress: bool,
    /// The remote shell, and `rsync` there.
    pub(super) shell: String,
    pub(super) program: String,
}

/// Options with a value that change nothing here.
const IDLE: &[&str] = &[
    "--bwlimit",
    "--timeout",
    "--contimeout",
    "--partial-dir",
    "--temp-dir",
    "--log-file",
    "--info",
    "--out-format",
    "--block-size",
    "--compress-level",
    "--max-alloc",
    "--chmod",
];

impl Options {
    pub(super) fn read(words: &[String]) -> Result<Self, Failure> {
        let usage = |what: String| Failure::new(1, format!("rsync: {what}"));
        let mut plan = Plan::default();
        let (mut verbose, mut itemize, mut stats, mut progress) = (false, false, false, false);
        let (mut shell, mut program) = ("ssh".to_owned(), "rsync".to_owned());
        let (mut places, mut words) = (Vec::new(), words.iter());
        while let Some(word) = words.next() {
            if !word.starts_with('-') || word == "-" {
                places.push(word.clone());
                continue;
            }
            if !word.starts_with("--") {
                let mut letters = word[1..].chars();
                while let Some(letter) = letters.next() {
                    match letter {
                        'v' => verbose = true,
                        'i' => itemize = true,
                        'e' => {
                            let attached = letters.as_str().to_owned();
                            letters = "".chars();
                            let value =
                                if attached.is_empty() { words.next().cloned() } else { Some(attached) };
                            shell = value.ok_or_else(|| usage("-e: missing argument".to_owned()))?;
                        }
                        letter if plan.set(letter) => {}
                        letter => return Err(usage(format!("-{letter}: unknown option"))),
                    }
                }
                continue;
            }
            let (name, attached) =
                word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            let mut value = || {
                let value = attached.map(str::to_owned).or_else(|| words.next().cloned());
                value.ok_or_else(|| usage(format!("{name}: missing argument")))
            };
            match name {
                "--verbose" => verbose = true,
                "--itemize-changes" => itemize = true,
                "--stats" => stats = true,
                "--rsh" => shell = value()?,
                "--rsync-path" => program = value()?,
                "--exclude" => plan.exclude.push(value()?),
                "--info" => progress = value()?.contains("progress2"),
                "--delete" | "--delete-after" | "--delete-during" | "--delete-before" | "--delete-delay" => {
                    plan.delete = true;
                }
                "--archive" => {
                    plan.set('a');
                }
                "--recursive" => plan.recursive = true,
                "--dry-run" => plan.dry_run = true,
                "--checksum" => plan.checksum = true,
                "--hard-links" => plan.hard_links = true,
                "--xattrs" => plan.xattrs = true,
                "--acls"
                | "--numeric-ids"
                | "--sparse"
                | "--inplace"
                | "--partial"
                | "--progress"
                | "--whole-file"
                | "--no-whole-file"
                | "--compress"
                | "--human-readable"
                | "--no-human-readable"
                | "--fsync"
                | "--quiet"
                | "--protect-args"
                | "--secluded-args"
                | "--no-inc-recursive"
                | "--append"
                | "--append-verify"
                | "--no-motd"
                | "--preallocate"
                | "--super"
                | "--fake-super"
                | "--devices"
                | "--specials"
                | "--force"
                | "--ignore-errors"
                | "--atimes"
                | "--crtimes" => {}
                "--one-file-system" => plan.one_file_system = true,
                "--mkpath" => plan.make_path = true,
                _ if IDLE.contains(&name) => drop(value()?),
                _ => return Err(usage(format!("{word}: unknown option"))),
            }
        }
        let [from, to] = places.as_slice() else {
            return Err(Failure::new(
                1,
                "rsync: one source and one destination are simulated, no more and no less",
            ));
        };
        plan.contents = from.ends_with('/');
        Ok(Self { plan, from: place(from), to: place(to), verbose, itemize, stats, progress, shell, program })
    }
}

impl Plan {
    /// A letter without a value; false if it is not known.
    fn set(&mut self, letter: char) -> bool {
        match letter {
            'a' => {
                for one in "rlptgoD".chars() {
                    self.set(one);
                }
            }
            'r' => self.recursive = true,
            'l' => self.links = true,
            'p' => self.perms = true,
            't' => self.times = true,
            'g' => self.group = true,
            'o' => self.owner = true,
            'H' => self.hard_links = true,
            'X' => self.xattrs = true,
            'c' => self.checksum = true,
            'n' => self.dry_run = true,
            'x' => self.one_file_system = true,
            'D' | 'A' | 'S' | 'W' | 'z' | 'P' | 'h' | 'q' | 'u' | 'E' | 'U' | 'N' | 's' => {}
            _ => return false,
        }
        true
    }

    /// Whether a relative path is left out. A pattern with a leading `/` counts from the top, any other for each name.
    pub(super) fn leaves_out(&self, path: &str) -> bool {
        let last = path.rsplit('/').next().unwrap_or(path);
        self.exclude.iter().any(|pattern| {
            let pattern = pattern.trim_end_matches('/');
            match pattern.strip_prefix('/') {
                Some(top) => crate::sim::appliance::shell::fits(top, path),
                None => crate::sim::appliance::shell::fits(pattern, last),
            }
        })
    }
}

/// `user@host:/path` is elsewhere; a `:` behind a `/` belongs to a path.
fn place(text: &str) -> Place {
    match text.split_once(':') {
        Some((host, path)) if !host.contains('/') && !host.is_empty() => {
            Place::There(host.to_owned(), path.to_owned())
        }
        _ => Place::Here(text.to_owned()),
    }
}
