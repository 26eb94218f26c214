//! The SHA-256 of a certificate, by which it is pinned, and what a person is shown of it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The SHA-256 of a certificate's DER encoding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// The thumbprint with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Two upper-case digits per byte, with colons, as vCenter's own pages show it.
impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if number == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is no SHA-256 thumbprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no SHA-256 thumbprint: 32 bytes in hexadecimal, with or without colons")]
pub struct NotAThumbprint(pub String);

/// With or without colons, in either case, with or without `SHA256:` in front.
impl FromStr for Thumbprint {
    type Err = NotAThumbprint;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotAThumbprint(text.to_owned());
        let trimmed = text.trim();
        let rest = match trimmed.get(..7) {
            Some(prefix) if prefix.eq_ignore_ascii_case("SHA256:") => &trimmed[7..],
            _ => trimmed,
        };
        let digits: Vec<u32> = rest
            .chars()
            .filter(|c| *c != ':')
            .map(|c| c.to_digit(16))
            .collect::<Option<_>>()
            .ok_or_else(wrong)?;
        if digits.len() != 64 {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::try_from(pair[0] * 16 + pair[1]).map_err(|_large| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Thumbprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a person compares before a certificate is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerCertificate {
    /// Its SHA-256.
    pub thumbprint: Thumbprint,
    /// Whose it says it is, such as `CN=vc-a.example, O=Example`.
    pub subject: String,
    /// When it expires; `None` if that cannot be read.
    pub not_after: Option<Timestamp>,
}

/// The certificate that this server shows to browsers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// What it says.
    pub certificate: ServerCertificate,
    /// Made by Zerfaux itself, which makes another one at a start shortly before it expires.
    pub self_signed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_reads_back_however_it_was_written() {
        let bytes: [u8; 32] = std::array::from_fn(|n| u8::try_from(n * 8).unwrap());
        let shown = Thumbprint::from_bytes(bytes).to_string();
        assert!(shown.starts_with("00:08:10:18") && shown.ends_with(":F8"), "{shown}");
        for text in [shown.clone(), shown.replace(':', ""), shown.to_lowercase(), format!("SHA256:{shown}")] {
            assert_eq!(text.parse(), Ok(Thumbprint::from_bytes(bytes)), "{text}");
        }
        for text in ["", "AA", "zz", &shown[3..], &format!("{shown}00"), "SHA256:"] {
            assert!(text.parse::<Thumbprint>().is_err(), "{text}");
        }
    }
}
