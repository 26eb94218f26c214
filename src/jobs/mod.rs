//! One file (or folder) per kind of job: its steps, what each does, how it is undone.

pub mod adoption;
pub mod checkpoint_watch;
pub mod clean_up_test;
pub mod create_dr_shell;
mod datastore_hosts;
pub mod datastore_mounts;
pub mod delete_replica;
pub mod deploy;
pub mod direction;
mod exported;
pub mod failover;
mod group_agreement;
mod group_facts;
pub mod group_runs;
pub mod health_check;
pub mod history;
pub mod hosts;
pub mod inventory_watch;
pub mod manifests;
pub mod mount_datastore;
pub mod move_to_protection_datastore;
pub mod nfs_room;
pub mod protection_datastore;
mod recovery;
mod recovery_record;
pub mod recovery_watch;
pub mod remove_dr_shell;
pub mod repair_dr_shell;
pub mod replica_key;
pub mod replicate;
pub mod roll_back_failover;
mod shell_view;
pub mod ssh_key_install;
pub mod streams;
pub mod target_browse;
pub mod target_watch;
pub mod targets;
pub mod test_failover;
mod used_shell;
pub mod vcenter_sync;
pub mod vcenters;
pub mod vm_snapshot_watch;
pub mod vsphere_make;
mod vsphere_own;
pub mod vsphere_power;
pub mod vsphere_task;
pub mod vsphere_vm;

mod failure;

use std::sync::Arc;

use crate::engine::Definition;

/// The names of all kinds of jobs. `tests/laws.rs` holds every one of them to the laws.
pub fn kinds() -> Vec<&'static str> {
    vec![
        clean_up_test::KIND,
        create_dr_shell::KIND,
        delete_replica::KIND,
        deploy::KIND,
        failover::KIND,
        health_check::KIND,
        mount_datastore::KIND,
        move_to_protection_datastore::KIND,
        protection_datastore::KIND,
        remove_dr_shell::KIND,
        repair_dr_shell::KIND,
        replicate::KIND,
        roll_back_failover::KIND,
        test_failover::KIND,
        vcenter_sync::KIND,
    ]
}

/// The definitions of all kinds of jobs.
pub fn definitions(
    hosts: &Arc<hosts::Hosts>,
    vcenters: &vcenters::Vcenters,
    targets: &targets::Targets,
) -> Vec<Definition> {
    vec![
        clean_up_test::definition(targets.clone(), vcenters.clone()),
        create_dr_shell::definition(targets.clone(), vcenters.clone()),
        delete_replica::definition(targets.clone()),
        deploy::definition(Arc::clone(hosts), vcenters.clone()),
        failover::definition(targets.clone(), vcenters.clone()),
        health_check::definition(targets.clone()),
        mount_datastore::definition(vcenters.clone()),
        move_to_protection_datastore::definition(vcenters.clone()),
        protection_datastore::definition(targets.clone(), vcenters.clone()),
        remove_dr_shell::definition(targets.clone(), vcenters.clone()),
        repair_dr_shell::definition(targets.clone(), vcenters.clone()),
        replicate::definition_for_groups(Arc::clone(hosts), vcenters.clone()),
        roll_back_failover::definition(targets.clone(), vcenters.clone()),
        test_failover::definition(targets.clone(), vcenters.clone()),
        vcenter_sync::definition(vcenters.clone()),
    ]
}
