//! The deployment of an appliance: from a wish and what the inventory knows to everything that will be done, with what
//! stands in the way. The wizard's review, the API's `deploy-plan` and the job show and do the same.

use std::net::IpAddr;

use crate::domain::deployment::{Deployment, FixedAddress, Guest, Login, Place as Where};
use crate::domain::ids::SshKeyId;
use crate::domain::inventory::{Datastore, Network, Place, Vm};
use crate::domain::names::DatasetName;
use crate::domain::networks::Networks;
use crate::domain::target::Target;
use crate::domain::template::{LoginName, Template};
use crate::domain::vcenter::{ApiKind, Vcenter};

use super::deploy_estimate::{Estimate, estimate};
pub use super::deploy_estimate::{History, PHASES};
use super::deploy_places::{find_compute, find_datastore, find_folder, find_hosts, find_network};
pub use super::findings::Finding;
use super::findings::Notes;

/// What somebody wants, checked field by field. Places are named by their reference or their name.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The virtual machine's name.
    pub vm_name: String,
    /// What is written into the guest.
    pub hostname: String,
    /// Its domain.
    pub domain: String,
    /// Domains to search.
    pub dns_suffixes: Vec<String>,
    /// Name servers.
    pub dns_servers: Vec<IpAddr>,
    /// A fixed address; none: DHCP.
    pub fixed: Option<FixedAddress>,
    /// Where it goes.
    pub datacenter: Option<String>,
    /// The cluster, or a host.
    pub cluster: Option<String>,
    /// The resource pool; none: that of the cluster.
    pub resource_pool: Option<String>,
    /// The folder; none: that of the template.
    pub folder: Option<String>,
    /// The datastore.
    pub datastore: Option<String>,
    /// The network.
    pub network: Option<String>,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory in GiB.
    pub memory_gib: u32,
    /// The pool.
    pub pool: DatasetName,
    /// Size of its disk in GiB.
    pub disk_gib: u32,
    /// Whether the disk takes space as it is written.
    pub thin: bool,
    /// Whose hosts may mount.
    pub nfs_networks: Networks,
    /// Who logs in.
    pub ssh_username: LoginName,
    /// At which port.
    pub ssh_port: u16,
    /// With which key.
    pub ssh_key: Option<SshKeyId>,
    /// The appliance's name here; none: it is not registered.
    pub target_name: Option<String>,
    /// Whether hosts mount it.
    pub register_datastore: bool,
    /// Which hosts; empty: all of the cluster.
    pub hosts: Vec<String>,
}

/// What is known.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The template.
    pub template: &'a Template,
    /// Its vCenter.
    pub vcenter: &'a Vcenter,
    /// The virtual machine template, if the vCenter has it.
    pub vm: Option<&'a Vm>,
    /// Places that are there.
    pub places: &'a [Place],
    /// Datastores that are there.
    pub datastores: &'a [Datastore],
    /// Networks that are there.
    pub networks: &'a [Network],
    /// Whether the vCenter has a virtual machine of the wished name.
    pub name_taken: bool,
    /// The virtual machine that has the wished address, by its name.
    pub address_taken: Option<String>,
    /// The appliances.
    pub targets: &'a [Target],
    /// Whether there is an SSH key with the wished id.
    pub key_there: bool,
    /// How long phases took before.
    pub history: &'a History,
}

/// What will be done.
#[derive(Debug, Clone)]
pub struct DeployPlan {
    /// Everything decided; none while something stands in the way.
    pub deployment: Option<Deployment>,
    /// What stands in the way.
    pub obstacles: Vec<Finding>,
    /// What one should know.
    pub warnings: Vec<Finding>,
    /// How long each phase will take.
    pub estimate: Vec<Estimate>,
}

/// The plan.
pub fn plan(wanted: &Wanted, facts: &Facts<'_>) -> DeployPlan {
    let mut notes = Notes::default();
    look_at_template(facts, &mut notes);
    look_at_name(wanted, facts, &mut notes);
    look_at_address(wanted, facts, &mut notes);
    if wanted.ssh_key.is_none() {
        notes.obstacle("ssh_key_id", "Choose the SSH key whose public half is in the template.");
    } else if !facts.key_there {
        notes.obstacle("ssh_key_id", "There is no such SSH key.");
    }
    let compute = find_compute(wanted, facts, &mut notes);
    let folder = find_folder(wanted, facts, &mut notes);
    let datastore = find_datastore(wanted, facts, &mut notes);
    let network = find_network(wanted, facts, &mut notes);
    let hosts = compute.as_ref().map(|compute| find_hosts(wanted, facts, compute, &mut notes));
    look_at_target(wanted, facts, &mut notes);
    let deployment = (|| {
        let (compute, (network, connection)) = (compute?, network?);
        Some(Deployment {
            template_id: facts.template.id,
            template_name: facts.template.name.clone(),
            vcenter_id: facts.template.vcenter,
            template_moref: facts.template.moref.clone(),
            vm_name: wanted.vm_name.clone(),
            place: Where {
                folder: folder?,
                pool: compute.pool,
                host: compute.host,
                datastore: datastore?.object.clone(),
                network: connection,
                network_name: network.name.clone(),
                vlan: network.vlan.clone(),
            },
            cpu_count: wanted.cpus,
            memory_gb: wanted.memory_gib,
            guest: Guest {
                hostname: wanted.hostname.clone(),
                domain: wanted.domain.clone(),
                fixed: wanted.fixed,
                dns_servers: wanted.dns_servers.clone(),
                dns_suffixes: wanted.dns_suffixes.clone(),
            },
            zfs_pool_name: wanted.pool.clone(),
            zfs_disk_gb: wanted.disk_gib,
            thin: wanted.thin,
            nfs_network: wanted.nfs_networks.clone(),
            login: Login {
                ssh_username: wanted.ssh_username.clone(),
                ssh_port: wanted.ssh_port,
                ssh_key_id: wanted.ssh_key?,
            },
            target_name: wanted.target_name.clone(),
            datastore_hosts: hosts?,
        })
    })();
    let deployment = deployment.filter(|_| !notes.is_blocked());
    let (obstacles, warnings) = notes.into_parts();
    DeployPlan { deployment, obstacles, warnings, estimate: estimate(facts.history) }
}

fn look_at_template(facts: &Facts<'_>, notes: &mut Notes) {
    const FIELD: &str = "template_id";
    if !facts.template.is_active {
        notes.obstacle(FIELD, format!("The template {} is retired. Choose another.", facts.template.name));
    }
    if facts.vcenter.about.as_ref().is_some_and(|about| about.kind == ApiKind::HostAgent) {
        notes.obstacle(
            FIELD,
            format!(
                "{} is a single ESXi host, which can neither clone nor customise. Use a template of a vCenter.",
                facts.vcenter.name
            ),
        );
    }
    match facts.vm {
        Some(vm) if vm.template => {}
        _ => notes.obstacle(
            FIELD,
            format!(
                "The virtual machine template {:?} is not in {}. Synchronise the vCenter and check that it exists.",
                facts.template.vm_name, facts.vcenter.name
            ),
        ),
    }
}

fn look_at_name(wanted: &Wanted, facts: &Facts<'_>, notes: &mut Notes) {
    if facts.name_taken {
        let message = format!(
            "{} has a virtual machine {:?}. Choose another name.",
            facts.vcenter.name, wanted.vm_name
        );
        notes.obstacle("vm_name", message);
    }
}

fn look_at_address(wanted: &Wanted, facts: &Facts<'_>, notes: &mut Notes) {
    let Some(FixedAddress { address, mask, gateway }) = wanted.fixed else {
        if wanted.register_datastore {
            notes.warning(
                "use_dhcp",
                "Hosts mount the appliance by its address, so it must not change: make a reservation on the DHCP server, \
                 or use a static IP.",
            );
        }
        return;
    };
    let (bits, mask_bits) = (u32::from(address), u32::from(mask));
    if mask_bits.leading_ones() + mask_bits.trailing_zeros() != 32 || mask_bits == 0 {
        notes.obstacle("subnet_mask", format!("{mask} is no subnet mask: write for example 255.255.255.0."));
        return;
    }
    if bits & mask_bits != u32::from(gateway) & mask_bits {
        notes.obstacle(
            "gateway",
            format!("{gateway} is not in the subnet of {address} with the mask {mask}. Correct one of them."),
        );
    }
    if address == gateway {
        notes.obstacle("ip_address", format!("{address} is the gateway's address. Choose another."));
    }
    // A subnet of two or one has neither (RFC 3021).
    if mask_bits.count_ones() < 31 && (bits & !mask_bits == 0 || bits | mask_bits == u32::MAX) {
        notes.obstacle("ip_address", format!("{address} is the first or the last address of its subnet."));
    }
    if let Some(vm) = &facts.address_taken {
        notes.obstacle("ip_address", format!("The virtual machine {vm:?} has the address {address}."));
    }
    let text = address.to_string();
    if let Some(target) = facts.targets.iter().find(|target| target.endpoint.host == text) {
        let renewed = wanted.target_name.as_ref().is_some_and(|name| same_name(name, &target.name));
        if !renewed {
            notes.obstacle("ip_address", format!("The appliance {} has the address {address}.", target.name));
        }
    }
}

fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn look_at_target(wanted: &Wanted, facts: &Facts<'_>, notes: &mut Notes) {
    let Some(name) = &wanted.target_name else { return };
    if let Some(target) = facts.targets.iter().find(|target| same_name(&target.name, name)) {
        notes.warning(
            "target_name",
            format!(
                "There is an appliance {}, at {}. It will be taken for this one, and lead to the new machine.",
                target.name, target.endpoint.host
            ),
        );
    }
}

#[cfg(test)]
#[path = "deploy_tests.rs"]
mod tests;
