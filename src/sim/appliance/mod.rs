//! A simulated storage appliance: an SSH server that understands what administrators and Zerfaux tell a host with
//! OpenZFS, over pools in memory whose streams carry real bytes.
//!
//! In: a small POSIX shell, `zfs` and `zpool` in the words of OpenZFS 2.3, the programs around them, faults on
//! order. Out: anything that lasts; when it ends, everything is gone. Its send streams are its own form: they go
//! between simulated appliances only.

mod exports;
mod fault;
mod hostbound;
mod machine;
mod machines;
mod model;
mod server;
mod session;
mod shell;
mod stream;
mod token;
mod tools;
mod zfs;
mod zpool;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey};
use tokio_util::sync::CancellationToken;

pub use exports::SiteExports;
pub use fault::FaultRule;
use machine::Machine;
pub use machines::ApplianceMachines;
use model::Target;
use model::disk::Content;
use server::Server;

/// How large a pool is where nothing else is said: 16 GiB.
pub const POOL_SIZE: u64 = 16 << 30;

/// What an appliance is like.
#[derive(Debug, Clone)]
pub struct ApplianceOptions {
    /// Where it listens; port 0: any free one.
    pub listen: SocketAddr,
    /// Its host name.
    pub hostname: String,
    /// Its pools: name and size in bytes.
    pub pools: Vec<(String, u64)>,
    /// Public keys (lines of `authorized_keys`) that may log in; none: every key may.
    pub authorized_keys: Option<String>,
    /// How long a connection and each command take to come through.
    pub latency: Duration,
    /// Whether users other than root may use sudo.
    pub sudo: bool,
    /// Blank disks beside those of its pools: serial number and size in bytes.
    pub disks: Vec<(String, u64)>,
    /// Programs that are not installed on it, such as `pv`.
    pub missing: Vec<String>,
    /// What its OpenSSH says it is: `OpenSSH_9.2p1 …`.
    pub openssh: String,
    /// Whether its SSH server forwards agents (`AllowAgentForwarding`).
    pub forwards_agents: bool,
    /// Faults from the first moment on.
    pub faults: Vec<FaultRule>,
}

impl Default for ApplianceOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            hostname: "appliance".to_owned(),
            pools: vec![("tank".to_owned(), POOL_SIZE)],
            authorized_keys: None,
            latency: Duration::ZERO,
            sudo: true,
            disks: Vec::new(),
            missing: Vec::new(),
            openssh: "OpenSSH_9.2p1 Debian-2+deb12u6 zerfaux-sim".to_owned(),
            forwards_agents: true,
            faults: Vec::new(),
        }
    }
}

/// Why there is no appliance.
#[derive(Debug, thiserror::Error)]
pub enum ApplianceError {
    /// It cannot listen.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A key cannot be read.
    #[error("no public key in this line: {line}")]
    Key {
        /// The line.
        line: String,
    },
    /// The system gave no threads, or no randomness.
    #[error("cannot start")]
    Start(#[source] io::Error),
}

impl ApplianceError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "Choose another address, or port 0 for any free one.",
            Self::Key { .. } => "Give a file with lines as in ~/.ssh/authorized_keys.",
            Self::Start(_) => "Look at this host's limits for processes and memory.",
        }
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit status.
    pub status: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: String,
}

/// A running appliance. Dropped, it is gone with everything on it.
pub struct Appliance {
    machine: Arc<Machine>,
    server: Arc<Server>,
    address: SocketAddr,
    host_key: PublicKey,
    runtime: Option<tokio::runtime::Runtime>,
}

impl std::fmt::Debug for Appliance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Appliance").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Appliance {
    /// Starts one, on threads of its own.
    ///
    /// # Errors
    /// If it cannot listen there, or a key cannot be read.
    pub fn start(options: ApplianceOptions) -> Result<Self, ApplianceError> {
        let authorized = options.authorized_keys.as_deref().map(read_keys).transpose()?;
        let machine = Arc::new(Machine::new(&options));
        for (name, size) in &options.pools {
            machine.state().add_pool_with_disk(name, *size);
        }
        for (serial, size) in &options.disks {
            machine.state().add_disk(serial, *size, Content::Blank);
        }
        options.faults.into_iter().for_each(|rule| machine.faults.add(rule));
        let key = new_key()?;
        let host_key = key.public_key().clone();
        let listen = |source| ApplianceError::Listen { address: options.listen, source };
        let listener = std::net::TcpListener::bind(options.listen).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        // Only now: one that is let go of where waiting is not allowed panics, and the port may be taken.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("sim-appliance")
            .enable_all()
            .build()
            .map_err(ApplianceError::Start)?;
        let server = Arc::new(Server {
            machine: Arc::clone(&machine),
            authorized,
            config: Server::config(key, &options.openssh),
            host_blob: host_key.to_bytes().unwrap_or_default(),
            connections: Mutex::default(),
        });
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(listen)?
        };
        runtime.spawn(Arc::clone(&server).run(listener));
        Ok(Self { machine, server, address, host_key, runtime: Some(runtime) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The fingerprint of its host key: `SHA256:…`.
    pub fn host_key_fingerprint(&self) -> String {
        self.host_key.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Its line for a `known_hosts` file.
    pub fn known_hosts_line(&self) -> String {
        let key = self.host_key.to_openssh().unwrap_or_default();
        format!("[{}]:{} {key}", self.address.ip(), self.address.port())
    }

    /// Runs a shell script on it as root, without SSH.
    pub fn run(&self, script: &str) -> Ran {
        self.run_as("root", script, b"")
    }

    /// Runs a shell script as `user` with this standard input, without SSH.
    pub fn run_as(&self, user: &str, script: &str, input: &[u8]) -> Ran {
        let (out, err) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let mut shell = shell::Shell::login(Arc::clone(&self.machine), Arc::default(), user);
        let stdin = io::Cursor::new(input.to_vec());
        let status = shell.run_text(
            script,
            &shell::Io::new(stdin, shell::Collector(Arc::clone(&out)), shell::Collector(Arc::clone(&err))),
        );
        let taken =
            |kept: &Mutex<Vec<u8>>| std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
        let stderr = String::from_utf8_lossy(&taken(&err)).into_owned();
        Ran { status, stdout: taken(&out), stderr }
    }

    /// Writes a file into a file system, mounted or not, or the beginning of a volume (at the path ``).
    ///
    /// # Errors
    /// If there is no such dataset, it is read-only, or there is no room.
    pub fn write(&self, dataset: &str, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.machine.state();
        let volume = state.datasets.get(dataset).is_some_and(model::Dataset::is_volume);
        let offset = if volume { Some(0) } else { None };
        state.write_in(dataset, path, offset, bytes).map_err(io::Error::other)
    }

    /// Plugs in a blank disk while it runs, and gives the name under which the kernel sees it, such as `sdc`. A serial
    /// number of 32 hexadecimal digits is also its world-wide name, as with VMware's `disk.EnableUUID`. `size` in bytes.
    pub fn add_disk(&self, serial: &str, size: u64) -> String {
        self.machine.state().add_disk(serial, size, Content::Blank)
    }

    /// Plugs in a disk on which something is already: a file system of this type (`ext4`, `zfs_member`, …) and label.
    pub fn add_used_disk(&self, serial: &str, size: u64, fstype: &str, label: &str) -> String {
        let content = Content::Other { fstype: fstype.to_owned(), label: label.to_owned() };
        self.machine.state().add_disk(serial, size, content)
    }

    /// Makes a disk larger, as when its virtual disk was grown. False if there is none of that serial number, or it
    /// would become smaller.
    pub fn grow_disk(&self, serial: &str, size: u64) -> bool {
        self.machine.state().grow_disk(serial, size)
    }

    /// Lets it reach another machine under a name, or `name:port`, as /etc/hosts would. Beside those it dials loopback
    /// addresses only.
    pub fn add_host(&self, name: &str, address: SocketAddr) {
        self.machine.add_host(name, address);
    }

    /// Puts its clock so many seconds ahead of this machine's, or behind.
    pub fn set_clock_skew(&self, seconds: i64) {
        self.machine.set_skew(seconds);
    }

    /// The log-ins that its SSH server accepted, oldest first: method, user, fingerprint of the key.
    pub fn log_ins(&self) -> Vec<String> {
        self.machine.log_ins()
    }

    /// Every file in a dataset or snapshot, by path: directories have no content. A volume has one file, ``. Of a file
    /// that is larger than 64 MiB only the beginning is given.
    pub fn files(&self, name: &str) -> std::collections::BTreeMap<String, Option<Vec<u8>>> {
        let state = self.machine.state();
        let target = Target::parse(name);
        let Some(dataset) = state.datasets.get(target.dataset()) else { return Default::default() };
        let tree = match target {
            Target::Snapshot(_, tag) => match dataset.snapshot(tag) {
                Some(snapshot) => &snapshot.tree,
                None => return Default::default(),
            },
            _ => &dataset.head,
        };
        let content = |path: &String| {
            let is_file = tree.object(path).is_some_and(|object| object.is_file());
            tree.read_at(path, 0, 64 << 20, dataset.key()).filter(|_| is_file)
        };
        tree.names.keys().map(|path| (path.clone(), content(path))).collect()
    }

    /// Adds a fault. Rules are tried in the order in which they came.
    pub fn add_fault(&self, rule: FaultRule) {
        self.machine.faults.add(rule);
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.machine.faults.clear();
    }

    /// How often faults have struck since they were last cleared.
    pub fn faults_struck(&self) -> u32 {
        self.machine.faults.struck()
    }

    /// The commands that were run, oldest first: those behind `env` and `sudo`.
    pub fn commands(&self) -> Vec<String> {
        self.machine.log()
    }

    /// Breaks every connection there is, as when a cable is pulled.
    pub fn break_connections(&self) {
        let mut connections = self.server.connections.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *connections, CancellationToken::new()).cancel();
    }

    /// Makes a pool `ONLINE`, `DEGRADED` or `SUSPENDED`. Of a suspended one nothing can be read until it is cleared.
    pub fn set_pool_health(&self, pool: &str, health: PoolHealth) {
        if let Some(pool) = self.machine.state().pools.get_mut(pool) {
            pool.health = health.word();
        }
    }
}

/// Reads `SERIAL:SIZE`, such as `6000c29…:500G`: a blank disk for [`ApplianceOptions::disks`].
///
/// # Errors
/// A sentence, if it is none.
pub fn read_disk(text: &str) -> Result<(String, u64), String> {
    let (serial, size) = text.rsplit_once(':').ok_or("it has to be SERIAL:SIZE, such as DISK1:500G")?;
    let sound = !serial.is_empty()
        && serial.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !sound {
        return Err("a serial number has letters, digits, - and _ only".to_owned());
    }
    let size = model::properties::bytes(size).filter(|size| *size >= 64 << 20);
    Ok((serial.to_owned(), size.ok_or("the size has to be 64M or more, such as 500G")?))
}

/// How a pool of an appliance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolHealth {
    /// Every device works.
    Online,
    /// A device does not work.
    Degraded,
    /// It has stopped.
    Suspended,
}

impl PoolHealth {
    fn word(self) -> &'static str {
        match self {
            Self::Online => "ONLINE",
            Self::Degraded => "DEGRADED",
            Self::Suspended => "SUSPENDED",
        }
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        self.break_connections();
        // Nobody mounts from it any more, whoever still holds on to it.
        self.machine.services().clear();
        if let Some(runtime) = self.runtime.take() {
            // Also from within another runtime, where waiting is not allowed.
            runtime.shutdown_background();
        }
    }
}

/// A new key to log in with: the private key in OpenSSH form, and its line for `authorized_keys`.
///
/// # Errors
/// If the system gives no random numbers.
pub fn login_key() -> Result<(String, String), ApplianceError> {
    let key = new_key()?;
    let unwritten = |error| ApplianceError::Start(io::Error::other(error));
    let private = key.to_openssh(russh::keys::ssh_key::LineEnding::LF).map_err(unwritten)?;
    Ok((private.to_string(), key.public_key().to_openssh().map_err(unwritten)?))
}

fn new_key() -> Result<PrivateKey, ApplianceError> {
    PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519)
        .map_err(|error| ApplianceError::Start(io::Error::other(error)))
}

fn read_keys(text: &str) -> Result<Vec<PublicKey>, ApplianceError> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let key =
        |line: &str| PublicKey::from_openssh(line).map_err(|_| ApplianceError::Key { line: line.to_owned() });
    lines.map(key).collect()
}
