//! Running what was parsed. Every part of a pipeline has a thread of its own, joined by real pipes, so that a
//! reader that leaves breaks the writer's pipe as it does on a host.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::parse::{Command, List, Pipeline, Redirect, When, parse};
use crate::sim::appliance::machine::Machine;
use crate::sim::appliance::session::Session;
use crate::sim::appliance::{fault, tools};

pub(crate) type Output = Arc<Mutex<Box<dyn Write + Send>>>;
pub(crate) type Input = Arc<Mutex<Box<dyn Read + Send>>>;

/// The three streams of a command.
#[derive(Clone)]
pub(crate) struct Io {
    pub(crate) stdin: Input,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
}

fn guard<T: ?Sized>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Io {
    pub(crate) fn new(
        stdin: impl Read + Send + 'static,
        stdout: impl Write + Send + 'static,
        stderr: impl Write + Send + 'static,
    ) -> Self {
        Self {
            stdin: Arc::new(Mutex::new(Box::new(stdin))),
            stdout: Arc::new(Mutex::new(Box::new(stdout))),
            stderr: Arc::new(Mutex::new(Box::new(stderr))),
        }
    }

    /// Writes to standard output; a reader that is gone is the next writer's trouble.
    pub(crate) fn say(&self, text: impl AsRef<[u8]>) {
        let _ = guard(&self.stdout).write_all(text.as_ref());
    }

    /// Writes a line to standard error.
    pub(crate) fn complain(&self, text: impl std::fmt::Display) {
        let _ = guard(&self.stderr).write_all(format!("{text}\n").as_bytes());
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> std::io::Result<()> {
        guard(&self.stdout).write_all(bytes)
    }

    pub(crate) fn read(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
        guard(&self.stdin).read(buffer)
    }

    /// All of standard input.
    pub(crate) fn read_all(&self) -> Vec<u8> {
        let mut all = Vec::new();
        // What came before the input broke is what the command sees.
        let _ = guard(&self.stdin).read_to_end(&mut all);
        all
    }
}

/// One shell, with its variables.
#[derive(Clone)]
pub(crate) struct Shell {
    pub(crate) machine: Arc<Machine>,
    pub(crate) session: Arc<Session>,
    /// Whose rights commands have.
    pub(crate) user: String,
    /// What it calls itself in messages.
    pub(crate) name: &'static str,
    variables: BTreeMap<String, String>,
    pub(crate) status: i32,
    exited: Option<i32>,
}

impl Shell {
    /// The login shell of a user.
    pub(crate) fn login(machine: Arc<Machine>, session: Arc<Session>, user: &str) -> Self {
        let home = if user == "root" { "/root".to_owned() } else { format!("/home/{user}") };
        let path = if user == "root" {
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        } else {
            "/usr/local/bin:/usr/bin:/bin"
        };
        let pairs = [("HOME", home.as_str()), ("PATH", path), ("USER", user), ("LANG", "C.UTF-8")];
        let variables = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { machine, session, user: user.to_owned(), name: "bash", variables, status: 0, exited: None }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.user == "root"
    }

    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        match name {
            "?" => Some(self.status.to_string()),
            "$" => Some("4242".to_owned()),
            _ => self.variables.get(name).cloned(),
        }
    }

    pub(crate) fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Runs a script and gives its exit status.
    pub(crate) fn run_text(&mut self, script: &str, io: &Io) -> i32 {
        match parse(script) {
            Ok(list) => {
                self.list(&list, io);
                self.exited.unwrap_or(self.status)
            }
            Err(why) => {
                io.complain(format_args!("{}: 1: {why}", self.name));
                2
            }
        }
    }

    pub(crate) fn exit(&mut self, status: i32) -> i32 {
        self.exited = Some(status);
        status
    }

    fn list(&mut self, list: &List, io: &Io) {
        for pipeline in list {
            let wanted = match pipeline.when {
                When::Always => true,
                When::Succeeded => self.status == 0,
                When::Failed => self.status != 0,
            };
            if !wanted {
                continue;
            }
            let status = self.pipeline(pipeline, io);
            self.status = if pipeline.negated { i32::from(status == 0) } else { status };
            if self.exited.is_some() {
                return;
            }
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, io: &Io) -> i32 {
        let Some((last, before)) = pipeline.commands.split_last() else { return 0 };
        if before.is_empty() {
            return self.command(last, io);
        }
        std::thread::scope(|scope| {
            let mut input = Arc::clone(&io.stdin);
            for command in before {
                let Ok((reader, writer)) = std::io::pipe() else {
                    io.complain(format_args!("{}: cannot make a pipe", self.name));
                    return 1;
                };
                let stdout: Output = Arc::new(Mutex::new(Box::new(writer)));
                let own = Io { stdin: input, stdout, stderr: Arc::clone(&io.stderr) };
                let mut shell = self.clone();
                scope.spawn(move || shell.command(command, &own));
                input = Arc::new(Mutex::new(Box::new(reader)));
            }
            let own = Io { stdin: input, ..io.clone() };
            let mut shell = self.clone();
            let status = shell.command(last, &own);
            drop(own);
            status
        })
    }

    fn command(&mut self, command: &Command, io: &Io) -> i32 {
        match command {
            Command::Simple { assignments, words, redirects } => {
                let argv: Vec<String> = words.iter().flat_map(|word| self.fields(word, io)).collect();
                let values: Vec<(String, String)> =
                    assignments.iter().map(|(name, word)| (name.clone(), self.text(word, io))).collect();
                for (name, value) in &values {
                    // Also before a command: the commands here look at no variable but PATH.
                    self.set_variable(name, value);
                }
                match self.redirected(redirects, io) {
                    Ok(_) if argv.is_empty() => self.status * i32::from(!values.is_empty()),
                    Ok(io) => self.execute(&argv, &io),
                    Err(why) => {
                        io.complain(format_args!("{}: line 1: {why}", self.name));
                        1
                    }
                }
            }
            Command::If { branches, otherwise } => {
                for (condition, body) in branches {
                    self.list(condition, io);
                    if self.exited.is_some() {
                        return self.status;
                    }
                    if self.status == 0 {
                        self.list(body, io);
                        return self.status;
                    }
                }
                self.status = 0;
                self.list(otherwise, io);
                self.status
            }
            Command::For { name, words, body } => {
                let values: Vec<String> = words.iter().flat_map(|word| self.fields(word, io)).collect();
                self.status = 0;
                for value in values {
                    self.set_variable(name, &value);
                    self.list(body, io);
                    if self.exited.is_some() {
                        break;
                    }
                }
                self.status
            }
            Command::Group { body, redirects, own_shell } => match self.redirected(redirects, io) {
                Ok(io) if *own_shell => {
                    let mut inner = self.clone();
                    inner.list(body, &io);
                    inner.exited.unwrap_or(inner.status)
                }
                Ok(io) => {
                    self.list(body, &io);
                    self.status
                }
                Err(why) => {
                    io.complain(format_args!("{}: line 1: {why}", self.name));
                    1
                }
            },
        }
    }

    fn redirected(&mut self, redirects: &[Redirect], io: &Io) -> Result<Io, String> {
        let mut io = io.clone();
        for redirect in redirects {
            match redirect {
                Redirect::From(word) => {
                    let path = self.text(word, &io);
                    let bytes = self.machine.read_file(&path)?;
                    io.stdin = Arc::new(Mutex::new(Box::new(std::io::Cursor::new(bytes))));
                }
                Redirect::To(descriptor, word, append) => {
                    let path = self.text(word, &io);
                    let writer = self.machine.open_file(&path, *append)?;
                    let output: Output = Arc::new(Mutex::new(writer));
                    if *descriptor == 2 { io.stderr = output } else { io.stdout = output }
                }
                Redirect::Copy(2, 1) => io.stderr = Arc::clone(&io.stdout),
                Redirect::Copy(1, 2) => io.stdout = Arc::clone(&io.stderr),
                Redirect::Copy(..) => return Err("Bad file descriptor".to_owned()),
            }
        }
        Ok(io)
    }

    /// Runs one command by its words.
    pub(crate) fn execute(&mut self, argv: &[String], io: &Io) -> i32 {
        match fault::around(self, argv, io) {
            fault::Effect::Ends(status) => status,
            fault::Effect::Runs(io) => tools::run(self, argv, &io),
        }
    }
}
