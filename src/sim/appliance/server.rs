//! The SSH server: logins by key, one shell for each command, connections that can be broken on order.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::{Arc, PoisonError};

use bytes::{Buf, Bytes};
use russh::keys::{HashAlg, PrivateKey, PublicKey};
use russh::server::{self, Auth, ChannelOpenHandle, Msg, PublicKeyOffer, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::hostbound::{Exchanged, METHOD, Request, Tap};
use super::machine::Machine;
use super::session::Session;
use super::shell::{Io, Shell};

/// Packets that wait for a command before the client is held back, and the other way.
const WAITING: usize = 32;

/// What every connection shares.
pub(super) struct Server {
    pub(super) machine: Arc<Machine>,
    /// Keys that may log in; none: every key may.
    pub(super) authorized: Option<Vec<PublicKey>>,
    pub(super) config: Arc<server::Config>,
    /// Its host key as it stands in what is signed.
    pub(super) host_blob: Vec<u8>,
    /// Ends every connection when it is replaced.
    pub(super) connections: std::sync::Mutex<CancellationToken>,
}

impl Server {
    pub(super) fn config(key: PrivateKey, version: &str) -> Arc<server::Config> {
        let rejection = std::time::Duration::from_millis(50);
        Arc::new(server::Config {
            server_id: russh::SshId::Standard(format!("SSH-2.0-{version}").into()),
            keys: vec![key],
            auth_rejection_time: rejection,
            auth_rejection_time_initial: Some(std::time::Duration::ZERO),
            inactivity_timeout: None,
            ..server::Config::default()
        })
    }

    /// Takes connections until the listener is gone.
    pub(super) async fn run(self: Arc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((socket, _)) if self.machine.faults.refuses() => drop(socket),
                Ok((socket, _)) => drop(tokio::spawn(Arc::clone(&self).serve(socket))),
                // Out of descriptors or the like: it may pass.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
    }

    async fn serve(self: Arc<Self>, socket: TcpStream) {
        tokio::time::sleep(self.machine.latency).await;
        let _ = socket.set_nodelay(true);
        let Ok((socket, twin)) = twin(socket) else { return };
        let all = self.connections.lock().unwrap_or_else(PoisonError::into_inner).child_token();
        let session = Arc::new(Session::new(all));
        let exchanged = Exchanged::default();
        let socket = Tap::new(socket, exchanged.clone());
        let visitor = Visitor {
            exchanged,
            server: Arc::clone(&self),
            session: Arc::clone(&session),
            user: String::new(),
            channels: HashMap::new(),
            commands: HashMap::new(),
        };
        let conversation = async {
            if let Ok(running) = server::run_stream(Arc::clone(&self.config), socket, visitor).await {
                let _ = running.await;
            }
        };
        tokio::select! {
            () = conversation => {}
            () = session.hangup.cancelled() => {}
        }
        // Without a word, as when a cable is pulled; also ends what the session still runs.
        let _ = twin.shutdown(std::net::Shutdown::Both);
        session.hangup.cancel();
    }
}

/// The socket, and another handle on it that can close it under the session.
fn twin(socket: TcpStream) -> io::Result<(TcpStream, std::net::TcpStream)> {
    let socket = socket.into_std()?;
    let other = socket.try_clone()?;
    Ok((TcpStream::from_std(socket)?, other))
}

struct Visitor {
    server: Arc<Server>,
    session: Arc<Session>,
    exchanged: Exchanged,
    user: String,
    channels: HashMap<ChannelId, Channel<Msg>>,
    commands: HashMap<ChannelId, CancellationToken>,
}

impl Visitor {
    fn is_authorized(&self, key: &PublicKey) -> bool {
        let fits = |known: &PublicKey| known.key_data() == key.key_data();
        self.server.authorized.as_ref().is_none_or(|keys| keys.iter().any(fits))
    }

    fn judge(&mut self, user: &str, key: &PublicKey) -> Auth {
        if !self.is_authorized(key) {
            return Auth::reject();
        }
        user.clone_into(&mut self.user);
        Auth::Accept
    }

    fn admit(&mut self, user: &str, key: &PublicKey, method: &str) {
        user.clone_into(&mut self.user);
        let fingerprint = key.fingerprint(HashAlg::Sha256);
        self.server.machine.note_log_in(&format!("{method} for {user} {fingerprint}"));
    }

    /// A step of a host-bound log-in: without an answer it begins, with an unsigned one the key is judged, with a signed
    /// one the signature.
    fn judge_bound(&mut self, user: &str, answer: Option<Bytes>) -> Auth {
        let more = Auth::Partial {
            name: "".into(),
            instructions: "".into(),
            prompts: vec![(METHOD.into(), false)].into(),
        };
        let Some(answer) = answer else { return more };
        let Some((session, request, signature)) = Request::read(&answer) else { return Auth::reject() };
        let Some(key) = request.public_key() else { return Auth::reject() };
        let is_for_here = request.user == user && request.host_key == self.server.host_blob;
        if !is_for_here
            || !self.is_authorized(&key)
            || !self.exchanged.is_of(&session, &self.server.host_blob)
        {
            return Auth::reject();
        }
        match signature {
            None => more,
            Some(signature) if request.is_signed(&session, &signature) => {
                self.admit(user, &key, METHOD);
                Auth::Accept
            }
            Some(_) => Auth::reject(),
        }
    }

    fn start(
        &mut self,
        channel: ChannelId,
        command: String,
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        let Some(opened) = self.channels.remove(&channel) else { return session.channel_failure(channel) };
        session.channel_success(channel)?;
        let shell = Shell::login(Arc::clone(&self.server.machine), Arc::clone(&self.session), &self.user);
        let gone = self.session.hangup.child_token();
        self.commands.insert(channel, gone.clone());
        tokio::spawn(serve_command(shell, opened, command, gone));
        Ok(())
    }
}

impl server::Handler for Visitor {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.judge(user, offer.public_key))
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        let judged = self.judge(user, key.public_key);
        if judged == Auth::Accept {
            self.admit(user, key.public_key, "publickey");
        }
        Ok(judged)
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        submethods: &str,
        response: Option<server::Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        if submethods != METHOD {
            return Ok(Auth::reject());
        }
        let answer = response.map(|mut answers| answers.next().unwrap_or_default());
        Ok(self.judge_bound(user, answer))
    }

    async fn agent_request(
        &mut self,
        _channel: ChannelId,
        session: &mut server::Session,
    ) -> Result<bool, russh::Error> {
        if self.server.machine.forwards_agents {
            self.session.forward_agent(session.handle());
        }
        Ok(self.server.machine.forwards_agents)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        self.start(channel, String::from_utf8_lossy(command).into_owned(), session)
    }

    /// A login shell without a terminal: it runs the script that comes on standard input.
    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        self.start(channel, "bash".to_owned(), session)
    }

    async fn signal(
        &mut self,
        channel: ChannelId,
        _signal: russh::Sig,
        _session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        if let Some(command) = self.commands.get(&channel) {
            command.cancel();
        }
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        if let Some(command) = self.commands.remove(&channel) {
            command.cancel();
        }
        self.channels.remove(&channel);
        Ok(())
    }
}

enum Said {
    Out(Bytes),
    Err(Bytes),
}

/// Runs one command on a thread of its own and carries its streams.
async fn serve_command(mut shell: Shell, channel: Channel<Msg>, command: String, gone: CancellationToken) {
    let (read, write) = channel.split();
    let (input, stdin) = mpsc::channel(WAITING);
    let (out, said) = mpsc::channel(WAITING);
    let (ended, status) = tokio::sync::oneshot::channel();
    let latency = shell.machine.latency;
    let cut = gone.clone();
    let thread = std::thread::Builder::new().name("sim-command".to_owned()).spawn(move || {
        std::thread::sleep(latency);
        let stdout = Telling { to: out.clone(), what: Said::Out, gone: cut.clone() };
        let stderr = Telling { to: out, what: Said::Err, gone: cut };
        let io = Io::new(Hearing { from: stdin, rest: Bytes::new() }, stdout, stderr);
        let process = shell.machine.new_process();
        let _ = ended.send(process.run(|| shell.run_text(&command, &io)));
    });
    if thread.is_err() {
        return;
    }
    let feeding = tokio::spawn(feed(read, input, gone.clone()));
    let whole = tell(&write, said, &gone).await;
    let status = status.await;
    if gone.is_cancelled() {
        // A cable that is pulled brings no last words, however the command took it.
        return feeding.abort();
    }
    if let (true, Ok(status)) = (whole, status) {
        let _ = write.eof().await;
        let _ = write.exit_status(u32::try_from(status & 0xff).unwrap_or(1)).await;
    }
    let _ = write.close().await;
    feeding.abort();
}

/// What the client sends becomes the command's standard input, up to its end or the connection's.
async fn feed(mut read: ChannelReadHalf, input: mpsc::Sender<Bytes>, gone: CancellationToken) {
    let mut input = Some(input);
    loop {
        match read.wait().await {
            Some(ChannelMsg::Data { data }) => {
                // A command that reads no more takes nothing; the client may go on sending.
                let sent = match &input {
                    Some(input) => input.send(data).await.is_ok(),
                    None => true,
                };
                if !sent {
                    input = None;
                }
            }
            Some(ChannelMsg::Eof) => input = None,
            Some(ChannelMsg::Close) | None => return gone.cancel(),
            Some(_) => {}
        }
    }
}

/// What the command says goes to the client. True if all of it went.
async fn tell(
    write: &ChannelWriteHalf<Msg>,
    mut said: mpsc::Receiver<Said>,
    gone: &CancellationToken,
) -> bool {
    loop {
        let sending = async {
            match said.recv().await {
                None => None,
                Some(Said::Out(bytes)) => Some(write.data_bytes(bytes).await.is_ok()),
                Some(Said::Err(bytes)) => Some(write.extended_data_bytes(1, bytes).await.is_ok()),
            }
        };
        tokio::select! {
            biased;
            sent = sending => match sent {
                None => return true,
                Some(true) => {}
                Some(false) => return false,
            },
            () = gone.cancelled() => return false,
        }
    }
}

struct Hearing {
    from: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Read for Hearing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            match self.from.blocking_recv() {
                Some(bytes) => self.rest = bytes,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.rest.len());
        self.rest.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

struct Telling {
    to: mpsc::Sender<Said>,
    what: fn(Bytes) -> Said,
    /// Nothing that is said after this reaches anybody.
    gone: CancellationToken,
}

impl Write for Telling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gone.is_cancelled() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let said = (self.what)(Bytes::copy_from_slice(bytes));
        self.to.blocking_send(said).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
