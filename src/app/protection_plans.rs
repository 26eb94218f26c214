//! Where the files of protected virtual machines lie, and the job that moves them to their group's datastore.

use serde::Deserialize;
use serde_json::{Value, json};

use super::job_start::Beside;
use super::protected_vms::ProtectedVmView;
use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::ids::{GroupId, JobId, ProtectedVmId, VcenterId};
use crate::domain::inventory::Datastore;
use crate::domain::job::Job;
use crate::domain::protected_vm::ProtectedVm;
use crate::domain::protection_group::ProtectionGroup;
use crate::domain::vcenter::ApiKind;
use crate::jobs::move_to_protection_datastore::{AT_ONCE, KIND, MoveInput};
use crate::jobs::vsphere_vm::PlannedVm;
pub use crate::plan::placement::{DiskPlacement, Placement, Stray};
use crate::plan::placement::{Placed, Required, place};

/// The most virtual machines that one job moves.
pub const MOST: usize = 50;

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
        view.there()?;
        let datastore = self.datastore_of(&group).await?;
        let single = self.is_single_host(group.source.vcenter).await?;
        plan(&group, &datastore, single, view)
    }

    /// The plans of all virtual machines of a group that are in its vCenter, by name.
    ///
    /// # Errors
    /// [`AppError::Conflict`] if the vCenter has no datastore of the group.
    pub async fn protection_plans(&self, id: GroupId) -> Result<Vec<ProtectionPlan>, AppError> {
        let group = self.protection_group(id).await?;
        let datastore = self.datastore_of(&group).await?;
        let single = self.is_single_host(group.source.vcenter).await?;
        let there = self.protected_vms(id).await?.into_iter().filter(|view| view.seen.is_some());
        there.map(|view| plan(&group, &datastore, single, view)).collect()
    }

    /// The group's dataset as its source vCenter's hosts mount it.
    ///
    /// # Errors
    /// [`AppError::Conflict`] if none does.
    pub async fn datastore_of(&self, group: &ProtectionGroup) -> Result<Datastore, AppError> {
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
        let named: Vec<PlannedVm> = plans.iter().map(|plan| plan.planned.clone()).collect();
        // What is being moved is neither where it was nor where it has to be.
        for job in self.store.unfinished_of(KIND).await? {
            let moving = MoveInput::deserialize(&job.input).map(|input| input.vms).unwrap_or_default();
            if stands(&named, &moving) == Beside::Same {
                return Ok(job.id);
            }
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
        let wanted = input.vms.clone();
        let beside = move |other: &Value| match MoveInput::deserialize(other) {
            Ok(other) => stands(&wanted, &other.vms),
            Err(_) => Beside::Other,
        };
        self.start_job_once(who, KIND, &input, entry, beside).await
    }

    /// The job that moves a virtual machine and has not ended, if there is one.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn move_under_way(&self, vm: &ProtectedVm) -> Result<Option<Job>, AppError> {
        let all = self.store.unfinished_of(KIND).await?;
        let moves = |job: &Job| {
            MoveInput::deserialize(&job.input)
                .is_ok_and(|input| input.vms.iter().any(|one| one.instance_uuid == vm.instance_uuid))
        };
        Ok(all.into_iter().find(moves))
    }

    async fn is_single_host(&self, vcenter: VcenterId) -> Result<bool, AppError> {
        let vcenter = self.store.vcenter(vcenter).await?;
        Ok(vcenter.and_then(|one| one.about).is_some_and(|about| about.kind == ApiKind::HostAgent))
    }
}

fn plan(
    group: &ProtectionGroup,
    datastore: &Datastore,
    single: bool,
    view: ProtectedVmView,
) -> Result<ProtectionPlan, AppError> {
    let placement = place(&Placed::of(view.there()?), &Required::of(datastore), single);
    let planned = view.planned()?;
    Ok(ProtectionPlan { group: group.clone(), vm: view.vm, datastore: datastore.clone(), placement, planned })
}

/// How a move that is under way stands to a wanted one.
fn stands(wanted: &[PlannedVm], moving: &[PlannedVm]) -> Beside {
    let is_moving = |vm: &&PlannedVm| moving.iter().any(|one| one.instance_uuid == vm.instance_uuid);
    let busy: Vec<&str> = wanted.iter().filter(is_moving).map(|vm| vm.name.as_str()).collect();
    if busy.is_empty() {
        Beside::Other
    } else if busy.len() == wanted.len() {
        Beside::Same
    } else {
        Beside::InTheWay(format!(
            "A job moves {} already. Wait until it has ended, or leave them out.",
            busy.join(", ")
        ))
    }
}
