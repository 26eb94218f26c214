//! An appliance: a host with OpenZFS and an NFS server, reached over SSH. The API calls it a target.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::endpoint::Endpoint;
use super::ids::{JobId, SecretId, SshKeyId, TargetId, VcenterId};
use super::location::{HostKeysRef, HostRef, IdentityRef};
use super::names::DatasetName;
use super::networks::Networks;
use super::transport::Dial;

/// Who logs in unless said otherwise.
pub const DEFAULT_USER: &str = "zfsadmin";
/// The pool unless said otherwise.
pub const DEFAULT_POOL: &str = "tank";
/// Whose hosts may mount unless said otherwise.
pub const DEFAULT_NETWORKS: &str = "10.0.0.0/8";
/// What kind of target it is; there is one kind so far.
pub const TARGET_TYPE: &str = "zfs";

/// An appliance as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its id.
    pub id: TargetId,
    /// What people call it; no other appliance has this name.
    pub name: String,
    /// Where its SSH server is, and who logs in.
    pub endpoint: Endpoint,
    /// With which key.
    pub ssh_key: SshKeyId,
    /// `SHA256:…`: the only host key that is accepted.
    pub host_key: String,
    /// The pool in which Zerfaux works.
    pub zfs_pool: DatasetName,
    /// Whose hosts may mount its exports.
    pub nfs_networks: Networks,
    /// What hosts mount, where it is not the host of the endpoint.
    pub nfs_address: Option<String>,
    /// What the peer appliance dials, where it is not the endpoint.
    pub replication_address: Option<Dial>,
    /// The vCenter whose hosts mount it.
    pub vcenter: Option<VcenterId>,
    /// Whether it is looked at, and jobs may use it.
    pub is_active: bool,
    /// The directory of container stacks on it.
    pub appdata_path: Option<String>,
    /// How Zerfaux made it, if it did.
    pub deployed: Deployed,
    /// Who added it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// How an appliance that Zerfaux deployed was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployed {
    /// From which template.
    pub template: Option<String>,
    /// By which job.
    pub job: Option<JobId>,
    /// Which virtual machine it is.
    pub vm_moref: Option<String>,
    /// How it came to its address.
    pub ip_source: Option<IpSource>,
}

/// How a machine comes to its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IpSource {
    /// From a DHCP server.
    Dhcp,
    /// It was given one.
    Static,
}

impl IpSource {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dhcp => "dhcp",
            Self::Static => "static",
        }
    }
}

/// A word that is no source of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither dhcp nor static")]
pub struct UnknownIpSource(pub String);

impl FromStr for IpSource {
    type Err = UnknownIpSource;
    fn from_str(text: &str) -> Result<Self, UnknownIpSource> {
        match text {
            "dhcp" => Ok(Self::Dhcp),
            "static" => Ok(Self::Static),
            other => Err(UnknownIpSource(other.to_owned())),
        }
    }
}

/// The host key that a server showed, to be compared by a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownHostKey {
    /// For example `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
}

impl fmt::Display for ShownHostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.fingerprint)
    }
}

impl Target {
    /// What hosts mount: one string, the same everywhere, because a host takes two for two datastores.
    pub fn nfs_address(&self) -> &str {
        self.nfs_address.as_deref().unwrap_or(&self.endpoint.host)
    }

    /// What the peer appliance dials.
    pub fn replication_address(&self) -> Dial {
        self.replication_address.clone().unwrap_or_else(|| Dial::from(&self.endpoint))
    }

    /// How jobs reach it, with the key that is sealed there.
    pub fn host(&self, key: SecretId) -> HostRef {
        HostRef::Ssh {
            endpoint: self.endpoint.clone(),
            identities: vec![IdentityRef::Vault(key)],
            host_keys: HostKeysRef::Pinned(self.host_key.clone()),
        }
    }
}

/// The fingerprint as `ssh-keygen -l` writes it; the prefix may be missing, and so may the trailing `=`. None if
/// the text is no SHA-256 fingerprint.
pub fn read_fingerprint(text: &str) -> Option<String> {
    let hash = text.trim().trim_end_matches('=');
    let hash = hash.strip_prefix("SHA256:").unwrap_or(hash);
    let known = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
    // 32 bytes in base64 without padding.
    (hash.len() == 43 && hash.chars().all(known)).then(|| format!("SHA256:{hash}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_two_addresses_are_the_first_one_unless_said_otherwise() {
        let mut target = Target {
            id: TargetId::new(),
            name: "zfs-a".into(),
            endpoint: "zfsadmin@10.0.0.5:2222".parse().unwrap(),
            ssh_key: SshKeyId::new(),
            host_key: "SHA256:x".into(),
            zfs_pool: "tank".parse().unwrap(),
            nfs_networks: DEFAULT_NETWORKS.parse().unwrap(),
            nfs_address: None,
            replication_address: None,
            vcenter: None,
            is_active: true,
            appdata_path: None,
            deployed: Deployed::default(),
            created_by: "anna".into(),
            created_at: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(target.nfs_address(), "10.0.0.5");
        assert_eq!(target.replication_address().to_string(), "10.0.0.5:2222");
        target.nfs_address = Some("nfs-a".into());
        target.replication_address = Some("172.16.0.5".parse().unwrap());
        assert_eq!(target.nfs_address(), "nfs-a");
        assert_eq!(target.replication_address().to_string(), "172.16.0.5:22");
    }

    #[test]
    fn a_fingerprint_is_read_as_people_copy_it() {
        let hash = "A".repeat(43);
        let whole = format!("SHA256:{hash}");
        for text in [whole.clone(), hash.clone(), format!(" {whole}= ")] {
            assert_eq!(read_fingerprint(&text).as_deref(), Some(whole.as_str()), "{text}");
        }
        for text in
            ["", "SHA256:", "SHA256:abc", "MD5:aa:bb", &format!("{hash}A"), &format!("{}!", &hash[1..])]
        {
            assert_eq!(read_fingerprint(text), None, "{text}");
        }
    }
}
