//! A vCenter, or a single ESXi host, as an endpoint to talk to.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{SecretId, VcenterDraftId, VcenterId};
use super::thumbprint::{ServerCertificate, Thumbprint};

/// The port of vSphere's API unless said otherwise.
pub const DEFAULT_PORT: u16 = 443;

/// Which server certificate is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", content = "thumbprint", rename_all = "snake_case")]
pub enum Trust {
    /// This one alone, whoever signed it: a person has compared it.
    Pinned(Thumbprint),
    /// One with a chain to a root that this machine trusts, for this very host name.
    System,
}

/// Where a vCenter answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VcenterAddress {
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// A host name that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host name or address")]
pub struct NotAHost(pub String);

impl VcenterAddress {
    /// The address with this host and port.
    ///
    /// # Errors
    /// If the host is empty or has characters that neither names nor addresses have.
    pub fn new(host: &str, port: u16) -> Result<Self, NotAHost> {
        let bare = host.trim().trim_start_matches('[').trim_end_matches(']');
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if bare.is_empty() || bare.len() > 253 || !bare.chars().all(known) || port == 0 {
            return Err(NotAHost(host.to_owned()));
        }
        Ok(Self { host: bare.to_owned(), port })
    }
}

impl fmt::Display for VcenterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.port {
            DEFAULT_PORT => f.write_str(&host),
            port => write!(f, "{host}:{port}"),
        }
    }
}

/// What kind of server answers, as it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiKind {
    /// A vCenter.
    VirtualCenter,
    /// A single ESXi host: without clone, customisation and Storage vMotion.
    HostAgent,
}

/// What a server says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// vCenter or ESXi.
    pub kind: ApiKind,
    /// Its name, version and build, such as `VMware vCenter Server 8.0.2 build-22617221`.
    pub full_name: String,
    /// Its version, such as `8.0.2`.
    pub version: String,
    /// The version of its API, such as `8.0.2.0`.
    pub api_version: String,
    /// Which vCenter it is; a single host has none.
    pub instance_uuid: Option<String>,
}

/// A connection as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vcenter {
    /// Its id.
    pub id: VcenterId,
    /// What people call it; no other connection has this name.
    pub name: String,
    /// Where it answers.
    pub address: VcenterAddress,
    /// Who logs in.
    pub username: String,
    /// Where the password is sealed.
    pub password: SecretId,
    /// Which certificate is accepted.
    pub trust: Trust,
    /// What the server said about itself last; none before the first contact.
    pub about: Option<About>,
    /// When its inventory was last read in full.
    pub synced_at: Option<Timestamp>,
    /// Why the last contact failed; none after a good one.
    pub last_error: Option<String>,
    /// When the connection was made.
    pub created_at: Timestamp,
}

/// What is known of a connection's certificates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Certificates {
    /// The accepted one; none where that was not looked at yet.
    pub accepted: Option<ServerCertificate>,
    /// The one that was refused last; none after a contact that worked.
    pub refused: Option<ServerCertificate>,
}

/// How many objects a vCenter has that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct InventoryCounts {
    /// Virtual machines, without templates.
    pub vms: u64,
    /// Templates.
    pub templates: u64,
    /// Hosts.
    pub hosts: u64,
    /// Datastores.
    pub datastores: u64,
    /// Networks.
    pub networks: u64,
}

/// A connection that somebody is making or changing, kept while they compare the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VcenterDraft {
    /// Its id.
    pub id: VcenterDraftId,
    /// Who began it: nobody else may go on with it.
    pub owner: String,
    /// The connection that is changed; none: a new one.
    pub vcenter: Option<VcenterId>,
    /// What people will call it.
    pub name: String,
    /// Where it answers.
    pub address: VcenterAddress,
    /// Who logs in.
    pub username: String,
    /// Where the password is sealed.
    pub password: SecretId,
    /// What is to be compared.
    pub certificate: ServerCertificate,
    /// When it was begun.
    pub created_at: Timestamp,
}

/// How following a vCenter's changes stands, in this process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamStatus {
    /// Which connection.
    pub vcenter: VcenterId,
    /// How its stream of changes stands.
    pub state: StreamState,
    /// When a change was last written into the inventory; none since the process began.
    pub last_change: Option<Timestamp>,
}

/// How a stream of changes stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StreamState {
    /// Logging in, and asking for the stream.
    Connecting {
        /// Since when.
        since: Timestamp,
    },
    /// The stream stands; everything is being read once.
    Reading {
        /// Since when.
        since: Timestamp,
    },
    /// What changes there is in the inventory at once.
    Following {
        /// Since when.
        since: Timestamp,
    },
    /// It was lost, or could not be had: what is known may be out of date.
    Lost {
        /// When.
        since: Timestamp,
        /// Why, in the words that an operator reads.
        because: String,
        /// What to do about it.
        advice: Option<String>,
        /// When it is tried again by itself.
        next_try: Timestamp,
    },
}

impl StreamState {
    /// The word by which it is known: `connecting`, `reading`, `following` or `lost`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Connecting { .. } => "connecting",
            Self::Reading { .. } => "reading",
            Self::Following { .. } => "following",
            Self::Lost { .. } => "lost",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_as_a_person_writes_it() {
        let shown = |host, port| VcenterAddress::new(host, port).map(|one| one.to_string());
        assert_eq!(shown("vc-a.example", 443).unwrap(), "vc-a.example");
        assert_eq!(shown(" 10.0.0.1 ", 8443).unwrap(), "10.0.0.1:8443");
        assert_eq!(shown("[fd00::1]", 443).unwrap(), "[fd00::1]");
        for wrong in ["", "a b", "a/b", "user@host", "https://vc"] {
            assert!(shown(wrong, 443).is_err(), "{wrong}");
        }
    }
}
