//! The command line of `ssh` (ssh(1), ssh_config(5)).

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Said, Shell};

/// What a command line asks for.
pub(in crate::sim::appliance::tools) enum Asked {
    Version,
    Connection(Box<Options>),
}

/// A connection.
#[derive(Debug, Clone, Default)]
pub(in crate::sim::appliance::tools) struct Options {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) command: String,
    /// Nothing is read from standard input.
    pub(super) no_input: bool,
    pub(super) verbose: bool,
    identities: Vec<String>,
    set: BTreeMap<String, String>,
}

/// Flags without a value that change nothing here.
const IDLE: &str = "TtaAxXYCqgkfNKGMsy46";
/// Options with a value that change nothing here.
const IDLE_WITH_VALUE: &str = "bcDeEIJLmOQRSwWB";

impl Options {
    pub(in crate::sim::appliance::tools) fn read(shell: &Shell, words: &[String]) -> Result<Asked, Said> {
        let mut options = Self { port: 0, user: shell.user.clone(), ..Self::default() };
        let (mut words, mut host) = (words.iter().peekable(), None);
        while let Some(word) = words.next() {
            if host.is_some() || word == "--" || !word.starts_with('-') {
                if word == "--" && host.is_none() {
                    continue;
                }
                if host.is_none() {
                    host = Some(word.clone());
                    continue;
                }
                // The rest is the command, joined by blanks as ssh(1) says.
                let rest = std::iter::once(word).chain(words.by_ref());
                options.command = rest.map(String::as_str).collect::<Vec<_>>().join(" ");
                break;
            }
            if word == "-V" {
                return Ok(Asked::Version);
            }
            let mut letters = word[1..].chars();
            while let Some(letter) = letters.next() {
                let mut value = || {
                    let attached = letters.as_str().to_owned();
                    letters = "".chars();
                    let value = if attached.is_empty() { words.next().cloned() } else { Some(attached) };
                    value.ok_or_else(|| format!("ssh: option requires an argument -- '{letter}'"))
                };
                match letter {
                    'n' => options.no_input = true,
                    'v' => options.verbose = true,
                    'l' => options.user = value()?,
                    'i' => options.identities.push(value()?),
                    'p' => options.port = value()?.parse().map_err(|_| "Bad port".to_owned())?,
                    'F' => drop(value()?),
                    'o' => options.set(&value()?)?,
                    _ if IDLE.contains(letter) => {}
                    _ if IDLE_WITH_VALUE.contains(letter) => drop(value()?),
                    _ => {
                        return Err(format!(
                            "ssh: unknown option -- {letter}\nusage: ssh [-46AaCfGgKkMNnqsTtVvXxYy] destination [command [argument ...]]"
                        ));
                    }
                }
            }
        }
        let Some(host) = host else {
            return Err(
                "usage: ssh [-46AaCfGgKkMNnqsTtVvXxYy] destination [command [argument ...]]".to_owned()
            );
        };
        options.aim(&host);
        options.check(&shell.machine.openssh)?;
        Ok(Asked::Connection(Box::new(options)))
    }

    /// `user@host`, `ssh://user@host:port`.
    fn aim(&mut self, destination: &str) {
        let bare = destination.strip_prefix("ssh://");
        let mut rest = bare.unwrap_or(destination).trim_end_matches('/');
        if let Some((user, host)) = rest.rsplit_once('@') {
            user.clone_into(&mut self.user);
            rest = host;
        }
        if let Some((host, port)) = rest.rsplit_once(':').filter(|_| bare.is_some()) {
            self.port = port.parse().unwrap_or(self.port);
            rest = host;
        }
        rest.clone_into(&mut self.host);
        if self.port == 0 {
            self.port = self.value("Port").and_then(|port| port.parse().ok()).unwrap_or(22);
        }
        if let Some(user) = self.value("User") {
            self.user = user.to_owned();
        }
    }

    fn set(&mut self, text: &str) -> Result<(), Said> {
        let (name, value) = text
            .split_once(['=', ' '])
            .ok_or_else(|| format!("command-line line 0: missing argument for {text}"))?;
        // The first value counts.
        self.set.entry(name.trim().to_ascii_lowercase()).or_insert_with(|| value.trim().to_owned());
        Ok(())
    }

    /// What an OpenSSH of that release does not know (release notes of 8.5 and 8.9).
    fn check(&self, openssh: &str) -> Result<(), Said> {
        let digits = openssh.trim_start_matches("OpenSSH_");
        let mut numbers =
            digits.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0));
        let release = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if self.value("KnownHostsCommand").is_some() && release < (8, 5) {
            return Err("command-line: line 0: Bad configuration option: knownhostscommand".to_owned());
        }
        if self.value("PubkeyAuthentication") == Some("host-bound") && release < (8, 9) {
            return Err("command-line line 0: unsupported option \"host-bound\".".to_owned());
        }
        Ok(())
    }

    /// The value of a setting, whatever its name's case.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.set.get(&name.to_ascii_lowercase()).map(String::as_str)
    }

    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        self.value(name).is_some_and(|given| given.eq_ignore_ascii_case(value))
    }

    /// Whether debugging is said.
    pub(super) fn debugs(&self) -> bool {
        self.verbose
            || self.value("LogLevel").is_some_and(|level| level.to_ascii_uppercase().starts_with("DEBUG"))
    }

    /// Whether things that are no errors are said.
    pub(super) fn informs(&self) -> bool {
        !self
            .value("LogLevel")
            .is_some_and(|level| ["QUIET", "FATAL", "ERROR"].contains(&level.to_ascii_uppercase().as_str()))
    }

    /// The name under which the server's key is looked up.
    pub(super) fn alias(&self) -> String {
        match self.value("HostKeyAlias") {
            Some(alias) => alias.to_owned(),
            None if self.port == 22 => self.host.clone(),
            None => format!("[{}]:{}", self.host, self.port),
        }
    }

    /// Key files to try, in order.
    pub(super) fn identity_files(&self, home: &str) -> Vec<String> {
        if !self.identities.is_empty() {
            return self.identities.clone();
        }
        match self.value("IdentityFile") {
            Some("none") => Vec::new(),
            Some(file) => vec![file.replace('~', home)],
            None => ["id_rsa", "id_ecdsa", "id_ed25519"].map(|name| format!("{home}/.ssh/{name}")).to_vec(),
        }
    }

    pub(super) fn seconds(&self, name: &str) -> Option<Duration> {
        self.value(name)?.parse().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
    }

    pub(super) fn number(&self, name: &str, otherwise: usize) -> usize {
        self.value(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    }
}
