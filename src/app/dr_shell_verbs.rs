//! What is done to a DR shell that is there.

use serde_json::{Value, json};

use super::dr_shells::{DrShellPlan, DrShellState, ShellWish, present};
use super::job_start::Beside;
use super::{App, AppError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::deployment::DatastoreHost;
use crate::domain::dr_shell::{DrShell, ShellNic, ShellSpec};
use crate::domain::hardware::Nic;
use crate::domain::ids::{DrShellId, JobId};
use crate::domain::inventory::{Place, PlaceKind};
use crate::domain::machine::Machine;
use crate::domain::moref::{EsxiRef, ManagedRef};
use crate::domain::protected_vm::ProtectedVm;
use crate::domain::protection_group::ProtectionGroup;
use crate::jobs::remove_dr_shell::{KIND as REMOVE, RemoveInput};
use crate::jobs::repair_dr_shell::{KIND as REPAIR, RepairInput};

/// A shell with its group, and what it stands for.
#[derive(Debug, Clone)]
pub struct DrShellView {
    /// Its group.
    pub group: ProtectionGroup,
    /// The virtual machine that it stands for; none: it is not in the group any more.
    pub vm: Option<ProtectedVm>,
    /// It, as it stands.
    pub state: DrShellState,
}

impl DrShellView {
    /// The name of what it stands for.
    pub fn source_name(&self) -> &str {
        self.vm.as_ref().map_or(&self.state.shell.spec.name, |vm| &vm.name)
    }
}

/// Whether a job is about the shell of that virtual machine.
pub(super) fn about(source_uuid: String) -> impl Fn(&Value) -> Beside + Send + 'static {
    move |other: &Value| match other["source_uuid"] == *source_uuid {
        true => Beside::Same,
        false => Beside::Other,
    }
}

/// What a shell is to be that stays where it is.
pub(super) fn wish_of(
    spec: &ShellSpec,
    source: &Machine,
    places: &[Place],
    networks: &[(String, String)],
) -> ShellWish {
    let by_ref = |object: &ManagedRef| places.iter().find(|place| place.object == *object);
    let pool = spec.pool.id();
    let is_around = |place: &&Place| matches!(place.kind, PlaceKind::Cluster | PlaceKind::StandaloneHost);
    let root = places.iter().find(|place| place.facts.get("pool").is_some_and(|root| root == pool));
    let own = places.iter().find(|place| place.kind == PlaceKind::Pool && place.object.id == pool);
    let mut above = std::iter::successors(own, |one| by_ref(one.parent.as_ref()?)).take(64);
    let around = root.or_else(|| above.find(is_around));
    let host = spec.host.as_ref().map(|host| host.id().to_owned());
    let kept = |nic: &Nic| {
        let stands = spec.nics.iter().find(|one| one.key == nic.key)?;
        Some((nic.network.key()?.to_owned(), stands.network_name.clone()))
    };
    let has_address = |nic: &&ShellNic| nic.mac.is_some();
    ShellWish {
        name: Some(spec.name.clone()),
        host: host.or_else(|| around.map(|place| place.object.id.clone())),
        folder: Some(spec.folder.id().to_owned()),
        resource_pool: root.is_none().then(|| pool.to_owned()),
        home_datastore: Some(spec.home_datastore.clone()),
        networks: networks.iter().cloned().chain(source.hardware.nics.iter().filter_map(kept)).collect(),
        new_macs: !spec.nics.is_empty() && spec.nics.iter().filter(has_address).count() == 0,
    }
}

impl App {
    /// A shell, with its group and what it stands for.
    ///
    /// # Errors
    /// If there is none with this id.
    pub async fn dr_shell(&self, id: DrShellId) -> Result<DrShellView, AppError> {
        let shell = self.store.dr_shell(id).await?;
        let shell = shell.ok_or_else(|| AppError::NotFound(format!("there is no DR shell {id}")))?;
        let group = self.protection_group(shell.group).await?;
        let vms = self.store.protected_vms(Some(group.id)).await?;
        let vm = vms.into_iter().find(|vm| vm.instance_uuid == shell.source_uuid);
        let seen = self.store.vms_by_instance_uuid(&shell.source_uuid).await?;
        let seen = seen.into_iter().find(|one| one.vcenter == shell.source_vcenter);
        let state = self.shell_state(shell, seen.as_ref().map(|one| &one.object)).await?;
        Ok(DrShellView { group, vm, state })
    }

    /// Starts the job that removes a shell: the virtual machine that Zerfaux made, its disks' files kept, and its view.
    ///
    /// # Errors
    /// If there is none with this id; [`AppError::Conflict`] while another job works on it.
    pub async fn remove_dr_shell(&self, who: &Principal, id: DrShellId) -> Result<JobId, AppError> {
        let view = self.dr_shell(id).await?;
        let source_name = view.source_name().to_owned();
        let shell = view.state.shell;
        self.no_other_job(&shell, REMOVE).await?;
        let details = json!({ "group": view.group.name, "virtual_machine": source_name });
        let entry = self.entry(who, "dr_shell.remove", &shell.spec.name, Outcome::Done, details);
        let input = RemoveInput {
            source_uuid: shell.source_uuid.clone(),
            source_name,
            dr_target_id: view.group.dr.target,
            hosts: self.hosts_of_view(&shell).await?,
            shell,
        };
        let beside = about(input.source_uuid.clone());
        self.start_job_once(who, REMOVE, &input, entry, beside).await
    }

    /// What repairing a shell would do: the plan of one that is as the source is configured now, where the shell is. Cards that
    /// it has stay on their networks; `networks` says more, or otherwise. Nothing is changed.
    ///
    /// # Errors
    /// [`AppError::Conflict`] if what it stands for is not in its group or its vCenter any more; or as
    /// [`Self::dr_shell_plan`].
    pub async fn repair_plan(
        &self,
        id: DrShellId,
        networks: &[(String, String)],
    ) -> Result<(DrShellView, DrShellPlan), AppError> {
        let shell = self.dr_shell(id).await?;
        let Some(vm) = &shell.vm else {
            return Err(AppError::Conflict(format!(
                "What {} stands for is not in its group any more, so there is nothing to be like. Remove the shell.",
                shell.state.shell.spec.name
            )));
        };
        let protected = self.protected_vm(vm.id).await?;
        let places = present(self.store.places(shell.group.dr.vcenter, None).await?);
        let spec = &shell.state.shell.spec;
        let plan =
            self.plan_of_shell(protected, |source| wish_of(spec, source, &places, networks), false).await?;
        Ok((shell, plan))
    }

    /// Starts the job that makes a shell as its source is now, with its view, if it has one, of the newest checkpoint.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with everything that stands in the way; [`AppError::Conflict`] while another job works on it,
    /// or if the DR vCenter has it no more; or as [`Self::repair_plan`].
    pub async fn repair_dr_shell(
        &self,
        who: &Principal,
        id: DrShellId,
        networks: &[(String, String)],
    ) -> Result<JobId, AppError> {
        let now = self.dr_shell(id).await?;
        self.no_other_job(&now.state.shell, REPAIR).await?;
        if let Some(job) = self.shell_job_under_way(&now.state.shell.source_uuid).await? {
            return Ok(job.id);
        }
        if !now.state.is_there {
            return Err(AppError::Conflict(format!(
                "{} is not in the DR vCenter any more. Remove what is left of it, then create it anew.",
                now.state.shell.spec.name
            )));
        }
        let (view, found) = self.repair_plan(id, networks).await?;
        let shell = view.state.shell;
        let wish = self.shell_input((found.group, found.vm), found.plan, shell.view.is_some()).await?;
        let drift: Vec<&str> = view.state.drift.iter().map(|one| one.field).collect();
        let details =
            json!({ "group": view.group.name, "virtual_machine": wish.source_name, "differed": drift });
        let entry = self.entry(who, "dr_shell.repair", &shell.spec.name, Outcome::Done, details);
        let input = RepairInput { wish, shell };
        let beside = about(input.wish.source_uuid.clone());
        self.start_job_once(who, REPAIR, &input, entry, beside).await
    }

    /// Refuses while a job of another kind works on a shell.
    pub(super) async fn no_other_job(&self, shell: &DrShell, kind: &str) -> Result<(), AppError> {
        match self.shell_job_under_way(&shell.source_uuid).await? {
            Some(job) if job.kind != kind => Err(AppError::Conflict(format!(
                "Another job works on this DR shell ({}). Wait until it has ended, or cancel it.",
                job.kind
            ))),
            _ => Ok(()),
        }
    }

    /// The hosts that mount the view of a shell, as the inventory knows them.
    pub(super) async fn hosts_of_view(&self, shell: &DrShell) -> Result<Vec<DatastoreHost>, AppError> {
        let Some(view) = &shell.view else { return Ok(Vec::new()) };
        let all = self.store.datastores(shell.dr_vcenter, false).await?;
        let names = self.place_names(shell.dr_vcenter).await?;
        let hosts = all.into_iter().filter(|one| one.object.name == view.datastore);
        let host = |moref: EsxiRef| DatastoreHost {
            name: names.get(moref.id()).cloned().unwrap_or_else(|| moref.id().to_owned()),
            moref,
        };
        Ok(hosts.flat_map(|one| one.object.hosts).map(host).collect())
    }
}
