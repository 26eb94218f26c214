//! The programs on the machine.

mod carry;
mod disks;
mod exports;
mod files;
mod names;
mod rsync;
mod services;
mod ssh;
mod system;
mod text;
mod transfer;

pub(crate) use exports::{is_valid as is_valid_share, shares};

use super::shell::{Io, Shell, process};
use super::{zfs, zpool};

/// Where programs lie. Those for administrators are not in the PATH of a plain user.
const SBIN: &[&str] = &[
    "zfs",
    "zpool",
    "exportfs",
    "showmount",
    "mkfs.ext4",
    "wipefs",
    "blkid",
    "partprobe",
    "reboot",
    "chronyd",
];
const BIN: &[&str] = &[
    "sh",
    "bash",
    "env",
    "xargs",
    "sudo",
    "cat",
    "id",
    "uname",
    "hostname",
    "mkdir",
    "rm",
    "ls",
    "sha256sum",
    "dd",
    "head",
    "wc",
    "sleep",
    "date",
    "lsblk",
    "systemctl",
    "rsync",
    "sort",
    "cut",
    "grep",
    "tr",
    "stat",
    "sync",
    "rmdir",
    "truncate",
    "udevadm",
    "nproc",
    "find",
    "tee",
    "pv",
    "ssh",
    "mv",
    "cp",
    "ln",
    "chmod",
    "chown",
    "touch",
    "readlink",
    "setfattr",
    "getfattr",
    "du",
    "df",
    "findmnt",
    "mountpoint",
    "chronyc",
    "timedatectl",
    "hostnamectl",
    "journalctl",
    "tail",
    "getfacl",
    "setfacl",
    "which",
    "basename",
    "dirname",
    "cmp",
    "mktemp",
];
const BUILTINS: &[&str] = &[
    "cd", "export", "set", "unset", "exit", "true", "false", ":", "echo", "printf", "test", "[", "command",
    "exec", "eval", "trap", "umask", "type", "read", "wait", "kill", "break", "continue", "shift", "pwd",
    "return",
];

/// Where a command is found, as `command -v` says it.
pub(super) fn find(shell: &Shell, name: &str) -> Option<String> {
    if BUILTINS.contains(&name) {
        return Some(name.to_owned());
    }
    if let Some((directory, program)) = name.rsplit_once('/') {
        return (holds(directory, program) && shell.machine.has_program(program)).then(|| name.to_owned());
    }
    if !shell.machine.has_program(name) {
        return None;
    }
    let path = shell.variable("PATH").unwrap_or_default();
    path.split(':').find(|directory| holds(directory, name)).map(|directory| format!("{directory}/{name}"))
}

fn holds(directory: &str, program: &str) -> bool {
    match directory {
        "/usr/sbin" | "/sbin" => SBIN.contains(&program),
        "/usr/bin" | "/bin" => BIN.contains(&program),
        _ => false,
    }
}

/// Runs a command that no fault has touched.
pub(super) fn run(shell: &mut Shell, argv: &[String], io: &Io) -> i32 {
    let (name, words) = (argv[0].as_str(), &argv[1..]);
    if find(shell, name).is_none() {
        let told = match (shell.name, name.contains('/')) {
            ("sh", _) => format!("sh: 1: {name}: not found"),
            (own, true) => format!("{own}: line 1: {name}: No such file or directory"),
            (own, false) => format!("{own}: line 1: {name}: command not found"),
        };
        io.complain(told);
        return 127;
    }
    let program = name.rsplit('/').next().unwrap_or(name);
    if let Some(status) = shell.builtin(program, words, io) {
        return status;
    }
    match program {
        "zfs" => zfs::run(shell, words, io),
        "zpool" => zpool::run(shell, words, io),
        "env" => env(shell, words, io),
        "xargs" => xargs(shell, words, io),
        "sudo" => sudo(shell, words, io),
        "exec" | "command" => through(shell, program, words, io),
        "sh" | "bash" => {
            let mut inner = shell.clone();
            inner.name = if program == "sh" { "sh" } else { "bash" };
            match words {
                [option, script, parameters @ ..] if option.starts_with('-') && option.ends_with('c') => {
                    for (number, value) in parameters.iter().enumerate() {
                        inner.set_variable(&number.to_string(), value);
                    }
                    inner.run_text(script, io)
                }
                _ => {
                    let script = String::from_utf8_lossy(&io.read_all()).into_owned();
                    inner.run_text(&script, io)
                }
            }
        }
        "eval" => shell.run_text(&words.join(" "), io),
        "echo" | "printf" => {
            if !io.tells(&text::spoken(program, words)) {
                // What a shell itself writes into a pipe that nobody reads ends the shell.
                process::break_pipe();
            }
            0
        }
        "exit" | "return" => {
            let status = words.first().and_then(|word| word.parse().ok()).unwrap_or(shell.status);
            shell.exit(status)
        }
        "export" => {
            for (name, value) in words.iter().filter_map(|word| word.split_once('=')) {
                shell.set_variable(name, value);
            }
            0
        }
        "true" | ":" | "set" | "trap" | "umask" | "unset" | "sync" | "udevadm" | "partprobe" => 0,
        "false" => 1,
        _ => {
            let status = files::run(shell, program, words, io)
                .or_else(|| names::run(shell, program, words, io))
                .or_else(|| transfer::run(shell, program, words, io))
                .or_else(|| ssh::run(shell, program, words, io))
                .or_else(|| rsync::run(shell, program, words, io))
                .or_else(|| disks::run(shell, program, words, io))
                .or_else(|| services::run(shell, program, words, io))
                .or_else(|| exports::run(shell, program, words, io))
                .or_else(|| text::run(shell, program, words, io))
                .or_else(|| system::run(shell, program, words, io));
            status.unwrap_or(0)
        }
    }
}

/// `env A=b … COMMAND`.
fn env(shell: &mut Shell, words: &[String], io: &Io) -> i32 {
    let mut inner = shell.clone();
    let mut words = words;
    while let Some((name, value)) = words.first().and_then(|word| word.split_once('=')) {
        inner.set_variable(name, value);
        words = &words[1..];
    }
    let Some(name) = words.first() else { return 0 };
    if find(&inner, name).is_none_or(|found| BUILTINS.contains(&found.as_str()))
        && name != "printf"
        && name != "echo"
    {
        io.complain(format_args!("env: '{name}': No such file or directory"));
        return 127;
    }
    inner.execute(words, io)
}

/// `sudo -n COMMAND`.
fn sudo(shell: &mut Shell, words: &[String], io: &Io) -> i32 {
    let mut words = words;
    while words.first().is_some_and(|word| word.starts_with('-')) {
        words = &words[1..];
    }
    let Some(name) = words.first() else {
        io.complain("usage: sudo -h | -K | -k | -V");
        return 1;
    };
    if !shell.is_root() && !shell.machine.sudo {
        io.complain("sudo: a password is required");
        return 1;
    }
    let mut inner = shell.clone();
    inner.user = "root".to_owned();
    inner.set_variable("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    if find(&inner, name).is_none() {
        io.complain(format_args!("sudo: {name}: command not found"));
        return 1;
    }
    inner.execute(words, io)
}

/// `xargs -0 [-P N] -n COUNT COMMAND …`: the command once for each so many words of the input, here one after the other.
/// As in life the exit is 123 if one of them failed.
fn xargs(shell: &mut Shell, words: &[String], io: &Io) -> i32 {
    let words: Vec<String> = match words {
        [zero, parallel, _, rest @ ..] if parallel == "-P" => {
            std::iter::once(zero).chain(rest).cloned().collect()
        }
        words => words.to_vec(),
    };
    let [zero, option, count, command @ ..] = &words[..] else {
        io.complain("xargs: only xargs -0 -n COUNT COMMAND is simulated");
        return 1;
    };
    let count: usize = count.parse().unwrap_or(0);
    if zero != "-0" || option != "-n" || count == 0 || command.is_empty() {
        io.complain("xargs: only xargs -0 -n COUNT COMMAND is simulated");
        return 1;
    }
    let input = String::from_utf8_lossy(&io.read_all()).into_owned();
    let given: Vec<&str> = input.split_terminator('\0').collect();
    let mut status = 0;
    for some in given.chunks(count) {
        let argv: Vec<String> = command.iter().cloned().chain(some.iter().map(ToString::to_string)).collect();
        if shell.clone().execute(&argv, io) != 0 {
            status = 123;
        }
    }
    status
}

/// `exec COMMAND` and `command [-v] COMMAND`.
fn through(shell: &mut Shell, program: &str, words: &[String], io: &Io) -> i32 {
    match words {
        [] => 0,
        [option, name, ..] if program == "command" && option == "-v" => match find(shell, name) {
            Some(path) => {
                io.say(path + "\n");
                0
            }
            None => 127,
        },
        words => {
            let status = shell.execute(words, io);
            if program == "exec" { shell.exit(status) } else { status }
        }
    }
}
