//! The view: a clone of a checkpoint, exported, and mounted as a datastore on the hosts of the DR site.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AGAIN, Ground, ShellInput, ViewNames, intended};
use crate::domain::dataset::{Dataset, Owner, PROPERTY_GROUP, PROPERTY_ROLE, Role};
use crate::domain::job::{Failure, Level};
use crate::domain::names::{DatasetName, SnapshotName};
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::datastore_hosts::{Wish, mount_on_all, mounted_before, not_on_all, take_off_all};
use crate::jobs::exported::{mark, property, seen, share, unshare};
use crate::jobs::failure::recorded;
use crate::jobs::replica_key::{close_root, open_root, opened, root_to_open};
use crate::jobs::shell_view::mounted_nowhere;
use crate::zfs::Zfs;

pub(in crate::jobs) struct View(pub(in crate::jobs) Arc<Ground>);

/// What is decided before anything is made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::jobs) struct Chosen {
    pub(in crate::jobs) checkpoint: SnapshotName,
    /// The encryption root whose key has to be loaded for it; none: the replica is not encrypted, or open already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::jobs) opens: Option<DatasetName>,
}

/// The checkpoint that was asked for, or the newest one of the group.
fn choose(input: &ShellInput, replica: &Dataset) -> Result<SnapshotName, Failure> {
    let group = Owner::Zerfaux(input.group_id.to_string());
    let mut own = replica.snapshots.iter().rev().filter(|one| one.owner == group);
    let found = match &input.checkpoint {
        Some(tag) => replica.snapshot_by_tag(tag),
        None => own.next(),
    };
    let found = found.ok_or_else(|| {
        let what = match &input.checkpoint {
            Some(tag) => format!("{} has no checkpoint {tag}.", replica.name),
            None => format!("{} has no checkpoint of this group yet.", replica.name),
        };
        Failure::permanent(what).advise("Replicate the group once, then create the shell.")
    })?;
    replica.name.snapshot(&found.tag).map_err(|error| Failure::permanent(format!("{error}.")))
}

async fn replica(zfs: &Zfs, input: &ShellInput) -> Result<Dataset, Failure> {
    let all = zfs.datasets(std::slice::from_ref(&input.replica), false).await?;
    all.into_iter().find(|one| one.name == input.replica).ok_or_else(|| {
        Failure::permanent(format!("The replica {} is not on the DR appliance.", input.replica))
            .advise("Replicate the group once, then create the shell.")
    })
}

#[async_trait]
impl Step for View {
    fn name(&self) -> &'static str {
        "view"
    }

    fn percent(&self) -> (u8, u8) {
        (0, 10)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let input: ShellInput = cx.input()?;
        let zfs = self.0.targets.zfs(input.dr_target_id).await?;
        let replica = replica(&zfs, &input).await?;
        let opens = root_to_open(&self.0.targets, input.group_id, &replica).await?;
        recorded(Chosen { checkpoint: choose(&input, &replica)?, opens })
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let input: ShellInput = cx.input()?;
        let Chosen { checkpoint, opens } = intended(intent)?;
        let names = ViewNames::of(cx, &input)?;
        let zfs = self.0.targets.zfs(input.dr_target_id).await?;
        if let Some(root) = &opens {
            open_root(cx, (&self.0.targets, &zfs), input.group_id, root).await?;
        }
        match seen(cx, &zfs, &names.dataset).await? {
            Some((_, true)) => {}
            Some((_, false)) => {
                return Err(Failure::refused(format!(
                    "The dataset {} is there already, and this job did not make it.",
                    names.dataset
                ))
                .advise("Look at it on the appliance; rename it if it is not needed, then retry."));
            }
            None => {
                zfs.create_parents(&names.dataset).await?;
                let mut properties = vec![
                    property("readonly", "off")?,
                    property("canmount", "on")?,
                    property("mountpoint", &names.path)?,
                    property("atime", "off")?,
                    property("sharenfs", "off")?,
                    property(PROPERTY_GROUP, &input.group_id.to_string())?,
                    property(PROPERTY_ROLE, Role::Run.as_str())?,
                    mark(cx)?,
                ];
                if let Some(root) = &opens {
                    properties.push(opened(root)?);
                }
                zfs.clone_snapshot(&checkpoint, &names.dataset, &properties).await?;
            }
        }
        zfs.mount(&names.dataset).await?;
        cx.console(Level::Success, format!("{} is a clone of {checkpoint}.", names.dataset));
        recorded(Chosen { checkpoint, opens })
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        let input: ShellInput = cx.input()?;
        let zfs = self.0.targets.zfs(input.dr_target_id).await?;
        let Chosen { checkpoint, opens } = intended(intent)?;
        ViewNames::of(cx, &input)?.standing(cx, checkpoint).destroy(cx, &zfs).await?;
        match opens {
            // It may have been opened without a clone that says so.
            Some(root) => close_root(cx, &zfs, &root).await,
            None => Ok(()),
        }
    }
}

pub(in crate::jobs) struct Export(pub(in crate::jobs) Arc<Ground>);

#[async_trait]
impl Step for Export {
    fn name(&self) -> &'static str {
        "export"
    }

    fn percent(&self) -> (u8, u8) {
        (10, 20)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: ShellInput = cx.input()?;
        let names = ViewNames::of(cx, &input)?;
        let zfs = self.0.targets.zfs(input.dr_target_id).await?;
        share(cx, &zfs, (&names.dataset, &names.path), &input.nfs_clients).await?;
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let input: ShellInput = cx.input()?;
        let names = ViewNames::of(cx, &input)?;
        let zfs = self.0.targets.zfs(input.dr_target_id).await?;
        unshare(cx, &zfs, (&names.dataset, &names.path)).await
    }
}

pub(in crate::jobs) struct Mount(pub(in crate::jobs) Arc<Ground>);

#[async_trait]
impl Step for Mount {
    fn name(&self) -> &'static str {
        "mount"
    }

    fn percent(&self) -> (u8, u8) {
        (20, 40)
    }

    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let input: ShellInput = cx.input()?;
        let (client, mount) = self.0.mount(cx, &input).await?;
        recorded(mounted_before(&Wish { client: &client, hosts: &input.hosts, mount: &mount }).await?)
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let input: ShellInput = cx.input()?;
        let (client, mount) = self.0.mount(cx, &input).await?;
        let wish = Wish { client: &client, hosts: &input.hosts, mount: &mount };
        let hosts = mount_on_all(cx, &wish, intent).await?;
        not_on_all(cx, &hosts)?;
        recorded(hosts)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        let input: ShellInput = cx.input()?;
        let (client, mount) = self.0.mount(cx, &input).await?;
        take_off_all(cx, &Wish { client: &client, hosts: &input.hosts, mount: &mount }, intent).await?;
        mounted_nowhere(&client, &mount).await
    }
}
