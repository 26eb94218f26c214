//! What is wrong with a recovery plan in itself, whatever the DR site has.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{
    BootCheck, BootProof, GuestAddress, LEAST_LIMIT_SECONDS, MOST_DELAY_SECONDS, MOST_DNS,
    MOST_LIMIT_SECONDS, MOST_NAME, MOST_NOTES, MOST_PROMPT, MOST_TIERS, MappedNetwork, PlanVm, RecoveryPlan,
};
use crate::domain::ids::ProtectedVmId;
use crate::domain::networks::Network;

/// Why a plan is refused. The message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanFault {
    /// No tier at all.
    #[error("a plan has at least one tier")]
    NoTier,
    /// Too many.
    #[error("a plan has at most {MOST_TIERS} tiers; this one has {0}")]
    TooManyTiers(usize),
    /// A tier without a name, or with one that is too long.
    #[error("the name of tier {tier} has 1 to {MOST_NAME} characters, all of them printable")]
    TierName {
        /// Its number.
        tier: usize,
    },
    /// Two tiers with one name.
    #[error("two tiers are called {0:?}: give one of them another name")]
    SameTierName(String),
    /// A delay that is too long.
    #[error("a delay is at most {MOST_DELAY_SECONDS} seconds; {0} is too long")]
    Delay(u32),
    /// One virtual machine in two places.
    #[error("virtual machine {0} stands in the plan twice: leave it in one tier")]
    Twice(ProtectedVmId),
    /// A virtual machine of another group, or of none.
    #[error("virtual machine {0} is not in this group: take it out of the plan")]
    NotInGroup(ProtectedVmId),
    /// A time limit that makes no sense.
    #[error("the time limit of a check is {LEAST_LIMIT_SECONDS} to {MOST_LIMIT_SECONDS} seconds, not {0}")]
    Limit(u32),
    /// Port 0.
    #[error("a TCP port is 1 to 65535")]
    Port,
    /// One card twice.
    #[error("the network card with the key {0} is named twice")]
    CardTwice(i32),
    /// A prefix that the address cannot have, or that leaves no room for hosts to speak.
    #[error("{address} cannot have the prefix {prefix}: it is 1 to {most}")]
    Prefix {
        /// The address.
        address: IpAddr,
        /// What was given.
        prefix: u8,
        /// The most for that kind of address.
        most: u8,
    },
    /// An address that no guest can have.
    #[error("{0} is no address of a network card")]
    NotAHost(IpAddr),
    /// A network's or broadcast address.
    #[error("{address} is the {what} address of {network}, which no guest can have")]
    NotInside {
        /// The address.
        address: IpAddr,
        /// `network` or `broadcast`.
        what: &'static str,
        /// The network.
        network: Network,
    },
    /// A gateway elsewhere.
    #[error("the gateway {gateway} is not in {network}, the network of {address}")]
    Gateway {
        /// The gateway.
        gateway: IpAddr,
        /// The network.
        network: Network,
        /// The address.
        address: IpAddr,
    },
    /// The gateway is the guest.
    #[error("{0} cannot be its own gateway")]
    OwnGateway(IpAddr),
    /// Too many name servers.
    #[error("a network card has at most {MOST_DNS} name servers")]
    TooManyDns,
    /// Notes that are too long.
    #[error("notes have at most {MOST_NOTES} characters")]
    Notes,
    /// A prompt that is too long.
    #[error("what a person is asked has at most {MOST_PROMPT} characters")]
    Prompt,
    /// A network without key or reference.
    #[error(
        "a map names each network: the one at the source by its key, the one at the DR site by its id and name"
    )]
    Network,
}

impl RecoveryPlan {
    /// Everything that is wrong with it, each with its place in the JSON form (`tiers[0].vms[2].check.limit_seconds`). `known`
    /// are the virtual machines that may be named.
    pub fn faults(&self, known: &BTreeSet<ProtectedVmId>) -> Vec<(String, PlanFault)> {
        let mut found = Found(Vec::new());
        match self.tiers.len() {
            0 => found.add("tiers", PlanFault::NoTier),
            count if count > MOST_TIERS => found.add("tiers", PlanFault::TooManyTiers(count)),
            _ => {}
        }
        found.check("defaults", &self.defaults);
        found.text("notes", &self.notes, MOST_NOTES, PlanFault::Notes);
        let (mut names, mut seen) = (BTreeSet::new(), BTreeSet::new());
        for (index, tier) in self.tiers.iter().enumerate() {
            let at = format!("tiers[{index}]");
            if !is_name(&tier.name) {
                found.add(format!("{at}.name"), PlanFault::TierName { tier: index + 1 });
            } else if !names.insert(tier.name.trim().to_lowercase()) {
                found.add(format!("{at}.name"), PlanFault::SameTierName(tier.name.clone()));
            }
            found.delay(format!("{at}.delay_after_seconds"), tier.delay_after_seconds);
            for (place, vm) in tier.vms.iter().enumerate() {
                let at = format!("{at}.vms[{place}]");
                if !seen.insert(vm.vm) {
                    found.add(format!("{at}.vm"), PlanFault::Twice(vm.vm));
                }
                if !known.contains(&vm.vm) {
                    found.add(format!("{at}.vm"), PlanFault::NotInGroup(vm.vm));
                }
                found.vm(&at, vm);
            }
        }
        for (purpose, map) in [("test", &self.networks.test), ("real", &self.networks.real)] {
            for (source, target) in map {
                let named = |text: &str| !text.trim().is_empty() && !text.chars().any(char::is_control);
                let is_named = match target {
                    MappedNetwork::Disconnected => true,
                    MappedNetwork::Network { id, name } => named(id) && named(name),
                };
                if !named(source) || !is_named {
                    found.add(format!("networks.{purpose}"), PlanFault::Network);
                }
            }
        }
        found.0
    }
}

impl GuestAddress {
    /// What is wrong with it in itself.
    pub fn faults(&self) -> Vec<PlanFault> {
        let Self::Static { address, prefix, gateway, dns } = self else { return Vec::new() };
        let mut found = Vec::new();
        if !is_host(*address) {
            found.push(PlanFault::NotAHost(*address));
        }
        match Network::of(*address, *prefix).filter(|network| network.bits() > 0) {
            None => {
                let most = if address.is_ipv4() { 32 } else { 128 };
                found.push(PlanFault::Prefix { address: *address, prefix: *prefix, most });
            }
            Some(network) => {
                if let Some(what) = network.not_a_host(*address) {
                    found.push(PlanFault::NotInside { address: *address, what, network });
                }
                if let Some(gateway) = gateway {
                    if gateway == address {
                        found.push(PlanFault::OwnGateway(*address));
                    } else if !network.contains(*gateway) && !is_link_local_router(*gateway) {
                        found.push(PlanFault::Gateway { gateway: *gateway, network, address: *address });
                    }
                }
            }
        }
        found.extend(dns.iter().filter(|one| one.is_unspecified()).map(|one| PlanFault::NotAHost(*one)));
        if dns.len() > MOST_DNS {
            found.push(PlanFault::TooManyDns);
        }
        found
    }
}

/// An address that a network card may have for others to reach it.
fn is_host(address: IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !address.is_unspecified() && !address.is_loopback() && !address.is_multicast() && !is_broadcast
}

/// Routers of IPv6 are known by link-local addresses (RFC 4861, 6.1.2), which lie in no network of the card.
fn is_link_local_router(gateway: IpAddr) -> bool {
    matches!(gateway, IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfe80)
}

fn is_name(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().count() <= MOST_NAME && !text.chars().any(char::is_control)
}

struct Found(Vec<(String, PlanFault)>);

impl Found {
    fn add(&mut self, at: impl Into<String>, fault: PlanFault) {
        self.0.push((at.into(), fault));
    }

    fn delay(&mut self, at: String, seconds: u32) {
        if seconds > MOST_DELAY_SECONDS {
            self.add(at, PlanFault::Delay(seconds));
        }
    }

    fn text(&mut self, at: impl Into<String>, text: &str, most: usize, fault: PlanFault) {
        if text.chars().count() > most {
            self.add(at, fault);
        }
    }

    fn check(&mut self, at: &str, check: &BootCheck) {
        if !(LEAST_LIMIT_SECONDS..=MOST_LIMIT_SECONDS).contains(&check.limit_seconds) {
            self.add(format!("{at}.limit_seconds"), PlanFault::Limit(check.limit_seconds));
        }
        if check.proof == (BootProof::TcpPort { port: 0 }) {
            self.add(format!("{at}.proof.port"), PlanFault::Port);
        }
    }

    fn vm(&mut self, at: &str, vm: &PlanVm) {
        if let Some(check) = &vm.check {
            self.check(&format!("{at}.check"), check);
        }
        self.delay(format!("{at}.delay_before_seconds"), vm.delay_before_seconds);
        self.text(format!("{at}.prompt_before"), &vm.prompt_before, MOST_PROMPT, PlanFault::Prompt);
        self.text(format!("{at}.prompt_after"), &vm.prompt_after, MOST_PROMPT, PlanFault::Prompt);
        self.text(format!("{at}.notes"), &vm.notes, MOST_NOTES, PlanFault::Notes);
        let mut keys = BTreeSet::new();
        for (index, nic) in vm.nics.iter().enumerate() {
            let at = format!("{at}.nics[{index}]");
            if !keys.insert(nic.key) {
                self.add(format!("{at}.key"), PlanFault::CardTwice(nic.key));
            }
            for fault in nic.address.faults() {
                self.add(format!("{at}.address"), fault);
            }
        }
    }
}
