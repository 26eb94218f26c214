//! The log-in that is bound to a server's host key (`publickey-hostbound-v00@openssh.com`: OpenSSH's PROTOCOL,
//! section 3.1), as the simulated `ssh` asks for it and the simulated server judges it.
//!
//! The library under the simulated server reads no method of that name, so between two simulated appliances the
//! request travels, byte for byte, as the answer in a keyboard-interactive log-in of that submethod. What the agent sees
//! and signs, and what the server checks, is what OpenSSH does.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use russh::keys::PublicKey;
use russh::keys::signature::Verifier;
use russh::keys::ssh_encoding::Decode;
use russh::keys::ssh_key::Signature;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(crate) const METHOD: &str = "publickey-hostbound-v00@openssh.com";
const USERAUTH_REQUEST: u8 = 50;

/// Appends a string as SSH writes it.
pub(crate) fn put(to: &mut Vec<u8>, string: &[u8]) {
    to.extend_from_slice(&u32::try_from(string.len()).unwrap_or(u32::MAX).to_be_bytes());
    to.extend_from_slice(string);
}

/// Takes a string from the front.
pub(crate) fn take<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = from.split_first_chunk::<4>()?;
    let (string, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *from = rest;
    Some(string)
}

/// Who wants to log in, with which key, on the server with which key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) user: String,
    pub(crate) algorithm: String,
    pub(crate) key: Vec<u8>,
    pub(crate) host_key: Vec<u8>,
}

impl Request {
    fn packet(&self, signed: bool) -> Vec<u8> {
        let mut packet = vec![USERAUTH_REQUEST];
        for part in [self.user.as_bytes(), b"ssh-connection", METHOD.as_bytes()] {
            put(&mut packet, part);
        }
        packet.push(u8::from(signed));
        for part in [self.algorithm.as_bytes(), &self.key, &self.host_key] {
            put(&mut packet, part);
        }
        packet
    }

    /// What is signed in a session.
    pub(crate) fn to_sign(&self, session: &[u8]) -> Vec<u8> {
        let mut data = Vec::new();
        put(&mut data, session);
        data.extend(self.packet(true));
        data
    }

    /// The answer that carries it, in the session that it is for.
    pub(crate) fn answer(&self, session: &[u8], signature: Option<&[u8]>) -> String {
        let mut data = Vec::new();
        put(&mut data, session);
        data.extend(self.packet(signature.is_some()));
        if let Some(signature) = signature {
            put(&mut data, signature);
        }
        STANDARD.encode(data)
    }

    /// Reads an answer: the session, the request, the signature if there is one.
    pub(crate) fn read(answer: &[u8]) -> Option<(Vec<u8>, Self, Option<Vec<u8>>)> {
        let data = STANDARD.decode(answer).ok()?;
        let mut rest = &data[..];
        let session = take(&mut rest)?.to_vec();
        let (&first, mut rest) = rest.split_first()?;
        let (user, service, method) = (take(&mut rest)?, take(&mut rest)?, take(&mut rest)?);
        let (&signed, mut rest) = rest.split_first()?;
        let (algorithm, key, host_key) = (take(&mut rest)?, take(&mut rest)?, take(&mut rest)?);
        let signature = if signed == 1 { Some(take(&mut rest)?.to_vec()) } else { None };
        let sound = first == USERAUTH_REQUEST && service == b"ssh-connection" && method == METHOD.as_bytes();
        if !sound || !rest.is_empty() {
            return None;
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let request = Self {
            user: text(user)?,
            algorithm: text(algorithm)?,
            key: key.to_vec(),
            host_key: host_key.to_vec(),
        };
        Some((session, request, signature))
    }

    pub(crate) fn public_key(&self) -> Option<PublicKey> {
        PublicKey::from_bytes(&self.key).ok()
    }

    /// Whether the signature is this key's, of this request in that session, made as the request says.
    pub(crate) fn is_signed(&self, session: &[u8], signature: &[u8]) -> bool {
        let (Some(key), Ok(made)) = (self.public_key(), Signature::decode(&mut &*signature)) else {
            return false;
        };
        made.algorithm().as_str() == self.algorithm
            && Verifier::verify(key.key_data(), &self.to_sign(session), &made).is_ok()
    }
}

/// What the server said of itself in a key exchange.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exchanged {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    bytes: Vec<u8>,
    /// Host key and signature, once they were seen.
    found: Option<(Vec<u8>, Vec<u8>)>,
}

/// More than a first key exchange takes.
const MOST: usize = 64 << 10;
const KEX_REPLY: u8 = 31;

impl Exchanged {
    fn see(&self, bytes: &[u8]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.found.is_none() && seen.bytes.len() < MOST {
            seen.bytes.extend_from_slice(bytes);
            seen.found = reply_in(&seen.bytes);
        }
    }

    /// Whether `session` is that of this very connection, on a server with the key `host_key`: only its signature fits.
    pub(crate) fn is_of(&self, session: &[u8], host_key: &[u8]) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((key, signature)) = &seen.found else { return false };
        let (Ok(public), Ok(made)) = (PublicKey::from_bytes(key), Signature::decode(&mut &signature[..]))
        else {
            return false;
        };
        key == host_key && Verifier::verify(public.key_data(), session, &made).is_ok()
    }
}

/// The host key and the signature in what a server writes before it encrypts.
fn reply_in(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let line = bytes.iter().position(|byte| *byte == b'\n')?;
    let mut rest = &bytes[line + 1..];
    loop {
        let packet = take(&mut rest)?;
        let (&padding, payload) = packet.split_first()?;
        let payload = payload.get(..payload.len().checked_sub(usize::from(padding))?)?;
        let Some((&KEX_REPLY, mut parts)) = payload.split_first() else { continue };
        let (key, _, signature) = (take(&mut parts)?, take(&mut parts)?, take(&mut parts)?);
        return Some((key.to_vec(), signature.to_vec()));
    }
}

/// A socket on which the beginning of what is written is seen.
pub(crate) struct Tap<S> {
    inner: S,
    exchanged: Exchanged,
}

impl<S> Tap<S> {
    pub(crate) fn new(inner: S, exchanged: Exchanged) -> Self {
        Self { inner, exchanged }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = written {
            self.exchanged.see(&bytes[..count]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
