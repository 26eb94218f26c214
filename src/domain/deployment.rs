//! The deployment of an appliance, with everything decided: what a job is given.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::hardware::NicNetwork;
use super::ids::{SshKeyId, TemplateId, VcenterId};
use super::moref::{DatastoreRef, EsxiRef, FolderRef, PoolRef, VmRef};
use super::names::{DatasetName, NameError};
use super::networks::Networks;
use super::target::IpSource;
use super::template::LoginName;

/// An appliance to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// From which template.
    pub template_id: TemplateId,
    /// Its name.
    pub template_name: String,
    /// In which vCenter.
    pub vcenter_id: VcenterId,
    /// What is cloned.
    pub template_moref: VmRef,
    /// The virtual machine's name.
    pub vm_name: String,
    /// Where it goes.
    pub place: Place,
    /// Virtual CPUs.
    pub cpu_count: u32,
    /// Memory in GiB.
    pub memory_gb: u32,
    /// What is written into the guest.
    pub guest: Guest,
    /// The pool.
    pub zfs_pool_name: DatasetName,
    /// Size of its disk in GiB.
    pub zfs_disk_gb: u32,
    /// Whether the disk takes space as it is written.
    pub thin: bool,
    /// Whose hosts may mount.
    pub nfs_network: Networks,
    /// How one gets in.
    pub login: Login,
    /// The appliance's name here; none: it is not registered.
    pub target_name: Option<String>,
    /// Which hosts mount it.
    pub datastore_hosts: Vec<DatastoreHost>,
}

/// Where a virtual machine goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its folder.
    pub folder: FolderRef,
    /// Its resource pool.
    pub pool: PoolRef,
    /// Its host; none: vCenter chooses.
    pub host: Option<EsxiRef>,
    /// Its datastore.
    pub datastore: DatastoreRef,
    /// The network of its NIC.
    pub network: NicNetwork,
    /// The network's name.
    pub network_name: String,
    /// The network's VLAN, if it has one.
    pub vlan: Option<String>,
}

/// What is written into a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// The host name, without domain.
    pub hostname: String,
    /// The domain.
    pub domain: String,
    /// A fixed address; none: it asks by DHCP.
    pub fixed: Option<FixedAddress>,
    /// Name servers.
    pub dns_servers: Vec<std::net::IpAddr>,
    /// Domains to search.
    pub dns_suffixes: Vec<String>,
}

impl Guest {
    /// How it comes to its address.
    pub fn ip_source(&self) -> IpSource {
        if self.fixed.is_some() { IpSource::Static } else { IpSource::Dhcp }
    }
}

/// A fixed address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedAddress {
    /// The address.
    pub address: Ipv4Addr,
    /// The subnet mask.
    pub mask: Ipv4Addr,
    /// The gateway.
    pub gateway: Ipv4Addr,
}

/// How one gets into an appliance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Who.
    pub ssh_username: LoginName,
    /// At which port.
    pub ssh_port: u16,
    /// With which key.
    pub ssh_key_id: SshKeyId,
}

/// A host that mounts a datastore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatastoreHost {
    /// Which.
    pub moref: EsxiRef,
    /// Its name.
    pub name: String,
}

/// How many NFS datastores a host mounts, and how many it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NfsRoom {
    /// The host.
    pub host: DatastoreHost,
    /// The names of those that it mounts by NFS 3.
    pub names: Vec<String>,
    /// Its `NFS.MaxVolumes`; none where it does not say.
    pub most: Option<u32>,
}

/// The longest name that ESXi gives a datastore, in characters.
const DATASTORE_NAME: usize = 42;

impl Deployment {
    /// The disk's size in bytes.
    pub fn disk_bytes(&self) -> u64 {
        u64::from(self.zfs_disk_gb) << 30
    }

    /// The dataset that hosts mount.
    ///
    /// # Errors
    /// If the name would be too long.
    pub fn nfs_dataset(&self) -> Result<DatasetName, NameError> {
        self.zfs_pool_name.child("nfs")
    }

    /// Where it is mounted on the appliance, and exported. Said explicitly, so that it never changes while it is in use.
    pub fn nfs_path(&self) -> String {
        format!("/{}/nfs", self.zfs_pool_name)
    }

    /// The datasets under which groups keep theirs, outermost first.
    ///
    /// # Errors
    /// If a name would be too long.
    pub fn parents(&self) -> Result<Vec<DatasetName>, NameError> {
        ["zerfaux", "zerfaux/live", "zerfaux/replica", "zerfaux/run", "zerfaux/keep"]
            .into_iter()
            .map(|below| self.zfs_pool_name.child(below))
            .collect()
    }

    /// The datastore's name on the hosts.
    pub fn datastore_name(&self) -> String {
        Self::datastore_name_for(&self.vm_name)
    }

    /// The same for a virtual machine of this name.
    pub fn datastore_name_for(vm_name: &str) -> String {
        let name: String = format!("nfs-{vm_name}").chars().take(DATASTORE_NAME).collect();
        name.trim_end().to_owned()
    }
}
