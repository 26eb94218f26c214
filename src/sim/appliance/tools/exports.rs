//! NFS exports: what `sharenfs` means (OpenZFS, lib/libshare/os/linux/nfs.c), `exportfs`, `showmount`.

use std::net::IpAddr;

use super::{Io, Shell};
use crate::sim::appliance::model::{State, Target};

/// One dataset that is shared, with who may use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) dataset: String,
    pub(crate) path: String,
    pub(crate) clients: Vec<Client>,
    options: Vec<String>,
}

/// Who may use an export, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// A name, an address, a network, or `*`.
    pub(crate) host: String,
    pub(crate) read_only: bool,
}

/// What may stand in `sharenfs` beside `rw`, `ro` and `sec`.
const OPTIONS: &[&str] = &[
    "async",
    "sync",
    "secure",
    "insecure",
    "wdelay",
    "no_wdelay",
    "hide",
    "nohide",
    "crossmnt",
    "subtree_check",
    "no_subtree_check",
    "mountpoint",
    "mp",
    "secure_locks",
    "insecure_locks",
    "auth_nlm",
    "no_auth_nlm",
    "acl",
    "no_acl",
    "root_squash",
    "no_root_squash",
    "all_squash",
    "no_all_squash",
    "fsid",
    "refer",
    "replicas",
    "anonuid",
    "anongid",
    "pnfs",
    "no_pnfs",
    "security_label",
];

/// Whether `zfs set sharenfs=VALUE` takes it.
pub(crate) fn is_valid(value: &str) -> bool {
    let sound = |part: &str| {
        let name = part.split('=').next().unwrap_or_default();
        ["rw", "ro", "sec"].contains(&name) || OPTIONS.contains(&name)
    };
    matches!(value, "on" | "off") || !value.is_empty() && value.split(',').all(sound)
}

/// The hosts in `rw=@10.0.0.0/8:nas-b`.
fn clients(value: &str) -> Vec<Client> {
    let mut clients = Vec::new();
    for part in value.split(',') {
        let (name, hosts) = part.split_once('=').unwrap_or((part, ""));
        if name != "rw" && name != "ro" {
            continue;
        }
        let mut rest = hosts;
        while !rest.is_empty() {
            // An IPv6 address has colons of its own, and so stands in brackets.
            let bracket = rest.trim_start_matches('@').starts_with('[');
            let end = if bracket { rest.find(']').map_or(rest.len(), |at| at + 1) } else { 0 };
            let end = rest[end..].find(':').map_or(rest.len(), |at| end + at);
            let host = rest[..end].trim_start_matches('@').replace(['[', ']'], "");
            clients.push(Client { host, read_only: name == "ro" });
            rest = rest[end..].trim_start_matches(':');
        }
        if hosts.is_empty() {
            clients.push(Client { host: "*".to_owned(), read_only: name == "ro" });
        }
    }
    if clients.is_empty() {
        clients.push(Client { host: "*".to_owned(), read_only: false });
    }
    clients
}

impl Client {
    /// Whether that address is meant.
    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        if self.host == "*" {
            return true;
        }
        let (network, prefix) = self
            .host
            .split_once('/')
            .map_or((self.host.as_str(), None), |(network, prefix)| (network, prefix.parse::<u32>().ok()));
        match (network.parse(), address) {
            (Ok(IpAddr::V4(network)), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - prefix.unwrap_or(32).min(32)).unwrap_or(0);
                u32::from(network) & mask == u32::from(address) & mask
            }
            (Ok(IpAddr::V6(network)), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - prefix.unwrap_or(128).min(128)).unwrap_or(0);
                u128::from(network) & mask == u128::from(address) & mask
            }
            _ => false,
        }
    }
}

/// Every dataset that is mounted and shared.
pub(crate) fn shares(state: &State) -> Vec<Share> {
    let mut all = Vec::new();
    for (name, path) in state.mounts() {
        let Some((value, _)) = state.property(Target::Dataset(&name), "sharenfs") else { continue };
        let hidden = state.datasets.get(&name).is_none_or(|dataset| dataset.unshared);
        if value == "off" || hidden {
            continue;
        }
        let options =
            value.split(',').filter(|part| OPTIONS.contains(&part.split('=').next().unwrap_or(part)));
        let options = options.map(str::to_owned).collect();
        all.push(Share { dataset: name, path, clients: clients(&value), options });
    }
    all
}

impl Share {
    /// The options of one client as `exportfs -v` lists them.
    fn shown(&self, client: &Client) -> String {
        let has = |name: &str| self.options.iter().any(|option| option == name);
        let either = |first: &'static str, other: &'static str| if has(first) { first } else { other };
        let mut words = vec![
            either("async", "sync"),
            either("no_wdelay", "wdelay"),
            either("nohide", "hide"),
            "crossmnt",
            either("subtree_check", "no_subtree_check"),
            "mountpoint",
        ];
        words.push("sec=sys");
        words.push(if client.read_only { "ro" } else { "rw" });
        words.push(either("insecure", "secure"));
        words.push(either("no_root_squash", "root_squash"));
        words.push(either("all_squash", "no_all_squash"));
        words.join(",")
    }
}

pub(super) fn run(shell: &Shell, program: &str, words: &[String], io: &Io) -> Option<i32> {
    let flag = |letter: char| words.iter().any(|word| word.starts_with('-') && word.contains(letter));
    Some(match program {
        "exportfs" => {
            // -r and -a bring the kernel's table in line with what is written, which here it always is.
            if flag('r') || flag('a') {
                if !shell.is_root() {
                    io.complain("exportfs: could not open /var/lib/nfs/.etab.lock for locking: errno 13 (Permission denied)");
                    return Some(1);
                }
                return Some(0);
            }
            let mut text = String::new();
            for share in shares(&shell.machine.state()) {
                for client in &share.clients {
                    let host = if client.host == "*" { "<world>" } else { &client.host };
                    let gap = if share.path.len() > 15 { "\n\t\t" } else { "\t" };
                    let options =
                        if flag('v') { format!("({})", share.shown(client)) } else { String::new() };
                    text.push_str(&format!("{:<15}{gap}{host}{options}\n", share.path));
                }
            }
            io.say(text);
            0
        }
        "showmount" => {
            if !shell.machine.services().get("nfs-server").copied().unwrap_or(false) {
                io.complain("clnt_create: RPC: Program not registered");
                return Some(1);
            }
            if !words.iter().any(|word| word == "--no-headers") {
                let host =
                    words.iter().find(|word| !word.starts_with('-')).unwrap_or(&shell.machine.hostname);
                io.say(format!("Export list for {host}:\n"));
            }
            for share in shares(&shell.machine.state()) {
                let hosts: Vec<&str> = share.clients.iter().map(|client| client.host.as_str()).collect();
                let hosts = if hosts.contains(&"*") { "*".to_owned() } else { hosts.join(",") };
                io.say(format!("{} {hosts}\n", share.path));
            }
            0
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sharenfs_says_is_who_may_come() {
        let all = clients("rw=@10.0.0.0/8:nas-b:@[fd00::]/8,ro=@192.168.1.7,no_root_squash");
        let hosts: Vec<&str> = all.iter().map(|client| client.host.as_str()).collect();
        assert_eq!(hosts, ["10.0.0.0/8", "nas-b", "fd00::/8", "192.168.1.7"]);
        assert!(all[0].admits("10.1.2.3".parse().unwrap()) && !all[0].admits("11.1.2.3".parse().unwrap()));
        assert!(all[2].admits("fd12::1".parse().unwrap()) && !all[2].admits("10.0.0.1".parse().unwrap()));
        assert!(all[3].read_only && all[3].admits("192.168.1.7".parse().unwrap()));
        assert!(clients("on")[0].admits("8.8.8.8".parse().unwrap()));
        assert!(is_valid("on") && is_valid("rw=@10.0.0.0/8,no_root_squash,fsid=1"));
        assert!(!is_valid("10.0.0.0/8(rw)") && !is_valid(""));
    }
}
