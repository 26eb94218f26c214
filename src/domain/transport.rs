//! How a stream travels from one host to another.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::endpoint::{Endpoint, EndpointError};

/// Which way is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// From host to host where that can be, else through this host.
    #[default]
    Auto,
    /// Through this host.
    Relay,
    /// From host to host, or not at all.
    Direct,
}

/// `HOST[:PORT]`: what one host dials to reach another, where that is not what this host dials. Without a port it
/// is that of SSH, 22.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dial {
    /// Name or address; an IPv6 address without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Dial {
    /// Whether it means the host itself that dials it.
    pub fn is_loopback(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        address.is_ok_and(|address| address.is_loopback()) || self.host.eq_ignore_ascii_case("localhost")
    }
}

impl From<&Endpoint> for Dial {
    fn from(endpoint: &Endpoint) -> Self {
        Self { host: endpoint.host.clone(), port: endpoint.port }
    }
}

impl FromStr for Dial {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if text.contains('@') {
            // Who logs in is said with the destination.
            return Err(EndpointError::Host { host: text.to_owned() });
        }
        let Endpoint { host, port, .. } = Endpoint::parse(text, "user")?;
        Ok(Self { host, port })
    }
}

impl fmt::Display for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl Serialize for Dial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Dial {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_it_is_shown_and_its_port_is_that_of_ssh() {
        for (text, shown) in [
            ("10.77.0.12", "10.77.0.12:22"),
            ("nas-b.example.org:2222", "nas-b.example.org:2222"),
            ("[fd00::2]:2222", "[fd00::2]:2222"),
            ("fd00::2", "[fd00::2]:22"),
        ] {
            let dial: Dial = text.parse().unwrap();
            assert_eq!(dial.to_string(), shown);
            assert_eq!(shown.parse::<Dial>().unwrap(), dial);
        }
        for text in ["", "-oProxyCommand=x", "root@nas", "nas:0", "a b", "nas/x", "nas;reboot"] {
            assert!(text.parse::<Dial>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_address_that_means_the_dialling_host_itself_is_known() {
        let loopback = |text: &str| text.parse::<Dial>().unwrap().is_loopback();
        assert!(loopback("127.0.0.1:40001") && loopback("[::1]:22") && loopback("LOCALHOST"));
        assert!(!loopback("10.77.0.12") && !loopback("localhost.example.org"));
    }
}
