//! The names of the locks that jobs hold, by what they touch.
//!
//! Two jobs that name the same lock never run at the same time. A job claims all of its locks or none, and
//! holds them from before its first step until it ends or waits for a person. The rows are the store's.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::ids::GroupId;

/// The name of a lock, such as `replica:<group>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LockName(String);

impl LockName {
    /// The replica of a group: replication, and whatever changes its direction.
    pub fn replica(group: &GroupId) -> Self {
        Self(format!("replica:{group}"))
    }

    /// The recovery of a group: test, failover, commit, rollback, reprotect.
    pub fn recovery(group: &GroupId) -> Self {
        Self(format!("recovery:{group}"))
    }

    /// A virtual machine, by its instance UUID.
    pub fn vm(instance_uuid: &uuid::Uuid) -> Self {
        Self(format!("vm:{instance_uuid}"))
    }

    /// The datastores mounted on an ESXi host, by the host's key in the inventory.
    pub fn host_mounts(host: &str) -> Self {
        Self(format!("host-mounts:{host}"))
    }

    /// The name as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<LockName> for String {
    fn from(name: LockName) -> Self {
        name.0
    }
}
