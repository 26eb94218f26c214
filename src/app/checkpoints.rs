//! One checkpoint with what was in it, and what is wrong with what groups leave on appliances and vCenters.

use super::protection_groups::Checkpoint;
use super::{App, AppError};
pub use crate::domain::agreement::Finding;
use crate::domain::dataset::Guid;
use crate::domain::ids::GroupId;
pub use crate::domain::manifest::{DiskFiles, Manifest, ManifestVm, Read, Rest};
pub use crate::domain::vm_snapshot::NotedVmSnapshot;

/// The removal of a VMware snapshot is worth a person's look once it has failed so often.
const TOO_OFTEN: u32 = 3;

/// Something that a person has to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The group; none if it is gone.
    pub group: Option<GroupId>,
    /// What it is about.
    pub object: String,
    /// What is wrong.
    pub why: String,
    /// What to do about it.
    pub advice: String,
}

impl App {
    /// A checkpoint with its manifest; without one if it was taken before there were manifests, or none is known.
    ///
    /// # Errors
    /// If there is no such group or checkpoint.
    pub async fn checkpoint(
        &self,
        group: GroupId,
        guid: Guid,
    ) -> Result<(Checkpoint, Option<Manifest>), AppError> {
        let all = self.checkpoints(group, true).await?;
        let found = all.into_iter().find(|one| one.guid == guid);
        let found = found.ok_or_else(|| AppError::NotFound(format!("there is no checkpoint {guid}")))?;
        Ok((found, self.store.manifest(group, guid).await?))
    }

    /// What contradicts on the datasets of groups, and VMware snapshots of ours that cannot be removed.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn checkpoint_troubles(&self) -> Result<Vec<Trouble>, AppError> {
        let mut all = Vec::new();
        for (group, findings) in self.store.group_findings().await? {
            all.extend(findings.into_iter().map(|one| Trouble {
                group: Some(group),
                object: one.object,
                why: format!("{} Nothing is sent until that is settled.", one.why),
                advice: one.advice,
            }));
        }
        for one in self.store.vm_snapshots().await?.into_iter().filter(|one| one.tries >= TOO_OFTEN) {
            let known = self.store.protection_group(one.group).await?.is_some();
            all.push(Trouble {
                group: known.then_some(one.group),
                object: one.name,
                why: format!(
                    "The VMware snapshot {:?}, which a checkpoint left behind, cannot be removed: {}",
                    one.snapshot,
                    one.why.unwrap_or_default()
                ),
                advice:
                    "It grows while it is there. Remove it in vCenter, or mend what keeps Zerfaux from it."
                        .to_owned(),
            });
        }
        Ok(all)
    }
}
