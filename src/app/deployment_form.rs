//! What somebody wants a new appliance to be, checked field by field, over the defaults of its template.

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::FieldError;
use super::fields::{Faults, given, line, number, port};
use super::template_form::pool_name;
use crate::domain::deployment::FixedAddress;
use crate::domain::networks::Networks;
use crate::domain::template::{LoginName, MOST_CPUS, MOST_DISK_GIB, MOST_MEMORY_GIB, Template};
use crate::plan::deploy::Wanted;

/// Most characters of a virtual machine's name (vSphere's own limit).
const VM_NAME: usize = 80;
/// The guest's domain unless said otherwise.
const DOMAIN: &str = "local";
/// Most characters of a place's name.
const PLACE: usize = 250;

/// An appliance as somebody wants it, in the words of the form and the API. An empty text means the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeployWish {
    /// The virtual machine's name.
    pub vm_name: String,
    /// The guest's host name; empty: made of the machine's name.
    pub hostname: String,
    /// The guest's domain.
    pub domain: String,
    /// Domains to search, with commas between them.
    pub dns_suffixes: String,
    /// The network, by reference or name.
    pub network: String,
    /// Whether it asks for its address by DHCP.
    pub use_dhcp: bool,
    /// Its fixed address.
    pub ip_address: String,
    /// The subnet mask, or the length of the prefix.
    pub subnet_mask: String,
    /// The gateway.
    pub gateway: String,
    /// Name servers, with commas between them.
    pub dns_servers: String,
    /// The datacenter.
    pub datacenter: String,
    /// The cluster or host.
    pub cluster: String,
    /// The resource pool.
    pub resource_pool: String,
    /// The folder.
    pub folder: String,
    /// The datastore.
    pub datastore: String,
    /// Virtual CPUs.
    pub cpu_count: String,
    /// Memory in GiB.
    pub memory_gb: String,
    /// The pool.
    pub zfs_pool_name: String,
    /// Size of its disk in GiB.
    pub zfs_disk_gb: String,
    /// Thick instead of thin.
    pub thick: bool,
    /// Whose hosts may mount.
    pub nfs_network: String,
    /// Who logs in.
    pub ssh_username: String,
    /// With which key.
    pub ssh_key_id: String,
    /// Not kept as an appliance.
    pub unregistered: bool,
    /// The appliance's name here.
    pub target_name: String,
    /// Not mounted by hosts.
    pub unmounted: bool,
    /// Which hosts mount it, by reference or name; empty: all of the cluster.
    pub datastore_hosts: Vec<String>,
}

impl DeployWish {
    /// What a form begins with: what the template says, and a name made of the time.
    pub fn usual(template: &Template, now: Timestamp) -> Self {
        let defaults = &template.defaults;
        let place = |named: &Option<String>| named.clone().unwrap_or_default();
        let vm_name = usual_name(now);
        Self {
            hostname: vm_name.clone(),
            target_name: vm_name.clone(),
            vm_name,
            domain: DOMAIN.to_owned(),
            network: place(&defaults.network),
            datacenter: place(&defaults.datacenter),
            cluster: place(&defaults.cluster),
            resource_pool: place(&defaults.resource_pool),
            folder: place(&defaults.folder),
            datastore: place(&defaults.datastore),
            cpu_count: defaults.cpus.to_string(),
            memory_gb: defaults.memory_gib.to_string(),
            zfs_pool_name: defaults.pool.to_string(),
            zfs_disk_gb: defaults.disk_gib.to_string(),
            nfs_network: defaults.nfs_networks.to_string(),
            ssh_username: defaults.ssh_username.to_string(),
            ssh_key_id: template.ssh_key.map(|key| key.to_string()).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// These names and addresses, with the rest as another template says it.
    pub(super) fn onto(self, usual: Self) -> Self {
        Self {
            vm_name: self.vm_name,
            hostname: self.hostname,
            domain: self.domain,
            dns_suffixes: self.dns_suffixes,
            use_dhcp: self.use_dhcp,
            ip_address: self.ip_address,
            subnet_mask: self.subnet_mask,
            gateway: self.gateway,
            dns_servers: self.dns_servers,
            target_name: self.target_name,
            unregistered: self.unregistered,
            ..usual
        }
    }

    /// Reads every field.
    pub(super) fn check(&self, template: &Template, now: Timestamp) -> Result<Wanted, Vec<FieldError>> {
        let mut faults = Faults::default();
        let defaults = &template.defaults;
        let usual = usual_name(now);
        let vm_name = faults.note("vm_name", vm_name(given(&self.vm_name).unwrap_or(&usual)));
        let from_name = vm_name.as_deref().map(as_host_name).unwrap_or_default();
        let hostname = faults.note("hostname", host_name(given(&self.hostname).unwrap_or(&from_name)));
        let domain = faults.note("domain", domain_name(given(&self.domain).unwrap_or(DOMAIN)));
        let dns_suffixes = faults
            .note("dns_suffixes", words(&self.dns_suffixes).map(domain_name).collect::<Result<Vec<_>, _>>());
        let dns_servers = faults.note(
            "dns_servers",
            words(&self.dns_servers)
                .map(|text| {
                    text.parse::<IpAddr>().map_err(|_| format!("{text:?} is no address of a name server."))
                })
                .collect::<Result<Vec<_>, _>>(),
        );
        let fixed = self.check_address(&mut faults);
        let mut place = |field, text: &str, default: &Option<String>| {
            let read = given(text).map(|text| line(text, "The name of a place", PLACE)).transpose();
            faults.note(field, read).map(|named| named.or_else(|| default.clone()))
        };
        let datacenter = place("datacenter", &self.datacenter, &defaults.datacenter);
        let cluster = place("cluster", &self.cluster, &defaults.cluster);
        let resource_pool = place("resource_pool", &self.resource_pool, &defaults.resource_pool);
        let folder = place("folder", &self.folder, &defaults.folder);
        let datastore = place("datastore", &self.datastore, &defaults.datastore);
        let network = place("network_id", &self.network, &defaults.network);
        let cpus = number(&self.cpu_count, defaults.cpus, 1, MOST_CPUS, "virtual CPUs");
        let memory = number(&self.memory_gb, defaults.memory_gib, 1, MOST_MEMORY_GIB, "GiB of memory");
        let disk = number(&self.zfs_disk_gb, defaults.disk_gib, 1, MOST_DISK_GIB, "GiB of disk");
        let cpus = faults.note("cpu_count", cpus);
        let memory_gib = faults.note("memory_gb", memory);
        let disk_gib = faults.note("zfs_disk_gb", disk);
        let pool = match given(&self.zfs_pool_name) {
            None => Some(defaults.pool.clone()),
            Some(text) => faults.note("zfs_pool_name", pool_name(text)),
        };
        let nfs_networks = match given(&self.nfs_network) {
            None => Some(defaults.nfs_networks.clone()),
            Some(text) => {
                faults.note("nfs_network", text.parse::<Networks>().map_err(|error| format!("{error}.")))
            }
        };
        let ssh_username = match given(&self.ssh_username) {
            None => Some(defaults.ssh_username.clone()),
            Some(text) => {
                faults.note("ssh_username", text.parse::<LoginName>().map_err(|error| format!("{error}.")))
            }
        };
        let ssh_port = faults.note("ssh_port", port("", defaults.ssh_port));
        let ssh_key = match given(&self.ssh_key_id) {
            None => Some(template.ssh_key),
            Some(text) => faults
                .note("ssh_key_id", text.parse().map_err(|_| "This is not the id of an SSH key.".to_owned()))
                .map(Some),
        };
        let named = given(&self.target_name).map(str::to_owned).or_else(|| vm_name.clone());
        let target_name = match named.filter(|_| !self.unregistered) {
            None => Some(None),
            Some(name) => faults.note("target_name", line(&name, "The name of an appliance", 100)).map(Some),
        };
        let all = (|| {
            Some(Wanted {
                vm_name: vm_name?,
                hostname: hostname?,
                domain: domain?,
                dns_suffixes: dns_suffixes?,
                dns_servers: dns_servers?,
                fixed: fixed?,
                datacenter: datacenter?,
                cluster: cluster?,
                resource_pool: resource_pool?,
                folder: folder?,
                datastore: datastore?,
                network: network?,
                cpus: cpus?,
                memory_gib: memory_gib?,
                pool: pool?,
                disk_gib: disk_gib?,
                thin: !self.thick,
                nfs_networks: nfs_networks?,
                ssh_username: ssh_username?,
                ssh_port: ssh_port?,
                ssh_key: ssh_key?,
                target_name: target_name?,
                register_datastore: !self.unmounted,
                hosts: self.datastore_hosts.clone(),
            })
        })();
        all.filter(|_| faults.0.is_empty()).ok_or(faults.0)
    }

    /// None inside: DHCP.
    fn check_address(&self, faults: &mut Faults) -> Option<Option<FixedAddress>> {
        if self.use_dhcp {
            return Some(None);
        }
        let address = |text: &str, what: &str| {
            text.trim()
                .parse::<Ipv4Addr>()
                .map_err(|_| format!("Write {what} as an IPv4 address, such as 10.1.1.50."))
        };
        let own = faults.note("ip_address", address(&self.ip_address, "the appliance's address"));
        let mask = faults.note("subnet_mask", mask(&self.subnet_mask));
        let gateway = faults.note("gateway", address(&self.gateway, "the gateway"));
        Some(Some(FixedAddress { address: own?, mask: mask?, gateway: gateway? }))
    }
}

fn usual_name(now: Timestamp) -> String {
    format!("zfs-dr-{}", now.strftime("%Y%m%d-%H%M%S"))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '\n']).map(str::trim).filter(|word| !word.is_empty())
}

/// `255.255.255.0`, `24` or `/24`.
fn mask(text: &str) -> Result<Ipv4Addr, String> {
    let text = text.trim();
    if let Ok(bits @ 1..=32) = text.trim_start_matches('/').parse::<u32>() {
        return Ok(Ipv4Addr::from(u32::MAX << (32 - bits)));
    }
    text.parse().map_err(|_| "Write the subnet mask, such as 255.255.255.0 or /24.".to_owned())
}

/// A name that is one in vSphere, in a path of a datastore and in an export alike.
fn vm_name(text: &str) -> Result<String, String> {
    let name = line(text, "The name of a virtual machine", VM_NAME)?;
    let sound = |c: char| c.is_alphanumeric() || "-_. ".contains(c);
    if !name.chars().all(sound) || name.starts_with(['-', '.']) {
        return Err("The name of a virtual machine has letters, digits, -, _, . and spaces, and begins with a letter \
                    or digit."
            .to_owned());
    }
    Ok(name)
}

/// A host name made of a machine's name.
fn as_host_name(name: &str) -> String {
    let sound = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().map(sound).take(63).collect();
    name.trim_matches('-').to_owned()
}

/// A label of a host name (RFC 1123).
fn host_name(text: &str) -> Result<String, String> {
    let sound = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if text.is_empty()
        || text.len() > 63
        || !text.chars().all(sound)
        || text.starts_with('-')
        || text.ends_with('-')
    {
        return Err(
            "A host name has 1 to 63 letters, digits and -, and neither begins nor ends with -.".to_owned()
        );
    }
    Ok(text.to_owned())
}

fn domain_name(text: &str) -> Result<String, String> {
    let sound =
        text.len() <= 253 && text.trim_end_matches('.').split('.').all(|label| host_name(label).is_ok());
    sound.then(|| text.to_owned()).ok_or_else(|| format!("{text:?} is no domain, such as example.local."))
}
