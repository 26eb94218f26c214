//! What a shell does itself with its functions, its children and its input: calls, `read`, `wait`, `kill`, `break`.

use super::io::Io;
use super::parse::Command;
use super::run::Shell;

impl Shell {
    /// Calls a function: its words are the positional parameters while it runs.
    pub(super) fn call(&mut self, body: &Command, argv: &[String], io: &Io) -> i32 {
        let before: Vec<(String, String)> = self.take_positions();
        for (number, value) in argv.iter().enumerate().skip(1) {
            self.set_variable(&number.to_string(), value);
        }
        let status = self.command(body, &mut io.clone());
        self.take_positions();
        self.variables.extend(before);
        status
    }

    /// Takes `$1` and what follows away.
    fn take_positions(&mut self) -> Vec<(String, String)> {
        let is_one = |name: &String| name != "0" && name.bytes().all(|byte| byte.is_ascii_digit());
        let names: Vec<String> = self.variables.keys().filter(|name| is_one(name)).cloned().collect();
        names.into_iter().filter_map(|name| self.variables.remove_entry(&name)).collect()
    }

    /// A builtin that changes the shell; none if it is another command.
    pub(crate) fn builtin(&mut self, program: &str, words: &[String], io: &Io) -> Option<i32> {
        Some(match program {
            "read" => {
                let names: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
                let (line, ended) = io.read_line();
                let whole = self.variables.get("IFS").is_some_and(String::is_empty);
                self.take_line(&names, &line, whole);
                i32::from(!ended)
            }
            "break" | "continue" => {
                let loops = words.first().and_then(|word| word.parse().ok()).unwrap_or(1);
                self.leaving = Some((loops, program == "continue"));
                0
            }
            "shift" => {
                let positions = self.take_positions();
                let mut numbered: Vec<(u32, String)> = positions
                    .into_iter()
                    .filter_map(|(name, value)| Some((name.parse().ok()?, value)))
                    .collect();
                numbered.sort();
                for (number, value) in numbered.into_iter().skip(1) {
                    self.set_variable(&(number - 1).to_string(), &value);
                }
                0
            }
            "wait" => self.wait(words),
            "kill" => self.kill(words, io),
            "cd" => {
                let to = words.first().cloned().or_else(|| self.variable("HOME")).unwrap_or_default();
                let path = crate::sim::appliance::model::paths::tidy(&self.absolute(&to));
                let seen = { self.machine.state().look(&path) };
                match seen {
                    Some(seen) if seen.kind == crate::sim::appliance::model::object::Kind::Directory => {
                        self.set_variable("PWD", &path);
                        0
                    }
                    Some(_) => {
                        io.complain(format_args!("{}: line 1: cd: {to}: Not a directory", self.name));
                        1
                    }
                    None => {
                        io.complain(format_args!(
                            "{}: line 1: cd: {to}: No such file or directory",
                            self.name
                        ));
                        1
                    }
                }
            }
            "pwd" => {
                io.say(self.variable("PWD").unwrap_or_default() + "\n");
                0
            }
            _ => return None,
        })
    }

    /// The words of a line for `read`: the last name gets the rest.
    fn take_line(&mut self, names: &[&String], line: &str, whole: bool) {
        let mut rest = if whole { line } else { line.trim_matches([' ', '\t']) };
        for (number, name) in names.iter().enumerate() {
            let last = number + 1 == names.len();
            let (word, others) = match rest.split_once([' ', '\t']).filter(|_| !last) {
                Some((word, others)) => (word, others.trim_start_matches([' ', '\t'])),
                None => (rest, ""),
            };
            let word = word.to_owned();
            rest = others;
            self.set_variable(name, &word);
        }
    }

    fn wait(&mut self, words: &[String]) -> i32 {
        if words.is_empty() {
            for child in &self.children {
                child.wait();
            }
            return 0;
        }
        let mut status = 127;
        for word in words {
            let pid: u32 = word.parse().unwrap_or(0);
            let child = self.children.iter().find(|child| child.pid == pid);
            status = child.map_or(127, |child| child.wait());
        }
        status
    }

    fn kill(&self, words: &[String], io: &Io) -> i32 {
        let (mut signal, mut status) = (15, 0);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let named = match word.strip_prefix('-') {
                Some("s") => words.next().map(String::as_str),
                other => other,
            };
            if let Some(name) = named {
                signal = match name.trim_start_matches("SIG") {
                    "0" => 0,
                    "HUP" | "1" => 1,
                    "INT" | "2" => 2,
                    "KILL" | "9" => 9,
                    _ => 15,
                };
                continue;
            }
            let process = word.parse().ok().and_then(|pid| self.machine.process(pid));
            match process.filter(|process| !process.is_over()) {
                Some(process) if signal != 0 => process.kill(signal),
                Some(_) => {}
                None => {
                    io.complain(format_args!("{}: line 1: kill: ({word}) - No such process", self.name));
                    status = 1;
                }
            }
        }
        status
    }
}
