//! Talking to the agent behind `SSH_AUTH_SOCK` (draft-miller-ssh-agent): here always the one that the client forwarded,
//! over a channel of the connection that this command came by.

use bytes::{Buf, Bytes, BytesMut};
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelMsg};

use crate::sim::appliance::hostbound::{put, take};

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const EXTENSION: u8 = 27;
const SUCCESS: u8 = 6;
/// SHA-512 for RSA keys.
pub(super) const RSA_SHA2_512: u32 = 4;

/// An open connection to the agent.
pub(super) struct Agent {
    channel: Channel<Msg>,
    arrived: BytesMut,
}

/// The session that an `ssh` wants to log in to.
pub(super) struct Binding<'a> {
    pub(super) host_key: &'a [u8],
    pub(super) session: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl Agent {
    /// Opens one; none where the client refuses.
    pub(super) async fn open(connection: &Handle) -> Option<Self> {
        let channel = connection.channel_open_agent().await.ok()?;
        Some(Self { channel, arrived: BytesMut::new() })
    }

    async fn ask(&mut self, request: &[u8]) -> Option<Bytes> {
        let mut framed = Vec::new();
        put(&mut framed, request);
        self.channel.data_bytes(framed).await.ok()?;
        loop {
            if let Some(length) = self.arrived.first_chunk::<4>() {
                let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
                if self.arrived.len() >= 4 + length {
                    self.arrived.advance(4);
                    return Some(self.arrived.split_to(length).freeze());
                }
            }
            match self.channel.wait().await? {
                ChannelMsg::Data { data } => self.arrived.extend_from_slice(&data),
                ChannelMsg::Eof | ChannelMsg::Close => return None,
                _ => {}
            }
        }
    }

    /// Shows which server the log-in is for. False if the agent refuses.
    pub(super) async fn bind(&mut self, binding: &Binding<'_>) -> bool {
        let mut request = vec![EXTENSION];
        for part in [b"session-bind@openssh.com", binding.host_key, binding.session, binding.signature] {
            put(&mut request, part);
        }
        request.push(0);
        self.ask(&request).await.is_some_and(|answer| answer.first() == Some(&SUCCESS))
    }

    /// The keys it has: the blob and the comment.
    pub(super) async fn identities(&mut self) -> Vec<(Vec<u8>, String)> {
        let Some(answer) = self.ask(&[REQUEST_IDENTITIES]).await else { return Vec::new() };
        let Some((&IDENTITIES_ANSWER, rest)) = answer.split_first() else { return Vec::new() };
        let Some((count, mut rest)) = rest.split_first_chunk::<4>() else { return Vec::new() };
        let mut all = Vec::new();
        for _ in 0..u32::from_be_bytes(*count) {
            let (Some(key), Some(comment)) = (take(&mut rest), take(&mut rest)) else { break };
            all.push((key.to_vec(), String::from_utf8_lossy(comment).into_owned()));
        }
        all
    }

    /// A signature by one of its keys; none if it refuses.
    pub(super) async fn sign(&mut self, key: &[u8], data: &[u8], flags: u32) -> Option<Vec<u8>> {
        let mut request = vec![SIGN_REQUEST];
        put(&mut request, key);
        put(&mut request, data);
        request.extend_from_slice(&flags.to_be_bytes());
        let answer = self.ask(&request).await?;
        let (&SIGN_RESPONSE, mut rest) = answer.split_first()? else { return None };
        take(&mut rest).map(<[u8]>::to_vec)
    }

    pub(super) async fn close(self) {
        let _ = self.channel.close().await;
    }
}
