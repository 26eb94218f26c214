//! The hosts of the lab and how a case runs commands on them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};

/// Names the file that lists the running hosts; `tests/run` and `tests/lab/lab test` set it.
const HOSTS_VARIABLE: &str = "ZERFAUX_LAB_HOSTS";

/// One running host of the lab.
#[derive(Debug)]
pub struct LabHost {
    /// One letter: `a`, `b`, ...
    pub name: String,
    /// Where this machine reaches it; together with `port`.
    pub address: String,
    pub port: u16,
    /// Where the other hosts reach it, on port 22.
    pub lab_address: String,
    /// Private key that opens `zfsadmin` (sudo without password) and `root`.
    pub key: PathBuf,
    /// Holds this host's key, for `[address]:port` and for the lab address.
    pub known_hosts: PathBuf,
}

/// What a command on a host gave.
#[derive(Debug)]
pub struct Answer {
    /// Exit status; 255 is also what `ssh` itself gives when the connection fails.
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// The hosts `a` and `b`. Fails the test when the lab is not there: a case never passes by being left out.
pub fn hosts() -> (&'static LabHost, &'static LabHost) {
    static HOSTS: OnceLock<Vec<LabHost>> = OnceLock::new();
    let hosts = HOSTS.get_or_init(|| {
        let file = std::env::var(HOSTS_VARIABLE).unwrap_or_else(|_| {
            panic!("{HOSTS_VARIABLE} is not set: lab cases run by `tests/run` or `tests/lab/lab test`")
        });
        read_hosts(Path::new(&file))
    });
    let named = |name: &str| {
        hosts
            .iter()
            .find(|host| host.name == name)
            .unwrap_or_else(|| panic!("the lab has no running host {name}"))
    };
    (named("a"), named("b"))
}

/// The shared connections that were opened.
static KEPT: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);

/// A host that was started since. Connections to an earlier one of that name are gone.
pub(super) fn started(name: &str) -> LabHost {
    let file = std::env::var(HOSTS_VARIABLE).expect("the lab is there");
    let host = read_hosts(Path::new(&file)).into_iter().find(|host| host.name == name);
    let host = host.expect("it was started");
    let of_it = host.control_path("");
    let of_it = of_it.to_string_lossy();
    let mut kept = KEPT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    kept.get_or_insert_default().retain(|path| !path.to_string_lossy().starts_with(&*of_it));
    host
}

fn read_hosts(file: &Path) -> Vec<LabHost> {
    let text =
        std::fs::read_to_string(file).unwrap_or_else(|e| panic!("cannot read {}: {e}", file.display()));
    text.lines()
        .map(|line| read_host(line).unwrap_or_else(|| panic!("no host in this line: {line}")))
        .collect()
}

fn read_host(line: &str) -> Option<LabHost> {
    let field = |wanted: &str| {
        line.split(' ')
            .filter_map(|word| word.split_once('='))
            .find(|(name, _)| *name == wanted)
            .map(|(_, v)| v)
    };
    Some(LabHost {
        name: field("name")?.into(),
        address: field("address")?.into(),
        port: field("port")?.parse().ok()?,
        lab_address: field("lab_address")?.into(),
        key: field("key")?.into(),
        known_hosts: field("known_hosts")?.into(),
    })
}

impl LabHost {
    /// Runs a shell script as root and gives its standard output. Panics with all it said when it fails.
    pub fn root(&self, script: &str) -> String {
        let answer = self.try_as("root", script);
        assert!(
            answer.status == 0,
            "on host {}: status {}\n{}\nfrom:\n{script}",
            self.name,
            answer.status,
            answer.stderr
        );
        String::from_utf8(answer.stdout).expect("the output is UTF-8")
    }

    /// Runs a shell script as `user`, whatever comes of it.
    pub fn try_as(&self, user: &str, script: &str) -> Answer {
        self.keep_connection(user);
        let output = self.ssh(user).arg(format!("set -eu\n{script}")).output().expect("ssh runs");
        Answer {
            status: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// A prepared `ssh` over the kept connection (or a new one if there is none); the caller adds the command.
    pub fn ssh(&self, user: &str) -> Command {
        let mut ssh = self.ssh_options(user);
        ssh.arg("-o").arg(format!("ControlPath={}", self.control_path(user).display()));
        ssh.arg("-p").arg(self.port.to_string()).arg(format!("{user}@{}", self.address));
        ssh.stdin(Stdio::null());
        ssh
    }

    /// A prepared `ssh` that always opens its own connection, as a stream should.
    pub fn ssh_alone(&self, user: &str) -> Command {
        let mut ssh = self.ssh_options(user);
        ssh.args(["-o", "ControlPath=none", "-p", &self.port.to_string()]);
        ssh.arg(format!("{user}@{}", self.address)).stdin(Stdio::null());
        ssh
    }

    fn ssh_options(&self, user: &str) -> Command {
        assert!(user.bytes().all(|b| b.is_ascii_alphanumeric()), "a plain user name, not {user:?}");
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes"]);
        ssh.args(["-o", "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=/dev/null"]);
        // OpenSSH's default key exchange takes a second of emulated processor.
        ssh.args(["-o", "KexAlgorithms=curve25519-sha256", "-o", "Ciphers=aes128-gcm@openssh.com"]);
        // A host that stopped (QEMU pauses it when this machine's disk is full) is a failure, not a wait without end.
        ssh.args(["-o", "ConnectTimeout=120", "-o", "ServerAliveInterval=20", "-o", "ServerAliveCountMax=9"]);
        ssh.arg("-i").arg(&self.key);
        ssh.arg("-o").arg(format!("UserKnownHostsFile={}", self.known_hosts.display()));
        ssh
    }

    /// In the temporary directory, because a socket's path may have only about 90 characters.
    fn control_path(&self, user: &str) -> PathBuf {
        std::env::temp_dir().join(format!("zlab-{}-{}-{user}", std::process::id(), self.name))
    }

    /// Opens the shared connection once per process, host and user: a new one costs 0.6 s, a command over it 0.3 s.
    ///
    /// Started by itself and in the background: a connection that stayed behind an ordinary command would keep that
    /// command's output open, and reading it would never end.
    fn keep_connection(&self, user: &str) {
        let path = self.control_path(user);
        let mut kept = KEPT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let kept = kept.get_or_insert_default();
        // It ends when nothing used it for a while.
        if kept.contains(&path) && path.exists() {
            return;
        }
        let mut ssh = self.ssh_options(user);
        ssh.args(["-f", "-N", "-M", "-o", "ControlPersist=120"]);
        ssh.arg("-o").arg(format!("ControlPath={}", path.display()));
        ssh.arg("-p").arg(self.port.to_string()).arg(format!("{user}@{}", self.address));
        ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = ssh.status().expect("ssh runs");
        assert!(
            status.success(),
            "host {} does not answer {user} at {}:{}",
            self.name,
            self.address,
            self.port
        );
        kept.insert(path);
    }
}
