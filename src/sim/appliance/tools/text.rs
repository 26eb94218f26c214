//! Programs that pass text on: `echo`, `cat`, `head`, …

use super::Io;

pub(super) fn run(program: &str, words: &[String], io: &Io) -> Option<i32> {
    Some(match program {
        "head" => head(words, io),
        "wc" => {
            let bytes = io.read_all();
            let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
            let told = if words.iter().any(|word| word == "-c") { bytes.len() } else { lines };
            io.say(format!("{told}\n"));
            0
        }
        "sort" | "cut" | "grep" | "tr" | "tee" => {
            let text = String::from_utf8_lossy(&io.read_all()).into_owned();
            io.say(filter(program, words, &text));
            0
        }
        _ => return None,
    })
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

fn filter(program: &str, words: &[String], text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match program {
        "sort" => lines.sort(),
        "grep" => {
            let needle = words.iter().find(|word| !word.starts_with('-')).map_or("", String::as_str);
            let inverted = words.iter().any(|word| word.starts_with('-') && word.contains('v'));
            lines.retain(|line| line.contains(needle) != inverted);
        }
        "cut" => {
            let field =
                words.iter().find_map(|word| word.strip_prefix("-f")?.parse::<usize>().ok()).unwrap_or(1);
            for line in &mut lines {
                *line = line.split('\t').nth(field.saturating_sub(1)).unwrap_or_default().to_owned();
            }
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
fn head(words: &[String], io: &Io) -> i32 {
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
    let text = String::from_utf8_lossy(&io.read_all()).into_owned();
    for line in text.lines().take(value("-n").unwrap_or(10)) {
        io.say(format!("{line}\n"));
    }
    0
}
