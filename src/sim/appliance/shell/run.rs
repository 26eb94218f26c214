//! Running what was parsed. Every part of a pipeline and everything in the background is a process with a thread of
//! its own; a reader that leaves breaks the writer's pipe as it does on a host.
//!
//! Who holds which descriptor matters: a pipe ends when the last copy of its end is gone. So a process gets its
//! descriptors by value, and whoever starts it keeps none of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::io::{Io, input, output};
use super::parse::{Command, List, Pipeline, Redirect, When, parse};
use super::pipe::pipe;
use super::process::{self, Process};
use crate::sim::appliance::machine::Machine;
use crate::sim::appliance::session::Session;
use crate::sim::appliance::{fault, tools};

/// One shell, with its variables.
#[derive(Clone)]
pub(crate) struct Shell {
    pub(crate) machine: Arc<Machine>,
    pub(crate) session: Arc<Session>,
    /// Whose rights commands have.
    pub(crate) user: String,
    /// What it calls itself in messages.
    pub(crate) name: &'static str,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) functions: BTreeMap<String, Arc<Command>>,
    /// What it started in the background.
    pub(super) children: Vec<Arc<Process>>,
    pub(crate) status: i32,
    pub(super) exited: Option<i32>,
    /// How many loops are to be left, and whether the outermost of them goes on.
    pub(super) leaving: Option<(u32, bool)>,
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
        let pairs =
            [("HOME", home.as_str()), ("PATH", path), ("USER", user), ("LANG", "C.UTF-8"), ("PWD", &home)];
        let mut variables: BTreeMap<String, String> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        if let Some(socket) = session.agent_socket() {
            variables.insert("SSH_AUTH_SOCK".to_owned(), socket);
        }
        Self {
            machine,
            session,
            user: user.to_owned(),
            name: "bash",
            variables,
            functions: BTreeMap::new(),
            children: Vec::new(),
            status: 0,
            exited: None,
            leaving: None,
        }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.user == "root"
    }

    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        match name {
            "?" => Some(self.status.to_string()),
            "$" => Some(process::current().map_or(1, |process| process.pid).to_string()),
            "!" => Some(self.children.last()?.pid.to_string()),
            _ => self.variables.get(name).cloned(),
        }
    }

    pub(crate) fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// A path as this shell means it.
    pub(crate) fn absolute(&self, path: &str) -> String {
        if path.starts_with('/') || path.is_empty() {
            return path.to_owned();
        }
        format!("{}/{path}", self.variables.get("PWD").map_or("/", String::as_str).trim_end_matches('/'))
    }

    /// Runs a script and gives its exit status.
    pub(crate) fn run_text(&mut self, script: &str, io: &Io) -> i32 {
        match parse(script) {
            Ok(list) => {
                self.list(&list, &mut io.clone());
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

    /// Whether nothing more is to be run here.
    pub(super) fn is_over(&mut self) -> bool {
        if let Some(status) = process::killed_with() {
            self.exited = Some(status);
        }
        self.exited.is_some() || self.leaving.is_some()
    }

    pub(super) fn list(&mut self, list: &List, io: &mut Io) {
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
            if self.is_over() {
                return;
            }
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, io: &mut Io) -> i32 {
        match pipeline.commands.as_slice() {
            [] => 0,
            [only] => self.command(only, io),
            commands => {
                let started = self.start(commands, io.clone());
                started.map_or_else(
                    |why| {
                        io.complain(format_args!("{}: {why}", self.name));
                        1
                    },
                    // All of them are waited for; the last one's status counts.
                    |parts| parts.iter().fold(0, |_, part| part.wait()),
                )
            }
        }
    }

    /// A shell like this one for a process of its own.
    pub(super) fn forked(&self) -> Self {
        Self { children: Vec::new(), leaving: None, ..self.clone() }
    }

    /// Starts the parts of a pipeline, each as a process; the last one last.
    pub(super) fn start(&self, commands: &[Command], io: Io) -> Result<Vec<Arc<Process>>, &'static str> {
        let mut started = Vec::new();
        let mut io = Some(io);
        let mut commands = commands.iter().peekable();
        while let Some(command) = commands.next() {
            let Some(mut own) = io.take() else { break };
            if commands.peek().is_some() {
                let (reader, writer) = pipe();
                let mut next = own.clone();
                next.stdin = input(reader);
                own.stdout = output(writer);
                io = Some(next);
            }
            started.push(self.spawn(command.clone(), own)?);
        }
        Ok(started)
    }

    fn spawn(&self, command: Command, io: Io) -> Result<Arc<Process>, &'static str> {
        let process = self.machine.new_process();
        let (shell, own) = (self.forked(), Arc::clone(&process));
        let work = move || {
            own.run(|| shell.become_command(&command, io));
        };
        let thread = std::thread::Builder::new().name("sim-process".to_owned()).spawn(work);
        thread.map(|_| process).map_err(|_| "Cannot fork")
    }

    /// Runs a command with descriptors that nobody else holds, and ends with it.
    fn become_command(mut self, command: &Command, mut io: Io) -> i32 {
        match command {
            Command::Group { body, redirects, .. } => match self.redirected(redirects, &mut io) {
                Ok(()) => {
                    self.list(body, &mut io);
                    self.exited.unwrap_or(self.status)
                }
                Err(why) => self.fails(&why, &io),
            },
            Command::Simple { words, redirects, assignments } if assignments.is_empty() => {
                let argv: Vec<String> = words.iter().flat_map(|word| self.fields(word, &io)).collect();
                match self.redirected(redirects, &mut io) {
                    Ok(()) if argv.is_empty() => 0,
                    Ok(()) => {
                        let status = self.execute(&argv, &io);
                        self.exited.unwrap_or(status)
                    }
                    Err(why) => self.fails(&why, &io),
                }
            }
            other => {
                let status = self.command(other, &mut io);
                self.exited.unwrap_or(status)
            }
        }
    }

    pub(super) fn fails(&self, why: &str, io: &Io) -> i32 {
        io.complain(format_args!("{}: line 1: {why}", self.name));
        1
    }

    pub(super) fn simple(
        &mut self,
        assignments: &[(String, super::parse::Word)],
        words: &[super::parse::Word],
        redirects: &[Redirect],
        io: &mut Io,
    ) -> i32 {
        let argv: Vec<String> = words.iter().flat_map(|word| self.fields(word, io)).collect();
        let mut before = Vec::new();
        for (name, word) in assignments {
            let value = self.text(word, io);
            before.push((name, self.variables.insert(name.clone(), value)));
        }
        let mut own = io.clone();
        let status = match self.redirected(redirects, &mut own) {
            Err(why) => self.fails(&why, io),
            Ok(()) if argv.is_empty() => self.status * i32::from(!assignments.is_empty()),
            // Without a command, `exec` turns the shell's own descriptors.
            Ok(()) if argv == ["exec"] => {
                *io = own;
                0
            }
            Ok(()) => self.execute(&argv, &own),
        };
        // What stands before a command is for that command.
        for (name, value) in before.into_iter().rev().filter(|_| !argv.is_empty()) {
            match value {
                Some(value) => drop(self.variables.insert(name.clone(), value)),
                None => drop(self.variables.remove(name)),
            }
        }
        status
    }

    pub(super) fn redirected(&mut self, redirects: &[Redirect], io: &mut Io) -> Result<(), String> {
        for redirect in redirects {
            match redirect {
                Redirect::From(descriptor, word) => {
                    let path = self.text(word, io);
                    let path = self.absolute(&path);
                    let reader = self.machine.open_to_read(&path)?;
                    io.open_in(*descriptor, input(reader));
                }
                Redirect::To(descriptor, word, append) => {
                    let path = self.text(word, io);
                    let path = self.absolute(&path);
                    let writer = self.machine.open_file(&path, *append)?;
                    io.open_out(*descriptor, output(writer));
                }
                Redirect::Copy(to, from) => {
                    if !io.copy(*to, *from) {
                        return Err(format!("{from}: Bad file descriptor"));
                    }
                }
                Redirect::Close(descriptor) => io.close(*descriptor),
            }
        }
        Ok(())
    }

    /// Runs one command by its words.
    pub(crate) fn execute(&mut self, argv: &[String], io: &Io) -> i32 {
        if let Some(body) = self.functions.get(&argv[0]).cloned() {
            return self.call(&body, argv, io);
        }
        match fault::around(self, argv, io) {
            fault::Effect::Ends(status) => status,
            fault::Effect::Runs(io) => tools::run(self, argv, &io),
        }
    }
}
