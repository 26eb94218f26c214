//! A template: a virtual machine template from which appliances are deployed, with what is chosen unless said otherwise.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::endpoint::SSH_PORT;
use super::ids::{SshKeyId, TemplateId, VcenterId};
use super::moref::VmRef;
use super::names::DatasetName;
use super::networks::Networks;

/// Virtual CPUs unless said otherwise.
pub const DEFAULT_CPUS: u32 = 2;
/// Memory in GiB unless said otherwise.
pub const DEFAULT_MEMORY_GIB: u32 = 8;
/// Size of the disk for the pool in GiB unless said otherwise.
pub const DEFAULT_DISK_GIB: u32 = 500;
/// Most virtual CPUs that an appliance is given.
pub const MOST_CPUS: u32 = 128;
/// Most memory in GiB that an appliance is given.
pub const MOST_MEMORY_GIB: u32 = 4096;
/// The largest VMDK in GiB (vSphere's configuration maximum of 62 TiB).
pub const MOST_DISK_GIB: u32 = 62 * 1024;

/// A template as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its id.
    pub id: TemplateId,
    /// What people call it; no other template has this name.
    pub name: String,
    /// What people say about it.
    pub description: Option<String>,
    /// The vCenter that has the virtual machine template.
    pub vcenter: VcenterId,
    /// The virtual machine template.
    pub moref: VmRef,
    /// Its name in the vCenter when it was registered.
    pub vm_name: String,
    /// What is chosen unless said otherwise.
    pub defaults: TemplateDefaults,
    /// With which key one logs in to what is made from it; none: the deployment has to say.
    pub ssh_key: Option<SshKeyId>,
    /// Whether it is offered. One that is retired stays for those who look at what it made.
    pub is_active: bool,
    /// Who registered it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// How often a template was used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deployments {
    /// How many appliances were made from it.
    pub count: u64,
    /// When the last one was.
    pub last: Option<Timestamp>,
}

/// What is chosen unless a deployment says otherwise. Places are named by their id in the vCenter, or by their name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateDefaults {
    /// The datacenter.
    pub datacenter: Option<String>,
    /// The cluster, or a host.
    pub cluster: Option<String>,
    /// The datastore of the virtual machine and its disks.
    pub datastore: Option<String>,
    /// The network of its NIC.
    pub network: Option<String>,
    /// The resource pool.
    pub resource_pool: Option<String>,
    /// The folder.
    pub folder: Option<String>,
    /// The name of the pool.
    pub pool: DatasetName,
    /// Whose hosts may mount.
    pub nfs_networks: Networks,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory in GiB.
    pub memory_gib: u32,
    /// Size of the disk for the pool in GiB.
    pub disk_gib: u32,
    /// Who logs in.
    pub ssh_username: LoginName,
    /// The port of the SSH server.
    pub ssh_port: u16,
}

impl TemplateDefaults {
    /// What counts when nothing at all was said.
    pub fn new(pool: DatasetName, nfs_networks: Networks, ssh_username: LoginName) -> Self {
        Self {
            datacenter: None,
            cluster: None,
            datastore: None,
            network: None,
            resource_pool: None,
            folder: None,
            pool,
            nfs_networks,
            cpus: DEFAULT_CPUS,
            memory_gib: DEFAULT_MEMORY_GIB,
            disk_gib: DEFAULT_DISK_GIB,
            ssh_username,
            ssh_port: SSH_PORT,
        }
    }
}

/// The name of an account on a Linux machine (useradd(8)): lower case letters, digits, `_` and `-`, at most 32.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LoginName(String);

/// A text that is no name of an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no name of an account: 1 to 32 lower case letters, digits, _ or -, the first a letter or _"
)]
pub struct NotALogin(pub String);

impl LoginName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LoginName {
    type Err = NotALogin;
    fn from_str(text: &str) -> Result<Self, NotALogin> {
        let first = |c: char| c.is_ascii_lowercase() || c == '_';
        let later = |c: char| first(c) || c.is_ascii_digit() || c == '-';
        if text.len() <= 32 && text.starts_with(first) && text.chars().all(later) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotALogin(text.chars().take(100).collect()))
        }
    }
}

impl fmt::Display for LoginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for LoginName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LoginName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_a_name_that_no_shell_and_no_sudoers_file_can_misread() {
        for good in ["zfsadmin", "root", "_x", "a-b_9", &"a".repeat(32)] {
            assert_eq!(good.parse::<LoginName>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "9a", "A", "a b", "a\n", "%admin", "a,b", "#1000", "ä", &"a".repeat(33)] {
            assert!(bad.parse::<LoginName>().is_err(), "{bad:?}");
        }
    }
}
