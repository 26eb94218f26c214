//! The program under test, started as a person would: its own process, its own view of the hosts.

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::lab::{Scene, Side};

/// The binary that cargo built for these tests.
pub const BINARY: &str = env!("CARGO_BIN_EXE_zerfaux");

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Fails the test unless the run ended with this status, and shows what it said.
    #[track_caller]
    pub fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, status, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless the message holds all of these.
    #[track_caller]
    pub fn says(self, needles: &[&str]) -> Self {
        for needle in needles {
            assert!(
                self.stderr.contains(needle) || self.stdout.contains(needle),
                "{needle:?} is not in: {self:#?}"
            );
        }
        self
    }

    /// The lines of `--json`.
    pub fn json(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}")))
            .collect()
    }

    /// What the console of a `--json` run said, line by line.
    pub fn console(&self) -> Vec<String> {
        let lines = self.json().into_iter().filter(|line| line["event"] == "console");
        lines.filter_map(|line| Some(line["message"].as_str()?.to_owned())).collect()
    }

    /// The last line of `--json`, which is the result.
    pub fn result(&self) -> Value {
        let last = self.json().pop().unwrap_or_else(|| panic!("no output: {self:#?}"));
        assert_eq!(last["event"], "result", "{last}");
        last["result"].clone()
    }
}

/// `zerfaux replicate OPTIONS… SRC DST`, from `data` of the scene's source to `copy` of its target, as root.
pub fn replicate(scene: &Scene, options: &[&str]) -> Ended {
    replicate_as(scene, "root", ("data", "copy"), options)
}

/// The same with another login and other datasets.
pub fn replicate_as(scene: &Scene, user: &str, (from, to): (&str, &str), options: &[&str]) -> Ended {
    ended(command(scene, user, (from, to), options).output().expect("the binary runs"))
}

/// The command itself.
pub fn command(scene: &Scene, user: &str, (from, to): (&str, &str), options: &[&str]) -> Command {
    let (source, target) = (&scene.source, &scene.target);
    let mut command = zerfaux();
    command.arg("replicate").arg("--identity").arg(&source.host.key);
    command.arg("--known-hosts").arg(&source.host.known_hosts).args(options);
    command.args([address(source, user, from), address(target, user, to)]);
    command
}

/// `zerfaux` with nothing of this machine's own settings.
pub fn zerfaux() -> Command {
    let mut command = Command::new(BINARY);
    command.stdin(Stdio::null()).env_remove("SSH_AUTH_SOCK").env_remove("ZERFAUX_DATA_DIR");
    command
}

/// What a process that has ended said.
pub fn ended(output: Output) -> Ended {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        status: output.status.code().unwrap_or(-1),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// `ssh://user@host:port/pool/dataset`
pub fn address(side: &Side, user: &str, dataset: &str) -> String {
    format!("ssh://{user}@{}:{}/{}", side.host.address, side.host.port, side.name(dataset))
}

/// The same as a job's input has it.
pub fn location(side: &Side, user: &str, dataset: &str) -> Value {
    let host = side.host;
    json!({
        "host": { "ssh": {
            "endpoint": format!("{user}@{}:{}", host.address, host.port),
            "identities": [{ "file": host.key }],
            "host_keys": { "known_hosts": { "path": host.known_hosts, "accept_new": false } },
        } },
        "dataset": side.name(dataset),
    })
}
