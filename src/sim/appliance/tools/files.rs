//! Programs for files: `cat`, `mkdir`, `rm`, `ls`, `test`, `sha256sum`, `dd`, `find`.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Io, Shell};
use crate::sim::appliance::machine::Place;
use crate::sim::appliance::model::State;

pub(super) fn run(shell: &Shell, program: &str, words: &[String], io: &Io) -> Option<i32> {
    let operands = || words.iter().filter(|word| !word.starts_with('-'));
    let machine = &shell.machine;
    Some(match program {
        "test" | "[" => i32::from(!test(shell, words)),
        "cat" if operands().next().is_none() => {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(count @ 1..) = io.read(&mut buffer) {
                if io.write(&buffer[..count]).is_err() {
                    return Some(1);
                }
            }
            0
        }
        "cat" => each(operands(), io, "cat", |path| {
            io.write(&machine.read_file(path)?).map_err(|error| error.to_string())
        }),
        "sha256sum" if operands().next().is_none() => {
            io.say(format!("{}  -\n", hex(&io.read_all())));
            0
        }
        "sha256sum" => each(operands(), io, "sha256sum", |path| {
            io.say(format!("{}  {path}\n", hex(&machine.read_file(path)?)));
            Ok(())
        }),
        "mkdir" => each(operands(), io, "mkdir", |path| {
            let parents = words.iter().any(|word| word == "-p");
            make_directory(&mut machine.state(), path, parents)
        }),
        "rm" | "rmdir" => {
            let force = words.iter().any(|word| word.starts_with('-') && word.contains('f'));
            each(operands(), io, program, |path| match remove(&mut machine.state(), path) {
                false if !force => Err(format!("cannot remove '{path}': No such file or directory")),
                _ => Ok(()),
            })
        }
        "ls" | "find" => each(operands(), io, program, |path| {
            for name in below(&machine.state(), path, program == "find") {
                io.say(if program == "find" { format!("{path}/{name}\n") } else { format!("{name}\n") });
            }
            Ok(())
        }),
        "truncate" => each(operands().filter(|word| word.starts_with('/')), io, program, |path| {
            machine.write_file(path, None, &[]).map_err(|error| error.to_string())
        }),
        "dd" => dd(shell, words, io),
        _ => return None,
    })
}

fn each<'a>(
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

pub(super) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn make_directory(state: &mut State, path: &str, parents: bool) -> Result<(), String> {
    match state.locate(path) {
        Place::Inside { dataset, tag: None, path: inside } => {
            let txg = state.next_txg();
            let Some(found) = state.datasets.get_mut(&dataset) else { return Ok(()) };
            if found.head.object(&inside).is_some() || inside.is_empty() {
                return if parents {
                    Ok(())
                } else {
                    Err(format!("cannot create directory '{path}': File exists"))
                };
            }
            Arc::make_mut(&mut found.head).make_directory(&inside);
            found.changed = txg;
            Ok(())
        }
        Place::Plain(_) => Ok(()),
        _ => Err(format!("cannot create directory '{path}': Read-only file system")),
    }
}

fn remove(state: &mut State, path: &str) -> bool {
    match state.locate(path) {
        Place::Inside { dataset, tag: None, path } => {
            let txg = state.next_txg();
            let Some(found) = state.datasets.get_mut(&dataset) else { return false };
            let gone = Arc::make_mut(&mut found.head).remove(&path);
            if gone {
                found.changed = txg;
            }
            gone
        }
        Place::Plain(plain) => state.files.remove(&plain).is_some(),
        _ => false,
    }
}

/// Names below a path, sorted; only the nearest ones unless `deep`.
fn below(state: &State, path: &str, deep: bool) -> Vec<String> {
    let Place::Inside { dataset, tag, path } = state.locate(path.trim_end_matches('/')) else {
        return Vec::new();
    };
    let Some(found) = state.datasets.get(&dataset) else { return Vec::new() };
    let tree = match &tag {
        Some(tag) => match found.snapshot(tag) {
            Some(snapshot) => &snapshot.tree,
            None => return Vec::new(),
        },
        None => &found.head,
    };
    let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
    let inside = tree.names.keys().filter_map(|name| name.strip_prefix(&prefix));
    inside.filter(|name| !name.is_empty() && (deep || !name.contains('/'))).map(str::to_owned).collect()
}

fn test(shell: &Shell, words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "]").collect();
    let number = |text: &str| text.parse::<i64>().unwrap_or(0);
    match words.as_slice() {
        ["!", rest @ ..] => !test(shell, &rest.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()),
        ["-n", text] => !text.is_empty(),
        ["-z", text] => text.is_empty(),
        ["-e" | "-f" | "-d" | "-r" | "-s", path] => exists(shell, path),
        [one, "=" | "==", other] => one == other,
        [one, "!=", other] => one != other,
        [one, "-eq", other] => number(one) == number(other),
        [one, "-ne", other] => number(one) != number(other),
        [one, "-gt", other] => number(one) > number(other),
        [one, "-lt", other] => number(one) < number(other),
        [text] => !text.is_empty(),
        _ => false,
    }
}

fn exists(shell: &Shell, path: &str) -> bool {
    let state = shell.machine.state();
    match state.locate(path) {
        Place::Inside { dataset, tag, path } => state.datasets.get(&dataset).is_some_and(|found| {
            let tree = match &tag {
                Some(tag) => found.snapshot(tag).map(|snapshot| &snapshot.tree),
                None => Some(&found.head),
            };
            path.is_empty() || tree.is_some_and(|tree| tree.object(&path).is_some())
        }),
        Place::Plain(plain) => {
            let directory = format!("{}/", plain.trim_end_matches('/'));
            plain == "/" || state.files.keys().any(|name| *name == plain || name.starts_with(&directory))
        }
        Place::Nowhere => false,
    }
}

/// `dd if=… of=… bs=… count=…`, from standard input and to standard output where no file is named.
fn dd(shell: &Shell, words: &[String], io: &Io) -> i32 {
    let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    let content = match value("if=") {
        Some(path) => match shell.machine.read_file(path) {
            Ok(bytes) => bytes,
            Err(why) => {
                io.complain(format_args!("dd: failed to open {why}"));
                return 1;
            }
        },
        None => io.read_all(),
    };
    let written = match value("of=") {
        Some(path) => {
            shell.machine.write_file(path, Some(0), &content).map_err(|error| format!("'{path}': {error}"))
        }
        None => io.write(&content).map_err(|error| error.to_string()),
    };
    match written {
        Ok(()) => 0,
        Err(why) => {
            io.complain(format_args!("dd: error writing {why}"));
            1
        }
    }
}
