//! Programs that change names and what belongs to them: `mkdir`, `rm`, `mv`, `cp`, `ln`, `chmod`, `chown`, `touch`,
//! `setfattr`.

use super::carry::{collect, put};
use super::files::each;
use super::{Io, Shell};
use crate::sim::appliance::model::State;
use crate::sim::appliance::model::names::{
    CROSS_DEVICE, EXISTS, Errno, IS_A_DIRECTORY, NOT_EMPTY, NOT_THERE,
};
use crate::sim::appliance::model::object::{Kind, Meta, this_moment};
use crate::sim::appliance::model::paths::{inside, tidy};

mod shown;

pub(super) fn run(shell: &Shell, program: &str, words: &[String], io: &Io) -> Option<i32> {
    if let Some(status) = shown::run(shell, program, words, io) {
        return Some(status);
    }
    let flag = |letter: char| words.iter().any(|word| is_cluster(word) && word.contains(letter));
    let long = |name: &str| words.iter().any(|word| word == name);
    let operands: Vec<&String> = words.iter().filter(|word| !word.starts_with('-') || *word == "-").collect();
    let machine = &shell.machine;
    Some(match program {
        "mkdir" => {
            let mode = after(words, "-m");
            let paths = operands.into_iter().filter(|word| Some(word.as_str()) != mode);
            each(paths, io, "mkdir", |path| {
                let made = make_directory(
                    &mut machine.state(),
                    &shell.absolute(path),
                    flag('p') || long("--parents"),
                );
                let told = |why| format!("cannot create directory '{path}': {why}");
                made.and_then(|()| match mode.and_then(octal) {
                    Some(mode) => meta(&mut machine.state(), &shell.absolute(path), |meta| meta.mode = mode),
                    None => Ok(()),
                })
                .map_err(told)
            })
        }
        "rmdir" => each(operands.into_iter(), io, "rmdir", |path| {
            let at = shell.absolute(path);
            let mut state = machine.state();
            let told = |why: Errno| format!("failed to remove '{path}': {why}");
            if !state.list(&at, false).is_empty() {
                return Err(told(NOT_EMPTY));
            }
            remove(&mut state, &at, true).map_err(told)
        }),
        "rm" => {
            let (force, deep) = (flag('f'), flag('r') || flag('R') || long("--recursive"));
            each(operands.into_iter(), io, "rm", |path| {
                let removed = remove(&mut machine.state(), &shell.absolute(path), deep);
                match removed {
                    Err(NOT_THERE) if force => Ok(()),
                    other => other.map_err(|why| format!("cannot remove '{path}': {why}")),
                }
            })
        }
        "mv" | "cp" => two(shell, program, words, io, |from, to| {
            let mut state = machine.state();
            if program == "mv" {
                return rename(&mut state, from, to);
            }
            let deep = flag('a') || flag('r') || flag('R') || long("--archive");
            copy(&mut state, from, to, deep, flag('a') || flag('p') || long("--archive"))
        }),
        "ln" => two(shell, program, words, io, |from, to| {
            let mut state = machine.state();
            if flag('f') {
                let _ = remove(&mut state, to, false);
            }
            if flag('s') {
                // What a symbolic link says is not looked at.
                let target = operands.first().map_or(from, |word| word.as_str());
                return state.change(to, |tree, path, _, _| tree.add_link(path, target));
            }
            let (one, other) = (place_of(&state, from), place_of(&state, to));
            if one.0 != other.0 {
                return Err(CROSS_DEVICE);
            }
            state.change(to, |tree, path, _, _| tree.hard_link(&one.1, path))
        }),
        "chmod" | "chown" | "chgrp" => {
            let Some((what, paths)) = operands.split_first() else { return Some(1) };
            let deep = flag('R');
            each(paths.iter().copied(), io, program, |path| {
                let at = shell.absolute(path);
                let mut state = machine.state();
                let mut all = vec![at.clone()];
                if deep {
                    all.extend(state.list(&at, true).into_iter().map(|name| format!("{at}/{name}")));
                }
                for one in all {
                    let changed = meta(&mut state, &one, |meta| change_meta(program, what, meta));
                    changed.map_err(|why| format!("cannot access '{path}': {why}"))?;
                }
                Ok(())
            })
        }
        "touch" => {
            let when = after(words, "-d").or_else(|| after(words, "--date")).and_then(moment);
            let like = after(words, "-r").map(|path| shell.absolute(path));
            let given = [after(words, "-d"), after(words, "-r"), after(words, "--date")];
            let paths = operands.into_iter().filter(|word| !given.contains(&Some(word.as_str())));
            each(paths, io, "touch", |path| {
                let at = shell.absolute(path);
                let mut state = machine.state();
                let like = like.as_ref().and_then(|path| state.look(path)).map(|seen| seen.meta.modified);
                let when = when.or(like).unwrap_or_else(this_moment);
                if state.look(&at).is_none() {
                    let made = state.change(&at, |tree, path, _, _| {
                        tree.has_place_above(path)?;
                        tree.set_length(path, 0);
                        Ok(())
                    });
                    made.map_err(|why| format!("cannot touch '{path}': {why}"))?;
                }
                meta(&mut state, &at, |meta| meta.modified = when)
                    .map_err(|why| format!("setting times of '{path}': {why}"))
            })
        }
        "setfattr" => {
            let (name, value) =
                (after(words, "-n").unwrap_or_default(), after(words, "-v").unwrap_or_default());
            let gone = after(words, "-x");
            let Some(path) = operands.last() else { return Some(2) };
            let changed = meta(&mut machine.state(), &shell.absolute(path), |meta| match gone {
                Some(gone) => drop(meta.xattrs.remove(gone)),
                None => drop(meta.xattrs.insert(name.to_owned(), value.as_bytes().to_vec())),
            });
            match changed {
                Ok(()) => 0,
                Err(why) => {
                    io.complain(format_args!("setfattr: {path}: {why}"));
                    1
                }
            }
        }
        _ => return None,
    })
}

/// `-rf`, not `--recursive`.
fn is_cluster(word: &str) -> bool {
    word.starts_with('-') && !word.starts_with("--")
}

/// The word after a flag.
fn after<'a>(words: &'a [String], flag: &str) -> Option<&'a str> {
    if let Some(value) = words.iter().find_map(|word| word.strip_prefix(flag)?.strip_prefix('=')) {
        return Some(value);
    }
    let at = words.iter().position(|word| word == flag)?;
    words.get(at + 1).map(String::as_str)
}

fn octal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777)
}

/// `2026-11-27T10:00:00Z` or `@1764237600.5`.
fn moment(text: &str) -> Option<(i64, u32)> {
    if let Some(seconds) = text.strip_prefix('@') {
        let (whole, part) = seconds.split_once('.').unwrap_or((seconds, "0"));
        let digits = format!("{part:0<9}");
        return Some((whole.parse().ok()?, digits.get(..9)?.parse().ok()?));
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    Some((time.as_second(), u32::try_from(time.subsec_nanosecond()).ok()?))
}

/// The user or group of a name or number.
fn id(text: &str) -> Option<u32> {
    if text == "root" { Some(0) } else { text.parse().ok().or(Some(1000)) }
}

fn change_meta(program: &str, what: &str, meta: &mut Meta) {
    match program {
        "chmod" => match octal(what) {
            Some(mode) => meta.mode = mode,
            None if what.ends_with("+x") => meta.mode |= 0o111,
            None => {}
        },
        "chgrp" => meta.gid = id(what).unwrap_or(meta.gid),
        _ => {
            let (user, group) =
                what.split_once(':').map_or((what, None), |(user, group)| (user, Some(group)));
            if !user.is_empty() {
                meta.uid = id(user).unwrap_or(meta.uid);
            }
            if let Some(group) = group.filter(|group| !group.is_empty()) {
                meta.gid = id(group).unwrap_or(meta.gid);
            }
        }
    }
}

/// Changes owner, mode, times or attributes of what a path names; links are not followed.
pub(super) fn meta(state: &mut State, path: &str, change: impl FnOnce(&mut Meta)) -> Result<(), Errno> {
    if state.look(path).is_none() {
        return Err(NOT_THERE);
    }
    state.change(path, |tree, path, _, _| {
        if path.is_empty() && tree.object("").is_none() {
            tree.keep_top();
        }
        change(&mut tree.object_mut(path).ok_or(NOT_THERE)?.meta);
        Ok(())
    })
}

pub(super) fn make_directory(state: &mut State, path: &str, parents: bool) -> Result<(), Errno> {
    let path = tidy(path);
    match state.look(&state.follow(&path)).map(|seen| seen.kind) {
        Some(Kind::Directory) if parents => return Ok(()),
        Some(_) => return Err(EXISTS),
        None => {}
    }
    if let Some((above, _)) = path.rsplit_once('/').filter(|(above, _)| parents && !above.is_empty()) {
        make_directory(state, above, true)?;
    }
    state.change(&path, |tree, path, _, _| tree.add_directory(path))
}

fn remove(state: &mut State, path: &str, deep: bool) -> Result<(), Errno> {
    let path = tidy(path);
    let seen = state.look(&path).ok_or(NOT_THERE)?;
    let busy = state.mounts().iter().any(|(_, point)| inside(point, &path).is_some());
    if busy {
        return Err("Device or resource busy");
    }
    if seen.kind == Kind::Directory && !deep {
        return Err(IS_A_DIRECTORY);
    }
    state.change(&path, |tree, path, _, _| if tree.remove(path) { Ok(()) } else { Err(NOT_THERE) })
}

/// Which file system a path lies in, and where in it.
fn place_of(state: &State, path: &str) -> (String, String) {
    use crate::sim::appliance::model::paths::Place;
    match state.locate(path) {
        Place::Inside { dataset, tag, path } => (format!("{dataset}@{tag:?}"), path),
        Place::Plain(path) => (String::new(), path),
        Place::Device(name) => (name, String::new()),
        Place::Nowhere => ("nowhere".to_owned(), String::new()),
    }
}

fn rename(state: &mut State, from: &str, to: &str) -> Result<(), Errno> {
    let (from, to) = (tidy(from), tidy(to));
    if state.mounts().iter().any(|(_, point)| inside(point, &from).is_some() || *point == to) {
        return Err("Device or resource busy");
    }
    let (one, other) = (place_of(state, &from), place_of(state, &to));
    if one.0 == other.0 {
        return state.change(&to, |tree, to, _, _| tree.rename(&one.1, to));
    }
    copy(state, &from, &to, true, true)?;
    remove(state, &from, true)
}

fn copy(state: &mut State, from: &str, to: &str, deep: bool, keep: bool) -> Result<(), Errno> {
    let seen = state.look(from).ok_or(NOT_THERE)?;
    if seen.kind == Kind::Directory && !deep {
        return Err("omitting directory");
    }
    let mut first = std::collections::BTreeMap::new();
    for mut entry in collect(state, from, false, |_| false) {
        if !keep {
            entry.meta = Meta { mode: entry.meta.mode, ..Meta::new(0o644) };
        }
        put(state, to, &entry, &mut first)?;
    }
    Ok(())
}

/// `PROGRAM FROM… TO`: into `TO` if that is a directory.
fn two(
    shell: &Shell,
    program: &str,
    words: &[String],
    io: &Io,
    act: impl Fn(&str, &str) -> Result<(), Errno>,
) -> i32 {
    let operands: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let Some((to, froms)) = operands.split_last().filter(|(_, froms)| !froms.is_empty()) else {
        io.complain(format_args!("{program}: missing destination file operand"));
        return 1;
    };
    let no_target =
        words.iter().any(|word| is_cluster(word) && word.contains('T') || word == "--no-target-directory");
    each(froms.iter().copied(), io, program, |from| {
        let (mut into, source) = (shell.absolute(to), shell.absolute(from));
        let is_directory = {
            let state = shell.machine.state();
            state.look(&state.follow(&into)).is_some_and(|seen| seen.kind == Kind::Directory)
        };
        if is_directory && !no_target {
            into = format!("{into}/{}", source.trim_end_matches('/').rsplit('/').next().unwrap_or_default());
        }
        act(&source, &into).map_err(|why| match (program, why) {
            (_, "omitting directory") => format!("-r not specified; omitting directory '{from}'"),
            ("mv", NOT_THERE) | ("cp", NOT_THERE) => format!("cannot stat '{from}': {why}"),
            ("mv", why) => format!("cannot move '{from}' to '{into}': {why}"),
            ("ln", why) => format!("failed to create link '{to}': {why}"),
            (_, why) => format!("cannot create '{into}': {why}"),
        })
    })
}
