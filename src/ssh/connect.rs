//! From an endpoint to an authenticated connection: name, TCP, key exchange, host key, log-in.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::client;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::agent::ForwardedAgent;
use super::auth::authenticate;
use super::error::ConnectError;
use super::hostkeys::HostKeyCheck;
use super::options::{ConnectOptions, Purpose};
use super::session::{Connection, Fate, Handler, SessionError, in_words};
use crate::domain::endpoint::Endpoint;

/// Opens a new connection and logs in.
pub(super) async fn connect(
    endpoint: &Endpoint,
    options: &ConnectOptions,
    purpose: Purpose,
    agent: Option<&Arc<ForwardedAgent>>,
) -> Result<Connection, ConnectError> {
    let known = options.host_keys.algorithms(endpoint);
    let first = attempt(endpoint, options, purpose, agent, &known).await;
    if !known.is_empty() || !matches!(first, Err(ConnectError::HostKeyChanged { .. })) {
        return first;
    }
    // A fingerprint does not tell its algorithm. The server may have the key that is meant besides the one that
    // it showed; asking for it gives nothing away.
    for others in [&["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"][..], &["ssh-rsa"]] {
        let others: Vec<String> = others.iter().map(|name| (*name).to_owned()).collect();
        match attempt(endpoint, options, purpose, agent, &others).await {
            Err(ConnectError::HostKeyChanged { .. }) => {}
            other => return other,
        }
    }
    first
}

/// One attempt, which asks for host keys of the algorithms `known` first.
async fn attempt(
    endpoint: &Endpoint,
    options: &ConnectOptions,
    purpose: Purpose,
    agent: Option<&Arc<ForwardedAgent>>,
    known: &[String],
) -> Result<Connection, ConnectError> {
    let deadline = Instant::now() + options.connect_timeout;
    let late = |stage, after| ConnectError::Timeout { endpoint: endpoint.clone(), after, stage };
    let socket = dial(endpoint, options.connect_timeout, deadline).await?;
    // Round trips of small packets must not wait for Nagle's algorithm; it is a help, not a need.
    let _ = socket.set_nodelay(true);

    let fate = Arc::new(Fate::default());
    let config = Arc::new(options.config(purpose, known));
    let agent = agent.cloned();
    let handler =
        Handler::new(endpoint.clone(), Arc::clone(&options.host_keys), Arc::clone(&fate), agent.clone());
    let handshake = client::connect_stream(config, socket, handler);
    let mut handle = match timeout_at(deadline, handshake).await {
        Ok(Ok(handle)) => handle,
        Ok(Err(error)) => return Err(handshake_error(endpoint, error)),
        Err(_) => return Err(late("exchanging keys", options.connect_timeout)),
    };
    match timeout(options.auth_timeout, authenticate(&mut handle, endpoint, options, &fate)).await {
        Ok(Ok(login)) => Ok(Connection { handle, fate, login, agent }),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(late("logging in", options.auth_timeout)),
    }
}

/// Tries the addresses of the host one after the other, each with its share of the time that is left.
async fn dial(endpoint: &Endpoint, limit: Duration, deadline: Instant) -> Result<TcpStream, ConnectError> {
    let late = |stage| ConnectError::Timeout { endpoint: endpoint.clone(), after: limit, stage };
    let name_error = |source| ConnectError::NameNotFound { endpoint: endpoint.clone(), source };
    let lookup = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port));
    let addresses: Vec<SocketAddr> = match timeout_at(deadline, lookup).await {
        Ok(found) => found.map_err(name_error)?.collect(),
        Err(_) => return Err(late("looking up its name")),
    };
    let mut last = name_error(io::Error::new(ErrorKind::NotFound, "no address"));
    for (index, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        last = match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(source)) => dial_error(endpoint, limit, source),
            Err(_) => late("opening the connection"),
        };
    }
    Err(last)
}

fn dial_error(endpoint: &Endpoint, limit: Duration, source: io::Error) -> ConnectError {
    let endpoint = endpoint.clone();
    match source.kind() {
        ErrorKind::ConnectionRefused => ConnectError::Refused { endpoint, source },
        ErrorKind::TimedOut => {
            ConnectError::Timeout { endpoint, after: limit, stage: "opening the connection" }
        }
        _ => ConnectError::Unreachable { endpoint, source },
    }
}

fn handshake_error(endpoint: &Endpoint, error: SessionError) -> ConnectError {
    let endpoint = endpoint.clone();
    let stage = "exchanging keys";
    match error {
        SessionError::HostKey(HostKeyCheck::Unknown { presented }) => {
            ConnectError::HostKeyUnknown { endpoint, presented }
        }
        SessionError::HostKey(HostKeyCheck::Changed { expected, presented }) => {
            ConnectError::HostKeyChanged { endpoint, expected, presented }
        }
        SessionError::HostKey(HostKeyCheck::Undecidable { why }) => {
            ConnectError::HostKeyUndecidable { endpoint, why }
        }
        // The handler makes no error of a valid key.
        SessionError::HostKey(HostKeyCheck::Valid) => {
            ConnectError::Protocol { endpoint, stage, why: "the host key was not taken".into() }
        }
        SessionError::Certificate => ConnectError::Protocol {
            endpoint,
            stage,
            why: "the server shows a host certificate; only plain host keys are accepted".into(),
        },
        SessionError::Ssh(error) => ConnectError::Protocol { endpoint, stage, why: in_words(&error) },
    }
}
