//! What a simulated vCenter is started with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::sim::exports::{Exports, MemoryExports};
use crate::sim::machines::Machines;

use super::rules::Rule;

/// Somebody who may log in.
#[derive(Debug, Clone)]
pub struct User {
    /// As it is typed at login.
    pub name: String,
    /// In clear: a simulator has no secrets.
    pub password: String,
    /// What the user may do, by privilege id; None for everything. `System.*` is always allowed.
    pub privileges: Option<Vec<String>>,
}

/// An NFS datastore that the site's hosts have mounted from the start.
#[derive(Debug, Clone)]
pub struct NfsDatastore {
    /// Its name in the inventory.
    pub name: String,
    /// The server's address as the hosts use it.
    pub server: String,
    /// The exported path.
    pub path: String,
}

/// How a simulated vCenter is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 for any free one.
    pub listen: SocketAddr,
    /// Who may log in.
    pub users: Vec<User>,
    /// Virtual machines beside the templates.
    pub vms: usize,
    /// Name of the site; it stands in the names of its datacenter, hosts and datastores.
    pub site: String,
    /// The same seed makes the same inventory, and the same choices of fault rules.
    pub seed: u64,
    /// A single ESXi host instead of a vCenter: one host with its own datastores and standard networks, without templates,
    /// folders, clones, customisation and moves.
    pub esxi: bool,
    /// The API version that is claimed, as `8.0.2.0`.
    pub api_version: String,
    /// How long things take against life: 1.0 is a clone in eight seconds and a guest up in half a minute, 0 is at
    /// once.
    pub pace: f64,
    /// A session that is not used for so long has expired.
    pub session_idle: Duration,
    /// What `NFS.MaxVolumes` says on every host.
    pub nfs_max_volumes: u32,
    /// NFS datastores of the site; None for the site's own two.
    pub nfs: Option<Vec<NfsDatastore>>,
    /// The NFS servers that the hosts can reach.
    pub exports: Arc<dyn Exports>,
    /// What runs in the machines whose configuration says `sim.machine`.
    pub machines: Option<Arc<dyn Machines>>,
    /// What goes wrong from the start.
    pub rules: Vec<Rule>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            users: vec![User {
                name: "administrator@vsphere.local".to_owned(),
                password: "zerfaux".to_owned(),
                privileges: None,
            }],
            vms: 40,
            site: "alpha".to_owned(),
            seed: 1,
            esxi: false,
            api_version: "8.0.2.0".to_owned(),
            pace: 0.1,
            session_idle: Duration::from_secs(30 * 60),
            nfs_max_volumes: 64,
            nfs: None,
            exports: Arc::new(MemoryExports::open()),
            machines: None,
            rules: Vec::new(),
        }
    }
}
