//! `zerfaux serve` as its own process, spoken to by its API as a script would: with curl and a token.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::zerfaux_cli::{BINARY, zerfaux};

/// A service with an administrator's token.
pub struct Served {
    child: Child,
    url: String,
    token: String,
    data: tempfile::TempDir,
}

impl Served {
    pub fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(data.path().join("service.log")).unwrap();
        let mut command = Command::new(BINARY);
        command.args(["serve", "--tls", "off", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data.path());
        command.env_clear().env("HOME", data.path()).env("PATH", "/usr/bin:/bin");
        command.env("ZERFAUX_ADMIN_PASSWORD", "made up for the lab");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("zerfaux: listening on ").unwrap_or_else(|| {
            panic!("{line:?} {}", std::fs::read_to_string(data.path().join("service.log")).unwrap())
        });
        let mut token = zerfaux();
        token.args(["token", "create", "lab", "--role", "admin", "--data-dir"]).arg(data.path());
        let token = token.output().unwrap();
        assert!(token.status.success(), "{}", String::from_utf8_lossy(&token.stderr));
        let token = String::from_utf8(token.stdout).unwrap().trim().to_owned();
        Self { child, url: url.to_owned(), token, data }
    }

    /// Status and answer of a request below `/api/replication`.
    pub fn try_ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut curl = Command::new("curl");
        curl.args(["-s", "--max-time", "60", "-X", method, "-w", "\n%{http_code}"]);
        // The token stands in a file: what stands on a command line, everybody on the machine can read.
        let headers = self.data.path().join("headers");
        std::fs::write(&headers, format!("Authorization: Bearer {}\n", self.token)).unwrap();
        curl.arg("-H").arg(format!("@{}", headers.display()));
        if let Some(body) = body {
            curl.args(["-H", "Content-Type: application/json", "--data-binary", &body.to_string()]);
        }
        let output = curl.arg(format!("{}/api/replication{path}", self.url)).output().expect("curl runs");
        let said = String::from_utf8(output.stdout).unwrap();
        let (answer, status) = said.rsplit_once('\n').unwrap_or_else(|| panic!("{method} {path}: {said:?}"));
        (status.parse().unwrap(), serde_json::from_str(answer).unwrap_or(Value::Null))
    }

    /// The answer of a request that succeeds.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.try_ask(method, path, body.as_ref());
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// The job in one of these states; its console stands in the failure if it is not so in time.
    #[track_caller]
    pub fn job_until(&self, id: &str, states: &[&str], limit: Duration) -> Value {
        let ends = Instant::now() + limit;
        loop {
            let job = self.ask("GET", &format!("/jobs/{id}"), None);
            if states.contains(&job["state"].as_str().unwrap()) {
                return job;
            }
            assert!(Instant::now() < ends, "{job}\n{}", self.console(id).join("\n"));
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// The lines of a job's console.
    pub fn console(&self, id: &str) -> Vec<String> {
        let lines = self.ask("GET", &format!("/jobs/{id}/console"), None);
        let lines = lines["items"].as_array().unwrap().iter();
        lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.data.path().join("service.log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the service's log ends with:\n{}", lines[lines.len().saturating_sub(15)..].join("\n"));
        }
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
