//! Files in the form of OpenSSH's `known_hosts` (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::hostkeys::{HostKey, HostKeyCheck, HostKeys};
use crate::domain::endpoint::{Endpoint, SSH_PORT};

/// Host keys from `known_hosts` files: names, patterns, hashed names, `[host]:port`, `@revoked`.
///
/// Stricter than `ssh` in one point: where any key is on file for a host, a key of another algorithm is a change
/// and not a new key, for a stranger could otherwise choose an algorithm that is not on file.
#[derive(Debug, Clone)]
pub struct KnownHosts {
    files: Vec<PathBuf>,
    accept_new: bool,
}

/// One line that speaks of the host in question.
struct Entry {
    key: HostKey,
    revoked: bool,
}

impl KnownHosts {
    /// Reads all of `files`; one that does not exist holds nothing. With `accept_new`, the key of a host that is
    /// in none of them is appended to the first and taken as valid (as `StrictHostKeyChecking=accept-new`).
    pub fn new(files: Vec<PathBuf>, accept_new: bool) -> Self {
        Self { files, accept_new }
    }

    fn entries(&self, endpoint: &Endpoint) -> Result<Vec<Entry>, String> {
        let mut found = Vec::new();
        for file in &self.files {
            match fs::read(file) {
                Ok(bytes) => found.extend(parse(&String::from_utf8_lossy(&bytes), endpoint)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("could not read {}: {error}", file.display())),
            }
        }
        Ok(found)
    }

    /// Appends one whole line, under a lock and only if no other process was faster.
    fn append(&self, endpoint: &Endpoint, key: &HostKey) -> Result<HostKeyCheck, String> {
        let Some(path) = self.files.first() else {
            return Err("there is no file of known hosts to add it to".to_owned());
        };
        let failed = |error: io::Error| format!("could not add it to {}: {error}", path.display());
        let mut file = open_for_append(path).map_err(failed)?;
        file.lock().map_err(failed)?;
        let mut before = Vec::new();
        file.read_to_end(&mut before).map_err(failed)?;
        let entries: Vec<Entry> = parse(&String::from_utf8_lossy(&before), endpoint).collect();
        if !entries.is_empty() {
            return Ok(judge(&entries, key));
        }
        let newline = if before.last().is_none_or(|byte| *byte == b'\n') { "" } else { "\n" };
        let line = format!("{newline}{} {}\n", host_name(endpoint), key.to_openssh());
        file.write_all(line.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        Ok(HostKeyCheck::Valid)
    }
}

fn open_for_append(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

impl HostKeys for KnownHosts {
    fn check(&self, endpoint: &Endpoint, presented: &HostKey) -> HostKeyCheck {
        let verdict = self.entries(endpoint).and_then(|entries| match judge(&entries, presented) {
            HostKeyCheck::Unknown { .. } if self.accept_new => self.append(endpoint, presented),
            verdict => Ok(verdict),
        });
        verdict.unwrap_or_else(|why| HostKeyCheck::Undecidable { why })
    }

    fn algorithms(&self, endpoint: &Endpoint) -> Vec<String> {
        let entries = self.entries(endpoint).unwrap_or_default();
        entries.iter().filter(|entry| !entry.revoked).map(|entry| entry.key.algorithm()).collect()
    }
}

fn judge(entries: &[Entry], presented: &HostKey) -> HostKeyCheck {
    let is_presented = |entry: &&Entry| entry.key == *presented;
    let revoked = entries.iter().filter(is_presented).any(|entry| entry.revoked);
    if !revoked && entries.iter().any(|entry| entry.key == *presented) {
        return HostKeyCheck::Valid;
    }
    let mut expected: Vec<String> =
        entries.iter().filter(|entry| !entry.revoked).map(|entry| entry.key.to_string()).collect();
    expected.dedup();
    if revoked {
        expected.push("any key but this one, which is marked as revoked".to_owned());
    }
    if expected.is_empty() {
        return HostKeyCheck::Unknown { presented: presented.clone() };
    }
    HostKeyCheck::Changed { expected, presented: presented.clone() }
}

/// How the file calls the host.
pub(super) fn host_name(endpoint: &Endpoint) -> String {
    let host = endpoint.host.to_ascii_lowercase();
    if endpoint.port == SSH_PORT { host } else { format!("[{host}]:{}", endpoint.port) }
}

fn parse<'a>(text: &'a str, endpoint: &Endpoint) -> impl Iterator<Item = Entry> + use<'a> {
    let name = host_name(endpoint);
    text.lines().filter_map(move |line| parse_line(line, &name))
}

/// Lines that cannot be read are passed over, as `ssh` does.
fn parse_line(line: &str, name: &str) -> Option<Entry> {
    let line = line.trim();
    let (revoked, rest) = match line.strip_prefix('@') {
        // `@cert-authority` speaks of certificates, which are not accepted at all.
        Some(marked) => (true, marked.strip_prefix("revoked")?.trim_start()),
        None => (false, line),
    };
    if rest.starts_with('#') {
        return None;
    }
    let (hosts, key) = rest.split_once([' ', '\t'])?;
    let key = HostKey::from_openssh(&key.split_whitespace().take(2).collect::<Vec<_>>().join(" "))?;
    names_host(hosts, name).then_some(Entry { key, revoked })
}

/// Whether a comma-separated list of patterns names the host: one of them does, and no negated one.
fn names_host(patterns: &str, name: &str) -> bool {
    let mut named = false;
    for pattern in patterns.split(',') {
        if let Some(hashed) = pattern.strip_prefix("|1|") {
            named |= is_hash_of(hashed, name);
        } else if let Some(negated) = pattern.strip_prefix('!') {
            if matches_pattern(&negated.to_ascii_lowercase(), name) {
                return false;
            }
        } else {
            named |= matches_pattern(&pattern.to_ascii_lowercase(), name);
        }
    }
    named
}

/// `salt|hash`, both in base64: HMAC-SHA1 of the name with the salt as key.
fn is_hash_of(hashed: &str, name: &str) -> bool {
    let decoded = hashed
        .split_once('|')
        .and_then(|(salt, hash)| Some((BASE64.decode(salt).ok()?, BASE64.decode(hash).ok()?)));
    let Some((salt, hash)) = decoded else { return false };
    let Ok(mac) = Hmac::<Sha1>::new_from_slice(&salt) else { return false };
    mac.chain_update(name.as_bytes()).verify_slice(&hash).is_ok()
}

/// `*` stands for any run of characters, `?` for one.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                // Let the last star take one character more.
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                p = at + 1;
                n = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}
