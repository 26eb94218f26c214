//! What our VMware snapshots are called, by which they are told from everybody else's.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;

use super::ids::{GroupId, JobId, VcenterId};
use super::moref::VmRef;

const PREFIX: &str = "zerfaux";

/// `zerfaux-deadbeef-0193…`: of a group, by its short form, and of the run that made it. vSphere takes 80 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnVmSnapshot {
    /// The group's short form.
    pub group: String,
    /// The run.
    pub job: JobId,
}

/// The name of somebody else's snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a VMware snapshot of ours")]
pub struct NotOurs;

/// A VMware snapshot of ours as it is noted, from before it is asked for until it is seen to be gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotedVmSnapshot {
    /// The vCenter.
    pub vcenter: VcenterId,
    /// The virtual machine.
    pub vm: VmRef,
    /// What the snapshot is called.
    pub snapshot: String,
    /// By what the vCenter tells the virtual machine from others.
    pub instance_uuid: String,
    /// What the virtual machine is called.
    pub name: String,
    /// The group for whose checkpoint it is.
    pub group: GroupId,
    /// The run.
    pub job: JobId,
    /// Since when it is noted.
    pub noted_at: Timestamp,
    /// How often its removal has failed since the run ended.
    pub tries: u32,
    /// Why the last time.
    pub why: Option<String>,
}

impl OwnVmSnapshot {
    /// Of this run of this group.
    pub fn of(group: GroupId, job: JobId) -> Self {
        Self { group: group.short(), job }
    }
}

impl fmt::Display for OwnVmSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}-{}-{}", self.group, self.job)
    }
}

impl FromStr for OwnVmSnapshot {
    type Err = NotOurs;

    /// Only what is written to the letter as we write it.
    fn from_str(text: &str) -> Result<Self, NotOurs> {
        let rest = text.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('-')).ok_or(NotOurs)?;
        let (group, job) = rest.split_once('-').ok_or(NotOurs)?;
        let name = Self { group: group.to_owned(), job: job.parse().map_err(|_| NotOurs)? };
        let hexadecimal = group.len() == 8 && group.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hexadecimal && name.to_string() == text { Ok(name) } else { Err(NotOurs) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_to_the_letter_ours_is_taken_for_ours() {
        let name = OwnVmSnapshot::of(GroupId::new(), JobId::new());
        let text = name.to_string();
        assert!(text.len() <= 80, "{text}");
        assert_eq!(text.parse(), Ok(name));
        let job = JobId::new();
        for other in [
            String::new(),
            "zerfaux".to_owned(),
            "zerfaux-before the update".to_owned(),
            format!("zerfaux-deadbee-{job}"),
            format!("Zerfaux-deadbeef-{job}"),
            format!("zerfaux-deadbeef-{job} (keep)"),
            format!("zerfaux-deadbeef-{}", job.to_string().to_uppercase()),
            format!("zerfaux-deadbeef-{{{job}}}"),
            "before zerfaux-deadbeef-01937c5e-0000-7000-8000-0000deadbeef".to_owned(),
        ] {
            assert_eq!(other.parse::<OwnVmSnapshot>(), Err(NotOurs), "{other}");
        }
    }
}
