//! Where a dataset is: which host, reached how, and the dataset's name there.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::endpoint::{Endpoint, EndpointError};
use super::ids::SecretId;
use super::names::{DatasetName, NameError};

/// A host and how to get onto it. Holds no secret, so it can be stored with a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostRef {
    /// This host: its own `zfs` is run.
    Local,
    /// One reached over SSH.
    Ssh {
        /// Where its SSH server is and who logs in.
        endpoint: Endpoint,
        /// Tried in this order.
        identities: Vec<IdentityRef>,
        /// How its host key is known.
        host_keys: HostKeysRef,
    },
}

impl fmt::Display for HostRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("this host"),
            Self::Ssh { endpoint, .. } => endpoint.fmt(f),
        }
    }
}

/// Where a private key is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityRef {
    /// In a file.
    File(PathBuf),
    /// With the ssh-agent behind this socket.
    Agent(PathBuf),
    /// Sealed in the vault.
    Vault(SecretId),
}

/// How a host key is known to be the right one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostKeysRef {
    /// It stands in this file, of the form that sshd(8) describes.
    KnownHosts {
        /// The file.
        path: PathBuf,
        /// The key of a host that does not stand there yet is accepted and added. A changed one never is.
        accept_new: bool,
    },
    /// Its fingerprint, `SHA256:…`.
    Pinned(String),
}

/// A dataset on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The host.
    pub host: HostRef,
    /// The dataset.
    pub dataset: DatasetName,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostRef::Local => self.dataset.fmt(f),
            HostRef::Ssh { endpoint, .. } => write!(f, "{endpoint}:{}", self.dataset),
        }
    }
}

/// What a person types for a location, before it is known how to get onto the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// None for this host.
    pub endpoint: Option<Endpoint>,
    /// The dataset.
    pub dataset: DatasetName,
}

/// Why a text is not a location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The part in front is not an endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The part behind is not a dataset.
    #[error(transparent)]
    Name(#[from] NameError),
    /// `ssh://host` alone.
    #[error("{0:?} names no dataset: write ssh://user@host/pool/dataset")]
    NoDataset(String),
}

impl Address {
    /// Reads `ssh://user@host[:port]/pool/dataset`, `user@host:pool/dataset`, `host:pool/dataset`, or a
    /// plain `pool/dataset` for this host. Dataset names may contain a colon too; a colon counts as the
    /// end of a host only if no `/` stands before it.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn parse(text: &str, default_user: &str) -> Result<Self, AddressError> {
        if let Some(rest) = text.strip_prefix("ssh://") {
            let (endpoint, dataset) =
                rest.split_once('/').ok_or_else(|| AddressError::NoDataset(text.to_owned()))?;
            if dataset.is_empty() {
                return Err(AddressError::NoDataset(text.to_owned()));
            }
            let endpoint = Some(Endpoint::parse(endpoint, default_user)?);
            return Ok(Self { endpoint, dataset: dataset.parse()? });
        }
        match host_end(text) {
            Some(colon) => {
                let endpoint = Some(Endpoint::parse(&text[..colon], default_user)?);
                Ok(Self { endpoint, dataset: text[colon + 1..].parse()? })
            }
            None => Ok(Self { endpoint: None, dataset: text.parse()? }),
        }
    }
}

/// Where `user@host` ends in `user@host:pool/dataset`, minding `[v6]`.
fn host_end(text: &str) -> Option<usize> {
    let before_dataset = &text[..text.find('/').unwrap_or(text.len())];
    match before_dataset.find(']') {
        Some(bracket) => before_dataset[bracket..].find(':').map(|colon| bracket + colon),
        None => before_dataset.find(':'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Option<String>, String) {
        let address = Address::parse(text, "me").unwrap();
        (address.endpoint.map(|endpoint| endpoint.to_string()), address.dataset.to_string())
    }

    #[test]
    fn each_form_of_a_location_is_read() {
        let at = |endpoint: &str, dataset: &str| (Some(endpoint.to_owned()), dataset.to_owned());
        assert_eq!(parts("tank/a"), (None, "tank/a".to_owned()));
        assert_eq!(parts("tank"), (None, "tank".to_owned()));
        assert_eq!(parts("root@nas:tank/a"), at("root@nas:22", "tank/a"));
        assert_eq!(parts("nas:tank"), at("me@nas:22", "tank"));
        assert_eq!(parts("ssh://root@10.0.0.5:2222/tank/a:b"), at("root@10.0.0.5:2222", "tank/a:b"));
        assert_eq!(parts("root@[fe80::1]:tank/a"), at("root@[fe80::1]:22", "tank/a"));
        assert_eq!(parts("tank/a:b"), (None, "tank/a:b".to_owned()));
    }

    #[test]
    fn what_names_no_dataset_is_refused() {
        for text in
            ["ssh://root@nas", "ssh://root@nas/", "root@nas:", "root@nas:/tank", "", "root@nas:tank@snap"]
        {
            assert!(Address::parse(text, "me").is_err(), "{text:?} was accepted");
        }
    }
}
