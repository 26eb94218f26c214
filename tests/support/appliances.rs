//! Simulated appliances for tests: two of them on loopback, a key to log in with, and the program between them.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use zerfaux::sim::appliance::{Appliance, ApplianceOptions};
use zerfaux::ssh::KeyPair;

/// One appliance as a test sees it.
pub struct Sim {
    pub appliance: Appliance,
}

impl std::ops::Deref for Sim {
    type Target = Appliance;
    fn deref(&self) -> &Appliance {
        &self.appliance
    }
}

impl Sim {
    /// With one pool of this name.
    pub fn new(pool: &str) -> Self {
        Self::with(ApplianceOptions {
            pools: vec![(pool.to_owned(), 1 << 30)],
            ..ApplianceOptions::default()
        })
    }

    pub fn with(options: ApplianceOptions) -> Self {
        Self { appliance: Appliance::start(options).expect("an appliance starts") }
    }

    /// Runs a script as root; it must succeed.
    #[track_caller]
    pub fn root(&self, script: &str) -> String {
        let ran = self.run(script);
        assert_eq!(ran.status, 0, "{script}: {}", ran.stderr);
        String::from_utf8(ran.stdout).expect("text")
    }

    /// The tags of a dataset's snapshots, oldest first.
    pub fn tags(&self, dataset: &str) -> Vec<String> {
        let text = self.root(&format!("zfs list -H -d 1 -t snapshot -o name '{dataset}'"));
        text.lines().filter_map(|line| Some(line.split_once('@')?.1.to_owned())).collect()
    }

    /// Writes `count` bytes that do not repeat.
    pub fn fill(&self, dataset: &str, path: &str, count: usize, seed: u64) {
        self.write(dataset, path, &noise(count, seed)).expect("there is room");
    }
}

/// Bytes that look random and are the same for the same seed.
pub fn noise(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

/// A source, a destination, and what is needed to log in to both.
pub struct Two {
    pub source: Sim,
    pub target: Sim,
    directory: TempDir,
}

impl Two {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let key = KeyPair::generate().expect("a key");
        std::fs::write(directory.path().join("key"), key.to_openssh().expect("text").as_bytes())
            .expect("written");
        set_private(&directory.path().join("key"));
        let keys = Some(key.public_key());
        let side = |pool: &str| {
            Sim::with(ApplianceOptions {
                pools: vec![(pool.to_owned(), 1 << 30)],
                authorized_keys: keys.clone(),
                hostname: pool.to_owned(),
                ..ApplianceOptions::default()
            })
        };
        let two = Self { source: side("src"), target: side("dst"), directory };
        let known = format!("{}\n{}\n", two.source.known_hosts_line(), two.target.known_hosts_line());
        std::fs::write(two.known_hosts(), known).expect("written");
        two
    }

    pub fn key(&self) -> PathBuf {
        self.directory.path().join("key")
    }

    pub fn known_hosts(&self) -> PathBuf {
        self.directory.path().join("known_hosts")
    }

    /// `zerfaux replicate OPTIONS… ssh://…/src/FROM ssh://…/dst/TO`
    pub fn replicate(&self, (from, to): (&str, &str), options: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zerfaux"));
        command.arg("replicate").arg("--identity").arg(self.key());
        command.arg("--known-hosts").arg(self.known_hosts()).args(options);
        command.arg(format!("ssh://root@{}/src/{from}", self.source.address()));
        command.arg(format!("ssh://root@{}/dst/{to}", self.target.address()));
        command.env_remove("SSH_AUTH_SOCK").env_remove("ZERFAUX_DATA_DIR");
        command
    }

    /// A dataset as a job's input has it.
    pub fn location(&self, side: &Sim, dataset: &str) -> Value {
        json!({
            "host": { "ssh": {
                "endpoint": format!("root@{}", side.address()),
                "identities": [{ "file": self.key() }],
                "host_keys": { "known_hosts": { "path": self.known_hosts(), "accept_new": false } },
            } },
            "dataset": dataset,
        })
    }
}

fn set_private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("changed");
}
