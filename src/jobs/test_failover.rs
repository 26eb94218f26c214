//! `test_failover`: the virtual machines of a group run from a clone of a checkpoint, on test networks or none.
//!
//! choose_checkpoint → clone → remove_stale_locks → export → mount → make_vms → connect_networks → start_vms, all of which it
//! shares with a failover (`recovery/`). The group's replication is not locked out: it goes on meanwhile.
//!
//! Nothing is taken back by this job: a test is taken away by its cleanup (`clean_up_test`), whatever has become of it, which
//! proves that each thing is gone.

use std::sync::Arc;

pub use super::recovery::RunInput;
use super::recovery::{Ground, Whose, choose, connect, ground, locks, locks_of_input, make, start};
use super::targets::Targets;
use super::vcenters::Vcenters;
use crate::engine::Definition;

/// The name of this kind of job.
pub const KIND: &str = "test_failover";

/// The definition of the job.
pub fn definition(targets: Targets, vcenters: Vcenters) -> Definition {
    let all = Arc::new(Ground::new(Whose::Test, targets, vcenters));
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
