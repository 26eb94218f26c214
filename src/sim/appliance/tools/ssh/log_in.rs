//! Logging in: by the forwarded agent, host-bound, and by key files.

use std::sync::Arc;

use russh::client::{Handle, KeyboardInteractiveAuthResponse as Response};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKey};

use super::agent::{Agent, Binding, RSA_SHA2_512};
use super::client::Visitor;
use super::options::Options;
use super::{Said, Shell, Speaker};
use crate::sim::appliance::hostbound::{METHOD, Request};

/// Tries what there is; the error is what is said when nothing was accepted.
pub(super) async fn log_in(
    handle: &mut Handle<Visitor>,
    shell: &Shell,
    options: &Options,
    speaker: &Speaker,
) -> Result<(), Said> {
    let refused = || format!("{}@{}: Permission denied (publickey).\r\n", options.user, options.host);
    if options.is("PubkeyAuthentication", "no") {
        return Err(refused());
    }
    let connection = shell.session.agent().filter(|_| !options.is("IdentityAgent", "none"));
    let socket = shell.variable("SSH_AUTH_SOCK").is_some_and(|socket| !socket.is_empty());
    if let Some(connection) = connection.filter(|_| socket)
        && let Some(mut agent) = Agent::open(&connection).await
    {
        let accepted = by_agent(handle, &mut agent, options, speaker).await;
        agent.close().await;
        if accepted {
            return Ok(());
        }
    }
    let home = shell.variable("HOME").unwrap_or_default();
    for file in options.identity_files(&home) {
        let Ok(text) = shell.machine.read_file(&shell.absolute(&file)) else { continue };
        let Ok(key) = PrivateKey::from_openssh(text) else {
            speaker.err(format!("Load key \"{file}\": error in libcrypto\r\n")).await;
            continue;
        };
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
        let tried = handle.authenticate_publickey(options.user.clone(), key).await;
        if tried.is_ok_and(|result| result.success()) {
            return Ok(());
        }
    }
    Err(refused())
}

/// Asks the agent for a host-bound log-in with each of its keys.
async fn by_agent(
    handle: &mut Handle<Visitor>,
    agent: &mut Agent,
    options: &Options,
    speaker: &Speaker,
) -> bool {
    let Some(binding) = handle.agent_session_binding().cloned() else { return false };
    let (host_key, session) = (binding.host_key().to_vec(), binding.session_id().to_vec());
    let shown = Binding { host_key: &host_key, session: &session, signature: binding.signature() };
    if !agent.bind(&shown).await && options.debugs() {
        speaker.err("debug1: ssh_agent_bind_hostkey: agent refused operation\r\n").await;
    }
    for (key, comment) in agent.identities().await {
        let Ok(public) = PublicKey::from_bytes(&key) else { continue };
        let name = public.algorithm().to_string();
        let (algorithm, flags) =
            if name == "ssh-rsa" { ("rsa-sha2-512".to_owned(), RSA_SHA2_512) } else { (name.clone(), 0) };
        let request = Request { user: options.user.clone(), algorithm, key, host_key: host_key.clone() };
        if options.debugs() {
            speaker.err(format!("debug1: Offering public key: {comment} {name} agent\r\n")).await;
        }
        let begun =
            handle.authenticate_keyboard_interactive_start(options.user.clone(), METHOD.to_owned()).await;
        if !matches!(begun, Ok(Response::InfoRequest { .. })) {
            continue;
        }
        let asked =
            handle.authenticate_keyboard_interactive_respond(vec![request.answer(&session, None)]).await;
        if !matches!(asked, Ok(Response::InfoRequest { .. })) {
            continue;
        }
        if options.debugs() {
            speaker.err(format!("debug1: Server accepts key: {comment} {name} agent\r\n")).await;
        }
        let Some(signature) = agent.sign(&request.key, &request.to_sign(&session), flags).await else {
            let kind = name.rsplit('-').next().unwrap_or_default().to_ascii_uppercase();
            speaker.err(format!(
                "sign_and_send_pubkey: signing failed for {kind} \"{comment}\" from agent: agent refused operation\r\n"
            )).await;
            continue;
        };
        let answer = request.answer(&session, Some(&signature));
        let end = handle.authenticate_keyboard_interactive_respond(vec![answer]).await;
        if matches!(end, Ok(Response::Success)) {
            return true;
        }
    }
    false
}
