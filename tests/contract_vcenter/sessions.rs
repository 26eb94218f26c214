//! Sessions: login, expiry, what the server is.

use secrecy::SecretString;
use zerfaux::domain::vcenter::ApiKind;
use zerfaux::vsphere::{Client, Login, Reason};

use crate::vcenter::Server;

pub async fn a_wrong_password_is_named(server: &Server) {
    let login = Login { password: SecretString::from("wrong&<>"), ..server.login().await };
    let error = Client::connect(login).await.unwrap_err();
    assert_eq!(error.reason(), Some(&Reason::InvalidLogin));
    assert!(!error.to_string().contains("wrong&"), "{error}");
}

pub async fn what_was_ended_is_made_anew(server: &Server) {
    let client = server.client().await;
    let other = client.clone();
    client.log_out().await.unwrap();
    // Several at once: one logs in, all are answered.
    let calls = (0..8).map(|_| {
        let client = other.clone();
        tokio::spawn(async move { client.ask_something().await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    assert!(client.exchanges().iter().filter(|one| one.method == "Login").count() <= 2);
    let trace = format!("{:?}", client.exchanges());
    assert!(!trace.contains(&server.password), "{trace}");
}

pub async fn the_server_says_what_it_is(server: &Server) {
    let client = server.client().await;
    let about = client.about();
    assert_eq!(about.kind, ApiKind::VirtualCenter);
    assert!(!about.full_name.is_empty() && !about.api_version.is_empty());
    client.keep_alive().await.unwrap();
}

trait Ask {
    async fn ask_something(&self);
}

impl Ask for Client {
    /// Any call that needs a session.
    async fn ask_something(&self) {
        let root = self.content().root_folder.clone();
        let found = self.properties(&root, "Folder", &["name"]).await.unwrap();
        assert!(found.text("name").is_some());
    }
}

/// The idle time of a real one is half an hour; this one's is a second.
#[tokio::test]
#[ignore = "needs vcsim: tests/run"]
async fn an_expired_session_is_made_anew() {
    let server = Server::vcsim(&["-session-timeout", "1s"]);
    let client = server.client().await;
    let logins = |client: &Client| client.exchanges().iter().filter(|one| one.method == "Login").count();
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while logins(&client) < 2 {
        assert!(std::time::Instant::now() < limit, "the session did not expire");
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        client.ask_something().await;
    }
}

#[tokio::test]
#[ignore = "needs vcsim: tests/run"]
async fn a_server_that_is_starting_is_told_from_one_that_refuses() {
    let server = Server::vcsim(&[]);
    let client = server.client().await;
    server.control("next-status?code=503");
    let error = client.keep_alive().await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("503"), "{error}");
    assert!(error.advice().contains("starting"), "{}", error.advice());
    client.keep_alive().await.unwrap();
}

#[tokio::test]
#[ignore = "needs vcsim: tests/run"]
async fn a_server_that_is_gone_is_named() {
    let mut server = Server::vcsim(&[]);
    let client = server.client().await;
    server.kill();
    let error = client.keep_alive().await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
}
