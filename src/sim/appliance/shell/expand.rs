//! Words to arguments: variables, command substitution, field splitting (POSIX.1-2017, XCU 2.6).

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use super::io::{Io, output};
use super::parse::{Piece, Word};
use super::run::Shell;

impl Shell {
    /// The arguments that a word becomes: none, one, or several where an unquoted expansion holds blanks.
    pub(super) fn fields(&mut self, word: &Word, io: &Io) -> Vec<String> {
        let mut fields: Vec<String> = Vec::new();
        let mut current: Option<String> = None;
        for piece in word {
            let (text, splits) = self.piece(piece, io);
            if !splits {
                // `""` makes an argument; an unquoted expansion to nothing does not.
                current.get_or_insert_default().push_str(&text);
                continue;
            }
            let mut parts = text.split([' ', '\t', '\n']);
            if let Some(first) = parts.next().filter(|first| !first.is_empty()) {
                current.get_or_insert_default().push_str(first);
            }
            for part in parts {
                fields.extend(current.take());
                if !part.is_empty() {
                    current = Some(part.to_owned());
                }
            }
        }
        fields.extend(current);
        fields
    }

    /// The word as one text, as in an assignment or a redirection.
    pub(super) fn text(&mut self, word: &Word, io: &Io) -> String {
        word.iter().map(|piece| self.piece(piece, io).0).collect()
    }

    /// The text of a piece, and whether it is split.
    fn piece(&mut self, piece: &Piece, io: &Io) -> (String, bool) {
        match piece {
            Piece::Text { text, .. } => (text.clone(), false),
            Piece::Variable { name, otherwise, quoted } => {
                let value = match name.find(['%', '#']).filter(|at| *at > 0) {
                    Some(at) => Some(trimmed(&self.variable(&name[..at]).unwrap_or_default(), &name[at..])),
                    None => self.variable(name),
                };
                let value = value.filter(|value| otherwise.is_none() || !value.is_empty());
                (value.or_else(|| otherwise.clone()).unwrap_or_default(), !quoted)
            }
            Piece::Output { script, quoted } => {
                let text = self.output_of(script, io);
                (text.trim_end_matches('\n').to_owned(), !quoted)
            }
            Piece::Sum { text, quoted } => (self.sum(text).unwrap_or(0).to_string(), !quoted),
        }
    }

    /// What a command says that another program runs.
    pub(crate) fn output_of_command(&self, command: &str, io: &Io) -> String {
        let mut shell = self.forked();
        shell.output_of(command, io)
    }

    fn output_of(&mut self, script: &str, io: &Io) -> String {
        let collected = Arc::new(Mutex::new(Vec::new()));
        let mut own = io.clone();
        own.open_out(1, output(Collector(Arc::clone(&collected))));
        self.status = self.forked().run_text(script, &own);
        let bytes = collected.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Shell {
    /// An arithmetic expression: whole numbers, variables, `+ - * / %` and brackets.
    fn sum(&self, text: &str) -> Option<i64> {
        let mut sum = Sum { shell: self, rest: text.trim_start() };
        let value = sum.terms()?;
        sum.rest.is_empty().then_some(value)
    }
}

struct Sum<'a> {
    shell: &'a Shell,
    rest: &'a str,
}

impl Sum<'_> {
    fn takes(&mut self, sign: char) -> bool {
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest).trim_start();
        rest.is_some()
    }

    fn terms(&mut self) -> Option<i64> {
        let mut value = self.factors()?;
        loop {
            if self.takes('+') {
                value = value.checked_add(self.factors()?)?;
            } else if self.takes('-') {
                value = value.checked_sub(self.factors()?)?;
            } else {
                return Some(value);
            }
        }
    }

    fn factors(&mut self) -> Option<i64> {
        let mut value = self.single()?;
        loop {
            if self.takes('*') {
                value = value.checked_mul(self.single()?)?;
            } else if self.takes('/') {
                value = value.checked_div(self.single()?)?;
            } else if self.takes('%') {
                value = value.checked_rem(self.single()?)?;
            } else {
                return Some(value);
            }
        }
    }

    fn single(&mut self) -> Option<i64> {
        if self.takes('-') {
            return self.single()?.checked_neg();
        }
        if self.takes('(') {
            let value = self.terms()?;
            return self.takes(')').then_some(value);
        }
        self.takes('$');
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        word.parse().ok().or_else(|| self.shell.variable(word).map_or(Some(0), |text| text.parse().ok()))
    }
}

/// `%pattern` and `%%pattern` cut from the end, `#pattern` and `##pattern` from the beginning, the shortest and the longest.
fn trimmed(text: &str, cut: &str) -> String {
    let sign = &cut[..1];
    let (longest, pattern) = match cut[1..].strip_prefix(sign) {
        Some(pattern) => (true, pattern),
        None => (false, &cut[1..]),
    };
    let mut ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    if (sign == "%") != longest {
        ends.reverse();
    }
    let found =
        ends.into_iter().find(|at| fits(pattern, if sign == "%" { &text[*at..] } else { &text[..*at] }));
    match found {
        Some(at) if sign == "%" => text[..at].to_owned(),
        Some(at) => text[at..].to_owned(),
        None => text.to_owned(),
    }
}

/// Whether a text fits a pattern with `*` and `?`.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| fits(rest.as_str(), &text[at..]))
        }
        Some(one) => {
            let mut letters = text.chars();
            let first = letters.next();
            first.is_some_and(|c| one == '?' || one == c) && fits(rest.as_str(), letters.as_str())
        }
    }
}

/// Keeps what is written.
pub(crate) struct Collector(pub(crate) Arc<Mutex<Vec<u8>>>);

impl Write for Collector {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
