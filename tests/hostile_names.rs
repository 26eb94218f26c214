//! Names that somebody chose to do harm: 10,000 of them through every parser of names, every builder of
//! commands that takes them, and a real shell. What is accepted arrives byte for byte; the rest is
//! refused; and nothing but the command that was meant is run.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::Path;
use std::process::Command as Process;

use zerfaux::domain::argv::{Argv, ArgvError};
use zerfaux::domain::dataset::Base;
use zerfaux::domain::dataset::DatasetKind;
use zerfaux::domain::names::{BookmarkName, DatasetName, SnapTag, SnapshotName};
use zerfaux::zfs::args::{ReceiveArgs, SendArgs, SendFlags};
use zerfaux::zfs::command::Command;
use zerfaux::zfs::property::{HoldTag, Property, PropertyName, ResumeToken};
use zerfaux::zfs::verbs::{self, Depth};

const NAMES: usize = 10_000;
/// One argument of `sh -c` holds at most 128 KiB on Linux.
const SCRIPT_BYTES: usize = 100_000;

/// Pieces that mean something to a shell, to `zfs`, to a terminal or to a careless parser.
const PIECES: &[&str] = &[
    "'",
    "\"",
    "`touch canary`",
    "$(touch canary)",
    "$((1+1))",
    "${IFS}",
    "$PATH",
    "$0",
    "$@",
    ";touch canary;",
    "\ntouch canary\n",
    "|touch canary",
    "&touch canary&",
    "&& touch canary",
    "|| reboot",
    ">canary",
    "<canary",
    ">>canary",
    "2>&1",
    "\\",
    "\\'",
    "'\\''",
    "'; touch canary; '",
    "\"; reboot; \"",
    "*",
    "?",
    "[a-z]",
    "{a,b}",
    "~",
    "~root",
    "#",
    "# comment",
    "!",
    "!!",
    "!touch",
    "%",
    "@",
    "@s1,s2",
    "@a%b",
    "..",
    ".",
    "/",
    "//",
    "-r",
    "-R",
    "-F",
    "--",
    "--help",
    "-o",
    "=",
    ",",
    ":",
    " ",
    "  ",
    "\t",
    "\r",
    "\n",
    "\r\n",
    "\0",
    "\u{1}",
    "\u{7}",
    "\u{8}",
    "\u{1b}[2J",
    "\u{1b}]0;x\u{7}",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{200b}",
    "\u{202e}",
    "\u{feff}",
    "ä",
    "e\u{301}",
    "日本",
    "😀",
    "/usr/bin/touch canary",
    "$(/usr/bin/touch canary)",
    "`/bin/touch canary`",
    "<(touch canary)",
    "eval touch canary",
    "() { :; }; touch canary",
    "-0",
    "%n%s",
    "$'\\x41'",
    "(",
    ")",
    "((",
    "[[",
];
const PLAIN: &[&str] =
    &["tank", "a", "vm", "data 1", "erp_1.2", "zx-1", "x:y", "B", "7", "s1", "autosnap_2026-11-20"];

/// A generator that gives the same names on every machine (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// A text of hostile and of harmless pieces: some are names, most are not.
    fn name(&mut self) -> String {
        let mut name = String::new();
        match self.below(20) {
            // valid or nearly so
            0..=5 => {
                name.push_str("tank");
                for _ in 0..self.below(4) {
                    name.push_str(self.pick(&["/", "/", "/", "-", " ", ""]));
                    name.push_str(self.pick(PLAIN));
                }
                match self.below(4) {
                    0 => name.push_str(&format!("@{}", self.pick(PLAIN))),
                    1 => name.push_str(&format!("#{}", self.pick(PLAIN))),
                    _ => {}
                }
                if self.below(4) == 0 {
                    name.push_str(self.pick(PIECES));
                }
            }
            // any characters at all
            6..=7 => {
                for _ in 0..self.below(40) {
                    let code = match self.below(3) {
                        0 => self.below(0x80),
                        1 => self.below(0x800),
                        _ => self.below(0x11_0000),
                    };
                    name.extend(u32::try_from(code).ok().and_then(char::from_u32));
                }
            }
            // very long
            8 => {
                let piece = format!("{}{}", self.pick(PIECES), self.pick(PLAIN));
                name = piece.repeat(1 + self.below(4_000) / piece.len().max(1));
            }
            _ => {
                for _ in 0..=self.below(6) {
                    let from = if self.below(3) == 0 { PLAIN } else { PIECES };
                    name.push_str(self.pick(from));
                }
            }
        }
        name
    }
}

fn names() -> Vec<String> {
    let mut dice = Dice(20_261_120);
    let mut names: Vec<String> = PIECES.iter().map(|piece| (*piece).to_owned()).collect();
    names.push(String::new());
    names.push("x".repeat(60_000));
    while names.len() < NAMES {
        names.push(dice.name());
    }
    names
}

/// The commands that a text gets into, wherever it is accepted as a name or another word.
fn commands_with(text: &str) -> Vec<Command> {
    let fixed: DatasetName = "tank/fixed".parse().unwrap();
    let fixed_snapshot: SnapshotName = "tank/fixed@s".parse().unwrap();
    let mut all = Vec::new();
    if let Ok(name) = text.parse::<DatasetName>() {
        all.extend(with_dataset(&name, &fixed_snapshot));
    }
    if let Ok(name) = text.parse::<SnapshotName>() {
        all.extend(with_snapshot(&name, &fixed));
    }
    if let Ok(name) = text.parse::<BookmarkName>() {
        all.extend([
            verbs::bookmark(&fixed_snapshot, &name),
            verbs::destroy_bookmark(&name),
            verbs::guids(&fixed_snapshot, &name),
        ]);
    }
    if let Ok(tag) = text.parse::<SnapTag>() {
        for base in [Base::Snapshot(tag.clone()), Base::Bookmark(tag.clone())] {
            if let Ok(args) = SendArgs::incremental(base, fixed_snapshot.clone(), false, SendFlags::MODERN) {
                all.extend([verbs::send(&args), verbs::estimate(&args)]);
            }
        }
    }
    if let Ok(tag) = text.parse::<HoldTag>() {
        all.extend([verbs::hold(&tag, &fixed_snapshot, &[]), verbs::release(&tag, &fixed_snapshot, &[])]);
    }
    if let Ok(token) = text.parse::<ResumeToken>() {
        all.extend([verbs::token_contents(&token), verbs::send(&SendArgs::resume(token))]);
    }
    if let Ok(name) = text.parse::<PropertyName>() {
        all.extend([verbs::inherit(&fixed, &name), verbs::get(&fixed, &[name])]);
    }
    if let Ok(property) = Property::new("zerfaux:group", text) {
        all.push(verbs::set(&fixed, std::slice::from_ref(&property)));
        all.push(verbs::snapshot(&fixed_snapshot, &[], std::slice::from_ref(&property)));
        let how = ReceiveArgs::replica(fixed, DatasetKind::Filesystem).with(property).unwrap();
        all.push(verbs::receive(&how));
    }
    all
}

fn with_dataset(name: &DatasetName, snapshot: &SnapshotName) -> Vec<Command> {
    let other: DatasetName = "tank/other".parse().unwrap();
    let names = [name.clone(), other.clone()];
    vec![
        verbs::list(&names, Depth::One),
        verbs::list(&names, Depth::All),
        verbs::list_owners(&names, Depth::One),
        verbs::exists(&names),
        verbs::create_parent(name),
        verbs::destroy_dataset(name),
        verbs::clone(snapshot, name, &[]),
        verbs::promote(name),
        verbs::rename(name, &other),
        verbs::rename(&other, name),
        verbs::abort_receive(name),
        verbs::mount(name),
        verbs::unmount(name),
        verbs::load_key(name),
        verbs::check_key(name),
        verbs::unload_key(name),
        verbs::receive(&ReceiveArgs::replica(name.clone(), DatasetKind::Volume)),
        verbs::pool_properties(name),
        verbs::pool_status(name),
    ]
}

fn with_snapshot(name: &SnapshotName, clone: &DatasetName) -> Vec<Command> {
    let tag: HoldTag = "zerfaux:g".parse().unwrap();
    let one = std::slice::from_ref(name);
    vec![
        verbs::snapshot(name, &[], &[]),
        verbs::hold(&tag, name, one),
        verbs::release(&tag, name, one),
        verbs::holds(one),
        verbs::inspect_snapshots(one),
        verbs::destroy_snapshot(name),
        verbs::set_on_snapshots(name, one, &[]),
        verbs::clone(name, clone, &[]),
        verbs::send(&SendArgs::full(name.clone(), SendFlags::MODERN)),
    ]
}

/// An empty folder to run shells in, and a `PATH` whose only commands write their names down.
struct Yard {
    folder: tempfile::TempDir,
    stubs: tempfile::TempDir,
}

impl Yard {
    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let (folder, stubs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let log = stubs.path().join("log");
        for name in
            ["touch", "reboot", "zfs", "sudo", "env", "show-nothing", "a", "b", "tank", "canary", "comment"]
        {
            let stub = stubs.path().join(name);
            fs::write(&stub, format!("#!/bin/sh\necho \"$0 $*\" >>'{}'\n", log.display())).unwrap();
            fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder, stubs }
    }

    fn sh(&self, shell: &Path, script: &str) -> std::process::Output {
        Process::new(shell)
            .args(["-c", script])
            .env_clear()
            .env("PATH", self.stubs.path())
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    /// What was run or left behind besides the command that was meant.
    fn traces(&self) -> Vec<String> {
        let log = fs::read_to_string(self.stubs.path().join("log")).unwrap_or_default();
        let left = fs::read_dir(self.folder.path()).unwrap();
        let left = left.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        log.lines().map(str::to_owned).chain(left).collect()
    }
}

/// Defines `show`, which prints how many words it got and the words, each with a NUL after it. It is a
/// function of built-in commands, so that it starts no process.
const SHOW: &str = r#"show() { printf '%s\0' "$#" "$@"; }"#;

/// What a real shell makes of each command line; many in one call.
fn through(yard: &Yard, shell: &Path, lines: &[Argv]) -> Vec<Vec<String>> {
    let show = Argv::new(["show"]).unwrap();
    let lines: Vec<String> = lines.iter().map(|line| line.behind(&show).to_shell()).collect();
    shown(yard, shell, &lines)
}

/// The same for lines that call `show` themselves.
fn shown(yard: &Yard, shell: &Path, lines: &[String]) -> Vec<Vec<String>> {
    let mut results: Vec<Vec<String>> = Vec::new();
    let mut script = String::from(SHOW);
    let mut run = |script: &mut String| {
        let output = yard.sh(shell, script);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let mut words = text.split_terminator('\0').map(str::to_owned);
        while let Some(count) = words.next() {
            let count: usize = count.parse().expect("the shell prints how many words it got");
            results.push(words.by_ref().take(count).collect());
        }
        *script = String::from(SHOW);
    };
    for line in lines {
        if script.len() + line.len() > SCRIPT_BYTES {
            run(&mut script);
        }
        script.push('\n');
        script.push_str(line);
    }
    run(&mut script);
    results
}

/// The shells that a login may have here: `sh` always, others where they are installed.
fn shells() -> Vec<&'static Path> {
    let all = ["/bin/sh", "/bin/bash", "/bin/ksh", "/bin/zsh"].map(Path::new);
    all.into_iter().filter(|shell| shell.exists()).collect()
}

fn assert_equal(expected: &[Argv], found: &[Vec<String>], shell: &Path) {
    assert_eq!(expected.len(), found.len(), "{}: a command line was lost or split", shell.display());
    for (argv, words) in expected.iter().zip(found) {
        assert_eq!(argv.words(), words.as_slice(), "{}: {argv}", shell.display());
    }
}

#[test]
fn the_traps_snap_when_a_name_is_not_quoted() {
    let inert = Yard::new();
    assert!(inert.traces().is_empty());
    for hostile in ["$(touch canary)", "x; reboot", ">canary", "`/usr/bin/touch canary`"] {
        let yard = Yard::new();
        yard.sh(Path::new("/bin/sh"), &format!("{SHOW}\nshow {hostile}"));
        assert!(!yard.traces().is_empty(), "{hostile} left no trace, so this test would prove nothing");
    }
}

#[test]
fn any_word_arrives_as_it_is_or_is_refused() {
    let mut lines = Vec::new();
    let mut refused = 0;
    for name in names() {
        match Argv::new(["command", name.as_str(), "last"]) {
            Ok(argv) => lines.push(argv),
            Err(error) => {
                assert_eq!(error, ArgvError::Nul { index: 1 }, "{name:?}");
                assert!(name.contains('\0'));
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "{refused} refused");
    assert_eq!(lines.len() + refused, NAMES);
    for shell in shells() {
        let yard = Yard::new();
        assert_equal(&lines, &through(&yard, shell, &lines), shell);
        assert_eq!(yard.traces(), Vec::<String>::new(), "{}", shell.display());
    }
}

#[test]
fn whatever_the_parsers_accept_arrives_as_it_is_in_every_command() {
    let mut lines = Vec::new();
    let (mut datasets, mut snapshots, mut bookmarks, mut nothing) = (0, 0, 0, 0);
    for name in names() {
        datasets += usize::from(name.parse::<DatasetName>().is_ok_and(|parsed| parsed.to_string() == name));
        snapshots += usize::from(name.parse::<SnapshotName>().is_ok_and(|parsed| parsed.to_string() == name));
        bookmarks += usize::from(name.parse::<BookmarkName>().is_ok_and(|parsed| parsed.to_string() == name));
        let commands = commands_with(&name);
        nothing += usize::from(commands.is_empty());
        for command in commands {
            let words = command.words();
            let carried = words.iter().any(|word| carries(word, &name));
            assert!(carried, "{name:?} did not arrive in {words:?}");
            let options_end = words.iter().position(|word| word.contains(&name)).unwrap_or(0);
            assert!(!words[options_end..].iter().any(|word| word.starts_with("-F")), "{words:?}");
            let whole = ["env", "LC_ALL=C", "sudo", "-n", "zfs"].map(str::to_owned);
            lines.push(Argv::new(whole.into_iter().chain(words.iter().cloned())).unwrap());
        }
    }
    assert!(datasets > 300 && snapshots > 100 && bookmarks > 100, "{datasets} {snapshots} {bookmarks}");
    assert!(nothing > 1000, "only {nothing} were refused by everything");
    let yard = Yard::new();
    let shell = Path::new("/bin/sh");
    assert_equal(&lines, &through(&yard, shell, &lines), shell);
    assert_eq!(yard.traces(), Vec::<String>::new());
}

/// In direct transport a receive command is quoted for the target's shell, with `ssh` for the shell that runs the
/// stream, and with the script for the source's: three shells, one inside the other.
#[test]
fn any_word_arrives_as_it_is_behind_two_more_shells() {
    let show = Argv::new(["show"]).unwrap();
    let lines: Vec<Argv> =
        names().iter().filter_map(|name| Argv::new(["command", name.as_str(), "last"]).ok()).collect();
    // As `ssh` and `eval` do it: each level is one word of the next.
    let nested = |line: &Argv| {
        let at_target = Argv::new(["eval", &line.behind(&show).to_shell()]).unwrap();
        Argv::new(["eval", &at_target.to_shell()]).unwrap().to_shell()
    };
    // Quotes multiply on the way, and an argument of sh holds 128 KiB.
    let fits = |line: &Argv| nested(line).len() < SCRIPT_BYTES - SHOW.len();
    let lines: Vec<Argv> = lines.into_iter().filter(fits).collect();
    assert!(lines.len() > 9_000, "{}", lines.len());
    let nested: Vec<String> = lines.iter().map(nested).collect();
    for shell in shells() {
        let yard = Yard::new();
        assert_equal(&lines, &shown(&yard, shell, &nested), shell);
        assert_eq!(yard.traces(), Vec::<String>::new(), "{}", shell.display());
    }
}

/// Whether a word is the name, or holds it in one of the forms that `zfs` takes.
fn carries(word: &str, name: &str) -> bool {
    let after = |prefix: &str| word.strip_prefix(prefix) == Some(name);
    word == name
        || after("@")
        || after("#")
        || after("zerfaux:group=")
        // zpool is given the pool alone
        || name.split('/').next() == Some(word)
}

#[test]
fn what_begins_with_a_dash_is_never_a_name() {
    for name in names().iter().filter(|name| name.starts_with('-')) {
        assert!(name.parse::<DatasetName>().is_err(), "{name:?}");
        assert!(name.parse::<SnapshotName>().is_err(), "{name:?}");
        assert!(name.parse::<BookmarkName>().is_err(), "{name:?}");
        assert!(name.parse::<SnapTag>().is_err(), "{name:?}");
        assert!(name.parse::<HoldTag>().is_err(), "{name:?}");
        assert!(name.parse::<PropertyName>().is_err(), "{name:?}");
        assert!(name.parse::<ResumeToken>().is_err(), "{name:?}");
    }
}
