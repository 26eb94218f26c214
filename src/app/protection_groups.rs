//! Protection groups: make, change, pause, run, remove.

use serde_json::{Value, json};

pub use super::protection_group_form::{GroupWish, WindowWish};
use super::{App, AppError, Principal};
use crate::domain::audit::Outcome;
pub use crate::domain::checkpoint::{Breach, Checkpoint, CheckpointKind, GroupRun, RpoDay};
use crate::domain::ids::{GroupId, JobId};
pub use crate::domain::protection_group::{DrSide, Policy, ProtectionGroup, Quiesce, Rhythm, SourceSide};
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
        let source = self.source_side(&checked.source).await?;
        let dr = self.dr_side(&checked.dr, id, &source).await?;
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
        if checked.source.vcenter != old.source.vcenter || checked.source.datastore.is_some() {
            source = self.source_side(&checked.source).await?;
        }
        let ends = [
            ("source_target_id", checked.source.target.is_none_or(|one| one == old.source.target)),
            ("source_dataset", checked.source.dataset.as_ref().is_none_or(|one| *one == old.source.dataset)),
            (
                "protection_datastore",
                (source.target, &source.dataset) == (old.source.target, &old.source.dataset),
            ),
            ("dr_target_id", checked.dr.target == old.dr.target),
            ("dr_parent_dataset", checked.dr.parent.is_none_or(|one| Some(one) == old.dr.dataset.parent())),
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
        self.known_vcenter("dr_vcenter_id", checked.dr.vcenter).await?;
        let new = ProtectionGroup {
            name: checked.name,
            description: checked.description,
            source,
            dr: DrSide { vcenter: checked.dr.vcenter, ..old.dr.clone() },
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
        // A run that has just ended, and that nobody looked at since, is none that goes on.
        group_runs::fold(&self.store, self.clock.now()).await?;
        match self.store.start_group_run(id, &job, Some(entry)).await? {
            RunStart::Queued => {
                self.engine.queued(&job);
                Ok(job.id)
            }
            RunStart::Unfinished(running) => Ok(running),
            RunStart::Leaving(job) => Err(AppError::Conflict(format!(
                "the replica of {:?} is being destroyed by the job {job}",
                group.name
            ))),
            RunStart::NoGroup => Err(AppError::NotFound(format!("there is no protection group {id}"))),
        }
    }

    /// Forgets a group with its virtual machines and what is known of its checkpoints. The replica stays where it is;
    /// where that is, is answered.
    ///
    /// # Errors
    /// [`AppError::Conflict`] while it has DR shells, or a job works on it.
    pub async fn delete_protection_group(
        &self,
        who: &Principal,
        id: GroupId,
    ) -> Result<ProtectionGroup, AppError> {
        let group = self.protection_group(id).await?;
        self.has_nothing_at_dr(&group).await?;
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
        self.wake_preflights();
    }
}

/// What the audit log says of a group.
pub(super) fn told(group: &ProtectionGroup) -> Value {
    json!({
        "id": group.id, "source": group.source, "dr": group.dr, "policy": group.policy, "enabled": group.enabled,
    })
}
