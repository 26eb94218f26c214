//! Why one host cannot stream straight to another: read from what `ssh` says there, said to a person here.

use std::fmt;

use super::Route;
use crate::host::HostError;

/// The OpenSSH release from which on log-ins are bound to the server's host key, and so may be signed from afar.
const NEEDED: (u32, u32) = (8, 9);

/// Why there is no way from host to host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HopError {
    route: String,
    from: String,
    to: String,
    dial: String,
    trouble: Trouble,
}

/// What is in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// One end is this host.
    Local,
    /// The address means the dialling host itself.
    Loopback,
    /// The source's server forwards no agent for this login.
    NoForwarding,
    /// There is no `ssh` at the source.
    NoClient,
    /// The source's `ssh` is too old, or another program: it says this of itself.
    OldClient(String),
    /// The same for the target's server.
    OldServer(String),
    /// Nobody answers, or there is no way there: `ssh` says this.
    Unreachable(String),
    /// Whoever answers has another host key.
    OtherHostKey,
    /// The key that opens the target from here does not from there.
    KeyRefused,
    /// No program at the source counts a stream while it passes.
    NoCount,
    /// It stood, and broke.
    Broken(String),
    /// The source or the target cannot be reached from here.
    Host { why: String, advice: String, transient: bool },
    /// `ssh` says this.
    Other(String),
}

impl HopError {
    pub(super) fn new(route: &Route, trouble: Trouble) -> Self {
        let (from, to) = (route.source.label().to_owned(), route.target.label().to_owned());
        let dial = route.dial.to_string();
        Self { route: format!("{from} → {to}"), from, to, dial, trouble }
    }

    pub(super) fn host(route: &Route, error: &HostError) -> Self {
        let why = crate::domain::causes::with_causes(error);
        let (advice, transient) = (error.advice(), error.is_transient());
        Self::new(route, Trouble::Host { why, advice, transient })
    }

    pub(super) fn host_lost(route: &Route, why: &str) -> Self {
        let why = format!("the connection to {} broke: {why}", route.source.label());
        let advice = "Check the network between here and that host.".to_owned();
        Self::new(route, Trouble::Host { why, advice, transient: true })
    }

    /// What a person can do about it.
    pub fn advice(&self) -> String {
        let Self { from, to, dial, .. } = self;
        match &self.trouble {
            Trouble::Local => {
                "Leave --transport out: a stream from or to this host goes straight anyway.".into()
            }
            Trouble::Loopback => {
                "Name with --replication-address what the source dials to reach the destination.".into()
            }
            Trouble::NoForwarding => format!(
                "Set AllowAgentForwarding yes in sshd_config on {from}; in authorized_keys, write \
                 restrict,agent-forwarding where it says restrict."
            ),
            Trouble::NoClient => format!("Install the OpenSSH client on {from}."),
            Trouble::OldClient(_) => {
                format!("Update OpenSSH on {from}, or let the stream go through this host.")
            }
            Trouble::OldServer(_) => {
                format!("Update OpenSSH on {to}, or let the stream go through this host.")
            }
            Trouble::Unreachable(_) => format!(
                "Check that {from} may open connections to {dial}, or name with --replication-address what it has to dial."
            ),
            Trouble::OtherHostKey => format!(
                "Do not go on before you know why: {dial} may be another machine, or someone may be in between. \
                 Nothing was sent to it."
            ),
            Trouble::KeyRefused => {
                format!("Look for a from= in authorized_keys on {to}: it has to allow {from} too.")
            }
            Trouble::NoCount => format!("Install pv on {from}, or let the stream go through this host."),
            Trouble::Broken(_) => format!(
                "Check the network between {from} and {to}. What arrived is kept where the destination can resume."
            ),
            Trouble::Host { advice, .. } => advice.clone(),
            Trouble::Other(_) => format!("Try it on {from}: ssh -v {dial}"),
        }
    }

    /// Whether the same may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match &self.trouble {
            Trouble::Unreachable(_) | Trouble::Broken(_) => true,
            Trouble::Host { transient, .. } => *transient,
            _ => false,
        }
    }

    /// Whether it says nothing about the way from host to host, because not even the first step was possible.
    pub fn is_about_a_host(&self) -> bool {
        matches!(self.trouble, Trouble::Host { .. })
    }
}

impl std::error::Error for HopError {}

impl fmt::Display for HopError {
    /// A clause that can follow "because".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { route, from, to, dial, trouble } = self;
        match trouble {
            Trouble::Local => f.write_str("one end of the stream is this host"),
            Trouble::Loopback => write!(f, "{dial} means {from} itself when it is dialled there"),
            Trouble::NoForwarding => {
                write!(f, "the SSH server of {from} does not forward an agent for this login")
            }
            Trouble::NoClient => write!(f, "there is no ssh command on {from}"),
            Trouble::OldClient(found) => write!(f, "{from} has {found}, and OpenSSH 8.9 or later is needed"),
            Trouble::OldServer(found) => write!(f, "{to} has {found}, and OpenSSH 8.9 or later is needed"),
            Trouble::Unreachable(why) => write!(f, "{from} does not reach {dial}: {why}"),
            Trouble::OtherHostKey => write!(f, "{from} finds another host key at {dial} than that of {to}"),
            Trouble::KeyRefused => write!(f, "{to} does not accept the log-in from {from}"),
            Trouble::NoCount => write!(f, "neither pv nor dd on {from} tells how far a stream is"),
            Trouble::Broken(why) => write!(f, "the SSH connection {route} broke: {why}"),
            Trouble::Host { why, .. } => f.write_str(why),
            Trouble::Other(why) => write!(f, "ssh from {from} to {dial} failed: {why}"),
        }
    }
}

/// Whether `text`, what a program or server says of itself, names an OpenSSH that is new enough.
pub(super) fn is_new_enough(text: &str) -> bool {
    let Some((_, release)) = text.split_once("OpenSSH_") else { return false };
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse::<u32>().ok());
    matches!((numbers.next().flatten(), numbers.next().flatten()), (Some(major), Some(minor)) if (major, minor) >= NEEDED)
}

/// Whether `ssh` says that a connection which stood is gone. Of a peer that fell silent it says nothing at the log level
/// of a stream.
pub(super) fn says_broken(stderr: &str) -> bool {
    const BROKEN: &[&str] = &[
        "Broken pipe",
        "Connection reset",
        "closed by remote host",
        "Connection closed",
        "Timeout, server",
        "client_loop",
        "Connection corrupted",
    ];
    let says_nothing = stderr.lines().all(|line| line.trim().is_empty() || line.starts_with("debug"));
    says_nothing || BROKEN.iter().any(|needle| stderr.contains(needle))
}

/// What the exit status 255 of `ssh` means, by what it said. With `-v` it also says what the server is.
pub(super) fn read_ssh(stderr: &str) -> Trouble {
    const NO_WAY: &[&str] = &[
        "Connection refused",
        "No route to host",
        "Network is unreachable",
        "timed out",
        "Could not resolve hostname",
        "Host is down",
    ];
    const OTHER_KEY: &[&str] =
        &["Host key verification failed", "HOST IDENTIFICATION HAS CHANGED", "no matching host key type"];
    let says = |needles: &[&str]| needles.iter().any(|needle| stderr.contains(needle));
    if says(OTHER_KEY) {
        return Trouble::OtherHostKey;
    }
    const SERVER: &str = "remote software version ";
    let server = stderr.lines().find_map(|line| line.split_once(SERVER)).map(|(_, name)| name.trim());
    if let Some(server) = server.filter(|server| !is_new_enough(server)) {
        return Trouble::OldServer(server.to_owned());
    }
    if says(&["Permission denied", "Too many authentication failures"]) {
        return Trouble::KeyRefused;
    }
    let last = last_words(stderr);
    if says(NO_WAY) { Trouble::Unreachable(last) } else { Trouble::Other(last) }
}

/// The last thing that is no debugging, without the names in front.
pub(super) fn last_words(stderr: &str) -> String {
    let line = stderr.lines().map(str::trim).rfind(|line| !line.is_empty() && !line.starts_with("debug"));
    let line = line.unwrap_or("it said nothing");
    let line = line.strip_prefix("ssh: ").unwrap_or(line);
    line.strip_prefix("connect to host ").unwrap_or(line).trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_decides_and_not_the_text_around_it() {
        for new in
            ["OpenSSH_8.9p1 Ubuntu-3", "OpenSSH_9.2p1 Debian-2+deb12u6, OpenSSL 3.0.19", "OpenSSH_10.0p2"]
        {
            assert!(is_new_enough(new), "{new}");
        }
        for old in ["OpenSSH_8.8p1", "OpenSSH_7.9", "dropbear_2022.83", "", "OpenSSH_", "Sun_SSH_2.4"] {
            assert!(!is_new_enough(old), "{old}");
        }
    }

    #[test]
    fn what_ssh_says_is_understood() {
        let server = "debug1: Remote protocol version 2.0, remote software version";
        for (said, meant) in [
            (
                "ssh: connect to host 10.0.0.2 port 22: Connection refused".to_owned(),
                Trouble::Unreachable("10.0.0.2 port 22: Connection refused".into()),
            ),
            (
                "ssh: Could not resolve hostname nas-b: Name or service not known\n".to_owned(),
                Trouble::Unreachable("Could not resolve hostname nas-b: Name or service not known".into()),
            ),
            (format!("{server} OpenSSH_9.2p1\nHost key verification failed."), Trouble::OtherHostKey),
            (
                format!("{server} OpenSSH_8.4p1 Debian-5\nroot@10.0.0.2: Permission denied (publickey)."),
                Trouble::OldServer("OpenSSH_8.4p1 Debian-5".into()),
            ),
            (
                format!("{server} OpenSSH_9.6\nroot@10.0.0.2: Permission denied (publickey)."),
                Trouble::KeyRefused,
            ),
            (
                "Unable to negotiate with 10.0.0.2 port 22: no matching cipher found. Their offer: x"
                    .to_owned(),
                Trouble::Other(
                    "Unable to negotiate with 10.0.0.2 port 22: no matching cipher found. Their offer: x"
                        .into(),
                ),
            ),
            (String::new(), Trouble::Other("it said nothing".into())),
        ] {
            assert_eq!(read_ssh(&said), meant, "{said}");
        }
    }
}
