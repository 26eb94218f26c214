//! The connection: dialled, checked, logged in; then the command's streams until its end.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use russh::client::{self, Handle};
use russh::keys::PublicKeyOrCertificate;
use russh::{ChannelMsg, ChannelWriteHalf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::known::Known;
use super::options::Options;
use super::{Io, Said, Shell, Speaker};
use crate::sim::appliance::shell::process::Process;

/// Judges the server's key.
pub(super) struct Visitor {
    known: Known,
    said: Arc<Mutex<Option<Said>>>,
}

impl client::Handler for Visitor {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else { return Ok(false) };
        match self.known.judge(key) {
            Ok(()) => Ok(true),
            Err(said) => {
                *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
                Ok(false)
            }
        }
    }
}

/// Connects and runs the command; its exit status, or what is said of why there is none.
pub(super) async fn run(
    shell: &Shell,
    options: &Options,
    known: Known,
    (io, speaker): (&Io, &Speaker),
    own: &Arc<Process>,
) -> Result<i32, Said> {
    let talk = async {
        let mut handle = open(shell, options, known, speaker).await?;
        super::log_in::log_in(&mut handle, shell, options, speaker).await?;
        if options.debugs() {
            let (host, port) = (&options.host, options.port);
            speaker.err(format!("Authenticated to {host} ([{host}]:{port}) using \"publickey\".\r\n")).await;
        }
        carry(shell, options, (io, speaker), &handle).await
    };
    tokio::select! {
        ended = talk => ended,
        () = own.killed.cancelled() => {
            let told = if options.informs() { "Killed by signal 15.\r\n" } else { "" };
            Err(told.to_owned())
        }
        () = shell.session.hangup.cancelled() => Err(String::new()),
    }
}

async fn open(
    shell: &Shell,
    options: &Options,
    known: Known,
    speaker: &Speaker,
) -> Result<Handle<Visitor>, Said> {
    let (host, port) = (&options.host, options.port);
    let debug = async |text: String| {
        if options.debugs() {
            speaker.err(format!("debug1: {text}\r\n")).await;
        }
    };
    let Some(address) = shell.machine.resolve(host, port) else {
        let is_address = host.parse::<std::net::IpAddr>().is_ok();
        return Err(if is_address {
            format!("ssh: connect to host {host} port {port}: Network is unreachable\r\n")
        } else {
            format!("ssh: Could not resolve hostname {host}: Name or service not known\r\n")
        });
    };
    debug(format!("Connecting to {host} [{host}] port {port}.")).await;
    let fails = |why: &str| format!("ssh: connect to host {host} port {port}: {why}\r\n");
    let limit = options.seconds("ConnectTimeout").unwrap_or(Duration::from_secs(120));
    let socket = match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {
            return Err(fails("Connection refused"));
        }
        Ok(Err(_)) => return Err(fails("No route to host")),
        Err(_) => return Err(fails("Connection timed out")),
    };
    let _ = socket.set_nodelay(true);
    debug("Connection established.".to_owned()).await;
    if options.debugs()
        && let Some(version) = timeout(limit, version_of(&socket)).await.ok().flatten()
    {
        debug(format!("Remote protocol version 2.0, remote software version {version}")).await;
    }
    let config = client::Config {
        client_id: russh::SshId::Standard(format!("SSH-2.0-{}", shell.machine.openssh).into()),
        keepalive_interval: options.seconds("ServerAliveInterval"),
        keepalive_max: options.number("ServerAliveCountMax", 3),
        ..client::Config::default()
    };
    let said = Arc::default();
    let visitor = Visitor { known, said: Arc::clone(&said) };
    match timeout(limit, client::connect_stream(Arc::new(config), socket, visitor)).await {
        Ok(Ok(handle)) => Ok(handle),
        Ok(Err(_)) => {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner).take();
            Err(said.unwrap_or_else(|| {
                format!("kex_exchange_identification: Connection closed by remote host\r\nConnection closed by {host} port {port}\r\n")
            }))
        }
        Err(_) => Err(format!(
            "Connection timed out during banner exchange\r\nConnection to {host} port {port} timed out\r\n"
        )),
    }
}

/// What the server says it is, without taking it out of the stream.
async fn version_of(socket: &TcpStream) -> Option<String> {
    let mut buffer = [0; 256];
    loop {
        let count = socket.peek(&mut buffer).await.ok().filter(|count| *count > 0)?;
        let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
        if let Some((line, _)) = text.split_once('\n') {
            return Some(line.trim().trim_start_matches("SSH-2.0-").to_owned());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Runs the command there and carries its streams.
async fn carry(
    shell: &Shell,
    options: &Options,
    (io, speaker): (&Io, &Speaker),
    handle: &Handle<Visitor>,
) -> Result<i32, Said> {
    let lost = || {
        format!(
            "Connection to {0} closed by remote host.\r\nclient_loop: send disconnect: Broken pipe\r\n",
            options.host
        )
    };
    let channel = handle.channel_open_session().await.map_err(|_| lost())?;
    let command = options.command.as_str();
    let asked = if command.is_empty() {
        channel.request_shell(true).await
    } else {
        channel.exec(true, command).await
    };
    asked.map_err(|_| lost())?;
    let (mut read, write) = channel.split();
    let (reader, feeding) = feed(shell, options, io, write);
    let mut status = None;
    while let Some(message) = read.wait().await {
        let goes_on = match message {
            ChannelMsg::Data { data } => speaker.out(data).await,
            ChannelMsg::ExtendedData { data, .. } => speaker.err(data).await,
            ChannelMsg::ExitStatus { exit_status } => {
                status = Some(i32::try_from(exit_status).unwrap_or(255));
                true
            }
            ChannelMsg::Failure => {
                speaker.err("exec request failed on channel 0\r\n").await;
                false
            }
            ChannelMsg::Close => false,
            _ => true,
        };
        if !goes_on {
            break;
        }
    }
    reader.kill(15);
    feeding.abort();
    let _ = handle.disconnect(russh::Disconnect::ByApplication, "disconnected by user", "en").await;
    status.ok_or_else(lost)
}

/// Sends standard input on. The thread that reads it is a process, so that it can be ended while it waits.
fn feed(
    shell: &Shell,
    options: &Options,
    io: &Io,
    write: ChannelWriteHalf<client::Msg>,
) -> (Arc<Process>, tokio::task::JoinHandle<()>) {
    let (sender, mut receiver) = mpsc::channel::<Bytes>(8);
    let reader = shell.machine.new_process();
    if !options.no_input {
        let (stdin, own) = (Arc::clone(&io.stdin), Arc::clone(&reader));
        let work = move || {
            own.run(|| {
                let mut buffer = vec![0; 32 << 10];
                loop {
                    let read = stdin.lock().unwrap_or_else(PoisonError::into_inner).read(&mut buffer);
                    match read {
                        Ok(count @ 1..)
                            if sender.blocking_send(Bytes::copy_from_slice(&buffer[..count])).is_ok() => {}
                        _ => return 0,
                    }
                }
            });
        };
        // Without a thread nothing is sent, as with -n.
        let _ = std::thread::Builder::new().name("sim-ssh-stdin".to_owned()).spawn(work);
    }
    let feeding = tokio::spawn(async move {
        while let Some(bytes) = receiver.recv().await {
            if write.data_bytes(bytes).await.is_err() {
                return;
            }
        }
        let _ = write.eof().await;
    });
    (reader, feeding)
}
