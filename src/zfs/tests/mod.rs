//! The room against what real hosts said, recorded in `tests/golden` (its README says how).

mod classification;
mod listing;
mod operations;
mod words;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::detect::{Privilege, Release, System, Tools};
use super::{Host, HostError, Runner, Zfs};
use crate::domain::argv::Argv;
use crate::domain::exit::{Exit, Output};

/// One recorded answer.
#[derive(Debug, Clone)]
pub(super) struct Golden {
    pub(super) exit: u32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Golden {
    pub(super) fn read(text: &str) -> Self {
        let (head, rest) = text.split_once("\n--- stdout\n").expect("a recording has its output");
        let (stdout, stderr) = match rest.strip_prefix("--- stderr\n") {
            Some(stderr) => ("", stderr),
            None => rest.split_once("\n--- stderr\n").expect("a recording has its standard error"),
        };
        let exit = head.rsplit_once("\nexit ").expect("a recording has its exit").1;
        let mut stdout = stdout.to_owned();
        if !stdout.is_empty() {
            stdout.push('\n');
        }
        Self { exit: exit.parse().expect("an exit is a number"), stdout, stderr: stderr.to_owned() }
    }
}

macro_rules! golden {
    ($name:literal) => {
        $crate::zfs::tests::Golden::read(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/golden/zfs-2.3.2/",
            $name,
            ".txt"
        )))
    };
}
use golden;

/// Succeeds and prints nothing.
pub(super) fn silence() -> Golden {
    Golden { exit: 0, stdout: String::new(), stderr: String::new() }
}

/// Succeeds and prints `text`.
pub(super) fn says(text: &str) -> Golden {
    Golden { stdout: text.to_owned(), ..silence() }
}

/// Answers each command with the next answer whose words it contains, and keeps what was asked.
#[derive(Default)]
pub(super) struct Script {
    answers: Mutex<VecDeque<(&'static str, Golden)>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Runner for Script {
    async fn run(&self, argv: &Argv, _: Option<&[u8]>, _: Duration) -> Result<Output, HostError> {
        let answer = match argv.words() {
            [sh, _, script] if sh == "sh" => self.batch(script),
            words => self.answer(words.join(" ")),
        };
        Ok(Output {
            exit: Exit::Code(answer.exit),
            stdout: answer.stdout.into_bytes(),
            stderr: answer.stderr.into_bytes(),
        })
    }
}

impl Script {
    fn answer(&self, line: String) -> Golden {
        self.asked.lock().unwrap().push(line.clone());
        let mut answers = self.answers.lock().unwrap();
        let found = answers.iter().position(|(words, _)| line.contains(words));
        answers.remove(found.unwrap_or_else(|| panic!("nobody expected: {line}"))).unwrap().1
    }

    /// Answers each command of a batch, in the form in which the script hands them on.
    fn batch(&self, script: &str) -> Golden {
        let mark = script.split_once("; m=").unwrap().1.split(';').next().unwrap();
        let (mut stdout, mut stderr) = (format!("\n{mark}\n"), format!("\n{mark}\n"));
        'all: for part in script.split("; for c in ").skip(1) {
            let (lines, rest) = part.split_once("; do eval").unwrap();
            for line in words(lines) {
                let answer = self.answer(words(&line).join(" "));
                let end = format!("\n{mark} {}\n", answer.exit);
                stdout.push_str(&(answer.stdout + &end));
                stderr.push_str(&(answer.stderr + &end));
                if answer.exit != 0 && rest.contains("exit 0") {
                    break 'all;
                }
            }
        }
        Golden { exit: 0, stdout, stderr }
    }

    /// What was asked, without the words in front that every command has.
    pub(super) fn asked(&self) -> Vec<String> {
        let bare = |line: &String| {
            line.trim_start_matches("env LC_ALL=C ").trim_start_matches("sudo -n /usr/sbin/").to_owned()
        };
        self.asked.lock().unwrap().iter().map(bare).collect()
    }

    /// Whether every answer was asked for.
    pub(super) fn is_used_up(&self) -> bool {
        self.answers.lock().unwrap().is_empty()
    }
}

/// The words of a line as a shell splits it: blanks, single quotes and backslashes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if !quoted => word.get_or_insert_default().extend(letters.next()),
            ' ' if !quoted => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// OpenZFS on a host that gives these answers.
pub(super) fn scripted(answers: Vec<(&'static str, Golden)>) -> (Zfs, Arc<Script>) {
    let script = Arc::new(Script { answers: Mutex::new(answers.into()), asked: Mutex::default() });
    let tools = Tools {
        zfs: "/usr/sbin/zfs".to_owned(),
        zpool: "/usr/sbin/zpool".to_owned(),
        user: "zfsadmin".to_owned(),
        privilege: Privilege::Sudo,
        sudo_runs_zpool: true,
        system: System::Linux,
        release: Release::parse("2.3.2-2"),
        kernel: Release::parse("2.3.2-2"),
        noisy: false,
    };
    let zfs =
        Zfs { host: Host::local(), runner: script.clone(), tools: Arc::new(tools), noisy: Arc::default() };
    (zfs, script)
}
