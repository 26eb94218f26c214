//! `delete_replica`: destroys a group's replica, lets go of what the group holds at the source, and forgets the group.
//!
//! look → destroy_snapshots → destroy_dataset → let_go_at_source → forget. What is there is listed and judged first
//! (`plan::replica`) and written down; before each destroying step it is listed and judged again, and compared with what was
//! written down. Each snapshot goes by its own name and GUID, the dataset when it is empty: never `-r`, `-R` or `-f`. What
//! somebody else may want stops the job, with everything that is left as it is. Nothing of it can be taken back.

mod destroy;
mod forget;
mod look;
mod source;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::targets::Targets;
use crate::domain::ids::{GroupId, TargetId};
use crate::domain::job::Failure;
use crate::domain::names::DatasetName;
use crate::engine::{Definition, LockName, Retry};

pub use look::{Standing, standing};

/// The name of this kind of job.
pub const KIND: &str = crate::domain::replica::DELETE_REPLICA;

const AGAIN: Retry = Retry { attempts: 3, pause: Duration::from_secs(5) };

/// What the job is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteInput {
    /// The group.
    pub group_id: GroupId,
    /// Its name, for people.
    pub name: String,
    /// The DR appliance.
    pub dr_target_id: TargetId,
    /// The replica there, as it was typed by whoever asked for this.
    pub replica: DatasetName,
    /// The source appliance.
    pub source_target_id: TargetId,
    /// The live dataset there. It is not touched but for what Zerfaux put on it.
    pub source_dataset: DatasetName,
    /// Whether the group's own snapshots at the source go too.
    pub source_snapshots: bool,
}

/// The definition of the job.
pub fn definition(targets: Targets) -> Definition {
    let targets = Arc::new(targets);
    let ground = || Arc::clone(&targets);
    Definition::new(
        KIND,
        vec![
            Box::new(look::Look(ground())),
            Box::new(destroy::DestroySnapshots(ground())),
            Box::new(destroy::DestroyDataset(ground())),
            Box::new(source::LetGoAtSource(ground())),
            Box::new(forget::Forget(ground())),
        ],
    )
    .with_locks(|input| {
        let input = DeleteInput::deserialize(input)
            .map_err(|error| Failure::permanent(format!("The input could not be read: {error}.")))?;
        Ok(vec![LockName::replica(&input.group_id), LockName::recovery(&input.group_id)])
    })
}
