//! Finds the disk that was attached, makes the pool on it, and the datasets under which everything else lies.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Ground;
use super::clone::Cloned;
use super::ssh_connect::Connected;
use crate::domain::deployment::Deployment;
use crate::domain::job::{Failure, FailureKind, Level};
use crate::domain::names::DatasetName;
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;
use crate::plan::disk::{NoDisk, Wanted, choose};
use crate::zfs::{PoolState, Zfs};

pub(super) struct ZfsCreate(pub(super) Arc<Ground>);

/// The pool.
#[derive(Debug, Serialize, Deserialize)]
struct Created {
    pool: DatasetName,
}

/// By what a pool says that this job made it.
pub(super) fn owner(cx: &StepContext) -> String {
    cx.job().id.to_string()
}

#[async_trait]
impl Step for ZfsCreate {
    fn name(&self) -> &'static str {
        "zfs_create"
    }

    fn percent(&self) -> (u8, u8) {
        (50, 60)
    }

    fn retry(&self) -> Retry {
        Retry { attempts: 3, pause: Duration::from_secs(5) }
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let (input, cloned): (Deployment, Cloned) = (cx.input()?, cx.need("clone")?);
        let zfs = self.0.zfs(cx, &input).await?;
        let pool = &input.zfs_pool_name;
        let owner = owner(cx);
        if zfs.pool_owner(pool).await?.as_deref() != Some(owner.as_str()) {
            make(cx, &zfs, &input, &cloned, &owner).await?;
        }
        for parent in input.parents().map_err(|error| Failure::permanent(error.to_string()))? {
            zfs.create_parents(&parent.child("x").map_err(|error| Failure::permanent(error.to_string()))?)
                .await?;
        }
        let status = zfs.pool_status(pool).await?;
        if status.state != PoolState::Online {
            let told = zfs.pool_told(pool).await.unwrap_or_default();
            return Err(Failure::transient(format!("The pool {pool} is not ONLINE:\n{told}"))
                .advise("Look at the disk in vCenter and at the guest's kernel log, then retry."));
        }
        cx.console(Level::Success, format!("The pool {pool} is ONLINE, {} GiB.", status.size >> 30));
        recorded(Created { pool: pool.clone() })
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    /// The pool goes only if this job made it and nothing lies in it. What is not empty is somebody's, and then the
    /// virtual machine below it stays as well.
    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let (input, connected): (Deployment, Option<Connected>) = (cx.input()?, cx.output("ssh_connect")?);
        if connected.is_none() {
            return Ok(());
        }
        let zfs = self.0.zfs(cx, &input).await?;
        let pool = &input.zfs_pool_name;
        if zfs.pool_owner(pool).await?.as_deref() != Some(owner(cx).as_str()) {
            return Ok(());
        }
        let foreign = foreign(&zfs, &input).await?;
        if !foreign.is_empty() {
            return Err(Failure::refused(format!(
                "The pool {pool} is not empty, so neither it nor the virtual machine is taken away: {}.",
                foreign.join(", ")
            ))
            .advise("Move away or destroy what is in it, if it is not needed; then clean up again."));
        }
        zfs.destroy_empty_pool(pool).await?;
        cx.info(format!("Destroyed the pool {pool}, which was empty."));
        Ok(())
    }
}

async fn make(
    cx: &StepContext,
    zfs: &Zfs,
    input: &Deployment,
    cloned: &Cloned,
    owner: &str,
) -> Result<(), Failure> {
    let pool = &input.zfs_pool_name;
    let wanted = Wanted { uuid: cloned.disk_uuid.clone(), size: input.disk_bytes() };
    let disks = zfs.disks().await?;
    let (disk, name) = choose(&wanted, &disks).map_err(|why| {
        let message = format!("Could not find the disk for the pool {pool}: {why}.");
        let failure = match why {
            // It may only be late.
            NoDisk::NotFound { .. } | NoDisk::NoneOfThatSize { .. } | NoDisk::NoLastingName(_) => {
                Failure::transient(message)
            }
            NoDisk::NotBlank(_) | NoDisk::Several { .. } => Failure::refused(message),
        };
        failure.advise(why.advice())
    })?;
    cx.info(format!("The disk for the pool is {} ({name}).", disk.told()));
    cx.details(json!({ "detected_ip": cx.need::<Connected>("ssh_connect")?.address, "zfs_disk": name }));
    let Err(error) = zfs.create_pool(pool, name, owner).await else { return Ok(()) };
    let exists = matches!(error, crate::zfs::ZfsError::Guarded { .. });
    let failure = Failure::from(error);
    if exists {
        return Err(failure.advise(format!(
            "The template brings a pool {pool} of its own. Choose another name, or take it out of the template."
        )));
    }
    if failure.message.contains("exists and is not empty") {
        return Err(failure.advise(format!(
            "The template has a directory of the name of the pool with something in it. Choose another name than {pool}, \
             or empty the directory in the template. Nothing was written to the disk."
        )));
    }
    // A device that is busy, or not yet settled, may be ready in a moment; what is on it is looked at again before.
    let failure = Failure { kind: FailureKind::Transient, ..failure };
    let told =
        zfs.pool_told(pool).await.map(|told| format!("\nzpool status says:\n{told}")).unwrap_or_default();
    Err(Failure { message: format!("{}{told}", failure.message), ..failure }
        .advise("Look at the disk with lsblk on the appliance, then retry."))
}

/// What lies in the pool beside what this job made.
async fn foreign(zfs: &Zfs, input: &Deployment) -> Result<Vec<String>, Failure> {
    let bad = |error: crate::domain::names::NameError| Failure::permanent(error.to_string());
    let nfs = input.nfs_dataset().map_err(bad)?;
    let mut own = vec![input.zfs_pool_name.clone(), nfs.clone()];
    own.extend(input.parents().map_err(bad)?);
    let seen = zfs.datasets(std::slice::from_ref(&input.zfs_pool_name), true).await?;
    let mut foreign = Vec::new();
    for dataset in &seen {
        if !own.contains(&dataset.name) {
            foreign.push(dataset.name.to_string());
        }
        foreign.extend(dataset.snapshots.iter().map(|one| format!("{}@{}", dataset.name, one.tag)));
    }
    if seen.iter().any(|dataset| dataset.name == nfs) {
        // What is not mounted may hold something all the same.
        zfs.mount(&nfs).await?;
        let files = zfs.files_at(&input.nfs_path()).await?;
        foreign.extend(files.into_iter().take(5).map(|file| format!("{nfs}: {file}")));
    }
    Ok(foreign)
}
