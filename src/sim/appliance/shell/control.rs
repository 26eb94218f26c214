//! Commands made of commands: conditions, loops, choices, functions, groups, and what runs in the background.

use std::sync::Arc;

use super::io::{Io, input};
use super::parse::{Command, Pipeline};
use super::run::Shell;

impl Shell {
    pub(super) fn command(&mut self, command: &Command, io: &mut Io) -> i32 {
        match command {
            Command::Simple { assignments, words, redirects } => {
                self.simple(assignments, words, redirects, io)
            }
            Command::If { branches, otherwise } => {
                for (condition, body) in branches {
                    self.list(condition, io);
                    if self.is_over() {
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
                    if self.leaves_loop() {
                        break;
                    }
                }
                self.status
            }
            Command::While { condition, until, body, redirects } => {
                let mut io = io.clone();
                if let Err(why) = self.redirected(redirects, &mut io) {
                    return self.fails(&why, &io);
                }
                let mut last = 0;
                loop {
                    self.list(condition, &mut io);
                    if self.is_over() || (self.status == 0) == *until {
                        break;
                    }
                    self.list(body, &mut io);
                    last = self.status;
                    if self.leaves_loop() {
                        break;
                    }
                }
                last
            }
            Command::Case { word, branches } => {
                let text = self.text(word, io);
                for (patterns, body) in branches {
                    let fits = |pattern: &_| super::expand::fits(&self.clone().text(pattern, io), &text);
                    if patterns.iter().any(fits) {
                        self.status = 0;
                        self.list(body, io);
                        return self.status;
                    }
                }
                0
            }
            Command::Function { name, body } => {
                self.functions.insert(name.clone(), Arc::new(Command::clone(body)));
                0
            }
            Command::Background(list) => {
                let mut own = io.clone();
                own.stdin = input(std::io::empty());
                let started = match list.as_slice() {
                    [Pipeline { commands, negated: false, .. }] => self.start(commands, own),
                    list => {
                        let (body, redirects) = (list.to_vec(), Vec::new());
                        self.start(&[Command::Group { body, redirects, own_shell: true }], own)
                    }
                };
                match started {
                    Ok(parts) => self.children.extend(parts),
                    Err(why) => return self.fails(why, io),
                }
                0
            }
            Command::Group { body, redirects, own_shell } => {
                let mut own = io.clone();
                match self.redirected(redirects, &mut own) {
                    Ok(()) if *own_shell => {
                        let mut inner = self.forked();
                        inner.list(body, &mut own);
                        inner.exited.unwrap_or(inner.status)
                    }
                    Ok(()) => {
                        self.list(body, &mut own);
                        self.status
                    }
                    Err(why) => self.fails(&why, io),
                }
            }
        }
    }

    /// Whether a loop is left after what its body did.
    fn leaves_loop(&mut self) -> bool {
        match self.leaving.take() {
            Some((0 | 1, goes_on)) => !goes_on,
            Some((more, goes_on)) => {
                self.leaving = Some((more - 1, goes_on));
                true
            }
            None => self.is_over(),
        }
    }
}
