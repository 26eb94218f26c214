//! Takes the view away, each on evidence of what came before: unmounted on every host, no longer exported, the clone gone.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::view::{Chosen, destroy};
use super::{AGAIN, Ground, ShellInput, ViewNames, record};
use crate::domain::job::{Failure, Level};
use crate::domain::moref::DatastoreRef;
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::datastore_mounts::unmount;
use crate::jobs::exported::unshare;
use crate::jobs::failure::not_kept;
use crate::jobs::vsphere_make::Made;
use crate::vsphere::verbs::NasMount;
use crate::vsphere::{Client, PropertySet, Scope};

pub(super) struct TakeViewAway(pub(super) Arc<Ground>);

/// Refuses while any host of the vCenter has the export mounted, under whatever name.
pub(super) async fn mounted_nowhere(client: &Client, mount: &NasMount) -> Result<(), Failure> {
    let sets = [PropertySet { kind: DatastoreRef::KIND, paths: vec!["name", "info"] }];
    let scope = Scope::everything(client, &[DatastoreRef::KIND]).await?;
    let found = client.retrieve(&sets, &scope).await;
    scope.close(client).await;
    let still = found?.into_iter().find(|one| {
        let nas = one.get("info").and_then(|info| info.child("nas"));
        nas.is_some_and(|nas| {
            nas.text_at("remoteHost") == Some(mount.remote_host.as_str())
                && nas.text_at("remotePath") == Some(mount.remote_path.as_str())
        })
    });
    match still {
        None => Ok(()),
        Some(one) => Err(Failure::transient(format!(
            "The datastore {:?} is still mounted on a host of the DR vCenter, so the clone behind it stays.",
            one.text("name").unwrap_or(&mount.name)
        ))
        .advise("Unmount it there in vCenter (a virtual machine may use it), then retry.")),
    }
}

#[async_trait]
impl Step for TakeViewAway {
    fn name(&self) -> &'static str {
        "take_view_away"
    }

    fn percent(&self) -> (u8, u8) {
        (90, 100)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: ShellInput = cx.input()?;
        let made: Made = cx.need("create")?;
        let chosen: Chosen = cx.need("view")?;
        let names = ViewNames::of(cx, &input)?;
        if !input.keep_view {
            let (client, mount) = self.0.mount(cx, &input).await?;
            for host in &input.hosts {
                if unmount(&client, &host.moref, &mount).await? {
                    cx.info(format!("Unmounted {:?} from {}.", mount.name, host.name));
                }
            }
            mounted_nowhere(&client, &mount).await?;
            let zfs = self.0.targets.zfs(input.dr_target_id).await?;
            unshare(cx, &zfs, (&names.dataset, &names.path)).await?;
            destroy(cx, &zfs, &names, &chosen).await?;
            let store = self.0.vcenters.store();
            if let Some(mut shell) = store.dr_shell(record::id_of(cx)).await.map_err(not_kept)? {
                shell.view = None;
                store.put_dr_shell(&shell).await.map_err(not_kept)?;
            }
            cx.console(Level::Success, "The view is gone: unmounted, no longer exported, destroyed.");
        }
        Ok(json!({
            "dr_shell_id": record::id_of(cx), "vm_moref": made.vm, "instance_uuid": made.instance_uuid,
            "name": input.spec.name, "disks": input.spec.disks.len(), "checkpoint": chosen.checkpoint,
            "view": input.keep_view.then_some(names.datastore),
        }))
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("what it took away is not needed any more")
    }
}
