//! The names of the locks that jobs hold, by what they touch.
//!
//! Two jobs that name the same lock never run at the same time. A job claims all of its locks or none, and
//! holds them from before its first step until it ends or waits for a person. The rows are the store's.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::ids::{GroupId, JobId, TargetId, VcenterId};
use crate::domain::names::DatasetName;

/// The name of a lock, such as `replica:<group>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LockName(String);

impl LockName {
    /// The replica of a group: replication, and whatever changes its direction.
    pub fn replica(group: &GroupId) -> Self {
        Self(format!("replica:{group}"))
    }

    /// The test of a group and its cleanup: beside its recovery, which waits for neither.
    pub fn test(group: &GroupId) -> Self {
        Self(format!("test:{group}"))
    }

    /// The recovery of a group: failover, commit, rollback, reprotect.
    pub fn recovery(group: &GroupId) -> Self {
        Self(format!("recovery:{group}"))
    }

    /// A virtual machine, by its instance UUID.
    pub fn vm(instance_uuid: &uuid::Uuid) -> Self {
        Self(format!("vm:{instance_uuid}"))
    }

    /// A virtual machine that is to be made under this name.
    pub fn new_vm(vcenter: &VcenterId, name: &str) -> Self {
        Self(format!("new-vm:{vcenter}/{}", name.to_lowercase()))
    }

    /// A dataset that is to be made on an appliance.
    pub fn dataset(target: &TargetId, name: &DatasetName) -> Self {
        Self(format!("dataset:{target}/{name}"))
    }

    /// The datastores mounted on an ESXi host, by the host's key in the inventory.
    pub fn host_mounts(host: &str) -> Self {
        Self(format!("host-mounts:{host}"))
    }

    /// The inventory of a vCenter: reading it in full.
    pub fn inventory(vcenter: &VcenterId) -> Self {
        Self(format!("inventory:{vcenter}"))
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

/// Who may have its locks, decided over all jobs that want some: first come, first served, so that a job
/// that needs two locks is not overtaken for ever by jobs that need one of them.
#[derive(Debug, Default)]
pub(super) struct Claims {
    taken: HashMap<String, JobId>,
}

impl Claims {
    /// Claims beside locks that are `held` already.
    pub(super) fn beside(held: impl IntoIterator<Item = (String, JobId)>) -> Self {
        Self { taken: held.into_iter().collect() }
    }

    /// Whether `job` may take all of `names`; if not, which one stands in the way, and whose it is. Either
    /// way nobody who asks later gets one of them.
    pub(super) fn claim(&mut self, job: JobId, names: &[String]) -> Result<(), (String, JobId)> {
        let blocker = names.iter().find_map(|name| {
            let holder = self.taken.get(name).filter(|holder| **holder != job)?;
            Some((name.clone(), *holder))
        });
        for name in names {
            self.taken.entry(name.clone()).or_insert(job);
        }
        blocker.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_job_gets_all_of_its_locks_or_none() {
        let (first, second) = (JobId::new(), JobId::new());
        let mut claims = Claims::beside([("a".to_owned(), first)]);
        assert_eq!(claims.claim(first, &names(&["a", "b"])), Ok(()), "its own do not stand in its way");
        assert_eq!(claims.claim(second, &names(&["b", "c"])), Err(("b".to_owned(), first)));
    }

    #[test]
    fn a_job_that_waits_is_not_overtaken() {
        let (runs, waits, later, other) = (JobId::new(), JobId::new(), JobId::new(), JobId::new());
        let mut claims = Claims::beside([("a".to_owned(), runs)]);
        assert!(claims.claim(waits, &names(&["a", "b"])).is_err());
        assert_eq!(claims.claim(later, &names(&["b"])), Err(("b".to_owned(), waits)));
        assert_eq!(claims.claim(other, &names(&["c"])), Ok(()));
    }
}
