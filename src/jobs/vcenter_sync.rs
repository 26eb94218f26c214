//! `vcenter_sync`: reads the whole inventory of a vCenter, and marks what has left it.
//!
//! Changes arrive by themselves through [`super::inventory_watch`]; this is for a person who wants to be sure, and
//! for a vCenter whose stream cannot be held.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::failure::{not_kept, recorded};
use super::vcenters::Vcenters;
use crate::domain::ids::VcenterId;
use crate::domain::inventory::Inventory;
use crate::domain::job::Failure;
use crate::engine::{Definition, LockName, Retry, Step, StepContext, UndoKind};
use crate::vsphere::inventory::{KINDS, assemble, property_sets, read};
use crate::vsphere::{Client, Scope, VsphereError};

/// The kind's name.
pub const KIND: &str = "vcenter_sync";

/// What the job is given.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SyncInput {
    /// The connection.
    pub vcenter: VcenterId,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Counts {
    places: usize,
    datastores: usize,
    networks: usize,
    vms: usize,
}

/// The kind.
pub fn definition(vcenters: Vcenters) -> Definition {
    let steps: Vec<Box<dyn Step>> = vec![
        Box::new(Connect(vcenters.clone())),
        Box::new(Read(vcenters.clone())),
        Box::new(Settle(vcenters)),
    ];
    Definition::new(KIND, steps).with_locks(|input| {
        let input = SyncInput::deserialize(input).map_err(|error| {
            Failure::permanent(format!("The synchronisation does not say which vCenter: {error}."))
        })?;
        Ok(vec![LockName::inventory(&input.vcenter)])
    })
}

/// Reads everything of a vCenter.
///
/// # Errors
/// If it does not answer.
pub(super) async fn read_everything(client: &Client) -> Result<Inventory, VsphereError> {
    let scope = Scope::everything(client, &KINDS).await?;
    let items = client.retrieve_with(&property_sets(), &scope, || read).await;
    scope.close(client).await;
    Ok(assemble(items?))
}

const AGAIN: Retry = Retry { attempts: 3, pause: std::time::Duration::from_secs(10) };
const WANTED_ANYWAY: UndoKind =
    UndoKind::Nothing("what was read of the vCenter is true whatever becomes of the job");

struct Connect(Vcenters);

#[async_trait]
impl Step for Connect {
    fn name(&self) -> &'static str {
        "connect"
    }
    fn percent(&self) -> (u8, u8) {
        (0, 10)
    }
    fn retry(&self) -> Retry {
        AGAIN
    }
    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let SyncInput { vcenter } = cx.input()?;
        let store = self.0.store();
        let client = match self.0.client(vcenter).await {
            Ok(client) => client,
            Err(failure) => {
                store.vcenter_failed(vcenter, &failure.message).await.map_err(not_kept)?;
                return Err(failure);
            }
        };
        store.vcenter_answered(vcenter, client.about(), None).await.map_err(not_kept)?;
        cx.info(format!("Connected to {}, {}.", client.server(), client.about().full_name));
        Ok(Value::Null)
    }
    fn undo_kind(&self) -> UndoKind {
        WANTED_ANYWAY
    }
}

struct Read(Vcenters);

#[async_trait]
impl Step for Read {
    fn name(&self) -> &'static str {
        "read"
    }
    fn percent(&self) -> (u8, u8) {
        (10, 90)
    }
    fn retry(&self) -> Retry {
        AGAIN
    }
    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let SyncInput { vcenter } = cx.input()?;
        let client = self.0.client(vcenter).await?;
        // Noted before the server is asked: what is older afterwards was not seen.
        let began = cx.now();
        let stopped = cx.cancelled();
        let inventory = tokio::select! {
            biased;
            () = stopped.cancelled() => return Err(Failure::cancelled("The reading was stopped; what was known before stays.")),
            inventory = read_everything(&client) => inventory?,
        };
        let counts = Counts {
            places: inventory.places.len(),
            datastores: inventory.datastores.len(),
            networks: inventory.networks.len(),
            vms: inventory.vms.len(),
        };
        cx.progress(0.6);
        self.0.store().put_inventory(vcenter, inventory, began).await.map_err(not_kept)?;
        self.0.streams().changed(vcenter, cx.now());
        cx.info(format!(
            "Read {} virtual machines, {} datastores, {} networks, {} hosts, clusters, pools and folders.",
            counts.vms, counts.datastores, counts.networks, counts.places
        ));
        Ok(json!({"began": began, "counts": recorded(&counts)?}))
    }
    fn undo_kind(&self) -> UndoKind {
        WANTED_ANYWAY
    }
}

struct Settle(Vcenters);

#[async_trait]
impl Step for Settle {
    fn name(&self) -> &'static str {
        "settle"
    }
    fn percent(&self) -> (u8, u8) {
        (90, 100)
    }
    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        #[derive(Deserialize)]
        struct Before {
            began: Timestamp,
            counts: Counts,
        }
        let SyncInput { vcenter } = cx.input()?;
        let Before { began, counts } = cx.need("read")?;
        let store = self.0.store();
        let gone = store.mark_unseen_gone(vcenter, began, began).await.map_err(not_kept)?;
        if gone > 0 {
            cx.info(format!("{gone} objects are no longer there."));
            self.0.streams().changed(vcenter, cx.now());
        }
        let about = self.0.client(vcenter).await?.about().clone();
        store.vcenter_answered(vcenter, &about, Some(began)).await.map_err(not_kept)?;
        recorded(counts)
    }
    fn undo_kind(&self) -> UndoKind {
        WANTED_ANYWAY
    }
}
