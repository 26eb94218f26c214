//! Servers that misbehave, played by russh's own server in this process.

mod agent;
mod files;
mod server;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use server::{Server, Story};

use super::*;
use crate::domain::argv::Argv;
use crate::domain::exit::Exit;

const MINUTE: Duration = Duration::from_secs(60);

fn command(words: &[&str]) -> Argv {
    Argv::new(words.iter().copied()).unwrap()
}

fn link(server: &Server, host_keys: Arc<dyn HostKeys>) -> Link {
    let identities = vec![Identity::Key(server.client_key.clone())];
    Link::new(server.endpoint(), ConnectOptions::new(identities, host_keys))
}

fn trusting(server: &Server) -> Link {
    link(server, Arc::new(PinnedFingerprint::of(&server.host_key)))
}

#[tokio::test]
async fn nothing_is_offered_to_a_server_with_a_wrong_host_key() {
    let server = Server::start(Story::default()).await;
    let wrong = Arc::new(PinnedFingerprint::new("SHA256:AAAA"));
    let error = link(&server, wrong).connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::HostKeyChanged { .. }), "{error}");
    let nothing_known = Arc::new(KnownHosts::new(Vec::new(), false));
    let error = link(&server, nothing_known).connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::HostKeyUnknown { .. }), "{error}");
    assert_eq!(server.seen.logins.load(Ordering::SeqCst), 0);
    // The counter counts.
    trusting(&server).connect().await.unwrap();
    assert!(server.seen.logins.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn a_host_certificate_is_not_asked_for() {
    let server = Server::start(Story { certificate: true, ..Story::default() }).await;
    trusting(&server).connect().await.unwrap();
}

#[tokio::test]
async fn a_channel_that_closes_without_a_status_is_lost() {
    let server = Server::start(Story::default()).await;
    let link = trusting(&server);
    for ending in ["close", "eof-close", "hang-up", "eof-hang-up"] {
        let error = link.exec(&command(&["say", ending]), None, MINUTE).await.unwrap_err();
        assert!(matches!(error, ExecError::Lost { .. }), "{ending}: {error}");
    }
    let output = link.exec(&command(&["say", "status-0"]), None, MINUTE).await.unwrap();
    assert_eq!((output.exit, output.stdout), (Exit::Code(0), b"words".to_vec()));
    // The status may come before the end of the output.
    let output = link.exec(&command(&["say", "early-status"]), None, MINUTE).await.unwrap();
    assert_eq!((output.exit, output.stdout), (Exit::Code(5), b"words".to_vec()));
}

#[tokio::test]
async fn a_stream_that_breaks_gives_no_end_of_file() {
    let server = Server::start(Story::default()).await;
    let link = trusting(&server);
    let story = async |ending: &str| {
        let mut connection = link.open_data(Purpose::Source).await.unwrap();
        let (mut reader, _writer) = connection.start(&command(&["say", ending])).await.unwrap();
        let mut events = Vec::new();
        loop {
            events.push(reader.next().await);
            if matches!(events.last(), Some(StreamEvent::Closed | StreamEvent::Lost(_))) {
                return events;
            }
        }
    };
    let words = StreamEvent::Data("words".into());
    let cut = story("hang-up").await;
    assert_eq!(cut[0], words);
    assert!(matches!(cut[1..], [StreamEvent::Lost(_)]), "{cut:?}");
    let whole = story("status-0").await;
    assert_eq!(whole[..3], [words, StreamEvent::Eof, StreamEvent::Exit(Exit::Code(0))]);
}

#[tokio::test]
async fn a_command_is_not_started_twice_when_the_connection_breaks_under_it() {
    let server = Server::start(Story::default()).await;
    let link = trusting(&server);
    link.exec(&command(&["say", "hang-up"]), None, MINUTE).await.unwrap_err();
    assert_eq!(server.seen.commands.load(Ordering::SeqCst), 1);
    // But one that finds a dead connection is started on a new one.
    link.exec(&command(&["say", "status-0"]), None, MINUTE).await.unwrap();
    assert_eq!(server.seen.commands.load(Ordering::SeqCst), 2);
    assert_eq!(link.connections_opened(), 2);
}

#[tokio::test]
async fn a_server_that_runs_no_commands_is_refusing() {
    let server = Server::start(Story { refuses_commands: true, ..Story::default() }).await;
    let error = trusting(&server).exec(&command(&["true"]), None, MINUTE).await.unwrap_err();
    assert!(matches!(error, ExecError::Refused { .. }) && !error.is_transient(), "{error}");
}

#[tokio::test]
async fn output_without_end_is_cut_off() {
    let server = Server::start(Story::default()).await;
    let error = trusting(&server).exec(&command(&["say", "endless"]), None, MINUTE).await.unwrap_err();
    assert!(matches!(error, ExecError::TooMuchOutput { .. }), "{error}");
}

#[tokio::test]
async fn no_message_shows_a_private_key() {
    let key = KeyPair::generate().unwrap();
    let secret = key.to_openssh().unwrap();
    let body: String = secret.lines().filter(|line| !line.starts_with('-')).collect();
    let shown = format!("{key:?} {:?}", Identity::Key(key.clone()));
    assert!(shown.contains(&key.fingerprint()));
    assert!(!body.as_bytes().windows(16).any(|part| shown.contains(std::str::from_utf8(part).unwrap())));
    let again = KeyPair::from_text(&secret, None).unwrap();
    assert_eq!(again.public_key(), key.public_key());
}
