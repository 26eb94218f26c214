//! Secrets that would be recognised anywhere: in no page, no answer, no log, no file but the key file, no backup, no crash.

use std::io::{Read, Write};
use std::path::Path;

use serde_json::json;
use zerfaux::auth::table::RULES;
use zerfaux::domain::access::Role;

use super::site::{PASSWORD, Site, encode, filled};

/// What must not be found, with what it is.
struct Canaries(Vec<(&'static str, String)>);

impl Canaries {
    #[track_caller]
    fn are_not_in(&self, place: &str, bytes: &[u8]) {
        for (what, canary) in &self.0 {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{what} is in {place}");
        }
    }

    /// Every file in the directory, however deep, but for the one that holds the key that opens them.
    fn are_in_no_file(&self, directory: &Path) -> usize {
        let mut looked_at = 0;
        for file in walkdir::WalkDir::new(directory).into_iter().map(Result::unwrap) {
            if file.file_type().is_file() {
                let mut bytes = Vec::new();
                std::fs::File::open(file.path()).unwrap().read_to_end(&mut bytes).unwrap();
                self.are_not_in(&file.path().display().to_string(), &bytes);
                looked_at += 1;
            }
        }
        looked_at
    }
}

/// A private key of somebody, and a distinctive line of it.
fn private_key() -> (String, String) {
    let (text, _) = zerfaux::sim::appliance::login_key().unwrap();
    let line = text.lines().nth(3).unwrap().to_owned();
    (text, line)
}

#[tokio::test]
async fn secrets_are_in_no_answer_and_in_no_file() {
    let site = Site::new().await;
    let token = site.token("program", Role::Admin).await;
    let (private, line) = private_key();
    let key = json!({ "name": "imported", "private_key": private });
    site.program(&token, "POST", "/api/replication/ssh-keys", Some(key)).await.expect(201);
    let mut admin = site.signed_in("admin").await;
    let recovery = admin.post("/settings/recovery-key", &[]).await.expect(200);
    let recovery = recovery.text.split("id=\"recovery-key\">").nth(1).unwrap()[..47].to_owned();
    let typed = "typed-into-the-wrong-field-4711";
    let mut stranger = site.browser();
    stranger.sign_in(typed, typed).await;
    let canaries = Canaries(vec![
        ("a password", PASSWORD.to_owned()),
        ("a private key", line),
        ("a token", token.clone()),
        ("a cookie", admin.cookies["__Host-zerfaux-session"].clone()),
        ("the recovery key", recovery),
        ("what was typed at the sign-in", typed.to_owned()),
    ]);

    // Each route, asked as an admin by cookie and by token; changing ones with everything that could come back.
    let mut asked = 0;
    for (method, path, _) in RULES {
        if path.ends_with("/events") || *path == "/sign-out" {
            continue;
        }
        let path = filled(path);
        let got = match *method {
            "GET" => admin.get(&path).await,
            _ => {
                let own = admin.token.clone();
                let fields = ["password", "old_password", "again", "passphrase", "private_key"]
                    .map(|name| (name, PASSWORD));
                let form = encode(&[&[("csrf", own.as_str()), ("name", "-")], fields.as_slice()].concat());
                admin.ask(method, &path, Some(form), &[("sec-fetch-site", "same-origin")]).await
            }
        };
        canaries.are_not_in(&format!("{method} {path}"), got.text.as_bytes());
        let headers = format!("{:?}", got.headers);
        canaries.are_not_in(&format!("the headers of {method} {path}"), headers.as_bytes());
        if path.starts_with("/api/") {
            let body = json!({
                "name": "-", "role": "viewer", "password": PASSWORD, "private_key": PASSWORD, "passphrase": PASSWORD,
                "host": "127.0.0.1", "port": 1, "username": "u", "hostname": "127.0.0.1", "ssh_username": "u",
            });
            let got = site.program(&token, method, &path, (*method != "GET").then_some(body)).await;
            canaries.are_not_in(&format!("{method} {path} by token"), got.text.as_bytes());
        }
        asked += 1;
    }
    assert!(asked > 60, "{asked} asked");

    let copy = tempfile::tempdir().unwrap();
    zerfaux::app::backups::back_up(site.data.path(), &copy.path().join("copy.db")).unwrap();
    assert_eq!(canaries.are_in_no_file(copy.path()), 1);
    assert!(canaries.are_in_no_file(site.data.path()) >= 2, "the database and its log");
    site.app.close().await;
    canaries.are_in_no_file(site.data.path());
}

#[tokio::test]
async fn one_edited_line_of_the_audit_log_is_found_by_number() {
    let site = Site::new().await;
    let token = site.token("program", Role::Admin).await;
    for n in 0..20 {
        let body = json!({ "name": format!("key {n}"), "generate": "ed25519" });
        site.program(&token, "POST", "/api/replication/ssh-keys", Some(body)).await.expect(201);
    }
    let whole = site.program(&token, "GET", "/api/replication/audit/verify", None).await.json();
    assert_eq!(whole["whole"], true, "{whole}");
    // Somebody with the file in their hands, and enough skill to take the guards away.
    for (edit, broken) in [
        ("UPDATE audit SET object = 'key 7x' WHERE seq = 9", 9),
        ("UPDATE audit SET at = at + 1 WHERE seq = 5", 5),
        ("DELETE FROM audit WHERE seq = 3", 3),
    ] {
        let database = rusqlite::Connection::open(site.data.path().join("zerfaux.db")).unwrap();
        database
            .execute_batch(
                "DROP TRIGGER IF EXISTS audit_never_changes; DROP TRIGGER IF EXISTS audit_never_shrinks",
            )
            .unwrap();
        assert_eq!(database.execute(edit, []).unwrap(), 1);
        drop(database);
        let found = site.program(&token, "GET", "/api/replication/audit/verify", None).await.json();
        assert_eq!(
            (&found["whole"], &found["broken_at"]),
            (&json!(false), &json!(broken)),
            "{edit}: {found}"
        );
    }
}

#[tokio::test]
async fn a_thousand_guesses_at_the_page_itself_are_mostly_not_looked_at() {
    let site = Site::new().await;
    let mut browser = site.browser();
    browser.get("/sign-in").await.expect(200);
    let (mut looked_at, mut told_to_wait) = (0, 0);
    for guess in 0..1000 {
        let guess = format!("guess {guess}");
        let got = browser.post("/sign-in", &[("name", "admin"), ("password", &guess)]).await;
        match got.status.as_u16() {
            401 => looked_at += 1,
            429 => told_to_wait += 1,
            other => panic!("{other}: {}", got.text),
        }
        if got.status == 429 {
            assert!(got.header("retry-after").parse::<u64>().is_ok(), "{:?}", got.headers);
        }
    }
    assert!(looked_at <= 20, "{looked_at} of 1000 were looked at");
    assert_eq!(looked_at + told_to_wait, 1000);
}

#[test]
fn nothing_secret_is_left_by_a_process_that_is_killed() {
    // Started as a person would, with a password in its environment and one on its way in; then killed.
    use std::process::{Command, Stdio};
    let data = tempfile::tempdir().unwrap();
    let log = std::fs::File::create(data.path().join("service.log")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_zerfaux"))
        .args(["serve", "--tls", "off", "--listen", "127.0.0.1:0", "--log", "trace", "--data-dir"])
        .arg(data.path())
        .env_clear()
        .env("HOME", data.path())
        .env("ZERFAUX_ADMIN_PASSWORD", PASSWORD)
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
        .unwrap();
    let port = line.trim().rsplit(':').next().unwrap().to_owned();
    let other = "canary-of-a-form-0815";
    let body = format!("name=admin&password={other}");
    let mut socket = std::net::TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    write!(
        socket,
        "POST /sign-in HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {other}\r\ncookie: zerfaux-session={other}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = [0; 512];
    assert!(socket.read(&mut answer).unwrap() > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    let canaries = Canaries(vec![
        ("the password of the environment", PASSWORD.to_owned()),
        ("what was sent", other.to_owned()),
    ]);
    assert!(canaries.are_in_no_file(data.path()) >= 3);
    let log = std::fs::read_to_string(data.path().join("service.log")).unwrap();
    assert!(log.contains("a request"), "it logged at trace: {log}");
}
