//! The command lines that a source runs in direct transport.
//!
//! They are quoted for three shells, one inside the other: the receive command for the target's login shell, `ssh` with
//! it for the script's `eval`, and the script with all of it for the source's login shell. Each time it is
//! [`Argv::to_shell`] that quotes, and the scripts themselves are fixed texts.

use std::num::NonZeroU64;

use super::Means;
use crate::domain::argv::{Argv, ArgvError};
use crate::domain::transport::Dial;
use crate::ssh::HostKey;

const STREAM: &str = include_str!("stream.sh");
const LOOK: &str = include_str!("look.sh");

/// The name under which the target's host key is handed over.
const ALIAS: &str = "zerfaux-target";

/// What `ssh` at the source may use, and nothing else: no settings of the user or the machine (`-F none`), no keys but
/// the forwarded agent's, no host keys but the one that is handed over, no prompt, no file, nothing forwarded on.
/// Keep-alives of 7 s as everywhere here: a peer that is gone is noticed within 30 s.
const OPTIONS: &[&str] = &[
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "UserKnownHostsFile=/dev/null",
    "GlobalKnownHostsFile=/dev/null",
    "UpdateHostKeys=no",
    "CheckHostIP=no",
    "VerifyHostKeyDNS=no",
    "IdentityAgent=SSH_AUTH_SOCK",
    "IdentityFile=none",
    "PreferredAuthentications=publickey",
    "PubkeyAuthentication=host-bound",
    "AddKeysToAgent=no",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "ControlMaster=no",
    "ControlPath=none",
    "ProxyCommand=none",
    "Compression=no",
    "Ciphers=aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com",
    "KexAlgorithms=^curve25519-sha256,curve25519-sha256@libssh.org",
    "EscapeChar=none",
    "ConnectTimeout=15",
    "ConnectionAttempts=1",
    "ServerAliveInterval=7",
    "ServerAliveCountMax=3",
    "TCPKeepAlive=yes",
];

/// Who logs in where, and what that server's key is.
pub(super) struct Target<'a> {
    pub(super) dial: &'a Dial,
    pub(super) user: &'a str,
    pub(super) host_key: &'a HostKey,
}

/// `ssh` to the target, running `remote` there.
pub(super) fn ssh(target: &Target<'_>, remote: &Argv, log_level: &str) -> Result<Argv, ArgvError> {
    let mut words: Vec<String> = ["ssh", "-F", "none", "-T", "-a", "-x"].map(str::to_owned).into();
    let mut option = |text: String| words.extend(["-o".to_owned(), text]);
    OPTIONS.iter().for_each(|text| option((*text).to_owned()));
    option(format!("LogLevel={log_level}"));
    option(format!("HostKeyAlias={ALIAS}"));
    option(format!("HostKeyAlgorithms={}", signatures_of(&target.host_key.algorithm())));
    // Algorithm and base64: nothing in them means anything to a shell or to ssh.
    let line = target.host_key.to_openssh();
    option(format!("KnownHostsCommand=/bin/sh -c \"echo {ALIAS} {line}\""));
    words.extend(["-l".to_owned(), target.user.to_owned(), "-p".to_owned(), target.dial.port.to_string()]);
    words.extend(["--".to_owned(), target.dial.host.clone(), remote.to_shell()]);
    Argv::new(words)
}

/// An RSA key is `ssh-rsa` whatever hash its signatures use; SHA-1 is not asked for.
fn signatures_of(algorithm: &str) -> &str {
    if algorithm.ends_with("ssh-rsa") || algorithm.starts_with("rsa-sha2-") {
        "rsa-sha2-512,rsa-sha2-256"
    } else {
        algorithm
    }
}

/// What counts the stream on its way, and holds it back where there is a limit.
pub(super) fn meter(means: Means, limit: Option<NonZeroU64>) -> Result<Argv, ArgvError> {
    match limit {
        Some(limit) => Argv::new(["pv", "-n", "-b", "-i", "1", "-L", &limit.to_string()]),
        None if means.dd => Argv::new(["dd", "bs=131072", "status=progress"]),
        None => Argv::new(["pv", "-n", "-b", "-i", "1"]),
    }
}

/// The whole stream, for the source's login shell.
pub(super) fn stream(send: &Argv, meter: &Argv, ssh: &Argv) -> Result<Argv, ArgvError> {
    let words = [STREAM.to_owned(), "zerfaux".into(), send.to_shell(), meter.to_shell(), ssh.to_shell()];
    Argv::new(["sh".to_owned(), "-c".to_owned()].into_iter().chain(words))
}

/// The look at what the source has and reaches.
pub(super) fn look(ssh: &Argv) -> Result<Argv, ArgvError> {
    Argv::new(["sh", "-c", LOOK, "zerfaux", &ssh.to_shell()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ssh_at_the_source_checks_the_one_key_and_forwards_nothing() {
        let host_key = HostKey::from_openssh(
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ",
        );
        let dial = "10.77.0.12:2222".parse().unwrap();
        let target = Target { dial: &dial, user: "root", host_key: &host_key.unwrap() };
        let remote = Argv::new(["zfs", "receive", "tank/a b"]).unwrap();
        let line = ssh(&target, &remote, "ERROR").unwrap().to_shell();
        for part in [
            "ssh -F none",
            "StrictHostKeyChecking=yes",
            "HostKeyAlgorithms=ssh-ed25519",
            "echo zerfaux-target ssh-ed25519 AAAAC3",
            "ClearAllForwardings=yes",
            "ForwardAgent=no",
            r"-l root -p 2222 -- 10.77.0.12 'zfs receive '\''tank/a b'\'''",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        assert_eq!(signatures_of("ssh-rsa"), "rsa-sha2-512,rsa-sha2-256");
    }
}
