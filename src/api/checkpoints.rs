//! `/protection-groups/{id}/checkpoints/{guid}`: a checkpoint with what was in it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Answer;
use super::protection_groups::Checkpoint;
use crate::app::checkpoints::{DiskFiles, Manifest as Kept, ManifestVm, Read, Rest};
use crate::app::{App, AppError};
use crate::domain::dataset::Guid;
use crate::domain::ids::GroupId;

/// A checkpoint with what was in it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CheckpointDetail {
    /// The checkpoint.
    #[serde(flatten)]
    pub checkpoint: Checkpoint,
    /// What was in it; null where that was not kept.
    pub manifest: Option<Manifest>,
}

/// What was in a checkpoint.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Manifest {
    /// What the group was called.
    pub group_name: String,
    /// The epoch of the group: how often its direction had changed, and the GUID of its live dataset.
    pub epoch: String,
    /// When it was taken, by our clock.
    #[schema(value_type = String, format = DateTime)]
    pub taken_at: Timestamp,
    /// What the networks are called whose keys the cards name.
    pub networks: BTreeMap<String, String>,
    /// The virtual machines, by name.
    pub vms: Vec<CheckpointVm>,
}

/// A virtual machine as it was.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CheckpointVm {
    /// Its name.
    pub name: String,
    /// Its reference in the source vCenter.
    pub moref: String,
    /// By what its vCenter tells it from others.
    pub instance_uuid: String,
    /// What its guest sees.
    pub bios_uuid: Option<String>,
    /// `on`, `off`, `suspended` or `unknown`.
    pub power: String,
    /// `vcenter`: read during the run; `inventory`: known before, because the vCenter did not tell.
    pub read_from: String,
    /// How old what was known before was.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub read_as_of: Option<Timestamp>,
    /// `not_asked`, `off`, `quiesced` or `not_quiesced`.
    pub rest: String,
    /// Why it was not at rest, or was not read.
    pub because: Option<String>,
    /// Its disks with their files.
    pub disks: Vec<CheckpointDisk>,
    /// Everything that rebuilding it needs, as it is kept; null: nothing was known.
    pub machine: Option<Value>,
}

/// A disk with its files in the datastore.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CheckpointDisk {
    /// What vSphere calls it.
    pub label: String,
    /// Its size in bytes.
    pub capacity_bytes: u64,
    /// The datastore's name in the source vCenter.
    pub datastore: Option<String>,
    /// The file that a recovery attaches, then those that it builds upon.
    pub files: Vec<String>,
}

impl From<DiskFiles> for CheckpointDisk {
    fn from(one: DiskFiles) -> Self {
        let DiskFiles { label, capacity_bytes, datastore, files, .. } = one;
        Self { label, capacity_bytes, datastore, files }
    }
}

impl From<ManifestVm> for CheckpointVm {
    fn from(one: ManifestVm) -> Self {
        let disks = one.disks().into_iter().map(CheckpointDisk::from).collect();
        let (read_from, read_as_of, unread) = match one.read {
            Read::Vcenter => ("vcenter", None, None),
            Read::Inventory { seen_at, because } => ("inventory", seen_at, Some(because)),
            Read::Other => ("other", None, None),
        };
        let (rest, restless) = match one.rest {
            Rest::NotAsked => ("not_asked", None),
            Rest::Off => ("off", None),
            Rest::Quiesced => ("quiesced", None),
            Rest::NotQuiesced { because } => ("not_quiesced", Some(because)),
            Rest::Other => ("other", None),
        };
        Self {
            name: one.name,
            moref: one.vm.id().to_owned(),
            instance_uuid: one.instance_uuid,
            bios_uuid: one.machine.as_ref().and_then(|machine| machine.bios_uuid.clone()),
            power: one.power.as_str().to_owned(),
            read_from: read_from.to_owned(),
            read_as_of,
            rest: rest.to_owned(),
            because: restless.or(unread),
            disks,
            machine: one.machine.and_then(|machine| serde_json::to_value(machine).ok()),
        }
    }
}

impl From<Kept> for Manifest {
    fn from(one: Kept) -> Self {
        Self {
            group_name: one.group_name,
            epoch: one.epoch,
            taken_at: one.taken_at,
            networks: one.networks,
            vms: one.vms.into_iter().map(CheckpointVm::from).collect(),
        }
    }
}

/// One checkpoint, also one that is gone, with the virtual machines as they were.
#[utoipa::path(get, path = "/protection-groups/{id}/checkpoints/{guid}", tag = "protection-groups",
    params(("id" = String, Path, description = "The group's id"),
        ("guid" = String, Path, description = "The GUID of the checkpoint's snapshot")),
    responses((status = OK, description = "The checkpoint", body = CheckpointDetail)))]
pub async fn one(
    State(app): State<App>,
    Path((id, guid)): Path<(GroupId, String)>,
) -> Answer<Json<CheckpointDetail>> {
    let number =
        guid.parse().map(Guid).map_err(|_| AppError::NotFound(format!("there is no checkpoint {guid}")))?;
    let (checkpoint, manifest) = app.checkpoint(id, number).await?;
    let checkpoint = Checkpoint::from(checkpoint).tested(&app.tested_checkpoints(id).await?);
    Ok(Json(CheckpointDetail { checkpoint, manifest: manifest.map(Manifest::from) }))
}
