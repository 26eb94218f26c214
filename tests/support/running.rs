//! A `zerfaux` that is watched while it runs, through what `--json` says.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::zerfaux_cli::Ended;

/// A started `zerfaux replicate --json …`.
pub struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    said: String,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let stdout = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        Self { child, stdout, said: String::new() }
    }

    /// The next line; none at the end.
    pub fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("the output can be read");
        self.said.push_str(&line);
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e} in {line}")))
    }

    /// Waits until the stream that is under way has carried so much. What of it may still be on its way to the
    /// destination is at most the window of the connection, 2 MiB.
    #[track_caller]
    pub fn until_carried(&mut self, bytes: u64) {
        while let Some(line) = self.next() {
            if line["details"]["bytes"].as_u64().is_some_and(|carried| carried >= bytes) {
                return;
            }
        }
        panic!("it ended before its stream had carried {bytes} bytes: {:#?}", self.wait_here());
    }

    /// Sends a signal (`INT`, `KILL`) to the process.
    pub fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let sent = kill.args(["-s", name]).arg(self.child.id().to_string()).status().expect("kill runs");
        assert!(sent.success(), "it was gone before it got the signal {name}");
    }

    /// Waits for the end, however it comes. Status -1: by a signal.
    pub fn wait(mut self) -> Ended {
        self.wait_here()
    }

    fn wait_here(&mut self) -> Ended {
        self.stdout.read_to_string(&mut self.said).expect("the output can be read");
        let mut stderr = String::new();
        let said = self.child.stderr.as_mut().expect("standard error is a pipe");
        said.read_to_string(&mut stderr).expect("the messages can be read");
        let status = self.child.wait().expect("it can be waited for").code().unwrap_or(-1);
        Ended { status, stdout: std::mem::take(&mut self.said), stderr }
    }
}
