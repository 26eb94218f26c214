//! Programs that show names and what belongs to them: `ls`, `find`, `stat`, `readlink`, `getfattr`, `du`.

use super::super::{Io, Shell};
use super::after;
use crate::sim::appliance::model::State;
use crate::sim::appliance::model::object::Kind;
use crate::sim::appliance::model::paths::{Seen, inside, tidy};

pub(super) fn run(shell: &Shell, program: &str, words: &[String], io: &Io) -> Option<i32> {
    let operands: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    Some(match program {
        "ls" => ls(shell, words, &operands, io),
        "find" => find(shell, words, io),
        "stat" => stat(shell, words, &operands, io),
        "readlink" => readlink(shell, words, &operands, io),
        "getfattr" => {
            for path in operands.iter().filter(|path| Some(path.as_str()) != after(words, "-m")) {
                let seen = { shell.machine.state().look(&shell.absolute(path)) };
                let Some(seen) = seen.filter(|seen| !seen.meta.xattrs.is_empty()) else { continue };
                io.say(format!("# file: {}\n", path.trim_start_matches('/')));
                for (name, value) in &seen.meta.xattrs {
                    io.say(format!("{name}=\"{}\"\n", String::from_utf8_lossy(value)));
                }
                io.say("\n");
            }
            0
        }
        "du" => {
            let exact = words.iter().any(|word| word.starts_with("-") && word.contains('b'));
            for path in operands {
                let state = shell.machine.state();
                let at = tidy(&shell.absolute(path));
                let below = state.list(&at, true).into_iter().map(|name| format!("{at}/{name}"));
                let sizes = below.chain([at.clone()]).filter_map(|path| state.look(&path));
                let bytes: u64 = sizes.map(|seen| if exact { seen.length } else { seen.allocated }).sum();
                drop(state);
                io.say(format!("{}\t{path}\n", if exact { bytes } else { bytes.div_ceil(1024) }));
            }
            0
        }
        "basename" | "dirname" => {
            let path = operands.first().map_or("", |path| path.trim_end_matches('/'));
            let (above, name) = path.rsplit_once('/').unwrap_or((".", path));
            io.say(if program == "basename" { format!("{name}\n") } else { format!("{above}\n") });
            0
        }
        "mktemp" => {
            let deep = words.iter().any(|word| word == "-d");
            let path = format!("/tmp/tmp.{:010x}", rand::random::<u32>());
            let mut state = shell.machine.state();
            let made = state.change(&path, |tree, path, _, _| {
                if deep {
                    return tree.add_directory(path);
                }
                tree.set_length(path, 0);
                Ok(())
            });
            drop(state);
            io.say(format!("{path}\n"));
            i32::from(made.is_err())
        }
        _ => return None,
    })
}

/// The letters of a mode as `ls -l` shows them.
fn letters(seen: &Seen) -> String {
    let mut text = String::from(match seen.kind {
        Kind::File => "-",
        Kind::Directory => "d",
        Kind::Link(_) => "l",
    });
    for bit in (0..9).rev() {
        let set = seen.meta.mode >> bit & 1 == 1;
        text.push(if set { ['x', 'w', 'r'][bit % 3] } else { '-' });
    }
    text
}

fn owner(id: u32) -> String {
    match id {
        0 => "root".to_owned(),
        1000 => "zfsadmin".to_owned(),
        other => other.to_string(),
    }
}

fn ls(shell: &Shell, words: &[String], operands: &[&String], io: &Io) -> i32 {
    let flag = |letter: char| words.iter().any(|word| super::is_cluster(word) && word.contains(letter));
    let here = ".".to_owned();
    let (mut status, state) = (0, shell.machine.state());
    let mut text = String::new();
    for path in if operands.is_empty() { vec![&here] } else { operands.to_vec() } {
        let at = tidy(&shell.absolute(path));
        if at == "/dev/disk/by-id" {
            for (name, device) in state.device_links() {
                let long = format!("lrwxrwxrwx 1 root root {} Nov 27 12:00 ", device.len() + 6);
                text.push_str(&if flag('l') {
                    format!("{long}{name} -> ../../{device}\n")
                } else {
                    format!("{name}\n")
                });
            }
            continue;
        }
        let Some(seen) = state.look(&state.follow(&at)) else {
            if state.device(&at).is_some() {
                text.push_str(&format!("{path}\n"));
                continue;
            }
            io.complain(format_args!("ls: cannot access '{path}': No such file or directory"));
            status = 2;
            continue;
        };
        let names = match seen.kind {
            Kind::Directory if !flag('d') => state.list(&at, false),
            _ => vec![String::new()],
        };
        let hidden = flag('a') || flag('A');
        for name in names.into_iter().filter(|name| hidden || !name.starts_with('.')) {
            let (one, shown) =
                if name.is_empty() { (at.clone(), (*path).clone()) } else { (format!("{at}/{name}"), name) };
            match state.look(&one).filter(|_| flag('l')) {
                Some(seen) => text.push_str(&line(&seen, &shown)),
                None => text.push_str(&format!("{shown}\n")),
            }
        }
    }
    drop(state);
    io.say(text);
    status
}

fn line(seen: &Seen, name: &str) -> String {
    let time = jiff::Timestamp::from_second(seen.meta.modified.0).unwrap_or_default().strftime("%b %e %H:%M");
    let target = match &seen.kind {
        Kind::Link(target) => format!(" -> {target}"),
        _ => String::new(),
    };
    let (user, group) = (owner(seen.meta.uid), owner(seen.meta.gid));
    format!("{} {} {user} {group} {} {time} {name}{target}\n", letters(seen), seen.links, seen.length)
}

fn stat(shell: &Shell, words: &[String], operands: &[&String], io: &Io) -> i32 {
    let format = after(words, "-c").or_else(|| after(words, "--format"));
    let printed = after(words, "--printf");
    let mut status = 0;
    for path in operands.iter().filter(|path| Some(path.as_str()) != format && Some(path.as_str()) != printed)
    {
        let follow = words.iter().any(|word| word == "-L");
        let state = shell.machine.state();
        let at = shell.absolute(path);
        let at = if follow { state.follow(&at) } else { at };
        let (seen, point) = (state.look(&at), state.is_mount_point(&at));
        drop(state);
        let Some(seen) = seen else {
            io.complain(format_args!("stat: cannot statx '{path}': No such file or directory"));
            status = 1;
            continue;
        };
        let text =
            fill(printed.or(format).unwrap_or("  File: %n\n  Size: %s\nModify: %y"), |letter| match letter {
                "n" => Some((*path).clone()),
                "m" if point => Some(at.clone()),
                _ => of_stat(&seen, letter),
            });
        io.say(if printed.is_some() { text } else { text + "\n" });
    }
    status
}

/// A format with `%` directives of one letter and escapes.
fn fill(format: &str, directive: impl Fn(&str) -> Option<String>) -> String {
    let (mut text, mut rest) = (String::new(), format);
    while let Some((before, after)) = rest.split_once(['%', '\\']) {
        text.push_str(before);
        let escape = rest[before.len()..].starts_with('\\');
        let letter = after.get(..after.chars().next().map_or(0, char::len_utf8)).unwrap_or_default();
        rest = &after[letter.len()..];
        text.push_str(&match (escape, letter) {
            (true, "n") => "\n".to_owned(),
            (true, "t") => "\t".to_owned(),
            (true, "0") => "\0".to_owned(),
            (true, other) => other.to_owned(),
            (_, "%") => "%".to_owned(),
            (_, letter) => directive(letter).unwrap_or_else(|| "?".to_owned()),
        });
    }
    text + rest
}

/// A directive of `stat -c`.
fn of_stat(seen: &Seen, letter: &str) -> Option<String> {
    let kind = match seen.kind {
        Kind::File if seen.length == 0 => "regular empty file",
        Kind::File => "regular file",
        Kind::Directory => "directory",
        Kind::Link(_) => "symbolic link",
    };
    let (seconds, nanos) = seen.meta.modified;
    Some(match letter {
        "a" => format!("{:o}", seen.meta.mode),
        "A" => letters(seen),
        "u" => seen.meta.uid.to_string(),
        "g" => seen.meta.gid.to_string(),
        "U" => owner(seen.meta.uid),
        "G" => owner(seen.meta.gid),
        "s" => seen.length.to_string(),
        "b" => seen.allocated.div_ceil(512).to_string(),
        "B" => "512".to_owned(),
        "h" => seen.links.to_string(),
        "i" => seen.number.to_string(),
        "F" => kind.to_owned(),
        "Y" => seconds.to_string(),
        "y" => {
            let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
            format!("{}.{nanos:09} +0000", time.strftime("%Y-%m-%d %H:%M:%S"))
        }
        _ => return None,
    })
}

fn readlink(shell: &Shell, words: &[String], operands: &[&String], io: &Io) -> i32 {
    let full = words.iter().any(|word| super::is_cluster(word) && (word.contains('f') || word.contains('e')));
    let Some(path) = operands.first() else { return 1 };
    let (at, state) = (tidy(&shell.absolute(path)), shell.machine.state());
    let told = match (state.device(&at), state.look(&at)) {
        (Some(device), _) => Some(format!("/dev/{device}")),
        (None, _) if full => Some(state.follow(&at)),
        (None, Some(Seen { kind: Kind::Link(target), .. })) => Some(target),
        _ => None,
    };
    drop(state);
    told.map_or(1, |told| {
        io.say(told + "\n");
        0
    })
}

/// `find PATH… [-xdev] [-mindepth N] [-maxdepth N] [-type fdl] [-name PATTERN] [-print0] [-printf FORMAT]`
fn find(shell: &Shell, words: &[String], io: &Io) -> i32 {
    let roots: Vec<&String> =
        words.iter().take_while(|word| !word.starts_with('-') && *word != "(").collect();
    let depth = |flag: &str| after(words, flag).and_then(|text| text.parse::<usize>().ok());
    let (least, most) = (depth("-mindepth").unwrap_or(0), depth("-maxdepth").unwrap_or(usize::MAX));
    let (kinds, pattern, format) = (after(words, "-type"), after(words, "-name"), after(words, "-printf"));
    let (end, alone) = if words.iter().any(|word| word == "-print0") { ("\0", true) } else { ("\n", false) };
    let stay = words.iter().any(|word| word == "-xdev" || word == "-mount");
    let mut status = 0;
    for root in roots {
        let state = shell.machine.state();
        let at = tidy(&shell.absolute(root));
        if state.look(&at).is_none() {
            drop(state);
            io.complain(format_args!("find: '{root}': No such file or directory"));
            status = 1;
            continue;
        }
        let mut text = String::new();
        let names = std::iter::once(String::new()).chain(state.list(&at, true));
        for name in names.filter(|name| !stay || name.is_empty() || !beyond(&state, &at, name)) {
            let level = if name.is_empty() { 0 } else { name.matches('/').count() + 1 };
            let full =
                if name.is_empty() { at.clone() } else { format!("{}/{name}", at.trim_end_matches('/')) };
            let Some(seen) = state.look(&full).filter(|_| (least..=most).contains(&level)) else { continue };
            let kind = match seen.kind {
                Kind::File => "f",
                Kind::Directory => "d",
                Kind::Link(_) => "l",
            };
            let last = full.rsplit('/').next().unwrap_or_default();
            let fits = pattern.is_none_or(|pattern| crate::sim::appliance::shell::fits(pattern, last));
            if !fits || kinds.is_some_and(|kinds| !kinds.split(',').any(|one| one == kind)) {
                continue;
            }
            let shown = if name.is_empty() {
                (*root).clone()
            } else {
                format!("{}/{name}", root.trim_end_matches('/'))
            };
            match format.filter(|_| !alone) {
                Some(format) => text.push_str(&printed(format, &seen, [&shown, &name, last, kind])),
                None => text.push_str(&(shown + end)),
            }
        }
        drop(state);
        io.say(text);
    }
    status
}

/// Whether a name below `at` lies in another file system.
fn beyond(state: &State, at: &str, name: &str) -> bool {
    let full = format!("{}/{name}", at.trim_end_matches('/'));
    let between = |point: &str| {
        inside(&full, point).is_some() && inside(point, at).is_some_and(|rest| !rest.is_empty())
    };
    state.mounts().iter().any(|(_, point)| between(point) && *point != full)
}

/// What `find -printf` makes of a format.
fn printed(format: &str, seen: &Seen, [path, below, last, kind]: [&str; 4]) -> String {
    fill(&format.replace("%T@", "%T"), |letter| {
        Some(match letter {
            "p" => path.to_owned(),
            "P" => below.to_owned(),
            "f" => last.to_owned(),
            "y" => kind.to_owned(),
            "l" => match &seen.kind {
                Kind::Link(target) => target.clone(),
                _ => String::new(),
            },
            "n" => seen.links.to_string(),
            "m" => format!("{:o}", seen.meta.mode),
            "M" => letters(seen),
            "U" => seen.meta.uid.to_string(),
            "G" => seen.meta.gid.to_string(),
            "u" => owner(seen.meta.uid),
            "g" => owner(seen.meta.gid),
            "s" => seen.length.to_string(),
            "i" => seen.number.to_string(),
            "T" => format!("{}.{:09}0", seen.meta.modified.0, seen.meta.modified.1),
            "d" => (below.matches('/').count() + usize::from(!below.is_empty())).to_string(),
            _ => return None,
        })
    })
}
