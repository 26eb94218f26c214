//! What is done to a DR shell that is there.

use serde_json::{Value, json};

use super::dr_shells::DrShellState;
use super::job_start::Beside;
use super::{App, AppError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::deployment::DatastoreHost;
use crate::domain::dr_shell::DrShell;
use crate::domain::ids::{DrShellId, JobId};
use crate::domain::moref::EsxiRef;
use crate::domain::protected_vm::ProtectedVm;
use crate::domain::protection_group::ProtectionGroup;
use crate::jobs::remove_dr_shell::{KIND as REMOVE, RemoveInput};

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
