//! `create_dr_shell`: a virtual machine at the DR vCenter that stands ready for a protected one, its disks proved to open.
//!
//! view → export → mount → create → attach → detach → record → take_view_away. The view is a clone of a checkpoint: the replica
//! itself is never exported, mounted or attached. The shell's disks are attached from the view, read back, and detached again
//! with their files kept; then the view is taken away, in the order unmount on every host, unexport, destroy, each looked at
//! before the next. With `keep_view` the disks stay attached and the view stays. Taking back removes what this job made, and
//! destroys no virtual machine while a disk is attached that is not its own.

pub(in crate::jobs) mod disks;
pub(in crate::jobs) mod machine;
mod record;
pub(in crate::jobs) mod take_view_away;
pub(in crate::jobs) mod view;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::datastore_mounts::nfs3;
use super::shell_view::{StandingView, path_of};
use super::targets::Targets;
use super::vcenters::Vcenters;
use super::vsphere_make::Made;
use super::vsphere_vm::{PlannedVm, as_planned};
use crate::domain::deployment::DatastoreHost;
use crate::domain::dr_shell::{DrShell, ShellSpec};
use crate::domain::ids::{GroupId, JobId, TargetId, VcenterId};
use crate::domain::job::Failure;
use crate::domain::machine::Machine;
use crate::domain::names::{DatasetName, SnapTag, SnapshotName};
use crate::domain::networks::Networks;
use crate::engine::{Definition, LockName, Retry, StepContext};
use crate::vsphere::Client;
use crate::vsphere::verbs::NasMount;

/// The name of this kind of job.
pub const KIND: &str = "create_dr_shell";

const AGAIN: Retry = Retry { attempts: 3, pause: Duration::from_secs(5) };

/// What the job is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellInput {
    /// The protection group.
    pub group_id: GroupId,
    /// The vCenter of the virtual machine that it stands for.
    pub source_vcenter_id: VcenterId,
    /// That one's instance UUID.
    pub source_uuid: String,
    /// That one's name, for people.
    pub source_name: String,
    /// The DR vCenter.
    pub dr_vcenter_id: VcenterId,
    /// The DR appliance.
    pub dr_target_id: TargetId,
    /// The group's replica there.
    pub replica: DatasetName,
    /// The checkpoint; none: the newest one.
    pub checkpoint: Option<SnapTag>,
    /// Whose hosts may mount the view.
    pub nfs_clients: Networks,
    /// Which hosts mount the view.
    pub hosts: Vec<DatastoreHost>,
    /// What is made.
    pub spec: ShellSpec,
    /// Whether the view stays, with the disks attached.
    pub keep_view: bool,
}

/// The definition of the job.
pub fn definition(targets: Targets, vcenters: Vcenters) -> Definition {
    let ground = Arc::new(Ground::new(targets, vcenters));
    let ground = || Arc::clone(&ground);
    Definition::new(
        KIND,
        vec![
            Box::new(view::View(ground())),
            Box::new(view::Export(ground())),
            Box::new(view::Mount(ground())),
            Box::new(machine::Create(ground())),
            Box::new(disks::Attach(ground())),
            Box::new(disks::Detach(ground())),
            Box::new(record::Record(ground())),
            Box::new(take_view_away::TakeViewAway(ground())),
        ],
    )
    .with_locks(|input| {
        let input = ShellInput::deserialize(input)
            .map_err(|error| Failure::permanent(format!("The input could not be read: {error}.")))?;
        let source = input.source_uuid.parse::<uuid::Uuid>().map_err(|error| {
            Failure::permanent(format!(
                "The instance UUID of {:?} cannot be read: {error}.",
                input.source_name
            ))
        })?;
        let vcenter = input.dr_vcenter_id;
        let mut locks = vec![LockName::vm(&source), LockName::new_vm(&vcenter, &input.spec.name)];
        locks.extend(
            input.hosts.iter().map(|host| LockName::host_mounts(&format!("{vcenter}/{}", host.moref))),
        );
        Ok(locks)
    })
}

/// What a shell says of the job that made it.
pub(super) fn mark_of(maker: JobId) -> String {
    format!("{maker}/create")
}

/// What the steps work with.
pub(in crate::jobs) struct Ground {
    pub(in crate::jobs) targets: Targets,
    pub(in crate::jobs) vcenters: Vcenters,
}

/// The view of a job: its names follow from the job's id, so that every attempt means the same.
pub(in crate::jobs) struct ViewNames {
    pub(in crate::jobs) dataset: DatasetName,
    /// Where it is mounted on the appliance, and exported. Never changes while it is in use.
    pub(in crate::jobs) path: String,
    /// The datastore's name on the hosts.
    pub(in crate::jobs) datastore: String,
}

impl ViewNames {
    pub(in crate::jobs) fn of(cx: &StepContext, input: &ShellInput) -> Result<Self, Failure> {
        let id = cx.job().id.to_string();
        let dataset: DatasetName =
            format!("{}/zerfaux/run/shell-{id}", input.replica.pool()).parse().map_err(|error| {
                Failure::permanent(format!("The view of {} cannot be named: {error}.", input.replica))
            })?;
        // The end of a UUIDv7 is drawn; its beginning is the time.
        let end = id.rsplit('-').next().unwrap_or(&id);
        Ok(Self { path: path_of(&dataset), dataset, datastore: format!("zx-view-{end}") })
    }
}

impl ViewNames {
    /// The view once it is made of that checkpoint.
    fn standing(&self, cx: &StepContext, checkpoint: SnapshotName) -> StandingView {
        StandingView {
            maker: cx.job().id,
            dataset: self.dataset.clone(),
            checkpoint,
            path: self.path.clone(),
            datastore: self.datastore.clone(),
        }
    }
}

impl Ground {
    pub(in crate::jobs) fn new(targets: Targets, vcenters: Vcenters) -> Self {
        Self { targets, vcenters }
    }

    /// The DR vCenter, and what its hosts mount.
    async fn mount(&self, cx: &StepContext, input: &ShellInput) -> Result<(Client, NasMount), Failure> {
        let names = ViewNames::of(cx, input)?;
        let (target, _) = self.targets.host_ref(input.dr_target_id).await?;
        let client = self.vcenters.client(input.dr_vcenter_id).await?;
        Ok((client, nfs3(target.nfs_address(), &names.path, &names.datastore)))
    }
}

/// The shell that the job was given, where it changes one instead of making it.
fn given(cx: &StepContext) -> Result<Option<DrShell>, Failure> {
    #[derive(Deserialize)]
    struct Given {
        shell: Option<DrShell>,
    }
    Ok(cx.input::<Given>()?.shell)
}

/// The virtual machine that is worked on: the one that was made, or the one of the shell that the job was given.
fn made(cx: &StepContext) -> Result<Made, Failure> {
    match given(cx)? {
        Some(shell) => Ok(Made { vm: shell.vm, instance_uuid: shell.instance_uuid }),
        None => cx.need("create"),
    }
}

fn unreadable(what: &str, error: impl std::fmt::Display) -> Failure {
    Failure::permanent(format!("{what} could not be read: {error}."))
}

/// What the step before has recorded, read as its type.
pub(in crate::jobs) fn intended<T: serde::de::DeserializeOwned>(intent: &Value) -> Result<T, Failure> {
    T::deserialize(intent).map_err(|error| unreadable("The recorded intent", error))
}

/// How long the source's vCenter is waited for: somebody sits in front of a page.
const PATIENCE: Duration = Duration::from_secs(8);

/// The virtual machine at the source as it is configured now, for the plan.
///
/// # Errors
/// If it is gone or is another one now, or its vCenter does not answer in time.
pub async fn source_machine(
    vcenters: &Vcenters,
    vcenter: VcenterId,
    planned: &PlannedVm,
) -> Result<Machine, Failure> {
    let read = async {
        let client = vcenters.client(vcenter).await?;
        let now = as_planned(&client, planned).await?;
        Ok(client.machine(&now.vm).await?)
    };
    let late =
        |_| Failure::transient(format!("The vCenter has not answered within {} s.", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, read).await.map_err(late)?
}
