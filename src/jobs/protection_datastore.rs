//! `create_protection_datastore`: a dataset on an appliance, exported, and mounted as a datastore on hosts.
//!
//! dataset → export → mount. The dataset says which job made it, so that a job which is resumed finds its own, and taking
//! back destroys nothing that was there before or in which something lies.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::datastore_hosts::{HostResult, Wish, mount_on_all, mounted_before, not_on_all, take_off_all};
use super::datastore_mounts::nfs3;
use super::exported::{mark, property, seen, share, unshare};
use super::failure::recorded;
use super::targets::Targets;
use super::vcenters::Vcenters;
use crate::domain::deployment::DatastoreHost;
use crate::domain::ids::{TargetId, VcenterId};
use crate::domain::job::{Failure, Level};
use crate::domain::names::DatasetName;
use crate::domain::networks::Networks;
use crate::engine::{Definition, LockName, Retry, Step, StepContext, UndoKind};
use crate::vsphere::verbs::NasMount;

/// The name of this kind of job.
pub const KIND: &str = "create_protection_datastore";
/// Records as large as most writes of virtual machines are (OpenZFS's own advice for VM images is 16K to 64K).
const RECORD_SIZE: &str = "32K";

/// What the job is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatastoreInput {
    /// The appliance.
    pub target_id: TargetId,
    /// The vCenter whose hosts mount it.
    pub vcenter_id: VcenterId,
    /// The datastore's name on the hosts.
    pub name: String,
    /// The dataset, below `<pool>/zerfaux/live`.
    pub dataset: DatasetName,
    /// Whose hosts may mount.
    pub nfs_clients: Networks,
    /// Which hosts mount it.
    pub hosts: Vec<DatastoreHost>,
}

impl DatastoreInput {
    /// Where it is mounted on the appliance, and exported.
    pub fn path(&self) -> String {
        format!("/{}", self.dataset)
    }
}

/// The definition of the job.
pub fn definition(targets: Targets, vcenters: Vcenters) -> Definition {
    let ground = Arc::new(Ground { targets, vcenters });
    let ground = || Arc::clone(&ground);
    Definition::new(
        KIND,
        vec![Box::new(MakeDataset(ground())), Box::new(Export(ground())), Box::new(Mount(ground()))],
    )
    .with_locks(|input| {
        let input = read(input)?;
        let (vcenter, target) = (input.vcenter_id, input.target_id);
        let mut locks = vec![LockName::dataset(&target, &input.dataset)];
        locks.extend(
            input.hosts.iter().map(|host| LockName::host_mounts(&format!("{vcenter}/{}", host.moref))),
        );
        Ok(locks)
    })
}

fn read(input: &Value) -> Result<DatastoreInput, Failure> {
    DatastoreInput::deserialize(input)
        .map_err(|error| Failure::permanent(format!("The input could not be read: {error}.")))
}

struct Ground {
    targets: Targets,
    vcenters: Vcenters,
}

const AGAIN: Retry = Retry { attempts: 3, pause: Duration::from_secs(5) };

struct MakeDataset(Arc<Ground>);

#[async_trait]
impl Step for MakeDataset {
    fn name(&self) -> &'static str {
        "dataset"
    }
    fn percent(&self) -> (u8, u8) {
        (0, 25)
    }
    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: DatastoreInput = cx.input()?;
        let zfs = self.0.targets.zfs(input.target_id).await?;
        match seen(cx, &zfs, &input.dataset).await? {
            Some((_, true)) => {}
            Some((_, false)) => {
                return Err(Failure::refused(format!("The dataset {} is there already.", input.dataset))
                    .advise("Choose another name, or mount what is there."));
            }
            None => {
                zfs.create_parents(&input.dataset).await?;
                let properties = [
                    property("recordsize", RECORD_SIZE)?,
                    property("compression", "lz4")?,
                    property("atime", "off")?,
                    // Said explicitly, so that it never changes while it is in use.
                    property("mountpoint", &input.path())?,
                    mark(cx)?,
                ];
                zfs.create_filesystem(&input.dataset, &properties).await?;
            }
        }
        zfs.mount(&input.dataset).await?;
        cx.console(Level::Success, format!("The dataset {} is there.", input.dataset));
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let input: DatastoreInput = cx.input()?;
        let zfs = self.0.targets.zfs(input.target_id).await?;
        let Some((dataset, true)) = seen(cx, &zfs, &input.dataset).await? else { return Ok(()) };
        // What is not mounted may hold something all the same.
        zfs.mount(&input.dataset).await?;
        let files = zfs.files_at(&input.path()).await?;
        if !files.is_empty() || !dataset.snapshots.is_empty() {
            return Err(Failure::refused(format!(
                "{} is not empty, so it is not destroyed: {} files or directories, {} snapshots.",
                input.dataset,
                files.len(),
                dataset.snapshots.len()
            ))
            .advise("Move away what is in it, if it is not needed; then clean up again."));
        }
        zfs.destroy_empty(&input.dataset, dataset.guid).await?;
        Ok(())
    }
}

struct Export(Arc<Ground>);

#[async_trait]
impl Step for Export {
    fn name(&self) -> &'static str {
        "export"
    }
    fn percent(&self) -> (u8, u8) {
        (25, 50)
    }
    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: DatastoreInput = cx.input()?;
        let zfs = self.0.targets.zfs(input.target_id).await?;
        share(cx, &zfs, (&input.dataset, &input.path()), &input.nfs_clients).await?;
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let input: DatastoreInput = cx.input()?;
        let zfs = self.0.targets.zfs(input.target_id).await?;
        unshare(cx, &zfs, (&input.dataset, &input.path())).await
    }
}

struct Mount(Arc<Ground>);

impl Mount {
    async fn wish(&self, input: &DatastoreInput) -> Result<(crate::vsphere::Client, NasMount), Failure> {
        let (target, _) = self.0.targets.host_ref(input.target_id).await?;
        let client = self.0.vcenters.client(input.vcenter_id).await?;
        Ok((client, nfs3(target.nfs_address(), &input.path(), &input.name)))
    }
}

#[async_trait]
impl Step for Mount {
    fn name(&self) -> &'static str {
        "mount"
    }
    fn percent(&self) -> (u8, u8) {
        (50, 100)
    }

    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let input: DatastoreInput = cx.input()?;
        let (client, mount) = self.wish(&input).await?;
        recorded(mounted_before(&Wish { client: &client, hosts: &input.hosts, mount: &mount }).await?)
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let input: DatastoreInput = cx.input()?;
        let (client, mount) = self.wish(&input).await?;
        let wish = Wish { client: &client, hosts: &input.hosts, mount: &mount };
        let hosts: Vec<HostResult> = mount_on_all(cx, &wish, intent).await?;
        not_on_all(cx, &hosts)?;
        recorded(json!({
            "name": input.name, "dataset": input.dataset, "remote_host": mount.remote_host,
            "remote_path": mount.remote_path, "hosts": hosts,
        }))
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        let input: DatastoreInput = cx.input()?;
        let (client, mount) = self.wish(&input).await?;
        take_off_all(cx, &Wish { client: &client, hosts: &input.hosts, mount: &mount }, intent).await
    }
}
