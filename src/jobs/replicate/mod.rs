//! `replicate`: bring a dataset (or a tree of them) at the destination up to the source's newest snapshot.
//!
//! look → set aside → parents → snapshot → protect → transfer → verify → settle → retain. Each step looks
//! at both ends, or takes what the step right before it saw (`ends.rs`), so what happened before a crash, or by
//! somebody else's hand, is always part of the facts. Nothing is forced and nothing is rolled back; what cannot be continued by appending is
//! a conflict that stops the job before anything is changed.

mod describe;
mod ends;
mod guests;
mod look;
mod memory;
mod parents;
mod protect;
mod quiesce;
mod retain;
mod run;
mod set_aside;
mod settle;
mod snapshot;
mod stream;
mod together;
mod transfer;
mod verify;
mod view;
mod way;

use std::num::NonZeroU64;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::hosts::Hosts;
use super::vcenters::Vcenters;
use crate::domain::ids::GroupId;
use crate::domain::job::Failure;
use crate::domain::location::Location;
use crate::domain::retention::Retention;
use crate::domain::transport::{Dial, Transport};
use crate::engine::{Definition, LockName};
use crate::plan::replication::History;

pub use guests::Guests;
pub use look::{Preview, PreviewedDataset, preview};
pub(super) use run::hold_tag;
pub(super) use snapshot::prefix;

/// The name of this kind of job.
pub const KIND: &str = "replicate";

/// What a replication is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicateInput {
    /// What is sent.
    pub source: Location,
    /// What is received into.
    pub destination: Location,
    /// The group on whose behalf; none: derived from the two datasets, the same at every run.
    #[serde(default)]
    pub group: Option<GroupId>,
    /// With all datasets below.
    #[serde(default)]
    pub recursive: bool,
    /// Take a snapshot first. Without, what is there is sent.
    #[serde(default = "yes")]
    pub snapshot: bool,
    /// Which snapshots are to arrive.
    #[serde(default)]
    pub history: History,
    /// Which of our snapshots stay at the source.
    #[serde(default)]
    pub keep_source: Retention,
    /// Which of our snapshots stay at the destination.
    #[serde(default)]
    pub keep_destination: Retention,
    /// Bytes a second at most.
    #[serde(default)]
    pub bandwidth_limit: Option<NonZeroU64>,
    /// Which way the stream goes.
    #[serde(default)]
    pub transport: Transport,
    /// What the source dials on the straight way, where that is not what this host dials.
    #[serde(default)]
    pub replication_address: Option<Dial>,
    /// The virtual machines whose hardware is kept with the checkpoint; only of a group's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guests: Option<Guests>,
    /// What to do when the destination has gone its own way.
    #[serde(default)]
    pub on_conflict: OnConflict,
}

fn yes() -> bool {
    true
}

/// What to do when the destination cannot be continued by appending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Stop and explain.
    #[default]
    Stop,
    /// Rename the destination aside and go on from the common snapshot in a clone of it.
    KeepAndContinue,
    /// Rename the destination aside and send everything anew.
    KeepAndSeed,
}

/// The definition of the job, working on hosts that `hosts` knows how to reach. Without a word of virtual machines: for
/// datasets alone.
pub fn definition(hosts: Arc<Hosts>) -> Definition {
    with_ends(ends::Ends::new(hosts, None))
}

/// The same for groups, whose virtual machines `vcenters` have.
pub fn definition_for_groups(hosts: Arc<Hosts>, vcenters: Vcenters) -> Definition {
    with_ends(ends::Ends::new(hosts, Some(vcenters)))
}

fn with_ends(ends: ends::Ends) -> Definition {
    let ends = Arc::new(ends);
    let ends = || Arc::clone(&ends);
    Definition::new(
        KIND,
        vec![
            Box::new(look::Look(ends())),
            Box::new(set_aside::SetAside(ends())),
            Box::new(parents::Parents(ends())),
            Box::new(snapshot::TakeSnapshot(ends())),
            Box::new(protect::Protect(ends())),
            Box::new(transfer::Transfer(ends())),
            Box::new(verify::Verify(ends())),
            Box::new(settle::Settle(ends())),
            Box::new(retain::Retain(ends())),
        ],
    )
    .with_locks(locks)
}

/// Two replications into one place would tread on each other, whoever asked for them: the lock is the
/// group's, or else the destination's.
fn locks(input: &serde_json::Value) -> Result<Vec<LockName>, Failure> {
    let input = ReplicateInput::deserialize(input).map_err(|error| {
        Failure::permanent(format!("The input of this replication could not be read: {error}."))
    })?;
    let group = input.group.unwrap_or_else(|| run::derived_group(&[&input.destination.to_string()]));
    Ok(vec![LockName::replica(&group)])
}
