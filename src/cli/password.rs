//! A password from a prompt, or from standard input.

use std::io::{BufRead, IsTerminal, Write};
use std::process::{Command, Stdio};

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::exit::Trouble;

/// Reads a new password: one line of standard input, or typed twice at a prompt that does not show it.
pub(super) fn new_password(from_stdin: bool) -> Result<SecretString, Trouble> {
    if from_stdin {
        return line();
    }
    if !std::io::stdin().is_terminal() {
        return Err(Trouble::misuse("There is no terminal to ask for the password.")
            .advise("Give it on standard input with --password-stdin."));
    }
    let _hidden = Hidden::begin();
    let first = ask("New password: ")?;
    let second = ask("The same again: ")?;
    use secrecy::ExposeSecret;
    if first.expose_secret() != second.expose_secret() {
        return Err(Trouble::misuse("The two passwords differ.").advise("Run the command again."));
    }
    Ok(first)
}

fn ask(prompt: &str) -> Result<SecretString, Trouble> {
    let mut terminal = std::io::stderr();
    let _shown = write!(terminal, "{prompt}").and_then(|()| terminal.flush());
    let answer = line();
    let _next_line = writeln!(terminal);
    answer
}

fn line() -> Result<SecretString, Trouble> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().lock().read_line(&mut text).map_err(|error| Trouble::failed(&error))?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
}

/// The terminal without its echo, until this is dropped.
struct Hidden;

impl Hidden {
    fn begin() -> Self {
        stty("-echo");
        Self
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        stty("echo");
    }
}

fn stty(what: &str) {
    // Without stty the password shows while it is typed, which is better than not being able to type it.
    let _ended = Command::new("stty").arg(what).stdin(Stdio::inherit()).stderr(Stdio::null()).status();
}
