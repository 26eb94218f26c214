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
        let line = argv.words().join(" ");
        self.asked.lock().unwrap().push(line.clone());
        let mut answers = self.answers.lock().unwrap();
        let found = answers.iter().position(|(words, _)| line.contains(words));
        let (_, answer) = answers.remove(found.unwrap_or_else(|| panic!("nobody expected: {line}"))).unwrap();
        Ok(Output {
            exit: Exit::Code(answer.exit),
            stdout: answer.stdout.into_bytes(),
            stderr: answer.stderr.into_bytes(),
        })
    }
}

impl Script {
    /// What was asked, without the words in front that every command has.
    pub(super) fn asked(&self) -> Vec<String> {
        let bare = |line: &String| line.trim_start_matches("env LC_ALL=C sudo -n /usr/sbin/").to_owned();
        self.asked.lock().unwrap().iter().map(bare).collect()
    }

    /// Whether every answer was asked for.
    pub(super) fn is_used_up(&self) -> bool {
        self.answers.lock().unwrap().is_empty()
    }
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
    };
    (Zfs { host: Host::local(), runner: script.clone(), tools: Arc::new(tools) }, script)
}
