//! Protection groups: make, change, pause, run, remove.

use serde_json::{Value, json};

use super::protection_group_form::Checked;
pub use super::protection_group_form::{GroupWish, WindowWish};
use super::{App, AppError, Principal};
use crate::domain::audit::Outcome;
pub use crate::domain::checkpoint::{Breach, Checkpoint, CheckpointKind, GroupRun, RpoDay};
use crate::domain::ids::{GroupId, JobId};
use crate::domain::inventory::{Datastore, NfsExport, dataset_at};
use crate::domain::names::DatasetName;
use crate::domain::protection_group::replica_dataset;
pub use crate::domain::protection_group::{DrSide, Policy, ProtectionGroup, Quiesce, Rhythm, SourceSide};
use crate::domain::target::Target;
use crate::jobs::group_runs;
use crate::store::RunStart;

impl App {
    /// All groups, by name.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn protection_groups(&self) -> Result<Vec<ProtectionGroup>, AppError> {
        Ok(self.store.protection_groups().await?)
    }

    /// One group.
    ///
    /// # Errors
    /// If there is none with this id.
    pub async fn protection_group(&self, id: GroupId) -> Result<ProtectionGroup, AppError> {
        let found = self.store.protection_group(id).await?;
        found.ok_or_else(|| AppError::NotFound(format!("there is no protection group {id}")))
    }

    /// Makes a group. Nothing is replicated before this returns.
    ///
    /// # Errors
    /// [`AppError::Invalid`] beside the fields; [`AppError::Conflict`] if another group has the name or the dataset.
    pub async fn create_protection_group(
        &self,
        who: &Principal,
        wish: &GroupWish,
    ) -> Result<ProtectionGroup, AppError> {
        let group = self.propose_protection_group(who, wish).await?;
        let entry = self.entry(who, "protection_group.create", &group.name, Outcome::Done, told(&group));
        self.store.put_protection_group(&group, entry).await?;
        self.wake_groups();
        Ok(group)
    }

    /// The group that this wish would make. Keeps nothing.
    ///
    /// # Errors
    /// [`AppError::Invalid`] beside the fields.
    pub async fn propose_protection_group(
        &self,
        who: &Principal,
        wish: &GroupWish,
    ) -> Result<ProtectionGroup, AppError> {
        let checked = wish.check().map_err(|fields| AppError::Invalid { fields })?;
        let id = GroupId::new();
        let source = self.source_side(&checked).await?;
        let dr = self.dr_side(&checked, id, &source).await?;
        Ok(ProtectionGroup {
            id,
            name: checked.name,
            description: checked.description,
            source,
            dr,
            policy: checked.policy,
            enabled: checked.enabled,
            paused_at: None,
            created_by: who.actor(),
            created_at: self.clock.now(),
        })
    }

    /// Changes a group. What is replicated, and to where, stays: another dataset is another group.
    ///
    /// # Errors
    /// As [`App::create_protection_group`], and if there is none with this id.
    pub async fn update_protection_group(
        &self,
        who: &Principal,
        id: GroupId,
        wish: &GroupWish,
    ) -> Result<ProtectionGroup, AppError> {
        let old = self.protection_group(id).await?;
        let checked = wish.check().map_err(|fields| AppError::Invalid { fields })?;
        let mut source = old.source.clone();
        if checked.source_vcenter != old.source.vcenter || checked.datastore.is_some() {
            source = self.source_side(&checked).await?;
        }
        let ends = [
            ("source_target_id", checked.source_target.is_none_or(|one| one == old.source.target)),
            ("source_dataset", checked.source_dataset.as_ref().is_none_or(|one| *one == old.source.dataset)),
            (
                "protection_datastore",
                (source.target, &source.dataset) == (old.source.target, &old.source.dataset),
            ),
            ("dr_target_id", checked.dr_target == old.dr.target),
            ("dr_parent_dataset", checked.dr_parent.is_none_or(|one| Some(one) == old.dr.dataset.parent())),
        ];
        if let Some((field, _)) = ends.into_iter().find(|(_, same)| !same) {
            let message = format!(
                "A group keeps its dataset and its replica: {} to {}. Make another group for another one.",
                old.source.dataset, old.dr.dataset
            );
            return Err(AppError::invalid(field, message));
        }
        let vcenter_moved = source.vcenter != old.source.vcenter;
        if vcenter_moved && !self.store.protected_vms(Some(id)).await?.is_empty() {
            let message = "The group protects virtual machines of its vCenter. Remove them from it first.";
            return Err(AppError::invalid("source_vcenter_id", message));
        }
        self.known_vcenter("dr_vcenter_id", checked.dr_vcenter).await?;
        let new = ProtectionGroup {
            name: checked.name,
            description: checked.description,
            source,
            dr: DrSide { vcenter: checked.dr_vcenter, ..old.dr.clone() },
            policy: checked.policy,
            enabled: checked.enabled,
            ..old.clone()
        };
        if new == old {
            return Ok(new);
        }
        let details = json!({ "before": told(&old), "after": told(&new) });
        let entry = self.entry(who, "protection_group.change", &new.name, Outcome::Done, details);
        self.store.put_protection_group(&new, entry).await?;
        self.wake_groups();
        Ok(new)
    }

    /// Starts no run of a group by itself any more.
    ///
    /// # Errors
    /// If there is none with this id.
    pub async fn pause_protection_group(&self, who: &Principal, id: GroupId) -> Result<(), AppError> {
        let group = self.protection_group(id).await?;
        if group.paused_at.is_some() {
            return Ok(());
        }
        let entry = self.entry(who, "protection_group.pause", &group.name, Outcome::Done, Value::Null);
        Ok(self.store.pause_protection_group(id, Some(self.clock.now()), entry).await?)
    }

    /// Starts runs of a group by itself again.
    ///
    /// # Errors
    /// If there is none with this id.
    pub async fn resume_protection_group(&self, who: &Principal, id: GroupId) -> Result<(), AppError> {
        let group = self.protection_group(id).await?;
        if group.paused_at.is_none() {
            return Ok(());
        }
        let entry = self.entry(who, "protection_group.resume", &group.name, Outcome::Done, Value::Null);
        self.store.pause_protection_group(id, None, entry).await?;
        self.wake_groups();
        Ok(())
    }

    /// Starts a run of a group now, also of one that is paused. Answers the run that goes on, if one does: a group never
    /// has two.
    ///
    /// # Errors
    /// [`AppError::Conflict`] if the group is switched off; or if an appliance of it cannot be used.
    pub async fn run_protection_group(&self, who: &Principal, id: GroupId) -> Result<JobId, AppError> {
        let group = self.protection_group(id).await?;
        if !group.enabled {
            return Err(AppError::Conflict(format!(
                "the protection group {:?} is switched off; edit it and switch it on first",
                group.name
            )));
        }
        if let Some(finding) =
            self.store.group_findings().await?.remove(&id).and_then(|all| all.into_iter().next())
        {
            return Err(AppError::Conflict(format!(
                "the protection group {:?} is held. {}: {} {}",
                group.name, finding.object, finding.why, finding.advice
            )));
        }
        let input = group_runs::input_of(&self.target_hosts(), &group, self.clock.now()).await?;
        let job = self.engine.draft(crate::jobs::replicate::KIND, input, &who.actor())?;
        let details = json!({ "job": job.id });
        let entry = self.entry(who, "protection_group.run", &group.name, Outcome::Done, details);
        match self.store.start_group_run(id, &job, Some(entry)).await? {
            RunStart::Queued => {
                self.engine.queued(&job);
                Ok(job.id)
            }
            RunStart::Unfinished(running) => Ok(running),
            RunStart::NoGroup => Err(AppError::NotFound(format!("there is no protection group {id}"))),
        }
    }

    /// Forgets a group with its virtual machines and what is known of its checkpoints. The replica stays where it is;
    /// where that is, is answered.
    ///
    /// # Errors
    /// [`AppError::Conflict`] while a job works on it.
    pub async fn delete_protection_group(
        &self,
        who: &Principal,
        id: GroupId,
    ) -> Result<ProtectionGroup, AppError> {
        let group = self.protection_group(id).await?;
        let entry = self.entry(who, "protection_group.delete", &group.name, Outcome::Done, told(&group));
        self.store.delete_protection_group(&group, entry).await?;
        Ok(group)
    }

    /// The checkpoints that the DR side has of a group, newest first; those that are gone too if `with_gone`.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn checkpoints(&self, id: GroupId, with_gone: bool) -> Result<Vec<Checkpoint>, AppError> {
        self.protection_group(id).await?;
        Ok(self.store.checkpoints(id, with_gone).await?)
    }

    pub(super) fn wake_groups(&self) {
        self.reconcilers.wake(group_runs::NAME);
    }

    pub(super) async fn known_vcenter(
        &self,
        field: &'static str,
        id: crate::domain::ids::VcenterId,
    ) -> Result<(), AppError> {
        match self.store.vcenter(id).await? {
            Some(_) => Ok(()),
            None => Err(AppError::invalid(field, "There is no such vCenter connection.")),
        }
    }

    /// Appliance and dataset, told by the datastore's export; or as they were named, if nothing says otherwise.
    async fn source_side(&self, checked: &Checked) -> Result<SourceSide, AppError> {
        self.known_vcenter("source_vcenter_id", checked.source_vcenter).await?;
        let datastores = self.store.datastores(checked.source_vcenter, false).await?;
        let datastores: Vec<Datastore> = datastores.into_iter().map(|one| one.object).collect();
        let targets = self.store.targets().await?;
        let told = match &checked.datastore {
            Some(wanted) => Some(behind(&datastores, &targets, wanted)?),
            None => None,
        };
        let (target, dataset, export) = match told {
            Some((target, dataset, export)) => {
                let named = checked.source_target.is_none_or(|id| id == target.id);
                if !named {
                    let message =
                        format!("The datastore is an export of {}, which is another appliance.", target.name);
                    return Err(AppError::invalid("source_target_id", message));
                }
                let dataset = match (dataset, &checked.source_dataset) {
                    (Some(told), Some(named)) if told != *named => {
                        let message = format!("The datastore is an export of the dataset {told}.");
                        return Err(AppError::invalid("source_dataset", message));
                    }
                    (Some(told), _) => told,
                    (None, Some(named)) => named.clone(),
                    (None, None) => {
                        let message = format!(
                            "The path {} of the export does not tell its dataset. Name the dataset on {}.",
                            export.path, target.name
                        );
                        return Err(AppError::invalid("source_dataset", message));
                    }
                };
                (target, dataset, Some(export))
            }
            None => {
                let (Some(id), Some(dataset)) = (checked.source_target, checked.source_dataset.clone())
                else {
                    return Err(AppError::invalid("source_dataset", "Name the dataset."));
                };
                let target = targets.iter().find(|one| one.id == id);
                let target = target
                    .ok_or_else(|| AppError::invalid("source_target_id", "There is no such appliance."))?;
                let export = datastores.iter().filter_map(|one| one.nfs.clone()).find(|export| {
                    is_of(target, export) && dataset_of(target, export).as_ref() == Some(&dataset)
                });
                (target, dataset, export)
            }
        };
        in_pool(target, &dataset, "source_dataset")?;
        if !target.is_active {
            return Err(AppError::invalid("source_target_id", format!("{} is switched off.", target.name)));
        }
        Ok(SourceSide { vcenter: checked.source_vcenter, target: target.id, dataset, export })
    }

    async fn dr_side(&self, checked: &Checked, id: GroupId, source: &SourceSide) -> Result<DrSide, AppError> {
        self.known_vcenter("dr_vcenter_id", checked.dr_vcenter).await?;
        let target = self.store.target(checked.dr_target).await?;
        let target =
            target.ok_or_else(|| AppError::invalid("dr_target_id", "There is no such appliance."))?;
        if target.id == source.target {
            let message =
                format!("{} has the source. A replica beside it would be lost with it.", target.name);
            return Err(AppError::invalid("dr_target_id", message));
        }
        if !target.is_active {
            return Err(AppError::invalid("dr_target_id", format!("{} is switched off.", target.name)));
        }
        if let Some(parent) = &checked.dr_parent {
            in_pool(&target, parent, "dr_parent_dataset")?;
        }
        let dataset = replica_dataset(&target.zfs_pool, checked.dr_parent.as_ref(), id)
            .map_err(|error| AppError::invalid("dr_parent_dataset", format!("{error}.")))?;
        Ok(DrSide { vcenter: checked.dr_vcenter, target: target.id, dataset })
    }
}

fn in_pool(target: &Target, dataset: &DatasetName, field: &'static str) -> Result<(), AppError> {
    if dataset.below(&target.zfs_pool).is_some() {
        return Ok(());
    }
    let message =
        format!("Zerfaux works in the pool {} on {}; {dataset} lies outside.", target.zfs_pool, target.name);
    Err(AppError::invalid(field, message))
}

fn is_of(target: &Target, export: &NfsExport) -> bool {
    target.nfs_address().eq_ignore_ascii_case(&export.host)
}

fn dataset_of(target: &Target, export: &NfsExport) -> Option<DatasetName> {
    dataset_at(target.zfs_pool.as_str(), &export.path)
}

/// What is behind a datastore: the appliance that exports it, and the dataset, if the path tells.
fn behind<'a>(
    datastores: &[Datastore],
    targets: &'a [Target],
    wanted: &str,
) -> Result<(&'a Target, Option<DatasetName>, NfsExport), AppError> {
    let wrong = |message: String| Err(AppError::invalid("protection_datastore", message));
    let found = datastores.iter().find(|one| one.object.id() == wanted);
    let Some(datastore) = found.or_else(|| datastores.iter().find(|one| one.name == wanted)) else {
        return wrong(format!(
            "The vCenter has no datastore {wanted:?}. If it is new, synchronise the vCenter first."
        ));
    };
    let name = &datastore.name;
    let Some(export) = datastore.nfs.clone() else {
        return wrong(format!(
            "The datastore {name:?} is {}, not an NFS export of an appliance. Make a protection datastore and move the \
             virtual machines to it.",
            datastore.kind
        ));
    };
    if datastore.kind.eq_ignore_ascii_case("NFS41") {
        return wrong(format!(
            "The datastore {name:?} is mounted by NFS 4.1. Mount it by NFS 3: the two never mix."
        ));
    }
    let mut of: Vec<&Target> = targets.iter().filter(|target| is_of(target, &export)).collect();
    of.sort_by_key(|target| (dataset_of(target, &export).is_none(), !target.is_active));
    match of.first() {
        Some(target) => Ok((target, dataset_of(target, &export), export)),
        None => wrong(format!(
            "The datastore {name:?} is an export of {}, which is no appliance that Zerfaux knows. Add it under Appliances, \
             with this as its address for NFS.",
            export.host
        )),
    }
}

/// What the audit log says of a group.
fn told(group: &ProtectionGroup) -> Value {
    json!({
        "id": group.id, "source": group.source, "dr": group.dr, "policy": group.policy, "enabled": group.enabled,
    })
}
