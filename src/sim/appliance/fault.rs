//! Faults on order: commands that fail, hang, or lose their connection.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::session::Session;
use super::shell::{Io, Shell};

/// One rule. What it does not name is left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultRule {
    /// Part of the command line, such as `zfs receive`; `*` stands for anything. Empty: every command.
    pub command: String,
    /// How many matching commands are let through first.
    pub skip: u32,
    /// How often it strikes; none: always.
    pub count: Option<u32>,
    /// Waits so long before the command runs.
    pub delay_ms: u64,
    /// The command does not run but ends with this status.
    pub exit: Option<i32>,
    /// What it says then on standard error.
    pub stderr: String,
    /// The connection breaks after the command has written so many bytes.
    pub cut_stdout: Option<u64>,
    /// The connection breaks after the command has read so many bytes.
    pub cut_stdin: Option<u64>,
    /// Connections are closed before a word is said. `command` does not count.
    pub refuse_connection: bool,
}

/// The rules of an appliance, with how often each has struck.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Mutex<Vec<(FaultRule, u32, u32)>>,
}

impl Faults {
    pub(crate) fn add(&self, rule: FaultRule) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).push((rule, 0, 0));
    }

    pub(crate) fn clear(&self) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn struck(&self) -> u32 {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(_, _, struck)| struck).sum()
    }

    /// The first rule that fits and strikes now.
    fn strike(&self, fits: impl Fn(&FaultRule) -> bool) -> Option<FaultRule> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        for (rule, seen, struck) in rules.iter_mut().filter(|(rule, ..)| fits(rule)) {
            *seen += 1;
            if *seen > rule.skip && rule.count.is_none_or(|count| *struck < count) {
                *struck += 1;
                return Some(rule.clone());
            }
        }
        None
    }

    /// Whether a connection that comes now is refused.
    pub(crate) fn refuses(&self) -> bool {
        self.strike(|rule| rule.refuse_connection).is_some()
    }
}

impl FaultRule {
    fn fits(&self, line: &str) -> bool {
        let mut rest = line;
        !self.refuse_connection
            && self.command.split('*').all(|part| match rest.find(part) {
                Some(at) => {
                    rest = &rest[at + part.len()..];
                    true
                }
                None => false,
            })
    }
}

/// What the rules make of a command.
pub(crate) enum Effect {
    /// It ends so, without having run.
    Ends(i32),
    /// It runs with these streams.
    Runs(Io),
}

/// Commands that only run others, which are looked at themselves.
const WRAPPERS: &[&str] = &[
    "env", "xargs", "sudo", "exec", "command", "sh", "bash", "cd", "export", "echo", "set", "exit", "eval",
    "read", "wait", "kill", "break", "continue", "shift", "[", "test", "true", ":", "return",
];

/// Applies the first rule that fits this command.
pub(crate) fn around(shell: &Shell, argv: &[String], io: &Io) -> Effect {
    let program = argv[0].rsplit('/').next().unwrap_or_default();
    if WRAPPERS.contains(&program) {
        return Effect::Runs(io.clone());
    }
    let line =
        std::iter::once(program).chain(argv[1..].iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    shell.machine.note(&line);
    let Some(rule) = shell.machine.faults.strike(|rule| rule.fits(&line)) else {
        return Effect::Runs(io.clone());
    };
    std::thread::sleep(Duration::from_millis(rule.delay_ms));
    if !rule.stderr.is_empty() {
        io.complain(&rule.stderr);
    }
    if let Some(status) = rule.exit {
        return Effect::Ends(status);
    }
    let mut io = io.clone();
    if let Some(after) = rule.cut_stdout {
        let inner = Arc::clone(&io.stdout);
        let cut = Cut { left: after, session: Arc::clone(&shell.session) };
        io.stdout = Arc::new(Mutex::new(Box::new(CutOutput { inner, cut })));
    }
    if let Some(after) = rule.cut_stdin {
        let inner = Arc::clone(&io.stdin);
        let cut = Cut { left: after, session: Arc::clone(&shell.session) };
        io.stdin = Arc::new(Mutex::new(Box::new(CutInput { inner, cut })));
    }
    Effect::Runs(io)
}

struct Cut {
    left: u64,
    session: Arc<Session>,
}

impl Cut {
    /// How many of `wanted` bytes still pass; 0 breaks the connection.
    fn allow(&mut self, wanted: usize) -> usize {
        let allowed = usize::try_from(self.left).unwrap_or(usize::MAX).min(wanted);
        self.left -= allowed as u64;
        if allowed == 0 {
            self.session.hangup.cancel();
        }
        allowed
    }
}

struct CutOutput {
    inner: super::shell::Output,
    cut: Cut,
}

impl Write for CutOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.cut.allow(bytes.len()) {
            0 if !bytes.is_empty() => Err(io::ErrorKind::BrokenPipe.into()),
            count => {
                self.inner.lock().unwrap_or_else(PoisonError::into_inner).write_all(&bytes[..count])?;
                Ok(count)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct CutInput {
    inner: super::shell::Input,
    cut: Cut,
}

impl Read for CutInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.cut.allow(buffer.len());
        if count == 0 {
            return Ok(0);
        }
        let read = self.inner.lock().unwrap_or_else(PoisonError::into_inner).read(&mut buffer[..count])?;
        self.cut.left += (count - read) as u64;
        Ok(read)
    }
}
