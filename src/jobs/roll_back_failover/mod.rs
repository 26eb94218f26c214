//! `roll_back_failover`: both sides become as they were before a failover, whatever has become of that, and replication goes on.
//!
//! power_off → restart_source → give_back_machines → unmount → unexport → destroy_clone → release → see_source_run → close. Most of it is what
//! takes a test away (`clean_up_test`), each on positive evidence of what came before. A machine that the failover made is
//! destroyed; a shell is given back with the hardware that it had; the virtual machines that a planned failover shut down at the
//! source run again, once those of the clone are proved to be off, so that none ever runs twice.
//!
//! What cannot be proved ends the job with the reason, and asking again goes on from there. It is never tried again by itself,
//! unlike a cleanup: what stands in the way of a rollback is somebody's production, and a person decides.

mod machines;
mod restart;

use std::sync::Arc;

pub use super::clean_up_test::CleanupInput as RollbackInput;
use super::clean_up_test::ground as shared;
use super::clean_up_test::locks_of_input;
use super::clean_up_test::machines::PowerOff;
use super::recovery::{Ground, Whose};
use super::targets::Targets;
use super::vcenters::Vcenters;
use crate::engine::Definition;

/// The name of this kind of job.
pub const KIND: &str = "roll_back_failover";

/// The definition of the job.
pub fn definition(targets: Targets, vcenters: Vcenters) -> Definition {
    let ground = Arc::new(Ground::new(Whose::Failover, targets, vcenters));
    let ground = || Arc::clone(&ground);
    Definition::new(
        KIND,
        vec![
            Box::new(PowerOff(ground())),
            Box::new(restart::RestartSource { ground: ground(), is_first: true }),
            Box::new(machines::GiveBackMachines(ground())),
            Box::new(shared::Unmount(ground())),
            Box::new(shared::Unexport(ground())),
            Box::new(shared::DestroyClone(ground())),
            Box::new(shared::Release(ground())),
            Box::new(restart::RestartSource { ground: ground(), is_first: false }),
            Box::new(shared::Close(ground())),
        ],
    )
    .with_locks(locks_of_input)
}
