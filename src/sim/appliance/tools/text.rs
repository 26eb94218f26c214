//! Programs that pass text on: `echo`, `cat`, `head`, …

use super::{Io, Shell};
use crate::sim::appliance::shell::input;

pub(super) fn run(shell: &Shell, program: &str, words: &[String], io: &Io) -> Option<i32> {
    Some(match program {
        "head" => head(shell, words, io),
        "tail" => {
            let text = content(shell, words, io);
            let text = String::from_utf8_lossy(&text);
            let at = words.iter().position(|word| word == "-n");
            let count = at.and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(10usize);
            let lines: Vec<&str> = text.lines().collect();
            let last = &lines[lines.len().saturating_sub(count)..];
            io.say(last.iter().map(|line| format!("{line}\n")).collect::<String>());
            0
        }
        "wc" => {
            let bytes = content(shell, words, io);
            let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
            let told = if words.iter().any(|word| word == "-c") { bytes.len() } else { lines };
            io.say(format!("{told}\n"));
            0
        }
        "grep" => grep(shell, words, io),
        "sort" | "cut" | "tr" => {
            let text = String::from_utf8_lossy(&io.read_all()).into_owned();
            io.say(filter(program, words, &text));
            0
        }
        _ => return None,
    })
}

/// The files that are named, or standard input.
fn content(shell: &Shell, words: &[String], io: &Io) -> Vec<u8> {
    let files: Vec<&String> = words.iter().filter(|word| word.starts_with('/')).collect();
    match files.as_slice() {
        [] => io.read_all(),
        files => files.iter().flat_map(|path| shell.machine.read_file(path).unwrap_or_default()).collect(),
    }
}

/// What `echo` and `printf` say.
pub(super) fn spoken(program: &str, words: &[String]) -> String {
    if program == "printf" {
        return printf(words);
    }
    match words.split_first() {
        Some((first, rest)) if first == "-n" => rest.join(" "),
        _ => words.join(" ") + "\n",
    }
}

/// `grep [-q] [-v] [-c] [-F] PATTERN [FILE…]`, with `^` and `$` as the only signs that mean something.
fn grep(shell: &Shell, words: &[String], io: &Io) -> i32 {
    let flag = |letter: char| words.iter().any(|word| word.starts_with('-') && word.contains(letter));
    let operands: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let Some((pattern, files)) = operands.split_first() else { return 2 };
    let text = match files {
        [] => io.read_all(),
        files => files
            .iter()
            .flat_map(|path| shell.machine.read_file(&shell.absolute(path)).unwrap_or_default())
            .collect(),
    };
    let fits = |line: &&str| {
        let (start, rest) = pattern.strip_prefix('^').map_or((false, pattern.as_str()), |rest| (true, rest));
        let (end, middle) = rest.strip_suffix('$').map_or((false, rest), |rest| (true, rest));
        let middle = middle.replace("\\.", ".");
        let found = match (start, end) {
            (true, true) => **line == middle,
            (true, false) => line.starts_with(&middle),
            (false, true) => line.ends_with(&middle),
            (false, false) => line.contains(&middle),
        };
        found != flag('v')
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    let found: Vec<&str> = text.lines().filter(fits).collect();
    if flag('c') {
        io.say(format!("{}\n", found.len()));
    } else if !flag('q') {
        io.say(found.iter().map(|line| format!("{line}\n")).collect::<String>());
    }
    i32::from(found.is_empty())
}

fn filter(program: &str, words: &[String], text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match program {
        "sort" => lines.sort(),
        "cut" => {
            let value = |flag: &str| words.iter().find_map(|word| word.strip_prefix(flag));
            let at =
                value("-f").and_then(|field| field.split(',').next()?.parse::<usize>().ok()).unwrap_or(1);
            let between = value("-d").and_then(|text| text.chars().next()).unwrap_or('\t');
            for line in &mut lines {
                // A line without the mark is passed on whole.
                if line.contains(between) {
                    *line = line.split(between).nth(at.saturating_sub(1)).unwrap_or_default().to_owned();
                }
            }
        }
        "tr" => {
            let (from, to) = match words {
                [delete, from] if delete == "-d" => (from.as_str(), ""),
                [from, to] => (from.as_str(), to.as_str()),
                _ => return text.to_owned(),
            };
            let letter = |text: &str| match text {
                "\\n" => Some('\n'),
                "\\0" => Some('\0'),
                "\\t" => Some('\t'),
                other => other.chars().next(),
            };
            let Some(from) = letter(from) else { return text.to_owned() };
            return text.replace(from, &letter(to).map(String::from).unwrap_or_default());
        }
        _ => return text.to_owned(),
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

/// The format again and again while there are arguments.
fn printf(words: &[String]) -> String {
    let Some((format, mut rest)) = words.split_first() else { return String::new() };
    let mut text = String::new();
    loop {
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '%' => match letters.next() {
                    Some('%') => text.push('%'),
                    _ => {
                        if let Some((word, others)) = rest.split_first() {
                            text.push_str(word);
                            rest = others;
                        }
                    }
                },
                '\\' => match letters.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('0') => text.push('\0'),
                    Some(other) => text.push(other),
                    None => text.push('\\'),
                },
                letter => text.push(letter),
            }
        }
        if rest.is_empty() || !format.contains('%') {
            return text;
        }
    }
}

/// `head -c N` and `head -n N`. Leaves when it has enough, so that the writer's pipe breaks.
fn head(shell: &Shell, words: &[String], io: &Io) -> i32 {
    let mut own = io.clone();
    let file = words.iter().rposition(|word| !word.starts_with('-'));
    // What stands behind `-c` or `-n` is a number, not a file.
    let counted = |at: usize| at > 0 && ["-c", "-n"].contains(&words[at - 1].as_str());
    if let Some(path) = file.filter(|at| !counted(*at)).map(|at| &words[at]) {
        match shell.machine.open_to_read(&shell.absolute(path)) {
            Ok(reader) => own.open_in(0, input(reader)),
            Err(why) => {
                io.complain(format_args!("head: cannot open {why}"));
                return 1;
            }
        }
    }
    let io = &own;
    let value = |letter: &str| {
        let at = words.iter().position(|word| word == letter)?;
        words.get(at + 1)?.parse::<usize>().ok()
    };
    if let Some(mut left) = value("-c") {
        let mut buffer = vec![0; 64 << 10];
        while left > 0 {
            let most = left.min(buffer.len());
            match io.read(&mut buffer[..most]) {
                Ok(count) if count > 0 && io.write(&buffer[..count]).is_ok() => left -= count,
                _ => break,
            }
        }
        return 0;
    }
    for _ in 0..value("-n").unwrap_or(10) {
        match io.read_line() {
            (line, true) => io.say(line + "\n"),
            (line, false) => {
                io.say(line);
                break;
            }
        }
    }
    0
}
