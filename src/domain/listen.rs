//! Where a server listens, and whether it speaks TLS, as a person writes it.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Address and port. Port 0 means any free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress(pub SocketAddr);

impl Default for ListenAddress {
    /// Every address of this machine, port 8443.
    fn default() -> Self {
        Self(SocketAddr::from(([0, 0, 0, 0], 8443)))
    }
}

/// Not an address with a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address to listen on; write ADDRESS:PORT, for example 0.0.0.0:8443 or [::1]:8443")]
pub struct BadListenAddress(String);

impl FromStr for ListenAddress {
    type Err = BadListenAddress;
    fn from_str(text: &str) -> Result<Self, BadListenAddress> {
        // The one name that everybody writes, and that no name server is needed for.
        let named = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        let address = named.as_deref().unwrap_or(text).parse();
        address.map(Self).map_err(|_| BadListenAddress(text.to_owned()))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a server speaks TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// Yes: with the certificate that is given, else with one that is made.
    #[default]
    Auto,
    /// No: a proxy on the same machine does.
    Off,
}

/// Not one of the two.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not auto or off")]
pub struct BadTlsMode(String);

impl FromStr for TlsMode {
    type Err = BadTlsMode;
    fn from_str(text: &str) -> Result<Self, BadTlsMode> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            other => Err(BadTlsMode(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_to_listen_on_has_a_port() {
        assert_eq!("127.0.0.1:0".parse::<ListenAddress>().unwrap().to_string(), "127.0.0.1:0");
        assert_eq!("localhost:8443".parse::<ListenAddress>().unwrap().to_string(), "127.0.0.1:8443");
        assert_eq!("[::1]:443".parse::<ListenAddress>().unwrap().to_string(), "[::1]:443");
        let error = "8443".parse::<ListenAddress>().unwrap_err().to_string();
        assert!(error.contains("ADDRESS:PORT"), "{error}");
        assert!("on".parse::<TlsMode>().unwrap_err().to_string().contains("auto or off"));
    }
}
