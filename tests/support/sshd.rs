//! A real OpenSSH server for one test: own port, own host keys, own list of authorised keys.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use zerfaux::domain::endpoint::Endpoint;
use zerfaux::ssh::{ConnectOptions, HostKey, Identity, KeyPair, Link, PinnedFingerprint};

/// A running `sshd` on loopback; it ends with this value.
pub struct Sshd {
    daemon: Child,
    dir: tempfile::TempDir,
    port: u16,
    /// The key that may log in.
    pub client_key: KeyPair,
}

impl Sshd {
    /// Starts one with an Ed25519 host key, or says loudly that it cannot. With `ZERFAUX_NEED_SSHD` set, not
    /// being able is a failure.
    pub fn start() -> Option<Self> {
        Self::start_with(&[], &["ed25519"])
    }

    /// The same with more lines of configuration and these types of host keys.
    pub fn start_with(config: &[&str], host_keys: &[&str]) -> Option<Self> {
        let Some(program) = program() else {
            assert!(
                std::env::var_os("ZERFAUX_NEED_SSHD").is_none(),
                "sshd is not installed, but was asked for"
            );
            eprintln!("SKIPPED: this test needs sshd (Debian package openssh-server)");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let client_key = KeyPair::generate().unwrap();
        fs::write(dir.path().join("authorized_keys"), client_key.public_key()).unwrap();
        for kind in host_keys {
            generate_key(kind, &dir.path().join(format!("host_{kind}")), "");
        }
        // Root's sshd wants its directory for privilege separation.
        let _ = fs::create_dir_all("/run/sshd");
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut daemon = launch(&program, dir.path(), port, config, host_keys);
            if answers(port, &mut daemon) {
                return Some(Self { daemon, dir, port, client_key });
            }
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        panic!("sshd does not start: {}", fs::read_to_string(dir.path().join("log")).unwrap_or_default());
    }

    /// Where it listens, for the user who runs the tests.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::new(&user(), "127.0.0.1", self.port).unwrap()
    }

    /// Its host key of this type.
    pub fn host_key(&self, kind: &str) -> HostKey {
        let line = fs::read_to_string(self.dir.path().join(format!("host_{kind}.pub"))).unwrap();
        HostKey::from_openssh(&line).unwrap()
    }

    /// Options that log in with the right key and pin the right host key.
    pub fn options(&self) -> ConnectOptions {
        let pinned = PinnedFingerprint::of(&self.host_key("ed25519"));
        ConnectOptions::new(vec![Identity::Key(self.client_key.clone())], Arc::new(pinned))
    }

    /// A link with these options.
    pub fn link(&self) -> Link {
        Link::new(self.endpoint(), self.options())
    }

    /// Lets another public key log in too.
    pub fn authorise(&self, public_key: &str) {
        let path = self.dir.path().join("authorized_keys");
        let before = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{before}\n{public_key}\n")).unwrap();
    }

    /// What the server wrote to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Sends a signal to the processes that serve its connections, not to the listening one, nor to the commands.
    pub fn signal_sessions(&self, signal: Signal) -> usize {
        let sessions = sessions_below(self.daemon.id());
        for pid in &sessions {
            let _ = kill_process(Pid::from_raw(*pid as i32).unwrap(), signal);
        }
        sessions.len()
    }

    /// A directory of the test's own.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.signal_sessions(Signal::CONT);
        self.signal_sessions(Signal::KILL);
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// The account that runs the tests.
pub fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Writes a new key pair with `ssh-keygen`.
pub fn generate_key(kind: &str, path: &Path, passphrase: &str) {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", passphrase, "-C", "test", "-f"])
        .arg(path)
        .status()
        .unwrap();
    assert!(status.success());
}

fn program() -> Option<PathBuf> {
    ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
}

fn launch(program: &Path, dir: &Path, port: u16, config: &[&str], host_keys: &[&str]) -> Child {
    let keys = dir.join("authorized_keys");
    let mut lines = vec![
        format!("Port {port}"),
        "ListenAddress 127.0.0.1".to_owned(),
        format!("AuthorizedKeysFile {}", keys.display()),
        "PidFile none".to_owned(),
        "UsePAM no".to_owned(),
        "StrictModes no".to_owned(),
        "PermitRootLogin prohibit-password".to_owned(),
        "PasswordAuthentication no".to_owned(),
        "KbdInteractiveAuthentication no".to_owned(),
        "MaxStartups 100".to_owned(),
        "LogLevel DEBUG1".to_owned(),
    ];
    lines.extend(
        host_keys.iter().map(|kind| format!("HostKey {}", dir.join(format!("host_{kind}")).display())),
    );
    lines.extend(config.iter().map(|line| (*line).to_owned()));
    let file = dir.join("sshd_config");
    fs::write(&file, lines.join("\n")).unwrap();
    Command::new(program)
        .args(["-D", "-f"])
        .arg(file)
        .arg("-E")
        .arg(dir.join("log"))
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

fn answers(port: u16, daemon: &mut Child) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(20) {
        if daemon.try_wait().unwrap().is_some() {
            return false;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// All processes below `root` that are parts of sshd.
fn sessions_below(root: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((name, rest)) = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')) else {
            continue;
        };
        let parent = rest.split_whitespace().nth(1).and_then(|parent| parent.parse::<u32>().ok());
        parents.push((pid, parent.unwrap_or(0), name.starts_with("sshd")));
    }
    let mut found = Vec::new();
    let mut below = vec![root];
    while let Some(parent) = below.pop() {
        for (pid, _, _) in parents.iter().filter(|(_, of, is_sshd)| *of == parent && *is_sshd) {
            found.push(*pid);
            below.push(*pid);
        }
    }
    found
}
