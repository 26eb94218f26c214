//! Connections and commands against a real OpenSSH server.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/sshd.rs"]
#[allow(dead_code)]
mod sshd;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use secrecy::SecretString;
use sshd::{Sshd, generate_key};
use zerfaux::domain::argv::Argv;
use zerfaux::domain::endpoint::Endpoint;
use zerfaux::domain::exit::Exit;
use zerfaux::ssh::{
    ConnectError, ConnectOptions, ExecError, HostKeys, Identity, KeyError, KeyPair, KnownHosts, Link,
    PinnedFingerprint, default_identities,
};

const MINUTE: Duration = Duration::from_secs(60);

fn sh(script: &str) -> Argv {
    Argv::new(["sh", "-c", script]).unwrap()
}

fn link_with(sshd: &Sshd, identities: Vec<Identity>, host_keys: Arc<dyn HostKeys>) -> Link {
    Link::new(sshd.endpoint(), ConnectOptions::new(identities, host_keys))
}

fn known_hosts(sshd: &Sshd, accept_new: bool) -> (PathBuf, Arc<dyn HostKeys>) {
    let path = sshd.dir().join("some/where/known_hosts");
    (path.clone(), Arc::new(KnownHosts::new(vec![path], accept_new)))
}

#[tokio::test]
async fn a_command_gives_status_both_streams_and_takes_input() {
    let Some(sshd) = Sshd::start() else { return };
    let link = sshd.link();
    let output = link.exec(&sh("cat; echo oops >&2; exit 7"), Some(b"in\0put"), MINUTE).await.unwrap();
    assert_eq!(output.exit, Exit::Code(7));
    assert_eq!(output.stdout, b"in\0put");
    assert_eq!(output.stderr_text(), "oops");

    let output = link.exec(&sh("kill -KILL $$"), None, MINUTE).await.unwrap();
    assert_eq!(output.exit, Exit::Signal("KILL".into()));

    let hostile = Argv::new(["printf", "%s|", "a b", "$(reboot)", "it's", "", "\n", "-n", "é*?"]).unwrap();
    let output = link.exec(&hostile, None, MINUTE).await.unwrap();
    assert_eq!(output.stdout_text(), "a b|$(reboot)|it's||\n|-n|é*?|");
    assert_eq!(link.connections_opened(), 1);
}

#[tokio::test]
async fn large_input_and_output_pass_and_unread_input_is_no_error() {
    let Some(sshd) = Sshd::start() else { return };
    let link = sshd.link();
    let big: Vec<u8> = (0..6_000_000u32).map(|n| (n % 251) as u8).collect();
    let output = link.exec(&sh("cat"), Some(&big), MINUTE).await.unwrap();
    assert!(output.stdout == big);
    assert!(link.exec(&sh("exit 0"), Some(&big), MINUTE).await.unwrap().exit.is_success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_commands_at_once_share_one_connection() {
    let Some(sshd) = Sshd::start() else { return };
    let link = sshd.link();
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let link = link.clone();
            tokio::spawn(async move { link.exec(&sh(&format!("echo {n}; exit {n}")), None, MINUTE).await })
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        let output = task.await.unwrap().unwrap();
        assert_eq!(output.exit, Exit::Code(n as u32));
        assert_eq!(output.stdout_text(), format!("{n}\n"));
    }
    assert_eq!(link.connections_opened(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_allows_fewer_sessions_is_kept_to() {
    let Some(sshd) = Sshd::start_with(&["MaxSessions 2"], &["ed25519"]) else { return };
    let link = sshd.link();
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let link = link.clone();
            tokio::spawn(async move { link.exec(&sh("sleep 0.1; echo ok"), None, MINUTE).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap().stdout_text(), "ok\n");
    }
    assert_eq!(link.connections_opened(), 1);
}

#[tokio::test]
async fn a_command_nobody_waits_for_any_more_does_not_block_the_next() {
    let Some(sshd) = Sshd::start_with(&["MaxSessions 1"], &["ed25519"]) else { return };
    let link = sshd.link();
    let late = link.exec(&sh("sleep 1000"), None, Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(late, ExecError::Deadline { .. }), "{late}");
    let sleeper = sh("sleep 1000");
    let dropped = tokio::time::timeout(Duration::from_millis(300), link.exec(&sleeper, None, MINUTE));
    assert!(dropped.await.is_err());
    // Of the only session that is allowed, both have let go; where the server does not end them (OpenSSH passes no
    // signal on to root's commands), a new connection has a session of its own.
    assert!(link.exec(&sh("true"), None, MINUTE).await.unwrap().exit.is_success());
    assert!(link.connections_opened() <= 3);
}

#[tokio::test]
async fn a_killed_connection_is_lost_and_never_a_success() {
    let Some(sshd) = Sshd::start() else { return };
    let link = sshd.link();
    link.connect().await.unwrap();
    let running = {
        let link = link.clone();
        tokio::spawn(async move { link.exec(&sh("echo started; sleep 1000"), None, MINUTE).await })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(sshd.signal_sessions(Signal::KILL) > 0);
    let error = running.await.unwrap().unwrap_err();
    assert!(matches!(error, ExecError::Lost { .. }), "{error}");
    assert!(error.is_transient());
    // The next command opens a new connection.
    assert!(link.exec(&sh("true"), None, MINUTE).await.unwrap().exit.is_success());
    assert_eq!(link.connections_opened(), 2);
}

#[tokio::test]
async fn a_server_that_stops_answering_is_noticed_by_keepalives() {
    let Some(sshd) = Sshd::start() else { return };
    let mut options = sshd.options();
    options.keepalive_interval = Duration::from_millis(200);
    let link = Link::new(sshd.endpoint(), options);
    link.connect().await.unwrap();
    let running = {
        let link = link.clone();
        tokio::spawn(async move { link.exec(&sh("sleep 1000"), None, MINUTE).await })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    sshd.signal_sessions(Signal::STOP);
    let error = running.await.unwrap().unwrap_err();
    assert!(matches!(&error, ExecError::Lost { why, .. } if why.contains("keep-alive")), "{error}");
}

#[tokio::test]
async fn a_key_that_is_not_authorised_is_rejected_by_name() {
    let Some(sshd) = Sshd::start() else { return };
    let pin = Arc::new(PinnedFingerprint::of(&sshd.host_key("ed25519")));
    let stranger = KeyPair::generate().unwrap();
    let link = link_with(&sshd, vec![Identity::Key(stranger.clone())], pin.clone());
    let error = link.connect().await.unwrap_err();
    let ConnectError::KeyRejected { tried, .. } = &error else { panic!("{error}") };
    assert!(tried[0].contains(&stranger.fingerprint()), "{tried:?}");
    assert!(error.advice().contains("authorized_keys") && !error.is_transient());

    // The right one behind it is found.
    let both = vec![Identity::Key(stranger.clone()), Identity::Key(sshd.client_key.clone())];
    link_with(&sshd, both, pin.clone()).connect().await.unwrap();

    let error = link_with(&sshd, Vec::new(), pin.clone()).connect().await.unwrap_err();
    assert!(matches!(&error, ConnectError::KeyRejected { tried, .. } if tried.is_empty()), "{error}");

    // A server that hangs up after too many tries is quoted.
    let many = vec![Identity::Key(stranger); 10];
    let error = link_with(&sshd, many, pin).connect().await.unwrap_err();
    assert!(error.to_string().contains("Too many authentication failures"), "{error}");
}

#[tokio::test]
async fn rsa_ecdsa_and_encrypted_key_files_log_in() {
    let Some(sshd) = Sshd::start() else { return };
    let pin = Arc::new(PinnedFingerprint::of(&sshd.host_key("ed25519")));
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let path = sshd.dir().join(format!("id_{kind}"));
        generate_key(kind, &path, "open sesame");
        sshd.authorise(&fs::read_to_string(path.with_extension("pub")).unwrap());
        assert!(matches!(KeyPair::from_file(&path, None), Err(KeyError::Encrypted { .. })));
        let wrong = SecretString::from("wrong");
        assert!(matches!(KeyPair::from_file(&path, Some(&wrong)), Err(KeyError::WrongPassphrase { .. })));
        let right = SecretString::from("open sesame");
        let key = KeyPair::from_file(&path, Some(&right)).unwrap();
        link_with(&sshd, vec![Identity::Key(key)], pin.clone()).connect().await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_signs_for_ed25519_and_rsa() {
    let Some(sshd) = Sshd::start() else { return };
    let pin = Arc::new(PinnedFingerprint::of(&sshd.host_key("ed25519")));
    for kind in ["ed25519", "rsa"] {
        let socket = sshd.dir().join(format!("agent-{kind}"));
        let mut agent =
            Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        while !socket.exists() {
            assert!(agent.try_wait().unwrap().is_none());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let empty = link_with(&sshd, vec![Identity::Agent(socket.clone())], pin.clone());
        let error = empty.connect().await.unwrap_err();
        assert!(error.to_string().contains("holds no key"), "{error}");

        let path = sshd.dir().join(format!("agent_{kind}"));
        generate_key(kind, &path, "");
        sshd.authorise(&fs::read_to_string(path.with_extension("pub")).unwrap());
        let added =
            Command::new("ssh-add").arg("-q").arg(&path).env("SSH_AUTH_SOCK", &socket).status().unwrap();
        assert!(added.success());
        let link = link_with(&sshd, vec![Identity::Agent(socket)], pin.clone());
        let connected = link.connect().await;
        agent.kill().unwrap();
        agent.wait().unwrap();
        connected.unwrap();
    }
    let missing = link_with(&sshd, vec![Identity::Agent("/nonexistent/agent".into())], pin);
    let error = missing.connect().await.unwrap_err();
    assert!(error.to_string().contains("/nonexistent/agent cannot be reached"), "{error}");
}

#[tokio::test]
async fn an_unknown_or_changed_host_key_stops_before_any_key_is_offered() {
    let Some(sshd) = Sshd::start() else { return };
    let key = vec![Identity::Key(sshd.client_key.clone())];
    let (path, host_keys) = known_hosts(&sshd, false);
    let error = link_with(&sshd, key.clone(), host_keys.clone()).connect().await.unwrap_err();
    let ConnectError::HostKeyUnknown { presented, .. } = &error else { panic!("{error}") };
    assert_eq!(*presented, sshd.host_key("ed25519"));
    assert!(error.to_string().contains(&presented.fingerprint()));

    let other = KeyPair::generate().unwrap();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let port = sshd.endpoint().port;
    fs::write(&path, format!("[127.0.0.1]:{port} {}\n", other.public_key())).unwrap();
    let error = link_with(&sshd, key.clone(), host_keys).connect().await.unwrap_err();
    let ConnectError::HostKeyChanged { expected, presented, .. } = &error else { panic!("{error}") };
    assert!(expected[0].contains(&other.fingerprint()));
    assert_eq!(*presented, sshd.host_key("ed25519"));

    let pinned = Arc::new(PinnedFingerprint::new(&other.fingerprint()));
    let error = link_with(&sshd, key, pinned).connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::HostKeyChanged { .. }), "{error}");

    let log = sshd.log();
    assert!(log.contains("Connection from"), "{log}");
    assert!(!log.contains("userauth-request") && !log.contains("publickey"), "{log}");
}

#[tokio::test]
async fn a_hashed_known_hosts_file_is_understood() {
    let Some(sshd) = Sshd::start() else { return };
    let (path, host_keys) = known_hosts(&sshd, false);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let port = sshd.endpoint().port;
    let line = format!("[127.0.0.1]:{port} {}\n", sshd.host_key("ed25519").to_openssh());
    fs::write(&path, line).unwrap();
    assert!(Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&path).status().unwrap().success());
    assert!(fs::read_to_string(&path).unwrap().starts_with("|1|"));
    let key = vec![Identity::Key(sshd.client_key.clone())];
    link_with(&sshd, key, host_keys).connect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn accept_new_adds_a_host_once_even_when_many_connect_at_once() {
    let Some(sshd) = Sshd::start() else { return };
    let (path, host_keys) = known_hosts(&sshd, true);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let link = link_with(&sshd, vec![Identity::Key(sshd.client_key.clone())], host_keys.clone());
            tokio::spawn(async move { link.connect().await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let text = fs::read_to_string(&path).unwrap();
    let line = format!("[127.0.0.1]:{} {}\n", sshd.endpoint().port, sshd.host_key("ed25519").to_openssh());
    assert_eq!(text, line);
    // ssh itself reads it.
    let found = Command::new("ssh-keygen")
        .args(["-F", &format!("[127.0.0.1]:{}", sshd.endpoint().port), "-f"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(found.status.success());
}

#[tokio::test]
async fn the_key_on_file_is_asked_for_though_the_server_has_others() {
    let Some(sshd) = Sshd::start_with(&[], &["ed25519", "ecdsa", "rsa"]) else { return };
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let path = sshd.dir().join(format!("known_{kind}"));
        let line = format!("[127.0.0.1]:{} {}\n", sshd.endpoint().port, sshd.host_key(kind).to_openssh());
        fs::write(&path, line).unwrap();
        let host_keys = Arc::new(KnownHosts::new(vec![path], false));
        let key = vec![Identity::Key(sshd.client_key.clone())];
        link_with(&sshd, key.clone(), host_keys).connect().await.unwrap();
        let pin = Arc::new(PinnedFingerprint::of(&sshd.host_key(kind)));
        link_with(&sshd, key.clone(), pin).connect().await.unwrap();
        // A fingerprint alone does not tell the algorithm.
        let bare = Arc::new(PinnedFingerprint::new(&sshd.host_key(kind).fingerprint()));
        link_with(&sshd, key, bare).connect().await.unwrap();
    }
}

#[tokio::test]
async fn reasons_for_no_connection_are_told_apart() {
    let options = || ConnectOptions::new(Vec::new(), Arc::new(PinnedFingerprint::new("SHA256:x")));
    let fails = async |endpoint: &str, options| {
        let endpoint: Endpoint = endpoint.parse().unwrap();
        Link::new(endpoint, options).connect().await.unwrap_err()
    };
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let error = fails(&format!("me@127.0.0.1:{port}"), options()).await;
    assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
    assert!(error.is_transient() && error.advice().contains(&port.to_string()));

    let error = fails("me@no-such-host.invalid", options()).await;
    assert!(matches!(error, ConnectError::NameNotFound { .. }), "{error}");

    // It takes connections and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut short = options();
    short.connect_timeout = Duration::from_millis(300);
    let error = fails(&format!("me@127.0.0.1:{}", silent.local_addr().unwrap().port()), short).await;
    assert!(matches!(error, ConnectError::Timeout { .. }), "{error}");
    drop(silent);

    // It speaks another protocol and hangs up.
    let web = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = web.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::Write;
        let (mut socket, _) = web.accept().unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let error = fails(&format!("me@127.0.0.1:{port}"), options()).await;
    assert!(matches!(error, ConnectError::Protocol { .. }), "{error}");
}

#[test]
fn the_usual_identities_are_found_and_unusable_ones_reported() {
    let home = tempfile::tempdir().unwrap();
    let ssh = home.path().join(".ssh");
    fs::create_dir(&ssh).unwrap();
    let key = KeyPair::generate().unwrap();
    fs::write(ssh.join("id_ed25519"), &*key.to_openssh().unwrap()).unwrap();
    fs::write(ssh.join("id_rsa"), "not a key").unwrap();
    let agent = PathBuf::from("/tmp/agent");
    let (identities, unusable) = default_identities(home.path(), Some(&agent));
    assert!(matches!(&identities[0], Identity::Key(found) if found.fingerprint() == key.fingerprint()));
    assert!(matches!(&identities[1], Identity::Agent(socket) if *socket == agent));
    assert_eq!(identities.len(), 2);
    assert!(matches!(&unusable[..], [KeyError::Unusable { .. }]));
}
