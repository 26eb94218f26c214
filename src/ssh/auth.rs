//! Logging in with public keys: own ones, and those of an ssh-agent.

use std::path::Path;

use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg, PublicKey};
use tokio::net::UnixStream;

use super::error::ConnectError;
use super::keys::{Identity, KeyPair};
use super::options::ConnectOptions;
use super::session::{Fate, Handler, in_words};
use super::signer::Signer;
use crate::domain::endpoint::Endpoint;

/// Tries every identity in turn until the server is content, and gives the one it took.
pub(super) async fn authenticate(
    handle: &mut Handle<Handler>,
    endpoint: &Endpoint,
    options: &ConnectOptions,
    fate: &Fate,
) -> Result<Signer, ConnectError> {
    let mut login = Login { handle, user: &endpoint.user, tried: Vec::new() };
    for identity in &options.identities {
        let done = match identity {
            Identity::Key(key) => login.with_key(key).await,
            Identity::Agent(socket) => login.with_agent(socket).await,
        };
        match done {
            Ok(Some(signer)) => return Ok(signer),
            Ok(None) if login.handle.is_closed() => {
                // Servers hang up after some tries (`MaxAuthTries`).
                login.tried.push(fate.why());
                break;
            }
            Ok(None) => {}
            Err(error) => {
                let why = if login.handle.is_closed() { fate.why() } else { in_words(&error) };
                return Err(ConnectError::Protocol { endpoint: endpoint.clone(), stage: "logging in", why });
            }
        }
    }
    Err(ConnectError::KeyRejected { endpoint: endpoint.clone(), tried: login.tried })
}

struct Login<'a> {
    handle: &'a mut Handle<Handler>,
    user: &'a str,
    /// What was offered and what became of it.
    tried: Vec<String>,
}

impl Login<'_> {
    async fn with_key(&mut self, key: &KeyPair) -> Result<Option<Signer>, russh::Error> {
        let mut name = format!("{} {}", key.algorithm(), key.fingerprint());
        if let Some(origin) = key.origin() {
            name = format!("{} {}", origin.display(), key.fingerprint());
        }
        for hash in self.hashes(&key.private().algorithm()).await? {
            let signer = PrivateKeyWithHashAlg::new(key.private(), hash);
            let result = self.handle.authenticate_publickey(self.user, signer).await?;
            if self.accepted(&result, &name) {
                return Ok(Some(Signer::here(key.private())));
            }
        }
        Ok(None)
    }

    async fn with_agent(&mut self, socket: &Path) -> Result<Option<Signer>, russh::Error> {
        let name = format!("agent at {}", socket.display());
        let mut agent = match AgentClient::connect_uds(socket).await {
            Ok(agent) => agent,
            Err(error) => {
                self.tried.push(format!("{name} cannot be reached: {error}"));
                return Ok(None);
            }
        };
        // Agents with keys bound to destinations need this; older ones answer that they do not know it.
        if let Some(binding) = self.handle.agent_session_binding() {
            let _ = agent.bind_session(binding, false).await;
        }
        let identities = match agent.request_identities().await {
            Ok(identities) => identities,
            Err(error) => {
                self.tried.push(format!("{name} lists no keys: {error}"));
                return Ok(None);
            }
        };
        if identities.is_empty() {
            self.tried.push(format!("{name} holds no key"));
        }
        for identity in identities {
            // Certificates of users are not supported; the plain key stands in the list besides.
            let AgentIdentity::PublicKey { key, comment } = identity else { continue };
            if self.with_agent_key(&mut agent, key.clone(), &comment).await? {
                return Ok(Some(Signer::agent(socket, key)));
            }
            if self.handle.is_closed() {
                break;
            }
        }
        Ok(None)
    }

    async fn with_agent_key(
        &mut self,
        agent: &mut AgentClient<UnixStream>,
        key: PublicKey,
        comment: &str,
    ) -> Result<bool, russh::Error> {
        let name = format!("{} {comment} (agent)", key.fingerprint(HashAlg::Sha256));
        for hash in self.hashes(&key.algorithm()).await? {
            let signed = self.handle.authenticate_publickey_with(self.user, key.clone(), hash, agent).await;
            match signed {
                Ok(result) if self.accepted(&result, &name) => return Ok(true),
                Ok(_) => {}
                Err(error) => self.tried.push(format!("{name} was not signed with: {error}")),
            }
        }
        Ok(false)
    }

    /// The hashes to sign with. Only RSA has a choice; SHA-1 is never one (RFC 8332).
    async fn hashes(&mut self, algorithm: &Algorithm) -> Result<Vec<Option<HashAlg>>, russh::Error> {
        if !matches!(algorithm, Algorithm::Rsa { .. }) {
            return Ok(vec![None]);
        }
        Ok(match self.handle.best_supported_rsa_hash().await? {
            Some(Some(best)) => vec![Some(best)],
            // The server names only SHA-1.
            Some(None) => {
                self.tried.push("RSA keys: the server takes SHA-1 signatures only".to_owned());
                Vec::new()
            }
            None => vec![Some(HashAlg::Sha512), Some(HashAlg::Sha256)],
        })
    }

    fn accepted(&mut self, result: &AuthResult, name: &str) -> bool {
        match result {
            AuthResult::Success => return true,
            AuthResult::Failure { partial_success: true, .. } => {
                self.tried.push(format!("{name} was taken, but the server asks for a second factor"));
            }
            AuthResult::Failure { .. } => self.tried.push(name.to_owned()),
        }
        false
    }
}
