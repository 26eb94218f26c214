//! The virtual machines that a group protects.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::json;

use super::dr_shells::DrShellState;
use super::{App, AppError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::dr_shell::DrShell;
use crate::domain::ids::{GroupId, ProtectedVmId};
use crate::domain::inventory::{DiskPlace, Drift, Known, Vm};
use crate::domain::moref::VmRef;
pub use crate::domain::protected_vm::ProtectedVm;
use crate::domain::protection_group::ProtectionGroup;
use crate::jobs::vsphere_vm::PlannedVm;
pub use crate::plan::readiness::{Ready, ReadyItem, ReadyState};
use crate::plan::readiness::{VmFacts, readiness};
use crate::store::Tested;

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

impl ProtectedVmView {
    /// It as its vCenter has it.
    ///
    /// # Errors
    /// [`AppError::Conflict`] if its vCenter has it no more.
    pub fn there(&self) -> Result<&Vm, AppError> {
        match &self.seen {
            Some(seen) => Ok(&seen.object),
            None => Err(AppError::Conflict(format!(
                "{} is not in its vCenter any more. Synchronise the vCenter; if it was removed, remove it from the group.",
                self.vm.name
            ))),
        }
    }

    /// It as a job is told it.
    ///
    /// # Errors
    /// [`AppError::Conflict`] if its vCenter has it no more.
    pub(super) fn planned(&self) -> Result<PlannedVm, AppError> {
        let seen = self.there()?;
        Ok(PlannedVm {
            vm: seen.object.clone(),
            instance_uuid: self.vm.instance_uuid.clone(),
            name: seen.name.clone(),
            folder: seen.parent.clone(),
        })
    }
}

/// What is read once for all virtual machines of a group.
struct Around {
    /// When the newest checkpoint at the DR side was taken.
    newest: Option<Timestamp>,
    /// The group's shells.
    shells: Vec<DrShell>,
    /// When each came up last in a test or a failover, by its instance UUID.
    tested: HashMap<String, Tested>,
}

impl App {
    /// The virtual machines of a group, by name.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn protected_vms(&self, group: GroupId) -> Result<Vec<ProtectedVmView>, AppError> {
        let group = self.protection_group(group).await?;
        let around = self.around(&group).await?;
        let mut views = Vec::new();
        for vm in self.store.protected_vms(Some(group.id)).await? {
            views.push(self.view_of(&group, &around, vm).await?);
        }
        Ok(views)
    }

    /// The protected virtual machine with this instance UUID.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn protected_vm_with(&self, instance_uuid: &str) -> Result<Option<ProtectedVm>, AppError> {
        let all = self.store.protected_vms(None).await?;
        Ok(all.into_iter().find(|vm| vm.instance_uuid == instance_uuid))
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
        let around = self.around(&group).await?;
        let view = self.view_of(&group, &around, vm).await?;
        Ok((group, view))
    }

    async fn around(&self, group: &ProtectionGroup) -> Result<Around, AppError> {
        let newest = self.store.newest_checkpoints().await?.remove(&group.id);
        let shells = self.store.dr_shells(group.id).await?;
        let tested = self.store.tested_vms(group.id).await?;
        Ok(Around { newest: newest.map(|one| one.taken_at), shells, tested })
    }

    async fn view_of(
        &self,
        group: &ProtectionGroup,
        around: &Around,
        vm: ProtectedVm,
    ) -> Result<ProtectedVmView, AppError> {
        let all = self.store.vms_by_instance_uuid(&vm.instance_uuid).await?;
        let seen = all.into_iter().find(|one| one.vcenter == vm.vcenter);
        let disks = match &seen {
            Some(seen) => self.store.disk_places(vm.vcenter, Some(seen.object.object.clone()), None).await?,
            None => Vec::new(),
        };
        let drift = group.source.export.as_ref().filter(|_| seen.is_some() && !disks.is_empty());
        let drift = drift.map(|export| Drift::of(disks.clone(), export));
        let shell = around.shells.iter().find(|one| one.source_uuid == vm.instance_uuid);
        let shell = match shell {
            Some(shell) => Some(self.shell_state(shell.clone(), seen.as_ref().map(|one| &one.object)).await?),
            None => None,
        };
        let facts = VmFacts {
            vm: seen.as_ref().map(|one| &one.object),
            drift: drift.as_ref(),
            rpo_seconds: group.policy.rhythm.rpo_seconds(),
            newest: around.newest,
            added_at: vm.added_at,
            shell: shell.as_ref().map(DrShellState::facts),
            tested: around.tested.get(&vm.instance_uuid).map(|one| one.at),
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
        self.wake_preflights();
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
        let shells = self.store.dr_shells_in(group.source.vcenter).await?;
        if let Some(shell) = shells.iter().find(|one| is_shell(one, &moref, vm.instance_uuid.as_deref())) {
            return Ok(Err(format!(
                "{:?} is a DR shell that Zerfaux made ({}): it stands for another virtual machine and never runs there.",
                vm.name, shell.spec.name
            )));
        }
        Ok(match vm.instance_uuid {
            Some(uuid) => Ok((moref, uuid, vm.name)),
            None => Err(format!("{:?} has no instance UUID, so it cannot be told from others.", vm.name)),
        })
    }

    /// Takes a virtual machine out of its group. It and its disks stay where they are.
    ///
    /// # Errors
    /// If there is none with this id; [`AppError::Conflict`] while it has a DR shell, or a job works on it.
    pub async fn remove_protected_vm(&self, who: &Principal, id: ProtectedVmId) -> Result<(), AppError> {
        let (group, view) = self.protected_vm(id).await?;
        if let Some(shell) = &view.shell {
            return Err(AppError::Conflict(format!(
                "{} has the DR shell {:?}. Remove that first: nothing would look after it any more.",
                view.vm.name, shell.shell.spec.name
            )));
        }
        let details = json!({ "group": group.name, "instance_uuid": view.vm.instance_uuid });
        let entry = self.entry(who, "protected_vm.remove", &view.vm.name, Outcome::Done, details);
        self.store.remove_protected_vm(&view.vm, entry).await?;
        self.wake_preflights();
        Ok(())
    }
}

/// Whether a virtual machine of a shell's vCenter is that shell: by the instance UUID where both have one.
pub(super) fn is_shell(shell: &DrShell, moref: &VmRef, instance_uuid: Option<&str>) -> bool {
    match (shell.instance_uuid.as_deref(), instance_uuid) {
        (Some(own), Some(other)) => own.eq_ignore_ascii_case(other),
        _ => shell.vm == *moref,
    }
}
