//! Runs of protection groups: what the job of one is given.

use jiff::Timestamp;
use serde_json::Value;

use super::failure::recorded;
use super::replicate::{OnConflict, ReplicateInput};
use super::targets::Targets;
use crate::domain::job::Failure;
use crate::domain::location::Location;
use crate::domain::protection_group::ProtectionGroup;
use crate::plan::replication::History;

/// The reconciler's name.
pub const NAME: &str = "group_runs";

/// What the job of a run that starts at `now` is given.
///
/// # Errors
/// If an appliance of the group is gone or switched off.
pub async fn input_of(targets: &Targets, group: &ProtectionGroup, now: Timestamp) -> Result<Value, Failure> {
    let (_, source) = targets.host_ref(group.source.target).await?;
    let (dr, destination) = targets.host_ref(group.dr.target).await?;
    let policy = &group.policy;
    let limit = crate::plan::timetable::limit(policy, now);
    recorded(ReplicateInput {
        source: Location { host: source, dataset: group.source.dataset.clone() },
        destination: Location { host: destination, dataset: group.dr.dataset.clone() },
        group: Some(group.id),
        recursive: false,
        snapshot: true,
        history: History::default(),
        keep_source: policy.keep_source,
        keep_destination: policy.keep_dr,
        bandwidth_limit: limit.map(|rate| rate.bytes_per_second()),
        transport: policy.transport,
        replication_address: dr.replication_address.clone(),
        on_conflict: OnConflict::Stop,
    })
}
