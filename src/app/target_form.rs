//! What somebody wants an appliance to be, checked field by field.

use super::FieldError;
use super::fields::{Faults, given, line, port};
use crate::domain::endpoint::{Endpoint, EndpointError, SSH_PORT};
use crate::domain::ids::{SshKeyId, VcenterId};
use crate::domain::names::DatasetName;
use crate::domain::networks::Networks;
use crate::domain::target::{DEFAULT_NETWORKS, DEFAULT_POOL, DEFAULT_USER, Target, read_fingerprint};
use crate::domain::transport::Dial;

/// Most characters of an appliance's name.
const NAME: usize = 100;

/// An appliance as somebody wants it, in the words of the form and the API. An empty text means the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetWish {
    /// What people call it.
    pub name: String,
    /// Name or address of its SSH server.
    pub hostname: String,
    /// TCP port of its SSH server.
    pub port: String,
    /// Who logs in.
    pub ssh_username: String,
    /// With which key.
    pub ssh_key_id: String,
    /// In which pool Zerfaux works.
    pub zfs_pool: String,
    /// Whose hosts may mount: networks with commas between them.
    pub nfs_network: String,
    /// What hosts mount.
    pub nfs_address: String,
    /// What the peer appliance dials.
    pub replication_address: String,
    /// The vCenter whose hosts mount it.
    pub vcenter_id: String,
    /// Whether it is looked at, and jobs may use it.
    pub is_active: bool,
    /// The directory of container stacks on it.
    pub appdata_path: String,
    /// The host key's fingerprint that a person has compared.
    pub host_key_fingerprint: String,
}

impl Default for TargetWish {
    fn default() -> Self {
        let empty = String::new;
        Self {
            name: empty(),
            hostname: empty(),
            port: SSH_PORT.to_string(),
            ssh_username: DEFAULT_USER.to_owned(),
            ssh_key_id: empty(),
            zfs_pool: DEFAULT_POOL.to_owned(),
            nfs_network: DEFAULT_NETWORKS.to_owned(),
            nfs_address: empty(),
            replication_address: empty(),
            vcenter_id: empty(),
            is_active: true,
            appdata_path: empty(),
            host_key_fingerprint: empty(),
        }
    }
}

impl From<&Target> for TargetWish {
    fn from(target: &Target) -> Self {
        let dialled = |dial: &Dial| shown_dial(dial, target.endpoint.port);
        Self {
            name: target.name.clone(),
            hostname: target.endpoint.host.clone(),
            port: target.endpoint.port.to_string(),
            ssh_username: target.endpoint.user.clone(),
            ssh_key_id: target.ssh_key.to_string(),
            zfs_pool: target.zfs_pool.to_string(),
            nfs_network: target.nfs_networks.to_string(),
            nfs_address: target.nfs_address.clone().unwrap_or_default(),
            replication_address: target.replication_address.as_ref().map(dialled).unwrap_or_default(),
            vcenter_id: target.vcenter.map(|id| id.to_string()).unwrap_or_default(),
            is_active: target.is_active,
            appdata_path: target.appdata_path.clone().unwrap_or_default(),
            host_key_fingerprint: target.host_key.clone(),
        }
    }
}

/// What the peer dials, without the port where it is that of the appliance itself.
pub fn shown_dial(dial: &Dial, own_port: u16) -> String {
    if dial.port == own_port { dial.host.clone() } else { dial.to_string() }
}

/// A wish whose every field can be used.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) endpoint: Endpoint,
    pub(super) key: SshKeyId,
    pub(super) pool: DatasetName,
    pub(super) networks: Networks,
    pub(super) nfs_address: Option<String>,
    pub(super) replication_address: Option<Dial>,
    pub(super) vcenter: Option<VcenterId>,
    pub(super) appdata_path: Option<String>,
    pub(super) fingerprint: Option<String>,
}

impl TargetWish {
    /// Reads every field.
    pub(super) fn check(&self) -> Result<Checked, Vec<FieldError>> {
        let mut faults = Faults::default();
        let or = |text: &str, default: &str| match text.trim() {
            "" => default.to_owned(),
            given => given.to_owned(),
        };
        let name = faults.note("name", line(&self.name, "The name of an appliance", NAME));
        let port = faults.note("port", port(&self.port, SSH_PORT));
        let user = faults.note("ssh_username", user(&or(&self.ssh_username, DEFAULT_USER)));
        let hostname = faults.note("hostname", host(&self.hostname));
        let key = faults.note(
            "ssh_key_id",
            match self.ssh_key_id.trim() {
                "" => Err("Choose the SSH key to log in with.".to_owned()),
                id => id.parse::<SshKeyId>().map_err(|_| "This is not the id of an SSH key.".to_owned()),
            },
        );
        let pool = faults.note("zfs_pool", pool(&or(&self.zfs_pool, DEFAULT_POOL)));
        let networks: Result<Networks, _> = or(&self.nfs_network, DEFAULT_NETWORKS).parse();
        let networks = faults.note("nfs_network", networks.map_err(|error| error.to_string()));
        let nfs_address = faults.note("nfs_address", given(&self.nfs_address).map(host).transpose());
        let replication = given(&self.replication_address).map(|text| dial(text, port.unwrap_or(SSH_PORT)));
        let replication_address = faults.note("replication_address", replication.transpose());
        let vcenter = given(&self.vcenter_id)
            .map(|id| id.parse::<VcenterId>().map_err(|_| "This is not the id of a vCenter.".to_owned()));
        let vcenter = faults.note("vcenter_id", vcenter.transpose());
        let appdata_path = faults.note("appdata_path", given(&self.appdata_path).map(path).transpose());
        let fingerprint = given(&self.host_key_fingerprint).map(|text| {
            read_fingerprint(text).ok_or_else(|| {
                "This is no fingerprint of a host key: it begins with SHA256: and has 43 characters after that."
                    .to_owned()
            })
        });
        let fingerprint = faults.note("host_key_fingerprint", fingerprint.transpose());
        let all = (|| {
            let endpoint = Endpoint::new(&user?, &hostname?, port?).ok()?;
            Some(Checked {
                name: name?,
                endpoint,
                key: key?,
                pool: pool?,
                networks: networks?,
                nfs_address: nfs_address?,
                replication_address: replication_address?,
                vcenter: vcenter?,
                appdata_path: appdata_path?,
                fingerprint: fingerprint?,
            })
        })();
        match all {
            Some(checked) if faults.0.is_empty() => Ok(checked),
            _ => Err(faults.0),
        }
    }
}

fn user(text: &str) -> Result<String, String> {
    let known =
        |error: EndpointError| format!("{error}: write the account that logs in, such as {DEFAULT_USER}");
    Endpoint::new(text, "host", SSH_PORT).map(|endpoint| endpoint.user).map_err(known)
}

fn host(text: &str) -> Result<String, String> {
    let bare = text.trim();
    let bare = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(bare);
    if bare.is_empty() {
        return Err("Name the host, or give its address.".to_owned());
    }
    if bare.len() > 253 {
        return Err("A host name has at most 253 characters.".to_owned());
    }
    let known =
        |error: EndpointError| format!("{error}: leave out user, port and path, they have their own fields");
    Endpoint::new("user", bare, SSH_PORT).map(|endpoint| endpoint.host).map_err(known)
}

fn pool(text: &str) -> Result<DatasetName, String> {
    let pool: DatasetName = text.parse().map_err(|error| format!("{error}"))?;
    match pool.parent() {
        None => Ok(pool),
        Some(_) => Err(format!("{pool} is a dataset: name the pool alone, {}", pool.pool())),
    }
}

/// Without a port it is the one of the appliance itself.
fn dial(text: &str, own_port: u16) -> Result<Dial, String> {
    let mut dial: Dial = text.parse().map_err(|error| format!("{error}"))?;
    let has_port = match text.rsplit_once(']') {
        Some((_, after)) => after.starts_with(':'),
        None => text.matches(':').count() == 1,
    };
    if !has_port {
        dial.port = own_port;
    }
    Ok(dial)
}

fn path(text: &str) -> Result<String, String> {
    let parts_ok = text.split('/').skip(1).all(|part| !matches!(part, "." | ".."));
    if !text.starts_with('/') || text.len() > 1000 || text.chars().any(char::is_control) || !parts_ok {
        return Err("A path begins with / and has no . or .. in it, such as /mnt/appdata.".to_owned());
    }
    let trimmed = text.trim_end_matches('/');
    Ok(if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish() -> TargetWish {
        let ssh_key_id = SshKeyId::new().to_string();
        TargetWish { name: "zfs-a".into(), hostname: "10.0.0.5".into(), ssh_key_id, ..TargetWish::default() }
    }

    #[test]
    fn what_is_left_empty_has_the_usual_value() {
        let sparse = TargetWish {
            port: String::new(),
            ssh_username: " ".into(),
            zfs_pool: String::new(),
            nfs_network: String::new(),
            ..wish()
        };
        let checked = sparse.check().unwrap();
        assert_eq!(checked.endpoint.to_string(), "zfsadmin@10.0.0.5:22");
        assert_eq!((checked.pool.as_str(), checked.networks.to_string().as_str()), ("tank", "10.0.0.0/8"));
        assert!(checked.nfs_address.is_none() && checked.vcenter.is_none() && checked.fingerprint.is_none());
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once_beside_its_field() {
        let bad = TargetWish {
            name: " ".into(),
            hostname: "root@nas".into(),
            port: "70000".into(),
            ssh_username: "a b".into(),
            ssh_key_id: "x".into(),
            zfs_pool: "tank/vm".into(),
            nfs_network: "10.0.0.1/8".into(),
            nfs_address: "a;b".into(),
            replication_address: "nas:0".into(),
            vcenter_id: "vc".into(),
            appdata_path: "mnt/../x".into(),
            host_key_fingerprint: "MD5:00".into(),
            is_active: true,
        };
        let fields: Vec<&str> = bad.check().unwrap_err().iter().map(|fault| fault.field).collect();
        let all = [
            "name",
            "port",
            "ssh_username",
            "hostname",
            "ssh_key_id",
            "zfs_pool",
            "nfs_network",
            "nfs_address",
            "replication_address",
            "vcenter_id",
            "appdata_path",
            "host_key_fingerprint",
        ];
        assert_eq!(fields, all);
    }

    #[test]
    fn the_peer_dials_the_appliances_own_port_unless_another_is_said() {
        let dials = |text: &str| {
            let wish = TargetWish { port: "2222".into(), replication_address: text.into(), ..wish() };
            wish.check().unwrap().replication_address.unwrap().to_string()
        };
        assert_eq!(dials("172.16.0.5"), "172.16.0.5:2222");
        assert_eq!(dials("172.16.0.5:22"), "172.16.0.5:22");
        assert_eq!(dials("fd00::22"), "[fd00::22]:2222");
        assert_eq!(dials("[fd00::22]:2200"), "[fd00::22]:2200");
    }
}
