//! Programs that look into files: `cat`, `sha256sum`, `cmp`, `truncate`, `test`.

use std::io::Read;

use sha2::{Digest, Sha256};

use super::transfer::BROKEN_PIPE;
use super::{Io, Shell};
use crate::sim::appliance::model::object::Kind;

pub(super) fn run(shell: &Shell, program: &str, words: &[String], io: &Io) -> Option<i32> {
    let machine = &shell.machine;
    Some(match program {
        "test" | "[" => i32::from(!test(shell, words)),
        "cat" => cat(shell, words, io),
        "sha256sum" => sha256sum(shell, words, io),
        "cmp" => {
            let paths: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
            let read = |path: &&String| machine.read_file(&shell.absolute(path));
            match paths.iter().map(read).collect::<Result<Vec<_>, _>>() {
                Ok(contents) => i32::from(contents.windows(2).any(|two| two[0] != two[1])),
                Err(why) => {
                    io.complain(format_args!("cmp: {why}"));
                    2
                }
            }
        }
        "truncate" => {
            let size = words
                .iter()
                .position(|word| word == "-s")
                .and_then(|at| words.get(at + 1))
                .or_else(|| words.iter().find(|word| word.starts_with("-s")))
                .and_then(|text| {
                    crate::sim::appliance::model::properties::bytes(text.trim_start_matches("-s"))
                });
            let files =
                words.iter().skip_while(|word| word.starts_with("-s")).filter(|word| !word.starts_with('-'));
            let files = files.filter(|word| crate::sim::appliance::model::properties::bytes(word).is_none());
            each(files, io, "truncate", |path| {
                let path = shell.absolute(path);
                let done = machine.state().change(&path, |tree, inside, _, _| {
                    tree.has_place_above(inside)?;
                    tree.set_length(inside, size.unwrap_or(0));
                    Ok(())
                });
                done.map_err(|why| format!("cannot open '{path}' for writing: {why}"))
            })
        }
        _ => return None,
    })
}

/// Does something to every path and complains of each that it fails for.
pub(super) fn each<'a>(
    paths: impl Iterator<Item = &'a String>,
    io: &Io,
    program: &str,
    act: impl Fn(&str) -> Result<(), String>,
) -> i32 {
    let mut status = 0;
    for path in paths {
        if let Err(why) = act(path) {
            io.complain(format_args!("{program}: {why}"));
            status = 1;
        }
    }
    status
}

fn cat(shell: &Shell, words: &[String], io: &Io) -> i32 {
    let mut status = 0;
    let named: Vec<&String> = words.iter().filter(|word| !word.starts_with('-') || *word == "-").collect();
    let mut buffer = vec![0; 64 << 10];
    let standard = "-".to_owned();
    for path in if named.is_empty() { vec![&standard] } else { named } {
        let mut file = match path.as_str() {
            "-" => None,
            path => match shell.machine.open_to_read(&shell.absolute(path)) {
                Ok(file) => Some(file),
                Err(why) => {
                    io.complain(format_args!("cat: {why}"));
                    status = 1;
                    continue;
                }
            },
        };
        loop {
            let read = match &mut file {
                Some(file) => file.read(&mut buffer),
                None => io.read(&mut buffer),
            };
            let Ok(count @ 1..) = read else { break };
            if io.write(&buffer[..count]).is_err() {
                return BROKEN_PIPE;
            }
        }
    }
    status
}

fn sum(mut from: impl FnMut(&mut [u8]) -> std::io::Result<usize>) -> String {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    while let Ok(count @ 1..) = from(&mut buffer) {
        hash.update(&buffer[..count]);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `sha256sum [-c] [-z] [--quiet] [--strict] FILE…`
fn sha256sum(shell: &Shell, words: &[String], io: &Io) -> i32 {
    let has = |short: &str, long: &str| words.iter().any(|word| word == short || word == long);
    let (check, zero, quiet) = (has("-c", "--check"), has("-z", "--zero"), has("--quiet", "--status"));
    let of = |path: &str| -> Result<String, String> {
        let mut file = shell.machine.open_to_read(&shell.absolute(path))?;
        Ok(sum(|buffer| file.read(buffer)))
    };
    let files: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    if !check {
        let end = if zero { '\0' } else { '\n' };
        if files.is_empty() {
            io.say(format!("{}  -{end}", sum(|buffer| io.read(buffer))));
            return 0;
        }
        return each(files.into_iter(), io, "sha256sum", |path| {
            io.say(format!("{}  {path}{end}", of(path)?));
            Ok(())
        });
    }
    let text = match files.first() {
        Some(path) => shell.machine.read_file(&shell.absolute(path)).unwrap_or_default(),
        None => io.read_all(),
    };
    let (mut wrong, mut unread) = (0, 0);
    for (hash, path) in String::from_utf8_lossy(&text).lines().filter_map(|line| line.split_once("  ")) {
        match of(path) {
            Ok(found) if found == hash => {
                if !quiet {
                    io.say(format!("{path}: OK\n"));
                }
            }
            Ok(_) => {
                wrong += 1;
                io.say(format!("{path}: FAILED\n"));
            }
            Err(why) => {
                unread += 1;
                io.complain(format_args!("sha256sum: {why}"));
                io.say(format!("{path}: FAILED open or read\n"));
            }
        }
    }
    if unread > 0 {
        io.complain(format_args!(
            "sha256sum: WARNING: {unread} listed file{} could not be read",
            plural(unread)
        ));
    }
    if wrong > 0 {
        io.complain(format_args!(
            "sha256sum: WARNING: {wrong} computed checksum{} did NOT match",
            plural(wrong)
        ));
    }
    i32::from(wrong + unread > 0)
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn test(shell: &Shell, words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "]").collect();
    let number = |text: &str| text.trim().parse::<i64>().unwrap_or(0);
    let again =
        |words: &[&str]| test(shell, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    match words.as_slice() {
        ["!", rest @ ..] => !again(rest),
        ["-n", text] => !text.is_empty(),
        ["-z", text] => text.is_empty(),
        [check @ ("-e" | "-f" | "-d" | "-r" | "-w" | "-x" | "-s" | "-L" | "-h" | "-b"), path] => {
            is(shell, check, &shell.absolute(path))
        }
        [one, "=" | "==", other] => one == other,
        [one, "!=", other] => one != other,
        [one, "-eq", other] => number(one) == number(other),
        [one, "-ne", other] => number(one) != number(other),
        [one, "-gt", other] => number(one) > number(other),
        [one, "-ge", other] => number(one) >= number(other),
        [one, "-lt", other] => number(one) < number(other),
        [one, "-le", other] => number(one) <= number(other),
        [text] => !text.is_empty(),
        [one @ .., "-a", other, path] if !one.is_empty() => again(one) && again(&[other, path]),
        _ => false,
    }
}

fn is(shell: &Shell, check: &str, path: &str) -> bool {
    let state = shell.machine.state();
    let device = path.starts_with("/dev/");
    if device
        && (state.device(path).is_some() || path.starts_with("/dev/zvol/") && state.seek(path).is_some())
    {
        return matches!(check, "-e" | "-b" | "-r" | "-w");
    }
    if matches!(path, "/dev/null" | "/dev/zero") {
        return matches!(check, "-e" | "-r" | "-w");
    }
    let followed = if matches!(check, "-L" | "-h") { path.to_owned() } else { state.follow(path) };
    let Some(seen) = state.look(&followed) else { return false };
    match check {
        "-f" => seen.kind == Kind::File,
        "-d" => seen.kind == Kind::Directory,
        "-L" | "-h" => matches!(seen.kind, Kind::Link(_)),
        "-s" => seen.length > 0,
        "-b" => false,
        "-x" => seen.meta.mode & 0o111 != 0,
        _ => true,
    }
}
