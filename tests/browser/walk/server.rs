//! `zerfaux serve` with TLS and a data directory of its own; gone when dropped.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running service.
pub struct Server {
    child: Child,
    /// `https://127.0.0.1:…`
    pub address: String,
    /// The link that makes the first administrator.
    pub setup: String,
    pub data: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Over this data directory, whatever is in it.
    pub fn over(data: tempfile::TempDir) -> Self {
        let log = data.path().join("service.log");
        let file = std::fs::File::create(&log).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_zerfaux"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data.path())
            .env_clear()
            .env("HOME", data.path())
            .env("PATH", "/usr/bin:/bin")
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said = read(&log);
        let address =
            line.trim().strip_prefix("zerfaux: listening on ").unwrap_or_else(|| panic!("{line:?} {said}"));
        let setup =
            said.lines().map(str::trim).find(|line| line.contains("/setup?code=")).unwrap().to_owned();
        Self { address: address.to_owned(), setup, child, data }
    }

    pub fn log(&self) -> String {
        read(&self.data.path().join("service.log"))
    }
}

fn read(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap()
}
