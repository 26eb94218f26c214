//! Networks whose hosts may do something: mount an export.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One or several networks, in the order in which they were given, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

/// A network: an address and how many of its first bits count (RFC 4632, RFC 4291).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Why a text is no list of networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotNetworks {
    /// Nothing was given.
    #[error("no network is named: write for example 10.0.0.0/8")]
    Empty,
    /// Neither an address nor `ADDRESS/BITS`.
    #[error("{0:?} is no network: write an address, or one with its prefix as in 10.0.0.0/8")]
    Form(String),
    /// The address has bits beyond the prefix.
    #[error("{given} has bits set beyond its prefix: did you mean {meant}?")]
    Host {
        /// What was given.
        given: String,
        /// The network that it lies in.
        meant: Network,
    },
}

impl Network {
    /// Whether this address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => same_bits(own.octets(), other.octets(), self.bits),
            (IpAddr::V6(own), IpAddr::V6(other)) => same_bits(own.octets(), other.octets(), self.bits),
            _ => false,
        }
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits count.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// The network of this size that the address lies in; none if such an address has no so many bits.
    pub fn of(address: IpAddr, bits: u8) -> Option<Self> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        (bits <= most).then(|| Self::around(address, bits))
    }

    /// Why an address in it is no host's: the `network` or `broadcast` address of IPv4 (RFC 1122, 3.2.1.3). Networks of one or
    /// two addresses have neither (RFC 3021).
    pub fn not_a_host(&self, address: IpAddr) -> Option<&'static str> {
        let (IpAddr::V4(own), IpAddr::V4(other)) = (self.address, address) else { return None };
        if self.bits >= 31 || !self.contains(address) {
            return None;
        }
        let last = u32::from(own) | (u32::MAX >> self.bits);
        match u32::from(other) {
            first if first == u32::from(own) => Some("network"),
            other if other == last => Some("broadcast"),
            _ => None,
        }
    }

    /// The network of this size that the address lies in.
    fn around(address: IpAddr, bits: u8) -> Self {
        let address = match address {
            IpAddr::V4(v4) => IpAddr::from(masked(v4.octets(), bits)),
            IpAddr::V6(v6) => IpAddr::from(masked(v6.octets(), bits)),
        };
        Self { address, bits }
    }
}

fn masked<const N: usize>(mut octets: [u8; N], bits: u8) -> [u8; N] {
    for (index, octet) in (0u16..).zip(octets.iter_mut()) {
        let left = u16::from(bits).saturating_sub(index * 8).min(8);
        *octet &= (0xff00u16 >> left).to_le_bytes()[0];
    }
    octets
}

fn same_bits<const N: usize>(one: [u8; N], other: [u8; N], bits: u8) -> bool {
    masked(one, bits) == masked(other, bits)
}

impl FromStr for Network {
    type Err = NotNetworks;
    fn from_str(text: &str) -> Result<Self, NotNetworks> {
        let form = || NotNetworks::Form(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => {
                // `+8` and `08` would be read as numbers.
                let plain = bits.len() <= 3 && bits.chars().all(|c| c.is_ascii_digit());
                let bits = bits.parse::<u8>().ok().filter(|_| plain);
                (address, Some(bits.ok_or_else(form)?))
            }
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| form())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return Err(form());
        }
        let meant = Self::around(address, bits);
        if meant.address != address {
            return Err(NotNetworks::Host { given: text.to_owned(), meant });
        }
        Ok(meant)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Networks {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Network> {
        self.0.iter()
    }

    /// Whether this address lies in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl FromStr for Networks {
    type Err = NotNetworks;
    /// Reads networks with commas or spaces between them.
    fn from_str(text: &str) -> Result<Self, NotNetworks> {
        let mut all: Vec<Network> = Vec::new();
        for word in text.split([',', ' ', '\t', '\n', '\r', ';']).filter(|word| !word.is_empty()) {
            let network = word.parse()?;
            if !all.contains(&network) {
                all.push(network);
            }
        }
        if all.is_empty() { Err(NotNetworks::Empty) } else { Ok(Self(all)) }
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, network) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            network.fmt(f)?;
        }
        Ok(())
    }
}

impl Serialize for Networks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, NotNetworks> {
        text.parse::<Networks>().map(|networks| networks.to_string())
    }

    #[test]
    fn networks_are_read_as_people_write_them_and_shown_in_one_way() {
        assert_eq!(read("10.0.0.0/8").unwrap(), "10.0.0.0/8");
        assert_eq!(read(" 10.0.0.0/8, 192.168.7.0/24 10.0.0.0/8").unwrap(), "10.0.0.0/8,192.168.7.0/24");
        assert_eq!(read("10.1.2.3").unwrap(), "10.1.2.3/32");
        assert_eq!(read("0.0.0.0/0").unwrap(), "0.0.0.0/0");
        assert_eq!(read("fd00::/8;fd00::1").unwrap(), "fd00::/8,fd00::1/128");
    }

    #[test]
    fn what_is_no_network_is_refused_and_a_slip_is_named() {
        for text in [
            "",
            " , ",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "*",
            "all",
            "10.0.0.0/8/9",
            "a/8",
            "fd00::/129",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
        let slip = read("10.1.2.3/8").unwrap_err();
        assert_eq!(slip.to_string(), "10.1.2.3/8 has bits set beyond its prefix: did you mean 10.0.0.0/8?");
    }

    #[test]
    fn an_address_lies_in_a_network_or_does_not() {
        let networks: Networks = "10.0.0.0/9,fd00::/8".parse().unwrap();
        let lies = |text: &str| networks.contains(text.parse().unwrap());
        assert!(lies("10.127.255.255") && lies("fd12::1"));
        assert!(!lies("10.128.0.0") && !lies("11.0.0.1") && !lies("fe80::1") && !lies("::ffff:10.0.0.1"));
    }
}
