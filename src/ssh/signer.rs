//! What a log-in was made with, so that another one can be: a key of this process, or one that an ssh-agent holds.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::agent::{MAX_FRAME, sign_request, signature_in};
use super::wire;

/// `SSH_AGENT_RSA_SHA2_256` and `SSH_AGENT_RSA_SHA2_512` (draft-miller-ssh-agent, section 3.6.1).
const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;
/// An agent may ask a person before it signs.
const AGENT_PATIENCE: Duration = Duration::from_secs(30);

/// Something that signs with one key.
#[derive(Clone)]
pub(super) struct Signer {
    public: PublicKey,
    blob: Vec<u8>,
    place: Place,
}

#[derive(Clone)]
enum Place {
    Here(Arc<PrivateKey>),
    Agent(PathBuf),
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.public.fingerprint(HashAlg::Sha256))
    }
}

impl Signer {
    /// A key of this process.
    pub(super) fn here(key: Arc<PrivateKey>) -> Self {
        Self::new(key.public_key().clone(), Place::Here(key))
    }

    /// A key of the agent behind this socket.
    pub(super) fn agent(socket: &Path, key: PublicKey) -> Self {
        Self::new(key, Place::Agent(socket.to_owned()))
    }

    fn new(public: PublicKey, place: Place) -> Self {
        let blob = public.to_bytes().unwrap_or_default();
        Self { public, blob, place }
    }

    /// The public key as SSH sends it.
    pub(super) fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The hash for this algorithm of a log-in, if it is one of this key's and the agent request's flags ask for
    /// the same; the inner one is none where the key leaves no choice.
    pub(super) fn hash_for(&self, algorithm: &[u8], flags: u32) -> Option<Option<HashAlg>> {
        if self.is_rsa() {
            return match (algorithm, flags) {
                (b"rsa-sha2-256", RSA_SHA2_256) => Some(Some(HashAlg::Sha256)),
                (b"rsa-sha2-512", RSA_SHA2_512) => Some(Some(HashAlg::Sha512)),
                // Signatures with SHA-1 are made for nobody.
                _ => None,
            };
        }
        (flags == 0 && algorithm == self.public.algorithm().as_str().as_bytes()).then_some(None)
    }

    fn is_rsa(&self) -> bool {
        matches!(self.public.algorithm(), Algorithm::Rsa { .. })
    }

    /// Signs, and gives the signature as SSH sends it.
    ///
    /// # Errors
    /// If the key or its agent does not.
    pub(super) async fn sign(&self, data: &[u8], hash: Option<HashAlg>) -> io::Result<Vec<u8>> {
        match &self.place {
            Place::Here(key) => sign_here(key, data, hash),
            Place::Agent(socket) => {
                let flags = match hash {
                    Some(HashAlg::Sha256) => RSA_SHA2_256,
                    Some(_) => RSA_SHA2_512,
                    None => 0,
                };
                let request = sign_request(&self.blob, data, flags);
                let answer = timeout(AGENT_PATIENCE, ask(socket, &request)).await;
                let answer = answer.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
                let signature = signature_in(&answer);
                signature.map(<[u8]>::to_owned).ok_or_else(|| io::Error::other("the agent does not sign"))
            }
        }
    }
}

fn sign_here(key: &PrivateKey, data: &[u8], hash: Option<HashAlg>) -> io::Result<Vec<u8>> {
    let signature = match key.key_data() {
        KeypairData::Rsa(rsa) => (rsa, hash).try_sign(data),
        other => other.try_sign(data),
    };
    let mut encoded = Vec::new();
    signature.map_err(io::Error::other)?.encode(&mut encoded).map_err(io::Error::other)?;
    Ok(encoded)
}

/// One request to an agent, and its answer.
async fn ask(socket: &Path, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut agent = UnixStream::connect(socket).await?;
    let mut frame = Vec::new();
    wire::put(&mut frame, request);
    agent.write_all(&frame).await?;
    let length = usize::try_from(agent.read_u32().await?).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut answer = vec![0; length];
    agent.read_exact(&mut answer).await?;
    Ok(answer)
}
