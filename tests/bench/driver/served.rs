//! `zerfaux serve` as a process, and what visits it: people with cookies, over plain HTTP on loopback.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running service; killed when dropped.
pub struct Served {
    pub child: Child,
    pub address: String,
    /// From its start until it said that it listens.
    pub listens_after: Duration,
    began: Instant,
    log: PathBuf,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// The program that is measured.
pub fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_zerfaux")
}

impl Served {
    /// With a log that has a line for each request.
    pub fn start(data: &Path) -> Self {
        let log = data.join("service.log");
        let mut command = Command::new(binary());
        command.args(["serve", "--tls", "off", "--listen", "127.0.0.1:0", "--log-format", "json"]);
        command.args(["--log", "info,zerfaux::server=debug", "--data-dir"]).arg(data);
        command.env_clear().env("HOME", data).env("PATH", "/usr/bin:/bin");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let began = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(file).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line
            .trim()
            .strip_prefix("zerfaux: listening on ")
            .unwrap_or_else(|| panic!("{line:?} {}", std::fs::read_to_string(&log).unwrap_or_default()));
        Self { address: address.to_owned(), listens_after: began.elapsed(), child, began, log }
    }

    /// Since its process was started.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Asks it to end, and waits for that.
    pub fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }

    /// What the log says about requests after its first `skip` bytes: route, milliseconds, status.
    pub fn requests(&self, skip: u64) -> Vec<(String, u64, u64)> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        let lines = text.get(usize::try_from(skip).unwrap()..).unwrap_or_default().lines();
        let entries = lines.filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        entries
            .filter_map(|entry| {
                let field = |name: &str| entry.get(name).or_else(|| entry["fields"].get(name)).cloned();
                let route = field("route")?.as_str()?.to_owned();
                Some((
                    format!("{} {route}", field("method")?.as_str()?),
                    field("took_ms")?.as_u64()?,
                    field("status")?.as_u64()?,
                ))
            })
            .collect()
    }

    /// Bytes of the log so far.
    pub fn log_length(&self) -> u64 {
        std::fs::metadata(&self.log).unwrap().len()
    }
}

/// A browser in which somebody has signed in.
#[derive(Clone)]
pub struct Visitor {
    client: reqwest::Client,
    address: String,
    cookie: String,
}

/// An answer: its status, its text, milliseconds until all of it was there.
pub struct Seen {
    pub status: u16,
    pub html: bool,
    pub text: String,
    pub took_ms: f64,
}

impl Visitor {
    pub async fn sign_in(address: &str, name: &str, password: &str) -> Self {
        let _once = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut visitor = Self { client, address: address.to_owned(), cookie: String::new() };
        let page = visitor.client.get(format!("{address}/sign-in")).send().await.unwrap();
        visitor.keep_cookies(&page);
        let text = page.text().await.unwrap();
        let token =
            text.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let form = format!("csrf={token}&name={name}&password={}", password.replace(' ', "+"));
        let answer = visitor.post("/sign-in", form).await;
        assert_eq!(answer.status(), 303, "{name} is signed in");
        visitor.keep_cookies(&answer);
        visitor
    }

    fn keep_cookies(&mut self, answer: &reqwest::Response) {
        for cookie in answer.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            if !cookie.contains("Max-Age=0") {
                let pair = cookie.split(';').next().unwrap();
                self.cookie = [self.cookie.as_str(), pair]
                    .into_iter()
                    .filter(|one| !one.is_empty())
                    .collect::<Vec<_>>()
                    .join("; ");
            }
        }
    }

    async fn post(&self, path: &str, form: String) -> reqwest::Response {
        let request = self.client.post(format!("{}{path}", self.address)).header("cookie", &self.cookie);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.header("sec-fetch-site", "same-origin").body(form).send().await.unwrap()
    }

    /// The same person before the same data at another address, after a restart.
    pub fn moved_to(&self, address: &str) -> Self {
        Self { address: address.to_owned(), ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Seen {
        let began = Instant::now();
        let answer = self
            .client
            .get(format!("{}{path}", self.address))
            .header("cookie", &self.cookie)
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let kind = answer
            .headers()
            .get("content-type")
            .map(|kind| kind.to_str().unwrap().to_owned())
            .unwrap_or_default();
        let text = answer.text().await.unwrap_or_default();
        let took_ms = began.elapsed().as_secs_f64() * 1000.0;
        Seen { status, html: kind.starts_with("text/html"), text, took_ms }
    }

    /// Holds a stream of events open until the result is dropped.
    pub fn follow(&self, path: &str) -> tokio::task::JoinHandle<()> {
        let request = self.client.get(format!("{}{path}", self.address)).header("cookie", &self.cookie);
        tokio::spawn(async move {
            use futures_util::StreamExt;
            if let Ok(answer) = request.send().await {
                let mut parts = answer.bytes_stream();
                while parts.next().await.is_some_and(|part| part.is_ok()) {}
            }
        })
    }
}
