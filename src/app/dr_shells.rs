//! DR shells: the plan of one, the job that makes it, and how it stands against what it stands for.

use serde_json::{Value, json};

use super::job_start::Beside;
use super::protected_vms::ProtectedVmView;
use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::dr_shell::DrShell;
use crate::domain::ids::{GroupId, JobId, ProtectedVmId};
use crate::domain::inventory::{Known, Vm, VmFilter};
use crate::domain::job::Job;
use crate::domain::machine::Machine;
use crate::domain::moref::ManagedRef;
use crate::domain::protected_vm::ProtectedVm;
use crate::domain::protection_group::ProtectionGroup;
use crate::jobs::create_dr_shell::{KIND, ShellInput, source_machine};
use crate::jobs::{remove_dr_shell, repair_dr_shell};
pub use crate::plan::dr_shell::{CardPlan, ShellPlan, Wish as ShellWish};
use crate::plan::dr_shell::{Facts, shell};
pub use crate::plan::findings::Finding;
use crate::plan::readiness::ShellFacts;
use crate::plan::shell_drift::{drift, networks_are_mapped};

/// How many virtual machines with the wished name in theirs are looked at.
const NAMED: u32 = 500;

/// A plan, and whose.
#[derive(Debug, Clone)]
pub struct DrShellPlan {
    /// The group.
    pub group: ProtectionGroup,
    /// The virtual machine that it stands for.
    pub vm: ProtectedVm,
    /// How that one is configured now.
    pub source: Machine,
    /// What will be made.
    pub plan: ShellPlan,
}

/// A shell as it stands.
#[derive(Debug, Clone)]
pub struct DrShellState {
    /// It.
    pub shell: DrShell,
    /// Whether the DR vCenter has it.
    pub is_there: bool,
    /// Whether each of its cards is on the network that was chosen for it.
    pub networks_mapped: bool,
    /// In what it differs from what it stands for.
    pub drift: Vec<Finding>,
}

impl DrShellState {
    /// The word in the API: `ready`, `drifted` or `missing`.
    pub fn word(&self) -> &'static str {
        match (self.is_there, self.drift.is_empty() && self.networks_mapped) {
            (false, _) => "missing",
            (true, true) => "ready",
            (true, false) => "drifted",
        }
    }

    pub(super) fn facts(&self) -> ShellFacts {
        ShellFacts {
            is_there: self.is_there,
            matches: self.drift.is_empty(),
            networks_mapped: self.networks_mapped,
        }
    }
}

pub(super) fn present<T>(all: Vec<Known<T>>) -> Vec<T> {
    all.into_iter().filter(|one| one.gone_at.is_none()).map(|one| one.object).collect()
}

impl App {
    /// The shells of a group.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn dr_shells(&self, group: GroupId) -> Result<Vec<DrShell>, AppError> {
        Ok(self.store.dr_shells(group).await?)
    }

    /// A shell, compared with `source` as the inventory has both now.
    pub(super) async fn shell_state(
        &self,
        shell: DrShell,
        source: Option<&Vm>,
    ) -> Result<DrShellState, AppError> {
        let seen = self.store.vm(shell.dr_vcenter, &shell.vm).await?.filter(|one| one.gone_at.is_none());
        // Another virtual machine may have got its reference.
        let seen = seen.map(|one| one.object).filter(|one| one.instance_uuid == shell.instance_uuid);
        let found = match (source, &seen) {
            (Some(source), Some(seen)) => drift(source, seen, &shell.spec),
            _ => Vec::new(),
        };
        let networks_mapped = seen.as_ref().is_some_and(|seen| networks_are_mapped(seen, &shell.spec));
        Ok(DrShellState { is_there: seen.is_some(), networks_mapped, drift: found, shell })
    }

    /// What making a shell would do. The source is asked how it is configured now; nothing is changed.
    ///
    /// # Errors
    /// [`AppError::Conflict`] if the vCenter has no such virtual machine, or no datastore of its group; or if the vCenter
    /// does not answer.
    pub async fn dr_shell_plan(&self, id: ProtectedVmId, wish: &ShellWish) -> Result<DrShellPlan, AppError> {
        let (group, view) = self.protected_vm(id).await?;
        let has_shell = view.shell.is_some();
        self.plan_of_shell((group, view), |_| wish.clone(), has_shell).await
    }

    /// The plan of a shell. `wish`: made of the source as it is configured now. `has_shell`: one stands in the way.
    pub(super) async fn plan_of_shell(
        &self,
        (group, view): (ProtectionGroup, ProtectedVmView),
        wish: impl FnOnce(&Machine) -> ShellWish,
        has_shell: bool,
    ) -> Result<DrShellPlan, AppError> {
        let planned = view.planned()?;
        let own = view.shell.as_ref().filter(|_| !has_shell).map(|shell| shell.shell.spec.name.clone());
        let vm = view.vm;
        let datastore = self.datastore_of(&group).await?;
        let source = source_machine(self.vcenters()?.sessions(), vm.vcenter, &planned).await?;
        let dr = group.dr.vcenter;
        let target = self.target(group.dr.target).await?;
        let wish = wish(&source);
        let name = wish.name.clone().unwrap_or_else(|| source.name.clone());
        // One that is changed has its name itself.
        let taken = match own == Some(name.clone()) {
            true => Vec::new(),
            false => self.places_of_name(dr, &name).await?,
        };
        let plan = shell(
            &wish,
            &Facts {
                source: &source,
                protected_on: &datastore.name,
                source_networks: &present(self.store.networks(vm.vcenter).await?),
                same_vcenter: dr == vm.vcenter,
                has_shell,
                places: &present(self.store.places(dr, None).await?),
                datastores: &present(self.store.datastores(dr, false).await?),
                networks: &present(self.store.networks(dr).await?),
                taken: &taken,
                appliance: (target.nfs_address(), target.zfs_pool.as_str()),
            },
        );
        Ok(DrShellPlan { group, vm, source, plan })
    }

    /// The folders in which a vCenter has a virtual machine of that name.
    pub(super) async fn places_of_name(
        &self,
        vcenter: crate::domain::ids::VcenterId,
        name: &str,
    ) -> Result<Vec<(ManagedRef, String)>, AppError> {
        let filter = VmFilter {
            vcenter: Some(vcenter),
            search: Some(name.to_lowercase()),
            limit: NAMED,
            ..VmFilter::default()
        };
        let mut taken = Vec::new();
        for line in self.store.vms(&filter).await?.items.into_iter().filter(|one| one.name == name) {
            let vm = self.store.vm(vcenter, &line.object).await?;
            taken.extend(vm.and_then(|vm| Some((vm.object.parent?, vm.object.name))));
        }
        Ok(taken)
    }

    /// Starts the job that makes a shell, if nothing stands in its way.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with everything that stands in the way, beside its field; or as [`Self::dr_shell_plan`].
    pub async fn create_dr_shell(
        &self,
        who: &Principal,
        id: ProtectedVmId,
        wish: &ShellWish,
        keep_view: bool,
    ) -> Result<JobId, AppError> {
        let (_, view) = self.protected_vm(id).await?;
        if let Some(job) = self.shell_job_under_way(&view.vm.instance_uuid).await? {
            return Ok(job.id);
        }
        let DrShellPlan { group, vm, plan, .. } = self.dr_shell_plan(id, wish).await?;
        let input = self.shell_input((group, vm), plan, keep_view).await?;
        let details = json!({
            "group_id": input.group_id, "virtual_machine": input.source_name,
            "home_datastore": input.spec.home_datastore, "keep_view": keep_view,
        });
        let entry = self.entry(who, "dr_shell.create", &input.spec.name, Outcome::Done, details);
        let source = input.source_uuid.clone();
        let beside = move |other: &Value| match other["source_uuid"] == *source {
            true => Beside::Same,
            false => Beside::Other,
        };
        self.start_job_once(who, KIND, &input, entry, beside).await
    }

    /// What a job is given that makes or changes a shell by this plan.
    pub(super) async fn shell_input(
        &self,
        (group, vm): (ProtectionGroup, ProtectedVm),
        plan: ShellPlan,
        keep_view: bool,
    ) -> Result<ShellInput, AppError> {
        let Some(spec) = plan.spec else {
            let fields = plan.obstacles.into_iter();
            let fields = fields.map(|Finding { field, message }| FieldError { field, message });
            return Err(AppError::Invalid { fields: fields.collect() });
        };
        let target = self.target(group.dr.target).await?;
        let (obstacles, _) = self.room_on(group.dr.vcenter, "the view of the replica", &plan.hosts).await?;
        if !obstacles.is_empty() {
            let fields = obstacles.into_iter().map(|message| FieldError { field: "host", message });
            return Err(AppError::Invalid { fields: fields.collect() });
        }
        Ok(ShellInput {
            group_id: group.id,
            source_vcenter_id: vm.vcenter,
            source_uuid: vm.instance_uuid,
            source_name: vm.name,
            dr_vcenter_id: group.dr.vcenter,
            dr_target_id: group.dr.target,
            replica: group.dr.dataset,
            checkpoint: None,
            nfs_clients: target.nfs_networks,
            hosts: plan.hosts,
            spec,
            keep_view,
        })
    }

    /// The job that works on the shell of a virtual machine and has not ended, if there is one.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn shell_job_under_way(&self, source_uuid: &str) -> Result<Option<Job>, AppError> {
        for kind in [KIND, remove_dr_shell::KIND, repair_dr_shell::KIND] {
            let all = self.store.unfinished_of(kind).await?;
            if let Some(job) = all.into_iter().find(|job| job.input["source_uuid"] == *source_uuid) {
                return Ok(Some(job));
            }
        }
        Ok(None)
    }
}
