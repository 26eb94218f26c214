//! The view behind a DR shell once it stands: a clone of a checkpoint, exported and mounted as a datastore. Taking it away goes
//! in the order unmount on every host, unexport, destroy, each looked at before the next.

use super::datastore_mounts::{nfs3, unmount};
use super::exported::{seen_by, unshare_by};
use super::replica_key::{close_root, opened_by};
use crate::domain::dataset::Role;
use crate::domain::dr_shell::DrShell;
use crate::domain::ids::JobId;
use crate::domain::job::Failure;
use crate::domain::moref::{DatastoreRef, EsxiRef};
use crate::domain::names::{DatasetName, SnapshotName};
use crate::engine::StepContext;
use crate::vsphere::verbs::NasMount;
use crate::vsphere::{Client, Node, ObjectContent, PropertySet, Scope};
use crate::zfs::Zfs;

/// A view, and which job made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StandingView {
    pub(super) maker: JobId,
    pub(super) dataset: DatasetName,
    pub(super) checkpoint: SnapshotName,
    /// Where it is mounted on the appliance, and exported.
    pub(super) path: String,
    /// The datastore's name on the hosts.
    pub(super) datastore: String,
}

/// Where the view in this dataset is mounted on its appliance.
pub(super) fn path_of(dataset: &DatasetName) -> String {
    let name = dataset.as_str();
    format!("/srv/zerfaux/{}", name.rsplit('/').next().unwrap_or(name))
}

impl StandingView {
    /// The view of a shell that still is there.
    pub(super) fn of(shell: &DrShell) -> Option<Self> {
        let view = shell.view.as_ref()?;
        Some(Self {
            maker: view.made_by.unwrap_or(shell.made_by),
            dataset: view.dataset.clone(),
            checkpoint: view.checkpoint.clone(),
            path: path_of(&view.dataset),
            datastore: view.datastore.clone(),
        })
    }

    /// What hosts mount, at this address.
    pub(super) fn mount(&self, server: &str) -> NasMount {
        nfs3(server, &self.path, &self.datastore)
    }

    /// Takes it away. `server`: what hosts dial.
    pub(super) async fn take_away(
        &self,
        cx: &StepContext,
        (client, zfs): (&Client, &Zfs),
        server: &str,
    ) -> Result<(), Failure> {
        self.unmount(cx, client, server).await?;
        unshare_by(cx, zfs, self.maker, (&self.dataset, &self.path)).await?;
        self.destroy(cx, zfs).await
    }

    /// Unmounts it on every host that has it, and looks that none has it any more. One host that does not let go keeps
    /// none of the others from it.
    pub(super) async fn unmount(
        &self,
        cx: &StepContext,
        client: &Client,
        server: &str,
    ) -> Result<(), Failure> {
        let mount = self.mount(server);
        let mut first = None;
        for one in mounted_as(client, &mount).await? {
            for host in hosts_of(&one) {
                match unmount(client, &host, &mount).await {
                    Ok(true) => cx.info(format!("Unmounted {:?} from {host}.", mount.name)),
                    Ok(false) => {}
                    Err(failure) => {
                        let message =
                            format!("{host} does not unmount {:?}. {}", mount.name, failure.message);
                        cx.warn(message.clone());
                        first.get_or_insert(Failure { message, ..failure });
                    }
                }
            }
        }
        first.map_or(Ok(()), Err)?;
        mounted_nowhere(client, &mount).await
    }

    /// Destroys the clone, if it is the one that its job made of that checkpoint, and looks that it is gone. `zfs` itself
    /// refuses while something was cloned from it.
    pub(super) async fn destroy(&self, cx: &StepContext, zfs: &Zfs) -> Result<(), Failure> {
        let Some((dataset, true)) = seen_by(zfs, &self.dataset, self.maker).await? else { return Ok(()) };
        if dataset.role != Some(Role::Run) || dataset.origin.as_deref() != Some(&*self.checkpoint.to_string())
        {
            return Err(Failure::refused(format!(
                "{} is no longer a clone of {}, so it is not destroyed.",
                self.dataset, self.checkpoint
            ))
            .advise("Somebody promoted or changed it. Look at it on the appliance."));
        }
        // Before the clone goes, because only it says so.
        if let Some(root) = opened_by(zfs, &self.dataset).await? {
            zfs.unmount(&self.dataset).await?;
            close_root(cx, zfs, &root).await?;
        }
        zfs.destroy_empty(&self.dataset, dataset.guid).await?;
        if seen_by(zfs, &self.dataset, self.maker).await?.is_some() {
            return Err(Failure::transient(format!(
                "{} is still there after it was destroyed.",
                self.dataset
            )));
        }
        cx.info(format!("Destroyed the clone {}.", self.dataset));
        Ok(())
    }
}

/// The datastores of the vCenter that mount an export, under whatever name.
async fn mounted_as(client: &Client, mount: &NasMount) -> Result<Vec<ObjectContent>, Failure> {
    let sets = [PropertySet { kind: DatastoreRef::KIND, paths: vec!["name", "info", "host"] }];
    let scope = Scope::everything(client, &[DatastoreRef::KIND]).await?;
    let found = client.retrieve(&sets, &scope).await;
    scope.close(client).await;
    let is_it = |one: &ObjectContent| {
        let nas = one.get("info").and_then(|info| info.child("nas"));
        nas.is_some_and(|nas| {
            nas.text_at("remoteHost") == Some(mount.remote_host.as_str())
                && nas.text_at("remotePath") == Some(mount.remote_path.as_str())
        })
    };
    Ok(found?.into_iter().filter(is_it).collect())
}

fn hosts_of(datastore: &ObjectContent) -> Vec<EsxiRef> {
    let mounts = datastore.get("host").map(Node::children).unwrap_or_default();
    mounts.iter().filter_map(|mount| mount.text_at("key")).map(EsxiRef::new).collect()
}

/// Refuses while any host of the vCenter has the export mounted, under whatever name.
pub(super) async fn mounted_nowhere(client: &Client, mount: &NasMount) -> Result<(), Failure> {
    match mounted_as(client, mount).await?.first() {
        None => Ok(()),
        Some(one) => Err(Failure::transient(format!(
            "The datastore {:?} is still mounted on a host of the DR vCenter, so the clone behind it stays.",
            one.text("name").unwrap_or(&mount.name)
        ))
        .advise("Unmount it there in vCenter (a virtual machine may use it), then retry.")),
    }
}
