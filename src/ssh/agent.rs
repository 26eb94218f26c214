//! The agent that is forwarded to one source for one log-in on one target (draft-miller-ssh-agent, and
//! OpenSSH's PROTOCOL.agent and PROTOCOL, section 3.1).
//!
//! It holds nothing but the right to answer: whoever sits at the source can make it sign only what logs the
//! expected user into the very server whose host key is pinned, so often and so long as was allowed. That is
//! provable because OpenSSH 8.9 and later put the host key into what is signed
//! (`publickey-hostbound-v00@openssh.com`) and show the agent that server's own signature of the session
//! beforehand (`session-bind@openssh.com`). What does not fit is answered with failure. What the source does with the
//! log-in that it is given, nobody here can say: it is one of that user on that server.
//!
//! In this file: what to answer. Nothing here waits, and no key of a stranger is ever decoded: blobs are compared.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use russh::keys::signature::Verifier;
use russh::keys::ssh_encoding::Decode;
use russh::keys::ssh_key::Signature;
use russh::keys::{HashAlg, PublicKey};

use super::signer::Signer;
use super::wire::{self, Reader};

const FAILURE: u8 = 5;
const SUCCESS: u8 = 6;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const EXTENSION: u8 = 27;
/// `SSH_MSG_USERAUTH_REQUEST` (RFC 4252, section 7), the first byte of what a log-in signs after the session id.
const USERAUTH_REQUEST: u8 = 50;
const HOSTBOUND: &[u8] = b"publickey-hostbound-v00@openssh.com";
const SESSION_BIND: &[u8] = b"session-bind@openssh.com";

/// The longest request that is read; one log-in with the largest RSA keys takes less than 6 KiB.
pub(super) const MAX_FRAME: usize = 16 * 1024;

/// Connections to the agent that are served for one command: a log-in needs one.
const CHANNELS: u32 = 4;

/// One log-in on one server, and nothing else.
#[derive(Debug)]
pub(super) struct ForwardedAgent {
    signer: Signer,
    user: String,
    host_key: PublicKey,
    /// The pinned key as it stands in what is signed.
    host_blob: Vec<u8>,
    allowance: Mutex<Allowance>,
}

/// What may still be had.
#[derive(Debug)]
struct Allowance {
    signatures: u32,
    channels: u32,
    /// None until the command that needs it is started.
    until: Option<Instant>,
}

/// One connection to the agent.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// The session that the pinned server signed.
    session: Option<Vec<u8>>,
}

/// What to do about a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Say this.
    Say(Vec<u8>),
    /// Sign this, and say that.
    Sign { data: Vec<u8>, hash: Option<HashAlg> },
    /// Refuse, for this reason.
    Refuse(&'static str),
}

impl ForwardedAgent {
    /// Lets `signer` log `user` in on the server with the key `host_key`. It refuses everything until
    /// [`Self::open_for`].
    pub(super) fn new(signer: Signer, user: &str, host_key: PublicKey) -> Self {
        let host_blob = host_key.to_bytes().unwrap_or_default();
        let allowance = Mutex::new(Allowance { signatures: 0, channels: 0, until: None });
        Self { signer, user: user.to_owned(), host_key, host_blob, allowance }
    }

    /// From now on and for so long, requests are answered, with at most so many signatures. What was left of an
    /// earlier allowance is forfeit.
    pub(super) fn open_for(&self, signatures: u32, time: Duration) {
        let until = Some(Instant::now() + time);
        *self.allowance() = Allowance { signatures, channels: CHANNELS, until };
    }

    /// From now on everything is refused, until [`Self::open_for`].
    pub(super) fn shut(&self) {
        *self.allowance() = Allowance { signatures: 0, channels: 0, until: None };
    }

    /// Whether it logs in on the server with that key.
    pub(super) fn is_for(&self, host_key: &PublicKey) -> bool {
        self.host_key.key_data() == host_key.key_data()
    }

    /// When it ends, if it has begun.
    pub(super) fn until(&self) -> Option<Instant> {
        self.allowance().until
    }

    /// Whether one more connection is served.
    pub(super) fn admits_channel(&self) -> bool {
        let mut allowance = self.allowance();
        let open = allowance.until.is_some_and(|until| Instant::now() < until);
        if !open || allowance.channels == 0 {
            return false;
        }
        allowance.channels -= 1;
        true
    }

    pub(super) fn signer(&self) -> &Signer {
        &self.signer
    }

    fn allowance(&self) -> MutexGuard<'_, Allowance> {
        self.allowance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Judges one request, without its length.
    pub(super) fn judge(&self, conversation: &mut Conversation, frame: &[u8], now: Instant) -> Answer {
        if self.allowance().until.is_none_or(|until| now >= until) {
            return Answer::Refuse("its time is over");
        }
        let judged = match frame.split_first() {
            Some((&REQUEST_IDENTITIES, [])) => Some(Ok(Answer::Say(self.identities()))),
            Some((&EXTENSION, rest)) => self.bind(conversation, rest),
            Some((&SIGN_REQUEST, rest)) => self.sign(conversation, rest),
            _ => Some(Err("it does not do that")),
        };
        match judged {
            Some(Ok(answer)) => answer,
            Some(Err(why)) => Answer::Refuse(why),
            None => Answer::Refuse("the request is malformed"),
        }
    }

    /// The one key.
    fn identities(&self) -> Vec<u8> {
        let mut answer = vec![IDENTITIES_ANSWER, 0, 0, 0, 1];
        wire::put(&mut answer, self.signer.blob());
        wire::put(&mut answer, b"zerfaux");
        answer
    }

    /// `session-bind@openssh.com`: the server that the source's `ssh` talks to proves who it is.
    fn bind(&self, conversation: &mut Conversation, rest: &[u8]) -> Option<Result<Answer, &'static str>> {
        let mut rest = Reader::new(rest);
        if rest.string()? != SESSION_BIND {
            return Some(Err("it does not know that extension"));
        }
        let (host_key, session, signature) = (rest.string()?, rest.string()?, rest.string()?);
        let forwarding = rest.byte()?;
        rest.end()?;
        if host_key != self.host_blob {
            return Some(Err("the server has another host key than the target"));
        }
        if forwarding != 0 {
            return Some(Err("it is not to be forwarded further"));
        }
        if session.is_empty() || conversation.session.is_some() {
            return Some(Err("a connection is for one session"));
        }
        let signature = Signature::decode(&mut &*signature).ok()?;
        if Verifier::verify(self.host_key.key_data(), session, &signature).is_err() {
            return Some(Err("the session does not bear the target's signature"));
        }
        conversation.session = Some(session.to_owned());
        Some(Ok(Answer::Say(vec![SUCCESS])))
    }

    fn sign(&self, conversation: &Conversation, rest: &[u8]) -> Option<Result<Answer, &'static str>> {
        let mut rest = Reader::new(rest);
        let (key, data, flags) = (rest.string()?, rest.string()?, rest.number()?);
        rest.end()?;
        let mut login = Reader::new(data);
        let (session, request) = (login.string()?, login.byte()?);
        let (user, service, method) = (login.string()?, login.string()?, login.string()?);
        if request != USERAUTH_REQUEST || service != b"ssh-connection" || method != HOSTBOUND {
            return Some(Err("it signs nothing but host-bound log-ins"));
        }
        let (signed, algorithm) = (login.byte()?, login.string()?);
        let (login_key, host_key) = (login.string()?, login.string()?);
        login.end()?;
        if key != self.signer.blob() || login_key != key {
            return Some(Err("it does not have that key"));
        }
        if host_key != self.host_blob {
            return Some(Err("the log-in is for another server"));
        }
        if user != self.user.as_bytes() {
            return Some(Err("the log-in is for another user"));
        }
        if conversation.session.as_deref() != Some(session) {
            return Some(Err("the log-in is for a session that the target did not sign"));
        }
        let hash = match self.signer.hash_for(algorithm, flags) {
            Some(hash) if signed == 1 => hash,
            _ => return Some(Err("it does not sign in that way")),
        };
        let mut allowance = self.allowance();
        if allowance.signatures == 0 {
            return Some(Err("all its signatures have been made"));
        }
        allowance.signatures -= 1;
        Some(Ok(Answer::Sign { data: data.to_owned(), hash }))
    }
}

/// The answer that carries a signature.
pub(super) fn signed(signature: &[u8]) -> Vec<u8> {
    let mut answer = vec![SIGN_RESPONSE];
    wire::put(&mut answer, signature);
    answer
}

/// The answer to what is refused.
pub(super) fn refusal() -> Vec<u8> {
    vec![FAILURE]
}

/// The signature in an agent's answer to a [`sign_request`].
pub(super) fn signature_in(answer: &[u8]) -> Option<&[u8]> {
    let (&SIGN_RESPONSE, rest) = answer.split_first()? else { return None };
    let mut rest = Reader::new(rest);
    let signature = rest.string()?;
    rest.end()?;
    Some(signature)
}

/// What asks an agent to sign.
pub(super) fn sign_request(key: &[u8], data: &[u8], flags: u32) -> Vec<u8> {
    let mut request = vec![SIGN_REQUEST];
    wire::put(&mut request, key);
    wire::put(&mut request, data);
    request.extend_from_slice(&flags.to_be_bytes());
    request
}
