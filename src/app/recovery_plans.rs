//! The recovery plan of a group: as it is, what of it would fail, and changing it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

use super::dr_shells::present;
use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::deployment::{DatastoreHost, NfsRoom};
use crate::domain::dr_shell::DrShell;
use crate::domain::ids::{GroupId, ProtectedVmId};
use crate::domain::inventory::{Network, Place, PlaceKind};
use crate::domain::manifest::Manifest;
use crate::domain::moref::EsxiRef;
use crate::domain::protected_vm::ProtectedVm;
use crate::domain::protection_group::ProtectionGroup;
pub use crate::domain::recovery_plan::{
    BootCheck, BootProof, GuestAddress, MappedNetwork, NetworkMaps, PlanNic, PlanVm, Purpose, RecoveryPlan,
    Shift, Tier,
};
use crate::jobs::nfs_room::nfs_rooms;
use crate::jobs::target_browse;
use crate::plan::obstacles::Obstacle;
use crate::plan::recovery_check::{Asked, Facts, VmFacts, check};
pub use crate::plan::recovery_check::{CheckFinding, Mend, Severity};
pub use crate::plan::recovery_check_networks::network_name;

/// A plan with everything around it that people need to read or change it.
#[derive(Debug, Clone)]
pub struct PlanView {
    /// The group.
    pub group: ProtectionGroup,
    /// The plan with every virtual machine of the group, and no other.
    pub plan: RecoveryPlan,
    /// Counts up with each change; 0: nobody made a plan yet, and this is the default.
    pub version: u32,
    /// Who changed it last, and when.
    pub changed: Option<(String, Timestamp)>,
    /// The virtual machines of the group, by name.
    pub vms: Vec<ProtectedVm>,
    /// What is in the newest checkpoint at the DR side, if that is known.
    pub manifest: Option<Manifest>,
    /// The networks of the DR vCenter, by name.
    pub networks: Vec<Network>,
    /// What would fail, the worst first.
    pub findings: Vec<CheckFinding>,
}

impl PlanView {
    /// A virtual machine of the group.
    pub fn vm(&self, id: ProtectedVmId) -> Option<&ProtectedVm> {
        self.vms.iter().find(|vm| vm.id == id)
    }
}

/// The page on which something is mended.
pub fn mend_address(group: GroupId, mend: Mend) -> String {
    let plan = format!("/protection-groups/{group}/recovery-plan");
    match mend {
        Mend::RunNow => format!("/protection-groups/{group}"),
        Mend::Shell(vm) => format!("/protected-vms/{vm}"),
        Mend::Vm(vm) => format!("{plan}/vms/{vm}"),
        Mend::Networks => format!("{plan}/networks"),
        Mend::Plan => plan,
        Mend::Key => format!("/protection-groups/{group}/key"),
    }
}

/// What is kept around a plan.
struct Around {
    kept: RecoveryPlan,
    vms: Vec<ProtectedVm>,
    shells: Vec<(DrShell, bool)>,
    has_checkpoint: bool,
    manifest: Option<Manifest>,
    networks: Vec<Network>,
    places: Vec<Place>,
}

impl Around {
    fn check(&self, unattended: bool, asked: Option<Asked<'_>>) -> Vec<CheckFinding> {
        let shell_of = |vm: &ProtectedVm| {
            let found = self.shells.iter().find(|(shell, _)| shell.source_uuid == vm.instance_uuid);
            found.map(|(shell, there)| (shell, *there))
        };
        let vms: Vec<VmFacts<'_>> = self.vms.iter().map(|vm| VmFacts { vm, shell: shell_of(vm) }).collect();
        check(&Facts {
            plan: &self.kept,
            vms: &vms,
            has_checkpoint: self.has_checkpoint,
            manifest: self.manifest.as_ref(),
            networks: &self.networks,
            places: &self.places,
            unattended,
            asked,
        })
    }

    /// The hosts on which the shells may run.
    fn hosts(&self) -> Vec<DatastoreHost> {
        let mut hosts: Vec<DatastoreHost> = Vec::new();
        for place in self.places.iter().filter(|place| place.kind == PlaceKind::Host) {
            let of_shell = |(shell, _): &(DrShell, bool)| match &shell.spec.host {
                Some(host) => host.id() == place.object.id,
                None => {
                    let around = place.parent.as_ref();
                    let around = self.places.iter().find(|one| Some(&one.object) == around);
                    let root = around.and_then(|around| around.facts.get("pool"));
                    root.is_some_and(|root| root == shell.spec.pool.id())
                }
            };
            if self.shells.iter().any(of_shell) {
                let moref = EsxiRef::new(&*place.object.id);
                hosts.push(DatastoreHost { moref, name: place.name.clone() });
            }
        }
        hosts
    }
}

impl App {
    /// The recovery plan of a group with what of it would fail. Asks no other system.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn recovery_plan(&self, id: GroupId) -> Result<PlanView, AppError> {
        let group = self.protection_group(id).await?;
        let kept = self.store.recovery_plan(id).await?;
        let around = self.around_plan(&group, kept.as_ref().map(|kept| kept.plan.clone())).await?;
        let findings = around.check(false, None);
        let ids: Vec<ProtectedVmId> = around.vms.iter().map(|vm| vm.id).collect();
        Ok(PlanView {
            plan: around.kept.completed(&ids),
            version: kept.as_ref().map_or(0, |kept| kept.version),
            changed: kept.map(|kept| (kept.changed_by, kept.changed_at)),
            vms: around.vms,
            manifest: around.manifest,
            networks: around.networks,
            findings,
            group,
        })
    }

    /// What of a group's plan would fail. Asks the DR vCenter's hosts for room and the DR appliance for encryption; what does
    /// not answer is one of the findings. For a schedule, and for whoever wants to know it exactly.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn recovery_findings(
        &self,
        id: GroupId,
        unattended: bool,
    ) -> Result<Vec<CheckFinding>, AppError> {
        let group = self.protection_group(id).await?;
        let kept = self.store.recovery_plan(id).await?;
        let around = self.around_plan(&group, kept.map(|kept| kept.plan)).await?;
        let hosts = around.hosts();
        let rooms: Result<Vec<NfsRoom>, String> =
            match nfs_rooms(self.vcenters()?.sessions(), group.dr.vcenter, &hosts).await {
                Ok(rooms) => Ok(rooms),
                Err(failure) => Err(failure.message),
            };
        let seen =
            target_browse::dataset_seen(&self.target_hosts(), group.dr.target, &group.dr.dataset).await;
        let encrypted = seen.map(|seen| seen.encrypted).map_err(|failure| failure.message);
        let asked = Asked {
            rooms: rooms.as_deref().map_err(String::as_str),
            encrypted: encrypted.as_ref().copied().map_err(String::as_str),
            has_key: self.store.group_key(id).await?.is_some(),
        };
        Ok(around.check(unattended, Some(asked)))
    }

    /// What of the recovery plan that somebody has written would fail, for the preflight that comes by itself.
    pub(super) async fn plan_obstacles(&self, id: GroupId) -> Result<Vec<Obstacle>, AppError> {
        if self.store.recovery_plan(id).await?.is_none() {
            return Ok(Vec::new());
        }
        let fails = self.recovery_findings(id, false).await?.into_iter();
        // That of the key is among the obstacles for itself.
        let fails = fails.filter(|one| one.severity == Severity::Fails && one.kind != "no_key");
        Ok(fails
            .map(|one| Obstacle { kind: one.kind, object: one.object, why: one.why, advice: one.advice })
            .collect())
    }

    /// Changes the plan of a group: the one with the version `expected`, 0 for the default, is replaced. Answers the new
    /// version.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with everything that is wrong in it; [`AppError::Conflict`] if somebody else changed it
    /// meanwhile; or if there is no such group.
    pub async fn put_recovery_plan(
        &self,
        who: &Principal,
        id: GroupId,
        expected: u32,
        plan: &RecoveryPlan,
    ) -> Result<u32, AppError> {
        let group = self.protection_group(id).await?;
        let vms = self.store.protected_vms(Some(id)).await?;
        let known: BTreeSet<ProtectedVmId> = vms.iter().map(|vm| vm.id).collect();
        let faults = plan.faults(&known);
        if !faults.is_empty() {
            let fields = faults
                .into_iter()
                .map(|(at, fault)| FieldError { field: "plan", message: format!("In {at}: {fault}.") });
            return Err(AppError::Invalid { fields: fields.collect() });
        }
        let tiers: Vec<_> = plan
            .tiers
            .iter()
            .map(|tier| json!({ "name": tier.name, "virtual_machines": tier.vms.len() }))
            .collect();
        let details = json!({ "group_id": id, "version": expected + 1, "tiers": tiers });
        let entry = self.entry(who, "recovery_plan.change", &group.name, Outcome::Done, details);
        let kept = self.store.put_recovery_plan(id, plan, expected, entry).await;
        kept.map_err(|error| match AppError::from(error) {
            AppError::Conflict(_) => AppError::Conflict(
                "Somebody else changed this recovery plan meanwhile. Nothing of yours was saved: look at it as it is now, and \
                 change it again."
                    .to_owned(),
            ),
            other => other,
        })
    }

    async fn around_plan(
        &self,
        group: &ProtectionGroup,
        kept: Option<RecoveryPlan>,
    ) -> Result<Around, AppError> {
        let mut shells = Vec::new();
        for shell in self.store.dr_shells(group.id).await? {
            let seen = self.store.vm(shell.dr_vcenter, &shell.vm).await?;
            let is_there = seen.is_some_and(|seen| {
                seen.gone_at.is_none() && seen.object.instance_uuid == shell.instance_uuid
            });
            shells.push((shell, is_there));
        }
        let mut networks = present(self.store.networks(group.dr.vcenter).await?);
        networks.sort_by(|one, other| one.name.cmp(&other.name));
        let newest = self.store.newest_checkpoints().await?.remove(&group.id);
        let manifest = match &newest {
            Some(newest) => self.store.manifest(group.id, newest.guid).await?,
            None => None,
        };
        Ok(Around {
            kept: kept.unwrap_or_default(),
            vms: self.store.protected_vms(Some(group.id)).await?,
            shells,
            has_checkpoint: newest.is_some(),
            manifest,
            networks,
            places: present(self.store.places(group.dr.vcenter, None).await?),
        })
    }
}
