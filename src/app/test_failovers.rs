//! Testing a group: the plan of a test, and the job that makes it.

use jiff::Timestamp;
use serde_json::json;

use super::dr_shell_verbs::wish_of;
use super::dr_shells::present;
use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::checkpoint::{Checkpoint, CheckpointKind};
use crate::domain::ids::{GroupId, JobId, RecoveryRunId};
use crate::domain::manifest::Manifest;
use crate::domain::names::DatasetName;
use crate::domain::protection_group::ProtectionGroup;
use crate::domain::recovery_plan::RecoveryPlan;
use crate::domain::recovery_run::{CheckpointWish, RecoveryRun, RunKind, RunPlan};
use crate::jobs::test_failover::{KIND, RunInput};
use crate::plan::test_failover::{Facts, Member, SUFFIX, test_failover};
pub use crate::plan::test_failover::{Planned, TestWish};
use crate::store::RecoveryStart;

use super::job_start::written;

/// Fewest and most minutes until a test is cleaned up by itself: a month.
const CLEANUP_MINUTES: (u32, u32) = (1, 30 * 24 * 60);
/// The longest reason.
const MOST_REASON: usize = 500;

/// A test that somebody wants.
#[derive(Debug, Clone, Default)]
pub struct TestRequest {
    /// Which checkpoint: `newest` (as none), `newest_quiesced`, a snapshot's name or its GUID.
    pub checkpoint: Option<String>,
    /// Networks and virtual machines.
    pub wish: TestWish,
    /// Minutes after which it is cleaned up by itself.
    pub cleanup_minutes: Option<u32>,
    /// Why.
    pub reason: Option<String>,
}

/// Networks, each by its key or reference, and its name.
pub type NamedNetworks = Vec<(String, String)>;

/// The plan of a test.
#[derive(Debug, Clone)]
pub struct TestPreview {
    /// The group.
    pub group: ProtectionGroup,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// What is to be tested.
    pub planned: Planned,
}

/// The name of the clone of a run as a datastore: the end of a UUIDv7 is drawn, its beginning is the time.
fn datastore_of(run: RecoveryRunId) -> String {
    let id = run.to_string();
    format!("zx-test-{}", id.rsplit('-').next().unwrap_or(&id))
}

/// Of two tests of a group the second one waits.
fn unfinished(group: &str, run: RecoveryRunId) -> AppError {
    AppError::Conflict(format!("{group} has a test that is not cleaned up ({run}). Clean it up first."))
}

fn clone_of(group: &ProtectionGroup, at: Timestamp) -> Result<DatasetName, AppError> {
    let pool = group.dr.dataset.pool();
    let name = format!("{pool}/zerfaux/run/{}-{}", group.id, at.strftime("%Y%m%dT%H%M%SZ"));
    name.parse().map_err(|error| AppError::Conflict(format!("The clone cannot be named: {error}.")))
}

impl App {
    /// What a test would do. Nothing is changed.
    ///
    /// # Errors
    /// If there is no such group or checkpoint; [`AppError::Conflict`] if the checkpoint's virtual machines are not known.
    pub async fn test_failover_plan(
        &self,
        id: GroupId,
        request: &TestRequest,
        run: RecoveryRunId,
    ) -> Result<TestPreview, AppError> {
        let group = self.protection_group(id).await?;
        let (checkpoint, manifest) = self.checkpoint_to_test(&group, request.checkpoint.as_deref()).await?;
        let plan = self.plan_to_test(id).await?;
        let dr = group.dr.vcenter;
        let target = self.target(group.dr.target).await?;
        let places = present(self.store.places(dr, None).await?);
        let usual = self.dr_shell_choices(&group).await?.usual();
        let shells = self.store.dr_shells(id).await?;
        let (mut members, mut taken) = (Vec::new(), Vec::new());
        for vm in self.store.protected_vms(Some(id)).await? {
            taken.extend(self.places_of_name(dr, &format!("{}{SUFFIX}", vm.name)).await?);
            let in_it = manifest.vms.iter().find(|one| one.instance_uuid == vm.instance_uuid);
            let machine = in_it.and_then(|one| one.machine.as_ref());
            let shell = shells.iter().find(|shell| shell.source_uuid == vm.instance_uuid);
            let places = match (shell, machine) {
                (Some(shell), Some(machine)) => wish_of(&shell.spec, machine, &places, &[]),
                _ => usual.clone(),
            };
            members.push(Member { id: vm.id, instance_uuid: vm.instance_uuid, name: vm.name, places });
        }
        let planned = test_failover(
            &request.wish,
            &Facts {
                manifest: &manifest,
                plan: &plan,
                members: &members,
                places: &places,
                datastores: &present(self.store.datastores(dr, false).await?),
                networks: &present(self.store.networks(dr).await?),
                taken: &taken,
                appliance: (target.nfs_address(), target.zfs_pool.as_str()),
                datastore: &datastore_of(run),
            },
        );
        Ok(TestPreview { group, checkpoint, planned })
    }

    /// The recovery plan of a group.
    async fn plan_to_test(&self, group: GroupId) -> Result<RecoveryPlan, AppError> {
        Ok(self.store.recovery_plan(group).await?.map(|kept| kept.plan).unwrap_or_default())
    }

    /// The networks of the virtual machines in a checkpoint, by key and name, and those of the DR vCenter, by reference and
    /// name; none of the first while nothing is known of the checkpoint.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn test_networks(
        &self,
        group: &ProtectionGroup,
        checkpoint: Option<&str>,
    ) -> Result<(NamedNetworks, NamedNetworks), AppError> {
        let to = present(self.store.networks(group.dr.vcenter).await?);
        let to = to.into_iter().map(|one| (one.object.id, one.name)).collect();
        let manifest = match self.checkpoint_to_test(group, checkpoint).await {
            Ok((_, manifest)) => manifest,
            Err(AppError::Invalid { .. } | AppError::Conflict(_)) => return Ok((Vec::new(), to)),
            Err(error) => return Err(error),
        };
        let machines = manifest.vms.iter().filter_map(|vm| vm.machine.as_ref());
        let keys = machines.flat_map(|machine| &machine.hardware.nics).filter_map(|nic| nic.network.key());
        let keys: std::collections::BTreeSet<&str> = keys.collect();
        let named = |key: &str| {
            let name = manifest.networks.get(key).map_or(key, String::as_str);
            (key.to_owned(), name.to_owned())
        };
        Ok((keys.into_iter().map(named).collect(), to))
    }

    /// The checkpoint that is meant, with what was in it.
    async fn checkpoint_to_test(
        &self,
        group: &ProtectionGroup,
        wish: Option<&str>,
    ) -> Result<(Checkpoint, Manifest), AppError> {
        let all = self.checkpoints(group.id, false).await?;
        let wish = wish.map(str::trim).filter(|text| !text.is_empty()).unwrap_or("newest");
        let found = match wish {
            "newest" => all.first(),
            "newest_quiesced" => all.iter().find(|one| one.kind == CheckpointKind::Quiesced),
            named => all.iter().find(|one| one.snapshot.as_str() == named || one.guid.to_string() == named),
        };
        let found = found.cloned().ok_or_else(|| {
            AppError::invalid(
                "checkpoint",
                match wish {
                    "newest" => {
                        format!("{} has no checkpoint at the DR side yet. Replicate it once.", group.name)
                    }
                    "newest_quiesced" => {
                        format!("{} has no checkpoint whose guests all were at rest.", group.name)
                    }
                    named => format!("The DR side has no checkpoint {named}. Choose one that is there."),
                },
            )
        })?;
        let manifest = self.store.manifest(group.id, found.guid).await?.ok_or_else(|| {
            AppError::Conflict(format!(
                "What was in the checkpoint {} is not known, so its virtual machines cannot be rebuilt. Choose a newer one.",
                found.snapshot
            ))
        })?;
        Ok((found, manifest))
    }

    /// The test of a group that is not cleaned up, if there is one.
    pub(super) async fn test_there(&self, group: GroupId) -> Result<Option<RecoveryRun>, AppError> {
        let all = self.store.unfinished_recovery_runs().await?;
        Ok(all.into_iter().find(|run| run.plan.group_id == group && !run.plan.kind.is_failover()))
    }

    /// Starts a test, if nothing stands in its way.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with everything that stands in the way; [`AppError::Conflict`] while something of another run of
    /// the group is there; or as [`Self::test_failover_plan`].
    pub async fn start_test_failover(
        &self,
        who: &Principal,
        id: GroupId,
        request: &TestRequest,
    ) -> Result<(RecoveryRunId, JobId), AppError> {
        let run = RecoveryRunId::new();
        let mut fields = Vec::new();
        if let Some(minutes) = request.cleanup_minutes {
            let (least, most) = CLEANUP_MINUTES;
            if !(least..=most).contains(&minutes) {
                let message = format!("This is {least} to {most} minutes.");
                fields.push(FieldError { field: "scheduled_cleanup_minutes", message });
            }
        }
        let reason = request.reason.as_deref().map(str::trim).filter(|text| !text.is_empty());
        if reason.is_some_and(|text| text.chars().count() > MOST_REASON) {
            let message = format!("This is {MOST_REASON} characters at most.");
            fields.push(FieldError { field: "reason", message });
        }
        if !fields.is_empty() {
            return Err(AppError::Invalid { fields });
        }
        if let Some(there) = self.test_there(id).await? {
            let name = self.protection_group(id).await?.name;
            return Err(unfinished(&name, there.id()));
        }
        let TestPreview { group, checkpoint, planned } = self.test_failover_plan(id, request, run).await?;
        if !planned.obstacles.is_empty() {
            let all = planned.obstacles.into_iter();
            let fields = all.map(|one| FieldError { field: one.field, message: one.message }).collect();
            return Err(AppError::Invalid { fields });
        }
        let (obstacles, _) =
            self.room_on(group.dr.vcenter, "the clone of the checkpoint", &planned.hosts).await?;
        if let Some(why) = obstacles.first() {
            return Err(AppError::Conflict(why.clone()));
        }
        let target = self.target(group.dr.target).await?;
        let now = self.clock.now();
        let plan = RunPlan {
            run_id: run,
            kind: RunKind::Test,
            source: None,
            group_id: group.id,
            group_name: group.name.clone(),
            dr_vcenter_id: group.dr.vcenter,
            dr_target_id: group.dr.target,
            checkpoint: CheckpointWish::This { snapshot: checkpoint.snapshot.clone() },
            clone: clone_of(&group, now)?,
            datastore: datastore_of(run),
            nfs_clients: target.nfs_networks,
            hosts: planned.hosts,
            tiers: planned.tiers,
            vms: planned.vms,
            left_out: planned.left_out,
            power_ons: self.store.installation_settings().await?.power_ons_per_vcenter,
            reason: reason.map(str::to_owned),
            cleanup_minutes: request.cleanup_minutes,
            replica: group.dr.dataset,
        };
        let names: Vec<&str> = plan.vms.iter().map(|vm| vm.name.as_str()).collect();
        let details = json!({
            "run": run, "checkpoint": checkpoint.snapshot, "virtual_machines": names, "reason": plan.reason,
            "cleanup_minutes": plan.cleanup_minutes,
        });
        let entry = self.entry(who, "protection_group.test_failover", &group.name, Outcome::Done, details);
        let input = written(&RunInput { plan: plan.clone(), only: Vec::new() })?;
        let job = self.engine.draft(KIND, input, &who.actor())?;
        let new = RecoveryRun::new(plan, job.id, who.actor(), now);
        match self.store.start_recovery_run(&new, &job, entry).await? {
            RecoveryStart::Queued => {
                self.engine.queued(&job);
                Ok((run, job.id))
            }
            RecoveryStart::Unfinished(other) => Err(unfinished(&group.name, other)),
            RecoveryStart::NotNow(misfit) => Err(AppError::Conflict(misfit.to_string())),
        }
    }
}
