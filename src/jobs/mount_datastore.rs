//! `mount_datastore`: an export that is a datastore already, on hosts that do not have it yet; those, for example, on which
//! mounting failed when it was made.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::datastore_hosts::{Wish, mount_on_all, mounted_before, not_on_all, take_off_all};
use super::datastore_mounts::nfs3;
use super::failure::recorded;
use super::vcenters::Vcenters;
use crate::domain::deployment::DatastoreHost;
use crate::domain::ids::VcenterId;
use crate::domain::job::Failure;
use crate::engine::{Definition, LockName, Step, StepContext, UndoKind};
use crate::vsphere::Client;
use crate::vsphere::verbs::NasMount;

/// The name of this kind of job.
pub const KIND: &str = "mount_datastore";

/// What the job is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountInput {
    /// The vCenter whose hosts mount it.
    pub vcenter_id: VcenterId,
    /// The datastore's name on the hosts.
    pub name: String,
    /// The server, word for word as other hosts were told it.
    pub remote_host: String,
    /// The path, likewise.
    pub remote_path: String,
    /// Which hosts mount it.
    pub hosts: Vec<DatastoreHost>,
}

/// The definition of the job.
pub fn definition(vcenters: Vcenters) -> Definition {
    Definition::new(KIND, vec![Box::new(Mount(vcenters))]).with_locks(|input| {
        let input = MountInput::deserialize(input)
            .map_err(|error| Failure::permanent(format!("The input could not be read: {error}.")))?;
        let vcenter = input.vcenter_id;
        let lock = |host: &DatastoreHost| LockName::host_mounts(&format!("{vcenter}/{}", host.moref));
        Ok(input.hosts.iter().map(lock).collect())
    })
}

struct Mount(Vcenters);

impl Mount {
    async fn wish(&self, input: &MountInput) -> Result<(Client, NasMount), Failure> {
        let client = self.0.client(input.vcenter_id).await?;
        Ok((client, nfs3(&input.remote_host, &input.remote_path, &input.name)))
    }
}

#[async_trait]
impl Step for Mount {
    fn name(&self) -> &'static str {
        "mount"
    }

    fn percent(&self) -> (u8, u8) {
        (0, 100)
    }

    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let input: MountInput = cx.input()?;
        let (client, mount) = self.wish(&input).await?;
        recorded(mounted_before(&Wish { client: &client, hosts: &input.hosts, mount: &mount }).await?)
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let input: MountInput = cx.input()?;
        let (client, mount) = self.wish(&input).await?;
        let wish = Wish { client: &client, hosts: &input.hosts, mount: &mount };
        let hosts = mount_on_all(cx, &wish, intent).await?;
        not_on_all(cx, &hosts)?;
        recorded(json!({
            "name": input.name, "remote_host": input.remote_host, "remote_path": input.remote_path, "hosts": hosts,
        }))
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        let input: MountInput = cx.input()?;
        let (client, mount) = self.wish(&input).await?;
        take_off_all(cx, &Wish { client: &client, hosts: &input.hosts, mount: &mount }, intent).await
    }
}
