//! What would hurt a group later: gathered from the inventory and from its source appliance, judged by `plan`.

use std::collections::BTreeMap;

use super::{App, AppError};
use crate::domain::ids::GroupId;
use crate::domain::inventory::{Datastore, DiskPlace};
use crate::domain::moref::VmRef;
use crate::domain::protected_vm::ProtectedVm;
use crate::domain::protection_group::ProtectionGroup;
use crate::jobs::target_browse;
pub use crate::plan::obstacles::Obstacle;
use crate::plan::obstacles::{Facts, KeyKept, VmOn, obstacles};

/// Which virtual machines a group protects.
#[derive(Debug, Clone, Copy)]
pub(super) enum Protected<'a> {
    /// These, wherever their disks lie.
    Assigned(&'a [ProtectedVm]),
    /// Those of its datastore with these references; the others there are left out of it.
    Of(&'a [String]),
}

impl App {
    /// What would hurt a group later. Asks its source appliance; if that does not answer, it is one of them.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn group_obstacles(&self, id: GroupId) -> Result<Vec<Obstacle>, AppError> {
        let group = self.protection_group(id).await?;
        let protected = self.store.protected_vms(Some(id)).await?;
        self.obstacles_of(&group, Protected::Assigned(&protected)).await
    }

    /// The same of a group that need not be kept yet.
    pub(super) async fn obstacles_of(
        &self,
        group: &ProtectionGroup,
        protected: Protected<'_>,
    ) -> Result<Vec<Obstacle>, AppError> {
        let vcenter = group.source.vcenter;
        let datastores = self.store.datastores(vcenter, false).await?;
        let datastores: Vec<Datastore> = datastores.into_iter().map(|one| one.object).collect();
        let mut places: BTreeMap<String, Vec<DiskPlace>> = BTreeMap::new();
        if let Some(export) = &group.source.export {
            for place in self.store.disk_places(vcenter, None, Some(export.clone())).await? {
                places.entry(place.vm.id().to_owned()).or_default().push(place);
            }
        }
        let mut seen = Vec::new();
        let (assigned, morefs): (&[ProtectedVm], &[String]) = match protected {
            Protected::Assigned(vms) => (vms, &[]),
            Protected::Of(morefs) => (&[], morefs),
        };
        for vm in assigned {
            let all = self.store.vms_by_instance_uuid(&vm.instance_uuid).await?;
            let Some(found) = all.into_iter().find(|one| one.vcenter == vcenter) else { continue };
            let moref = found.object.object.clone();
            let disks = match places.remove(moref.id()) {
                Some(disks) => disks,
                None => self.store.disk_places(vcenter, Some(moref), None).await?,
            };
            seen.push((found.object, disks, true));
        }
        for (moref, disks) in places {
            if let Some(found) = self.store.vm(vcenter, &VmRef::new(moref)).await? {
                let protected = morefs.iter().any(|one| one == found.object.object.id());
                seen.push((found.object, disks, protected));
            }
        }
        let vms: Vec<VmOn<'_>> = seen
            .iter()
            .map(|(vm, disks, protected)| VmOn { vm, disks: disks.clone(), protected: *protected })
            .collect();
        let looked =
            target_browse::dataset_seen(&self.target_hosts(), group.source.target, &group.source.dataset)
                .await;
        Ok(obstacles(&Facts {
            dataset: &group.source.dataset,
            export: group.source.export.as_ref(),
            datastores: &datastores,
            vms: &vms,
            seen: looked.map_err(|failure| failure.message),
            key: match self.store.group_key(group.id).await? {
                None => KeyKept::No,
                Some(key) if key.tried.is_none() => KeyKept::Untried,
                Some(_) => KeyKept::Yes,
            },
        }))
    }
}
