//! What the virtual machines stand on: the clone, exported, and mounted as a datastore of its own.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{AGAIN, Ground, RunInput, checkpoint_of};
use crate::domain::dataset::{PROPERTY_GROUP, PROPERTY_ROLE, PROPERTY_RUN, Role};
use crate::domain::job::{Failure, Level};
use crate::domain::names::DatasetName;
use crate::domain::recovery_run::{Recovered, RunPlan};
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::datastore_hosts::{Wish, mount_on_all, mounted_before, not_on_all};
use crate::jobs::datastore_mounts::Mounted;
use crate::jobs::exported::{mark_of, property, seen_by, share};
use crate::jobs::failure::recorded;
use crate::jobs::replica_key::{open_root, opened, root_to_open};
use crate::zfs::Zfs;

pub(in crate::jobs) struct Clone(pub(in crate::jobs) Arc<Ground>);

impl Clone {
    /// Opens an encrypted replica with the key that is kept for its group. The encryption root that was opened.
    async fn open(
        &self,
        cx: &StepContext,
        plan: &RunPlan,
        zfs: &Zfs,
    ) -> Result<Option<DatasetName>, Failure> {
        let all = zfs.datasets(std::slice::from_ref(&plan.replica), false).await?;
        let Some(replica) = all.into_iter().find(|one| one.name == plan.replica) else {
            return Err(Failure::permanent(format!("{} is not on the DR appliance any more.", plan.replica)));
        };
        let root = root_to_open(&self.0.targets, plan.group_id, &replica).await?;
        if let Some(root) = &root {
            open_root(cx, (&self.0.targets, zfs), plan.group_id, root).await?;
        }
        Ok(root)
    }
}

#[async_trait]
impl Step for Clone {
    fn name(&self) -> &'static str {
        "clone"
    }

    fn percent(&self) -> (u8, u8) {
        self.0.percent((3, 8))
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let RunInput { plan, .. } = cx.input()?;
        let chosen: Recovered = cx.need("choose_checkpoint")?;
        let checkpoint = checkpoint_of(&plan, &chosen)?;
        let cloned = async {
            let zfs = self.0.zfs(&plan).await?;
            match seen_by(&zfs, &plan.clone, plan.maker()).await? {
                Some((_, true)) => {}
                Some((_, false)) => {
                    return Err(Failure::refused(format!(
                        "The dataset {} is there already, and this run did not make it.",
                        plan.clone
                    ))
                    .advise("Look at it on the appliance; rename it if it is not needed, then retry."));
                }
                None => {
                    let opens = self.open(cx, &plan, &zfs).await?;
                    zfs.create_parents(&plan.clone).await?;
                    let mut properties = vec![
                        property("readonly", "off")?,
                        property("canmount", "on")?,
                        property("mountpoint", &plan.path())?,
                        property("atime", "off")?,
                        property("sharenfs", "off")?,
                        property(PROPERTY_GROUP, &plan.group_id.to_string())?,
                        property(PROPERTY_ROLE, Role::Run.as_str())?,
                        property(PROPERTY_RUN, &plan.run_id.to_string())?,
                        mark_of(plan.maker())?,
                    ];
                    if let Some(root) = &opens {
                        properties.push(opened(root)?);
                    }
                    zfs.clone_snapshot(&checkpoint, &plan.clone, &properties).await?;
                }
            }
            zfs.mount(&plan.clone).await?;
            Ok(((), format!("{} is a clone of {checkpoint}, mounted at {}", plan.clone, plan.path())))
        };
        self.0.record(cx, &plan).step(self.name(), cloned).await?;
        cx.console(Level::Success, format!("{} is a clone of {checkpoint}.", plan.clone));
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        self.0.taken_back()
    }
}

pub(in crate::jobs) struct Export(pub(in crate::jobs) Arc<Ground>);

#[async_trait]
impl Step for Export {
    fn name(&self) -> &'static str {
        "export"
    }

    fn percent(&self) -> (u8, u8) {
        self.0.percent((10, 14))
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let RunInput { plan, .. } = cx.input()?;
        let shared = async {
            let zfs = self.0.zfs(&plan).await?;
            share(cx, &zfs, (&plan.clone, &plan.path()), &plan.nfs_clients).await?;
            Ok(((), format!("the NFS server exports {} to {}", plan.path(), plan.nfs_clients)))
        };
        self.0.record(cx, &plan).step(self.name(), shared).await?;
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        self.0.taken_back()
    }
}

pub(in crate::jobs) struct Mount(pub(in crate::jobs) Arc<Ground>);

#[async_trait]
impl Step for Mount {
    fn name(&self) -> &'static str {
        "mount"
    }

    fn percent(&self) -> (u8, u8) {
        self.0.percent((14, 25))
    }

    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let RunInput { plan, .. } = cx.input()?;
        let (client, mount) = (self.0.client(&plan).await?, self.0.mount(&plan).await?);
        recorded(mounted_before(&Wish { client: &client, hosts: &plan.hosts, mount: &mount }).await?)
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let RunInput { plan, .. } = cx.input()?;
        let mounted = async {
            let (client, mount) = (self.0.client(&plan).await?, self.0.mount(&plan).await?);
            let wish = Wish { client: &client, hosts: &plan.hosts, mount: &mount };
            let hosts = mount_on_all(cx, &wish, intent).await?;
            not_on_all(cx, &hosts)?;
            let on = hosts.iter().filter(|one| !matches!(one.mounted, Mounted::Failed { .. }));
            let on: Vec<&str> = on.map(|one| one.host.as_str()).collect();
            let seen = format!("{:?} is read back on {}", mount.name, on.join(", "));
            Ok((hosts, seen))
        };
        recorded(self.0.record(cx, &plan).step(self.name(), mounted).await?)
    }

    fn undo_kind(&self) -> UndoKind {
        self.0.taken_back()
    }
}
