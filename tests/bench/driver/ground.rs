//! Two real sshd on loopback with all that logs in to them.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::sshd::{Sshd, generate_key, user};

/// Two servers, a key for both, and the file that knows them.
pub struct Ground {
    pub a: Sshd,
    pub b: Sshd,
    dir: tempfile::TempDir,
}

/// This very executable, for its other roles.
pub fn driver() -> PathBuf {
    std::env::current_exe().unwrap()
}

impl Ground {
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// With these lines in both servers' configuration.
    pub fn with(config: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let start = |name: &str| {
            let home = dir.path().join(name);
            make_zfs(&home);
            // The benchmark's own zfs is all there is of ZFS, and the user's shell finds no start-up files.
            let path =
                format!("SetEnv PATH={}:/usr/bin:/bin HOME={}", home.join("bin").display(), home.display());
            let mut lines = vec![path.as_str()];
            lines.extend(config);
            Sshd::start_with(&lines, &["ed25519"]).unwrap_or_else(|| {
                eprintln!("This needs sshd (Debian package openssh-server).");
                std::process::exit(2);
            })
        };
        let (a, b) = (start("a"), start("b"));
        let ground = Self { a, b, dir };
        generate_key("ed25519", &ground.key(), "");
        let public = fs::read_to_string(ground.key().with_extension("pub")).unwrap();
        ground.a.authorise(&public);
        ground.b.authorise(&public);
        ground.know(&ground.a, ground.a.endpoint().port);
        ground.know(&ground.b, ground.b.endpoint().port);
        ground
    }

    /// Where this host's `zfs` keeps what it has.
    pub fn home(&self, host: &str) -> PathBuf {
        self.dir.path().join(host)
    }

    pub fn key(&self) -> PathBuf {
        self.dir.path().join("id")
    }

    pub fn known_hosts(&self) -> PathBuf {
        self.dir.path().join("known_hosts")
    }

    /// A file of the benchmark's own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// This server may also be met on this port (of a proxy).
    pub fn know(&self, server: &Sshd, port: u16) {
        let key = fs::read_to_string(server.dir().join("host_ed25519.pub")).unwrap();
        let before = fs::read_to_string(self.known_hosts()).unwrap_or_default();
        fs::write(self.known_hosts(), format!("{before}[127.0.0.1]:{port} {key}")).unwrap();
    }

    /// `ssh` with nothing of this machine's own settings, and this cipher or the default one.
    pub fn ssh(&self, port: u16, cipher: Option<&str>, remote: &str) -> String {
        let cipher = cipher.map(|cipher| format!("-c {cipher} ")).unwrap_or_default();
        format!(
            "ssh -F none -T {cipher}-i {} -o UserKnownHostsFile={} -o IdentitiesOnly=yes -o IdentityAgent=none -p {port} {}@127.0.0.1 {}",
            self.key().display(),
            self.known_hosts().display(),
            user(),
            quoted(remote),
        )
    }

    /// The process that only carries.
    pub fn carry(&self, from: u16, to: u16, send: &str, receive: &str) -> Command {
        let mut command = Command::new(driver());
        command.arg("carry").arg(self.key()).arg(self.known_hosts());
        command.args([&from.to_string(), &to.to_string(), send, receive]).stdin(Stdio::null());
        command
    }

    /// `zerfaux replicate` from `tank/data` on the one port to `tank/copy` on the other.
    pub fn replicate(&self, from: u16, to: u16, options: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zerfaux"));
        command.env_remove("SSH_AUTH_SOCK").env_remove("ZERFAUX_DATA_DIR").stdin(Stdio::null());
        command
            .arg("replicate")
            .arg("--identity")
            .arg(self.key())
            .arg("--known-hosts")
            .arg(self.known_hosts());
        command.args(options);
        command.arg(format!("ssh://{}@127.0.0.1:{from}/tank/data", user()));
        command.arg(format!("ssh://{}@127.0.0.1:{to}/tank/copy", user()));
        command
    }
}

/// `bin/zfs` and `bin/zpool` of one host.
fn make_zfs(home: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let bin = home.join("bin");
    fs::create_dir_all(&bin).unwrap();
    for name in ["zfs", "zpool"] {
        let script =
            format!("#!/bin/sh\nexec '{}' zfs '{}' {name} \"$@\"\n", driver().display(), home.display());
        fs::write(bin.join(name), script).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
