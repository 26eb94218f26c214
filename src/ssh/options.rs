//! How connections are made: the set-up that was measured to be right for bulk data.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::Algorithm;
use russh::{Limits, Preferred, cipher, client, compression, kex};

use super::hostkeys::HostKeys;
use super::keys::Identity;

/// What a connection is for. It decides about window and time limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Many short commands.
    Control,
    /// One stream towards this process.
    Source,
    /// One stream away from this process.
    Sink,
    /// One stream from that host to another: what passes here is its progress.
    Direct,
}

/// How to connect. [`ConnectOptions::new`] gives the values to use; the rest is for tests and odd networks.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// What to log in with, in this order.
    pub identities: Vec<Identity>,
    /// Who judges the server's host key.
    pub host_keys: Arc<dyn HostKeys>,
    /// For name look-up, TCP and the key exchange together.
    pub connect_timeout: Duration,
    /// For logging in.
    pub auth_timeout: Duration,
    /// Silence after which a keep-alive is sent.
    pub keepalive_interval: Duration,
    /// Unanswered keep-alives after which the connection is dead.
    pub keepalive_max: usize,
    /// On a [`Purpose::Sink`] connection only: time without any progress after which it is dead. A keep-alive
    /// cannot be sent while a write to the socket is stuck, this limit still counts. It must be at least
    /// `keepalive_interval * (keepalive_max + 1)`, or a receiver that merely pauses would be cut off. A source has
    /// none: while it is held back, its connection stands still by right.
    pub sink_inactivity: Duration,
    /// Flow-control window granted to the server, in bytes.
    pub window: u32,
    /// The same on a [`Purpose::Source`] connection: 16 MiB carry 1.9 times what `ssh` does at 50 ms round trip.
    pub source_window: u32,
    /// Packets (of at most 32 KiB) that wait for the reader of a stream before the server is held back: it
    /// bounds the memory of a transfer.
    pub channel_buffer: usize,
    /// Bytes in one direction after which new keys are exchanged (RFC 4253, section 9 asks for 1 GiB).
    pub rekey_bytes: usize,
    /// Commands at the same time on one control connection; more wait. OpenSSH allows 10 (`MaxSessions`).
    pub commands_at_once: usize,
}

impl ConnectOptions {
    /// The measured set-up: keep-alive 7 s × 3, window 2 MiB, 16 MiB for a source.
    pub fn new(identities: Vec<Identity>, host_keys: Arc<dyn HostKeys>) -> Self {
        Self {
            identities,
            host_keys,
            connect_timeout: Duration::from_secs(20),
            auth_timeout: Duration::from_secs(30),
            keepalive_interval: Duration::from_secs(7),
            keepalive_max: 3,
            sink_inactivity: Duration::from_secs(28),
            window: 2 << 20,
            source_window: 16 << 20,
            channel_buffer: 100,
            rekey_bytes: 1 << 30,
            commands_at_once: 8,
        }
    }

    /// russh's configuration for one connection; `known` are the host key algorithms on file.
    pub(super) fn config(&self, purpose: Purpose, known: &[String]) -> client::Config {
        let rekey = self.rekey_bytes.min(1 << 30);
        client::Config {
            client_id: russh::SshId::Standard(Cow::Borrowed(concat!(
                "SSH-2.0-Zerfaux_",
                env!("CARGO_PKG_VERSION")
            ))),
            limits: Limits::new(rekey, rekey, Duration::from_secs(3600)),
            window_size: if purpose == Purpose::Source { self.source_window } else { self.window },
            channel_buffer_size: self.channel_buffer,
            preferred: preferred(known),
            inactivity_timeout: (purpose == Purpose::Sink).then_some(self.sink_inactivity),
            keepalive_interval: Some(self.keepalive_interval),
            keepalive_max: self.keepalive_max,
            nodelay: true,
            ..client::Config::default()
        }
    }
}

/// AES-GCM first (half the CPU of ChaCha20 where the processor has AES), no compression, Curve25519 first, and no
/// host certificates: nobody here holds an authority to check them with.
fn preferred(known: &[String]) -> Preferred {
    const CIPHERS: &[cipher::Name] = &[cipher::AES_128_GCM, cipher::AES_256_GCM, cipher::CHACHA20_POLY1305];
    const KEX: &[kex::Name] = &[
        kex::CURVE25519,
        kex::CURVE25519_PRE_RFC_8731,
        kex::MLKEM768X25519_SHA256,
        kex::ECDH_SHA2_NISTP256,
        kex::DH_GEX_SHA256,
        kex::DH_G18_SHA512,
        kex::DH_G16_SHA512,
        kex::DH_G14_SHA256,
        kex::EXTENSION_SUPPORT_AS_CLIENT,
        kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
    ];
    const COMPRESSION: &[compression::Name] = &[compression::NONE];
    // SHA-1 signatures (plain ssh-rsa) are never asked for.
    let mut keys: Vec<Algorithm> = Preferred::DEFAULT.key.to_vec();
    keys.retain(|algorithm| *algorithm != Algorithm::Rsa { hash: None });
    keys.sort_by_key(|algorithm| !known.iter().any(|name| same_family(name, algorithm)));
    Preferred {
        kex: Cow::Borrowed(KEX),
        key: Cow::Owned(keys),
        host_key_certificates: Cow::Borrowed(&[]),
        cipher: Cow::Borrowed(CIPHERS),
        compression: Cow::Borrowed(COMPRESSION),
        ..Preferred::DEFAULT
    }
}

/// A key on file is `ssh-rsa` whatever hash its signatures use.
fn same_family(name: &str, algorithm: &Algorithm) -> bool {
    match algorithm {
        Algorithm::Rsa { .. } => name.ends_with("ssh-rsa") || name.starts_with("rsa-sha2-"),
        other => other.as_str() == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(known: &[&str]) -> Vec<String> {
        let known: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
        preferred(&known).key.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_key_on_file_is_asked_for_first_and_sha1_never() {
        assert_eq!(order(&[])[0], "ssh-ed25519");
        assert_eq!(order(&["ssh-rsa"])[..2], ["rsa-sha2-512", "rsa-sha2-256"]);
        assert_eq!(order(&["ecdsa-sha2-nistp384"])[0], "ecdsa-sha2-nistp384");
        assert!(!order(&["ssh-rsa"]).contains(&"ssh-rsa".to_owned()));
    }

    #[test]
    fn only_a_sink_has_an_inactivity_limit_and_it_outlasts_the_keepalives() {
        let keys = Arc::new(super::super::PinnedFingerprint::new("SHA256:x"));
        let options = ConnectOptions::new(Vec::new(), keys);
        let limit = |purpose| options.config(purpose, &[]).inactivity_timeout;
        assert_eq!(limit(Purpose::Control), None);
        assert_eq!(limit(Purpose::Source), None);
        let beats = options.keepalive_interval * (options.keepalive_max as u32 + 1);
        assert!(limit(Purpose::Sink).unwrap() >= beats);
        assert_eq!(options.config(Purpose::Source, &[]).window_size, 16 << 20);
        assert_eq!(options.config(Purpose::Sink, &[]).window_size, 2 << 20);
    }
}
