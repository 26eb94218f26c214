//! `/protected-vms/{id}/protection-plan` and `/protected-vms/{id}/move-to-protection-datastore`

use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use super::deployments::PlanFinding;
use super::jobs::{Accepted, accepted};
use crate::app::protection_plans::{ProtectionPlan as Plan, Stray};
use crate::app::{App, AppError, Principal};
use crate::domain::ids::ProtectedVmId;

/// A disk, and where it lies.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlanDisk {
    /// Its key within the virtual machine.
    pub key: i32,
    /// What vSphere calls it.
    pub label: String,
    /// Its file.
    pub file: Option<String>,
    /// The name of its datastore.
    pub datastore: Option<String>,
    /// Its size in bytes.
    pub capacity_bytes: u64,
    /// Whether it is where it has to be, with all that it builds upon.
    pub is_there: bool,
}

/// A file that lies elsewhere.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlanStray {
    /// `iso`: an image in a CD drive, which is not moved; `snapshot`: what a disk builds upon, which is.
    pub kind: String,
    /// The file.
    pub file: String,
}

/// Where the files of a virtual machine lie, and what moving them would do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProtectionPlan {
    /// The protected virtual machine.
    pub protected_vm_id: String,
    /// Its name.
    pub name: String,
    /// The group's datastore.
    pub datastore: String,
    /// Its reference.
    pub datastore_moref: String,
    /// Whether everything is there already.
    pub compliant: bool,
    /// Whether it can be moved now.
    pub possible: bool,
    /// The configuration file.
    pub home: Option<String>,
    /// Whether that is there.
    pub home_is_there: bool,
    /// Each disk.
    pub disks: Vec<PlanDisk>,
    /// Files elsewhere.
    pub strays: Vec<PlanStray>,
    /// The size of the disks that have to be moved, in bytes.
    pub moves_bytes: u64,
    /// What is free on the datastore, in bytes.
    pub free_bytes: u64,
    /// What stands in the way.
    pub obstacles: Vec<PlanFinding>,
    /// What one should know.
    pub warnings: Vec<PlanFinding>,
}

impl From<Plan> for ProtectionPlan {
    fn from(plan: Plan) -> Self {
        let placement = plan.placement;
        let disks = placement.disks.into_iter().map(|disk| PlanDisk {
            key: disk.key,
            label: disk.label,
            file: disk.file,
            datastore: disk.datastore,
            capacity_bytes: disk.capacity_bytes,
            is_there: disk.is_there,
        });
        let strays = placement.strays.into_iter().map(|stray| match stray {
            Stray::Iso { file } => PlanStray { kind: "iso".to_owned(), file },
            Stray::Snapshot { file } => PlanStray { kind: "snapshot".to_owned(), file },
        });
        Self {
            protected_vm_id: plan.vm.id.to_string(),
            name: placement.vm,
            datastore: placement.required,
            datastore_moref: plan.datastore.object.id().to_owned(),
            compliant: placement.compliant,
            possible: placement.obstacles.is_empty(),
            home: placement.home,
            home_is_there: placement.home_is_there,
            disks: disks.collect(),
            strays: strays.collect(),
            moves_bytes: placement.moves_bytes,
            free_bytes: placement.free_bytes,
            obstacles: placement.obstacles.into_iter().map(PlanFinding::from).collect(),
            warnings: placement.warnings.into_iter().map(PlanFinding::from).collect(),
        }
    }
}

/// Where the files of a protected virtual machine lie, and what moving them would do. Nothing is changed.
#[utoipa::path(get, path = "/protected-vms/{id}/protection-plan", tag = "protected-vms",
    params(("id" = String, Path, description = "The protected virtual machine's id")),
    responses((status = OK, description = "The plan", body = ProtectionPlan)))]
pub async fn plan(State(app): State<App>, Path(id): Path<ProtectedVmId>) -> Answer<Json<ProtectionPlan>> {
    Ok(Json(app.protection_plan(id).await?.into()))
}

/// A move to the group's datastore.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Move {
    /// The group's datastore, by reference or name, as a check: another one is refused. Need not be given.
    pub datastore: Option<String>,
    /// Other protected virtual machines of the same group that are moved in the same job.
    pub protected_vm_ids: Vec<String>,
}

/// Move the files of a protected virtual machine to its group's datastore by Storage vMotion.
#[utoipa::path(post, path = "/protected-vms/{id}/move-to-protection-datastore", tag = "protected-vms", request_body = Move,
    params(("id" = String, Path, description = "The protected virtual machine's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key starts nothing again")),
    responses((status = ACCEPTED, description = "A job moves them; its result says where each disk is", body = Accepted)))]
pub async fn start(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<ProtectedVmId>,
    Json(wish): Json<Move>,
) -> Answer<Response> {
    let mut ids = vec![id];
    for text in &wish.protected_vm_ids {
        let other = text.parse().map_err(|_| {
            AppError::invalid(
                "protected_vm_ids",
                format!("{text:?} is not the id of a protected virtual machine."),
            )
        })?;
        ids.push(other);
    }
    let datastore = wish.datastore.unwrap_or_default();
    Ok(accepted(app.move_to_protection_datastore(&who, &ids, &datastore).await?))
}
