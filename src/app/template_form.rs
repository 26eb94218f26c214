//! What somebody wants a template to be, checked field by field.

use super::FieldError;
use super::fields::{Faults, given, line, number, port};
use crate::domain::endpoint::SSH_PORT;
use crate::domain::ids::{SshKeyId, VcenterId};
use crate::domain::names::DatasetName;
use crate::domain::networks::Networks;
use crate::domain::target::{DEFAULT_NETWORKS, DEFAULT_POOL, DEFAULT_USER};
use crate::domain::template::{
    DEFAULT_CPUS, DEFAULT_DISK_GIB, DEFAULT_MEMORY_GIB, LoginName, MOST_CPUS, MOST_DISK_GIB, MOST_MEMORY_GIB,
    Template, TemplateDefaults,
};

/// Most characters of a name.
const NAME: usize = 100;
/// Most characters of a description.
const DESCRIPTION: usize = 1000;
/// Most characters of a place's name in vSphere (80, and some more where `/` is written as `%2f`).
const PLACE: usize = 250;

/// A template as somebody wants it, in the words of the form and the API. An empty text means the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateWish {
    /// What people call it.
    pub name: String,
    /// What people say about it.
    pub description: String,
    /// The vCenter that has the virtual machine template.
    pub vcenter_id: String,
    /// The virtual machine template.
    pub template_moref: String,
    /// The datacenter.
    pub default_datacenter: String,
    /// The cluster, or a host.
    pub default_cluster: String,
    /// The datastore.
    pub default_datastore: String,
    /// The network.
    pub default_network: String,
    /// The resource pool.
    pub default_resource_pool: String,
    /// The folder.
    pub default_folder: String,
    /// The name of the pool.
    pub default_zfs_pool_name: String,
    /// Whose hosts may mount: networks with commas between them.
    pub default_nfs_network: String,
    /// Virtual CPUs.
    pub default_cpu_count: String,
    /// Memory in GiB.
    pub default_memory_gb: String,
    /// Size of the disk for the pool in GiB.
    pub default_zfs_disk_gb: String,
    /// Who logs in.
    pub default_ssh_username: String,
    /// TCP port of the SSH server.
    pub default_ssh_port: String,
    /// With which key.
    pub ssh_key_id: String,
    /// Not offered any more.
    pub retired: bool,
}

impl TemplateWish {
    /// What a form begins with: what counts when nothing is said.
    pub fn usual() -> Self {
        Self {
            default_zfs_pool_name: DEFAULT_POOL.to_owned(),
            default_nfs_network: DEFAULT_NETWORKS.to_owned(),
            default_cpu_count: DEFAULT_CPUS.to_string(),
            default_memory_gb: DEFAULT_MEMORY_GIB.to_string(),
            default_zfs_disk_gb: DEFAULT_DISK_GIB.to_string(),
            default_ssh_username: DEFAULT_USER.to_owned(),
            default_ssh_port: SSH_PORT.to_string(),
            ..Self::default()
        }
    }
}

impl From<&Template> for TemplateWish {
    fn from(template: &Template) -> Self {
        let TemplateDefaults {
            datacenter,
            cluster,
            datastore,
            network,
            resource_pool,
            folder,
            pool,
            nfs_networks,
            cpus,
            memory_gib,
            disk_gib,
            ssh_username,
            ssh_port,
        } = &template.defaults;
        let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            name: template.name.clone(),
            description: or_empty(&template.description),
            vcenter_id: template.vcenter.to_string(),
            template_moref: template.moref.id().to_owned(),
            default_datacenter: or_empty(datacenter),
            default_cluster: or_empty(cluster),
            default_datastore: or_empty(datastore),
            default_network: or_empty(network),
            default_resource_pool: or_empty(resource_pool),
            default_folder: or_empty(folder),
            default_zfs_pool_name: pool.to_string(),
            default_nfs_network: nfs_networks.to_string(),
            default_cpu_count: cpus.to_string(),
            default_memory_gb: memory_gib.to_string(),
            default_zfs_disk_gb: disk_gib.to_string(),
            default_ssh_username: ssh_username.to_string(),
            default_ssh_port: ssh_port.to_string(),
            ssh_key_id: template.ssh_key.map(|key| key.to_string()).unwrap_or_default(),
            retired: !template.is_active,
        }
    }
}

/// A wish whose every field can be used.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) vcenter: VcenterId,
    pub(super) moref: String,
    pub(super) defaults: TemplateDefaults,
    pub(super) key: Option<SshKeyId>,
}

impl TemplateWish {
    /// Reads every field.
    pub(super) fn check(&self) -> Result<Checked, Vec<FieldError>> {
        let mut faults = Faults::default();
        let name = faults.note("name", line(&self.name, "The name of a template", NAME));
        let description = faults.note(
            "description",
            given(&self.description).map(|text| line(text, "The description", DESCRIPTION)).transpose(),
        );
        let vcenter = faults
            .note("vcenter_id", self.vcenter_id.trim().parse().map_err(|_| "Choose a vCenter.".to_owned()));
        let moref =
            faults.note("template_moref", line(&self.template_moref, "The reference of a template", PLACE));
        let key = given(&self.ssh_key_id)
            .map(|text| text.parse().map_err(|_| "This is not the id of an SSH key.".to_owned()));
        let key = faults.note("ssh_key_id", key.transpose());
        let defaults = self.check_defaults(&mut faults);
        let all = (|| {
            Some(Checked {
                name: name?,
                description: description?,
                vcenter: vcenter?,
                moref: moref?,
                defaults: defaults?,
                key: key?,
            })
        })();
        all.filter(|_| faults.0.is_empty()).ok_or(faults.0)
    }

    fn check_defaults(&self, faults: &mut Faults) -> Option<TemplateDefaults> {
        let mut place = |field, text: &str, what: &str| {
            faults.note(field, given(text).map(|text| line(text, what, PLACE)).transpose())
        };
        let datacenter = place("default_datacenter", &self.default_datacenter, "The name of a datacenter");
        let cluster = place("default_cluster", &self.default_cluster, "The name of a cluster");
        let datastore = place("default_datastore", &self.default_datastore, "The name of a datastore");
        let network = place("default_network", &self.default_network, "The name of a network");
        let resource_pool =
            place("default_resource_pool", &self.default_resource_pool, "The name of a resource pool");
        let folder = place("default_folder", &self.default_folder, "The name of a folder");
        let pool = faults.note(
            "default_zfs_pool_name",
            pool_name(given(&self.default_zfs_pool_name).unwrap_or(DEFAULT_POOL)),
        );
        let networks = given(&self.default_nfs_network).unwrap_or(DEFAULT_NETWORKS).parse::<Networks>();
        let nfs_networks = faults.note("default_nfs_network", networks.map_err(|error| format!("{error}.")));
        let cpus = number(&self.default_cpu_count, DEFAULT_CPUS, 1, MOST_CPUS, "virtual CPUs");
        let memory = number(&self.default_memory_gb, DEFAULT_MEMORY_GIB, 1, MOST_MEMORY_GIB, "GiB of memory");
        let disk = number(&self.default_zfs_disk_gb, DEFAULT_DISK_GIB, 1, MOST_DISK_GIB, "GiB of disk");
        let (cpus, memory, disk) = (
            faults.note("default_cpu_count", cpus),
            faults.note("default_memory_gb", memory),
            faults.note("default_zfs_disk_gb", disk),
        );
        let user = given(&self.default_ssh_username).unwrap_or(DEFAULT_USER).parse::<LoginName>();
        let ssh_username = faults.note("default_ssh_username", user.map_err(|error| format!("{error}.")));
        let ssh_port = faults.note("default_ssh_port", port(&self.default_ssh_port, SSH_PORT));
        Some(TemplateDefaults {
            datacenter: datacenter?,
            cluster: cluster?,
            datastore: datastore?,
            network: network?,
            resource_pool: resource_pool?,
            folder: folder?,
            pool: pool?,
            nfs_networks: nfs_networks?,
            cpus: cpus?,
            memory_gib: memory?,
            disk_gib: disk?,
            ssh_username: ssh_username?,
            ssh_port: ssh_port?,
        })
    }
}

/// The name of a pool that is to be created. OpenZFS keeps some words for itself (zpoolconcepts(7)).
pub(super) fn pool_name(text: &str) -> Result<DatasetName, String> {
    const RESERVED: [&str; 5] = ["mirror", "raidz", "draid", "spare", "log"];
    let name: DatasetName = text.trim().parse().map_err(|error| format!("{error}."))?;
    if name.parent().is_some() {
        return Err(format!("{name} is a dataset: name the pool alone, {}.", name.pool()));
    }
    if RESERVED.iter().any(|word| name.as_str().starts_with(word)) || name.as_str().contains(' ') {
        return Err(format!(
            "A pool cannot be named {name}: OpenZFS keeps names that begin with {} for itself, and Zerfaux makes \
             none with a space.",
            RESERVED.join(", ")
        ));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish() -> TemplateWish {
        TemplateWish {
            name: "Debian 12".into(),
            vcenter_id: VcenterId::new().to_string(),
            template_moref: "vm-7".into(),
            ..TemplateWish::default()
        }
    }

    #[test]
    fn what_is_left_out_is_as_the_specification_says() {
        let checked = wish().check().unwrap();
        let defaults = checked.defaults;
        assert_eq!(defaults.pool.as_str(), "tank");
        assert_eq!(defaults.nfs_networks.to_string(), "10.0.0.0/8");
        assert_eq!((defaults.cpus, defaults.memory_gib, defaults.disk_gib), (2, 8, 500));
        assert_eq!((defaults.ssh_username.as_str(), defaults.ssh_port), ("zfsadmin", 22));
        assert!(defaults.datastore.is_none() && checked.key.is_none() && checked.description.is_none());
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once_beside_its_field() {
        let bad = TemplateWish {
            name: String::new(),
            vcenter_id: "x".into(),
            template_moref: String::new(),
            default_zfs_pool_name: "tank/vm".into(),
            default_nfs_network: "10.0.0.1/8".into(),
            default_cpu_count: "0".into(),
            default_memory_gb: "lots".into(),
            default_zfs_disk_gb: "70000".into(),
            default_ssh_username: "Root".into(),
            default_ssh_port: "0".into(),
            default_folder: "a\nb".into(),
            ssh_key_id: "y".into(),
            ..wish()
        };
        let fields: Vec<&str> = bad.check().unwrap_err().iter().map(|fault| fault.field).collect();
        let all = [
            "name",
            "vcenter_id",
            "template_moref",
            "ssh_key_id",
            "default_folder",
            "default_zfs_pool_name",
            "default_nfs_network",
            "default_cpu_count",
            "default_memory_gb",
            "default_zfs_disk_gb",
            "default_ssh_username",
            "default_ssh_port",
        ];
        assert_eq!(fields, all);
    }

    #[test]
    fn a_pool_has_a_name_that_openzfs_takes() {
        for bad in ["mirror", "mirror1", "raidz2", "spare", "log", "draid", "1tank", "a b", "tank/x", ""] {
            assert!(pool_name(bad).is_err(), "{bad:?}");
        }
        assert_eq!(pool_name(" backup-1 ").unwrap().as_str(), "backup-1");
    }

    #[test]
    fn a_template_that_is_read_and_kept_again_stays_the_same() {
        let checked = TemplateWish { ssh_key_id: SshKeyId::new().to_string(), ..wish() }.check().unwrap();
        let template = Template {
            id: crate::domain::ids::TemplateId::new(),
            name: checked.name,
            description: None,
            vcenter: checked.vcenter,
            moref: crate::domain::moref::VmRef::new(checked.moref),
            vm_name: "t".into(),
            defaults: checked.defaults.clone(),
            ssh_key: checked.key,
            is_active: true,
            created_by: "anna".into(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
        };
        assert_eq!(TemplateWish::from(&template).check().unwrap().defaults, checked.defaults);
    }
}
