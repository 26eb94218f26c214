//! `failover`: the virtual machines of a group go on at the other site, on a clone of a checkpoint.
//!
//! choose_checkpoint → clone → remove_stale_locks → export → mount → make_vms → connect_networks → start_vms, all of which it
//! shares with a test (`recovery/`).

use std::sync::Arc;

pub use super::recovery::RunInput;
use super::recovery::{Ground, Whose, choose, connect, ground, locks, locks_of_input, make, start};
use super::targets::Targets;
use super::vcenters::Vcenters;
use crate::engine::Definition;

/// The name of this kind of job.
pub const KIND: &str = "failover";

/// The definition of the job.
pub fn definition(targets: Targets, vcenters: Vcenters) -> Definition {
    let all = Arc::new(Ground::new(Whose::Failover, targets, vcenters));
    let all = || Arc::clone(&all);
    Definition::new(
        KIND,
        vec![
            Box::new(choose::ChooseCheckpoint(all())),
            Box::new(ground::Clone(all())),
            Box::new(locks::RemoveStaleLocks(all())),
            Box::new(ground::Export(all())),
            Box::new(ground::Mount(all())),
            Box::new(make::MakeVms(all())),
            Box::new(connect::ConnectNetworks(all())),
            Box::new(start::StartVms(all())),
        ],
    )
    .with_locks(locks_of_input)
}
