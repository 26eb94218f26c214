//! A small SSH server whose commands tell how to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use russh::keys::{PrivateKey, PublicKey};
use russh::server::{self, Auth, ChannelOpenHandle, Handle, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, Disconnect};
use tokio::net::TcpListener;

use crate::domain::endpoint::Endpoint;
use crate::ssh::{HostKey, KeyPair};

/// What the server is like.
#[derive(Debug, Clone, Default)]
pub(super) struct Story {
    /// It has a host certificate besides.
    pub(super) certificate: bool,
    pub(super) refuses_commands: bool,
}

/// What it saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) logins: AtomicUsize,
    pub(super) commands: AtomicUsize,
}

pub(super) struct Server {
    pub(super) host_key: HostKey,
    pub(super) client_key: KeyPair,
    pub(super) seen: Arc<Seen>,
    port: u16,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(super) async fn start(story: Story) -> Self {
        let (host, client_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let private: PrivateKey = (*host.private()).clone();
        let host_key = HostKey::from_russh(private.public_key());
        let certificates = if story.certificate { vec![certify(&private)] } else { Vec::new() };
        let config = Arc::new(server::Config { keys: vec![private], certificates, ..Default::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let visitor = Visitor { story, seen: Arc::clone(&seen), key: client_key.private() };
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (config, visitor) = (Arc::clone(&config), visitor.clone());
                tokio::spawn(async move {
                    if let Ok(session) = server::run_stream(config, socket, visitor).await {
                        let _ = session.await;
                    }
                });
            }
        });
        Self { host_key, client_key, seen, port, task }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        Endpoint::new("me", "127.0.0.1", self.port).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn certify(key: &PrivateKey) -> russh::keys::Certificate {
    use russh::keys::ssh_key::certificate::{Builder, CertType};
    let mut rng = russh::keys::key::safe_rng();
    let public = key.public_key().key_data().clone();
    let mut builder = Builder::new_with_random_nonce(&mut rng, public, 0, u64::MAX - 1).unwrap();
    builder.cert_type(CertType::Host).unwrap();
    builder.all_principals_valid().unwrap();
    builder.sign(key).unwrap()
}

#[derive(Clone)]
struct Visitor {
    story: Story,
    seen: Arc<Seen>,
    key: Arc<PrivateKey>,
}

impl Visitor {
    fn judge(&self, key: &PublicKey) -> Auth {
        self.seen.logins.fetch_add(1, Ordering::SeqCst);
        let known = key.key_data() == self.key.public_key().key_data();
        if known { Auth::Accept } else { Auth::reject() }
    }
}

impl server::Handler for Visitor {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.judge(offer.public_key))
    }

    async fn auth_publickey(
        &mut self,
        _user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.judge(key.public_key))
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if self.story.refuses_commands {
            return session.channel_failure(channel);
        }
        self.seen.commands.fetch_add(1, Ordering::SeqCst);
        session.channel_success(channel)?;
        let ending = String::from_utf8_lossy(command).replace("say ", "");
        tokio::spawn(tell(session.handle(), channel, ending));
        Ok(())
    }
}

/// Says "words", then ends as told.
async fn tell(handle: Handle, channel: ChannelId, ending: String) {
    let hang_up = async || {
        let _ = handle.disconnect(Disconnect::ByApplication, "gone".into(), "en".into()).await;
    };
    if ending == "early-status" {
        let _ = handle.exit_status_request(channel, 5).await;
    }
    let _ = handle.data(channel, "words").await;
    match ending.as_str() {
        "eof-close" | "status-0" | "early-status" | "eof-hang-up" => drop(handle.eof(channel).await),
        "endless" => while handle.data(channel, vec![0u8; 1 << 20]).await.is_ok() {},
        _ => {}
    }
    match ending.as_str() {
        "hang-up" | "eof-hang-up" => return hang_up().await,
        "status-0" => drop(handle.exit_status_request(channel, 0).await),
        _ => {}
    }
    let _ = handle.close(channel).await;
}
