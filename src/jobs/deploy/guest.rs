//! What VMware Tools tell of a guest: whether they run, its addresses, the host key that it published.

use std::net::IpAddr;

use crate::domain::job::Failure;
use crate::domain::moref::VmRef;
use crate::domain::target::read_fingerprint;
use crate::vsphere::{Client, Node};

use super::deeds::{HOST_KEY, option_of};

const PATHS: [&str; 4] = ["guest.toolsRunningStatus", "guest.net", "guest.ipAddress", "config.extraConfig"];

/// A guest as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::jobs) struct GuestNow {
    /// Whether VMware Tools run.
    pub(in crate::jobs) tools_run: bool,
    /// The addresses of each NIC, with its MAC address.
    nics: Vec<(String, Vec<IpAddr>)>,
    /// Its first address, whichever NIC has it.
    first: Option<IpAddr>,
    /// What it published as its host key, with the number in front.
    told: Option<String>,
    /// Whether its vCenter runs on this very machine. Then it is a simulated one, and so are its guests: the only addresses
    /// that they can have are this machine's own.
    near: bool,
}

impl GuestNow {
    pub(in crate::jobs) async fn read(client: &Client, vm: &VmRef) -> Result<Self, Failure> {
        let found = client.properties(vm, VmRef::KIND, &PATHS).await?;
        let nic = |node: &Node| {
            let of_config = node.child("ipConfig").into_iter().flat_map(|config| config.all("ipAddress"));
            let texts: Vec<&str> = match node.child("ipConfig") {
                Some(_) => of_config.filter_map(|address| address.text_at("ipAddress")).collect(),
                None => node.all("ipAddress").map(Node::text).collect(),
            };
            Some((
                node.string_at("macAddress")?,
                texts.into_iter().filter_map(|text| text.parse().ok()).collect(),
            ))
        };
        Ok(Self {
            tools_run: found.text("guest.toolsRunningStatus") == Some("guestToolsRunning"),
            nics: found
                .get("guest.net")
                .map(|net| net.children().iter().filter_map(nic).collect())
                .unwrap_or_default(),
            first: found.text("guest.ipAddress").and_then(|text| text.parse().ok()),
            told: option_of(&found, HOST_KEY),
            near: is_near(client.server()),
        })
    }

    /// The first address of the NIC with this MAC address that others can reach. A guest whose NICs are not told has its
    /// first address alone.
    pub(in crate::jobs) fn usable(&self, mac: Option<&str>) -> Option<IpAddr> {
        let own = |of: &str| mac.is_some_and(|mac| mac.eq_ignore_ascii_case(of));
        let is_usable = |address: &IpAddr| is_usable(address) || (self.near && address.is_loopback());
        if self.nics.is_empty() {
            return self.first.filter(is_usable);
        }
        let mut all: Vec<IpAddr> = self
            .nics
            .iter()
            .filter(|(of, _)| mac.is_none() || own(of))
            .flat_map(|(_, addresses)| addresses.iter().copied())
            .filter(is_usable)
            .collect();
        // IPv4 first: it is what hosts mount by.
        all.sort_by_key(IpAddr::is_ipv6);
        all.first().copied()
    }

    /// All addresses, for a message.
    pub(in crate::jobs) fn addresses(&self) -> Vec<IpAddr> {
        let all = self.nics.iter().flat_map(|(_, addresses)| addresses.iter().copied());
        let mut all: Vec<IpAddr> = all.chain(self.first).collect();
        all.sort();
        all.dedup();
        all
    }

    /// The fingerprint that the guest published since it was given this number. What carries another number is from an
    /// earlier life of the template, or from nobody knows where.
    pub(super) fn host_key(&self, nonce: &str) -> Option<String> {
        let (number, print) = self.told.as_deref()?.split_once(' ')?;
        (number == nonce).then(|| read_fingerprint(print)).flatten()
    }
}

/// Whether a server, as `host:port`, is at a loopback address.
fn is_near(server: &str) -> bool {
    let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether others can reach it: not link-local (169.254/16 is what a guest gives itself where no DHCP server answers), not
/// its own loopback, not a group.
fn is_usable(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            !(v4.is_link_local() || v4.is_loopback() || v4.is_unspecified() || v4.is_multicast())
        }
        IpAddr::V6(v6) => {
            !(v6.is_unicast_link_local() || v6.is_loopback() || v6.is_unspecified() || v6.is_multicast())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(nics: &[(&str, &[&str])]) -> GuestNow {
        let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let nics = nics.iter().map(|(mac, texts)| ((*mac).to_owned(), read(texts))).collect();
        GuestNow { nics, ..GuestNow::default() }
    }

    #[test]
    fn the_address_is_that_of_the_nic_that_was_configured() {
        let guest = guest(&[
            ("02:42:ac:11:00:01", &["172.17.0.1"]),
            ("00:50:56:00:00:01", &["fe80::1", "fd00::5", "10.0.0.5", "10.0.0.6"]),
        ]);
        assert_eq!(guest.usable(Some("00:50:56:00:00:01")).unwrap().to_string(), "10.0.0.5");
        assert_eq!(guest.usable(Some("00:50:56:00:00:02")), None, "another NIC's address is not ours");
    }

    #[test]
    fn addresses_that_nobody_else_reaches_do_not_count() {
        for text in ["169.254.3.4", "fe80::1", "127.0.0.1", "::1", "0.0.0.0", "224.0.0.1"] {
            assert_eq!(guest(&[("m", &[text])]).usable(Some("m")), None, "{text}");
        }
        let near = GuestNow { near: true, ..guest(&[("m", &["127.0.0.9"])]) };
        assert_eq!(near.usable(Some("m")).unwrap().to_string(), "127.0.0.9", "of a simulated vCenter");
        let near = GuestNow { near: true, ..guest(&[("m", &["169.254.3.4"])]) };
        assert_eq!(near.usable(Some("m")), None, "link-local is nowhere an address");
        assert!(
            is_near("127.0.0.1:8989")
                && is_near("[::1]:443")
                && !is_near("10.0.0.1:443")
                && !is_near("vc:443")
        );
        let alone = GuestNow { first: Some("10.0.0.9".parse().unwrap()), ..GuestNow::default() };
        assert_eq!(alone.usable(Some("m")).unwrap().to_string(), "10.0.0.9");
    }

    #[test]
    fn a_host_key_counts_only_with_the_number_of_this_deployment() {
        let print = format!("SHA256:{}", "A".repeat(43));
        let told = |text: String| GuestNow { told: Some(text), ..GuestNow::default() };
        assert_eq!(told(format!("0badc0de {print}")).host_key("0badc0de"), Some(print.clone()));
        assert_eq!(told(format!("0badc0df {print}")).host_key("0badc0de"), None);
        assert_eq!(told(print.clone()).host_key("0badc0de"), None);
        assert_eq!(told("0badc0de nonsense".to_owned()).host_key("0badc0de"), None);
        assert_eq!(GuestNow::default().host_key("0badc0de"), None);
    }
}
