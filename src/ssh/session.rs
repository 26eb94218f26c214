//! One live connection: the callbacks that russh makes, and how the connection ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg, Session};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, Disconnect};

use super::agent::ForwardedAgent;
use super::agent_channel;
use super::hostkeys::{HostKey, HostKeyCheck, HostKeys};
use super::signer::Signer;
use crate::domain::endpoint::Endpoint;

/// Why the session ended, kept for those who find their channel closed.
#[derive(Debug, Default)]
pub(super) struct Fate(Mutex<Option<String>>);

impl Fate {
    fn set(&self, why: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }

    /// How the connection ended, in words.
    pub(super) fn why(&self) -> String {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        known.unwrap_or_else(|| "the connection was closed".to_owned())
    }
}

/// What a session ends with.
#[derive(Debug)]
pub(super) enum SessionError {
    /// The host key was judged, and not found valid.
    HostKey(HostKeyCheck),
    /// The server showed a certificate, which nobody here can check.
    Certificate,
    /// russh's own.
    Ssh(russh::Error),
}

impl From<russh::Error> for SessionError {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

/// russh's error as a part of a sentence.
pub(super) fn in_words(error: &russh::Error) -> String {
    use russh::Error as E;
    match error {
        E::KeepaliveTimeout => "the server no longer answers keep-alives".to_owned(),
        E::InactivityTimeout => "nothing went through for too long".to_owned(),
        E::Disconnect | E::HUP | E::SendError | E::RecvError => {
            "the connection was closed by the other side".to_owned()
        }
        E::IO(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the connection was closed by the other side".to_owned()
        }
        other => other.to_string(),
    }
}

/// The callbacks of one session. It opens nothing that the server asks for, but for the agent that was forwarded
/// on this very connection.
#[derive(Debug)]
pub(super) struct Handler {
    endpoint: Endpoint,
    host_keys: Arc<dyn HostKeys>,
    fate: Arc<Fate>,
    agent: Option<Arc<ForwardedAgent>>,
}

impl Handler {
    pub(super) fn new(
        endpoint: Endpoint,
        host_keys: Arc<dyn HostKeys>,
        fate: Arc<Fate>,
        agent: Option<Arc<ForwardedAgent>>,
    ) -> Self {
        Self { endpoint, host_keys, fate, agent }
    }
}

impl client::Handler for Handler {
    type Error = SessionError;

    async fn check_server_key(&mut self, presented: &PublicKeyOrCertificate) -> Result<bool, SessionError> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = presented else {
            return Err(SessionError::Certificate);
        };
        match self.host_keys.check(&self.endpoint, &HostKey::from_russh(key)) {
            HostKeyCheck::Valid => Ok(true),
            other => Err(SessionError::HostKey(other)),
        }
    }

    async fn disconnected(&mut self, reason: DisconnectReason<SessionError>) -> Result<(), SessionError> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                self.fate.set(format!("the server closed the connection: {}", info.message.trim()));
                Ok(())
            }
            DisconnectReason::Error(error) => {
                if let SessionError::Ssh(error) = &error {
                    self.fate.set(in_words(error));
                }
                Err(error)
            }
        }
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _address: &str,
        _port: u32,
        _from_address: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), SessionError> {
        refuse(reply).await
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), SessionError> {
        refuse(reply).await
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), SessionError> {
        let Some(agent) = self.agent.as_ref().filter(|agent| agent.admits_channel()) else {
            return refuse(reply).await;
        };
        reply.accept().await;
        tokio::spawn(agent_channel::serve(Arc::clone(agent), channel));
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), SessionError> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host: &str,
        _port: u32,
        _from_address: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), SessionError> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), SessionError> {
        refuse(reply).await
    }

    async fn server_channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _from_address: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), SessionError> {
        refuse(reply).await
    }
}

async fn refuse(reply: ChannelOpenHandle) -> Result<(), SessionError> {
    reply.reject(russh::ChannelOpenFailure::AdministrativelyProhibited).await;
    Ok(())
}

/// An authenticated connection. When the last reference and the last channel are gone, it is closed.
pub(super) struct Connection {
    pub(super) handle: client::Handle<Handler>,
    pub(super) fate: Arc<Fate>,
    /// What the server let us in with.
    pub(super) login: Signer,
    /// The agent that may be forwarded on it.
    pub(super) agent: Option<Arc<ForwardedAgent>>,
}

impl Connection {
    pub(super) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// What the server proved itself with.
    pub(super) fn host_key(&self) -> Option<HostKey> {
        let proof = self.handle.agent_session_binding()?;
        HostKey::from_blob(proof.host_key())
    }

    /// Says goodbye. What was queued before goes out first; a stuck connection is not waited for.
    pub(super) async fn disconnect(&self) {
        let goodbye = self.handle.disconnect(Disconnect::ByApplication, "done", "en");
        let _ = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
    }
}
