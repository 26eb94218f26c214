//! Mounts the export as a datastore on every chosen host.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Ground;
use super::clone::Cloned;
use super::ssh_connect::Connected;
use crate::domain::deployment::Deployment;
use crate::domain::job::Failure;
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::datastore_hosts::{
    Before, HostResult, Wish, mount_on_all, mounted_before, not_on_all, take_off_all,
};
use crate::jobs::datastore_mounts::nfs3;
use crate::jobs::failure::recorded;
use crate::vsphere::Client;
use crate::vsphere::verbs::NasMount;

pub(super) struct RegisterDatastore(pub(super) Arc<Ground>);

impl RegisterDatastore {
    /// The vCenter, and what its hosts are to mount: one string for the server, the same on all of them.
    async fn wish(&self, cx: &StepContext, input: &Deployment) -> Result<(Client, NasMount), Failure> {
        let connected: Connected = cx.need("ssh_connect")?;
        let mount = nfs3(&connected.address.to_string(), &input.nfs_path(), &input.datastore_name());
        Ok((self.0.vcenters.client(input.vcenter_id).await?, mount))
    }
}

#[async_trait]
impl Step for RegisterDatastore {
    fn name(&self) -> &'static str {
        "register_datastore"
    }

    fn percent(&self) -> (u8, u8) {
        (85, 100)
    }

    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let input: Deployment = cx.input()?;
        if input.datastore_hosts.is_empty() {
            return recorded(Before::default());
        }
        let (client, mount) = self.wish(cx, &input).await?;
        let wish = Wish { client: &client, hosts: &input.datastore_hosts, mount: &mount };
        recorded(mounted_before(&wish).await?)
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let input: Deployment = cx.input()?;
        if input.datastore_hosts.is_empty() {
            return result(cx, &input, &[]);
        }
        let (client, mount) = self.wish(cx, &input).await?;
        let wish = Wish { client: &client, hosts: &input.datastore_hosts, mount: &mount };
        let hosts = mount_on_all(cx, &wish, intent).await?;
        not_on_all(cx, &hosts)?;
        result(cx, &input, &hosts)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        let input: Deployment = cx.input()?;
        if input.datastore_hosts.is_empty() {
            return Ok(());
        }
        let (client, mount) = self.wish(cx, &input).await?;
        take_off_all(cx, &Wish { client: &client, hosts: &input.datastore_hosts, mount: &mount }, intent)
            .await
    }
}

/// What the job made, for its page and the API.
fn result(cx: &StepContext, input: &Deployment, hosts: &[HostResult]) -> Result<Value, Failure> {
    let (cloned, connected): (Cloned, Connected) = (cx.need("clone")?, cx.need("ssh_connect")?);
    let target: Value = cx.need("register_target")?;
    recorded(json!({
        "vm_name": input.vm_name,
        "cloned_vm_moref": cloned.vm_moref,
        "detected_ip": connected.address,
        "host_key": connected.host_key,
        "host_key_published": connected.published,
        "zfs_pool": input.zfs_pool_name,
        "replication_target_id": target.get("replication_target_id"),
        "datastore_name": (!hosts.is_empty()).then(|| input.datastore_name()),
        "hosts": hosts,
    }))
}
