//! The forwarded agent on its channel: frames in, frames out.

use std::sync::Arc;
use std::time::Instant;

use russh::client::Msg;
use russh::{Channel, ChannelMsg};
use tokio::time::{sleep_until, timeout};

use super::agent::{Answer, Conversation, ForwardedAgent, MAX_FRAME, refusal, signed};
use super::wire;

/// Answers what comes on `channel` until it is closed, does not follow the protocol, or its time is over.
pub(super) async fn serve(agent: Arc<ForwardedAgent>, channel: Channel<Msg>) {
    let Some(until) = agent.until() else { return };
    let (mut read, write) = channel.split();
    let talk = async {
        let mut conversation = Conversation::default();
        let mut waiting = Vec::new();
        while let Some(message) = read.wait().await {
            match message {
                ChannelMsg::Data { data } => waiting.extend_from_slice(&data),
                ChannelMsg::Eof | ChannelMsg::Close => return,
                _ => continue,
            }
            loop {
                let frame = match next_frame(&mut waiting) {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(TooLong) => return,
                };
                let mut answer = Vec::new();
                wire::put(&mut answer, &respond(&agent, &mut conversation, &frame).await);
                if write.data_bytes(answer).await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = talk => {}
        () = sleep_until(until.into()) => {}
    }
    // russh does not close a channel that is dropped.
    let _ = timeout(std::time::Duration::from_secs(1), write.close()).await;
}

async fn respond(agent: &ForwardedAgent, conversation: &mut Conversation, frame: &[u8]) -> Vec<u8> {
    match agent.judge(conversation, frame, Instant::now()) {
        Answer::Say(answer) => answer,
        Answer::Sign { data, hash } => match agent.signer().sign(&data, hash).await {
            Ok(signature) => signed(&signature),
            Err(error) => {
                tracing::warn!(%error, "the forwarded agent could not sign");
                refusal()
            }
        },
        Answer::Refuse(why) => {
            tracing::debug!("the forwarded agent refused a request: {why}");
            refusal()
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Takes the first whole frame out of what has arrived; none if it is not all there yet.
pub(super) fn next_frame(waiting: &mut Vec<u8>) -> Result<Option<Vec<u8>>, TooLong> {
    let Some((length, rest)) = waiting.split_first_chunk::<4>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| TooLong)?;
    if length > MAX_FRAME {
        return Err(TooLong);
    }
    if rest.len() < length {
        return Ok(None);
    }
    let frame = rest[..length].to_vec();
    waiting.drain(..4 + length);
    Ok(Some(frame))
}
