//! The virtual machines that a group protects.

use serde_json::json;

use super::dr_shells::DrShellState;
use super::{App, AppError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::ids::{GroupId, ProtectedVmId};
use crate::domain::inventory::{DiskPlace, Drift, Known, Vm};
use crate::domain::moref::VmRef;
pub use crate::domain::protected_vm::ProtectedVm;
use crate::domain::protection_group::ProtectionGroup;
pub use crate::plan::readiness::{Ready, ReadyItem, ReadyState};
use crate::plan::readiness::{VmFacts, readiness};

/// Most virtual machines that are assigned with one request.
const MOST_AT_ONCE: usize = 500;

/// A protected virtual machine with how it stands.
#[derive(Debug, Clone)]
pub struct ProtectedVmView {
    /// It.
    pub vm: ProtectedVm,
    /// What the inventory knows of it; none if it is gone.
    pub seen: Option<Known<Vm>>,
    /// Its disks, and where they lie.
    pub disks: Vec<DiskPlace>,
    /// How its disks lie with regard to the group's datastore; none while that is not known.
    pub drift: Option<Drift>,
    /// Its shell, once one was made.
    pub shell: Option<DrShellState>,
    /// What is done, and what is still to be done, until it can be recovered.
    pub readiness: Ready,
}

impl App {
    /// The virtual machines of a group, by name.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn protected_vms(&self, group: GroupId) -> Result<Vec<ProtectedVmView>, AppError> {
        let group = self.protection_group(group).await?;
        let mut views = Vec::new();
        for vm in self.store.protected_vms(Some(group.id)).await? {
            views.push(self.view_of(&group, vm).await?);
        }
        Ok(views)
    }

    /// One protected virtual machine with its group.
    ///
    /// # Errors
    /// If there is none with this id.
    pub async fn protected_vm(
        &self,
        id: ProtectedVmId,
    ) -> Result<(ProtectionGroup, ProtectedVmView), AppError> {
        let vm = self.store.protected_vm(id).await?;
        let vm =
            vm.ok_or_else(|| AppError::NotFound(format!("there is no protected virtual machine {id}")))?;
        let group = self.protection_group(vm.group).await?;
        let view = self.view_of(&group, vm).await?;
        Ok((group, view))
    }

    async fn view_of(&self, group: &ProtectionGroup, vm: ProtectedVm) -> Result<ProtectedVmView, AppError> {
        let all = self.store.vms_by_instance_uuid(&vm.instance_uuid).await?;
        let seen = all.into_iter().find(|one| one.vcenter == vm.vcenter);
        let disks = match &seen {
            Some(seen) => self.store.disk_places(vm.vcenter, Some(seen.object.object.clone()), None).await?,
            None => Vec::new(),
        };
        let drift = group.source.export.as_ref().filter(|_| seen.is_some() && !disks.is_empty());
        let drift = drift.map(|export| Drift::of(disks.clone(), export));
        let shell = self.shell_of(&vm, seen.as_ref().map(|one| &one.object)).await?;
        let newest = self.store.newest_checkpoints().await?.remove(&group.id);
        let facts = VmFacts {
            vm: seen.as_ref().map(|one| &one.object),
            drift: drift.as_ref(),
            rpo_seconds: group.policy.rhythm.rpo_seconds(),
            newest: newest.map(|one| one.taken_at),
            added_at: vm.added_at,
            shell: shell.as_ref().map(DrShellState::facts),
            now: self.clock.now(),
        };
        let readiness = readiness(&facts);
        Ok(ProtectedVmView { vm, seen, disks, drift, shell, readiness })
    }

    /// Assigns virtual machines of the group's vCenter to it: all of them, or none.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with each that cannot be protected and why; [`AppError::Conflict`] if another group has one.
    pub async fn assign_vms(
        &self,
        who: &Principal,
        group: GroupId,
        morefs: &[String],
    ) -> Result<Vec<ProtectedVmView>, AppError> {
        const FIELD: &str = "vm_morefs";
        let group = self.protection_group(group).await?;
        if morefs.is_empty() || morefs.len() > MOST_AT_ONCE {
            return Err(AppError::invalid(FIELD, format!("Choose 1 to {MOST_AT_ONCE} virtual machines.")));
        }
        let (mut vms, mut wrong) = (Vec::<ProtectedVm>::new(), Vec::new());
        for moref in morefs {
            match self.assignable(&group, moref).await? {
                Ok((moref, instance_uuid, name)) => {
                    if vms.iter().any(|vm| vm.instance_uuid == instance_uuid) {
                        continue;
                    }
                    vms.push(ProtectedVm {
                        id: ProtectedVmId::new(),
                        group: group.id,
                        vcenter: group.source.vcenter,
                        instance_uuid,
                        moref,
                        name,
                        added_by: who.actor(),
                        added_at: self.clock.now(),
                    });
                }
                Err(message) => wrong.push(super::FieldError { field: FIELD, message }),
            }
        }
        if !wrong.is_empty() {
            return Err(AppError::Invalid { fields: wrong });
        }
        let names: Vec<&str> = vms.iter().map(|vm| vm.name.as_str()).collect();
        let details = json!({ "virtual_machines": names });
        let entry = self.entry(who, "protected_vm.assign", &group.name, Outcome::Done, details);
        let wanted: Vec<String> = vms.iter().map(|vm| vm.instance_uuid.clone()).collect();
        self.store.add_protected_vms(vms, entry).await?;
        let all = self.protected_vms(group.id).await?;
        Ok(all.into_iter().filter(|view| wanted.contains(&view.vm.instance_uuid)).collect())
    }

    pub(super) async fn assignable(
        &self,
        group: &ProtectionGroup,
        moref: &str,
    ) -> Result<Result<(VmRef, String, String), String>, AppError> {
        let moref = VmRef::new(moref);
        let found = self.store.vm(group.source.vcenter, &moref).await?.filter(|vm| vm.gone_at.is_none());
        let Some(vm) = found.map(|vm| vm.object) else {
            return Ok(Err(format!(
                "The group's vCenter has no virtual machine {moref}. If it is new, synchronise the vCenter first."
            )));
        };
        if vm.template {
            return Ok(Err(format!("{:?} is a template, and templates do not run.", vm.name)));
        }
        Ok(match vm.instance_uuid {
            Some(uuid) => Ok((moref, uuid, vm.name)),
            None => Err(format!("{:?} has no instance UUID, so it cannot be told from others.", vm.name)),
        })
    }

    /// Takes a virtual machine out of its group. It and its disks stay where they are.
    ///
    /// # Errors
    /// If there is none with this id; [`AppError::Conflict`] while a job works on it.
    pub async fn remove_protected_vm(&self, who: &Principal, id: ProtectedVmId) -> Result<(), AppError> {
        let (group, view) = self.protected_vm(id).await?;
        let details = json!({ "group": group.name, "instance_uuid": view.vm.instance_uuid });
        let entry = self.entry(who, "protected_vm.remove", &view.vm.name, Outcome::Done, details);
        Ok(self.store.remove_protected_vm(&view.vm, entry).await?)
    }
}
