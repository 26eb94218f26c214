//! What a recovery of a group is planned from: the checkpoint with what was in it, the recovery plan, the virtual machines with
//! both of their sides, and what the inventory has of the DR site. Tests and failovers share it.

use jiff::Timestamp;

use super::dr_shell_verbs::wish_of;
use super::dr_shells::present;
use super::{App, AppError, FieldError};
use crate::domain::checkpoint::{Checkpoint, CheckpointKind};
use crate::domain::ids::{GroupId, RecoveryRunId};
use crate::domain::inventory::{Datastore, Network, Place};
use crate::domain::manifest::Manifest;
use crate::domain::moref::ManagedRef;
use crate::domain::names::DatasetName;
use crate::domain::protection_group::ProtectionGroup;
use crate::domain::recovery_plan::RecoveryPlan;
use crate::domain::recovery_run::{RecoveryRun, RunKind, UsedShell};
use crate::plan::failover::{MemberSides, ShellNow};
use crate::plan::findings::Finding;
use crate::plan::test_failover::{Facts, Member};

/// The longest reason, in characters.
const MOST_REASON: usize = 500;

/// Networks, each by its key or reference, and its name.
pub type NamedNetworks = Vec<(String, String)>;

/// What is known.
pub(super) struct Grounds {
    manifest: Manifest,
    plan: RecoveryPlan,
    members: Vec<Member>,
    pub(super) sides: Vec<MemberSides>,
    places: Vec<Place>,
    datastores: Vec<Datastore>,
    networks: Vec<Network>,
    taken: Vec<(ManagedRef, String)>,
    appliance: (String, String),
}

impl Grounds {
    /// As the planner takes it, for a clone of that name as a datastore.
    pub(super) fn facts<'a>(&'a self, datastore: &'a str) -> Facts<'a> {
        Facts {
            manifest: &self.manifest,
            plan: &self.plan,
            members: &self.members,
            places: &self.places,
            datastores: &self.datastores,
            networks: &self.networks,
            taken: &self.taken,
            appliance: (&self.appliance.0, &self.appliance.1),
            datastore,
        }
    }
}

/// The name of the clone of a run as a datastore: the end of a UUIDv7 is drawn, its beginning is the time.
pub(super) fn datastore_of(kind: RunKind, run: RecoveryRunId) -> String {
    let id = run.to_string();
    let word = if kind.is_failover() { "run" } else { "test" };
    format!("zx-{word}-{}", id.rsplit('-').next().unwrap_or(&id))
}

/// The clone. That of a failover has another name than that of a test of the same second.
pub(super) fn clone_of(
    kind: RunKind,
    group: &ProtectionGroup,
    at: Timestamp,
) -> Result<DatasetName, AppError> {
    let pool = group.dr.dataset.pool();
    let end = if kind.is_failover() { "-f" } else { "" };
    let name = format!("{pool}/zerfaux/run/{}-{}{end}", group.id, at.strftime("%Y%m%dT%H%M%SZ"));
    name.parse().map_err(|error| AppError::Conflict(format!("The clone cannot be named: {error}.")))
}

/// Why, without blanks around it; none: nothing was said.
pub(super) fn reason_of<'a>(typed: Option<&'a str>, fields: &mut Vec<FieldError>) -> Option<&'a str> {
    let reason = typed.map(str::trim).filter(|text| !text.is_empty());
    if reason.is_some_and(|text| text.chars().count() > MOST_REASON) {
        let message = format!("This is {MOST_REASON} characters at most.");
        fields.push(FieldError { field: "reason", message });
    }
    reason
}

/// Obstacles as errors of fields.
pub(super) fn refused(obstacles: Vec<Finding>) -> Result<(), AppError> {
    if obstacles.is_empty() {
        return Ok(());
    }
    let all = obstacles.into_iter();
    Err(AppError::Invalid {
        fields: all.map(|one| FieldError { field: one.field, message: one.message }).collect(),
    })
}

impl App {
    /// What is known for a recovery of the group from that checkpoint. `suffix`: after the names of machines that are made.
    pub(super) async fn recovery_grounds(
        &self,
        group: &ProtectionGroup,
        manifest: Manifest,
        suffix: &str,
    ) -> Result<Grounds, AppError> {
        let dr = group.dr.vcenter;
        let target = self.target(group.dr.target).await?;
        let places = present(self.store.places(dr, None).await?);
        let usual = self.dr_shell_choices(group).await?.usual();
        let shells = self.store.dr_shells(group.id).await?;
        let (mut members, mut sides, mut taken) = (Vec::new(), Vec::new(), Vec::new());
        for vm in self.store.protected_vms(Some(group.id)).await? {
            taken.extend(self.places_of_name(dr, &format!("{}{suffix}", vm.name)).await?);
            let in_it = manifest.vms.iter().find(|one| one.instance_uuid == vm.instance_uuid);
            let machine = in_it.and_then(|one| one.machine.as_ref());
            let shell = shells.iter().find(|shell| shell.source_uuid == vm.instance_uuid);
            let wish = match (shell, machine) {
                (Some(shell), Some(machine)) => wish_of(&shell.spec, machine, &places, &[]),
                _ => usual.clone(),
            };
            let shell = match shell {
                Some(shell) => {
                    let seen = self.store.vm(shell.dr_vcenter, &shell.vm).await?;
                    let seen = seen.filter(|one| one.gone_at.is_none()).map(|one| one.object);
                    let (id, moref, uuid) = (shell.id, shell.vm.clone(), shell.instance_uuid.clone());
                    Some(ShellNow {
                        used: UsedShell { id, vm: moref, instance_uuid: uuid },
                        spec: shell.spec.clone(),
                        // Another virtual machine may have got its reference.
                        vm: seen.filter(|one| one.instance_uuid == shell.instance_uuid),
                    })
                }
                None => None,
            };
            let seen = self.store.vms_by_instance_uuid(&vm.instance_uuid).await?;
            let source = seen.into_iter().find(|one| one.vcenter == vm.vcenter).map(|one| one.object);
            let host_name = source.as_ref().and_then(|vm| vm.guest_host_name.clone());
            let source = source.map(|vm| vm.object);
            sides.push(MemberSides { id: vm.id, shell, source });
            members.push(Member {
                id: vm.id,
                instance_uuid: vm.instance_uuid,
                name: vm.name,
                host_name,
                places: wish,
            });
        }
        Ok(Grounds {
            manifest,
            plan: self.store.recovery_plan(group.id).await?.map(|kept| kept.plan).unwrap_or_default(),
            members,
            sides,
            places,
            datastores: present(self.store.datastores(dr, false).await?),
            networks: present(self.store.networks(dr).await?),
            taken,
            appliance: (target.nfs_address().to_owned(), target.zfs_pool.to_string()),
        })
    }

    /// The networks of the virtual machines in a checkpoint, by key and name, and those of the DR vCenter, by reference and
    /// name; none of the first while nothing is known of the checkpoint.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn recovery_networks(
        &self,
        group: &ProtectionGroup,
        checkpoint: Option<&str>,
    ) -> Result<(NamedNetworks, NamedNetworks), AppError> {
        let to = present(self.store.networks(group.dr.vcenter).await?);
        let to = to.into_iter().map(|one| (one.object.id, one.name)).collect();
        let manifest = match self.checkpoint_to_recover(group, checkpoint).await {
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
    pub(super) async fn checkpoint_to_recover(
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

    /// The run of a group of which something is left, a test or a failover, if there is one.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn run_there(&self, group: GroupId, failover: bool) -> Result<Option<RecoveryRun>, AppError> {
        let all = self.store.unfinished_recovery_runs().await?;
        Ok(all.into_iter().find(|run| run.plan.group_id == group && run.plan.kind.is_failover() == failover))
    }
}
