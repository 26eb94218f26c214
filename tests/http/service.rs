//! The service as a process: its ready line, its certificate, its end; and the commands beside it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_zerfaux");
const PASSWORD: &str = "canary-password-4711";

/// `zerfaux serve` that runs until it is dropped.
struct Service {
    child: Child,
    address: String,
}

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).args(["--data-dir", data.to_str().unwrap()]);
    command.env_clear().env("HOME", data).env("PATH", "/usr/bin:/bin").current_dir(data);
    command
}

impl Service {
    fn start(data: &Path, arguments: &[&str], password: Option<&str>) -> Self {
        let all = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut command = command(data, &all);
        command.envs(password.map(|password| ("ZERFAUX_ADMIN_PASSWORD", password)));
        let log = std::fs::File::create(data.join("service.log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("zerfaux: listening on ").unwrap_or_else(|| {
            panic!("{line:?} {}", std::fs::read_to_string(data.join("service.log")).unwrap())
        });
        Self { child, address: address.to_owned() }
    }

    fn stop(mut self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn client() -> reqwest::Client {
    let _once = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().danger_accept_invalid_certs(true).build().unwrap()
}

fn log(data: &Path) -> String {
    std::fs::read_to_string(data.join("service.log")).unwrap()
}

#[tokio::test]
async fn the_service_answers_over_tls_keeps_its_certificate_and_ends_in_peace() {
    let data = tempfile::tempdir().unwrap();
    let service = Service::start(data.path(), &[], Some(PASSWORD));
    assert!(service.address.starts_with("https://127.0.0.1:"), "{}", service.address);
    let client = client();
    let got = client.get(format!("{}/healthz", service.address)).send().await.unwrap();
    assert_eq!((got.status().as_u16(), got.version()), (200, reqwest::Version::HTTP_2));
    let ready = client.get(format!("{}/readyz", service.address)).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let metrics =
        client.get(format!("{}/metrics", service.address)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("zerfaux_jobs{state=\"failed\"} 0"), "{metrics}");
    let certificate = std::fs::read(data.path().join("tls/certificate.pem")).unwrap();

    // A second one on the same directory says so, and hurts nobody.
    let second = command(data.path(), &["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("process") && second.stdout.is_empty(), "{said}");

    // Commands work beside it: a token that is made now is good now.
    let made = command(data.path(), &["token", "create", "ci", "--role", "viewer"]).output().unwrap();
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    let token = String::from_utf8(made.stdout).unwrap();
    let jobs = client.get(format!("{}/api/replication/jobs", service.address)).bearer_auth(token.trim());
    assert_eq!(jobs.send().await.unwrap().status(), 200);

    assert_eq!(service.stop(), 0);
    let again = Service::start(data.path(), &[], None);
    assert_eq!(std::fs::read(data.path().join("tls/certificate.pem")).unwrap(), certificate);
    assert!(!log(data.path()).contains("setup?code="), "there is a user already");
    assert_eq!(again.stop(), 0);
    assert!(!log(data.path()).contains(PASSWORD) && !log(data.path()).contains(token.trim()));
}

#[tokio::test]
async fn without_a_user_a_setup_link_is_printed_that_opens() {
    let data = tempfile::tempdir().unwrap();
    let service = Service::start(data.path(), &["--tls", "off"], None);
    assert!(service.address.starts_with("http://127.0.0.1:"), "{}", service.address);
    let log = log(data.path());
    let link = log.lines().map(str::trim).find(|line| line.contains("/setup?code=")).unwrap().to_owned();
    assert!(link.starts_with(&service.address), "{link}");
    let page = client().get(&link).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("Create the administrator"));
    assert_eq!(service.stop(), 0);
}

#[test]
fn a_password_that_anybody_would_guess_is_not_taken_from_the_environment() {
    let data = tempfile::tempdir().unwrap();
    let output = command(data.path(), &["serve", "--listen", "127.0.0.1:0"])
        .env("ZERFAUX_ADMIN_PASSWORD", "password")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("ZERFAUX_ADMIN_PASSWORD") && said.contains("guesses"), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn users_are_managed_from_the_command_line_and_an_edited_audit_line_is_found() {
    let data = tempfile::tempdir().unwrap();
    let mut add = command(data.path(), &["user", "add", "anna", "--role", "admin", "--password-stdin"]);
    let mut child = add.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("anna (admin)"), "{said}");
    let run = |arguments: &[&str]| command(data.path(), arguments).output().unwrap();
    let refused = run(&["user", "disable", "anna"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("last admin"));
    let wrong = run(&["user", "add", "ben", "--role", "king"]);
    assert_eq!(wrong.status.code(), Some(2));
    let created = run(&["token", "create", "ci", "--role", "operator", "--expires", "30"]);
    let token = String::from_utf8(created.stdout).unwrap();
    assert_eq!(token.lines().count(), 1, "the token alone: {token}");
    assert!(String::from_utf8(run(&["token", "list"]).stdout).unwrap().contains("good"));
    assert_eq!(run(&["token", "revoke", "ci"]).status.code(), Some(0));
    assert!(String::from_utf8(run(&["token", "list"]).stdout).unwrap().contains("revoked"));
    let sound = run(&["audit", "verify"]);
    assert_eq!(sound.status.code(), Some(0), "{}", String::from_utf8_lossy(&sound.stderr));
    let doctor: serde_json::Value = serde_json::from_slice(&run(&["doctor", "--json"]).stdout).unwrap();
    assert_eq!(doctor["state"], "warn", "{doctor}");

    let database = rusqlite::Connection::open(data.path().join("zerfaux.db")).unwrap();
    database.execute_batch("DROP TRIGGER audit_never_changes").unwrap();
    database.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 2", []).unwrap();
    drop(database);
    let broken = run(&["audit", "verify"]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&broken.stderr).contains("broken at line 2"));
    let doctor = run(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
}

#[test]
fn the_description_of_the_api_is_printed_without_a_data_directory() {
    let output = Command::new(BINARY).arg("openapi").env_clear().output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document["paths"]["/api/replication/jobs"]["get"].is_object());
}
