//! `deploy_zfs_target`: from a virtual machine template to an appliance whose export is a datastore.
//!
//! clone → power_on → wait_tools → wait_ip → ssh_connect → zfs_create → nfs_setup → register_target →
//! register_datastore, one file each. What is made says so itself (the virtual machine by an option, the pool by a
//! property), so that a job which is resumed finds its own work, and a cleanup takes away nothing else. A pool in which
//! something lies is not taken away, and then neither is the virtual machine.

mod clone;
mod deeds;
pub(in crate::jobs) mod guest;
mod nfs_setup;
mod power_on;
mod reach;
mod register_datastore;
mod register_target;
mod ssh_connect;
mod wait_ip;
mod wait_tools;
mod zfs_create;

use std::sync::Arc;

use serde::Deserialize;

use super::hosts::Hosts;
use super::vcenters::Vcenters;
use crate::domain::deployment::Deployment;
use crate::domain::job::Failure;
use crate::engine::{Definition, LockName};
use crate::store::Store;

/// The name of this kind of job.
pub const KIND: &str = "deploy_zfs_target";

/// What the steps work with.
pub(super) struct Ground {
    store: Store,
    hosts: Arc<Hosts>,
    vcenters: Vcenters,
}

/// The definition of the job.
pub fn definition(hosts: Arc<Hosts>, vcenters: Vcenters) -> Definition {
    let store = vcenters.store().clone();
    let ground = Arc::new(Ground { store, hosts, vcenters });
    let ground = || Arc::clone(&ground);
    Definition::new(
        KIND,
        vec![
            Box::new(clone::Clone(ground())),
            Box::new(power_on::PowerOn(ground())),
            Box::new(wait_tools::WaitTools(ground())),
            Box::new(wait_ip::WaitIp(ground())),
            Box::new(ssh_connect::SshConnect(ground())),
            Box::new(zfs_create::ZfsCreate(ground())),
            Box::new(nfs_setup::NfsSetup(ground())),
            Box::new(register_target::RegisterTarget(ground())),
            Box::new(register_datastore::RegisterDatastore(ground())),
        ],
    )
    .with_locks(locks)
}

/// The name of the virtual machine in its folder, and what the hosts mount.
fn locks(input: &serde_json::Value) -> Result<Vec<LockName>, Failure> {
    let input = Deployment::deserialize(input).map_err(|error| {
        Failure::permanent(format!("The input of this deployment could not be read: {error}."))
    })?;
    let vcenter = input.vcenter_id;
    let mut locks = vec![LockName::new_vm(&vcenter, &input.vm_name)];
    locks.extend(
        input.datastore_hosts.iter().map(|host| LockName::host_mounts(&format!("{vcenter}/{}", host.moref))),
    );
    Ok(locks)
}
