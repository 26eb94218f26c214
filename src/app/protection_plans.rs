//! Where the files of protected virtual machines lie, and the job that moves them to their group's datastore.

use serde_json::json;

use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::ids::{JobId, ProtectedVmId};
use crate::domain::inventory::Datastore;
use crate::domain::job::Failure;
use crate::domain::protected_vm::ProtectedVm;
use crate::domain::protection_group::ProtectionGroup;
use crate::domain::vcenter::ApiKind;
use crate::jobs::move_to_protection_datastore::{AT_ONCE, KIND, MoveInput};
use crate::jobs::vsphere_vm::PlannedVm;
pub use crate::plan::placement::{DiskPlacement, Placement, Stray};
use crate::plan::placement::{Placed, Required, place};

/// The most virtual machines that one job moves.
const MOST: usize = 50;

/// What lies where, and what moving it would do.
#[derive(Debug, Clone)]
pub struct ProtectionPlan {
    /// The group.
    pub group: ProtectionGroup,
    /// The virtual machine.
    pub vm: ProtectedVm,
    /// The group's datastore in the vCenter of the virtual machine.
    pub datastore: Datastore,
    /// What lies where.
    pub placement: Placement,
    /// The virtual machine as a job is told it.
    planned: PlannedVm,
}

impl App {
    /// Where the files of a protected virtual machine lie, and what moving them would do. Nothing is changed.
    ///
    /// # Errors
    /// [`AppError::Conflict`] if the vCenter has no such virtual machine, or no datastore of its group.
    pub async fn protection_plan(&self, id: ProtectedVmId) -> Result<ProtectionPlan, AppError> {
        let (group, view) = self.protected_vm(id).await?;
        let vm = view.vm;
        let seen = view.seen.ok_or_else(|| {
            AppError::Conflict(format!(
                "{} is not in its vCenter any more. Synchronise the vCenter; if it was removed, remove it from the group.",
                vm.name
            ))
        })?;
        let datastore = self.datastore_of(&group).await?;
        let vcenter = self.store.vcenter(vm.vcenter).await?;
        let single = vcenter.and_then(|one| one.about).is_some_and(|about| about.kind == ApiKind::HostAgent);
        let placement = place(&Placed::of(&seen.object), &Required::of(&datastore), single);
        let planned = PlannedVm {
            vm: seen.object.object.clone(),
            instance_uuid: vm.instance_uuid.clone(),
            name: seen.object.name.clone(),
            folder: seen.object.parent.clone(),
        };
        Ok(ProtectionPlan { group, vm, datastore, placement, planned })
    }

    /// The group's dataset as its source vCenter's hosts mount it.
    pub(super) async fn datastore_of(&self, group: &ProtectionGroup) -> Result<Datastore, AppError> {
        let target = self.target(group.source.target).await?;
        let all = self.target_datastores(&target).await?;
        let mut own = all.into_iter().filter(|one| one.vcenter == group.source.vcenter);
        let is_it = |one: &super::datastore_mounts::TargetDatastore| match &group.source.export {
            Some(export) => one.export == *export,
            None => one.dataset.as_ref() == Some(&group.source.dataset),
        };
        own.find(is_it).map(|one| one.datastore).ok_or_else(|| {
            AppError::Conflict(format!(
                "No host of the source vCenter mounts {} as a datastore. Mount it (the appliance's page, datastores), or \
                 synchronise the vCenter if it is mounted.",
                group.source.dataset
            ))
        })
    }

    /// Starts the job that moves virtual machines of one group to its datastore. `datastore`: by reference or name, as a
    /// check; empty: the group's.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with everything that stands in the way; [`AppError::Conflict`] if nothing has to be moved.
    pub async fn move_to_protection_datastore(
        &self,
        who: &Principal,
        ids: &[ProtectedVmId],
        datastore: &str,
    ) -> Result<JobId, AppError> {
        let mut plans: Vec<ProtectionPlan> = Vec::new();
        for id in ids {
            if !plans.iter().any(|plan| plan.vm.id == *id) {
                plans.push(self.protection_plan(*id).await?);
            }
        }
        if plans.len() > MOST {
            return Err(AppError::invalid("protected_vm_ids", format!("Move at most {MOST} at a time.")));
        }
        let Some(first) = plans.first() else {
            return Err(AppError::invalid("protected_vm_ids", "Choose at least one virtual machine."));
        };
        let (group, target) = (first.group.clone(), first.datastore.clone());
        if plans.iter().any(|plan| plan.group.id != group.id) {
            let message = "One job moves virtual machines of one group.";
            return Err(AppError::invalid("protected_vm_ids", message));
        }
        let wanted = datastore.trim();
        if !(wanted.is_empty() || wanted == target.object.id() || wanted == target.name) {
            let message = format!("The datastore of {} is {} ({}).", group.name, target.name, target.object);
            return Err(AppError::invalid("datastore", message));
        }
        let fields: Vec<FieldError> = plans
            .iter()
            .flat_map(|plan| plan.placement.obstacles.iter().map(|one| (&plan.vm.name, one)))
            .map(|(name, one)| FieldError { field: one.field, message: format!("{name}: {}", one.message) })
            .collect();
        if !fields.is_empty() {
            return Err(AppError::Invalid { fields });
        }
        plans.retain(|plan| !plan.placement.compliant);
        if plans.is_empty() {
            return Err(AppError::Conflict(format!("Everything is on {} already.", target.name)));
        }
        let names: Vec<&str> = plans.iter().map(|plan| plan.planned.name.as_str()).collect();
        let details = json!({ "group": group.name, "datastore": target.name, "virtual_machines": names });
        let entry = self.entry(who, "protected_vm.move", names.join(", "), Outcome::Done, details);
        let input = MoveInput {
            vcenter_id: group.source.vcenter,
            datastore: target.object,
            datastore_name: target.name,
            vms: plans.into_iter().map(|plan| plan.planned).collect(),
            at_once: AT_ONCE,
        };
        let value = serde_json::to_value(&input).map_err(|error| {
            AppError::Failed(Failure::permanent(format!("The job could not be written down: {error}.")))
        })?;
        self.store.append_audit(entry).await?;
        Ok(self.engine.enqueue(KIND, value, &who.actor()).await?)
    }
}
