//! The replica of a group, destroyed with it: asked for by name, done by a job.

use serde_json::json;

use super::job_start::written;
use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::ids::{GroupId, JobId};
use crate::domain::job::Failure;
use crate::domain::protection_group::ProtectionGroup;
pub use crate::jobs::delete_replica::Standing;
use crate::jobs::delete_replica::standing;
use crate::jobs::delete_replica::{DeleteInput, KIND};
use crate::store::JobStart;

/// What somebody typed who wants a group deleted with its replica.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeletionWish {
    /// The group's name.
    pub confirm: String,
    /// The replica's dataset.
    pub replica: String,
    /// Whether the group's own snapshots at the source go too.
    pub source_snapshots: bool,
}

impl App {
    /// What is at the place of a group's replica now, and whether it may go. Asks the DR appliance.
    ///
    /// # Errors
    /// [`AppError::Failed`] if that cannot be used or reached, or its pool is not there.
    pub async fn replica_standing(&self, group: &ProtectionGroup) -> Result<Standing, Failure> {
        standing(&self.target_hosts(), group.dr.target, group.id, &group.dr.dataset).await
    }

    /// Starts the job that destroys a group's replica, and then forgets the group. The group is switched off with it. Answers
    /// the job that does so already, if one does.
    ///
    /// # Errors
    /// [`AppError::Invalid`] beside a name that is not the one that stands there; [`AppError::Conflict`] while it has a
    /// test or DR shells, a job works on it, or something forbids that the replica goes: then nothing is changed; or if the DR appliance
    /// cannot be reached.
    pub async fn delete_group_with_replica(
        &self,
        who: &Principal,
        id: GroupId,
        wish: &DeletionWish,
    ) -> Result<JobId, AppError> {
        let group = self.protection_group(id).await?;
        let fields = misspelt(&group, wish);
        if !fields.is_empty() {
            return Err(AppError::Invalid { fields });
        }
        self.has_nothing_at_dr(&group).await?;
        if let Standing::MayNot(obstacles) = self.replica_standing(&group).await? {
            let all: Vec<String> =
                obstacles.iter().map(|one| format!("{}: {} {}", one.object, one.why, one.advice)).collect();
            return Err(AppError::Conflict(format!(
                "the replica {} is not destroyed, and nothing was changed. {}",
                group.dr.dataset,
                all.join(" ")
            )));
        }
        let input = DeleteInput {
            group_id: id,
            name: group.name.clone(),
            dr_target_id: group.dr.target,
            replica: group.dr.dataset.clone(),
            source_target_id: group.source.target,
            source_dataset: group.source.dataset.clone(),
            source_snapshots: wish.source_snapshots,
        };
        let job = self.engine.draft(KIND, written(&input)?, &who.actor())?;
        let details = json!({
            "job": job.id, "replica": group.dr.dataset, "source_snapshots": wish.source_snapshots,
            "group": super::protection_groups::told(&group),
        });
        let entry =
            self.entry(who, "protection_group.delete_with_replica", &group.name, Outcome::Done, details);
        match self.store.start_replica_deletion(id, &job, entry).await? {
            JobStart::Queued => {
                self.engine.queued(&job);
                Ok(job.id)
            }
            JobStart::Unfinished(other) => Ok(other),
            JobStart::InTheWay(why) => Err(AppError::Conflict(why)),
        }
    }

    /// Refuses while a group has something at the DR site that nothing would look after any more: a test, DR shells.
    pub(super) async fn has_nothing_at_dr(&self, group: &ProtectionGroup) -> Result<(), AppError> {
        if let Some(run) = self.run_there(group.id, false).await? {
            return Err(AppError::Conflict(format!(
                "A test of the group is there, at /recovery-runs/{}. Clean it up first: nothing would take it away any more.",
                run.id()
            )));
        }
        if let Some(run) = self.run_there(group.id, true).await? {
            return Err(AppError::Conflict(format!(
                "The group is failed over, or a failover of it has begun, at /recovery-runs/{}. Roll that back first: its \
                 virtual machines run there.",
                run.id()
            )));
        }
        let shells = self.store.dr_shells(group.id).await?;
        if shells.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = shells.iter().map(|shell| shell.spec.name.as_str()).collect();
        Err(AppError::Conflict(format!(
            "The group has DR shells at the DR site: {}. Remove them first, at /protection-groups/{}/vms: nothing would look \
             after them any more.",
            names.join(", "),
            group.id
        )))
    }
}

fn misspelt(group: &ProtectionGroup, wish: &DeletionWish) -> Vec<FieldError> {
    let asked = [
        ("confirm", "the group's name", &wish.confirm, group.name.as_str()),
        ("replica", "the replica's dataset", &wish.replica, group.dr.dataset.as_str()),
    ];
    let wrong = asked.into_iter().filter(|(_, _, typed, right)| typed.trim() != *right);
    wrong
        .map(|(field, what, _, right)| FieldError {
            field,
            message: format!("This is not {what}. Type {right} exactly as it stands here."),
        })
        .collect()
}
