//! Where an SSH server is and who logs in there.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The port of SSH (RFC 4253, section 4.2).
pub const SSH_PORT: u16 = 22;

/// `user@host:port` of an SSH server.
///
/// A host is a name or an address of `[A-Za-z0-9_.:%-]` that does not begin with `-`; IPv6 addresses are kept
/// without their brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// The account that logs in.
    pub user: String,
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Why a text is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// No account in front of the host.
    #[error("{text:?} names no user: write user@host")]
    NoUser {
        /// What was given.
        text: String,
    },
    /// The account is not one.
    #[error("{user:?} is not a user name")]
    User {
        /// What was given.
        user: String,
    },
    /// The host is not one.
    #[error("{host:?} is not a host name or address")]
    Host {
        /// What was given.
        host: String,
    },
    /// The port is not one.
    #[error("{port:?} is not a port: a number from 1 to 65535 is needed")]
    Port {
        /// What was given.
        port: String,
    },
    /// `ssh://…/path`: an endpoint has no path.
    #[error("{text:?} has a path after the host")]
    Path {
        /// What was given.
        text: String,
    },
}

impl Endpoint {
    /// Checks the parts and keeps them.
    ///
    /// # Errors
    /// If user or host has a character that none has, or the port is 0.
    pub fn new(user: &str, host: &str, port: u16) -> Result<Self, EndpointError> {
        let user_ok = |c: char| !c.is_control() && !c.is_whitespace() && !"@:/'\"`".contains(c);
        if user.is_empty() || user.starts_with('-') || !user.chars().all(user_ok) {
            return Err(EndpointError::User { user: user.to_owned() });
        }
        let address = host.split('%').next().unwrap_or(host);
        let named = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let is_name = !host.is_empty() && !host.starts_with('-') && host.chars().all(named);
        let is_v6 = address.parse::<Ipv6Addr>().is_ok()
            && host[address.len()..].chars().all(|c| named(c) || c == '%');
        if !is_name && !is_v6 {
            return Err(EndpointError::Host { host: host.to_owned() });
        }
        if port == 0 {
            return Err(EndpointError::Port { port: "0".to_owned() });
        }
        Ok(Self { user: user.to_owned(), host: host.to_owned(), port })
    }

    /// Reads `host`, `user@host`, `user@host:port`, `user@[v6]:port` or `ssh://…` of these; `default_user` logs in
    /// where none is named.
    ///
    /// # Errors
    /// If the text is none of these.
    pub fn parse(text: &str, default_user: &str) -> Result<Self, EndpointError> {
        let rest = match text.strip_prefix("ssh://") {
            Some(rest) => rest.strip_suffix('/').unwrap_or(rest),
            None => text,
        };
        if rest.contains('/') {
            return Err(EndpointError::Path { text: text.to_owned() });
        }
        let (user, place) = rest.rsplit_once('@').unwrap_or((default_user, rest));
        let (host, port) = split_port(place)?;
        Self::new(user, host, port)
    }
}

fn split_port(place: &str) -> Result<(&str, u16), EndpointError> {
    let number = |port: &str| port.parse().map_err(|_| EndpointError::Port { port: port.to_owned() });
    let no_host = || EndpointError::Host { host: place.to_owned() };
    if let Some(bracketed) = place.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or_else(no_host)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, number(port)?)),
            None if after.is_empty() => Ok((host, SSH_PORT)),
            None => Err(no_host()),
        };
    }
    match place.split_once(':') {
        // More than one colon without brackets is an IPv6 address without a port.
        Some((_, rest)) if rest.contains(':') => Ok((place, SSH_PORT)),
        Some((host, port)) => Ok((host, number(port)?)),
        None => Ok((place, SSH_PORT)),
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// As [`Endpoint::parse`], but the user has to be named.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if !text.contains('@') {
            return Err(EndpointError::NoUser { text: text.to_owned() });
        }
        Self::parse(text, "")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, port } = self;
        if host.contains(':') {
            write!(f, "{user}@[{host}]:{port}")
        } else {
            write!(f, "{user}@{host}:{port}")
        }
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, EndpointError> {
        Endpoint::parse(text, "me").map(|endpoint| endpoint.to_string())
    }

    #[test]
    fn every_usual_way_to_write_an_endpoint_is_understood() {
        assert_eq!(read("host").unwrap(), "me@host:22");
        assert_eq!(read("root@nas-1.example.org").unwrap(), "root@nas-1.example.org:22");
        assert_eq!(read("root@10.0.0.1:2201").unwrap(), "root@10.0.0.1:2201");
        assert_eq!(read("ssh://root@host:2201/").unwrap(), "root@host:2201");
        assert_eq!(read("root@[2001:db8::1]:2201").unwrap(), "root@[2001:db8::1]:2201");
        assert_eq!(read("root@2001:db8::1").unwrap(), "root@[2001:db8::1]:22");
        assert_eq!(read("root@[fe80::1%eth0]").unwrap(), "root@[fe80::1%eth0]:22");
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        for text in ["a@b:1", "root@[::1]:22", "x@192.0.2.1:65535"] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), text);
            let json = serde_json::to_string(&endpoint).unwrap();
            assert_eq!(serde_json::from_str::<Endpoint>(&json).unwrap(), endpoint);
        }
    }

    #[test]
    fn what_could_be_taken_for_an_option_or_a_command_is_refused() {
        for text in
            ["-oProxyCommand=x@host", "root@-host", "root@ho st", "root@a;b", "root@", "@host", "a b@c"]
        {
            assert!(read(text).is_err(), "{text:?}");
        }
        assert!(matches!(read("root@host:0"), Err(EndpointError::Port { .. })));
        assert!(matches!(read("root@host:99999"), Err(EndpointError::Port { .. })));
        assert!(matches!(read("root@host:"), Err(EndpointError::Port { .. })));
        assert!(matches!(read("ssh://root@host/tank"), Err(EndpointError::Path { .. })));
        assert!(matches!(read("root@[::1"), Err(EndpointError::Host { .. })));
        assert!(matches!("host".parse::<Endpoint>(), Err(EndpointError::NoUser { .. })));
    }
}
