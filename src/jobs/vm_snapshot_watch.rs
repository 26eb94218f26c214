//! Removes VMware snapshots of ours that a run left behind, because its vCenter was away, a task came late, or the process was
//! killed and its job deleted.
//!
//! Which those are is noted before each is asked for. A database that was lost has no such notes: then they are found at
//! the virtual machines of groups that are brought to rest, by their names, and by their age where nobody knows their run.
//! Nobody else's snapshot is touched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::failure::not_kept;
use super::vcenters::Vcenters;
use crate::domain::ids::{JobId, VcenterId};
use crate::domain::job::{Failure, JobState};
use crate::domain::moref::VmRef;
use crate::domain::protected_vm::ProtectedVm;
use crate::domain::protection_group::{ProtectionGroup, Quiesce};
use crate::domain::vm_snapshot::{NotedVmSnapshot, OwnVmSnapshot};
use crate::engine::Clock;
use crate::engine::reconcile::Reconciler;
use crate::store::Store;
use crate::vsphere::verbs::VmSnapshot;
use crate::vsphere::{Client, Reason, VsphereError};

/// The reconciler's name.
pub const NAME: &str = "vm_snapshot_watch";
/// From one look to the next.
const EVERY: Duration = Duration::from_secs(60);
/// So often they are looked for by name: every so many looks.
const BY_NAME_EVERY: u64 = 10;
/// Nobody waits longer for one vCenter.
const LONGEST: Duration = Duration::from_secs(900);
/// So old is a snapshot whose run nobody knows before it counts as left behind: no run lasts so long.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(24);

/// See the module.
pub struct VmSnapshotWatch {
    vcenters: Vcenters,
    clock: Arc<dyn Clock>,
    looks: std::sync::atomic::AtomicU64,
}

impl VmSnapshotWatch {
    /// Looks at vCenters that `vcenters` knows.
    pub fn new(vcenters: Vcenters, clock: Arc<dyn Clock>) -> Self {
        Self { vcenters, clock, looks: std::sync::atomic::AtomicU64::new(0) }
    }

    fn store(&self) -> &Store {
        self.vcenters.store()
    }

    /// Notes those that are found by name.
    async fn find(&self) -> Result<(), Failure> {
        let groups = self.store().protection_groups().await.map_err(not_kept)?;
        let mut failed = None;
        for group in groups.iter().filter(|group| group.policy.quiesce != Quiesce::Never) {
            // One vCenter that is away must not keep the others from being looked at.
            if let Err(failure) = self.find_of(group).await {
                failed = Some(failure);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn find_of(&self, group: &ProtectionGroup) -> Result<(), Failure> {
        let vms = self.store().protected_vms(Some(group.id)).await.map_err(not_kept)?;
        let references: Vec<VmRef> = vms.iter().map(|vm| vm.moref.clone()).collect();
        if references.is_empty() {
            return Ok(());
        }
        let client = self.vcenters.client(group.source.vcenter).await?;
        let all = match client.snapshots_of(&references).await {
            // One that is gone spoils the question for all.
            Err(error) if is_missing(&error) => {
                let mut all = Vec::new();
                for vm in references {
                    let snapshots = standing(&client, &vm).await?.unwrap_or_default();
                    all.push((vm, snapshots));
                }
                all
            }
            other => other?,
        };
        for (vm, snapshots) in all {
            let Some(protected) = vms.iter().find(|one| one.moref == vm) else { continue };
            for snapshot in snapshots {
                if let Some(job) = self.left_behind(group, &snapshot).await? {
                    let one = self.noted(group, protected, &snapshot, job);
                    self.store().note_vm_snapshot(&one).await.map_err(not_kept)?;
                }
            }
        }
        Ok(())
    }

    /// The run that left this snapshot behind; none if it is somebody else's, or its run may still go on.
    async fn left_behind(
        &self,
        group: &ProtectionGroup,
        snapshot: &VmSnapshot,
    ) -> Result<Option<JobId>, Failure> {
        let Ok(name) = snapshot.name.parse::<OwnVmSnapshot>() else { return Ok(None) };
        if name.group != group.id.short() || !snapshot.description.contains(&group.id.to_string()) {
            return Ok(None);
        }
        let known = self.store().job(name.job).await.map_err(not_kept)?;
        let over = match known {
            Some(job) => is_over(job.state),
            None => snapshot.created_at.is_some_and(|at| self.clock.now().duration_since(at) > FORGOTTEN),
        };
        Ok(over.then_some(name.job))
    }

    fn noted(
        &self,
        group: &ProtectionGroup,
        vm: &ProtectedVm,
        snapshot: &VmSnapshot,
        job: JobId,
    ) -> NotedVmSnapshot {
        NotedVmSnapshot {
            vcenter: group.source.vcenter,
            vm: vm.moref.clone(),
            snapshot: snapshot.name.clone(),
            instance_uuid: vm.instance_uuid.clone(),
            name: vm.name.clone(),
            group: group.id,
            job,
            noted_at: self.clock.now(),
            tries: 0,
            why: None,
        }
    }

    /// Removes those whose run is over. How many are gone now.
    async fn remove(&self) -> Result<usize, Failure> {
        let mut by_vcenter: BTreeMap<VcenterId, Vec<NotedVmSnapshot>> = BTreeMap::new();
        for one in self.store().vm_snapshots().await.map_err(not_kept)? {
            let job = self.store().job(one.job).await.map_err(not_kept)?;
            if job.is_none_or(|job| is_over(job.state)) {
                by_vcenter.entry(one.vcenter).or_default().push(one);
            }
        }
        let (mut gone, mut failed) = (0, None);
        for (vcenter, all) in by_vcenter {
            for one in all {
                let removal = async { remove_one(&self.vcenters.client(vcenter).await?, &one).await };
                let outcome = tokio::time::timeout(LONGEST, removal).await.unwrap_or_else(|_late| {
                    Err(Failure::transient("The vCenter did not remove it within 15 minutes."))
                });
                match outcome {
                    Ok(true) => {
                        gone += 1;
                        let forgotten = self.store().forget_vm_snapshot(vcenter, &one.vm, &one.snapshot);
                        forgotten.await.map_err(not_kept)?;
                    }
                    Ok(false) => {}
                    Err(failure) => {
                        let stays = self.store().vm_snapshot_stays(&one, &failure.message);
                        stays.await.map_err(not_kept)?;
                        failed = Some(failure);
                    }
                }
            }
        }
        failed.map_or(Ok(gone), Err)
    }
}

/// Whether nothing of a run is under way: also one that waits for a person has no use for a guest at rest.
fn is_over(state: JobState) -> bool {
    !matches!(state, JobState::Queued | JobState::Running | JobState::Cancelling)
}

/// Removes what has this name from this virtual machine. True once it is seen to be gone and nothing can make it come.
async fn remove_one(client: &Client, one: &NotedVmSnapshot) -> Result<bool, Failure> {
    let Some(snapshots) = standing(client, &one.vm).await? else { return Ok(true) };
    for snapshot in snapshots.iter().filter(|snapshot| snapshot.name == one.snapshot) {
        let what = format!("remove the VMware snapshot {:?} of {:?}", one.snapshot, one.name);
        let task = client.remove_snapshot(&snapshot.snapshot).await?;
        client.wait_for_task(&task, &what, &CancellationToken::new(), |_| ()).await?;
    }
    // A task of the run may still be about to bring it.
    if !client.running_tasks(&one.vm, "VirtualMachine.createSnapshot").await?.is_empty() {
        return Ok(false);
    }
    let left = standing(client, &one.vm).await?.unwrap_or_default();
    Ok(!left.iter().any(|snapshot| snapshot.name == one.snapshot))
}

fn is_missing(error: &VsphereError) -> bool {
    matches!(error.reason(), Some(Reason::ObjectNotFound { .. }))
}

/// The snapshots of a virtual machine; none if it is gone.
async fn standing(client: &Client, vm: &VmRef) -> Result<Option<Vec<VmSnapshot>>, VsphereError> {
    match client.snapshots(vm).await {
        Err(error) if is_missing(&error) => Ok(None),
        other => other.map(Some),
    }
}

#[async_trait]
impl Reconciler for VmSnapshotWatch {
    fn name(&self) -> &'static str {
        NAME
    }

    fn every(&self) -> Duration {
        EVERY
    }

    async fn run(&self) -> Result<String, Failure> {
        let look = self.looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let found = if look.is_multiple_of(BY_NAME_EVERY) { self.find().await } else { Ok(()) };
        let gone = self.remove().await?;
        found?;
        Ok(match gone {
            0 => "No VMware snapshot of ours was left behind.".to_owned(),
            gone => format!("{gone} VMware snapshots that runs had left behind are gone."),
        })
    }
}
