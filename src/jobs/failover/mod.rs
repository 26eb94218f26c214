//! `failover`: the virtual machines of a group go on at the other site, on a clone of a checkpoint.
//!
//! shut_down_source → last_run → choose_checkpoint → clone → remove_stale_locks → export → mount → make_vms → connect_networks →
//! start_vms, most of which it shares with a test (`recovery/`).
//!
//! The first two are those of a planned failover: nothing is lost, because the checkpoint that is recovered was taken after
//! every guest was seen to be off. A disaster failover never asks anything of the source. Until the clone is made the job takes
//! everything back by itself when something fails, and powers the source on again; from then on a failover is taken back by
//! its own rollback.

mod last_run;
mod shut_down;

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
            Box::new(shut_down::ShutDownSource(all())),
            Box::new(last_run::LastRunOfAll(all())),
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
    .unwinding_on_failure()
}
